/* dump_folder.c: the journal, the metadata, the stores. */
#include "config.h"

#include "offline/dump_priv.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/check.h"
#include "base/endian.h"
#include "base/limits.h"
#include "epoch/frame.h"
#include "epoch/overlay.h"
#include "offline/folder.h"
#include "offline/survey.h"
#include "proto/store.pb-c.h"
#include "record/batch.h"
#include "txn/txns.h"

/* ---- keys of records ---- */

static const struct kind {
    enum meta_kind kind;
    const char *name;
    const ProtobufCMessageDescriptor *message;
} kinds[] = {
    {META_CHECKPOINT, "checkpoint", &store__checkpoint__descriptor},
    {META_ABORTED, "aborted", &store__aborted__descriptor},
    {META_GROUP, "group", &store__group__descriptor},
    {META_IDS, "producer_ids", &store__producer_ids__descriptor},
    {META_TASK, "task", &store__task__descriptor},
    {META_LOG, "log", &store__partition_log__descriptor},
    {META_MEMBER, "member", &store__consumer_member__descriptor},
    {META_TXN, "transactional_id", &store__txn__descriptor},
    {META_TXN_PART, "transaction_part", &store__txn_part__descriptor},
    {META_OFFSET, "offset", &store__offset__descriptor},
    {META_PRODUCER, "producer", &store__producer__descriptor},
    {META_STORE, "store", &store__store__descriptor},
    {META_TOPIC, "topic", &store__topic__descriptor},
    {META_DOOMED, "dropped_topic", &store__doomed__descriptor},
    {META_APP, "application", &store__app__descriptor},
    {META_CONFIG, "configs", &store__configs__descriptor},
    {META_QUOTA, "quota", &store__quota__descriptor},
};

static void
line_uuid(struct dump *d, struct span bytes)
{
    char hex[UUID_HEX];
    struct uuid id;

    if (bytes.len < 16)
        return;
    memcpy(id.bytes, bytes.ptr, 16);
    line_text(d, "topic_id", uuid_hex(&id, hex));
}

/* A part of a key up to a NUL. */
static void
line_part(struct dump *d, const char *name, struct span *rest)
{
    const uint8_t *nul = rest->len == 0
        ? NULL : memchr(rest->ptr, '\0', rest->len);
    size_t n = nul == NULL ? rest->len : (size_t)(nul - rest->ptr);

    line_bytes(d, name, NULL, span_of(rest->ptr, n));
    if (nul != NULL)
        n++;
    rest->ptr += n;
    rest->len -= n;
}

static void
line_txn_part(struct dump *d, struct span key)
{
    size_t len = key.len < 2 ? 0 : get_be16(key.ptr);
    struct txn_part p;

    if (key.len < 2 + len || !txn_part_parse(span_of(key.ptr + 2 + len,
            key.len - 2 - len), &p))
        return;
    line_bytes(d, "transactional_id", NULL, span_of(key.ptr + 2, len));
    if (p.kind == TXN_PARTITION)
        line_uuid(d, span_of(p.topic_id.bytes, 16));
    else
        line_bytes(d, "group", NULL, p.group);
    if (p.kind == TXN_OFFSET)
        line_bytes(d, "topic", NULL, p.topic);
    if (p.kind != TXN_GROUP)
        line_int(d, "partition", p.partition);
}

