/* logrec.c: the record of a log. */
#include "config.h"

#include "epoch/logrec.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/check.h"
#include "proto/store.pb-c.h"

static void
segment_fill(const struct plog_segment *g, Store__Segment *to)
{
    store__segment__init(to);
    to->base_offset = g->base_offset;
    to->epoch = g->epoch;
    to->size = g->size;
    to->last_offset = g->last_offset;
    to->max_timestamp = g->max_timestamp;
    to->first_timestamp = g->first_timestamp;
}

/* Its size must fit. */
static struct plog_segment
segment_of(const Store__Segment *g)
{
    return (struct plog_segment){.base_offset = g->base_offset,
        .epoch = g->epoch,
        .size = (uint32_t)g->size,
        .last_offset = g->last_offset,
        .first_timestamp = g->first_timestamp,
        .max_timestamp = g->max_timestamp};
}

void
logrec_pack(const struct plog_state *st, struct buf *out)
{
    Store__PartitionLog m = STORE__PARTITION_LOG__INIT;
    Store__Segment *segs = xcalloc(st->segment_count + 1, sizeof *segs);
    Store__SegmentName *names = xcalloc(st->doomed_count + 1, sizeof *names);

    m.log_start = st->log_start;
    m.written = st->written;
    m.cleaned = st->cleaned;
    m.segments = xcalloc(st->segment_count + 1, sizeof *m.segments);
    m.doomed = xcalloc(st->doomed_count + 1, sizeof *m.doomed);
    for (; m.n_segments < st->segment_count; m.n_segments++) {
        segment_fill(&st->segments[m.n_segments], &segs[m.n_segments]);
        m.segments[m.n_segments] = &segs[m.n_segments];
    }
    for (; m.n_doomed < st->doomed_count; m.n_doomed++) {
        store__segment_name__init(&names[m.n_doomed]);
        names[m.n_doomed].base_offset = st->doomed[m.n_doomed].base_offset;
        names[m.n_doomed].epoch = st->doomed[m.n_doomed].epoch;
        m.doomed[m.n_doomed] = &names[m.n_doomed];
    }
    buf_clear(out);
    store__partition_log__pack(&m,
        buf_grow(out, store__partition_log__get_packed_size(&m)));
    free(m.segments);
    free(m.doomed);
    free(segs);
    free(names);
}

static int
log_state(const Store__PartitionLog *m, struct plog_state *st)
{
    memset(st, 0, sizeof *st);
    st->log_start = m->log_start;
    st->written = m->written;
    st->cleaned = m->cleaned;
    st->segments = xcalloc(m->n_segments + 1, sizeof *st->segments);
    st->doomed = xcalloc(m->n_doomed + 1, sizeof *st->doomed);
    for (size_t i = 0; i < m->n_segments; i++) {
        const Store__Segment *g = m->segments[i];

        if (g->size > UINT32_MAX)
            return -1;
        st->segments[st->segment_count++] = segment_of(g);
    }
    for (size_t i = 0; i < m->n_doomed; i++)
        st->doomed[st->doomed_count++] = (struct plog_name){
            m->doomed[i]->base_offset, m->doomed[i]->epoch};
    return 0;
}

int
logrec_unpack(struct span value, struct plog_state *st, struct err *err)
{
    Store__PartitionLog *m
        = store__partition_log__unpack(NULL, value.len, value.ptr);
    int rc = 0;

    memset(st, 0, sizeof *st);
    if (m == NULL || log_state(m, st) < 0)
        rc = err_set(err, ERR_DAMAGE, "the record of a log is no message");
    store__partition_log__free_unpacked(m, NULL);
    return rc;
}

size_t
logrec_pack_segment(const struct plog_segment *g, uint8_t out[LOGREC_SEGMENT])
{
    Store__Segment m;

    segment_fill(g, &m);
    assert(store__segment__get_packed_size(&m) <= LOGREC_SEGMENT);
    return store__segment__pack(&m, out);
}

int
logrec_unpack_segment(struct span value, struct plog_segment *g,
    struct err *err)
{
    Store__Segment *m = store__segment__unpack(NULL, value.len, value.ptr);
    bool good = m != NULL && (m->epoch & PLOG_CLEANED) != 0
        && m->base_offset >= 0 && m->last_offset >= m->base_offset
        && m->last_offset - m->base_offset <= INT32_MAX
        && m->size > 0 && m->size <= INT32_MAX;

    if (good)
        *g = segment_of(m);
    store__segment__free_unpacked(m, NULL);
    return good ? 0 : err_set(err, ERR_DAMAGE, "the record of a cleaned "
        "segment is off");
}
