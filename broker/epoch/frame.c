/* frame.c: one frame of the journal. */
#include "config.h"

#include "epoch/frame.h"

#include "base/check.h"
#include "base/crc32c.h"
#include "base/endian.h"
#include "base/limits.h"
#include "proto/store.pb-c.h"
#include "record/batch.h"

enum {
    AT_VERSION = 4,
    AT_LENGTH = 8,
    AT_MANIFEST = 12,
    AT_EPOCH = 16,
    AT_INCARNATION = 24,
    AT_BEFORE = 32,
    AT_CHECK = 36,
};

static uint32_t
frame_sum(const uint8_t *frame, uint32_t manifest_length)
{
    static const uint8_t zero[4];
    uint32_t crc = crc32c(0, frame, AT_CHECK);

    crc = crc32c(crc, zero, sizeof zero);
    return crc32c(crc, frame + AT_CHECK + 4,
        FRAME_HEADER - AT_CHECK - 4 + manifest_length);
}

void
frame_seal(uint8_t *frame, const struct frame_header *h, uint32_t *check)
{
    assert(h->length >= FRAME_HEADER + h->manifest_length);
    memset(frame, 0, FRAME_HEADER);
    put_le32(frame, FRAME_MAGIC);
    frame[AT_VERSION] = FRAME_VERSION;
    put_le32(frame + AT_LENGTH, h->length);
    put_le32(frame + AT_MANIFEST, h->manifest_length);
    put_le64(frame + AT_EPOCH, h->epoch);
    put_le64(frame + AT_INCARNATION, h->incarnation);
    put_le32(frame + AT_BEFORE, h->before);
    *check = frame_sum(frame, h->manifest_length);
    put_le32(frame + AT_CHECK, *check);
}

void
frame_reseal(uint8_t *frame, uint32_t manifest_length)
{
    put_le32(frame + AT_CHECK, frame_sum(frame, manifest_length));
}

enum frame_status
frame_open(struct span in, struct frame_header *h)
{
    const uint8_t *p = in.ptr;

    memset(h, 0, sizeof *h);
    if (in.len < FRAME_HEADER || get_le32(p) != FRAME_MAGIC)
        return FRAME_NONE;
    h->length = get_le32(p + AT_LENGTH);
    h->manifest_length = get_le32(p + AT_MANIFEST);
    h->epoch = get_le64(p + AT_EPOCH);
    h->incarnation = get_le64(p + AT_INCARNATION);
    h->before = get_le32(p + AT_BEFORE);
    h->check = get_le32(p + AT_CHECK);
    if (h->length < FRAME_HEADER
        || h->manifest_length > h->length - FRAME_HEADER)
        return FRAME_BAD;
    if (in.len - FRAME_HEADER < h->manifest_length)
        return FRAME_SHORT;
    if (frame_sum(p, h->manifest_length) != h->check)
        return FRAME_BAD;
    if (p[AT_VERSION] != FRAME_VERSION || p[AT_VERSION + 1] != 0)
        return FRAME_UNKNOWN;
    return FRAME_OK;
}

/* Takes n bytes off the front of `rest`. */
static bool
frame_take(struct span *rest, size_t n, struct span *out)
{
    if (rest->len < n)
        return false;
    *out = span_of(rest->ptr, n);
    rest->ptr += n;
    rest->len -= n;
    return true;
}

static bool
frame_batch_proves(const Store__BatchRef *ref, struct span bytes)
{
    struct batch b;

    return ref->topic_id.len == 16 && batch_parse(bytes, &b) == BATCH_OK
        && b.bytes.len == bytes.len && b.crc == ref->crc
        && b.base_offset == ref->base_offset
        && b.leader_epoch == ref->leader_epoch
        && crc32c(0, bytes.ptr + BATCH_CRC_FROM, bytes.len - BATCH_CRC_FROM)
            == ref->crc;
}

static enum frame_status
frame_prove_payload(const Store__Manifest *m, struct span rest,
    struct err *err)
{
    struct span part;

    for (size_t i = 0; i < m->n_batches; i++) {
        if (!frame_take(&rest, m->batches[i]->length, &part)
            || !frame_batch_proves(m->batches[i], part)) {
            err_set(err, ERR_DAMAGE, "batch %zu of the frame is damaged", i);
            return FRAME_BAD;
        }
    }
    for (size_t i = 0; i < m->n_blocks; i++) {
        if (!frame_take(&rest, m->blocks[i]->length, &part)
            || crc32c(0, part.ptr, part.len) != m->blocks[i]->crc) {
            err_set(err, ERR_DAMAGE, "block %zu of the frame is damaged", i);
            return FRAME_BAD;
        }
    }
    if (rest.len != 0) {
        err_set(err, ERR_DAMAGE, "%zu bytes of the frame belong to nothing",
            rest.len);
        return FRAME_BAD;
    }
    return FRAME_OK;
}

enum frame_status
frame_prove(struct span in, struct err *err)
{
    struct frame_header h;
    enum frame_status status = frame_open(in, &h);
    Store__Manifest *m;

    if (status != FRAME_OK) {
        err_set(err, ERR_DAMAGE, "no valid frame header");
        return status;
    }
    if (h.length > in.len) {
        err_set(err, ERR_DAMAGE, "the frame ends after %zu of %u bytes",
            in.len, h.length);
        return FRAME_SHORT;
    }
    m = store__manifest__unpack(NULL, h.manifest_length,
        in.ptr + FRAME_HEADER);
    if (m == NULL) {
        err_set(err, ERR_DAMAGE, "the manifest of epoch %llu is no message",
            (unsigned long long)h.epoch);
        return FRAME_BAD;
    }
    if (m->features != 0 || m->base.n_unknown_fields > 0) {
        err_set(err, ERR_FORMAT,
            "epoch %llu uses features %llx that this build does not know: "
            "use the version that wrote it",
            (unsigned long long)h.epoch, (unsigned long long)m->features);
        status = FRAME_UNKNOWN;
    } else {
        struct span rest = span_of(in.ptr + FRAME_HEADER + h.manifest_length,
            h.length - FRAME_HEADER - h.manifest_length);

        status = frame_prove_payload(m, rest, err);
    }
    store__manifest__free_unpacked(m, NULL);
    return status;
}