/* meta.h says what stands behind the first byte. */
static void
line_key(struct dump *d, enum meta_kind kind, struct span key)
{
    switch (kind) {
    case META_TOPIC:
    case META_DOOMED:
        line_uuid(d, key);
        break;
    case META_LOG:
    case META_PRODUCER:
    case META_ABORTED:
        line_uuid(d, key);
        if (key.len >= LOG_KEY)
            line_int(d, "partition", (int32_t)get_be32(key.ptr + 16));
        if (kind != META_LOG && key.len >= LOG_KEY + 8)
            line_int(d, kind == META_PRODUCER ? "producer_id" : "marker",
                (int64_t)get_be64(key.ptr + LOG_KEY));
        break;
    case META_OFFSET:
        line_part(d, "group", &key);
        line_part(d, "topic", &key);
        if (key.len >= 4)
            line_int(d, "partition", (int32_t)get_be32(key.ptr));
        break;
    case META_TASK:
    case META_STORE:
        line_part(d, "app", &key);
        line_part(d, kind == META_TASK ? "task" : "store", &key);
        break;
    case META_GROUP:
        line_part(d, "group", &key);
        break;
    case META_TXN:
        line_bytes(d, "transactional_id", NULL, key);
        break;
    case META_TXN_PART:
        line_txn_part(d, key);
        break;
    case META_MEMBER:
        line_part(d, "group", &key);
        line_part(d, "member", &key);
        break;
    case META_APP:
        line_part(d, "app", &key);
        break;
    case META_CONFIG:
        if (key.len > 0) {
            line_int(d, "type", key.ptr[0]);
            key = span_of(key.ptr + 1, key.len - 1);
        }
        line_part(d, "name", &key);
        break;
    case META_QUOTA:
        while (key.len > 0)
            line_part(d, "entity", &key);
        break;
    case META_CHECKPOINT:
    case META_IDS:
        break;
    }
}

static const struct kind *
kind_of(struct span key)
{
    for (size_t i = 0; i < countof(kinds) && key.len > 0; i++)
        if ((uint8_t)kinds[i].kind == key.ptr[0])
            return &kinds[i];
    return NULL;
}

/* A record: `what` is "put", "delete" or NULL for its kind. */
static void
dump_record(struct dump *d, const char *what, struct span key,
    const struct span *value, int depth)
{
    const struct kind *k = kind_of(key);
    ProtobufCMessage *m = NULL;

    line_begin(d, what != NULL ? what : k == NULL ? "record" : k->name,
        depth);
    if (k == NULL) {
        line_bytes(d, "key", NULL, key);
        if (value != NULL)
            line_bytes(d, "value", NULL, *value);
        line_end(d);
        return;
    }
    if (what != NULL)
        line_text(d, "kind", k->name);
    line_key(d, k->kind, span_of(key.ptr + 1, key.len - 1));
    if (value != NULL)
        m = protobuf_c_message_unpack(k->message, NULL, value->len,
            value->ptr);
    if (m != NULL)
        line_message(d, "value", m);
    else if (value != NULL)
        line_bytes(d, "no_message", NULL, *value);
    if (m != NULL)
        protobuf_c_message_free_unpacked(m, NULL);
    line_end(d);
}

/* ---- LMDB ---- */

static int
dump_folder_open(struct dump *d, struct folder *f, const char *dir,
    struct err *err)
{
    if (folder_open(f, d->o->world, dir, err) < 0) {
        folder_release(f);
        return -1;
    }
    if (f->identity.code != 0)
        line_damage(d, "penstock.id", 0, "%s", f->identity.text);
    return 0;
}

static void
value_bad(void *arg, uint64_t page, struct span key, const char *text)
{
    struct dump *d = arg;

    line_damage(d, "meta/data.mdb page", page, "%s", text);
}

static int
meta_entry(void *arg, struct span key, struct span value, struct err *err)
{
    struct dump *d = arg;

    if (!dump_count(d))
        return 1;
    dump_record(d, NULL, key, &value, 0);
    return 0;
}

static int
dump_space(struct dump_options *o, const char *dir, enum meta_space space,
    stored_fn *fn, struct err *err)
{
    struct dump d;
    struct stored_scan scan = {.space = space, .fn = fn, .bad = value_bad,
        .arg = &d};
    struct folder f;
    int rc;

    dump_init(&d, o);
    rc = dump_folder_open(&d, &f, dir, err);
    if (rc == 0 && f.lmdb == NULL) {
        *err = f.lmdb_err;
        rc = -1;
    }
    if (rc == 0) {
        rc = stored_scan(f.lmdb, &scan, err);
        if (rc >= 0 && scan.lost)
            line_damage(&d, "meta/data.mdb", 0, "pages could not be read: "
                "penstock check tells which");
        rc = rc < 0 ? -1 : 0;
    }
    if (f.dir != NULL)
        folder_release(&f);
    dump_release(&d);
    return rc;
}

int
dump_meta(struct dump_options *o, const char *dir, struct err *err)
{
    return dump_space(o, dir, META_RECORDS, meta_entry, err);
}

