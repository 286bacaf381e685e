/* replay.c: see replay.h. */
#include "config.h"

#include "retail/replay.h"

#include <stdlib.h>

#include "base/alloc.h"

struct moved {
    size_t len;
    char key[];                  /* the product, NUL, the movement's id */
};

void
replay_init(struct replay *r)
{
    *r = (struct replay){.records = 0};
    table_init(&r->fates);
    table_init(&r->moved);
    books_init(&r->books);
}

static void
free_all(struct table *t)
{
    void *v;

    for (size_t i = 0; (v = table_next(t, &i)) != NULL;)
        free(v);
    table_release(t);
}

void
replay_release(struct replay *r)
{
    free_all(&r->fates);
    free_all(&r->moved);
    books_release(&r->books);
}

struct fate *
replay_find(const struct replay *r, struct span id)
{
    return table_get(&r->fates, id);
}

struct fate *
replay_fate(struct replay *r, struct span id)
{
    struct fate *f = replay_find(r, id);

    if (f != NULL)
        return f;
    f = xcalloc(1, sizeof *f + id.len + 1);
    memcpy(f->id, id.ptr, id.len);
    f->id_len = id.len;
    table_put(&r->fates, span_of(f->id, f->id_len), f);
    return f;
}

/* A product whose records stand in two logs has been decided by two. */
static int
at_home(struct book *b, int32_t partition, struct err *err)
{
    if (b->home < 0)
        b->home = partition;
    return b->home == partition ? 0
        : err_set(err, ERR_FORMAT, "product %s is in partitions %d and %d",
              b->name, b->home, partition);
}

static bool
is_over(int state)
{
    return state == REPLAY_FAILED || state == REPLAY_CANCELLED
        || state == REPLAY_SHIPPED;
}

static void
created(struct replay *r, struct fate *f, struct book *b, int64_t quantity)
{
    r->orders++;
    f->state = REPLAY_CREATED;
    f->reason = book_refuses(b, quantity);
    if (f->reason != NULL)
        return;
    f->book = b;
    f->quantity = quantity;
    f->live = true;
    book_reserve(b, quantity);
}

int
replay_order(struct replay *r, int32_t partition, struct span id,
    struct span product, int64_t quantity, int state, struct err *err)
{
    struct fate *f = replay_fate(r, id);
    struct book *b = books_find(&r->books, product);

    r->records++;
    if (b != NULL && at_home(b, partition, err) != 0)
        return -1;
    if (state == REPLAY_CREATED) {
        if (f->state == 0)
            created(r, f, b, quantity);
        return 0;
    }
    if (f->state == 0 || is_over(f->state))
        return err_set(err, ERR_FORMAT, "order %s becomes %d when it is %d",
            f->id, state, f->state);
    f->state = state;
    if (!is_over(state) || !f->live)
        return 0;
    f->live = false;
    if (state == REPLAY_SHIPPED)
        book_ship(f->book, f->quantity);
    else
        book_release(f->book, f->quantity);
    return 0;
}

static bool
is_new(struct replay *r, struct span product, struct span id)
{
    size_t len = product.len + 1 + id.len;
    struct moved *m = xcalloc(1, sizeof *m + len);

    memcpy(m->key, product.ptr, product.len);
    memcpy(m->key + product.len + 1, id.ptr, id.len);
    m->len = len;
    if (table_get(&r->moved, span_of(m->key, len)) != NULL) {
        free(m);
        return false;
    }
    table_put(&r->moved, span_of(m->key, len), m);
    return true;
}

int
replay_movement(struct replay *r, int32_t partition, struct span product,
    struct span id, enum move move, int64_t quantity, struct err *err)
{
    struct book *b;

    r->records++;
    if (product.len == 0 || !move_is_valid(move, quantity)
        || (id.len > 0 && !is_new(r, product, id)))
        return 0;
    b = books_make(&r->books, product);
    book_move(b, move, quantity);
    return at_home(b, partition, err);
}

const char *
fate_state(const struct fate *f)
{
    switch (f->state) {
    case REPLAY_FAILED:
        return "FAILED";
    case REPLAY_CANCELLED:
        return "CANCELLED";
    case REPLAY_SHIPPED:
        return "SHIPPED";
    default:
        return f->reason == NULL ? "VALIDATED" : "FAILED";
    }
}
