/* kit.c: a small data folder. */
#include "config.h"

#include "kit.h"

#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/check.h"
#include "base/crc32c.h"
#include "base/endian.h"
#include "base/limits.h"
#include "base/table.h"
#include "epoch/snapshot.h"
#include "offline/check.h"
#include "offline/salvage.h"
#include "proto/store.pb-c.h"
#include "record/batch.h"

const struct uuid kit_topics[2] = {{{1, 2, 3}}, {{9, 8, 7}}};

const struct uuid *
kit_topic(int log)
{
    return &kit_topics[log / 3];
}

int32_t
kit_partition(int log)
{
    return log % 3;
}

int
kit_setup(void **state)
{
    struct kit *k = xcalloc(1, sizeof *k);

    snprintf(k->root, sizeof k->root, "offline-test.XXXXXX");
    assert_non_null(mkdtemp(k->root));
    snprintf(k->dir, sizeof k->dir, "%s/data", k->root);
    *state = k;
    return 0;
}

int
kit_teardown(void **state)
{
    struct kit *k = *state;

    if (k->seq != NULL)
        kit_close(k);
    kit_remove(k->root);
    free(k);
    return 0;
}

/* ---- the sequencer ---- */

static void
kit_try_open(struct kit *k, const char *dir)
{
    static const struct plog_config config = {.segment_bytes = 2048,
        .index_interval = 512};
    struct seq_options o = {.dir = dir, .world = world_real(),
        .durability = DURABILITY_POWER, .threads = false, .disk_floor = 1,
        .ballast = 4096, .journal_first = 1 * MIB};
    struct err err = {0};

    if (seq_open(&k->seq, &o, &err) < 0)
        fail_msg("%s", err.text);
    for (int i = 0; i < KIT_LOGS; i++) {
        k->tail[i] = seq_tail(k->seq, kit_topic(i), kit_partition(i), 0,
            &config, &err);
        if (k->tail[i] == NULL)
            fail_msg("%s", err.text);
    }
}

void
kit_open(struct kit *k, const char *dir)
{
    struct err err = {0};

    kit_try_open(k, dir);
    if (seq_start(k->seq, NULL, NULL, &err) < 0)
        fail_msg("%s", err.text);
}

void
kit_close(struct kit *k)
{
    for (int i = 0; i < KIT_LOGS; i++)
        tail_unref(k->tail[i]);
    seq_close(k->seq);
    k->seq = NULL;
}

static void
drop(const uint8_t *bytes)
{
    union {
        const uint8_t *from;
        void *to;
    } u = {.from = bytes};

    free(u.to);
}

static void
effect_freed(struct effect *e)
{
    effect_unref_tails(e);
    for (uint32_t i = 0; i < e->n_ops; i++) {
        drop(e->op[i].key.ptr);
        drop(e->op[i].value.ptr);
    }
    for (uint32_t i = 0; i < e->n_blocks; i++)
        drop(e->blocks[i].bytes.ptr);
    free(e->batches);
    free(e->op);
    free(e->blocks);
    free(e);
}

static const struct effect_ops ops = {NULL, NULL, effect_freed};

static struct effect *
effect_make(void)
{
    struct effect *e = xcalloc(1, sizeof *e);

    e->magic = EFFECT_MAGIC;
    e->ops = &ops;
    return e;
}

static void
effect_link(struct kit *k, struct effect *e)
{
    e->reserved = effect_cost(e);
    while (!seq_reserve(k->seq, e->reserved)) {
        seq_turn(k->seq);
        seq_keep(k->seq, true);
    }
    seq_link(k->seq, e);
}

void
kit_append(struct kit *k, int log, const char *text, int records,
    bool producer)
{
    struct batch_build how = BATCH_BUILD_PLAIN;
    struct effect *e = effect_make();
    struct batch_builder bb;
    struct batch head;
    struct chunk *c;
    struct buf b;

    if (producer) {
        how.producer_id = 7;
        how.producer_epoch = 0;
        how.base_sequence = k->seqs[log];
        k->seqs[log] += records;
    }
    buf_init(&b, 1 * MIB);
    batch_builder_init(&bb, &b);
    for (int i = 0; i < records; i++)
        batch_builder_add(&bb, 1000 + i, span_str("key"), span_str(text),
            NULL, 0);
    assert_int_equal(batch_builder_end(&bb, &how, NULL), 0);
    assert_int_equal(batch_parse(buf_span(&b), &head), BATCH_OK);
    c = chunk_new(b.len);
    memcpy(c->data, b.ptr, b.len);
    e->batches = xcalloc(1, sizeof *e->batches);
    e->n_batches = 1;
    e->batches[0] = (struct effect_batch){.tail = tail_ref(k->tail[log]),
        .crc = head.crc,
        .batch = {.chunk = c, .bytes = c->data, .size = (uint32_t)b.len,
            .last = records - 1, .max_timestamp = head.max_timestamp}};
    buf_release(&b);
    effect_link(k, e);
}

