/* check_journal.c: the frames after P, against records and logs. */
#include "config.h"

#include "offline/check_priv.h"

#include <inttypes.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/endian.h"
#include "base/limits.h"
#include "epoch/frame.h"
#include "epoch/overlay.h"
#include "proto/store.pb-c.h"
#include "record/batch.h"
#include "offline/survey.h"

/* What a frame says of a log or a store, kept until all records are known. */
enum event_kind { EVENT_BATCH, EVENT_TRIM, EVENT_BLOCK };

struct event {
    enum event_kind kind;
    uint32_t file;               /* of the frame */
    uint64_t pos, epoch;
    struct uuid topic;
    int32_t partition;
    int64_t base, last;          /* TRIM: the new start is base */
    int32_t leader_epoch;
    uint32_t store;
};

struct frames {
    struct check *c;
    struct journal *journal;
    struct event *events;
    size_t count, cap;
    struct omap dropped;         /* topic ids */
    int64_t clock_ms;
    struct frame_header last;
};

static struct event *
event_add(struct frames *g, enum event_kind kind, uint64_t epoch)
{
    struct event *e;

    if (g->count == g->cap) {
        g->cap = g->cap == 0 ? 256 : g->cap * 2;
        g->events = xrealloc(g->events, g->cap * sizeof *g->events);
    }
    e = &g->events[g->count++];
    *e = (struct event){.kind = kind, .epoch = epoch};
    journal_walked(g->journal, &e->file, &e->pos);
    return e;
}

static void __attribute__((format(printf, 4, 5)))
frame_finding(struct check *c, uint32_t file, uint64_t pos, const char *fmt,
    ...)
{
    char name[40], text[400];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    snprintf(name, sizeof name, "journal/%08x.journal", file);
    finding_add(c->f, FINDING_DAMAGE, name, (int64_t)pos, CHECK_SALVAGE,
        "%s", text);
}

/* ---- reading the frames ---- */

static void
frame_batches(struct frames *g, const Store__Manifest *m, uint64_t epoch,
    struct span *rest)
{
    for (size_t i = 0; i < m->n_batches; i++) {
        const Store__BatchRef *ref = m->batches[i];
        struct event *e = event_add(g, EVENT_BATCH, epoch);
        struct span bytes = span_of(rest->ptr, ref->length);
        struct batch b;

        memcpy(e->topic.bytes, ref->topic_id.data, 16);
        e->partition = (int32_t)ref->partition;
        if (batch_parse(bytes, &b) == BATCH_OK) {
            e->base = b.base_offset;
            e->last = batch_last_offset(&b);
            e->leader_epoch = b.leader_epoch;
        }
        if (g->c->o->deep) {
            char name[40];

            snprintf(name, sizeof name, "journal/%08x.journal", e->file);
            check_batch_records(g->c, bytes, name, (int64_t)e->pos);
        }
        rest->ptr += ref->length;
        rest->len -= ref->length;
    }
}

static void
frame_blocks(struct frames *g, const Store__Manifest *m, uint64_t epoch,
    struct span *rest)
{
    for (size_t i = 0; i < m->n_blocks; i++) {
        const Store__StateBlock *ref = m->blocks[i];
        struct event *e = event_add(g, EVENT_BLOCK, epoch);
        struct span block = span_of(rest->ptr, ref->length), key, value;
        int rc;

        e->store = ref->store;
        e->partition = (int32_t)ref->partition;
        while ((rc = block_next(&block, &key, &value)) == 1)
            ;
        if (rc < 0)
            frame_finding(g->c, e->file, e->pos, "block %zu of epoch %" PRIu64
                " is no block", i, epoch);
        rest->ptr += ref->length;
        rest->len -= ref->length;
    }
}

static void
frame_ops(struct frames *g, const Store__Manifest *m, uint64_t epoch)
{
    for (size_t i = 0; i < m->n_ops; i++) {
        const Store__Op *op = m->ops[i];

        if (op->topic_id.len != 16)
            continue;
        if (op->kind == STORE__OP_KIND__OP_TRIM) {
            struct event *e = event_add(g, EVENT_TRIM, epoch);

            memcpy(e->topic.bytes, op->topic_id.data, 16);
            e->partition = (int32_t)op->partition;
            e->base = op->offset;
        } else if (op->kind == STORE__OP_KIND__OP_DROP_TOPIC)
            *omap_slot(&g->dropped, span_of(op->topic_id.data, 16)) = g;
    }
}

