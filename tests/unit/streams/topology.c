/* The checks of a topology: each mistake is found, with the node's name. */
#include "config.h"

#include "tests/unit/streams/fixture.h"

#include <stdlib.h>

#include "tests/unit/streams/trade.pb-c.h"
#include "topology/topology.h"

#define ORDER PS_PROTO(trade__order)
#define MOVEMENT PS_PROTO(trade__movement)
#define STOCK PS_PROTO(trade__stock)

static bool
yes(struct ps_ctx *c, const struct ps_record *r, void *conf)
{
    return true;
}

static int
nothing(struct ps_ctx *c, const struct ps_record *r, void *conf)
{
    return PS_OK;
}

static struct ps_val
same_key(struct ps_ctx *c, const struct ps_record *r, void *conf)
{
    return r->key;
}

static struct ps_val
same_value(struct ps_ctx *c, const struct ps_record *r, void *conf)
{
    return ps_value(r);
}

static struct ps_val
fold(struct ps_ctx *c, const struct ps_record *r, void *old, void *conf)
{
    return ps_value(r);
}

static const struct ps_processor keeper = {
    .on = {nothing},
    .stores = {{"stock", &ps_string, STOCK}}};

static const struct ps_processor two_inputs = {
    .on = {nothing, nothing},
    .stores = {{"stock", &ps_string, STOCK}}};

static const struct ps_processor stateless = {.on = {nothing}};

static const struct ps_processor two_outputs = {
    .on = {nothing},
    .out = {.value = ORDER},
    .outs = {{"refunds", &ps_string, ORDER}}};

/* ---- mistakes ----------------------------------------------------------- */

static void
unnamed(struct ps_topology *t)
{
    ps_to(ps_repartition(ps_stream(t, "orders", ORDER), NULL, "id"), "out",
        NULL);
}

static void
unnamed_state(struct ps_topology *t)
{
    ps_count_by_key(ps_repartition(ps_stream(t, "orders", ORDER), "by-id",
        "id"), NULL);
}

static void
bad_name(struct ps_topology *t)
{
    ps_to(ps_repartition(ps_stream(t, "orders", ORDER), "by id", "id"), "out",
        NULL);
}

static void
twice(struct ps_topology *t)
{
    struct ps_stream *s = ps_stream(t, "orders", ORDER);

    s = ps_filter(s, "only", yes, NULL);
    ps_to(ps_filter(s, "only", yes, NULL), "out", ORDER);
}

static void
store_twice(struct ps_topology *t)
{
    struct ps_stream *s = ps_repartition(ps_stream(t, "orders", ORDER),
        "by-id", "id");

    ps_process(s, "a", &keeper, NULL);
    ps_process(s, "b", &keeper, NULL);
}

static void
no_field(struct ps_topology *t)
{
    ps_to(ps_repartition(ps_stream(t, "orders", ORDER), "by-x", "prodcut"),
        "out", NULL);
}

static void
field_repeated(struct ps_topology *t)
{
    ps_to(ps_repartition(ps_stream(t, "orders", ORDER), "by-x", "notes"),
        "out", NULL);
}

static void
field_double(struct ps_topology *t)
{
    ps_to(ps_repartition(ps_stream(t, "orders", ORDER), "by-x", "price"),
        "out", NULL);
}

static void
field_of_text(struct ps_topology *t)
{
    ps_to(ps_repartition(ps_stream(t, "lines", &ps_string), "by-x", "id"),
        "out", NULL);
}

static void
wrong_sink(struct ps_topology *t)
{
    ps_to(ps_stream(t, "orders", ORDER), "movements", MOVEMENT);
}

static void
unknown_type(struct ps_topology *t)
{
    struct ps_stream *s = ps_stream(t, "orders", ORDER);

    ps_to(ps_repartition(ps_process(s, "step", &stateless, NULL), "by-id",
        "id"), "out", ORDER);
}

static void
foreign_state(struct ps_topology *t)
{
    ps_process(ps_stream(t, "orders", ORDER), "keep", &keeper, NULL);
}