void
kit_put(struct kit *k, struct span key, struct span value, bool quiet)
{
    struct effect *e = effect_make();

    e->op = xcalloc(1, sizeof *e->op);
    e->n_ops = 1;
    e->op[0] = (struct effect_op){.kind = EFFECT_PUT, .quiet = quiet,
        .key = span_of(xmemdup(key.ptr, key.len), key.len),
        .value = span_of(xmemdup(value.ptr, value.len + 1), value.len)};
    effect_link(k, e);
}

void
kit_trim(struct kit *k, int log, int64_t offset)
{
    struct effect *e = effect_make();

    e->op = xcalloc(1, sizeof *e->op);
    e->n_ops = 1;
    e->op[0] = (struct effect_op){.kind = EFFECT_TRIM,
        .tail = tail_ref(k->tail[log]), .offset = offset,
        .topic_id = *kit_topic(log)};
    effect_link(k, e);
}

void
kit_state(struct kit *k, const char *key, const char *value)
{
    struct shelf *s = state_shelf(seq_state(k->seq), KIT_STORE, 0);
    struct effect *e = effect_make();
    struct buf b;

    buf_init(&b, 1 * MIB);
    block_put(&b, span_str(key),
        value == NULL ? SPAN_NULL : span_str(value));
    k->run++;
    assert_int_equal(shelf_apply(s, buf_span(&b), k->run), 0);
    e->blocks = xcalloc(1, sizeof *e->blocks);
    e->n_blocks = 1;
    e->blocks[0] = (struct effect_block){.shelf = s, .run = k->run,
        .crc = crc32c(0, b.ptr, b.len)};
    e->blocks[0].bytes.ptr = buf_take(&b, &e->blocks[0].bytes.len);
    effect_link(k, e);
}

/* ---- content ---- */

static void
put_message(struct kit *k, const void *key, size_t n,
    const ProtobufCMessage *m, bool quiet)
{
    uint8_t out[4096];
    size_t len = protobuf_c_message_get_packed_size(m);

    assert_true(len < sizeof out);
    protobuf_c_message_pack(m, out);
    kit_put(k, span_of(key, n), span_of(out, len), quiet);
}

static void
put_topic(struct kit *k, int topic, const char *name, uint32_t partitions)
{
    Store__Topic m = STORE__TOPIC__INIT;
    char copy[32];
    uint8_t key[17] = {META_TOPIC};

    snprintf(copy, sizeof copy, "%s", name);
    memcpy(key + 1, kit_topics[topic].bytes, 16);
    m.name = copy;
    m.partitions = partitions;
    put_message(k, key, sizeof key, &m.base, false);
}

static void
put_task(struct kit *k)
{
    Store__Task m = STORE__TASK__INIT;
    Store__TaskInput in = STORE__TASK_INPUT__INIT, *list[1] = {&in};
    uint8_t id[16];

    memcpy(id, kit_topics[0].bytes, 16);
    in.topic_id.data = id;
    in.topic_id.len = 16;
    in.offset = atomic_load(&k->tail[0]->end);
    m.inputs = list;
    m.n_inputs = 1;
    m.run = k->run;
    put_message(k, "Kshop\0stock", 11, &m.base, false);
}

/* The producer's window, as the partition would tell it. */
static void
put_producer(struct kit *k, int log, int64_t base, int32_t seq, int records)
{
    Store__Producer m = STORE__PRODUCER__INIT;
    Store__ProducerBatch b = STORE__PRODUCER_BATCH__INIT, *list[1] = {&b};
    uint8_t key[29] = {META_PRODUCER};

    memcpy(key + 1, kit_topic(log)->bytes, 16);
    put_be32(key + 17, (uint32_t)kit_partition(log));
    put_be64(key + 21, 7);
    b.first_seq = seq;
    b.last_seq = seq + records - 1;
    b.base_offset = base;
    b.last_offset = base + records - 1;
    m.window = list;
    m.n_window = 1;
    put_message(k, key, sizeof key, &m.base, true);
}

