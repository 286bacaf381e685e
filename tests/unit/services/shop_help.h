/*
 * shop_help.h: the shop in the driver: short words for what tests pipe in
 * and ask. Views and topics are those of services.h.
 */
#ifndef TESTS_SHOP_HELP_H
#define TESTS_SHOP_HELP_H

#include <penstock/driver.h>

#define J(...) #__VA_ARGS__

/* An order of one product, state by name. */
void order(struct ps_driver *, const char *id, const char *state,
    const char *product, int quantity);
/* Only id and state, as a client that cancels or ships says it. */
void request(struct ps_driver *, const char *id, const char *state);
/* id may be "". */
void movement(struct ps_driver *, const char *product, const char *id,
    const char *kind, int quantity);

int64_t stock(struct ps_driver *, const char *product, const char *field);
/* Quantity that an order holds; 0: no reservation. */
int64_t held(struct ps_driver *, const char *product, const char *id);
int64_t verdicts(struct ps_driver *, const char *reason);   /* "": PASS */
/* Records that were rejected for that reason; "": for any. */
int64_t rejected(struct ps_driver *, const char *reason);
/* What the order task thinks: "CREATED"; "" for an id it does not know. */
const char *state_of(struct ps_driver *, const char *id);

/* Asserts conservation for the product, given all order ids there are. */
void balanced(struct ps_driver *, const char *product,
    const char *const *ids, size_t count);

#endif
