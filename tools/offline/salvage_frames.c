/*
 * salvage_frames.c: which frames are used; what they do.
 *
 * Recovery uses one chain of frames, from the checkpoint to the end. Where
 * it is broken, the frames behind the gap still prove themselves. Their
 * batches are taken in any case if a log goes on there: records that were
 * acknowledged are worth more than an order among logs. Their operations and
 * blocks are after-images that build on what is missing, so they are used
 * only if the user says so (past_damage).
 */
#include "config.h"

#include "offline/salvage_priv.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "epoch/frame.h"
#include "epoch/overlay.h"
#include "proto/store.pb-c.h"

/* ---- which ---- */

/* From the checkpoint on. The number of frames behind the chain goes to
 * *behind. */
static void
chain_from(struct salvage *s, uint64_t epoch, uint32_t check, size_t *behind)
{
    const struct survey *v = &s->survey;
    size_t i, last = 0;
    bool any = false;

    while ((i = survey_next(v, epoch, check)) != SIZE_MAX) {
        s->use[i] = FRAME_USE_ALL;
        epoch = v->frames[i].h.epoch;
        check = v->frames[i].h.check;
        last = i;
        any = true;
    }
    *behind = 0;
    for (i = any ? last + 1 : 0; i < v->count; i++) {
        if (!v->frames[i].whole || v->frames[i].h.epoch <= epoch)
            continue;
        s->use[i] = s->o->past_damage ? FRAME_USE_ALL : FRAME_USE_BATCHES;
        (*behind)++;
    }
}

/* Without a checkpoint: the chain that ends with the newest frame; batches
 * of all. */
static void
chain_newest(struct salvage *s, size_t *behind)
{
    const struct survey *v = &s->survey;
    size_t i = v->count;

    for (size_t k = 0; k < v->count; k++)
        if (v->frames[k].whole)
            s->use[k] = s->o->past_damage ? FRAME_USE_ALL : FRAME_USE_BATCHES;
    while (i > 0 && !v->frames[i - 1].whole)
        i--;
    *behind = 0;
    while (i > 0) {
        const struct survey_frame *f = &v->frames[--i];
        size_t k = i;

        s->use[i] = FRAME_USE_ALL;
        while (k > 0 && !(v->frames[k - 1].whole
                && v->frames[k - 1].h.check == f->h.before))
            k--;
        i = k;
    }
}

static void
frames_tell(struct salvage *s, size_t behind)
{
    const struct survey *v = &s->survey;
    char file[40];

    for (size_t i = 0; i < v->count; i++) {
        const struct survey_frame *f = &v->frames[i];

        if (f->h.epoch > s->highest)
            s->highest = f->h.epoch;
        if (s->use[i] == FRAME_USE_ALL)
            s->n_frames++;
        if (f->whole || f->h.epoch <= s->at.cursor.epoch)
            continue;
        /* A copy of one that is whole (journal_read.c): those go before. */
        if (i > 0 && v->frames[i - 1].whole
            && v->frames[i - 1].h.epoch == f->h.epoch)
            continue;
        s->complete = false;
        say_note(s, survey_file(f, file), "the frame of epoch %" PRIu64
            " at %" PRIu64 " is not whole: its changes are lost unless the "
            "segments have them", f->h.epoch, f->pos);
    }
    if (behind == 0)
        return;
    s->complete = false;
    if (s->o->past_damage)
        say_note(s, "journal", "%zu frames behind a gap were used", behind);
    else
        say_lost(s, "journal", "%zu frames stand behind a gap: their records "
            "are kept, their metadata and stores left out; --past-damage "
            "uses them", behind);
}

int
frames_open(struct salvage *s, struct err *err)
{
    char path[DATADIR_PATH];
    struct err why = {0};
    size_t behind = 0;

    s->complete = s->base == BASE_LMDB;
    if (survey_open(&s->survey, s->world,
            datadir_sub(s->old.dir, "journal", path), &why) < 0) {
        s->complete = false;
        say_lost(s, "journal", "%s: what was not yet in segments and LMDB is "
            "lost", why.text);
    }
    s->use = xcalloc(s->survey.count, 1);
    if (s->at_known)
        chain_from(s, s->at.cursor.epoch, s->at.cursor.check, &behind);
    else
        chain_newest(s, &behind);
    frames_tell(s, behind);
    return 0;
}

/* ---- the frames one after the other ---- */

typedef int frame_fn(struct salvage *, const struct survey_frame *,
    struct span frame, const Store__Manifest *, uint8_t use, struct err *);

static int
frames_each(struct salvage *s, uint8_t least, frame_fn *fn, struct err *err)
{
    struct buf bytes;
    int rc = 0;

    buf_init(&bytes, 1 * GIB);
    for (size_t i = 0; i < s->survey.count && rc == 0; i++) {
        const struct survey_frame *f = &s->survey.frames[i];
        Store__Manifest *m;

        if (!f->whole || s->use[i] < least)
            continue;
        rc = survey_read(&s->survey, f, &bytes, err);
        if (rc < 0)
            break;
        m = store__manifest__unpack(NULL, f->h.manifest_length,
            bytes.ptr + FRAME_HEADER);
        rc = fn(s, f, buf_span(&bytes), m, s->use[i], err);
        store__manifest__free_unpacked(m, NULL);
    }
    buf_release(&bytes);
    return rc;
}

