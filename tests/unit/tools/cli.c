/* cli.c: the command line: where options may stand, what is refused and in
 * which words, which exit code an error has. */
#include "config.h"

#include "cli.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/check.h"
#include "client/client.h"
#include "near.h"

static int
run(struct cli *cli)
{
    return 0;
}

static const struct opt create_opts[] = {
    {'p', "partitions", "N", ""},
    {'c', "config", "K=V", ""},
    {0, "if-not-exists", NULL, ""},
    {0, NULL, NULL, NULL},
};
static const struct opt consume_opts[] = {
    {'o', "offset", "WHERE", ""},
    {'e', "exit", NULL, ""},
    {'f', "format", "TEXT", ""},
    {0, NULL, NULL, NULL},
};
static const struct command table[] = {
    {"consume", NULL, run, consume_opts, "TOPIC", "", ""},
    {"topic", "create", run, create_opts, "NAME...", "", ""},
    {"topic", "describe", run, NULL, "NAME", "", ""},
    {NULL, NULL, NULL, NULL, NULL, NULL, NULL},
};

static struct cli cli;
static struct err err;

static int
parse(const char *line)
{
    static char words[1024];
    static char *argv[64];
    int argc = 0;

    cli_release(&cli);
    snprintf(words, sizeof words, "%s", line);
    argv[argc++] = (char *)(uintptr_t)"penstock";
    for (char *p = words; *p != '\0';) {
        argv[argc++] = p;
        p += strcspn(p, " ");
        if (*p == ' ')
            *p++ = '\0';
    }
    argv[argc] = NULL;
    err.text[0] = '\0';
    return cli_parse(&cli, table, argc, argv, &err);
}

static void
good(const char *line)
{
    if (parse(line) != 0)
        fail_msg("%s: %s", line, err.text);
}

static void
bad(const char *line, const char *words)
{
    assert_int_equal(parse(line), -1);
    assert_int_equal(err.code, ERR_USAGE);
    if (strstr(err.text, words) == NULL)
        fail_msg("%s: \"%s\" does not say \"%s\"", line, err.text, words);
}

static void
options_stand_before_and_behind(void **state)
{
    good("topic create a -p 4 b --if-not-exists -b h:1 c -o json");
    assert_string_equal(cli.command->verb, "create");
    assert_int_equal(cli.arg_count, 3);
    assert_string_equal(cli.args[0], "a");
    assert_string_equal(cli.args[2], "c");
    assert_null(cli.args[3]);
    assert_string_equal(cli_get(&cli, "partitions"), "4");
    assert_true(cli_has(&cli, "if-not-exists"));
    assert_string_equal(cli.bootstrap, "h:1");
    assert_int_equal(cli.output, OUTPUT_JSON);
    good("-b h:2 --yes topic -q create a");
    assert_string_equal(cli.bootstrap, "h:2");
    assert_true(cli.yes);
    assert_true(cli.quiet);
    assert_false(cli.dry_run);
    assert_false(cli_has(&cli, "partitions"));
}

static void
values_have_four_forms(void **state)
{
    static const char *const lines[] = {"topic create a -p 4",
        "topic create a -p4", "topic create a --partitions 4",
        "topic create a --partitions=4", "topic create a -p=4"};

    for (size_t i = 0; i < countof(lines); i++) {
        good(lines[i]);
        assert_string_equal(cli_get(&cli, "partitions"), "4");
    }
    good("consume t -eqf %o");
    assert_true(cli_has(&cli, "exit"));
    assert_true(cli.quiet);
    assert_string_equal(cli_get(&cli, "format"), "%o");
    good("consume t -vv");
    assert_int_equal(cli.verbose, 2);
    /* an empty value is a value */
    good("topic create a --config=");
    assert_string_equal(cli_get(&cli, "config"), "");
}

static void
an_option_may_come_often(void **state)
{
    const char *text;
    char all[64] = "";

    good("topic create a -c x=1 -c y=2 --config z=3");
    for (int i = 0; (text = cli_next(&cli, "config", &i)) != NULL;)
        snprintf(all + strlen(all), sizeof all - strlen(all), "%s", text);
    assert_string_equal(all, "x=1y=2z=3");
    assert_string_equal(cli_get(&cli, "config"), "z=3");
}

static void
letters_mean_the_command_behind_it(void **state)
{
    good("consume t -o end");
    assert_string_equal(cli_get(&cli, "offset"), "end");
    assert_int_equal(cli.output, OUTPUT_TABLE);
    good("-o json consume t -o 5");
    assert_string_equal(cli_get(&cli, "offset"), "5");
    assert_int_equal(cli.output, OUTPUT_JSON);
    /* ... but the name of a format is a format */
    good("consume t -o ndjson -o -5");
    assert_string_equal(cli_get(&cli, "offset"), "-5");
    assert_int_equal(cli.output, OUTPUT_NDJSON);
}

static void
two_hyphens_end_the_options(void **state)
{
    good("topic create -- -p --yes --");
    assert_int_equal(cli.arg_count, 3);
    assert_string_equal(cli.args[0], "-p");
    assert_string_equal(cli.args[2], "--");
    good("consume - -5");
    assert_string_equal(cli.args[0], "-");
    assert_string_equal(cli.args[1], "-5");
}

