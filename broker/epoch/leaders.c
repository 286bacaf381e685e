/* leaders.c: the leader epochs of a log. */
#include "config.h"

#include "epoch/leaders.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "proto/store.pb-c.h"

void
leaders_release(struct leaders *l)
{
    free(l->v);
    *l = (struct leaders){0};
}

void
leaders_note(struct leaders *l, int32_t epoch, int64_t start)
{
    if (l->n > 0 && epoch <= l->v[l->n - 1].epoch)
        return;
    if (l->n == l->cap) {
        l->cap = l->cap == 0 ? 2 : l->cap * 2;
        l->v = xrealloc(l->v, l->cap * sizeof *l->v);
    }
    l->v[l->n++] = (struct leader_start){epoch, start};
}

void
leaders_trim(struct leaders *l, int64_t log_start)
{
    size_t gone = 0;

    while (gone + 1 < l->n && l->v[gone + 1].start <= log_start)
        gone++;
    if (gone == 0)
        return;
    l->n -= gone;
    memmove(l->v, l->v + gone, l->n * sizeof *l->v);
}

void
leaders_end(const struct leaders *l, int32_t epoch, int32_t now, int64_t end,
    int32_t *found, int64_t *found_end)
{
    size_t next = 0;

    *found = -1;
    *found_end = -1;
    if (epoch < 0 || epoch > now)
        return;
    while (next < l->n && l->v[next].epoch <= epoch)
        next++;
    *found = next == 0 || epoch == now ? epoch : l->v[next - 1].epoch;
    /* The present epoch begins at the end if it has no records yet. */
    *found_end = epoch < now && next < l->n && l->v[next].start < end
        ? l->v[next].start : end;
}

void
leaders_pack(const struct leaders *l, int64_t written, bool identity,
    struct buf *out)
{
    Store__PartitionLog m = STORE__PARTITION_LOG__INIT;
    Store__LeaderEpoch *v = xcalloc(l->n + 1, sizeof *v);

    m.identity = identity;
    m.leader_epochs = xcalloc(l->n + 1, sizeof *m.leader_epochs);
    for (size_t i = 0; i < l->n && l->v[i].start < written; i++) {
        store__leader_epoch__init(&v[i]);
        v[i].epoch = l->v[i].epoch;
        v[i].start_offset = l->v[i].start;
        m.leader_epochs[m.n_leader_epochs++] = &v[i];
    }
    /* Messages put behind one another are one message. */
    store__partition_log__pack(&m,
        buf_grow(out, store__partition_log__get_packed_size(&m)));
    free(m.leader_epochs);
    free(v);
}

void
leaders_unpack(struct span record, struct leaders *l, bool *identity)
{
    Store__PartitionLog *m
        = store__partition_log__unpack(NULL, record.len, record.ptr);

    leaders_release(l);
    *identity = m != NULL && m->identity;
    for (size_t i = 0; m != NULL && i < m->n_leader_epochs; i++)
        leaders_note(l, m->leader_epochs[i]->epoch,
            m->leader_epochs[i]->start_offset);
    store__partition_log__free_unpacked(m, NULL);
}
