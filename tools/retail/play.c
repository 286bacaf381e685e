/*
 * play.c: see play.h. The names of sections in comments are those of
 * tests/oracle/README.md.
 *
 * A deal is an order that was validated. It stands in its pair's list while
 * it is neither shipped nor cancelled, and in the heap until its shipment is
 * due; it is freed when it has left both.
 */
#include "config.h"

#include "retail/play.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/queue.h>
#include <zlib.h>

#include "base/alloc.h"
#include "base/json.h"

#define HOUR_MS (3600 * INT64_C(1000))

enum { ID_MAX = SALE_TEXT_MAX + 32 };

struct good {                    /* a product in the first pass */
    int64_t demand, peak;
    TAILQ_ENTRY(good) next;      /* in the order of first lines */
    char name[];
};
TAILQ_HEAD(good_list, good);

struct invoice {
    int64_t lines;
    char number[];
};

struct deal {
    TAILQ_ENTRY(deal) next;      /* in its pair, latest last */
    struct pair *pair;
    struct book *book;
    int64_t quantity, due;       /* due 0: never */
    int64_t number;
    bool open, waits;            /* in its pair; in the heap */
    char id[];
};
TAILQ_HEAD(deal_list, deal);

struct pair {                    /* a product and a customer */
    struct deal_list open;
    int64_t balance;
    size_t len;
    char key[];
};

struct play {
    struct sales *sales;
    event_fn fn;
    void *arg;
    struct play_totals totals;
    struct table goods, invoices, pairs;
    struct good_list good_list;
    struct books books;
    struct deal **heap;
    size_t heap_count, heap_room;
    int64_t orders;
    int64_t base, within;        /* of the last event's time */
    struct sale line;
    char id[ID_MAX];             /* of the line */
};

/* ---- tables ------------------------------------------------------------- */

static struct good *
good_of(struct play *p, const char *name)
{
    struct good *g = table_get(&p->goods, span_str(name));

    if (g != NULL)
        return g;
    g = xcalloc(1, sizeof *g + strlen(name) + 1);
    memcpy(g->name, name, strlen(name));
    table_put(&p->goods, span_str(g->name), g);
    TAILQ_INSERT_TAIL(&p->good_list, g, next);
    return g;
}

static int64_t
line_of_invoice(struct play *p, const char *number)
{
    struct invoice *i = table_get(&p->invoices, span_str(number));

    if (i == NULL) {
        i = xcalloc(1, sizeof *i + strlen(number) + 1);
        memcpy(i->number, number, strlen(number));
        table_put(&p->invoices, span_str(i->number), i);
    }
    return ++i->lines;
}

static struct pair *
pair_of(struct play *p, const struct sale *s)
{
    char key[2 * SALE_TEXT_MAX + 1];
    size_t head = strlen(s->product) + 1, tail = strlen(s->customer);
    struct pair *pair;

    memcpy(key, s->product, head);
    memcpy(key + head, s->customer, tail);
    pair = table_get(&p->pairs, span_of(key, head + tail));
    if (pair != NULL)
        return pair;
    pair = xcalloc(1, sizeof *pair + head + tail);
    TAILQ_INIT(&pair->open);
    pair->len = head + tail;
    memcpy(pair->key, key, pair->len);
    table_put(&p->pairs, span_of(pair->key, pair->len), pair);
    return pair;
}

/* ---- deals -------------------------------------------------------------- */

static void
deal_done(struct deal *d)
{
    if (d->open) {
        d->open = false;
        TAILQ_REMOVE(&d->pair->open, d, next);
    }
    if (!d->waits)
        free(d);
}

/* By when they are due, then in the order of their lines. */
static bool
is_before(const struct deal *a, const struct deal *b)
{
    return a->due != b->due ? a->due < b->due : a->number < b->number;
}

static void
heap_push(struct play *p, struct deal *d)
{
    size_t i = p->heap_count++;

    if (p->heap_count > p->heap_room) {
        p->heap_room = p->heap_room * 2 + 64;
        p->heap = xrealloc(p->heap, p->heap_room * sizeof(struct deal *));
    }
    for (; i > 0 && is_before(d, p->heap[(i - 1) / 2]); i = (i - 1) / 2)
        p->heap[i] = p->heap[(i - 1) / 2];
    p->heap[i] = d;
    d->waits = true;
}

