#include "config.h"

#include "random_message.h"

#include <stdio.h>
#include <stdlib.h>

#include "serde/pb.h"

uint64_t
random_next(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state * UINT64_C(0x2545f4914f6cdd1d);
}

uint64_t
random_seed(void)
{
    const char *text = getenv("PENSTOCK_SEED");
    uint64_t seed = text == NULL ? 42 : strtoull(text, NULL, 0);

    printf("# seed %llu\n", (unsigned long long)seed);
    return seed == 0 ? 1 : seed;
}

/* Numbers of all sizes: as many small as large ones. */
static uint64_t
number(uint64_t *r)
{
    uint64_t v = random_next(r) >> random_next(r) % 64;

    return random_next(r) % 3 == 0 ? 0 - v : v;
}

static char *
text(uint64_t *r, struct arena *a)
{
    static const char *const pieces[] = {"a", "ipad", " ", "\"", "\\", "\n",
        "\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x98\x80", "\x7f", "\x01",
        "0123456789"};
    size_t n = random_next(r) % 12;
    char *s = arena_strndup(a, "", 0);

    while (n-- > 0)
        s = arena_printf(a, "%s%s", s, pieces[random_next(r) % 12]);
    return s;
}

static void
number_into(const ProtobufCFieldDescriptor *f, void *to, uint64_t *r,
    bool tame)
{
    uint64_t v = number(r);
    int32_t narrow = (int32_t)v;
    double d = (double)(int64_t)v / 3;
    float real = (float)d;

    if (f->type == PROTOBUF_C_TYPE_DOUBLE) {
        memcpy(to, &d, sizeof d);
    } else if (f->type == PROTOBUF_C_TYPE_FLOAT) {
        memcpy(to, &real, sizeof real);
    } else if (pb_type_size(f->type) == 8) {
        v = tame ? v % (UINT64_C(1) << 40) : v;
        memcpy(to, &v, sizeof v);
    } else {
        if (f->type == PROTOBUF_C_TYPE_BOOL)
            narrow &= 1;
        memcpy(to, &narrow, sizeof narrow);
    }
}

static void
value_into(const ProtobufCFieldDescriptor *f, void *to, uint64_t *r,
    struct arena *a, bool tame, unsigned depth)
{
    ProtobufCBinaryData *b = to;

    if (f->type == PROTOBUF_C_TYPE_STRING) {
        *(char **)to = text(r, a);
    } else if (f->type == PROTOBUF_C_TYPE_BYTES) {
        b->len = random_next(r) % 40;
        b->data = arena_alloc(a, b->len + 1);
        for (size_t i = 0; i < b->len; i++)
            b->data[i] = (uint8_t)random_next(r);
    } else if (f->type == PROTOBUF_C_TYPE_MESSAGE) {
        *(ProtobufCMessage **)to =
            random_message(f->descriptor, r, a, tame, depth + 1);
    } else {
        number_into(f, to, r, tame);
    }
}

static void
array_into(const ProtobufCFieldDescriptor *f, char *base, uint64_t *r,
    struct arena *a, bool tame, unsigned depth)
{
    size_t n = random_next(r) % 9, size = pb_type_size(f->type);
    char *array = arena_calloc(a, n + 1, size);

    for (size_t i = 0; i < n; i++)
        value_into(f, array + i * size, r, a, tame, depth);
    *(void **)(void *)(base + f->offset) = array;
    memcpy(base + f->quantifier_offset, &n, sizeof n);
}

ProtobufCMessage *
random_message(const ProtobufCMessageDescriptor *m, uint64_t *r,
    struct arena *a, bool tame, unsigned depth)
{
    ProtobufCMessage *msg = arena_alloc(a, m->sizeof_message);
    char *base = (char *)msg;

    m->message_init(msg);
    for (unsigned i = 0; i < m->n_fields; i++) {
        const ProtobufCFieldDescriptor *f = &m->fields[i];
        bool oneof = f->flags & PROTOBUF_C_FIELD_FLAG_ONEOF;
        uint32_t which;

        memcpy(&which, base + f->quantifier_offset, sizeof which);
        if (random_next(r) % 3 == 0 || (oneof && which != 0))
            continue;
        if (f->type == PROTOBUF_C_TYPE_MESSAGE && depth > 3)
            continue;
        if (f->label == PROTOBUF_C_LABEL_REPEATED)
            array_into(f, base, r, a, tame, depth);
        else
            value_into(f, base + f->offset, r, a, tame, depth);
        if (oneof)
            memcpy(base + f->quantifier_offset, &f->id, sizeof f->id);
    }
    return msg;
}
