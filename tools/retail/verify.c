/*
 * verify.c: penstock demo verify: does the outcome hold, from the topics and
 * views of a running shop alone?
 */
#include "config.h"

#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/limits.h"
#include "commands.h"
#include "retail/audit.h"
#include "retail/front.h"
#include "retail/retail.h"

const struct opt opts_demo_verify[] = {
    RETAIL_OPTS,
    {0, "exact", NULL, "the verdicts must be the plain loop's"},
    {0, "within", "TIME", "how long the shop may take to settle (60s)"},
    {0, "dump-log", NULL, "print the by-product logs, as text"},
    {0, "dump-outcome", NULL, "print verdicts and stock, as text"},
    RETAIL_HTTP_OPT,
    {0, NULL, NULL, NULL},
};

enum { SETTLE_STEP_MS = 10000 };

struct verify {
    struct cli *cli;
    struct retail_conf retail;
    struct audit audit;
    struct sales *sales;
    bool exact, text;            /* text: data goes to stdout, not a report */
    int64_t within_ms, different;
};

static int
settle(struct verify *v, struct err *err)
{
    int64_t left = v->within_ms;
    int rc = 0;

    while (rc == 0 && left > 0 && !cli_stop) {
        rc = front_settle(v->cli,
            (int)(left < SETTLE_STEP_MS ? left : SETTLE_STEP_MS), err);
        left -= SETTLE_STEP_MS;
    }
    if (rc == 0)
        err_prefix(err, "the shop does not settle");
    return rc == 1 ? 0 : -1;
}

static int
verify(struct verify *v, struct err *err)
{
    struct audit *a = &v->audit;

    if (settle(v, err) != 0 || audit_open(a, v->cli, err) != 0)
        return -1;
    if (cli_has(v->cli, "dump-log"))
        a->log = stdout;
    if (audit_orders(a, err) != 0 || audit_verdicts(a, err) != 0
        || audit_log(a, err) != 0 || audit_stock(a, err) != 0)
        return -1;
    if (cli_has(v->cli, "dump-outcome"))
        return audit_print(a, stdout, err);
    if (cli_has(v->cli, "dump-log"))
        return a->kept ? 0 : err_set(err, ERR_LIMIT, "the by-product logs are "
            "not whole: penstock serve --keep-logs keeps them");
    if (audit_compare(a, err) != 0
        || (a->kept && audit_compare_stock(a, err) != 0))
        return -1;
    return v->sales == NULL ? 0
        : audit_data(a, v->sales, v->exact, &v->different, err);
}

/* ---- what was found ----------------------------------------------------- */

static void
report_json(const struct verify *v)
{
    const struct audit *a = &v->audit;
    struct buf out;
    struct json j;

    buf_init(&out, 64 * KIB);
    json_init(&j, &out);
    json_object_begin(&j);
    json_kv_int(&j, "orders", a->asked);
    json_kv_int(&j, "verdicts", a->verdicts);
    json_kv_int(&j, "passed", a->passed);
    json_kv_int(&j, "products", (int64_t)a->view.by_name.count);
    json_kv_int(&j, "reservations", a->held);
    json_kv_bool(&j, "replayed", a->kept);
    if (a->kept) {
        json_kv_int(&j, "records", a->replay.records);
        json_kv_int(&j, "oversold", 0);
    }
    if (v->sales != NULL) {
        json_kv_int(&j, "lines", a->lines);
        json_kv_int(&j, "lost", 0);
        json_kv_int(&j, "unlike_the_plain_loop", v->different);
    }
    json_object_end(&j);
    buf_put_u8(&out, '\n');
    fwrite(out.ptr, 1, out.len, stdout);
    buf_release(&out);
}

static void
report_people(const struct verify *v)
{
    const struct audit *a = &v->audit;
    char x[32], y[32];

    printf("%s orders, each with one verdict: %s passed, 0 missing, 0 twice\n",
        retail_number(x, a->asked), retail_number(y, a->passed));
    printf("%s products, the books balance; reserved is the sum of %s "
        "reservations\n", retail_number(x, (int64_t)a->view.by_name.count),
        retail_number(y, a->held));
    if (a->kept)
        printf("0 oversold, equal to the replay of %s records\n",
            retail_number(x, a->replay.records));
    else
        printf("not replayed: the by-product logs are not whole (penstock "
            "serve --keep-logs)\n");
    if (v->sales == NULL)
        return;
    if (v->different == 0)
        printf("0 lost, equal to the plain loop: %s lines\n",
            retail_number(x, a->lines));
    else
        printf("0 lost of %s lines; %s verdicts are not the plain loop's, as "
            "the order was another\n", retail_number(x, a->lines),
            retail_number(y, v->different));
}

/* ---- the command -------------------------------------------------------- */

static int
read_options(struct verify *v, struct err *err)
{
    v->exact = cli_has(v->cli, "exact");
    v->text = cli_has(v->cli, "dump-log") || cli_has(v->cli, "dump-outcome");
    if (cli_args(v->cli, 0, 0, err) != 0
        || retail_conf(v->cli, &v->retail, err) != 0
        || cli_ms(v->cli, "within", 60000, &v->within_ms, err) != 0)
        return -1;
    if (v->exact && !v->retail.given)
        return err_set(err, ERR_USAGE, "--exact wants to know what was "
            "loaded: --dataset, or --orders and --seed");
    if (!v->retail.given)
        return 0;
    v->sales = sales_open(&v->retail.sales, err);
    return v->sales == NULL ? -1 : 0;
}

int
cmd_demo_verify(struct cli *cli)
{
    struct verify v = {.cli = cli};
    struct err err = {0};
    int code = CLI_OK;

    cli_catch_signals();
    if (read_options(&v, &err) != 0 || verify(&v, &err) != 0) {
        code = cli_fail(cli, &err);
        if (err.code == AUDIT_DIFFERS)
            code = CLI_FAILED;
    } else if (cli->output_given && !v.text) {
        report_json(&v);
    } else if (!v.text) {
        report_people(&v);
    }
    audit_close(&v.audit);
    sales_close(v.sales);
    return code;
}
