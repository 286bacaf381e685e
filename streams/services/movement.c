/*
 * movement.c: stock movements: their bytes, and that each counts once.
 *
 * Bytes. Beside the three dresses of any message there is the reference's
 * Integer, four bytes big-endian, which is a COUNT. It is told apart without
 * a guess: four bytes of which the first is 0 are too few for the framing of
 * a schema registry and no protobuf. So it reaches to 16777215, which is
 * enough for a shelf; other four bytes are protobuf.
 *
 * An id counts once for its product. A movement without one always counts:
 * nothing tells it from another. An id that comes again with another content
 * is CONFLICT; one that was refused may come again, put right.
 */
#include "config.h"

#include <stdio.h>

#include "services/keep.h"
#include "services/shop.h"
#include "services/stock.h"

/* ---- Bytes -------------------------------------------------------------- */

static int
decode_count(struct ps_decode *d, const uint8_t *bytes, struct ps_val *out)
{
    Shop__Movement *m = ps_arena_alloc(d->arena, sizeof *m);

    if (m == NULL) {
        snprintf(d->why, sizeof d->why, "out of the record's memory");
        return PS_ERROR;
    }
    shop__movement__init(m);
    m->kind = SHOP__MOVEMENT__KIND__COUNT;
    m->quantity = bytes[1] << 16 | bytes[2] << 8 | bytes[3]; /* [0] is 0 */
    d->format = -1;              /* none that a topic may ask for */
    *out = PS_MSG(m);
    return PS_OK;
}

static int
decode(const struct ps_serde *s, struct ps_decode *d, const void *bytes,
    size_t len, struct ps_val *out)
{
    struct ps_serde message;

    if (len == 4 && *(const uint8_t *)bytes == 0)
        return decode_count(d, bytes, out);
    ps_serde_of(s->conf, &message);
    return message.decode(&message, d, bytes, len, out);
}

static int
encode(const struct ps_serde *s, struct ps_encode *e, struct ps_val v)
{
    struct ps_serde message;

    ps_serde_of(s->conf, &message);
    return message.encode(&message, e, v);
}

const struct ps_serde movement_serde = {.magic = PS_SERDE_MAGIC,
    .type = PS_MESSAGE, .name = "shop.Movement+count", .decode = decode,
    .encode = encode, .conf = PS_PROTO(shop__movement)};

/* ---- Once --------------------------------------------------------------- */

/* Decimal digits, ending before `end`; printf would cost more than the rest
 * of what an order does here. */
static char *
digits_before(char *end, uint32_t n)
{
    do
        *--end = (char)('0' + n % 10);
    while ((n /= 10) > 0);
    return end;
}

struct ps_val
pair_key(struct ps_ctx *c, struct ps_val product, const char *id)
{
    char digits[12], *end = digits + sizeof digits;
    const char *start = digits_before(end, product.len);
    size_t head = (size_t)(end - start), tail = strlen(id);
    size_t len = head + 1 + product.len + 1 + tail;
    char *key = ps_alloc(c, len), *p = key;

    if (key == NULL)
        return ps_null();
    memcpy(p, start, head);
    p += head;
    *p++ = ':';
    memcpy(p, product.as.ptr, product.len);
    p += product.len;
    *p++ = ':';
    memcpy(p, id, tail);
    return ps_strn(key, len);
}

/* It has been booked: its id is taken. */
static void
remember(struct ps_ctx *c, struct ps_val key, const Shop__Movement *m,
    int64_t keep_ms)
{
    Shop__Moved seen = SHOP__MOVED__INIT;

    seen.at_ms = ps_clock(c);
    seen.kind = m->kind;
    seen.quantity = m->quantity;
    ps_put(c, MOVED, key, PS_MSG(&seen));
    keep_arm(c, keep_ms);
}

int
on_movement(struct ps_ctx *c, const struct ps_record *r, void *conf)
{
    Shop__Movement closing = SHOP__MOVEMENT__INIT, *m = r->value;
    Shop__Stock none = SHOP__STOCK__INIT, *s, was;
    struct ps_val key = ps_null();
    const Shop__Moved *before = NULL;
    const char *refused;

    if (r->key.type == PS_NULL || r->key.len == 0)
        return ps_reject(c, "NO_PRODUCT");
    closing.kind = SHOP__MOVEMENT__KIND__CLOSE;
    if (m == NULL)
        m = &closing;
    if (m->id[0] != '\0') {
        key = pair_key(c, r->key, m->id);
        before = ps_get(c, MOVED, key);
    }
    if (before != NULL)
        return before->kind == m->kind && before->quantity == m->quantity
            ? PS_OK
            : ps_reject(c, "CONFLICT");
    s = ps_get(c, STOCK, r->key);
    if (s == NULL)
        s = &none;
    was = *s;
    refused = stock_move(s, m);
    if (refused != NULL)
        return ps_reject(c, refused);
    if (key.type != PS_NULL)
        remember(c, key, m, shop_keep_ms(conf));
    return stock_changed(c, r->key, &was, s, m->id);
}

int
movement_forget(struct ps_ctx *c, int slot, struct ps_val key, void *value,
    int64_t keep_ms)
{
    const Shop__Moved *m = value;

    if (ps_clock(c) - m->at_ms < keep_ms)
        return PS_OK;
    return ps_delete(c, slot, key);
}
