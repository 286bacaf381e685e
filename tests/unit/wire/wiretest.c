#include "config.h"

#include "tests/unit/wire/wiretest.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/check.h"
#include "wire/wire_priv.h"
#include "wire/msg/consumer.h"

struct dice
dice_start(const char *who)
{
    const char *seed = getenv("PENSTOCK_SEED");
    struct dice d = {seed == NULL ? 20240229 : strtoull(seed, NULL, 0)};

    printf("# %s: PENSTOCK_SEED=%llu\n", who, (unsigned long long)d.state);
    return d;
}

/* splitmix64 */
uint64_t
dice_roll(struct dice *d)
{
    uint64_t z = d->state += 0x9e3779b97f4a7c15u;

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

uint32_t
dice_below(struct dice *d, uint32_t n)
{
    return (uint32_t)(dice_roll(d) % n);
}

/* -- filling ------------------------------------------------------------- */

static struct span
random_span(struct dice *d, bool nullable, struct arena *a)
{
    static const uint16_t sizes[] = {0, 1, 3, 12, 126, 127, 128, 300};
    size_t len = sizes[dice_below(d, dice_below(d, 8) + 1)];
    uint8_t *p;

    if (nullable && dice_below(d, 3) == 0)
        return SPAN_NULL;
    p = arena_alloc(a, len + 1);
    for (size_t i = 0; i < len; i++)
        p[i] = (uint8_t)('a' + dice_below(d, 26));
    return span_of(p, len);
}

static void
fill_value(
    struct dice *d, uint8_t kind, bool nullable, struct arena *a, void *p)
{
    static const uint64_t edges[] = {0, 1, UINT64_MAX, INT64_MAX, 1ull << 63,
        0x7f, 0x80, 0x7fff, 0x7fffffff, 0x80000000u};
    uint64_t v =
        dice_below(d, 2) ? edges[dice_below(d, countof(edges))] : dice_roll(d);
    struct uuid id;

    switch (kind) {
    case WIRE_BOOL:
        *(bool *)p = v & 1;
        break;
    case WIRE_STRING:
    case WIRE_BYTES:
    case WIRE_RECORDS:
        *(struct span *)p = random_span(d, nullable, a);
        break;
    case WIRE_UUID:
        for (size_t i = 0; i < sizeof id.bytes; i++)
            id.bytes[i] = (uint8_t)dice_roll(d);
        memcpy(p, &id, sizeof id);
        break;
    default:
        memcpy(p, &v, wire_elem_size(kind));
        break;
    }
}

static void fill(struct dice *, const struct wire_type *, int version,
    struct arena *, void *);

static void
fill_array(struct dice *d, const struct wire_field *f, bool nullable,
    int version, struct arena *a, struct wire_array *to)
{
    size_t size =
        f->kind == WIRE_ARRAY ? f->type->size : wire_elem_size(f->elem);
    uint8_t *p;

    to->v = NULL;
    to->n = (int32_t)dice_below(d, 4);
    if (nullable && dice_below(d, 3) == 0)
        to->n = -1;
    if (to->n == 0 && f->empty_null && !nullable)
        to->n = -1;
    if (to->n <= 0)
        return;
    to->v = p = arena_calloc(a, (size_t)to->n, size);
    for (int32_t i = 0; i < to->n; i++, p += size) {
        if (f->kind == WIRE_ARRAY)
            fill(d, f->type, version, a, p);
        else
            fill_value(d, f->elem, false, a, p);
    }
}

static void
fill(struct dice *d, const struct wire_type *type, int version, struct arena *a,
    void *msg)
{
    wire_init(type, msg);
    for (size_t i = 0; i < type->count; i++) {
        const struct wire_field *f = &type->fields[i];
        bool nullable = f->nullable && version >= f->null_first;
        void *p = wire_at(msg, f);

        if (!wire_field_in(f, version))
            continue;
        if (f->tagged && dice_below(d, 3) == 0)
            continue; /* stays default: not sent at all */
        if (f->kind == WIRE_STRUCT) {
            fill(d, f->type, version, a, p);
        } else if (f->kind == WIRE_OPTION) {
            if (nullable && dice_below(d, 3) == 0)
                continue;
            *(void **)p = arena_calloc(a, 1, f->type->size);
            fill(d, f->type, version, a, *(void **)p);
        } else if (f->kind == WIRE_ARRAY || f->kind == WIRE_LIST) {
            fill_array(d, f, nullable, version, a, p);
        } else {
            fill_value(d, f->kind, nullable, a, p);
        }
    }
}

void *
message_random(
    struct dice *d, const struct wire_type *type, int version, struct arena *a)
{
    void *msg = arena_calloc(a, 1, type->size);

    assert_non_null(msg);
    fill(d, type, version, a, msg);
    return msg;
}

/* -- comparing ----------------------------------------------------------- */

static bool
span_same(struct span a, struct span b)
{
    return (a.ptr == NULL) == (b.ptr == NULL) && span_eq(a, b);
}

static bool
value_same(uint8_t kind, const void *a, const void *b)
{
    if (kind == WIRE_STRING || kind == WIRE_BYTES || kind == WIRE_RECORDS)
        return span_same(*(const struct span *)a, *(const struct span *)b);
    return memcmp(a, b, wire_elem_size(kind)) == 0;
}

static const char *
array_differs(const struct wire_field *f, const struct wire_array *a,
    const struct wire_array *b)
{
    const uint8_t *p = a->v, *q = b->v;
    size_t size =
        f->kind == WIRE_ARRAY ? f->type->size : wire_elem_size(f->elem);

    if (a->n != b->n)
        return f->name;
    for (int32_t i = 0; i < a->n; i++, p += size, q += size) {
        const char *differs = NULL;

        if (f->kind == WIRE_ARRAY)
            differs = message_differs(f->type, p, q);
        else if (!value_same(f->elem, p, q))
            differs = f->name;
        if (differs != NULL)
            return differs;
    }
    return NULL;
}

static const char *
field_differs(const struct wire_field *f, const void *a, const void *b)
{
    const void *x, *y;

    switch (f->kind) {
    case WIRE_STRUCT:
        return message_differs(f->type, a, b);
    case WIRE_OPTION:
        x = *(void *const *)a;
        y = *(void *const *)b;
        if (x == NULL || y == NULL)
            return x == y ? NULL : f->name;
        return message_differs(f->type, x, y);
    case WIRE_ARRAY:
    case WIRE_LIST:
        return array_differs(f, a, b);
    default:
        return value_same(f->kind, a, b) ? NULL : f->name;
    }
}

const char *
message_differs(const struct wire_type *type, const void *a, const void *b)
{
    for (size_t i = 0; i < type->count; i++) {
        const struct wire_field *f = &type->fields[i];
        const char *differs =
            field_differs(f, wire_at_const(a, f), wire_at_const(b, f));

        if (differs != NULL)
            return differs;
    }
    return NULL;
}

/* -- all messages, hex --------------------------------------------------- */

static void
each_version(const struct wire_msg *msg, each_message_fn *fn, void *arg)
{
    for (int v = msg->min; v <= msg->max; v++)
        fn(msg, v, arg);
}

void
each_message(each_message_fn *fn, void *arg)
{
    const struct wire_api *api;

    for (size_t i = 0; (api = wire_api_nth(i)) != NULL; i++) {
        each_version(api->request, fn, arg);
        each_version(api->response, fn, arg);
    }
    each_version(&consumer_protocol_subscription_msg, fn, arg);
    each_version(&consumer_protocol_assignment_msg, fn, arg);
}

struct span
bytes_of_hex(struct arena *a, const char *hex)
{
    size_t n = strlen(hex) / 2;
    uint8_t *p = arena_alloc(a, n + 1);

    for (size_t i = 0; i < n; i++) {
        char two[3] = {hex[2 * i], hex[2 * i + 1], '\0'};

        p[i] = (uint8_t)strtoul(two, NULL, 16);
    }
    return span_of(p, n);
}