void
kit_records(struct kit *k)
{
    Store__Store s = STORE__STORE__INIT;
    Store__Group g = STORE__GROUP__INIT;
    Store__Offset o = STORE__OFFSET__INIT;
    Store__ProducerIds ids = STORE__PRODUCER_IDS__INIT;
    uint8_t long_key[600];

    put_topic(k, 0, "orders", 3);
    put_topic(k, 1, "payments", 1);
    s.number = KIT_STORE;
    s.partitions = 1;
    put_message(k, "Sshop\0stock", 11, &s.base, false);
    g.generation = 3;
    put_message(k, "Gbilling", 8, &g.base, false);
    memset(long_key, 'g', sizeof long_key);
    long_key[0] = META_GROUP;
    put_message(k, long_key, sizeof long_key, &g.base, false);
    o.offset = 2;
    put_message(k, "Obilling\0orders\0\0\0\0\0", 20, &o.base, false);
    ids.next = 8;
    put_message(k, "I", 1, &ids.base, false);
}

void
kit_fill(struct kit *k, int part, int n)
{
    static char big[5000];
    char key[32], value[64];

    memset(big, 'b', sizeof big - 1);
    for (int i = 0; i < n; i++) {
        int log = i % KIT_LOGS;
        bool producer = log == 1;
        int64_t base = atomic_load(&k->tail[log]->end);
        int32_t seq = k->seqs[log];

        snprintf(value, sizeof value, "part %d record %d %s", part, i,
            "of some length, so that segments fill");
        kit_append(k, log, value, i % 5 + 1, producer);
        if (producer)
            put_producer(k, log, base, seq, i % 5 + 1);
        snprintf(key, sizeof key, "product-%03d", i * 7 % 90);
        kit_state(k, key, i % 11 == 10 ? NULL : i % 13 == 5 ? big : value);
        if (i % 6 == 5)
            put_task(k);
        if (i % 3 == 2)
            seq_turn(k->seq);
    }
    seq_turn(k->seq);
}

void
kit_make(struct kit *k, bool snapshot)
{
    char live[96], path[SNAPSHOT_PATH];

    snprintf(live, sizeof live, "%s/live", k->root);
    kit_open(k, live);
    kit_records(k);
    kit_fill(k, 1, 120);
    seq_keep(k->seq, true);
    seq_turn(k->seq);
    /* The keeper has written one at the first checkpoint. */
    assert_int_equal(access(snapshot_path(live, 0, path), F_OK), 0);
    kit_trim(k, 2, KIT_TRIM);
    kit_fill(k, 2, 60);
    seq_keep(k->seq, false);
    kit_copy(live, k->dir);
    kit_close(k);
    kit_remove(live);
    for (unsigned n = 0; !snapshot && n < SNAPSHOT_COUNT; n++)
        unlink(snapshot_path(k->dir, n, path));
}

/* ---- what is in it ---- */

struct hashing {
    uint64_t sum;
    enum meta_kind kind;
};

static void
hash_add(struct hashing *h, const void *p, size_t n)
{
    h->sum = h->sum * 0x9e3779b97f4a7c15u + hash_bytes(span_of(p, n));
}

static int
hash_record(void *arg, struct span key, struct span value, struct err *err)
{
    struct hashing *h = arg;
    uint8_t out[4096];
    Store__Topic *t;

    hash_add(h, key.ptr, key.len);
    if (h->kind != META_TOPIC) {
        hash_add(h, value.ptr, value.len);
        return 0;
    }
    t = store__topic__unpack(NULL, value.len, value.ptr);
    assert_non_null(t);
    t->leader_epoch = 0; /* salvage raises it */
    hash_add(h, out, store__topic__pack(t, out));
    store__topic__free_unpacked(t, NULL);
    return 0;
}

/* The records of a log, whatever batch they are in. */
static void
hash_batch(struct hashing *h, struct span bytes, int64_t from)
{
    struct batch_iter it;
    struct arena arena;
    struct record r;
    struct batch b;
    struct err err;

    arena_init(&arena, 64 * MIB);
    assert_int_equal(batch_parse(bytes, &b), BATCH_OK);
    assert_int_equal(batch_check(&b), BATCH_OK);
    assert_int_equal(batch_iter_init(&it, &b, &arena, &err), 0);
    while (batch_iter_next(&it, &r, &err) == 1) {
        if (r.offset < from)
            continue;
        hash_add(h, &r.offset, sizeof r.offset);
        hash_add(h, r.value.ptr, r.value.len);
    }
    arena_release(&arena);
}

