/*
 * A B+ tree. Each node holds up to NODE_MAX entries in order: in a leaf a
 * key and its value, above a separator and the child to its right; the child
 * left of all separators is `first`.
 *
 *      count skip first next prefix | heads | tails | values | lens | keys
 *      ------------ one -----------   ---- NODE_MAX of each ------   cold
 *
 * A search looks at heads, as big-endian integers, so that their order is the
 * order of bytes. Keys of one node are neighbours and begin alike, so what
 * all have in common (`skip` bytes, kept in `prefix`) stands apart and the
 * head is the eight bytes after it, the tail eight more. Where a key ends
 * early it is filled with zeros: so the order of heads and tails says "less"
 * or "don't know"; then lengths decide, and only if a key goes on after its
 * tail need the key itself be read.
 *
 * Time goes into waiting for memory, not into comparing: a leaf of a large
 * map is in no cache. So all that a search may touch lies together and is
 * asked for at once (node_prefetch), which made a get among a million keys
 * 1.7 times as fast as records of key, length and value behind the heads.
 *
 *  1. Keys in the tree are unique and ascend, along a node and from leaf to
 *     leaf by `next`.
 *  2. All leaves have the same depth.
 *  3. A separator is > each key to its left and <= each key to its right. It
 *     is as short as that allows and has its own memory.
 *  4. Each key of a node begins with `prefix` and has at least `skip` bytes;
 *     head and tail are the 16 bytes after them. skip <= PREFIX_MAX.
 *  5. Every node but the root and the last of each level has at least
 *     NODE_MIN entries. (The last may have fewer: keys that come in order
 *     fill nodes to the brim instead of leaving them half empty.)
 *  6. The root above leaves has an entry; a map without keys has no root.
 */
#include "config.h"
#include "base/omap.h"

#include "base/check.h"
#include "base/omap_priv.h"
#include "base/pool.h"

enum { DEPTH_MAX = 16 };

/* The way down to a leaf: at each node above it, which child was taken
 * (0: first, i: the one of entry i - 1). */
struct path {
    struct omap_node *nodes[DEPTH_MAX];
    unsigned turns[DEPTH_MAX];
    unsigned depth;
};

static struct omap_entry
node_entry(const struct omap_node *n, unsigned i)
{
    return (struct omap_entry){n->keys[i], n->lens[i], n->values[i]};
}

static struct omap_node *
node_child(const struct omap_node *n, unsigned turn)
{
    return turn == 0 ? n->first : n->values[turn - 1];
}

/* Which child has the key. */
static unsigned
node_turn(const struct omap_node *n, const struct omap_probe *p)
{
    bool equal;
    unsigned i = omap_node_find(n, p, &equal);

    return i + equal;
}

/* ------------------------------------------------------------------ memory */

static struct omap_node *
node_new(struct omap *m, unsigned level)
{
    struct omap_node *n = pool_take(m->pool, sizeof *n);

    n->count = 0;
    n->level = (uint8_t)level;
    n->skip = 0;
    n->first = n->next = NULL;
    return n;
}

static const uint8_t *
key_copy(struct omap *m, struct span key)
{
    uint8_t *p = pool_take(m->pool, key.len);

    if (key.len != 0)
        memcpy(p, key.ptr, key.len);
    return p;
}

static void
key_free(struct omap *m, const struct omap_node *n, unsigned i)
{
    pool_give(m->pool, (void *)(uintptr_t)n->keys[i], n->lens[i]);
}

void
omap_init(struct omap *m)
{
    *m = (struct omap){0};
}

void
omap_release(struct omap *m, void (*fn)(void *value, void *arg), void *arg)
{
    if (fn != NULL)
        for (struct omap_node *n = m->head; n != NULL; n = n->next)
            for (unsigned i = 0; i < n->count; i++)
                fn(n->values[i], arg);
    pool_free(m->pool);
    omap_init(m);
}

/* ------------------------------------------------------------------ search */

/* Asks at once for all that a search may touch, instead of for one line after
 * the other. */
static void
node_prefetch(const struct omap_node *n)
{
    const char *p = (const char *)n;

    for (size_t i = 0; i < offsetof(struct omap_node, keys); i += 64)
        __builtin_prefetch(p + i);
}

