/*
 * own.c: orders made up, for whom the retail data is not at hand: a thousand
 * products of which few are asked for often (the k-th one 1/k as often as the
 * first), invoices of a few lines, what is taken back, what is lost. The same
 * seed, the same lines; integers only, so on every machine.
 */
#include "config.h"

#include "retail/sales.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/alloc.h"

enum {
    RECENT = 512,                /* sales that may be taken back */
    CUSTOMERS = 4000,
    MINUTE_MS = 60 * 1000,
    GAP_MS = 2000,               /* from line to line, on average */
    /* The first line is no older, whatever their number: topics that keep
     * their records for a week keep these. */
    SPAN_MS = 6 * 24 * 3600 * 1000,
};

struct own {
    int64_t lines, first_ms, gap_us;
    uint64_t seed, state;
    uint64_t weights[SALE_PRODUCTS];     /* sums from the first on */
    struct {
        unsigned product, customer;
        int64_t quantity;
    } recent[RECENT];
    int64_t count;
    uint64_t invoices;
    unsigned left;               /* lines of the invoice at hand */
    struct sale head;            /* what its lines share */
};

/* SplitMix64 (Steele, Lea, Flood: Fast Splittable Pseudorandom Number
 * Generators, 2014). */
static uint64_t
chance(struct own *o)
{
    uint64_t z = o->state += UINT64_C(0x9e3779b97f4a7c15);

    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

static unsigned
below(struct own *o, unsigned n)
{
    return (unsigned)((chance(o) >> 32) * n >> 32);
}

void
own_rewind(struct own *o)
{
    o->state = o->seed;
    o->count = 0;
    o->invoices = 0;
    o->left = 0;
}

struct own *
own_new(const struct sales_conf *conf)
{
    struct own *o = xcalloc(1, sizeof *o);
    uint64_t sum = 0;

    o->lines = conf->lines > 0 ? conf->lines : 1;
    o->seed = conf->seed;
    o->gap_us = INT64_C(1000) * SPAN_MS / o->lines;
    if (o->gap_us > GAP_MS * 1000)
        o->gap_us = GAP_MS * 1000;
    o->first_ms = conf->until_ms - o->lines * o->gap_us / 1000;
    for (unsigned i = 0; i < SALE_PRODUCTS; i++) {
        sum += (UINT64_C(1) << 40) / (i + 1);
        o->weights[i] = sum;
    }
    own_rewind(o);
    return o;
}

void
own_free(struct own *o)
{
    free(o);
}

static unsigned
some_product(struct own *o)
{
    uint64_t total = o->weights[SALE_PRODUCTS - 1], at = chance(o) % total;
    unsigned low = 0, high = SALE_PRODUCTS - 1;

    while (low < high) {
        unsigned middle = (low + high) / 2;

        if (o->weights[middle] > at)
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

/* One in 50 invoices takes back, one in 400 tells of a loss. */
static void
begin_invoice(struct own *o)
{
    unsigned kind = below(o, 400), customer = below(o, CUSTOMERS * 4 / 3);
    struct sale *h = &o->head;

    o->invoices++;
    o->left = 1 + below(o, 4) * below(o, 6);
    h->customer[0] = '\0';
    if (customer < CUSTOMERS)
        snprintf(h->customer, sizeof h->customer, "%u", 10000 + customer);
    h->quantity = kind == 0 ? -1 : 1;
    if (kind == 0 || kind > 392)
        o->left = 1;
    snprintf(h->invoice, sizeof h->invoice, "%s%llu", kind > 392 ? "C" : "",
        (unsigned long long)(100000 + o->invoices));
}

static void
take_back(struct own *o, struct sale *s)
{
    unsigned filled = o->count < RECENT ? (unsigned)o->count : RECENT;
    unsigned at = below(o, filled == 0 ? 1 : filled);
    unsigned customer = o->recent[at].customer;

    snprintf(s->product, sizeof s->product, "sku-%04u", o->recent[at].product);
    s->customer[0] = '\0';
    if (customer != 0)
        snprintf(s->customer, sizeof s->customer, "%u", customer);
    s->quantity = -(o->recent[at].quantity > 0 ? o->recent[at].quantity : 1);
}

bool
own_next(struct own *o, struct sale *s)
{
    unsigned product = some_product(o), at = (unsigned)(o->count % RECENT);
    int64_t quantity = 1 + below(o, 4) * below(o, 5), ms;

    if (o->count >= o->lines)
        return false;
    if (o->left == 0)
        begin_invoice(o);
    *s = o->head;
    s->quantity *= quantity;
    s->price = (int64_t)(1 + product % 97) * 250000;
    snprintf(s->product, sizeof s->product, "sku-%04u", product);
    if (sale_cancels(s))
        take_back(o, s);
    if (s->quantity > 0) {
        o->recent[at].product = product;
        o->recent[at].quantity = quantity;
        o->recent[at].customer = s->customer[0] == '\0' ? 0
            : (unsigned)strtoul(s->customer, NULL, 10);
    }
    ms = o->first_ms + o->count * o->gap_us / 1000;
    s->at = ms - ms % MINUTE_MS;
    o->left--;
    o->count++;
    return true;
}
