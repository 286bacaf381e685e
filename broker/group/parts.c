#include "config.h"

#include "group/parts.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/check.h"

int
part_cmp(const struct part *a, const struct part *b)
{
    int c = memcmp(a->topic.bytes, b->topic.bytes, sizeof a->topic.bytes);

    return c != 0 ? c
                  : (a->partition > b->partition) -
            (a->partition < b->partition);
}

static int
compare(const void *a, const void *b)
{
    return part_cmp(a, b);
}

void
parts_release(struct parts *p)
{
    free(p->v);
    *p = (struct parts){0};
}

void
parts_clear(struct parts *p)
{
    p->count = 0;
}

static void
put(struct parts *p, const struct part *part)
{
    if (p->count == p->capacity) {
        p->capacity = p->capacity == 0 ? 4 : p->capacity * 2;
        p->v = xrealloc(p->v, p->capacity * sizeof *p->v);
    }
    p->v[p->count++] = *part;
}

void
parts_push(struct parts *p, const struct uuid *topic, int32_t partition)
{
    put(p, &(struct part){*topic, partition});
}

void
parts_sort(struct parts *p)
{
    uint32_t n = 0;

    if (p->count == 0) {
        return;
    }
    qsort(p->v, p->count, sizeof *p->v, compare);
    for (uint32_t i = 1; i < p->count; i++) {
        if (part_cmp(&p->v[n], &p->v[i]) != 0) {
            p->v[++n] = p->v[i];
        }
    }
    p->count = n + 1;
}

bool
parts_has(const struct parts *p, const struct part *part)
{
    uint32_t low = 0, high = p->count;

    while (low < high) {
        uint32_t mid = low + (high - low) / 2;

        if (part_cmp(&p->v[mid], part) < 0) {
            low = mid + 1;
        } else {
            high = mid;
        }
    }
    return low < p->count && part_cmp(&p->v[low], part) == 0;
}

bool
parts_eq(const struct parts *a, const struct parts *b)
{
    if (a->count != b->count) {
        return false;
    }
    for (uint32_t i = 0; i < a->count; i++) {
        if (part_cmp(&a->v[i], &b->v[i]) != 0) {
            return false;
        }
    }
    return true;
}

/* The walk over both: which of the two has what comes next. */
enum walk { IN_A = 1, IN_B = 2 };

static void
merge(struct parts *out, const struct parts *a, const struct parts *b,
    unsigned keep)
{
    uint32_t i = 0, k = 0;

    out->count = 0;
    while (i < a->count || k < b->count) {
        int c = i == a->count ? 1
            : k == b->count   ? -1
                              : part_cmp(&a->v[i], &b->v[k]);
        unsigned in = c < 0 ? IN_A : c > 0 ? IN_B : IN_A | IN_B;

        if (keep >> in & 1) {
            put(out, in & IN_A ? &a->v[i] : &b->v[k]);
        }
        i += in & IN_A;
        k += (in & IN_B) != 0;
    }
}

bool
parts_meet(const struct parts *a, const struct parts *b)
{
    uint32_t i = 0, k = 0;

    while (i < a->count && k < b->count) {
        int c = part_cmp(&a->v[i], &b->v[k]);

        if (c == 0) {
            return true;
        }
        i += c < 0;
        k += c > 0;
    }
    return false;
}

void
parts_copy(struct parts *out, const struct parts *a)
{
    out->count = 0;
    for (uint32_t i = 0; i < a->count; i++) {
        put(out, &a->v[i]);
    }
}

void
parts_both(struct parts *out, const struct parts *a, const struct parts *b)
{
    merge(out, a, b, 1u << (IN_A | IN_B));
}

void
parts_minus(struct parts *out, const struct parts *a, const struct parts *b)
{
    merge(out, a, b, 1u << IN_A);
}

void
parts_union(struct parts *out, const struct parts *a, const struct parts *b)
{
    merge(out, a, b, 1u << IN_A | 1u << IN_B | 1u << (IN_A | IN_B));
}

void
parts_swap(struct parts *a, struct parts *b)
{
    struct parts t = *a;

    *a = *b;
    *b = t;
}

size_t
parts_topics(const struct parts *p)
{
    size_t n = 0;

    for (uint32_t i = 0; i < p->count; i++) {
        n += i == 0 || !uuid_eq(&p->v[i - 1].topic, &p->v[i].topic);
    }
    return n;
}

void
parts_check(const struct parts *p)
{
    for (uint32_t i = 1; i < p->count; i++) {
        assert(part_cmp(&p->v[i - 1], &p->v[i]) < 0);
    }
}
