#include "config.h"

#include "plog/segcache.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/check.h"

struct segcache *
segcache_new(struct world *world, unsigned open_max, size_t index_bytes_max)
{
    struct segcache *c = xcalloc(1, sizeof *c);

    c->world = world;
    c->open_max = open_max;
    c->index_bytes_max = index_bytes_max;
    lock_init(&c->lock);
    TAILQ_INIT(&c->idle);
    atomic_init(&c->writers, 0);
    return c;
}

void
segcache_free(struct segcache *c)
{
    if (c == NULL)
        return;
    assert(TAILQ_EMPTY(&c->idle));
    assert(c->open == 0);
    assert(c->sealed_bytes == 0);
    assert(c->active_bytes == 0);
    lock_release(&c->lock);
    free(c);
}

void
segcache_counts(struct segcache *c, struct segcache_counts *out)
{
    lock_take(&c->lock);
    out->open = c->open;
    out->index_bytes = c->sealed_bytes + c->active_bytes;
    out->opens = c->opens;
    out->evictions = c->evictions;
    out->index_rebuilds = c->rebuilds;
    lock_give(&c->lock);
    out->writers = atomic_load(&c->writers);
}

/* ---------------------------------------------------------------- locked */

static size_t *
bytes_of(struct segslot *s, struct segcache *c)
{
    return s->active ? &c->active_bytes : &c->sealed_bytes;
}

static void
index_drop_locked(struct segslot *s, struct segcache *c)
{
    *bytes_of(s, c) -= offidx_bytes(&s->idx);
    offidx_release(&s->idx);
}

/* Out of the idle list; its descriptor is the caller's to close. */
static int
evict_locked(struct segslot *s, struct segcache *c)
{
    int fd = s->fd;

    assert(s->users == 0);
    TAILQ_REMOVE(&c->idle, s, link);
    c->open--;
    s->fd = -1;
    if (!s->active) {
        index_drop_locked(s, c);
        s->loaded = false;
    }
    return fd;
}

/* One that is due, or -1. The caller unlocks, closes it, and asks again. */
static int
due_locked(struct segcache *c)
{
    struct segslot *s = TAILQ_FIRST(&c->idle);

    if (s == NULL)
        return -1;
    if (c->open <= c->open_max && c->sealed_bytes <= c->index_bytes_max)
        return -1;
    c->evictions++;
    return evict_locked(s, c);
}

/* Gives the lock. */
static void
trim_and_give(struct segcache *c)
{
    int fd;

    while ((fd = due_locked(c)) >= 0) {
        lock_give(&c->lock);
        c->world->ops->close(c->world, fd);
        lock_take(&c->lock);
    }
    lock_give(&c->lock);
}

/* ------------------------------------------------------------ life of one */

void
segslot_init(struct segslot *s, bool fresh)
{
    *s = (struct segslot){.fd = -1, .loaded = fresh};
    offidx_init(&s->idx);
}

void
segslot_release(struct segslot *s, struct segcache *c)
{
    int fd = -1;

    lock_take(&c->lock);
    assert(s->users == 0);
    if (s->fd >= 0)
        fd = evict_locked(s, c);
    index_drop_locked(s, c);
    lock_give(&c->lock);
    if (fd >= 0)
        c->world->ops->close(c->world, fd);
}

void
segslot_activate(struct segslot *s, struct segcache *c, bool active)
{
    lock_take(&c->lock);
    *bytes_of(s, c) -= offidx_bytes(&s->idx);
    s->active = active;
    *bytes_of(s, c) += offidx_bytes(&s->idx);
    /* With nothing open nothing would ever evict it. */
    if (!active && s->fd < 0 && s->users == 0) {
        index_drop_locked(s, c);
        s->loaded = false;
    }
    trim_and_give(c);
}

/* ------------------------------------------------------------ descriptors */

static void
pin_locked(struct segslot *s, struct segcache *c)
{
    if (s->users++ == 0)
        TAILQ_REMOVE(&c->idle, s, link);
}

int
segslot_take(struct segslot *s, struct segcache *c, bool *loaded)
{
    int fd;

    lock_take(&c->lock);
    fd = s->fd;
    *loaded = s->loaded;
    if (fd >= 0)
        pin_locked(s, c);
    lock_give(&c->lock);
    return fd;
}

