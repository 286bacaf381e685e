/*
 * load.c: penstock demo load: plays the retail data, or orders made up, into
 * the topics of a running shop.
 *
 * The shop decides in the order of its by-product log. While there is a
 * backlog the lowest timestamp goes first there; but of two topics that are
 * written at the same time one is always ahead of the other. So unless it
 * shall be --live, the shop is paused, everything is written, and it resumes:
 * with one partition the log then has exactly the order of the events, and
 * the outcome is the plain loop's to the unit.
 */
#include "config.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/json.h"
#include "base/limits.h"
#include "base/world.h"
#include "commands.h"
#include "parse.h"
#include "retail/feed.h"
#include "retail/front.h"
#include "retail/retail.h"

const struct opt opts_demo_load[] = {
    RETAIL_OPTS,
    {0, "events", NULL, "print the events instead of producing them"},
    {0, "live", NULL, "do not pause the inventory meanwhile"},
    {0, "rate", "R", "events a second, live (as fast as it goes)"},
    {'p', "partitions", "N", "of topics that are missing"},
    {0, "payments", "HOW", "requests (PAID on orders), topic, none (requests)"},
    {0, "retry", "TIME", "how long to try again when the connection is lost "
                         "(30s)"},
    {0, "no-wait", NULL, "do not wait for the verdicts"},
    RETAIL_HTTP_OPT,
    {0, NULL, NULL, NULL},
};

enum {
    PRINT_BYTES = 64 << 10,
    PROGRESS_MS = 250,
    RETRY_MS = 20,
    SETTLE_MS = 200,
};

struct load {
    struct cli *cli;
    struct retail_conf retail;
    struct feed_conf conf;
    struct feed *feed;
    struct play_totals totals;
    bool live, waits;
    int64_t retry_ms;
    bool tty;                    /* progress is shown */
    int64_t started_ms, shown_ms;
    int64_t load_ms, settle_ms, verdicts_before, verdicts;
    int64_t lost, out_ms;        /* connections; without one, in sum */
};

static int64_t
now_ms(void)
{
    return world_mono_ns(world_real()) / 1000000;
}

/* ---- events as text ----------------------------------------------------- */

static int
print_event(void *arg, const struct event *e, struct err *err)
{
    struct buf *out = arg;

    event_print(e, out);
    if (out->len < PRINT_BYTES)
        return 0;
    if (fwrite(out->ptr, 1, out->len, stdout) != out->len)
        return err_set(err, errno, "stdout");
    buf_clear(out);
    return 0;
}

static int
print_events(struct sales *sales, struct err *err)
{
    struct buf out;
    int rc;

    buf_init(&out, 1 * MIB);
    rc = play(sales, print_event, &out, NULL, err);
    if (rc == 0 && fwrite(out.ptr, 1, out.len, stdout) != out.len)
        rc = err_set(err, errno, "stdout");
    buf_release(&out);
    return rc;
}

/* ---- progress ----------------------------------------------------------- */

static void
show(struct load *l, const char *what, int64_t count, int64_t since_ms)
{
    char number[32], rate[32];
    int64_t now = now_ms(), ms = now - since_ms;

    if (!l->tty || now - l->shown_ms < PROGRESS_MS)
        return;
    l->shown_ms = now;
    fprintf(stderr, "\r\033[K%s %s, %s/s", retail_number(number, count), what,
        retail_number(rate, ms > 0 ? count * 1000 / ms : 0));
    fflush(stderr);
}

static void
shown(struct load *l)
{
    if (l->tty && l->shown_ms != 0)
        fputs("\r\033[K", stderr);
    l->shown_ms = 0;
}

static void
tick(void *arg)
{
    struct load *l = arg;

    show(l, "records written", feed_acked(l->feed), l->started_ms);
}

/* ---- loading ------------------------------------------------------------ */

static int
play_all(struct load *l, struct sales *sales, struct err *err)
{
    feed_again(l->feed);
    if (play(sales, feed_event, l->feed, &l->totals, err) != 0)
        return -1;
    return feed_flush(l->feed, err);
}

/* Connects again until it works or the time is up. */
static int
connect_again(struct load *l, struct err *err)
{
    int64_t since = now_ms();
    const struct timespec pause = {.tv_nsec = RETRY_MS * 1000000};
    int rc;

    do {
        feed_close(l->feed);
        nanosleep(&pause, NULL);
        rc = feed_open(l->feed, err);
    } while (rc != 0 && feed_is_lost(err) && !cli_stop
        && now_ms() - since < l->retry_ms);
    l->out_ms += now_ms() - since;
    return rc;
}

