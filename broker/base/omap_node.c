/*
 * The inside of one node of an omap: finding, inserting, and what the keys
 * have in common. See omap.c for the layout and the invariants.
 */
#include "config.h"
#include "base/omap_priv.h"

#include "base/check.h"
#include "base/endian.h"

static uint64_t
load_partial(const uint8_t *p, size_t n)
{
    uint64_t v = 0;

    for (size_t i = 0; i < n; i++)
        v |= (uint64_t)p[i] << (56 - 8 * i);
    return v;
}

uint64_t
omap_head(const uint8_t *key, size_t len, size_t skip)
{
    if (len >= skip + 8)
        return get_be64(key + skip);
    return len <= skip ? 0 : load_partial(key + skip, len - skip);
}

void
omap_probe(struct omap_probe *p, struct span key)
{
    const size_t most = OMAP_PREFIX_MAX + 16;
    size_t left = key.len < most ? key.len : most;
    const uint8_t *at = key.ptr;
    unsigned i = 0;

    p->key = key;
    for (; left >= 8; left -= 8, at += 8)
        p->words[i++] = get_be64(at);
    if (left > 0)
        p->words[i++] = load_partial(at, left);
    while (i < countof(p->words))
        p->words[i++] = 0;
}

/* Eight bytes at any byte of an array of words; reads one word further. */
static uint64_t
word_at(const uint64_t *words, unsigned byte)
{
    unsigned i = byte / 8, shift = byte % 8 * 8;

    return words[i] << shift | words[i + 1] >> 1 >> (63 - shift);
}

size_t
omap_common(struct span a, struct span b)
{
    size_t n = a.len < b.len ? a.len : b.len, i = 0;

    while (i + 8 <= n && get_be64(a.ptr + i) == get_be64(b.ptr + i))
        i += 8;
    while (i < n && a.ptr[i] == b.ptr[i])
        i++;
    return i;
}

int
omap_node_prefix_cmp(const struct omap_node *n, const struct omap_probe *p)
{
    unsigned i, rest = n->skip % 8 * 8;
    uint64_t mask;

    for (i = 0; i < n->skip / 8u; i++)
        if (p->words[i] != n->prefix[i])
            return p->words[i] < n->prefix[i] ? -1 : 1;
    if (rest == 0)
        return 0;
    mask = ~(UINT64_MAX >> rest);
    if ((p->words[i] & mask) == n->prefix[i])
        return 0;
    return (p->words[i] & mask) < n->prefix[i] ? -1 : 1;
}

/* How many heads are less: a binary search that does not branch on data. */
static unsigned
heads_below(const struct omap_node *n, uint64_t head)
{
    const uint64_t *base = n->heads;
    unsigned left = n->count;

    while (left > 1) {
        unsigned half = left / 2;

        base += -(size_t)(base[half - 1] < head) & half;
        left -= half;
    }
    return (unsigned)(base - n->heads) + (left == 1 && *base < head);
}

/* The order of entry i, whose head is the key's, and the key. */
static int
entry_cmp(const struct omap_node *n, unsigned i, const struct omap_probe *p)
{
    uint64_t tail = word_at(p->words, n->skip + 8u);
    size_t len = n->lens[i], inlined = n->skip + 16u;

    if (n->tails[i] != tail)
        return n->tails[i] < tail ? -1 : 1;
    if (len <= inlined || p->key.len <= inlined)
        return (len > p->key.len) - (len < p->key.len);
    return span_cmp(omap_node_key(n, i), p->key);
}

/* Among entries from `i` on with the head of the key: the first that is not
 * less than it. */
static unsigned
settle_ties(const struct omap_node *n, unsigned i, uint64_t head,
    const struct omap_probe *p, bool *equal)
{
    unsigned end = i + 1;

    while (end < n->count && n->heads[end] == head)
        end++;
    while (i < end) {
        unsigned mid = (i + end) / 2;
        int c = entry_cmp(n, mid, p);

        if (c == 0) {
            *equal = true;
            return mid;
        }
        if (c < 0)
            i = mid + 1;
        else
            end = mid;
    }
    return i;
}

unsigned
omap_node_find(const struct omap_node *n, const struct omap_probe *p,
    bool *equal)
{
    int c = n->skip == 0 ? 0 : omap_node_prefix_cmp(n, p);
    uint64_t head;
    unsigned i;

    *equal = false;
    if (c != 0)
        return c < 0 ? 0 : n->count;
    head = word_at(p->words, n->skip);
    i = heads_below(n, head);
    if (i == n->count || n->heads[i] != head)
        return i;
    return settle_ties(n, i, head, p, equal);
}