static void
rekeyed_state(struct ps_topology *t)
{
    struct ps_stream *s = ps_repartition(ps_stream(t, "orders", ORDER),
        "by-id", "id");

    s = ps_select_key(s, "other-key", same_key, NULL, NULL);
    ps_process(s, "keep", &keeper, NULL);
}

static void
state_two_inputs(struct ps_topology *t)
{
    struct ps_stream *a = ps_trust(ps_stream(t, "a", ORDER)),
                     *b = ps_trust(ps_stream(t, "b", ORDER));

    ps_process(ps_merge(a, b), "keep", &keeper, NULL);
}

static void
gathered_filter(struct ps_topology *t)
{
    struct ps_stream *o = ps_stream(t, "orders", ORDER),
                     *m = ps_stream(t, "movements", MOVEMENT);

    o = ps_gather(t, "by-product", PS_FROM({o, "product"}, {m, NULL}));
    ps_to(ps_filter(o, "some", yes, NULL), "out", ORDER);
}

static void
missing_on(struct ps_topology *t)
{
    struct ps_stream *o = ps_stream(t, "orders", ORDER),
                     *m = ps_stream(t, "movements", MOVEMENT);

    o = ps_gather(t, "by-product", PS_FROM({o, "product"}, {m, NULL}));
    ps_process(o, "keep", &keeper, NULL);
}

static void
extra_on(struct ps_topology *t)
{
    struct ps_stream *o = ps_repartition(ps_stream(t, "orders", ORDER),
        "by-id", "id");

    ps_process(o, "keep", &two_inputs, NULL);
}

static void
gathered_keys(struct ps_topology *t)
{
    struct ps_stream *o = ps_stream(t, "orders", ORDER),
                     *m = ps_stream_keyed(t, "movements", &ps_int64, MOVEMENT);

    o = ps_gather(t, "by-product", PS_FROM({o, "product"}, {m, NULL}));
    ps_process(o, "keep", &two_inputs, NULL);
}

static void
merged_types(struct ps_topology *t)
{
    ps_to(ps_merge(ps_stream(t, "a", ORDER), ps_stream(t, "b", MOVEMENT)),
        "out", ORDER);
}

static void
nowhere(struct ps_topology *t)
{
    ps_filter(ps_stream(t, "orders", ORDER), "some", yes, NULL);
}

static void
output_unused(struct ps_topology *t)
{
    ps_process(ps_stream(t, "orders", ORDER), "step", &two_outputs, NULL);
}

static void
output_unknown(struct ps_topology *t)
{
    struct ps_stream *s = ps_stream(t, "orders", ORDER);

    ps_to(ps_output(ps_process(s, "step", &stateless, NULL), "refunds"),
        "refunds", ORDER);
}

static void
cycle(struct ps_topology *t)
{
    struct ps_stream *s = ps_stream(t, "orders", ORDER);

    ps_to(ps_map_values(s, "improve", same_value, NULL, NULL), "orders", NULL);
}

static void
cycle_through_log(struct ps_topology *t)
{
    struct ps_stream *s = ps_stream(t, "orders", ORDER);

    ps_to(ps_repartition(s, "by-id", "id"), "orders", NULL);
}

static void
no_serde(struct ps_topology *t)
{
    ps_to(ps_stream(t, "orders", NULL), "out", ORDER);
}

static void
not_a_serde(struct ps_topology *t)
{
    static const char text[64] = "not a serde";

    ps_to(ps_stream(t, "orders", text), "out", ORDER);
}

static void
no_function(struct ps_topology *t)
{
    ps_to(ps_filter(ps_stream(t, "orders", ORDER), "some", NULL, NULL), "out",
        ORDER);
}

static void
trust_too_late(struct ps_topology *t)
{
    struct ps_stream *s = ps_stream(t, "orders", ORDER);

    s = ps_trust(ps_select_key(s, "rekey", same_key, NULL, NULL));
    ps_reduce(s, "last", fold, NULL);
}