static struct deal *
heap_pop(struct play *p)
{
    struct deal *first = p->heap[0], *last = p->heap[--p->heap_count];
    size_t i = 0, child;

    while ((child = 2 * i + 1) < p->heap_count) {
        if (child + 1 < p->heap_count
            && is_before(p->heap[child + 1], p->heap[child]))
            child++;
        if (!is_before(p->heap[child], last))
            break;
        p->heap[i] = p->heap[child];
        i = child;
    }
    if (p->heap_count > 0)
        p->heap[i] = last;
    first->waits = false;
    return first;
}

/* "Shipping": when, or 0: never. */
static int64_t
ships_at(const char *id, int64_t at)
{
    uLong crc = crc32(0, (const Bytef *)id, (uInt)strlen(id));

    return crc % 10 < 7 ? at + (int64_t)(1 + (crc >> 8) % 72) * HOUR_MS : 0;
}

/* ---- events ------------------------------------------------------------- */

/* "Event time" */
static int
tell(struct play *p, int64_t base, struct event *e, struct err *err)
{
    if (base != p->base || p->totals.events == 0) {
        p->base = base;
        p->within = 0;
    }
    e->n = p->totals.events++;
    e->t = base + p->within++;
    p->totals.kinds[e->kind]++;
    return p->fn(p->arg, e, err);
}

static int
move(struct play *p, int64_t base, const char *id, const char *product,
    enum move kind, int64_t quantity, struct err *err)
{
    struct event e = {.kind = EVENT_MOVEMENT, .id = id, .product = product,
        .move = kind, .quantity = quantity};

    book_move(books_make(&p->books, span_str(product)), kind, quantity);
    return tell(p, base, &e, err);
}

static int
ship_until(struct play *p, int64_t at, struct err *err)
{
    char id[ID_MAX + 8];

    while (p->heap_count > 0 && p->heap[0]->due <= at) {
        struct deal *d = heap_pop(p);
        struct event e = {.kind = EVENT_SHIPMENT, .id = id, .order = d->id};
        int rc = 0;

        if (d->open) {
            book_ship(d->book, d->quantity);
            snprintf(id, sizeof id, "ship-%s", d->id);
            rc = tell(p, d->due, &e, err);
        }
        deal_done(d);
        if (rc != 0)
            return -1;
    }
    return 0;
}

static void
strike_deal(struct play *p, struct pair *pair, struct book *book)
{
    size_t len = strlen(p->id) + 1;
    struct deal *d = xcalloc(1, sizeof *d + len);

    memcpy(d->id, p->id, len);
    d->pair = pair;
    d->book = book;
    d->quantity = p->line.quantity;
    d->number = p->orders;
    d->open = true;
    TAILQ_INSERT_TAIL(&pair->open, d, next);
    book_reserve(book, d->quantity);
    d->due = ships_at(d->id, p->line.at);
    if (d->due != 0)
        heap_push(p, d);
}

static int
order(struct play *p, struct err *err)
{
    const struct sale *s = &p->line;
    struct event e = {.kind = EVENT_ORDER, .id = p->id,
        .customer = s->customer, .product = s->product,
        .quantity = s->quantity, .price = s->price};
    struct pair *pair = pair_of(p, s);
    struct book *book;
    char id[ID_MAX + 8];

    p->orders++;
    if (tell(p, s->at, &e, err) != 0)
        return -1;
    if (s->price > 0) {
        snprintf(id, sizeof id, "pay-%s", p->id);
        e = (struct event){.kind = EVENT_PAYMENT, .id = id, .order = p->id,
            .price = s->quantity * s->price};
        if (tell(p, s->at, &e, err) != 0)
            return -1;
    }
    pair->balance += s->quantity;
    book = books_find(&p->books, span_str(s->product));
    if (s->price >= 0 && book_refuses(book, s->quantity) == NULL)
        strike_deal(p, pair, book);
    return 0;
}

static int
take_back(struct play *p, struct err *err)
{
    const struct sale *s = &p->line;
    struct pair *pair = pair_of(p, s);
    int64_t quantity = s->quantity < 0 ? -s->quantity : s->quantity;
    bool covered = pair->balance >= quantity;
    struct deal *d = TAILQ_LAST(&pair->open, deal_list);
    struct event e = {.kind = EVENT_CANCEL, .by = p->id};
    int rc;

    if (covered)
        pair->balance -= quantity;
    if (!covered || d == NULL)
        return move(p, s->at, p->id, s->product, MOVE_RETURN, quantity, err);
    book_release(d->book, d->quantity);
    e.id = d->id;
    rc = tell(p, s->at, &e, err);
    deal_done(d);
    return rc;
}

/* ---- the loop ----------------------------------------------------------- */

