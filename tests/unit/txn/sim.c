/*
 * The coordinator and the logs together, under a random network: producers
 * of both versions, zombies that keep old epochs, requests that come late,
 * twice or never, timeouts, epochs that run out, restarts from records.
 *
 * Each transaction of a client has a tag. Whatever happens:
 *  1. What ends a transaction of version 2 was sent in that transaction: no
 *     late or repeated request touches a newer one.
 *  2. All batches between two markers of a producer have one tag (version 2).
 *  3. A tag that was answered "committed" is visible as a whole, one that was
 *     not ended by a commit is not visible at all.
 *  4. The last stable offset never goes back, and is the end once all
 *     timeouts have passed.
 *  5. Nothing is left over then: no pending offset, no open transaction.
 *
 * In version 1 a late end may hit the next transaction, as in Kafka: there
 * requests of a producer come in order, if they come.
 */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "../base/seed.h"
#include "base/alloc.h"
#include "base/check.h"
#include "partition/producer.h"
#include "partition/stable.h"
#include "txn/txns.h"

enum {
    ROUNDS = 150,
    STEPS = 1500,
    IDS = 3,
    CLIENTS = 6,                 /* two of each id: one is a zombie soon */
    PARTITIONS = 3,
    ENTRIES = 4096,
    TAGS = 2048,
    MESSAGES = 64,
    TIMEOUT = 1000,
};

enum kind { INIT, ADD, PRODUCE, OFFSET, END };

struct message {
    enum kind kind;
    int client;
    int64_t due, pid;
    int16_t epoch;
    int tag, partition, copies;
    int32_t seq;
    uint64_t turn;               /* of the client: is it still waiting? */
    bool commit;
};

struct client {
    int id, version, tag;        /* tag 0: no transaction */
    int64_t pid;
    int16_t epoch;
    int32_t seq[PARTITIONS];
    bool added[PARTITIONS], waits, ending, commit;
    bool dead;                   /* an error: may abort, must begin anew */
    int unsure;                  /* 1 + partition of a batch that may be
                                    there: it is sent again, or given up */
    uint64_t turn;
};

struct entry {
    int64_t pid;
    int tag;                     /* 0: a marker */
};

struct log {
    struct entry entries[ENTRIES];
    int64_t end, lso;
    struct producers producers;
    struct stable *stable;
};

struct tag {
    bool committed, aborted, told;
    int acked[PARTITIONS];       /* batches */
};

struct sim {
    struct txns ts;
    struct txn_effects fx;
    int64_t now, next_id;
    struct client clients[CLIENTS];
    struct message net[MESSAGES];
    size_t in_net;
    struct log logs[PARTITIONS];
    struct tag tags[TAGS];
    int next_tag;
};

static const char *const names[IDS] = {"x", "y", "z"};

static int64_t
new_id(void *arg)
{
    struct sim *s = arg;

    return s->next_id++;
}

static struct txn_caller
caller(const struct sim *s, const struct message *m)
{
    const struct client *c = &s->clients[m->client];

    return (struct txn_caller){.id = span_str(names[c->id]),
        .producer_id = m->pid, .producer_epoch = m->epoch,
        .v2 = c->version == 2};
}

static struct txn_part
part_of(int partition)
{
    return (struct txn_part){.kind = TXN_PARTITION,
        .topic_id = {.bytes = {1}}, .partition = partition};
}

/* ---- logs ---- */

static void
log_check(struct log *l)
{
    int64_t lso = stable_linked(l->stable, l->end);

    assert_true(lso >= l->lso);
    l->lso = lso;
    stable_check(l->stable);
}

static void
log_batch(struct log *l, struct batch *b, int tag)
{
    const struct producer *old = producers_get(&l->producers, b->producer_id);
    bool open = old != NULL && old->txn_first >= 0;

    assert_true(l->end < ENTRIES);
    b->base_offset = l->end;
    l->entries[l->end++] = (struct entry){b->producer_id, tag};
    producers_apply(&l->producers, b, 0);
    if (!open)
        stable_begin(l->stable, b->producer_id, b->base_offset);
    log_check(l);
}

/* The tag of what the marker ends here; 0: nothing. */
static int
log_marker(struct sim *s, struct log *l, const struct txn_effects *fx,
    bool strict)
{
    struct producer *one = producers_get(&l->producers, fx->marker_id);
    struct stable_aborted a;
    int tag = 0;

    (void)s;
    if (one == NULL || one->txn_first < 0)
        return 0;
    for (int64_t i = one->txn_first; i < l->end; i++)
        if (l->entries[i].pid == fx->marker_id) {
            assert_true(tag == 0 || !strict || tag == l->entries[i].tag);
            tag = l->entries[i].tag;
        }
    assert_true(l->end < ENTRIES);
    l->entries[l->end].pid = fx->marker_id;
    l->entries[l->end++].tag = 0;
    assert_ptr_equal(producers_end(&l->producers, fx->marker_id,
        fx->marker_epoch, 0), one);
    assert_int_equal(stable_end(l->stable, fx->marker_id, l->end - 1,
        fx->committed, 2, 1, &a), !fx->committed);
    log_check(l);
    return tag;
}

