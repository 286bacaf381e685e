/*
 * stock.h: the arithmetic of one product's stock (struct Shop__Stock), free
 * of streams and stores. Invariants, asserted by stock_check():
 *
 *  1. received + returned + adjusted - shipped = on_hand;
 *  2. short = max(0, reserved - on_hand), hence reserved <= on_hand + short;
 *  3. on_hand, reserved, missing, asked >= 0, asked <= reserved.
 *
 * What a movement or shipment would take beyond on_hand is not taken: it is
 * added to `missing`, and that is all that happens to it.
 */
#ifndef SERVICES_STOCK_H
#define SERVICES_STOCK_H

#include <stdbool.h>
#include <stdint.h>

#include "proto/shop.pb-c.h"

/* No counter passes this: sums of any two fit. */
#define STOCK_MAX (INT64_MAX / 4)

/* Pieces that a new order may have: negative while it is short. */
int64_t stock_free(const Shop__Stock *);

/* A reservation of quantity > 0, which are free. */
void stock_reserve(Shop__Stock *, int64_t quantity);
/* Its end: given back, or shipped. */
void stock_release(Shop__Stock *, int64_t quantity);
void stock_ship(Shop__Stock *, int64_t quantity);

/* Books a movement. NULL, or why it was refused; then nothing changed. */
const char *stock_move(Shop__Stock *, const Shop__Movement *);

void stock_check(const Shop__Stock *);

#endif