static struct omap_node *
leaf_of(const struct omap *m, const struct omap_probe *p)
{
    struct omap_node *n = m->root;

    while (n->level > 0) {
        n = node_child(n, node_turn(n, p));
        node_prefetch(n);
    }
    return n;
}

void *
omap_get(const struct omap *m, struct span key)
{
    struct omap_probe p;
    struct omap_node *leaf;
    bool equal;
    unsigned i;

    if (m->root == NULL)
        return NULL;
    omap_probe(&p, key);
    leaf = leaf_of(m, &p);
    i = omap_node_find(leaf, &p, &equal);
    return equal ? leaf->values[i] : NULL;
}

void
omap_seek(const struct omap *m, struct span from, struct omap_iter *it)
{
    struct omap_probe p;
    bool equal;

    *it = (struct omap_iter){m->head, 0};
    if (m->root == NULL || from.len == 0)
        return;
    omap_probe(&p, from);
    it->leaf = leaf_of(m, &p);
    it->slot = omap_node_find(it->leaf, &p, &equal);
}

bool
omap_next(struct omap_iter *it, struct span *key, void **value)
{
    while (it->leaf != NULL && it->slot >= it->leaf->count) {
        it->leaf = it->leaf->next;
        it->slot = 0;
        if (it->leaf != NULL && it->leaf->next != NULL)
            node_prefetch(it->leaf->next);
    }
    if (it->leaf == NULL)
        return false;
    *key = omap_node_key(it->leaf, it->slot);
    *value = it->leaf->values[it->slot++];
    return true;
}

static struct omap_node *
leaf_path(const struct omap *m, const struct omap_probe *p, struct path *path)
{
    struct omap_node *n = m->root;

    path->depth = 0;
    while (n->level > 0) {
        unsigned turn = node_turn(n, p);

        assert(path->depth < DEPTH_MAX);
        path->nodes[path->depth] = n;
        path->turns[path->depth++] = turn;
        n = node_child(n, turn);
        node_prefetch(n);
    }
    return n;
}

/* ------------------------------------------------------------------ insert */

/* Moves the entries from `at` on to a new node on the right. */
static struct omap_node *
node_split(struct omap *m, struct omap_node *n, unsigned at)
{
    struct omap_node *right = node_new(m, n->level);
    unsigned count = n->count - at;

    omap_node_move(right, 0, n, at, count);
    right->count = (uint16_t)count;
    n->count = (uint16_t)at;
    right->next = n->next;
    n->next = n->level == 0 ? right : NULL;
    omap_node_rehead(right);
    omap_node_rehead(n);
    return right;
}

/* The shortest key that is > left and <= right. */
static struct omap_entry
separator_between(struct omap *m, struct span left, struct span right)
{
    size_t len = omap_common(left, right) + 1;

    assert(len <= right.len);
    return (struct omap_entry){key_copy(m, span_of(right.ptr, len)), len, NULL};
}

/* The root has become two: `sep` and what is right of it. */
static void
root_grow(struct omap *m, struct omap_entry sep)
{
    struct omap_node *root = node_new(m, m->root->level + 1u);
    struct omap_probe p;

    root->first = m->root;
    omap_probe(&p, span_of(sep.key, sep.len));
    omap_node_insert(root, 0, &p, sep);
    m->root = root;
}

/* Cuts a full node above the leaves so that entry `i` has room; the one in
 * the middle moves up. Returns what the parent gets. */
static struct omap_entry
inner_split(struct omap *m, struct omap_node *n, unsigned i,
    const struct omap_probe *p, struct omap_entry e, bool last)
{
    unsigned at = last && i == n->count ? OMAP_NODE_MAX - 1 : OMAP_NODE_MAX / 2;
    struct omap_entry up;
    struct omap_node *right = node_new(m, n->level);

    up = node_entry(n, at);
    right->first = up.value;
    right->count = (uint16_t)(n->count - at - 1);
    omap_node_move(right, 0, n, at + 1, right->count);
    n->count = (uint16_t)at;
    omap_node_rehead(right);
    omap_node_rehead(n);
    if (i <= at)
        omap_node_insert(n, i, p, e);
    else
        omap_node_insert(right, i - at - 1, p, e);
    up.value = right;
    return up;
}