/* What a step gave is done, all at once. `tag`: of who asked; -1: nobody. */
static void
done(struct sim *s, int tag, int version)
{
    const struct txn_effects *fx = &s->fx;
    const struct txn_part *p;

    txns_check_all(&s->ts);
    for (size_t i = 0;
         fx->ended && (p = txn_held_next(fx->held, &i)) != NULL;) {
        int of = p->kind != TXN_PARTITION ? 0 : log_marker(s,
            &s->logs[p->partition], fx, version == 2);

        if (of == 0)
            continue;
        assert_true(tag < 0 || of == tag);
        assert_true(fx->committed ? !s->tags[of].aborted
                                  : !s->tags[of].committed);
        s->tags[of].committed |= fx->committed;
        s->tags[of].aborted |= !fx->committed;
    }
}

static int
version_of(const struct sim *s, const struct txn *t)
{
    for (int i = 0; i < CLIENTS; i++)
        if (span_eq(txn_id(t), span_str(names[s->clients[i].id])))
            return s->clients[i].version;
    return 1;
}

/* ---- the broker ---- */

static enum kerr
serve_produce(struct sim *s, const struct message *m)
{
    struct log *l = &s->logs[m->partition];
    struct txn_caller c = caller(s, m);
    struct txn_part part = part_of(m->partition);
    struct batch b = {.producer_id = m->pid, .producer_epoch = m->epoch,
        .base_sequence = m->seq, .attributes = BATCH_TRANSACTIONAL,
        .record_count = 1};
    struct producer_batch known;
    struct txn *t;
    enum kerr error;

    switch (producers_check(&l->producers, &b, &known, &error)) {
    case PRODUCER_DUPLICATE:
        return KERR_NONE;
    case PRODUCER_REFUSED:
        return error;
    case PRODUCER_NEXT:
        break;
    }
    if (c.v2 && m->seq != 0 && producers_get(&l->producers, m->pid) == NULL)
        return KERR_OUT_OF_ORDER_SEQUENCE_NUMBER;
    error = txns_check(&s->ts, &c, &t);
    if (error == KERR_NONE && !c.v2 && !txn_holds(t, &part))
        return KERR_INVALID_TXN_STATE;
    if (error == KERR_NONE && c.v2) {
        txns_add(&s->ts, &c, &part, 1, s->now, s->now, &s->fx);
        error = s->fx.error;
    }
    if (error == KERR_NONE)
        log_batch(l, &b, m->tag);
    return error;
}

static enum kerr
serve_offset(struct sim *s, const struct message *m)
{
    struct txn_caller c = caller(s, m);
    struct txn_part parts[] = {{.kind = TXN_GROUP, .group = span_str("g")},
        {.kind = TXN_OFFSET, .group = span_str("g"), .topic = span_str("t"),
            .partition = m->partition, .offset = m->tag,
            .metadata = span_str("m")}};

    txns_add(&s->ts, &c, parts, 2, s->now, s->now, &s->fx);
    return s->fx.error;
}

static enum kerr
serve(struct sim *s, const struct message *m)
{
    struct txn_caller c = caller(s, m);
    struct txn_part part = part_of(m->partition);
    int version = c.v2 ? 2 : 1;

    txn_effects_clear(&s->fx, &s->ts);
    switch (m->kind) {
    case INIT:
        txns_init_producer(&s->ts, &c, TIMEOUT, s->now, &s->fx);
        done(s, -1, version);
        return s->fx.error;
    case ADD:
        txns_add(&s->ts, &c, &part, 1, s->now, s->now, &s->fx);
        return s->fx.error;
    case PRODUCE:
        return serve_produce(s, m);
    case OFFSET:
        return serve_offset(s, m);
    case END:
        txns_end(&s->ts, &c, m->commit, s->now, &s->fx);
        assert_true(!s->fx.ended || s->fx.committed == m->commit);
        done(s, version == 2 ? m->tag : -1, version);
        return s->fx.error;
    }
    return KERR_NONE;
}