static void
own_mistake(struct ps_topology *t)
{
    ps_to(ps_stream(t, "orders", ORDER), "out", ORDER);
    ps_mistake(t, "the limit of '%s' is negative", "fraud");
}

static void
empty(struct ps_topology *t)
{
}

static const struct {
    void (*build)(struct ps_topology *);
    const char *want;            /* part of a mistake */
} mistakes[] = {
    {unnamed, "the repartition after 'orders' has no name"},
    {unnamed_state, "the count after 't-by-id-repartition' has no name"},
    {bad_name, "'by id': a name is made of"},
    {twice, "'only': two nodes have this name"},
    {store_twice, "store 'stock' is used twice, by 'a' and by 'b'"},
    {no_field, "'by-x': there is no field 'prodcut' of trade.Order"},
    {field_repeated, "field 'notes' of trade.Order is repeated"},
    {field_double, "field 'price' of trade.Order has a type that makes no"},
    {field_of_text, "'by-x': field 'id' of string, which is no message"},
    {wrong_sink, "'movements' takes trade.Movement, but 'orders' gives "
        "trade.Order"},
    {unknown_type, "the type of its values is not known; say .out in 'step'"},
    {foreign_state, "'keep' has state, but the producers of topic 'orders' "
        "choose its partitions"},
    {rekeyed_state, "'keep' has state, but 'other-key' changes the key"},
    {state_two_inputs, "'keep' has state and 2 inputs ('a' and 'b')"},
    {gathered_filter, "'some': what 't-by-product-repartition' gathers goes "
        "into ps_process only"},
    {missing_on, "'keep': no .on[1] for its input 1"},
    {extra_on, "'keep': there is no input 1 for its .on[1]"},
    {gathered_keys, "'by-product': the keys have different types: int64 from "
        "'movements', string before"},
    {merged_types, "'a' and 'b' have different types"},
    {nowhere, "'some' leads nowhere"},
    {output_unused, "'step': nobody takes its output 'refunds'"},
    {output_unknown, "'step' has no output 'refunds' in .outs"},
    {cycle, "'orders': a cycle"},
    {cycle_through_log, "'orders': a cycle"},
    {no_serde, "'orders': it needs a serde"},
    {not_a_serde, "'orders': its serde is neither"},
    {no_function, "'some' has no function"},
    {trust_too_late, "'rekey': ps_trust takes what ps_stream gave"},
    {own_mistake, "the limit of 'fraud' is negative"},
    {empty, "the topology of 't' is empty"},
};

static struct ps_topology *
built(void (*build)(struct ps_topology *), int want)
{
    struct ps_topology *t = topology_new("t");

    build(t);
    assert_int_equal(topology_finish(t), want);
    return t;
}

static char *
mistakes_of(struct ps_topology *t)
{
    struct buf b;
    size_t len;

    buf_init(&b, 1 << 20);
    topology_print_mistakes(t, &b);
    buf_put_u8(&b, 0);
    return (char *)buf_take(&b, &len);
}

static void
test_each_mistake_is_found(void **state)
{
    for (size_t i = 0; i < sizeof mistakes / sizeof mistakes[0]; i++) {
        struct ps_topology *t = built(mistakes[i].build, -1);
        char *text = mistakes_of(t);

        if (strstr(text, mistakes[i].want) == NULL)
            fail_msg("want: %s\ngot: %s", mistakes[i].want, text);
        free(text);
        topology_free(t);
    }
}

static void
many(struct ps_topology *t)
{
    struct ps_stream *s = ps_stream(t, "orders", ORDER);

    ps_to(s, "movements", MOVEMENT);
    ps_process(s, "keep", &keeper, NULL);
    ps_to(ps_repartition(s, "by-x", "prodcut"), "out", NULL);
}

static void
test_all_mistakes_come_at_once(void **state)
{
    struct ps_topology *t = built(many, -1);

    assert_int_equal(t->mistake_count, 3);
    topology_free(t);
}

/* ---- a right one -------------------------------------------------------- */