/* "Opening stock": the first pass, and what it comes to. */
static int
open_shop(struct play *p, struct err *err)
{
    struct sale *s = &p->line;
    struct good *g;
    char id[ID_MAX];
    int64_t first = 0, lines = 0;
    int n;

    while ((n = sales_next(p->sales, s, err)) == 1) {
        int64_t quantity = s->quantity < 0 ? -s->quantity : s->quantity;

        if (lines++ == 0)
            first = s->at;
        g = good_of(p, s->product);
        g->demand += sale_cancels(s) ? -quantity : quantity;
        if (g->demand > g->peak)
            g->peak = g->demand;
    }
    TAILQ_FOREACH (g, &p->good_list, next) {
        int64_t opening = g->peak * 9 / 10;

        if (n != 0)
            break;
        snprintf(id, sizeof id, "opening-%s", g->name);
        if (opening > 0)
            n = move(p, first - HOUR_MS, id, g->name, MOVE_RECEIVE, opening,
                err);
    }
    return n;
}

/* "The loop" */
static int
play_line(struct play *p, struct err *err)
{
    const struct sale *s = &p->line;

    snprintf(p->id, sizeof p->id, "%s-%" PRId64, s->invoice,
        line_of_invoice(p, s->invoice));
    p->totals.lines++;
    if (ship_until(p, s->at, err) != 0)
        return -1;
    if (sale_cancels(s))
        return take_back(p, err);
    return s->quantity > 0 ? order(p, err)
                           : move(p, s->at, p->id, s->product, MOVE_ADJUST,
                                 s->quantity, err);
}

static void
free_all(struct table *t)
{
    void *v;

    for (size_t i = 0; (v = table_next(t, &i)) != NULL;)
        free(v);
    table_release(t);
}

static void
play_release(struct play *p)
{
    struct pair *pair;

    while (p->heap_count > 0)
        deal_done(heap_pop(p));
    for (size_t i = 0; (pair = table_next(&p->pairs, &i)) != NULL;) {
        while (!TAILQ_EMPTY(&pair->open))
            deal_done(TAILQ_FIRST(&pair->open));
    }
    free(p->heap);
    free_all(&p->pairs);
    free_all(&p->invoices);
    free_all(&p->goods);
    books_release(&p->books);
}

int
play(struct sales *sales, event_fn fn, void *arg, struct play_totals *totals,
    struct err *err)
{
    struct play p = {.sales = sales, .fn = fn, .arg = arg};
    int n;

    table_init(&p.goods);
    table_init(&p.invoices);
    table_init(&p.pairs);
    TAILQ_INIT(&p.good_list);
    books_init(&p.books);
    n = sales_rewind(sales, err);
    if (n == 0)
        n = open_shop(&p, err);
    if (n == 0)
        n = sales_rewind(sales, err);
    while (n == 0 && (n = sales_next(sales, &p.line, err)) == 1)
        n = play_line(&p, err);
    if (totals != NULL)
        *totals = p.totals;
    play_release(&p);
    return n;
}

/* ---- as text ------------------------------------------------------------ */

void
event_print(const struct event *e, struct buf *out)
{
    static const char *const kinds[EVENT_KINDS] = {"movement", "order",
        "payment", "cancel", "shipment"};
    struct json j;

    json_init(&j, out);
    json_object_begin(&j);
    json_kv_int(&j, "n", e->n);
    json_kv_int(&j, "t", e->t);
    json_kv_cstr(&j, "kind", kinds[e->kind]);
    json_kv_cstr(&j, "id", e->id);
    if (e->kind == EVENT_MOVEMENT) {
        json_kv_cstr(&j, "product", e->product);
        json_kv_cstr(&j, "type", move_name(e->move));
        json_kv_int(&j, "quantity", e->quantity);
    } else if (e->kind == EVENT_ORDER) {
        json_kv_cstr(&j, "customer", e->customer);
        json_kv_cstr(&j, "product", e->product);
        json_kv_int(&j, "quantity", e->quantity);
        json_kv_int(&j, "price", e->price);
    } else if (e->kind == EVENT_PAYMENT) {
        json_kv_cstr(&j, "order", e->order);
        json_kv_int(&j, "amount", e->price);
        json_kv_cstr(&j, "currency", "GBP");
    } else if (e->kind == EVENT_CANCEL) {
        json_kv_cstr(&j, "by", e->by);
    } else {
        json_kv_cstr(&j, "order", e->order);
    }
    json_object_end(&j);
    buf_put_u8(out, '\n');
}