static void
set_prefix(struct omap_node *n, const uint64_t *words, unsigned skip)
{
    for (unsigned i = 0; i < OMAP_PREFIX_WORDS; i++) {
        unsigned bytes = skip <= i * 8 ? 0 : skip - i * 8;

        n->prefix[i] = bytes >= 8 ? words[i]
            : bytes == 0 ? 0 : words[i] & ~(UINT64_MAX >> bytes * 8);
    }
    n->skip = (uint8_t)skip;
}

/* Less is in common: bytes go from the prefix into the heads. */
static void
shorten_prefix(struct omap_node *n, unsigned skip)
{
    unsigned at = n->skip / 8, shift = n->skip % 8 * 8;
    uint64_t words[OMAP_PREFIX_WORDS + 3] = {0}, partial;

    memcpy(words, n->prefix, sizeof n->prefix);
    partial = words[at];
    for (unsigned i = 0; i < n->count; i++) {
        uint64_t pair[3] = {n->heads[i], n->tails[i], 0};

        words[at] = partial | pair[0] >> shift;
        words[at + 1] = word_at(pair, 8 - n->skip % 8u);
        words[at + 2] = shift == 0 ? 0 : pair[1] << 1 << (63 - shift);
        n->heads[i] = word_at(words, skip);
        n->tails[i] = word_at(words, skip + 8);
    }
    set_prefix(n, n->prefix, skip);
}

/* Makes invariant 4 hold for one more key. */
static void
admit_key(struct omap_node *n, const struct omap_probe *p)
{
    unsigned same = 0, max = OMAP_PREFIX_MAX;

    if (p->key.len < max)
        max = (unsigned)p->key.len;
    if (n->count == 0) {
        set_prefix(n, p->words, max);
        return;
    }
    if (n->skip < max)
        max = n->skip;
    while (same < max) {
        uint64_t differ = p->words[same / 8] ^ n->prefix[same / 8];

        if (differ != 0) {
            same += (unsigned)__builtin_clzll(differ) / 8;
            break;
        }
        same += 8;
    }
    if (same > max)
        same = max;
    if (same < n->skip)
        shorten_prefix(n, same);
}

void
omap_node_move(struct omap_node *to, unsigned i, const struct omap_node *from,
    unsigned j, unsigned count)
{
    memmove(to->heads + i, from->heads + j, count * sizeof to->heads[0]);
    memmove(to->tails + i, from->tails + j, count * sizeof to->tails[0]);
    memmove(to->values + i, from->values + j, count * sizeof to->values[0]);
    memmove(to->lens + i, from->lens + j, count * sizeof to->lens[0]);
    memmove(to->keys + i, from->keys + j, count * sizeof to->keys[0]);
}

void
omap_node_insert(struct omap_node *n, unsigned i, const struct omap_probe *p,
    struct omap_entry e)
{
    assert(n->count < OMAP_NODE_MAX);
    admit_key(n, p);
    omap_node_move(n, i + 1, n, i, n->count - i);
    n->heads[i] = word_at(p->words, n->skip);
    n->tails[i] = word_at(p->words, n->skip + 8u);
    n->keys[i] = e.key;
    n->lens[i] = (uint32_t)e.len;
    n->values[i] = e.value;
    n->count++;
}

void
omap_node_remove(struct omap_node *n, unsigned i)
{
    n->count--;
    omap_node_move(n, i, n, i + 1, n->count - i);
}

/* After entries have come or gone at an end: what have they in common now?
 * Since they are in order, that is what the first and the last have. */
void
omap_node_rehead(struct omap_node *n)
{
    struct omap_probe p;
    struct span first, last;
    size_t skip;

    if (n->count == 0)
        return;
    first = omap_node_key(n, 0);
    last = omap_node_key(n, n->count - 1u);
    skip = omap_common(first, last);
    if (skip > OMAP_PREFIX_MAX)
        skip = OMAP_PREFIX_MAX;
    omap_probe(&p, first);
    set_prefix(n, p.words, (unsigned)skip);
    for (unsigned i = 0; i < n->count; i++) {
        n->heads[i] = omap_head(n->keys[i], n->lens[i], skip);
        n->tails[i] = omap_head(n->keys[i], n->lens[i], skip + 8);
    }
}