static void
hash_cold(struct hashing *h, struct tail *t, int64_t from, int64_t *at)
{
    struct plog_want w = {.offset = *at, .end_offset = t->hw,
        .max_bytes = 1 * MIB};
    struct plog_got g;
    struct batch b;
    struct span rest;
    struct buf out;
    struct err err = {0};

    buf_init(&out, 16 * MIB);
    if (plog_read(t->plog, &w, &out, &g, &err) != PLOG_OK)
        fail_msg("log ends at %" PRId64 ": %s", *at, err.text);
    for (rest = buf_span(&out); rest.len > 0;) {
        assert_int_equal(batch_parse(rest, &b), BATCH_OK);
        hash_batch(h, b.bytes, from);
        rest.ptr += b.bytes.len;
        rest.len -= b.bytes.len;
    }
    *at = g.next_offset;
    buf_release(&out);
}

static void
hash_log(struct hashing *h, struct tail *t, int64_t from)
{
    int64_t at = t->log_start > from ? t->log_start : from;

    hash_add(h, &at, sizeof at);
    while (at < t->hw) {
        struct tail_slice s;
        bool cold;
        size_t n = tail_read(t, at, t->hw, 1, &s, 1, &cold);

        if (cold) {
            hash_cold(h, t, from, &at);
            continue;
        }
        assert_int_equal(n, 1);
        hash_batch(h, s.bytes, from);
        at = s.last + 1;
        chunk_unref(s.chunk);
    }
    hash_add(h, &at, sizeof at);
}

static int
hash_entry(void *arg, struct span key, struct span value, struct err *err)
{
    hash_add(arg, key.ptr, key.len);
    hash_add(arg, value.ptr, value.len);
    return 0;
}

static void
hash_state(struct kit *k, struct hashing *h)
{
    struct shelf *s = state_shelf(seq_state(k->seq), KIT_STORE, 0);
    struct state_reader r;
    struct arena arena;
    struct err err = {0};

    arena_init(&arena, 64 * MIB);
    assert_int_equal(state_reader_init(&r, seq_state(k->seq), &err), 0);
    if (state_scan(&r, s, STATE_NEWEST, SPAN_NULL, SPAN_NULL, 100000, &arena,
            hash_entry, h, &err) < 0)
        fail_msg("%s", err.text);
    state_reader_release(&r);
    arena_release(&arena);
}

uint64_t
kit_hash(struct kit *k, const char *dir, bool logs, bool rest)
{
    static const enum meta_kind kinds[] = {META_TOPIC, META_GROUP,
        META_OFFSET, META_TASK, META_STORE};
    struct hashing h = {0};
    struct err err = {0};

    kit_try_open(k, dir);
    for (size_t i = 0; i < countof(kinds) && rest; i++) {
        h.kind = kinds[i];
        if (seq_records(k->seq, kinds[i], hash_record, &h, &err) < 0)
            fail_msg("%s", err.text);
    }
    if (seq_start(k->seq, NULL, NULL, &err) < 0)
        fail_msg("%s", err.text);
    for (int i = 0; i < KIT_LOGS && logs; i++)
        hash_log(&h, k->tail[i], i == 2 ? KIT_TRIM : 0);
    if (rest)
        hash_state(k, &h);
    kit_close(k);
    return h.sum;
}

/* ---- files ---- */

static void
run(const char *fmt, const char *a, const char *b)
{
    char cmd[1200];

    snprintf(cmd, sizeof cmd, "%s '%s' '%s'", fmt, a, b);
    assert_int_equal(system(cmd), 0);
}

void
kit_copy(const char *from, const char *to)
{
    kit_remove(to);
    run("cp -r", from, to);
}

void
kit_remove(const char *path)
{
    run("rm -rf", path, path);
}

struct listing {
    char names[512][512];
    int n;
};