static int
state_entry(void *arg, struct span key, struct span value, struct err *err)
{
    struct dump *d = arg;

    if (key.len < META_STATE_PREFIX)
        return 0;
    if (!dump_count(d))
        return 1;
    line_begin(d, "entry", 0);
    line_int(d, "store", get_be32(key.ptr));
    line_int(d, "partition", get_be32(key.ptr + 4));
    line_bytes(d, "key", NULL, span_of(key.ptr + META_STATE_PREFIX,
        key.len - META_STATE_PREFIX));
    line_bytes(d, "value", NULL, value);
    line_end(d);
    return 0;
}

int
dump_state(struct dump_options *o, const char *dir, struct err *err)
{
    return dump_space(o, dir, META_STATE, state_entry, err);
}

/* ---- the journal ---- */

static void
frame_batches(struct dump *d, const Store__Manifest *m, uint64_t pos,
    struct span *rest)
{
    char hex[UUID_HEX];
    struct uuid id;

    for (size_t i = 0; i < m->n_batches; i++) {
        const Store__BatchRef *b = m->batches[i];

        memcpy(id.bytes, b->topic_id.data, 16);
        line_begin(d, "append", 1);
        line_text(d, "topic_id", uuid_hex(&id, hex));
        line_int(d, "partition", b->partition);
        line_int(d, "base_offset", b->base_offset);
        line_int(d, "leader_epoch", b->leader_epoch);
        line_int(d, "size", b->length);
        line_end(d);
        if (d->o->records)
            dump_batch(d, span_of(rest->ptr, b->length), pos, 2);
        pos += b->length;
        rest->ptr += b->length;
        rest->len -= b->length;
    }
}

static void
frame_blocks(struct dump *d, const Store__Manifest *m, struct span *rest)
{
    for (size_t i = 0; i < m->n_blocks; i++) {
        const Store__StateBlock *b = m->blocks[i];
        struct span block = span_of(rest->ptr, b->length), key, value;

        line_begin(d, "state", 1);
        line_int(d, "store", b->store);
        line_int(d, "partition", b->partition);
        line_int(d, "run", (int64_t)b->run);
        line_int(d, "size", b->length);
        line_end(d);
        while (d->o->values && block_next(&block, &key, &value) == 1) {
            line_begin(d, value.ptr == NULL ? "delete" : "put", 2);
            line_bytes(d, "key", NULL, key);
            if (value.ptr != NULL)
                line_bytes(d, "value", NULL, value);
            line_end(d);
        }
        rest->ptr += b->length;
        rest->len -= b->length;
    }
}

static void
frame_ops(struct dump *d, const Store__Manifest *m)
{
    for (size_t i = 0; i < m->n_ops; i++) {
        const Store__Op *op = m->ops[i];
        struct span key = span_of(op->key.data, op->key.len);
        struct span value = span_of(op->value.data, op->value.len);
        struct span id = span_of(op->topic_id.data, op->topic_id.len);

        if (op->kind == STORE__OP_KIND__OP_PUT) {
            dump_record(d, "put", key, d->o->values ? &value : NULL, 1);
            continue;
        }
        if (op->kind == STORE__OP_KIND__OP_DELETE) {
            dump_record(d, "delete", key, NULL, 1);
            continue;
        }
        line_begin(d, op->kind == STORE__OP_KIND__OP_TRIM ? "trim"
            : op->kind == STORE__OP_KIND__OP_DROP_TOPIC ? "drop_topic"
            : op->kind == STORE__OP_KIND__OP_CLEAN ? "clean"
            : "unknown", 1);
        line_uuid(d, id);
        if (op->kind == STORE__OP_KIND__OP_TRIM
            || op->kind == STORE__OP_KIND__OP_CLEAN) {
            line_int(d, "partition", op->partition);
            line_int(d, "offset", op->offset);
        }
        line_end(d);
    }
}

