/*
 * txn_records.c: transactional ids as metadata records.
 *
 * A part of an open transaction is a record of its own, whose key says most.
 * Its key begins with the length of the transactional id, so that no id is
 * the beginning of another one's parts.
 */
#include "config.h"

#include "api/txn_records.h"

#include "base/check.h"
#include "base/endian.h"
#include "proto/store.pb-c.h"

enum {
    RECORD_MAX = 128,            /* bytes of an id's record */
    PART_MAX = 80,               /* of a part's, beside its metadata */
    OP_COST = 64,
    KEY_ARENA = 1 << 20,
};

size_t
txn_record_cost(struct span id)
{
    return OP_COST + 1 + id.len + RECORD_MAX;
}

size_t
txn_part_cost(struct span id, const struct txn_part *p)
{
    return OP_COST + 3 + id.len + txn_part_key_max(p) + PART_MAX
        + p->metadata.len;
}

/* ---- ids ---- */

static struct span
txn_key(struct arena *a, const struct txn *t)
{
    struct span id = txn_id(t);
    uint8_t *key = arena_alloc(a, 1 + id.len);

    assert(key != NULL);
    key[0] = META_TXN;
    memcpy(key + 1, id.ptr, id.len);
    return span_of(key, 1 + id.len);
}

void
txn_put(struct append *ap, const struct txn *t)
{
    Store__Txn m = STORE__TXN__INIT;
    uint8_t value[RECORD_MAX];
    struct txn_image im;
    struct arena arena;

    txn_image(t, &im);
    m.producer_id = im.producer_id;
    m.previous_id = im.previous_id + 1;
    m.epoch = im.epoch;
    m.last_epoch = im.last_epoch + 1;
    m.state = (Store__TxnState)im.state;
    m.timeout_ms = im.timeout_ms;
    m.updated_ms = im.updated_ms;
    m.started_ms = im.started_ms + 1;
    m.version = im.version;
    assert(store__txn__get_packed_size(&m) <= sizeof value);
    arena_init(&arena, KEY_ARENA);
    append_put(ap, txn_key(&arena, t),
        span_of(value, store__txn__pack(&m, value)));
    arena_release(&arena);
}

void
txn_delete(struct append *ap, const struct txn *t)
{
    struct arena arena;

    arena_init(&arena, KEY_ARENA);
    append_put(ap, txn_key(&arena, t), SPAN_NULL);
    arena_release(&arena);
}

static int
load_txn(void *arg, struct span key, struct span value, struct err *err)
{
    struct api *a = arg;
    Store__Txn *m = store__txn__unpack(NULL, value.len, value.ptr);
    struct txn_image im;
    int rc;

    if (m == NULL)
        return err_set(err, ERR_DAMAGE, "the record of a transactional id "
            "is no message");
    im = (struct txn_image){.producer_id = m->producer_id,
        .previous_id = m->previous_id - 1,
        .epoch = (int16_t)m->epoch,
        .last_epoch = (int16_t)(m->last_epoch - 1),
        .state = (enum txn_state)m->state,
        .timeout_ms = m->timeout_ms,
        .updated_ms = m->updated_ms,
        .started_ms = m->started_ms - 1,
        .version = m->version};
    rc = txns_restore(&a->txns, key, &im, api_clock(a), err);
    store__txn__free_unpacked(m, NULL);
    return rc;
}

/* ---- parts ---- */

static struct span
part_key(struct arena *a, const struct txn *t, const struct txn_part *p)
{
    struct span id = txn_id(t);
    uint8_t *key = arena_alloc(a, 3 + id.len + txn_part_key_max(p));

    assert(key != NULL);
    key[0] = META_TXN_PART;
    put_be16(key + 1, (uint16_t)id.len);
    memcpy(key + 3, id.ptr, id.len);
    return span_of(key, 3 + id.len + txn_part_key(p, key + 3 + id.len));
}

void
txn_part_put(struct append *ap, const struct txn *t,
    const struct txn_part *p)
{
    Store__TxnPart m = STORE__TXN_PART__INIT;
    Store__Offset offset = STORE__OFFSET__INIT;
    struct uuid id = p->topic_id;
    struct arena arena;
    uint8_t *value;

    arena_init(&arena, KEY_ARENA);
    if (p->kind == TXN_OFFSET) {
        offset.offset = p->offset;
        offset.leader_epoch = p->leader_epoch;
        offset.metadata = arena_strndup(&arena,
            p->metadata.len == 0 ? "" : (const char *)p->metadata.ptr,
            p->metadata.len);
        offset.commit_ms = p->commit_ms;
        offset.topic_id = (ProtobufCBinaryData){16, id.bytes};
        m.offset = &offset;
    }
    value = arena_alloc(&arena, store__txn_part__get_packed_size(&m) + 1);
    assert(value != NULL);
    append_put(ap, part_key(&arena, t, p),
        span_of(value, store__txn_part__pack(&m, value)));
    arena_release(&arena);
}

void
txn_part_delete(struct append *ap, const struct txn *t,
    const struct txn_part *p)
{
    struct arena arena;

    arena_init(&arena, KEY_ARENA);
    append_put(ap, part_key(&arena, t, p), SPAN_NULL);
    arena_release(&arena);
}

static bool
part_fill(struct txn_part *p, const Store__TxnPart *m)
{
    if (p->kind != TXN_OFFSET)
        return true;
    if (m->offset == NULL || m->offset->topic_id.len != 16)
        return false;
    memcpy(p->topic_id.bytes, m->offset->topic_id.data, 16);
    p->offset = m->offset->offset;
    p->leader_epoch = m->offset->leader_epoch;
    p->commit_ms = m->offset->commit_ms;
    p->metadata = span_str(m->offset->metadata);
    return true;
}

static int
load_part(void *arg, struct span key, struct span value, struct err *err)
{
    struct api *a = arg;
    Store__TxnPart *m = store__txn_part__unpack(NULL, value.len, value.ptr);
    struct txn_part p;
    size_t len = key.len < 2 ? 0 : get_be16(key.ptr);
    int rc;

    if (m == NULL || key.len < 2 + len
        || !txn_part_parse(span_of(key.ptr + 2 + len, key.len - 2 - len), &p)
        || !part_fill(&p, m)) {
        store__txn_part__free_unpacked(m, NULL);
        return err_set(err, ERR_DAMAGE, "the record of a part of a "
            "transaction is no message");
    }
    rc = txns_restore_part(&a->txns, span_of(key.ptr + 2, len), &p, err);
    if (rc == 0 && p.kind == TXN_GROUP)
        groups_pin(&a->groups, p.group, api_clock(a));
    store__txn_part__free_unpacked(m, NULL);
    return rc;
}

int
txn_records_load(struct api *a, struct err *err)
{
    if (seq_records(a->seq, META_TXN, load_txn, a, err) != 0)
        return -1;
    return seq_records(a->seq, META_TXN_PART, load_part, a, err);
}