static int
frame_records(struct salvage *s, const struct survey_frame *f,
    struct span frame, const Store__Manifest *m, uint8_t use,
    struct err *err)
{
    for (size_t i = 0; i < m->n_ops; i++) {
        const Store__Op *op = m->ops[i];

        if (op->kind == STORE__OP_KIND__OP_DROP_TOPIC
            && op->topic_id.len == 16)
            *omap_slot(&s->dropped, span_of(op->topic_id.data, 16)) = s;
    }
    if (m->clock_ms > s->clock_ms)
        s->clock_ms = m->clock_ms;
    return records_apply(&s->records, &f->h, frame, err);
}

int
frames_records(struct salvage *s, struct err *err)
{
    return frames_each(s, FRAME_USE_ALL, frame_records, err);
}

/* ---- names of topics ---- */

bool
frames_find_topic(struct salvage *s, const struct uuid *id, struct buf *out)
{
    uint8_t key[17] = {META_TOPIC};
    struct buf bytes;
    struct err err;
    bool found = false;

    memcpy(key + 1, id->bytes, 16);
    buf_init(&bytes, 1 * GIB);
    for (size_t i = s->survey.count; i > 0 && !found; i--) {
        const struct survey_frame *f = &s->survey.frames[i - 1];
        Store__Manifest *m;

        if (!f->whole || survey_read(&s->survey, f, &bytes, &err) < 0)
            continue;
        m = store__manifest__unpack(NULL, f->h.manifest_length,
            bytes.ptr + FRAME_HEADER);
        for (size_t k = m->n_ops; k > 0 && !found; k--) {
            const Store__Op *op = m->ops[k - 1];

            if (op->kind != STORE__OP_KIND__OP_PUT
                || !span_eq(span_of(op->key.data, op->key.len),
                    span_of(key, sizeof key)))
                continue;
            buf_clear(out);
            buf_put(out, op->value.data, op->value.len);
            found = true;
        }
        store__manifest__free_unpacked(m, NULL);
    }
    buf_release(&bytes);
    return found;
}

/* ---- batches, blocks, trims ---- */

static int
apply_batches(struct salvage *s, const struct survey_frame *f,
    const Store__Manifest *m, struct span *rest, struct err *err)
{
    uint8_t key[17] = {META_TOPIC};
    struct span ignored;
    struct uuid id;

    for (size_t i = 0; i < m->n_batches; i++) {
        const Store__BatchRef *ref = m->batches[i];
        struct span bytes = span_of(rest->ptr, ref->length);

        rest->ptr += ref->length;
        rest->len -= ref->length;
        memcpy(id.bytes, ref->topic_id.data, 16);
        memcpy(key + 1, id.bytes, 16);
        if (!records_get(&s->records, span_of(key, sizeof key), &ignored))
            continue; /* dropped by a later frame */
        if (log_append(s, salvage_log_get(s, &id, (int32_t)ref->partition),
                bytes, f->h.epoch, err) < 0)
            return -1;
    }
    return 0;
}

static int
apply_block(struct salvage *s, const Store__StateBlock *ref,
    struct span block, struct err *err)
{
    struct arena arena;
    struct span key, value;
    int rc = 0;

    arena_init(&arena, 1 * MIB);
    while (rc == 0 && block_next(&block, &key, &value) == 1) {
        struct span at = meta_state_key(&arena, ref->store, ref->partition,
            key);

        if (at.ptr == NULL)
            rc = err_set(err, ERR_LIMIT, "no room for a key");
        else
            rc = salvage_put(s, META_STATE, at,
                value.ptr == NULL ? NULL : &value, err);
        arena_reset(&arena);
    }
    arena_release(&arena);
    return rc;
}

static int
frame_apply(struct salvage *s, const struct survey_frame *f,
    struct span frame, const Store__Manifest *m, uint8_t use,
    struct err *err)
{
    struct span rest = span_of(frame.ptr + FRAME_HEADER
        + f->h.manifest_length, frame.len - FRAME_HEADER
        - f->h.manifest_length);
    struct uuid id;

    if (apply_batches(s, f, m, &rest, err) < 0)
        return -1;
    if (use < FRAME_USE_ALL)
        return 0;
    for (size_t i = 0; i < m->n_blocks; i++) {
        const Store__StateBlock *ref = m->blocks[i];

        if (apply_block(s, ref, span_of(rest.ptr, ref->length), err) < 0)
            return -1;
        rest.ptr += ref->length;
        rest.len -= ref->length;
    }
    for (size_t i = 0; i < m->n_ops; i++) {
        const Store__Op *op = m->ops[i];

        if (op->kind != STORE__OP_KIND__OP_TRIM || op->topic_id.len != 16)
            continue;
        memcpy(id.bytes, op->topic_id.data, 16);
        log_trim(s, salvage_log_get(s, &id, (int32_t)op->partition),
            op->offset);
    }
    return 0;
}

int
frames_apply(struct salvage *s, struct err *err)
{
    return frames_each(s, FRAME_USE_BATCHES, frame_apply, err);
}
