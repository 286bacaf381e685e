/*
 * wire_priv.h: what the interpreters share. For this room alone.
 */
#ifndef WIRE_WIRE_PRIV_H
#define WIRE_WIRE_PRIV_H

#include "wire/wire.h"

enum { WIRE_NULL = -1 };         /* wire_field.dflt: null; 0: empty */
enum { WIRE_STRING_MAX = INT16_MAX };

/* Bytes on the wire of a kind of fixed size, else 0. */
size_t wire_fixed_size(uint8_t kind);
/* Bytes in memory of a list's element. */
size_t wire_elem_size(uint8_t kind);

/* Sets *p to the field's default; the field is at p. */
void wire_field_init(const struct wire_field *, void *p);
bool wire_field_is_default(const struct wire_field *, const void *p);

static inline bool
wire_field_in(const struct wire_field *f, int version)
{
    return version >= f->first && version <= f->last;
}

/* Fields of the C struct `msg` by the table's offset. */
static inline void *
wire_at(void *msg, const struct wire_field *f)
{
    return (uint8_t *)msg + f->offset;
}

static inline const void *
wire_at_const(const void *msg, const struct wire_field *f)
{
    return (const uint8_t *)msg + f->offset;
}

#endif
