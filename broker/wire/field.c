/*
 * field.c: what the interpreters need to know of a field: its size and its
 * default.
 */
#include "config.h"

#include "wire/wire_priv.h"

#include "base/check.h"

static const struct {
    uint8_t fixed; /* bytes on the wire, 0: it varies */
    uint8_t elem;  /* bytes in memory */
} kinds[] = {
    [WIRE_BOOL] = {1, sizeof(bool)},
    [WIRE_INT8] = {1, sizeof(int8_t)},
    [WIRE_INT16] = {2, sizeof(int16_t)},
    [WIRE_UINT16] = {2, sizeof(uint16_t)},
    [WIRE_INT32] = {4, sizeof(int32_t)},
    [WIRE_UINT32] = {4, sizeof(uint32_t)},
    [WIRE_INT64] = {8, sizeof(int64_t)},
    [WIRE_FLOAT64] = {8, sizeof(double)},
    [WIRE_UUID] = {16, sizeof(struct uuid)},
    [WIRE_STRING] = {0, sizeof(struct span)},
    [WIRE_BYTES] = {0, sizeof(struct span)},
    [WIRE_RECORDS] = {0, sizeof(struct span)},
    [WIRE_LIST] = {0, 0},
};

size_t
wire_fixed_size(uint8_t kind)
{
    assert(kind < countof(kinds));
    return kinds[kind].fixed;
}

size_t
wire_elem_size(uint8_t kind)
{
    assert(kind < countof(kinds));
    return kinds[kind].elem;
}

/* The arrays of all tables have one shape (struct wire_array). */
static_assert(offsetof(struct wire_array, n) == sizeof(void *), "array shape");

void
wire_field_init(const struct wire_field *f, void *p)
{
    int64_t d = f->dflt;

    switch ((enum wire_kind)f->kind) {
    case WIRE_BOOL:
        *(bool *)p = d != 0;
        return;
    case WIRE_INT8:
        *(int8_t *)p = (int8_t)d;
        return;
    case WIRE_INT16:
    case WIRE_UINT16:
        *(uint16_t *)p = (uint16_t)d;
        return;
    case WIRE_INT32:
    case WIRE_UINT32:
        *(uint32_t *)p = (uint32_t)d;
        return;
    case WIRE_INT64:
        *(int64_t *)p = d;
        return;
    case WIRE_FLOAT64:
        *(double *)p = (double)d;
        return;
    case WIRE_UUID:
        memset(p, 0, sizeof(struct uuid));
        return;
    case WIRE_STRING:
    case WIRE_BYTES:
    case WIRE_RECORDS:
        *(struct span *)p = d == WIRE_NULL ? SPAN_NULL : span_of("", 0);
        return;
    case WIRE_STRUCT:
        wire_init(f->type, p);
        return;
    case WIRE_OPTION:
        *(void **)p = NULL;
        return;
    case WIRE_ARRAY:
    case WIRE_LIST:
        *(struct wire_array *)p =
            (struct wire_array){NULL, d == WIRE_NULL ? -1 : 0};
        return;
    }
    unreachable("a kind outside of the enum");
}

static bool
type_is_default(const struct wire_type *type, const void *msg)
{
    for (size_t i = 0; i < type->count; i++) {
        const struct wire_field *f = &type->fields[i];

        if (!wire_field_is_default(f, wire_at_const(msg, f)))
            return false;
    }
    return true;
}

bool
wire_field_is_default(const struct wire_field *f, const void *p)
{
    static const struct uuid zero;
    int64_t d = f->dflt;
    const struct span *s = p;
    const struct wire_array *a = p;

    switch ((enum wire_kind)f->kind) {
    case WIRE_BOOL:
        return *(const bool *)p == (d != 0);
    case WIRE_INT8:
        return *(const int8_t *)p == (int8_t)d;
    case WIRE_INT16:
    case WIRE_UINT16:
        return *(const uint16_t *)p == (uint16_t)d;
    case WIRE_INT32:
    case WIRE_UINT32:
        return *(const uint32_t *)p == (uint32_t)d;
    case WIRE_INT64:
        return *(const int64_t *)p == d;
    case WIRE_FLOAT64:
        /* bit by bit: -0.0 and NaN are values of their own */
        return memcmp(p, &(double){(double)d}, sizeof(double)) == 0;
    case WIRE_UUID:
        return memcmp(p, &zero, sizeof zero) == 0;
    case WIRE_STRING:
    case WIRE_BYTES:
    case WIRE_RECORDS:
        if (s->ptr == NULL)
            return d == WIRE_NULL || !f->nullable;
        return s->len == 0 && d != WIRE_NULL;
    case WIRE_STRUCT:
        return type_is_default(f->type, p);
    case WIRE_OPTION:
        return *(void *const *)p == NULL;
    case WIRE_ARRAY:
    case WIRE_LIST:
        if (a->n < 0)
            return d == WIRE_NULL || !f->nullable;
        return a->n == 0 && d != WIRE_NULL;
    }
    unreachable("a kind outside of the enum");
    return false;
}

void
wire_init(const struct wire_type *type, void *msg)
{
    for (size_t i = 0; i < type->count; i++) {
        const struct wire_field *f = &type->fields[i];

        wire_field_init(f, wire_at(msg, f));
    }
}

void *
wire_new(const struct wire_type *type, struct arena *arena, size_t count)
{
    uint8_t *v = arena_calloc(arena, count > 0 ? count : 1, type->size);

    for (size_t i = 0; v != NULL && i < count; i++)
        wire_init(type, v + i * type->size);
    return v;
}
