/*
 * What the engine costs by itself: nanoseconds a record over the port in
 * memory (or one that throws all away), serdes of bytes. Not a test: run it
 * by hand, tests/unit/streams/bench [records].
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>

#include <penstock/streams.h>

#include "base/check.h"
#include "base/world.h"
#include "port/memory.h"
#include "task/engine.h"

static bool
not_empty(struct ps_ctx *c, const struct ps_record *r, void *conf)
{
    return r->value_len > 0;
}

static int
look(struct ps_ctx *c, const struct ps_record *r, void *conf)
{
    return PS_OK;
}

static void
filtering(struct ps_topology *t, void *conf)
{
    struct ps_stream *s = ps_stream_keyed(t, "in", &ps_bytes, &ps_bytes);

    s = ps_repartition(ps_filter(s, NULL, not_empty, NULL), "by-key", NULL);
    ps_peek(s, "end", look, NULL);
}

static int
get_put(struct ps_ctx *c, const struct ps_record *r, void *conf)
{
    struct ps_val v = ps_get_val(c, 0, r->key);

    if (v.type == PS_BYTES)
        ((uint8_t *)(uintptr_t)v.as.ptr)[0]++;
    return ps_put(c, 0, r->key, v.type == PS_BYTES ? v : ps_value(r));
}

static const struct ps_processor keeper = {
    .on = {get_put},
    .stores = {{"kept", &ps_bytes, &ps_bytes}}};

static void
keeping(struct ps_topology *t, void *conf)
{
    struct ps_stream *s = ps_stream_keyed(t, "in", &ps_bytes, &ps_bytes);

    ps_process(ps_trust(s), "keep", &keeper, NULL);
}

/* ---- a port that throws away -------------------------------------------- */

static void
no_emit(struct port_task *t, const struct port_out *o)
{
}

static void
no_put(struct port_task *t, unsigned store, struct span key, struct span value)
{
}

static enum port_status
one_value(struct port_task *t, unsigned store, struct span key,
    struct arena *a, struct span *value, struct err *err)
{
    static const uint8_t bytes[100];

    *value = span_of(bytes, sizeof bytes);
    return PORT_OK;
}

static void
measure(const char *name, void (*build)(struct ps_topology *, void *),
    bool null, long records)
{
    struct port *port = memory_new(&(struct memory_opts){.partitions = 1,
        .seed = 1, .real_time = true});
    const struct ps_app apps[] = {{"bench", build, NULL}, {NULL, NULL, NULL}};
    struct port_ops ops = *port->ops;
    struct engine *e;
    struct err err;
    uint8_t value[100] = {1};
    struct task_info info;
    int64_t ns;

    if (null) {
        ops.emit = no_emit;
        ops.put = no_put;
        ops.get = one_value;
        port->ops = &ops;
    }
    if (engine_new(&(struct engine_opts){.port = port, .apps = apps}, &e, &err,
        NULL) != 0) {
        fprintf(stderr, "%s\n", err.text);
        exit(1);
    }
    for (long i = 0; i < records; i++) {
        uint8_t key[8] = {(uint8_t)i, (uint8_t)(i >> 8), (uint8_t)(i >> 16)};

        memory_append(port, memory_topic(port, "in"), 0, i,
            span_of(key, sizeof key), span_of(value, sizeof value), NULL, 0);
    }
    ns = world_mono_ns(world_real());
    while (engine_step_task(e, 0))
        continue;
    ns = world_mono_ns(world_real()) - ns;
    engine_task_info(e, 0, &info);
    printf("%-28s %-7s %7.1f ns/record  %5.1f records/run\n", name,
        null ? "null" : "memory", (double)ns / (double)records,
        (double)info.in / (double)info.runs);
    assert(info.in == (uint64_t)records);
    engine_free(e);
    memory_free(port);
}

int
main(int argc, char **argv)
{
    long records = argc > 1 ? strtol(argv[1], NULL, 10) : 500000;

    for (int i = 0; i < 3; i++) {
        measure("filter -> repartition", filtering, true, records);
        measure("filter -> repartition", filtering, false, records);
        measure("get + put", keeping, true, records);
        measure("get + put", keeping, false, records);
    }
    return 0;
}