static void
timeouts(struct sim *s)
{
    struct txn *t;

    while ((t = txns_due(&s->ts, s->now)) != NULL) {
        txn_effects_clear(&s->fx, &s->ts);
        txns_abort(&s->ts, t, s->now, &s->fx);
        done(s, -1, version_of(s, t));
    }
}

/* From what is persisted: images, parts, and logs replayed. */
static void
restart(struct sim *s)
{
    struct txns old = s->ts;
    const struct txn_part *p;
    struct txn_image im;
    struct txn *t;
    struct err err;

    txn_effects_clear(&s->fx, &s->ts);
    txns_init(&s->ts, &old.config);
    s->ts.epoch_last = old.epoch_last;
    for (size_t i = 0; (t = txns_next(&old, &i)) != NULL;) {
        txn_image(t, &im);
        assert_int_equal(txns_restore(&s->ts, txn_id(t), &im, s->now, &err),
            0);
        for (size_t k = 0; txn_held(t) != NULL
                 && (p = txn_held_next(txn_held(t), &k)) != NULL;)
            assert_int_equal(txns_restore_part(&s->ts, txn_id(t), p, &err),
                0);
    }
    txns_check_all(&s->ts);
    assert_int_equal(s->ts.bytes, old.bytes);
    assert_int_equal(s->ts.pending.count, old.pending.count);
    txns_release(&old);
}

/* ---- clients ---- */

static void
send(struct sim *s, int client, struct message m)
{
    struct client *c = &s->clients[client];

    if (s->in_net == MESSAGES)
        return;
    m.client = client;
    m.pid = m.kind == INIT && seed_below(2) == 0 ? -1 : c->pid;
    m.epoch = m.pid < 0 ? -1 : c->epoch;
    m.tag = c->tag;
    m.turn = ++c->turn;
    m.copies = c->version == 1 || seed_below(3) > 0 ? 1
        : 1 + (int)seed_below(3);
    m.due = s->now + (c->version == 1 ? 1 : (int64_t)seed_below(30));
    c->waits = true;
    s->net[s->in_net++] = m;
}

static void
client_step(struct sim *s, int i)
{
    struct client *c = &s->clients[i];
    int partition = c->unsure > 0 ? c->unsure - 1
                                  : (int)seed_below(PARTITIONS);

    c->dead |= c->unsure > 0 && seed_below(10) == 0;
    if (c->pid < 0 || (c->dead && (c->tag == 0 || seed_below(4) == 0))) {
        send(s, i, (struct message){.kind = INIT});
        return;
    }
    if (c->tag == 0) {
        if (s->next_tag == TAGS)
            return;
        c->tag = s->next_tag++;
        c->ending = false;
        memset(c->added, 0, sizeof c->added);
    }
    if (c->ending || c->dead || (c->unsure == 0 && seed_below(5) == 0)) {
        if (!c->ending)
            c->commit = !c->dead && seed_below(3) > 0;
        c->ending = true;
        send(s, i, (struct message){.kind = END, .commit = c->commit});
    } else if (c->version == 1 && !c->added[partition]) {
        send(s, i, (struct message){.kind = ADD, .partition = partition});
    } else if (c->unsure == 0 && seed_below(6) == 0) {
        send(s, i, (struct message){.kind = OFFSET, .partition = partition});
    } else {
        send(s, i, (struct message){.kind = PRODUCE, .partition = partition,
            .seq = c->seq[partition]});
        c->unsure = 1 + partition;
    }
}

static void
client_renew(struct client *c, const struct sim *s)
{
    c->pid = s->fx.producer_id;
    c->epoch = s->fx.producer_epoch;
    memset(c->seq, 0, sizeof c->seq);
    c->unsure = 0;
    c->dead = false;
}

/* The answer arrives; others than the one waited for are not read. */
static void
client_answer(struct sim *s, const struct message *m, enum kerr error)
{
    struct client *c = &s->clients[m->client];

    if (m->turn != c->turn || !c->waits)
        return;
    c->waits = false;
    if (error != KERR_NONE) {
        c->dead = true;          /* may abort, and begin anew */
        return;
    }
    if (m->kind == INIT) {
        client_renew(c, s);
        c->tag = 0;
    } else if (m->kind == ADD) {
        c->added[m->partition] = true;
    } else if (m->kind == PRODUCE) {
        s->tags[m->tag].acked[m->partition]++;
        c->unsure = 0;
        c->seq[m->partition] = sequence_add(m->seq, 1);
    } else if (m->kind == END) {
        if (m->commit)
            s->tags[m->tag].told = true;
        if (c->version == 2)
            client_renew(c, s);
        c->tag = 0;
    }
}

