/*
 * services.h: the applications that come with the appliance. Each is a
 * function that builds a topology; `conf` is NULL or what is said there, and
 * must outlive the topology.
 */
#ifndef SERVICES_SERVICES_H
#define SERVICES_SERVICES_H

#include "penstock/streams.h"

/* The settings of the shop. Zero of each field is the default. */
struct shop_conf {
    /* Bits of enum shop_check: an admitted order waits in CREATED until all
     * of them passed. 0, none: CREATED may do at once what VALIDATED may. */
    unsigned checks;
    /* SHIPPED only after PAID, instead of after VALIDATED as well. */
    bool ship_paid_only;
    /* Running time for which a settled order and the ids of movements are
     * remembered, and after which an open order expires; 0: 30 days. */
    int64_t keep_ms;
};

enum shop_check {
    SHOP_CHECK_INVENTORY = 1,
    SHOP_CHECK_FRAUD = 2,
    SHOP_CHECK_DETAILS = 4,
};

/*
 * Orders and stock movements in; stock reserved; verdicts out.
 * Reads `orders`, `warehouse-inventory`. Writes `order-validations`,
 * `stock-alerts`, and to `orders` what it asks to be cancelled. Stores:
 * `orders` (Admitted by order id), `stock` (Stock by product),
 * `reservations` (Held), `movements` (Moved). conf: struct shop_conf.
 */
void inventory(struct ps_topology *, void *conf);

/* All of them, by name; ends with a name of NULL. */
extern const struct ps_app services_apps[];

#endif