static void
mistakes_are_named(void **state)
{
    bad("topc create a", "'topc' (did you mean 'topic'?)");
    bad("topic descrbe a", "'topic descrbe' (did you mean 'describe'?)");
    bad("topic xyzzy a", "create, describe");
    bad("frobnicate", "see penstock help");
    bad("topic create --partitoins 3", "did you mean '--partitions'?");
    bad("topic create --timout 3", "did you mean '--timeout'?");
    bad("topic create --zzzzzz", "unknown option '--zzzzzz'");
    bad("topic create -x", "unknown option '-x'");
    bad("topic create a -p", "-p needs a value");
    bad("topic create a --partitions", "--partitions needs a value");
    bad("topic create a --if-not-exists=1", "takes no value");
    bad("-p 4 topic create a", "before the command");
    bad("topic create a -o xml", "no output format 'xml'");
    bad("topic create a --timeout soon", "not a duration");
    bad("topic create a --timeout 0", "between");
}

static void
numbers_and_counts_are_checked(void **state)
{
    int64_t v;

    good("topic create a -p 12x");
    assert_int_equal(cli_int(&cli, "partitions", 1, 1, 9, &v, &err), -1);
    assert_non_null(strstr(err.text, "--partitions: '12x' is not a number"));
    good("topic create a -p 12");
    assert_int_equal(cli_int(&cli, "partitions", 1, 1, 9, &v, &err), -1);
    assert_int_equal(cli_int(&cli, "partitions", 1, 1, 99, &v, &err), 0);
    assert_int_equal(v, 12);
    good("topic create a");
    assert_int_equal(cli_int(&cli, "partitions", 7, 1, 9, &v, &err), 0);
    assert_int_equal(v, 7);
    good("topic create");
    assert_int_equal(cli_args(&cli, 1, -1, &err), -1);
    assert_string_equal(err.text, "topic create needs NAME...");
    good("consume a b");
    assert_int_equal(cli_args(&cli, 1, 1, &err), -1);
    assert_string_equal(err.text, "'b' is one argument too many");
}

static void
half_a_command_is_known(void **state)
{
    good("topic --help");
    assert_null(cli.command);
    assert_string_equal(cli.noun, "topic");
    assert_true(cli.help);
    good("");
    assert_null(cli.command);
    assert_null(cli.noun);
}

static void
environment_gives_defaults(void **state)
{
    setenv("PENSTOCK_BOOTSTRAP", "box:9", 1);
    good("consume t");
    assert_string_equal(cli.bootstrap, "box:9");
    good("consume t -b other:1");
    assert_string_equal(cli.bootstrap, "other:1");
    unsetenv("PENSTOCK_BOOTSTRAP");
    good("consume t");
    assert_string_equal(cli.bootstrap, "127.0.0.1:9092");
}

static void
errors_have_exit_codes(void **state)
{
    static const struct {
        int code;
        enum cli_exit exit;
    } table_of_codes[] = {
        {ERR_USAGE, CLI_USAGE}, {ERR_NOTFOUND, CLI_NOT_FOUND},
        {ERR_DAMAGE, CLI_DAMAGE}, {ECONNREFUSED, CLI_UNREACHABLE},
        {ETIMEDOUT, CLI_UNREACHABLE}, {EINTR, CLI_INTERRUPTED},
        {EIO, CLI_FAILED},
        {CLIENT_KERR + KERR_UNKNOWN_TOPIC_OR_PARTITION, CLI_NOT_FOUND},
        {CLIENT_KERR + KERR_TOPIC_ALREADY_EXISTS, CLI_CONFLICT},
        {CLIENT_KERR + KERR_TOPIC_AUTHORIZATION_FAILED, CLI_FORBIDDEN},
        {CLIENT_KERR + KERR_CORRUPT_MESSAGE, CLI_DAMAGE},
        {CLIENT_KERR + KERR_NOT_LEADER_OR_FOLLOWER, CLI_AGAIN},
        {CLIENT_KERR + KERR_INVALID_CONFIG, CLI_FAILED},
        {CLIENT_KERR + KERR_UNKNOWN_SERVER_ERROR, CLI_FAILED},
    };

    for (size_t i = 0; i < countof(table_of_codes); i++) {
        struct err e = {.code = table_of_codes[i].code};

        assert_int_equal(cli_exit_of(&e), table_of_codes[i].exit);
    }
}

static void
near_words_are_found(void **state)
{
    struct near n;
    char room[64];

    assert_int_equal(near_distance("orders", "orders"), 0);
    assert_int_equal(near_distance("ordres", "orders"), 1);
    assert_int_equal(near_distance("ORDERS", "orders"), 0);
    assert_int_equal(near_distance("", "abc"), 3);
    assert_int_equal(near_distance("kitten", "sitting"), 3);
    assert_int_equal(near_distance("a", "a-very-long-word"), 9);
    near_init(&n, "ordres");
    near_try(&n, "payments");
    assert_string_equal(near_hint(&n, room, sizeof room), "");
    near_try(&n, "order");
    near_try(&n, "orders");
    assert_string_equal(near_hint(&n, room, sizeof room),
        " (did you mean 'orders'?)");
    near_init(&n, "warehouse");
    near_try(&n, "warehouse-inventory");
    assert_string_equal(n.best, "warehouse-inventory");
}

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(options_stand_before_and_behind),
        cmocka_unit_test(values_have_four_forms),
        cmocka_unit_test(an_option_may_come_often),
        cmocka_unit_test(letters_mean_the_command_behind_it),
        cmocka_unit_test(two_hyphens_end_the_options),
        cmocka_unit_test(mistakes_are_named),
        cmocka_unit_test(numbers_and_counts_are_checked),
        cmocka_unit_test(half_a_command_is_known),
        cmocka_unit_test(environment_gives_defaults),
        cmocka_unit_test(errors_have_exit_codes),
        cmocka_unit_test(near_words_are_found),
    };
    int failed = cmocka_run_group_tests_name("cli", tests, NULL, NULL);

    cli_release(&cli);
    return failed;
}
