/*
 * The tables say what they said when every row of them, in every version, was
 * compared with Kafka 4.2's own descriptions. A change here is a change of
 * the protocol: compare again, then put the number that the test prints.
 */
#include "config.h"

#include "tests/unit/wire/wiretest.h"

#include <stdio.h>

#include "base/check.h"
#include "base/crc32c.h"
#include "wire/msg/consumer.h"
#include "wire/wire_priv.h"

static const struct {
    const char *name;
    uint32_t crc;
} known[] = {
#define LAYOUT(name, crc) {name, crc},
#include "tests/unit/wire/layout.tbl"
#undef LAYOUT
};

/* One line per field: what it is in this version. */
static void
put_layout(struct buf *b, const struct wire_type *type, int version, int depth)
{
    for (size_t i = 0; i < type->count; i++) {
        const struct wire_field *f = &type->fields[i];

        if (!wire_field_in(f, version))
            continue;
        buf_printf(b, "%*s%s kind %d of %d, null %d, tag %d, default %lld\n",
            depth, "", f->name, f->kind, f->elem,
            f->nullable && version >= f->null_first, f->tagged ? f->tag : -1,
            (long long)f->dflt);
        if (f->type != NULL)
            put_layout(b, f->type, version, depth + 1);
    }
}

struct found {
    const struct wire_msg *msg;
    struct buf text;
    size_t count;
    bool changed;
};

static void
compare(struct found *f)
{
    uint32_t crc;

    if (f->msg == NULL)
        return;
    assert_false(f->text.failed);
    crc = crc32c(0, f->text.ptr, f->text.len);
    if (f->count >= countof(known) ||
        strcmp(known[f->count].name, f->msg->name) != 0 ||
        known[f->count].crc != crc) {
        printf(
            "# changed: LAYOUT(\"%s\", 0x%08x)\n", f->msg->name, (unsigned)crc);
        f->changed = true;
    }
    f->count++;
}

static void
add_version(const struct wire_msg *msg, int version, void *arg)
{
    struct found *f = arg;

    if (f->msg != msg) {
        compare(f);
        f->msg = msg;
        buf_clear(&f->text);
    }
    buf_printf(&f->text, "%s v%d, flexible %d\n", msg->name, version,
        version >= msg->flexible);
    put_layout(&f->text, msg->type, version, 1);
}

static void
the_layout_is_kafkas(void **state)
{
    struct found f = {NULL};

    buf_init(&f.text, 1 << 20);
    each_message(add_version, &f);
    compare(&f);
    buf_release(&f.text);
    assert_false(f.changed);
    assert_int_equal(f.count, countof(known));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_layout_is_kafkas),
    };

    return cmocka_run_group_tests_name("layout", tests, NULL, NULL);
}
