/* random_shop.c: random orders, movements, cancellations, shipments and
 * repetitions, with power cuts, against a model of a page. After every step
 * the books must balance and agree with it. */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "services/services.h"
#include "shop_help.h"

enum { PRODUCTS = 4, ORDERS = 40, MOVES = 60 };
enum { NONE, CREATED, VALIDATED, FAILED, CANCELLED, PAID, SHIPPED, STATES };
enum { RECEIVE = 1, RETURN, ADJUST, COUNT, CLOSE, OPEN };

static const char *const states[] = {"UNSPECIFIED", "CREATED", "VALIDATED",
    "FAILED", "CANCELLED", "PAID", "SHIPPED"};
static const char *const kinds[] = {"UNSPECIFIED", "RECEIVE", "RETURN",
    "ADJUST", "COUNT", "CLOSE", "OPEN"};
/* What may follow, without checks. */
static const char *const next[STATES] = {
    [NONE] = "",
    [CREATED] = "VALIDATED FAILED CANCELLED PAID SHIPPED",
    [VALIDATED] = "CANCELLED PAID SHIPPED",
    [FAILED] = "",
    [CANCELLED] = "",
    [PAID] = "CANCELLED SHIPPED",
    [SHIPPED] = "",
};

/* ---- The model ---------------------------------------------------------- */

struct m_order {
    int state, product, quantity, number;
    bool held;
};

struct m_stock {
    bool known, closed;
    int64_t on_hand, reserved, received, returned, adjusted, shipped, missing;
    int held;
};

static struct m_order orders[ORDERS];
static struct m_stock stocks[PRODUCTS];
static struct {
    int kind, quantity;
} moves[PRODUCTS][MOVES];
static int64_t verdict_count, reject_count;

static int64_t
m_take(struct m_stock *s, int64_t quantity)
{
    int64_t taken = quantity < s->on_hand ? quantity : s->on_hand;

    s->on_hand -= taken;
    s->missing += quantity - taken;
    return taken;
}

static void
m_end(struct m_order *o, int state)
{
    struct m_stock *s = &stocks[o->product];

    o->state = state;
    if (!o->held)
        return;
    if (state == SHIPPED)
        s->shipped += m_take(s, o->quantity);
    s->reserved -= o->quantity;
    o->held = false;
}

/* The newest of those that are unpaid go until the rest is there. */
static void
m_cover(int product)
{
    struct m_stock *s = &stocks[product];

    while (s->reserved > s->on_hand) {
        struct m_order *newest = NULL;

        for (struct m_order *o = orders; o < orders + ORDERS; o++)
            if (o->held && o->product == product && o->state != PAID &&
                (newest == NULL || o->number > newest->number))
                newest = o;
        if (newest == NULL)
            return;
        m_end(newest, CANCELLED);
    }
}

static void
m_create(struct m_order *o, int product, int quantity)
{
    struct m_stock *s = &stocks[product];

    if (o->state != NONE) {
        reject_count += o->product != product || o->quantity != quantity;
        return;
    }
    *o = (struct m_order){CREATED, product, quantity, 0, false};
    verdict_count++;
    if (quantity > 0 && s->known && !s->closed &&
        quantity <= s->on_hand - s->reserved) {
        o->held = true;
        o->number = ++s->held;
        s->reserved += quantity;
    }
}

static void
m_request(struct m_order *o, int state)
{
    if (strstr(next[o->state], states[state]) == NULL) {
        reject_count++;
    } else if (state == VALIDATED || state == PAID) {
        o->state = state;
    } else {
        m_end(o, state);
        m_cover(o->product);
    }
}

static void
m_adjust(struct m_stock *s, int64_t quantity)
{
    if (quantity < 0) {
        s->adjusted -= m_take(s, -quantity);
    } else {
        s->adjusted += quantity;
        s->on_hand += quantity;
    }
}

static void
m_move(int product, int id, int kind, int quantity)
{
    struct m_stock *s = &stocks[product];

    if (moves[product][id].kind != 0) {
        reject_count += moves[product][id].kind != kind ||
            moves[product][id].quantity != quantity;
        return;
    }
    if ((kind <= RETURN && quantity <= 0) || (kind == COUNT && quantity < 0)) {
        reject_count++;
        return;
    }
    moves[product][id].kind = kind;
    moves[product][id].quantity = quantity;
    s->known = true;
    if (kind == RECEIVE || kind == RETURN) {
        s->on_hand += quantity;
        *(kind == RECEIVE ? &s->received : &s->returned) += quantity;
    } else if (kind == ADJUST) {
        m_adjust(s, quantity);
    } else if (kind == COUNT) {
        m_adjust(s, quantity - s->on_hand);
    } else {
        s->closed = kind == CLOSE;
    }
    m_cover(product);
}

/* ---- One step in both --------------------------------------------------- */

static uint64_t chance;

static int
below(int n)
{
    chance ^= chance << 13;
    chance ^= chance >> 7;
    chance ^= chance << 17;
    return (int)(chance * UINT64_C(0x2545f4914f6cdd1d) >> 33) % n;
}

static const char *
name_of(char letter, int n)
{
    static char names[4][16];
    static unsigned turn;
    char *name = names[turn++ % 4];

    snprintf(name, sizeof names[0], "%c%d", letter, n);
    return name;
}