static void
list_add(struct listing *l, const char *path, const char *ending)
{
    DIR *d = opendir(path);
    struct dirent *e;

    while (d != NULL && (e = readdir(d)) != NULL) {
        char sub[512];
        size_t n = strlen(e->d_name), m = strlen(ending);
        struct stat st;

        if (e->d_name[0] == '.')
            continue;
        assert_true(snprintf(sub, sizeof sub, "%s/%s", path, e->d_name)
            < (int)sizeof sub);
        if (stat(sub, &st) == 0 && S_ISDIR(st.st_mode))
            list_add(l, sub, ending);
        else if (n >= m && strcmp(e->d_name + n - m, ending) == 0
            && l->n < 512)
            memcpy(l->names[l->n++], sub, sizeof sub);
    }
    if (d != NULL)
        closedir(d);
}

static int
name_cmp(const void *a, const void *b)
{
    return strcmp(a, b);
}

static struct listing *
list_files(const char *path, const char *ending)
{
    struct listing *l = xcalloc(1, sizeof *l);

    list_add(l, path, ending);
    qsort(l->names, (size_t)l->n, sizeof l->names[0], name_cmp);
    return l;
}

bool
kit_file(const char *dir, const char *sub, const char *ending, int n,
    char out[512])
{
    char path[512];
    struct listing *l;
    bool found;

    snprintf(path, sizeof path, "%s/%s", dir, sub);
    l = list_files(path, ending);
    found = n < l->n;
    if (found)
        memcpy(out, l->names[n], 512);
    free(l);
    return found;
}

long
kit_size(const char *path)
{
    struct stat st;

    return stat(path, &st) < 0 ? -1 : (long)st.st_size;
}

void
kit_flip(const char *path, long pos, uint8_t mask)
{
    int fd = open(path, O_RDWR);
    uint8_t b;

    assert_true(fd >= 0);
    assert_int_equal(pread(fd, &b, 1, pos), 1);
    b ^= mask;
    assert_int_equal(pwrite(fd, &b, 1, pos), 1);
    close(fd);
}

void
kit_zero(const char *path, long pos, long n)
{
    uint8_t *zeros = xcalloc(1, (size_t)n);
    int fd = open(path, O_RDWR);

    assert_true(fd >= 0);
    assert_int_equal(pwrite(fd, zeros, (size_t)n, pos), n);
    close(fd);
    free(zeros);
}

void
kit_cut(const char *path, long size)
{
    assert_int_equal(truncate(path, size), 0);
}

uint64_t
kit_bytes_hash(const char *dir)
{
    struct listing *l = list_files(dir, "");
    struct hashing h = {0};

    for (int i = 0; i < l->n; i++) {
        long n = kit_size(l->names[i]);
        uint8_t *p = xmalloc((size_t)n + 1);
        int fd = open(l->names[i], O_RDONLY);

        assert_true(fd >= 0);
        assert_int_equal(read(fd, p, (size_t)n), n);
        hash_add(&h, l->names[i], strlen(l->names[i]));
        hash_add(&h, p, (size_t)n);
        close(fd);
        free(p);
    }
    free(l);
    return h.sum;
}

/* ---- running ---- */

struct kit_report
kit_check(const char *dir, bool deep)
{
    struct kit_report r = {0};
    struct findings f;
    size_t size;
    FILE *out = open_memstream(&r.text, &size);
    struct check_options o = {.dir = dir, .world = world_real(),
        .deep = deep, .findings = &f};

    findings_init(&f, out, FINDINGS_TEXT);
    r.rc = check_run(&o, &r.err);
    fclose(out);
    r.damages = f.damages;
    r.notes = f.notes;
    return r;
}

struct kit_report
kit_salvage(const char *dir, const char *to, bool dry, bool past_damage)
{
    struct kit_report r = {0};
    struct findings f;
    size_t size;
    FILE *out = open_memstream(&r.text, &size);
    struct salvage_options o = {.dir = dir, .to = to, .world = world_real(),
        .dry_run = dry, .past_damage = past_damage, .findings = &f};

    findings_init(&f, out, FINDINGS_TEXT);
    r.rc = salvage_run(&o, &r.err);
    fclose(out);
    r.damages = f.damages;
    r.notes = f.notes;
    return r;
}

struct dice
dice_seeded(void)
{
    const char *text = getenv("PENSTOCK_SEED");
    struct dice d = {text == NULL ? 1 : strtoull(text, NULL, 10)};

    print_message("# seed %llu\n", (unsigned long long)d.state);
    return d;
}

uint64_t
dice_roll(struct dice *d, uint64_t sides)
{
    uint64_t z = d->state += 0x9e3779b97f4a7c15u; /* splitmix64 */

    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return (z ^ z >> 31) % sides;
}
