/* settings.c: what serve is told by a file and by options. */
#include "config.h"

#include "settings.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/check.h"
#include "commands.h"

static struct settings s;
static struct err err;
static char path[] = "/tmp/penstock-settings-XXXXXX";

static int
file(const char *text)
{
    FILE *f = fopen(path, "w");

    assert_non_null(f);
    fputs(text, f);
    fclose(f);
    settings_release(&s);
    settings_init(&s);
    memset(&err, 0, sizeof err);
    return settings_file(&s, path, &err);
}

static void
refused(const char *text, const char *words)
{
    assert_int_equal(file(text), -1);
    if (strstr(err.text, words) == NULL)
        print_error("no '%s' in: %s\n", words, err.text);
    assert_non_null(strstr(err.text, words));
    assert_int_equal(err.code, ERR_USAGE);
}

static void
test_defaults(void **state)
{
    assert_int_equal(file(""), 0);
    assert_null(s.data);
    assert_string_equal(settings_listen(&s), "127.0.0.1:9092");
    assert_string_equal(settings_http(&s), "127.0.0.1:8080");
    assert_string_equal(s.durability, "power");
}

static void
test_a_file(void **state)
{
    assert_int_equal(file("# penstock\n\n[server]\n"
        " data = /var/lib/my data   ; with a blank\n"
        "listen=0.0.0.0:9092\nport = 7\nhttp = off\n"
        "allow_public = yes\nno-auto-create = no\n"
        "journal-max = 64M\nthreads=2\r\n"
        "topic = orders:4\ntopic = a#b:2\n"
        "durability = process"), 0);
    assert_string_equal(s.data, "/var/lib/my data");
    assert_string_equal(settings_listen(&s), "0.0.0.0:7");
    assert_null(settings_http(&s));
    assert_true(s.allow_public);
    assert_false(s.no_auto_create);
    assert_int_equal(s.journal_max, 64 << 20);
    assert_int_equal(s.threads, 2);
    assert_int_equal(s.topic.count, 2);
    assert_string_equal(s.topic.items[1], "a#b:2");
    assert_string_equal(s.durability, "process");
}

static void
test_mistakes_are_found_with_their_line(void **state)
{
    refused("[server]\n\nlistn = x:1\n",
        ":3: unknown key 'listn' (did you mean 'listen'?)");
    refused("[sever]\n", ":1: unknown section [sever]");
    refused("[server\n", "lacks its ]");
    refused("data\n", ":1: 'data' is no KEY = VALUE");
    refused("data =\n", ":1: 'data' needs a value");
    refused("listen = nowhere\n", ":1: listen: 'nowhere' is no HOST:PORT");
    refused("port = 65536\n", ":1: port: 65536 is not between");
    refused("durability = proces\n", "did you mean 'process'?");
    refused("memory = 1M\n", "is less than 32M");
    refused("memory = lots\n", "is not a size");
    refused("die-with-parent = perhaps\n", "neither yes nor no");
    assert_int_equal(settings_file(&s, "/nowhere/at/all", &err), -1);
}

static int
options(const char *file_text, const char *line)
{
    char words[256], *rest = words, *argv[32];
    struct cli cli;
    int argc = 0, rc;

    assert_int_equal(file(file_text), 0);
    snprintf(words, sizeof words, "%s", line);
    while ((argv[argc] = strsep(&rest, " ")) != NULL)
        argc++;
    assert_int_equal(cli_parse(&cli, commands, argc, argv, &err), 0);
    rc = settings_options(&s, &cli, &err);
    cli_release(&cli);
    return rc;
}

static void
test_options_weigh_more(void **state)
{
    assert_int_equal(options("listen = 127.0.0.1:5\ntopic = a:1\n"
        "topic = c:1\ndata = d\n", "penstock serve --listen [::1]:1 "
        "--topic b:1 --http-port 0 --no-apps"), 0);
    assert_string_equal(settings_listen(&s), "[::1]:1");
    assert_string_equal(settings_http(&s), "127.0.0.1:0");
    assert_int_equal(s.topic.count, 1);
    assert_string_equal(s.topic.items[0], "b:1");
    assert_true(s.no_apps);
    assert_string_equal(s.data, "d");
}

static void
test_a_bare_port_is_on_loopback(void **state)
{
    assert_int_equal(options("", "penstock serve --http 0 --listen 77"), 0);
    assert_string_equal(settings_listen(&s), "127.0.0.1:77");
    assert_string_equal(settings_http(&s), "127.0.0.1:0");
}

static void
test_every_setting_is_an_option_of_both(void **state)
{
    static const char *const names[] = {
#define SETTING(field, letter, name, ...) name,
#include "settings.tbl"
#undef SETTING
    };
    const struct opt *tables[] = {opts_serve, opts_dev};

    for (size_t t = 0; t < 2; t++)
        for (size_t i = 0; i < countof(names); i++)
            assert_string_equal(tables[t][i + 1].name, names[i]);
}

static int
open_file(void **state)
{
    int fd = mkstemp(path);

    assert_true(fd >= 0);
    close(fd);
    settings_init(&s);
    return 0;
}

static int
close_file(void **state)
{
    settings_release(&s);
    return unlink(path);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_a_file),
        cmocka_unit_test(test_mistakes_are_found_with_their_line),
        cmocka_unit_test(test_options_weigh_more),
        cmocka_unit_test(test_a_bare_port_is_on_loopback),
        cmocka_unit_test(test_every_setting_is_an_option_of_both),
    };

    return cmocka_run_group_tests_name("settings", tests, open_file,
        close_file);
}