/* Brings the separator of a split into the nodes above, splitting them. */
static void
insert_upward(struct omap *m, struct path *path, bool last,
    struct omap_entry sep)
{
    while (path->depth > 0) {
        struct omap_node *n = path->nodes[--path->depth];
        unsigned i = path->turns[path->depth];
        struct omap_probe p;

        omap_probe(&p, span_of(sep.key, sep.len));
        if (n->count < OMAP_NODE_MAX) {
            omap_node_insert(n, i, &p, sep);
            return;
        }
        sep = inner_split(m, n, i, &p, sep, last);
    }
    root_grow(m, sep);
}

/* Inserts into a full leaf; returns the place of the value. */
static void **
leaf_split(struct omap *m, struct omap_node *leaf, unsigned i,
    const struct omap_probe *p, struct omap_entry e, struct path *path)
{
    bool last = leaf->next == NULL;
    unsigned at = last && i == leaf->count ? OMAP_NODE_MAX : OMAP_NODE_MAX / 2;
    struct omap_node *right = node_split(m, leaf, at), *n = leaf;
    struct omap_entry sep;

    if (i > at || at == OMAP_NODE_MAX) {
        n = right;
        i -= at;
    }
    omap_node_insert(n, i, p, e);
    sep = separator_between(m, omap_node_key(leaf, leaf->count - 1u),
        omap_node_key(right, 0));
    sep.value = right;
    insert_upward(m, path, last, sep);
    return &n->values[i];
}

void **
omap_slot(struct omap *m, struct span key)
{
    struct omap_probe p;
    struct path path;
    struct omap_node *leaf;
    struct omap_entry e;
    bool equal;
    void **slot;
    unsigned i;

    if (m->root == NULL) {
        m->pool = pool_new();
        m->root = m->head = node_new(m, 0);
    }
    omap_probe(&p, key);
    leaf = leaf_path(m, &p, &path);
    i = omap_node_find(leaf, &p, &equal);
    if (equal)
        return &leaf->values[i];
    assert(key.len <= UINT32_MAX);
    e = (struct omap_entry){key_copy(m, key), key.len, NULL};
    if (leaf->count < OMAP_NODE_MAX) {
        omap_node_insert(leaf, i, &p, e);
        slot = &leaf->values[i];
    } else {
        slot = leaf_split(m, leaf, i, &p, e, &path);
    }
    m->count++;
    m->bytes = pool_bytes(m->pool);
    return slot;
}

/* ------------------------------------------------------------------ delete */

static void
node_fill(struct omap_node *n, const struct omap_entry *row, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        n->keys[i] = row[i].key;
        n->lens[i] = (uint32_t)row[i].len;
        n->values[i] = row[i].value;
    }
    n->count = (uint16_t)count;
    omap_node_rehead(n);
}

/* Takes what stands in child `k` and the one right of it, with the separator
 * between them if they are no leaves, as one row. */
static unsigned
gather(const struct omap_node *parent, unsigned k, struct omap_entry *row)
{
    const struct omap_node *left = node_child(parent, k);
    const struct omap_node *right = node_child(parent, k + 1);
    unsigned count = 0;

    for (unsigned i = 0; i < left->count; i++)
        row[count++] = node_entry(left, i);
    if (left->level > 0) {
        row[count] = node_entry(parent, k);
        row[count++].value = right->first;
    }
    for (unsigned i = 0; i < right->count; i++)
        row[count++] = node_entry(right, i);
    return count;
}

/* Shares a row between the two; the parent's entry `k` gets its new key. */
static void
share(struct omap *m, struct omap_node *parent, unsigned k,
    const struct omap_entry *row, unsigned count)
{
    struct omap_node *left = node_child(parent, k);
    struct omap_node *right = node_child(parent, k + 1);
    unsigned half = count / 2;
    struct omap_entry sep = row[half];
    struct omap_probe p;

    if (left->level > 0) {
        right->first = sep.value;
        node_fill(right, row + half + 1, count - half - 1);
    } else {
        key_free(m, parent, k);
        sep = separator_between(m, span_of(row[half - 1].key,
            row[half - 1].len), span_of(sep.key, sep.len));
        node_fill(right, row + half, count - half);
    }
    node_fill(left, row, half);
    sep.value = right;
    omap_node_remove(parent, k);
    omap_probe(&p, span_of(sep.key, sep.len));
    omap_node_insert(parent, k, &p, sep);
}

