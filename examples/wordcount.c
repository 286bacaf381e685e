/*
 * wordcount.c: lines in, words counted: an application of your own.
 *
 *     cc -o wordcount wordcount.c $(pkg-config --cflags --libs libpenstock)
 *     ./wordcount test                 with the driver: no broker, no disk
 *     ./wordcount serve --data data    as a broker that runs it
 *     ./wordcount produce lines 'to be or not to be'
 *     ./wordcount consume word-counts -e
 *
 * The program has all of penstock's commands, since it is penstock_main().
 */
#include <penstock/driver.h>
#include <penstock/streams.h>
#include <stdio.h>
#include <string.h>

static int
split(struct ps_ctx *c, const struct ps_record *r, void *conf)
{
    const char *at = r->value;

    (void)conf;
    while (at != NULL && *at != '\0') {
        size_t n = strcspn(at, " \t");

        if (n > 0)
            ps_forward(c, ps_strn(at, n), ps_strn(at, n));
        at += n + strspn(at + n, " \t");
    }
    return PS_OK;                /* what went wrong sticks to c */
}

static void
build(struct ps_topology *t, void *conf)
{
    struct ps_stream *words = ps_flat_map(ps_stream(t, "lines", &ps_string),
        "split", split, conf, &ps_string, &ps_string);

    words = ps_repartition(words, "by-word", NULL);
    ps_to(ps_table_updates(ps_count_by_key(words, "counts")), "word-counts",
        &ps_int64);
}

static void
scenario(struct ps_driver *d, void *arg)
{
    (void)arg;
    ps_pipe(d, "lines", NULL, "to be or not to be");
    ps_pipe(d, "lines", NULL, "be");
    ps_settle(d);
}

static int failed;

static void
check(struct ps_driver *d, void *arg)
{
    (void)arg;
    if (ps_view_int(d, "counts", "be", NULL) != 3
        || ps_view_int(d, "counts", "not", NULL) != 1)
        failed = 1;
}

int
main(int argc, char **argv)
{
    static const struct ps_app apps[] = {{"wordcount", build, NULL},
        {NULL, NULL, NULL}};
    static const struct ps_driver_opts opts = {.partitions = 3};

    if (argc != 2 || strcmp(argv[1], "test") != 0)
        return penstock_main(argc, argv, apps);
    /* Again and again, with the power cut after each step. */
    if (ps_driver_sweep(build, NULL, &opts, scenario, check) < 0 || failed) {
        puts("wordcount: failed");
        return 1;
    }
    puts("wordcount: ok, also with a power cut after every step");
    return 0;
}