static int
frame_read(void *arg, const struct frame_header *h, struct span frame,
    struct err *err)
{
    struct frames *g = arg;
    struct span rest = span_of(frame.ptr + FRAME_HEADER + h->manifest_length,
        frame.len - FRAME_HEADER - h->manifest_length);
    Store__Manifest *m = store__manifest__unpack(NULL, h->manifest_length,
        frame.ptr + FRAME_HEADER);
    uint32_t file;
    uint64_t pos;

    journal_walked(g->journal, &file, &pos);
    g->c->frames++;
    g->last = *h;
    frame_batches(g, m, h->epoch, &rest);
    frame_blocks(g, m, h->epoch, &rest);
    frame_ops(g, m, h->epoch);
    if (m->clock_ms < g->clock_ms)
        frame_finding(g->c, file, pos, "the clock of epoch %" PRIu64
            " goes back", h->epoch);
    else
        g->clock_ms = m->clock_ms;
    store__manifest__free_unpacked(m, NULL);
    return records_apply(&g->c->folder.records, h, frame, err);
}

/* The frame after the last good one, with a good header and a payload that
 * is not all there. */
static void
torn_end(struct check *c, const struct survey *s,
    const struct frame_header *last)
{
    for (size_t i = 0; i < s->count; i++) {
        const struct survey_frame *f = &s->frames[i];
        char name[40];

        if (f->whole || f->h.epoch <= last->epoch
            || f->h.before != last->check)
            continue;
        finding_add(c->f, FINDING_NOTE, survey_file(f, name),
            (int64_t)f->pos, "if there was no power cut, treat it as damage",
            "the last frame, epoch %" PRIu64 ", is not whole: usual after a "
            "power cut, it was never acknowledged then", f->h.epoch);
    }
}

static int
journal_survey(struct check *c, struct survey *s, struct err *err)
{
    char path[DATADIR_PATH];

    if (survey_open(s, c->folder.world,
            datadir_sub(c->folder.dir, "journal", path), err) == 0)
        return 0;
    finding_add(c->f, FINDING_DAMAGE, "journal", FINDING_NOWHERE,
        CHECK_RESTORE, "%s", err->text);
    survey_release(s);
    return -1;
}

/* The frames in their chain, as recovery will read them. */
static void
journal_chain(struct check *c)
{
    struct journal_options jo = {.readonly = true};
    struct frames *g = c->journal;
    char path[DATADIR_PATH], name[40];
    struct err err = {0};
    uint32_t file;
    uint64_t pos;
    int rc;

    if (journal_open(&g->journal, c->folder.world,
            datadir_sub(c->folder.dir, "journal", path), &jo, &err) < 0) {
        finding_add(c->f, FINDING_DAMAGE, "journal", FINDING_NOWHERE,
            CHECK_RESTORE, "%s", err.text);
        return;
    }
    g->last.epoch = c->at.cursor.epoch;
    g->last.check = c->at.cursor.check;
    g->clock_ms = c->at.clock_ms;
    records_know(&c->folder.records, g->journal);
    if (records_expect(&c->folder.records, g->journal, &err) < 0)
        finding_add(c->f, FINDING_DAMAGE, "journal", FINDING_NOWHERE,
            "serve refuses to start without it", "%s", err.text);
    rc = journal_walk(g->journal, &c->at.cursor, frame_read, g, &err);
    journal_walked(g->journal, &file, &pos);
    snprintf(name, sizeof name, "journal/%08x.journal", file);
    c->journal_whole = rc == 0;
    if (rc < 0 && c->loose && err.code == ERR_DAMAGE && c->frames > 0)
        finding_add(c->f, FINDING_NOTE, name, (int64_t)pos, "serve goes on "
            "without the rest and raises leader epochs", "%s", err.text);
    else if (rc < 0)
        frame_finding(c, file, pos, "%s", err.text);
    journal_close(g->journal);
    g->journal = NULL;
}

int
check_journal(struct check *c, struct err *err)
{
    struct survey s;
    struct err why = {0};

    c->journal = xcalloc(1, sizeof *c->journal);
    c->journal->c = c;
    omap_init(&c->journal->dropped);
    if (journal_survey(c, &s, &why) < 0)
        return 0;
    if (c->whole) {
        journal_chain(c);
        if (c->journal_whole)
            torn_end(c, &s, &c->journal->last);
    }
    survey_release(&s);
    return 0;
}

/* ---- against records and logs ---- */

