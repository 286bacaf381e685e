/*
 * order.c: the states of an order as a table.
 *
 *     CREATED ----> VALIDATED ----> PAID ----> SHIPPED
 *        |  \           |  \______ship______/    (unless ship_paid_only)
 *        |   \          |            |
 *      FAILED \---> CANCELLED <------+
 *
 * Without checks nobody validates: CREATED may then do what VALIDATED may.
 * FAILED, CANCELLED and SHIPPED are final.
 */
#include "config.h"

#include <string.h>

#include "services/shop.h"

enum {
    CREATED = SHOP__ORDER__STATE__CREATED,
    VALIDATED = SHOP__ORDER__STATE__VALIDATED,
    FAILED = SHOP__ORDER__STATE__FAILED,
    CANCELLED = SHOP__ORDER__STATE__CANCELLED,
    PAID = SHOP__ORDER__STATE__PAID,
    SHIPPED = SHOP__ORDER__STATE__SHIPPED,
    STATES,
};

#define TO(state) (1u << (state))

static const unsigned allowed[STATES] = {
    [CREATED] = TO(VALIDATED) | TO(FAILED) | TO(CANCELLED),
    [VALIDATED] = TO(PAID) | TO(CANCELLED),
    [PAID] = TO(SHIPPED) | TO(CANCELLED),
};

bool
order_may_become(const struct shop_conf *conf, const Shop__Order *from,
    const Shop__Order *to)
{
    unsigned source = from->state, target = to->state, may;

    if (source >= STATES || target >= STATES)
        return false;
    may = allowed[source];
    if (source == CREATED && conf->checks == 0) {
        source = VALIDATED;
        may |= allowed[source];
    }
    if (source == VALIDATED && !conf->ship_paid_only)
        may |= TO(SHIPPED);
    /* Goods that ran short go to those who have paid. */
    if (source == PAID && strcmp(to->reason, "SHORT") == 0)
        may &= ~TO(CANCELLED);
    return (may & TO(target)) != 0;
}

bool
order_is_over(Shop__Order__State state)
{
    unsigned s = state;

    return s == FAILED || s == CANCELLED || s == SHIPPED;
}

bool
order_same_body(const Shop__Order *a, const Shop__Order *b)
{
    return a->customer_id == b->customer_id && a->quantity == b->quantity &&
        a->price_micros == b->price_micros &&
        strcmp(a->product, b->product) == 0 &&
        strcmp(a->currency, b->currency) == 0;
}