static int
load_all(struct load *l, struct sales *sales, struct err *err)
{
    char number[32];
    int rc;

    l->started_ms = now_ms();
    rc = play_all(l, sales, err);
    while (rc != 0 && feed_is_lost(err) && l->retry_ms > 0) {
        shown(l);
        cli_say(l->cli, "connection lost, %s records are acknowledged",
            retail_number(number, feed_acked(l->feed)));
        l->lost++;
        if (connect_again(l, err) != 0)
            return -1;
        cli_say(l->cli, "connected again, all of them are there");
        rc = play_all(l, sales, err);
    }
    l->load_ms = now_ms() - l->started_ms;
    return rc;
}

/* The oldest record decides: the opening stock is an hour before it. */
static int
check_retention(struct load *l, struct sales *sales, struct err *err)
{
    struct sale first;
    int n = sales_next(sales, &first, err);

    return n <= 0 ? n : feed_may_keep(l->feed, first.at - 3600000,
        world_wall_ms(world_real()), err);
}

/* 1: all is dealt with, 0: not yet. */
static int
look(struct load *l, struct err *err)
{
    int rc = front_settle(l->cli, SETTLE_MS, err);

    if (rc >= 0
        && feed_count(l->feed, "order-validations", &l->verdicts, err) != 0)
        rc = -1;
    return rc;
}

/* Until all is dealt with, also if nobody answers for a while. */
static int
wait_settled(struct load *l, struct err *err)
{
    const struct timespec pause = {.tv_nsec = RETRY_MS * 1000000};
    int64_t since = now_ms(), answered = since;
    int rc;

    do {
        rc = look(l, err);
        if (rc >= 0) {
            answered = now_ms();
        } else if (feed_is_lost(err) && now_ms() - answered < l->retry_ms) {
            rc = 0;              /* it may come back */
            nanosleep(&pause, NULL);
        }
        show(l, "verdicts", l->verdicts - l->verdicts_before, since);
        if (rc == 0 && cli_stop)
            rc = err_set(err, EINTR, "stopped");
    } while (rc == 0);
    l->settle_ms = now_ms() - since;
    return rc < 0 ? -1 : 0;
}

static int
load_paused(struct load *l, struct sales *sales, struct err *err)
{
    struct err ignored;
    int paused = 0, rc;

    if (!l->live)
        paused = front_pause(l->cli, err);
    if (paused < 0)
        return err_prefix(err, "pause the inventory (--live does not)");
    rc = load_all(l, sales, err);
    if (paused > 0 && front_resume(l->cli, rc == 0 ? err : &ignored) < 0)
        rc = -1;
    return rc;
}

static int
load(struct load *l, struct sales *sales, struct err *err)
{
    l->conf.cli = l->cli;
    l->conf.live = l->live;
    l->conf.tick = tick;
    l->conf.arg = l;
    l->feed = feed_new(&l->conf);
    if (feed_open(l->feed, err) != 0
        || check_retention(l, sales, err) != 0
        || feed_count(l->feed, "order-validations", &l->verdicts_before, err)
            != 0
        || load_paused(l, sales, err) != 0)
        return -1;
    return l->waits ? wait_settled(l, err) : 0;
}

/* ---- what was done ------------------------------------------------------ */

static int64_t
per_second(int64_t count, int64_t ms)
{
    return count * 1000 / (ms > 0 ? ms : 1);
}

static void
report_json(const struct load *l)
{
    const int64_t *k = l->totals.kinds;
    struct buf out;
    struct json j;

    buf_init(&out, 64 * KIB);
    json_init(&j, &out);
    json_object_begin(&j);
    json_kv_int(&j, "lines", l->totals.lines);
    if (l->retail.sales.file == NULL)
        json_kv_int(&j, "until_ms", l->retail.sales.until_ms);
    json_kv_int(&j, "events", l->totals.events);
    json_kv_int(&j, "orders", k[EVENT_ORDER]);
    json_kv_int(&j, "movements", k[EVENT_MOVEMENT]);
    json_kv_int(&j, "payments", k[EVENT_PAYMENT]);
    json_kv_int(&j, "cancels", k[EVENT_CANCEL]);
    json_kv_int(&j, "shipments", k[EVENT_SHIPMENT]);
    json_kv_int(&j, "acknowledged", feed_acked(l->feed));
    json_kv_int(&j, "repeated", feed_repeated(l->feed));
    json_kv_int(&j, "connections_lost", l->lost);
    json_kv_int(&j, "load_ms", l->load_ms);
    if (l->waits) {
        json_kv_int(&j, "verdicts", l->verdicts - l->verdicts_before);
        json_kv_int(&j, "settle_ms", l->settle_ms);
    }
    json_object_end(&j);
    buf_put_u8(&out, '\n');
    fwrite(out.ptr, 1, out.len, stdout);
    buf_release(&out);
}