static void
event_batch(struct check *c, const struct event *e)
{
    struct check_topic *t = check_topic_get(c, &e->topic);
    struct check_log *l;
    char name[40];

    if (t == NULL) {
        char hex[UUID_HEX];

        if (omap_get(&c->journal->dropped, span_of(e->topic.bytes, 16)) == NULL
            && c->journal_whole)
            frame_finding(c, e->file, e->pos, "epoch %" PRIu64 " has records "
                "of topic %s, which no record names", e->epoch,
                uuid_hex(&e->topic, hex));
        return;
    }
    l = check_log_get(c, &e->topic, e->partition);
    if ((uint32_t)e->partition >= t->partitions)
        frame_finding(c, e->file, e->pos, "epoch %" PRIu64 " has records of "
            "partition %d of topic '%s', which has %u", e->epoch,
            e->partition, t->name, t->partitions);
    else if (e->base != l->end)
        frame_finding(c, e->file, e->pos, "epoch %" PRIu64 " goes on at "
            "offset %" PRId64 " of topic '%s' partition %d, but its log ends "
            "at %" PRId64, e->epoch, e->base, t->name, e->partition, l->end);
    l->end = e->last + 1;
    snprintf(name, sizeof name, "journal/%08x.journal", e->file);
    check_leader_epoch(c, l, name, (int64_t)e->pos, e->base, e->leader_epoch);
}

static void
event_trim(struct check *c, const struct event *e)
{
    struct check_topic *t = check_topic_get(c, &e->topic);
    struct check_log *l;

    if (t == NULL)
        return;
    l = check_log_get(c, &e->topic, e->partition);
    if (e->base > l->end)
        frame_finding(c, e->file, e->pos, "epoch %" PRIu64 " deletes the "
            "records of topic '%s' partition %d below %" PRId64 ", but its "
            "log ends at %" PRId64, e->epoch, t->name, e->partition, e->base,
            l->end);
    else if (e->base > l->start)
        l->start = e->base;
}

static void
event_block(struct check *c, const struct event *e)
{
    uint8_t number[4];
    void *partitions;

    put_be32(number, e->store);
    partitions = omap_get(&c->stores, span_of(number, 4));
    if (partitions == NULL)
        frame_finding(c, e->file, e->pos, "epoch %" PRIu64 " writes to store "
            "%u, which no record names", e->epoch, e->store);
    else if ((uint32_t)e->partition >= (uintptr_t)partitions - 1)
        frame_finding(c, e->file, e->pos, "epoch %" PRIu64 " writes to "
            "partition %d of store %u, which has %zu", e->epoch,
            e->partition, e->store, (size_t)((uintptr_t)partitions - 1));
}

/* Segments are written from committed frames only: what they hold behind
 * the journal's end was committed once. */
static int
log_ahead(struct check *c, struct check_log *l, struct err *err)
{
    char path[DATADIR_PATH], file[DATADIR_PATH];
    const struct plog_segment *g;
    struct plog_state st;

    datadir_partition(c->folder.dir, &l->id, l->partition, path);
    if (access(path, F_OK) != 0)
        return 0;
    if (plog_salvage_scan(c->folder.world, path, l->end, &st, NULL, NULL, err)
        < 0)
        return -1;
    if (st.segment_count > 0 && st.written > l->end
        && st.segments[0].base_offset <= l->end) {
        g = &st.segments[st.segment_count - 1];
        log_path(&l->id, l->partition,
            &(struct plog_name){g->base_offset, g->epoch}, ".log", file);
        finding_add(c->f, c->loose ? FINDING_NOTE : FINDING_DAMAGE, file,
            FINDING_NOWHERE, "penstock salvage can keep them; serve will "
            "cut them off",
            "it has records up to offset %" PRId64 ", but journal and LMDB "
            "end at %" PRId64 ": frames at the journal's end are lost",
            st.written - 1, l->end);
    }
    plog_state_release(&st);
    return 0;
}

int
check_frames(struct check *c, struct err *err)
{
    struct frames *g = c->journal;
    struct omap_iter it;
    struct span key;
    void *l;

    for (size_t i = 0; i < g->count; i++) {
        switch (g->events[i].kind) {
        case EVENT_BATCH:
            event_batch(c, &g->events[i]);
            break;
        case EVENT_TRIM:
            event_trim(c, &g->events[i]);
            break;
        case EVENT_BLOCK:
            event_block(c, &g->events[i]);
            break;
        }
    }
    omap_seek(&c->logs, SPAN_NULL, &it);
    while (c->journal_whole && omap_next(&it, &key, &l))
        if (check_topic_get(c, &((struct check_log *)l)->id) != NULL
            && log_ahead(c, l, err) < 0)
            return -1;
    return 0;
}

void
check_journal_release(struct check *c)
{
    if (c->journal == NULL)
        return;
    free(c->journal->events);
    omap_release(&c->journal->dropped, NULL, NULL);
    free(c->journal);
    c->journal = NULL;
}