static void
deliver(struct sim *s)
{
    for (size_t i = 0; i < s->in_net;) {
        struct message *m = &s->net[i], copy = *m;
        enum kerr error;

        if (m->due > s->now) {
            i++;
            continue;
        }
        if (--m->copies == 0)
            *m = s->net[--s->in_net];
        else
            m->due = s->now + (int64_t)seed_below(200);
        if (seed_below(20) == 0 && s->clients[copy.client].version == 1) {
            s->clients[copy.client].waits = false;   /* never came */
            continue;
        }
        error = serve(s, &copy);
        if (seed_below(20) == 0)
            continue;            /* the answer got lost */
        client_answer(s, &copy, error);
    }
}

/* ---- what must hold at the end ---- */

static void
check_log(struct sim *s, struct log *l, int partition)
{
    int seen[TAGS] = {0};

    assert_int_equal(stable_linked(l->stable, l->end), l->end);
    for (int64_t i = 0; i < l->end; i++) {
        const struct entry *e = &l->entries[i];

        if (e->tag == 0)
            continue;
        if (stable_is_aborted(l->stable, e->pid, i)) {
            assert_false(s->tags[e->tag].committed);
            continue;
        }
        assert_true(s->tags[e->tag].committed);
        seen[e->tag]++;
    }
    for (int tag = 1; tag < s->next_tag; tag++)
        if (s->tags[tag].told && s->tags[tag].committed)
            assert_true(seen[tag] >= s->tags[tag].acked[partition]);
}

static void
check_all(struct sim *s)
{
    s->now += 10 * TIMEOUT;
    s->in_net = 0;
    timeouts(s);
    txns_check_all(&s->ts);
    assert_int_equal(s->ts.open_count, 0);
    assert_int_equal(s->ts.pending.count, 0);
    assert_int_equal(s->ts.bytes, 0);
    for (int i = 0; i < PARTITIONS; i++)
        check_log(s, &s->logs[i], i);
    for (int tag = 1; tag < s->next_tag; tag++) {
        int acked = 0;

        for (int i = 0; i < PARTITIONS; i++)
            acked += s->tags[tag].acked[i];
        assert_false(s->tags[tag].committed && s->tags[tag].aborted);
        if (s->tags[tag].told && acked > 0)
            assert_true(s->tags[tag].committed);
    }
}

static void
sim_init(struct sim *s)
{
    struct txns_config c;

    memset(s, 0, sizeof *s);
    txns_config_init(&c);
    c.new_id = new_id;
    c.arg = s;
    txns_init(&s->ts, &c);
    s->ts.epoch_last = (int16_t)(3 + seed_below(30));
    txn_effects_init(&s->fx);
    s->next_tag = 1;
    for (int i = 0; i < CLIENTS; i++)
        s->clients[i] = (struct client){.id = i % IDS, .pid = -1,
            .version = i % IDS == 0 ? 1 : 2};
    for (int i = 0; i < PARTITIONS; i++) {
        producers_init(&s->logs[i].producers);
        s->logs[i].stable = stable_new();
    }
}

static void
sim_release(struct sim *s)
{
    txn_effects_release(&s->fx, &s->ts);
    txns_release(&s->ts);
    for (int i = 0; i < PARTITIONS; i++) {
        producers_release(&s->logs[i].producers);
        stable_free(s->logs[i].stable);
    }
}

static void
test_random_networks(void **state)
{
    struct sim *s = xcalloc(1, sizeof *s);
    int committed = 0, aborted = 0, overflows = 0;

    (void)state;
    seed_begin("sim");
    for (int round = 0; round < ROUNDS; round++) {
        sim_init(s);
        for (int step = 0; step < STEPS; step++) {
            int i = (int)seed_below(CLIENTS);

            s->now += (int64_t)seed_below(8);
            /* An answer that does not come is asked for again, later. */
            if (s->clients[i].waits && seed_below(20) == 0)
                s->clients[i].waits = false;
            if (!s->clients[i].waits)
                client_step(s, i);
            deliver(s);
            if (seed_below(500) == 0)
                s->now += TIMEOUT;
            timeouts(s);
            if (seed_below(300) == 0)
                restart(s);
        }
        check_all(s);
        for (int tag = 1; tag < s->next_tag; tag++) {
            committed += s->tags[tag].committed;
            aborted += s->tags[tag].aborted;
        }
        overflows += (int)s->next_id - IDS;
        sim_release(s);
    }
    printf("# committed %d, aborted %d, producer ids used up %d\n", committed,
        aborted, overflows);
    assert_true(committed > 1000 && aborted > 1000 && overflows > 50);
    free(s);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random_networks),
    };

    return cmocka_run_group_tests_name("sim", tests, NULL, NULL);
}