/* Early on there are few orders and movements, later repetitions. */
static void
step(struct ps_driver *d, int round)
{
    int product = below(PRODUCTS), quantity = below(12) - 1;
    int id = below(round / 3 + 1) % ORDERS, what = below(10);

    if (what < 4) {
        if (orders[id].state != NONE && below(2)) {
            product = orders[id].product;
            quantity = orders[id].quantity;
        }
        order(d, name_of('o', id), "CREATED", name_of('p', product), quantity);
        m_create(&orders[id], product, quantity);
    } else if (what < 7) {
        int state = VALIDATED + below(STATES - VALIDATED);

        request(d, name_of('o', id), states[state]);
        m_request(&orders[id], state);
    } else {
        int kind = RECEIVE + below(OPEN), move = below(MOVES);

        if (kind == CLOSE && below(3))
            kind = RECEIVE;
        if (kind == ADJUST && below(2))
            quantity = -quantity;
        movement(d, name_of('p', product), name_of('m', move),
            kinds[kind], quantity);
        m_move(product, move, kind, quantity);
    }
}

static void
agrees(struct ps_driver *d)
{
    for (int p = 0; p < PRODUCTS; p++) {
        const struct m_stock *s = &stocks[p];
        const char *name = name_of('p', p);

        assert_int_equal(stock(d, name, "on_hand"), s->on_hand);
        assert_int_equal(stock(d, name, "reserved"), s->reserved);
        assert_int_equal(stock(d, name, "received"), s->received);
        assert_int_equal(stock(d, name, "returned"), s->returned);
        assert_int_equal(stock(d, name, "adjusted"), s->adjusted);
        assert_int_equal(stock(d, name, "shipped"), s->shipped);
        assert_int_equal(stock(d, name, "missing"), s->missing);
        assert_int_equal(stock(d, name, "asked"), 0);
    }
    for (int i = 0; i < ORDERS; i++) {
        const struct m_order *o = &orders[i];

        assert_string_equal(state_of(d, name_of('o', i)),
            o->state == NONE ? "" : states[o->state]);
        assert_int_equal(held(d, name_of('p', o->product), name_of('o', i)),
            o->held ? o->quantity : 0);
    }
    assert_int_equal(ps_count(d, "order-validations", "{}"), verdict_count);
    assert_int_equal(rejected(d, ""), reject_count);
}

static void
books_balance(struct ps_driver *d)
{
    static char names[ORDERS][16];
    const char *ids[ORDERS];

    for (int i = 0; i < ORDERS; i++) {
        snprintf(names[i], sizeof names[i], "o%d", i);
        ids[i] = names[i];
    }
    for (int p = 0; p < PRODUCTS; p++)
        balanced(d, name_of('p', p), ids, ORDERS);
}

static struct ps_driver *
open_shop(uint64_t seed)
{
    memset(orders, 0, sizeof orders);
    memset(stocks, 0, sizeof stocks);
    memset(moves, 0, sizeof moves);
    verdict_count = reject_count = 0;
    chance = seed * 2 + 1;
    for (int i = 0; i < 8; i++)
        below(2);
    return ps_driver_new(inventory, NULL,
        &(struct ps_driver_opts){.partitions = 1 + seed % 5, .seed = seed,
            .app = "shop"});
}

static uint64_t
seed_of_run(void)
{
    const char *text = getenv("PENSTOCK_SEED");
    uint64_t seed = text == NULL ? 42 : strtoull(text, NULL, 0);

    printf("# seed %llu\n", (unsigned long long)seed);
    return seed;
}

/* ---- Tests -------------------------------------------------------------- */

/* Each step settles before the next: the model knows all that happens. */
static void
step_by_step_it_is_the_model(void **state)
{
    uint64_t seed = seed_of_run();

    for (uint64_t shop = seed; shop < seed + 12; shop++) {
        struct ps_driver *d = open_shop(shop);

        for (int round = 0; round < 150; round++) {
            step(d, round);
            if (below(4) == 0) {
                for (int n = below(4); n > 0 && ps_step(d); n--)
                    ;
                ps_crash(d);
            }
            ps_settle(d);
            agrees(d);
            books_balance(d);
        }
        ps_driver_free(d);
    }
}

/* Steps race each other and power cuts: who wins is open, the books are not.
 * Each admitted order gets one verdict. */
static void
racing_the_books_balance(void **state)
{
    uint64_t seed = seed_of_run();

    for (uint64_t shop = seed; shop < seed + 40; shop++) {
        struct ps_driver *d = open_shop(shop);
        int64_t admitted = 0;

        for (int round = 0; round < 400; round++) {
            step(d, round);
            while (below(3) == 0 && ps_step(d))
                ;
            if (below(40) == 0)
                ps_crash(d);
            if (below(20) == 0) {
                ps_settle(d);
                books_balance(d);
            }
        }
        ps_settle(d);
        books_balance(d);
        for (int i = 0; i < ORDERS; i++) {
            char filter[64];
            bool known = *state_of(d, name_of('o', i)) != '\0';

            snprintf(filter, sizeof filter, "{\"orderId\":\"o%d\"}", i);
            assert_int_equal(ps_count(d, "order-validations", filter), known);
            admitted += known;
        }
        assert_int_equal(ps_count(d, "order-validations", "{}"), admitted);
        ps_driver_free(d);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(step_by_step_it_is_the_model),
        cmocka_unit_test(racing_the_books_balance),
    };

    return cmocka_run_group_tests_name("random_shop", tests, NULL, NULL);
}