int
segslot_install(struct segslot *s, struct segcache *c, int fd)
{
    int mine = fd, other = -1;

    lock_take(&c->lock);
    c->opens++;
    if (s->fd >= 0) {
        other = fd;
        mine = s->fd;
        pin_locked(s, c);
    } else {
        s->fd = fd;
        s->users = 1;
        c->open++;
    }
    trim_and_give(c);
    if (other >= 0)
        c->world->ops->close(c->world, other);
    return mine;
}

void
segslot_give(struct segslot *s, struct segcache *c)
{
    lock_take(&c->lock);
    assert(s->users > 0);
    assert(s->fd >= 0);
    if (--s->users == 0)
        TAILQ_INSERT_TAIL(&c->idle, s, link);
    trim_and_give(c);
}

/* ------------------------------------------------------------- the index */

static struct hop
hop_from(const struct offidx *x, size_t count, size_t skip)
{
    struct hop h = {{0, 0, -1}, 0};

    if (count > skip) {
        h.back = count - skip - 1;
        h.at = x->entries[h.back];
    }
    return h;
}

struct hop
segslot_by_rel(struct segslot *s, struct segcache *c, uint32_t rel,
    size_t skip)
{
    struct hop h;

    lock_take(&c->lock);
    h = hop_from(&s->idx, offidx_by_rel(&s->idx, rel), skip);
    lock_give(&c->lock);
    return h;
}

struct hop
segslot_by_time(struct segslot *s, struct segcache *c, int64_t ts,
    size_t skip)
{
    struct hop h;

    lock_take(&c->lock);
    h = hop_from(&s->idx, offidx_by_time(&s->idx, ts), skip);
    lock_give(&c->lock);
    return h;
}

struct hop
segslot_by_pos(struct segslot *s, struct segcache *c, uint32_t pos,
    size_t skip)
{
    struct hop h;

    lock_take(&c->lock);
    h = hop_from(&s->idx, offidx_by_pos(&s->idx, pos), skip);
    lock_give(&c->lock);
    return h;
}

bool
segslot_after(struct segslot *s, struct segcache *c, uint32_t pos,
    size_t skip, struct offidx_entry *e)
{
    size_t i;
    bool found;

    lock_take(&c->lock);
    i = offidx_by_pos(&s->idx, pos) + skip;
    found = i < s->idx.count;
    if (found)
        *e = s->idx.entries[i];
    lock_give(&c->lock);
    return found;
}

void
segslot_add(struct segslot *s, struct segcache *c,
    const struct offidx_entry *entries, size_t count)
{
    if (count == 0)
        return;
    lock_take(&c->lock);
    *bytes_of(s, c) -= offidx_bytes(&s->idx);
    for (size_t i = 0; i < count; i++)
        offidx_add(&s->idx, entries[i]);
    *bytes_of(s, c) += offidx_bytes(&s->idx);
    lock_give(&c->lock);
}

void
segslot_learn(struct segslot *s, struct segcache *c, const struct offidx *x,
    bool loaded)
{
    lock_take(&c->lock);
    *bytes_of(s, c) -= offidx_bytes(&s->idx);
    offidx_merge(&s->idx, x);
    *bytes_of(s, c) += offidx_bytes(&s->idx);
    if (loaded)
        s->loaded = true;
    trim_and_give(c);
}

void
segslot_forget(struct segslot *s, struct segcache *c)
{
    lock_take(&c->lock);
    index_drop_locked(s, c);
    c->rebuilds++;
    lock_give(&c->lock);
}

void
segslot_copy(struct segslot *s, struct segcache *c, struct offidx *out)
{
    offidx_init(out);
    lock_take(&c->lock);
    offidx_merge(out, &s->idx);
    lock_give(&c->lock);
}

/* ----------------------------------------------------------------- check */

void
segcache_check(struct segcache *c)
{
    struct segslot *s;
    size_t bytes = 0;
    unsigned idle = 0;

    lock_take(&c->lock);
    TAILQ_FOREACH(s, &c->idle, link) {
        assert(s->users == 0);
        assert(s->fd >= 0);
        offidx_check(&s->idx);
        bytes += s->active ? 0 : offidx_bytes(&s->idx);
        idle++;
    }
    assert(idle <= c->open);
    assert(bytes <= c->sealed_bytes);
    lock_give(&c->lock);
}
