/* retail.c: see retail.h. */
#include "config.h"

#include "retail/retail.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/world.h"
#include "parse.h"

enum { OWN_LINES = 100000, OWN_LINES_MAX = 100000000 };

int
retail_conf(const struct cli *cli, struct retail_conf *r, struct err *err)
{
    struct sales_conf *s = &r->sales;
    const char *until = cli_get(cli, "until");
    int64_t seed;

    s->file = cli_get(cli, "dataset");
    if (s->file != NULL && (cli_has(cli, "orders") || cli_has(cli, "seed")))
        return err_set(err, ERR_USAGE, "--orders and --seed are for orders "
            "made up, without --dataset");
    if (s->file == NULL && cli_has(cli, "lines"))
        return err_set(err, ERR_USAGE, "--lines is for --dataset; else say "
            "--orders");
    r->given = s->file != NULL || cli_has(cli, "orders")
        || cli_has(cli, "seed");
    if (cli_int(cli, "seed", 1, 0, INT64_MAX, &seed, err) != 0)
        return -1;
    s->seed = (uint64_t)seed;
    s->until_ms = world_wall_ms(world_real());
    if (until != NULL
        && parse_time(until, s->until_ms, &s->until_ms, err) != 0)
        return -1;
    return s->file != NULL
        ? cli_int(cli, "lines", INT64_MAX, 1, INT64_MAX, &s->lines, err)
        : cli_int(cli, "orders", OWN_LINES, 1, OWN_LINES_MAX, &s->lines, err);
}

char *
retail_number(char *room, int64_t v)
{
    char digits[24];
    size_t n, out = 0;

    snprintf(digits, sizeof digits, "%" PRId64, v);
    n = strlen(digits);
    for (size_t i = 0; i < n; i++) {
        if (i > (v < 0 ? 1u : 0u) && (n - i) % 3 == 0)
            room[out++] = ',';
        room[out++] = digits[i];
    }
    room[out] = '\0';
    return room;
}
