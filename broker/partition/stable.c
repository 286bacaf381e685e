/*
 * stable.c: the transactions of one partition.
 *
 * Invariants
 *  1. open is ordered by first; a producer has at most one that is not ended.
 *     An ended one stays until its epoch is published, since readers of what
 *     is published are still held back by it.
 *  2. aborted is ordered by last: markers come in the order of offsets.
 *  3. For ranges i < k: aborted[k].first >= aborted[i].stable. So a search
 *     for what touches [from, to) begins at the first range with last >= from
 *     and ends at the first with stable >= to.
 *     Who inserts in a replay may find the range there already: the record
 *     was ahead of the frames, and knew best.
 *  4. A task finds an aborted range before it may read that far: the range
 *     is entered first, then the tail's `stable` moves.
 */
#include "config.h"

#include "partition/stable.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/check.h"

struct stable *
stable_new(void)
{
    struct stable *s = xcalloc(1, sizeof *s);

    lock_init(&s->lock);
    return s;
}

void
stable_free(void *p)
{
    struct stable *s = p;

    if (s == NULL)
        return;
    lock_release(&s->lock);
    free(s->open);
    free(s->aborted);
    free(s);
}

/* ---- open ones ---- */

void
stable_begin(struct stable *s, int64_t producer_id, int64_t first)
{
    size_t i = s->open_count;

    if (s->open_count == s->open_cap) {
        s->open_cap = s->open_cap == 0 ? 4 : s->open_cap * 2;
        s->open = xrealloc(s->open, s->open_cap * sizeof *s->open);
    }
    /* In normal life it is the newest; records come in any order. */
    while (i > 0 && s->open[i - 1].first > first) {
        s->open[i] = s->open[i - 1];
        i--;
    }
    s->open[i] = (struct stable_open){producer_id, first, 0};
    s->open_count++;
}

static void
open_prune(struct stable *s, uint64_t published)
{
    size_t kept = 0;

    for (size_t i = 0; i < s->open_count; i++)
        if (s->open[i].ended == 0 || s->open[i].ended > published)
            s->open[kept++] = s->open[i];
    s->open_count = kept;
}

int64_t
stable_linked(const struct stable *s, int64_t end)
{
    for (size_t i = 0; i < s->open_count; i++)
        if (s->open[i].ended == 0)
            return s->open[i].first < end ? s->open[i].first : end;
    return end;
}

int64_t
stable_published(const struct stable *s, uint64_t published, int64_t hw)
{
    for (size_t i = 0; i < s->open_count; i++)
        if (s->open[i].ended == 0 || s->open[i].ended > published)
            return s->open[i].first < hw ? s->open[i].first : hw;
    return hw;
}

size_t
stable_open_count(const struct stable *s)
{
    size_t n = 0;

    for (size_t i = 0; i < s->open_count; i++)
        n += s->open[i].ended == 0;
    return n;
}

/* ---- aborted ones ---- */

/* The first range that ends at or behind `from`. */
static size_t
aborted_from(const struct stable *s, int64_t from)
{
    size_t low = s->head, high = s->head + s->count;

    while (low < high) {
        size_t mid = low + (high - low) / 2;

        if (s->aborted[mid].last < from)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

static bool
aborted_knows(const struct stable *s, int64_t last)
{
    size_t i = aborted_from(s, last);

    return i < s->head + s->count && s->aborted[i].last == last;
}

static void
aborted_insert(struct stable *s, const struct stable_aborted *a)
{
    size_t i;

    if (s->head > 0 && s->head + s->count == s->cap) {
        memmove(s->aborted, s->aborted + s->head,
            s->count * sizeof *s->aborted);
        s->head = 0;
    }
    if (s->count == s->cap) {
        s->cap = s->cap == 0 ? 8 : s->cap * 2;
        s->aborted = xrealloc(s->aborted, s->cap * sizeof *s->aborted);
    }
    i = s->head + s->count;
    if (aborted_knows(s, a->last))
        return;
    while (i > s->head && s->aborted[i - 1].last > a->last) {
        s->aborted[i] = s->aborted[i - 1];
        i--;
    }
    s->aborted[i] = *a;
    s->count++;
}

void
stable_restore_aborted(struct stable *s, const struct stable_aborted *a)
{
    lock_take(&s->lock);
    aborted_insert(s, a);
    lock_give(&s->lock);
}

bool
stable_end(struct stable *s, int64_t producer_id, int64_t last,
    bool committed, uint64_t epoch, uint64_t published,
    struct stable_aborted *out)
{
    size_t i = 0, before;

    while (i < s->open_count && (s->open[i].ended != 0
            || s->open[i].producer_id != producer_id))
        i++;
    if (i == s->open_count)
        return false;
    s->open[i].ended = epoch;
    *out = (struct stable_aborted){.producer_id = producer_id,
        .first = s->open[i].first,
        .last = last,
        .stable = stable_linked(s, last + 1)};
    open_prune(s, published);
    if (committed)
        return false;
    lock_take(&s->lock);
    before = s->count;
    aborted_insert(s, out);
    lock_give(&s->lock);
    return s->count > before;
}

size_t
stable_aborted(const struct stable *s, int64_t from, int64_t to,
    struct stable_aborted *out, size_t n)
{
    size_t found = 0;

    for (size_t i = aborted_from(s, from); i < s->head + s->count; i++) {
        if (s->aborted[i].first < to) {
            if (found < n)
                out[found] = s->aborted[i];
            found++;
        }
        if (s->aborted[i].stable >= to)
            break;
    }
    return found;
}

size_t
stable_aborted_count(const struct stable *s)
{
    return s->count;
}

bool
stable_is_aborted(struct stable *s, int64_t producer_id, int64_t offset)
{
    bool aborted = false;

    lock_take(&s->lock);
    for (size_t i = aborted_from(s, offset);
         i < s->head + s->count && !aborted; i++) {
        aborted = s->aborted[i].producer_id == producer_id
            && s->aborted[i].first <= offset;
        if (s->aborted[i].stable > offset)
            break;
    }
    lock_give(&s->lock);
    return aborted;
}

size_t
stable_trim(struct stable *s, int64_t log_start, struct stable_aborted *out,
    size_t n)
{
    size_t gone = 0;

    lock_take(&s->lock);
    while (gone < n && s->count > 0 && s->aborted[s->head].last < log_start) {
        out[gone++] = s->aborted[s->head++];
        s->count--;
    }
    lock_give(&s->lock);
    return gone;
}

bool
stable_forget(struct stable *s, int64_t last, struct stable_aborted *out)
{
    size_t i = aborted_from(s, last), end = s->head + s->count;

    if (i == end || s->aborted[i].last != last)
        return false;
    *out = s->aborted[i];
    lock_take(&s->lock);
    memmove(s->aborted + i, s->aborted + i + 1,
        (end - i - 1) * sizeof *s->aborted);
    s->count--;
    lock_give(&s->lock);
    return true;
}

void
stable_check(const struct stable *s)
{
    for (size_t i = 1; i < s->open_count; i++)
        assert(s->open[i - 1].first <= s->open[i].first);
    for (size_t i = s->head + 1; i < s->head + s->count; i++) {
        assert(s->aborted[i - 1].last < s->aborted[i].last);
        assert(s->aborted[i].first >= s->aborted[i - 1].stable);
    }
}