static void
inventory(struct ps_topology *t)
{
    struct ps_stream *o = ps_stream(t, "orders", ORDER),
                     *m = ps_stream(t, "movements", MOVEMENT);

    o = ps_repartition(o, "by-id", "id");
    o = ps_filter(o, NULL, yes, NULL);
    o = ps_gather(t, "by-product", PS_FROM({o, "product"}, {m, NULL}));
    o = ps_process(o, "reserve", &two_inputs, NULL);
    ps_to(o, "verdicts", PS_PROTO(trade__verdict));
}

static void
test_falls_into_sub_topologies(void **state)
{
    struct ps_topology *t = built(inventory, 0);

    assert_int_equal(t->sub_count, 4);
    assert_string_equal(t->subs[0].name, "orders");
    assert_string_equal(t->subs[1].name, "movements");
    assert_string_equal(t->subs[2].name, "t-by-id-repartition");
    assert_string_equal(t->subs[3].name, "reserve");
    assert_int_equal(t->subs[3].source_count, 1);
    assert_int_equal(t->subs[3].store_count, 1);
    topology_free(t);
}

static void
test_prints(void **state)
{
    struct ps_topology *t = built(inventory, 0);
    struct buf b;

    buf_init(&b, 1 << 20);
    topology_print(t, &b);
    topology_print_dot(t, &b);
    buf_put_u8(&b, 0);
    assert_non_null(strstr((char *)b.ptr, "process reserve (stores: stock)"));
    assert_non_null(strstr((char *)b.ptr,
        "(topic: t-by-product-repartition, key: product)"));
    assert_non_null(strstr((char *)b.ptr, "<string, trade.Order | "
        "trade.Movement>"));
    assert_non_null(strstr((char *)b.ptr, "digraph \"t\""));
    buf_release(&b);
    topology_free(t);
}

static void
inventory_filtered(struct ps_topology *t)
{
    struct ps_stream *o = ps_stream(t, "orders", ORDER),
                     *m = ps_stream(t, "movements", MOVEMENT);

    o = ps_repartition(o, "by-id", "id");
    o = ps_filter(ps_filter(o, NULL, yes, NULL), "more", yes, NULL);
    o = ps_gather(t, "by-product", PS_FROM({o, "product"}, {m, NULL}));
    o = ps_process(o, "reserve", &two_inputs, NULL);
    ps_to(o, "verdicts", PS_PROTO(trade__verdict));
}

static void
inventory_other_key(struct ps_topology *t)
{
    struct ps_stream *o = ps_stream(t, "orders", ORDER),
                     *m = ps_stream(t, "movements", MOVEMENT);

    o = ps_repartition(o, "by-order", "id");
    o = ps_filter(o, NULL, yes, NULL);
    o = ps_gather(t, "by-product", PS_FROM({o, "product"}, {m, NULL}));
    o = ps_process(o, "reserve", &two_inputs, NULL);
    ps_to(o, "verdicts", PS_PROTO(trade__verdict));
}

static void
test_fingerprint_is_of_what_is_on_the_disk(void **state)
{
    struct ps_topology *a = built(inventory, 0), *b = built(inventory, 0),
                       *filtered = built(inventory_filtered, 0),
                       *other = built(inventory_other_key, 0);

    assert_true(a->fingerprint == b->fingerprint);
    assert_true(a->fingerprint == filtered->fingerprint);
    assert_true(a->fingerprint != other->fingerprint);
    topology_free(a);
    topology_free(b);
    topology_free(filtered);
    topology_free(other);
}

static void
test_owned_conf_is_freed(void **state)
{
    struct ps_topology *t = topology_new("t");

    ps_own(t, malloc(10), free);     /* a leak if it is not */
    topology_free(t);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_mistake_is_found),
        cmocka_unit_test(test_all_mistakes_come_at_once),
        cmocka_unit_test(test_falls_into_sub_topologies),
        cmocka_unit_test(test_prints),
        cmocka_unit_test(test_fingerprint_is_of_what_is_on_the_disk),
        cmocka_unit_test(test_owned_conf_is_freed),
    };

    return cmocka_run_group_tests_name("topology", tests, NULL, NULL);
}