static void
report_people(const struct load *l)
{
    const int64_t *k = l->totals.kinds;
    int64_t verdicts = l->verdicts - l->verdicts_before;
    int64_t worked_ms = l->settle_ms + (l->live ? l->load_ms : 0);
    char a[32], b[32], c[32], d[32], e[32];

    printf("%s lines: %s orders, %s movements, %s cancellations, %s "
        "shipments\n", retail_number(a, l->totals.lines),
        retail_number(b, k[EVENT_ORDER]), retail_number(c, k[EVENT_MOVEMENT]),
        retail_number(d, k[EVENT_CANCEL]),
        retail_number(e, k[EVENT_SHIPMENT]));
    printf("%s records acknowledged in %.1f s: %s/s\n",
        retail_number(a, feed_acked(l->feed)), (double)l->load_ms / 1000,
        retail_number(b, per_second(feed_acked(l->feed), l->load_ms)));
    if (l->lost > 0)
        printf("%s lost connection%s, %.2f s without one, nothing lost\n",
            retail_number(a, l->lost), l->lost == 1 ? "" : "s",
            (double)l->out_ms / 1000);
    if (l->waits)
        printf("%s verdicts in %.1f s: %s orders/s\n",
            retail_number(a, verdicts), (double)worked_ms / 1000,
            retail_number(b, per_second(verdicts, worked_ms)));
}

/* ---- the command -------------------------------------------------------- */

static int
read_payments(struct load *l, struct err *err)
{
    const char *how = cli_get(l->cli, "payments");

    if (how == NULL || strcmp(how, "requests") == 0)
        l->conf.payments = PAYMENTS_AS_REQUESTS;
    else if (strcmp(how, "topic") == 0)
        l->conf.payments = PAYMENTS_AS_TOPIC;
    else if (strcmp(how, "none") == 0)
        l->conf.payments = PAYMENTS_NONE;
    else
        return err_set(err, ERR_USAGE, "--payments: requests, topic or none, "
            "not '%.40s'", how);
    return 0;
}

static int
read_options(struct load *l, struct err *err)
{
    int64_t partitions;

    if (cli_args(l->cli, 0, 0, err) != 0
        || retail_conf(l->cli, &l->retail, err) != 0
        || cli_int(l->cli, "rate", 0, 1, 1000000000, &l->conf.rate, err) != 0
        || cli_int(l->cli, "partitions", -1, 1, PARTITIONS_TOPIC_MAX,
            &partitions, err) != 0
        || cli_ms(l->cli, "retry", 30000, &l->retry_ms, err) != 0
        || read_payments(l, err) != 0)
        return -1;
    l->conf.partitions = (int32_t)partitions;
    l->live = cli_has(l->cli, "live") || l->conf.rate > 0;
    l->waits = !cli_has(l->cli, "no-wait");
    l->tty = !l->cli->quiet && isatty(STDERR_FILENO);
    return 0;
}

int
cmd_demo_load(struct cli *cli)
{
    struct load l = {.cli = cli};
    struct sales *sales = NULL;
    struct err err = {0};
    int code = CLI_OK, rc = read_options(&l, &err);

    cli_catch_signals();
    if (rc == 0) {
        sales = sales_open(&l.retail.sales, &err);
        rc = sales == NULL ? -1 : 0;
    }
    if (rc == 0)
        rc = cli_has(cli, "events") ? print_events(sales, &err)
                                    : load(&l, sales, &err);
    shown(&l);
    if (rc != 0)
        code = cli_fail(cli, &err);
    else if (!cli_has(cli, "events") && cli->output_given)
        report_json(&l);
    else if (!cli_has(cli, "events"))
        report_people(&l);
    sales_close(sales);
    feed_free(l.feed);
    return code;
}