/* Child `turn` has too few: it and a neighbour become one, or share. */
static void
refill(struct omap *m, struct omap_node *parent, unsigned turn)
{
    struct omap_entry row[2 * OMAP_NODE_MAX + 1];
    unsigned k = turn < parent->count ? turn : parent->count - 1u;
    struct omap_node *left, *right;
    unsigned count;

    assert(k < parent->count);
    left = node_child(parent, k);
    right = node_child(parent, k + 1);
    count = gather(parent, k, row);
    if (count > OMAP_NODE_MERGE) {
        share(m, parent, k, row, count);
        return;
    }
    if (left->level == 0) {
        key_free(m, parent, k);
        left->next = right->next;
    }
    node_fill(left, row, count);
    pool_give(m->pool, right, sizeof *right);
    omap_node_remove(parent, k);
}

static void
shrink(struct omap *m, struct omap_node *n, struct path *path)
{
    while (path->depth > 0 && n->count < OMAP_NODE_MIN) {
        n = path->nodes[--path->depth];
        refill(m, n, path->turns[path->depth]);
    }
    n = m->root;
    if (n->level > 0 && n->count == 0) {
        m->root = n->first;
        pool_give(m->pool, n, sizeof *n);
    }
}

void *
omap_del(struct omap *m, struct span key)
{
    struct omap_probe p;
    struct path path;
    struct omap_node *leaf;
    bool equal;
    unsigned i;
    void *value;

    if (m->root == NULL)
        return NULL;
    omap_probe(&p, key);
    leaf = leaf_path(m, &p, &path);
    i = omap_node_find(leaf, &p, &equal);
    if (!equal)
        return NULL;
    value = leaf->values[i];
    if (m->count == 1) {
        omap_release(m, NULL, NULL);
        return value;
    }
    key_free(m, leaf, i);
    omap_node_remove(leaf, i);
    shrink(m, leaf, &path);
    m->count--;
    m->bytes = pool_bytes(m->pool);
    return value;
}

/* ------------------------------------------------------------------- check */

struct walk {
    const struct omap_node *leaf;        /* the one that must come next */
    size_t count, bytes;
};

static size_t
held(size_t len)
{
    struct pool *p = pool_new();
    size_t n;

    (void)pool_take(p, len);
    n = pool_bytes(p);
    pool_free(p);
    return n;
}

static void
check_heads(const struct omap_node *n)
{
    for (unsigned i = 0; i < n->count; i++) {
        struct span key = omap_node_key(n, i);
        struct omap_probe p;

        omap_probe(&p, key);
        assert(key.len >= n->skip);
        assert(omap_node_prefix_cmp(n, &p) == 0);
        assert(n->heads[i] == omap_head(key.ptr, key.len, n->skip));
        assert(n->tails[i] == omap_head(key.ptr, key.len, n->skip + 8u));
    }
}

/* All keys below n are >= low and < high (a null span: no bound). */
static void
check_node(const struct omap_node *n, struct span low, struct span high,
    bool last, bool root, struct walk *w)
{
    assert(n->count <= OMAP_NODE_MAX);
    assert(root || last || n->count >= OMAP_NODE_MIN);
    assert(n->count > 0);
    check_heads(n);
    w->bytes += held(sizeof *n);
    if (n->level == 0) {
        assert(w->leaf == n);
        w->leaf = n->next;
        w->count += n->count;
    } else {
        check_node(n->first, low, omap_node_key(n, 0), false, false, w);
    }
    for (unsigned i = 0; i < n->count; i++) {
        struct span key = omap_node_key(n, i);
        bool end = i + 1u == n->count;
        struct span next = end ? high : omap_node_key(n, i + 1);
        const struct omap_node *child = n->values[i];

        w->bytes += held(key.len);
        assert(low.ptr == NULL || span_cmp(low, key) <= 0);
        assert(next.ptr == NULL || span_cmp(key, next) < 0);
        if (n->level == 0)
            continue;
        assert(child->level + 1 == n->level);
        assert(n->first->level + 1 == n->level);
        check_node(child, key, next, last && end, false, w);
    }
}

void
omap_check(const struct omap *m)
{
    struct walk w = {m->head, 0, 0};

    if (m->root == NULL) {
        assert(m->head == NULL && m->pool == NULL);
        assert(m->count == 0 && m->bytes == 0);
        return;
    }
    check_node(m->root, SPAN_NULL, SPAN_NULL, true, true, &w);
    assert(w.leaf == NULL);
    assert(w.count == m->count);
    assert(w.bytes == m->bytes);
}