static void
frame_line(struct dump *d, const struct survey_frame *f, const char *file,
    const char *state)
{
    line_begin(d, "frame", 0);
    line_int(d, "epoch", (int64_t)f->h.epoch);
    line_text(d, "file", file);
    line_int(d, "pos", (int64_t)f->pos);
    line_int(d, "size", f->h.length);
    line_hex(d, "incarnation", f->h.incarnation, 16);
    line_hex(d, "before", f->h.before, 8);
    line_hex(d, "check", f->h.check, 8);
    line_text(d, "state", state);
}

static int
dump_frame(struct dump *d, const struct survey *s,
    const struct survey_frame *f, const char *state, struct buf *bytes,
    struct err *err)
{
    Store__Manifest *m;
    struct span rest;
    char file[40];

    survey_file(f, file);
    if (!f->whole) {
        frame_line(d, f, file, "not whole");
        line_end(d);
        return 0;
    }
    if (survey_read(s, f, bytes, err) < 0)
        return -1;
    m = store__manifest__unpack(NULL, f->h.manifest_length,
        bytes->ptr + FRAME_HEADER);
    if (m == NULL)
        return err_set(err, ERR_DAMAGE, "the frame of epoch %" PRIu64
            " changed while it was read", f->h.epoch);
    frame_line(d, f, file, state);
    line_int(d, "clock_ms", m->clock_ms);
    line_int(d, "batches", (int64_t)m->n_batches);
    line_int(d, "operations", (int64_t)m->n_ops);
    line_int(d, "blocks", (int64_t)m->n_blocks);
    line_end(d);
    rest = span_of(bytes->ptr + FRAME_HEADER + f->h.manifest_length,
        f->h.length - FRAME_HEADER - f->h.manifest_length);
    frame_batches(d, m, f->pos + FRAME_HEADER + f->h.manifest_length, &rest);
    frame_blocks(d, m, &rest);
    frame_ops(d, m);
    store__manifest__free_unpacked(m, NULL);
    return 0;
}

/* In the chain that recovery will read, before it, or out of it. */
static const char *
frame_state(const struct survey_frame *f, const struct snapshot_head *at,
    uint64_t *epoch, uint32_t *check)
{
    if (at == NULL)
        return "unknown";
    if (f->h.epoch <= at->cursor.epoch)
        return "stale";
    if (f->h.before != *check || f->h.epoch <= *epoch)
        return "unlinked";
    *epoch = f->h.epoch;
    *check = f->h.check;
    return "due";
}

static int
keep_record(void *arg, struct span key, struct span value, struct err *err)
{
    records_put(arg, key, value);
    return 0;
}

static int
dump_frames(struct dump *d, struct folder *f, const struct survey *s,
    struct err *err)
{
    struct stored_scan scan = {.space = META_RECORDS, .fn = keep_record,
        .arg = &f->records};
    struct snapshot_head at, *known = NULL;
    uint64_t epoch = 0;
    uint32_t check = 0;
    struct buf bytes;
    bool clean;
    int rc = 0;

    if (f->lmdb != NULL && stored_scan(f->lmdb, &scan, err) == 0
        && records_checkpoint(&f->records, &at, &clean)) {
        known = &at;
        epoch = at.cursor.epoch;
        check = at.cursor.check;
    }
    buf_init(&bytes, 1 * GIB);
    for (size_t i = 0; i < s->count && rc == 0; i++) {
        const struct survey_frame *g = &s->frames[i];
        const char *state = g->whole
            ? frame_state(g, known, &epoch, &check) : "not whole";

        if ((int64_t)g->h.epoch < d->o->from)
            continue;
        if (!dump_count(d))
            break;
        rc = dump_frame(d, s, g, state, &bytes, err);
    }
    buf_release(&bytes);
    return rc;
}

int
dump_journal(struct dump_options *o, const char *dir, struct err *err)
{
    char path[DATADIR_PATH];
    struct dump d;
    struct folder f;
    struct survey s = {0};
    int rc;

    dump_init(&d, o);
    rc = dump_folder_open(&d, &f, dir, err);
    if (rc == 0) {
        rc = survey_open(&s, o->world, datadir_sub(f.dir, "journal", path),
            err);
        if (rc == 0)
            rc = dump_frames(&d, &f, &s, err);
        survey_release(&s);
        folder_release(&f);
    }
    dump_release(&d);
    return rc;
}
