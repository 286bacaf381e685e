/* settings.c: see settings.h. */
#include "config.h"

#include "settings.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/check.h"
#include "base/limits.h"
#include "near.h"
#include "parse.h"

enum {
    FILE_MAX = 64 * KIB,
    LIST_MAX = 1000,
    JOURNAL_MIN = 8 * MIB,
    MEMORY_MIN = 32 * MIB,
};

enum kind {
    TEXT,
    WHERE,                       /* HOST:PORT, or a bare port */
    PORT,                        /* 0 to 65535 */
    COUNT,                       /* 1 to 4096 */
    SIZE,
    FLAG,
    WORD,                        /* one of words[] */
    LIST,
};

struct setting {
    const char *name;
    enum kind kind;
    size_t at;                   /* in struct settings */
};

static const struct setting table[] = {
#define SETTING(field, letter, name, kind, value, help)                        \
    {name, kind, offsetof(struct settings, field)},
#include "settings.tbl"
#undef SETTING
};

/* The words of each setting that takes one. */
static const struct {
    const char *name, *words[4];
} words[] = {
    {"durability", {"power", "process", "memory", NULL}},
    {"log-format", {"text", "json", NULL}},
};

void
settings_init(struct settings *s)
{
    memset(s, 0, sizeof *s);
    arena_init(&s->arena, 1 * MIB);
    s->port = s->http_port = s->ready_fd = -1;
    s->listen = "127.0.0.1:9092";
    s->http = "127.0.0.1:8080";
    s->durability = "power";
    s->log_format = "text";
}

void
settings_release(struct settings *s)
{
    arena_release(&s->arena);
}

/* ---- values ------------------------------------------------------------- */

static int
put_text(struct settings *s, const char **to, const char *text,
    struct err *err)
{
    *to = arena_strndup(&s->arena, text, strlen(text));
    return *to != NULL ? 0 : err_set(err, ERR_LIMIT, "too many settings");
}

static int
put_where(struct settings *s, const char **to, const char *text,
    struct err *err)
{
    int64_t port;

    if (strcmp(text, "off") == 0 || strchr(text, ':') != NULL)
        return put_text(s, to, text, err);
    if (parse_int(text, 0, 65535, &port, err) != 0)
        return err_set(err, ERR_USAGE, "'%.100s' is no HOST:PORT", text);
    *to = arena_printf(&s->arena, "127.0.0.1:%d", (int)port);
    return *to != NULL ? 0 : err_set(err, ERR_LIMIT, "too many settings");
}

static int
put_flag(bool *to, const char *text, struct err *err)
{
    static const char *const yes[] = {"", "yes", "true", "on", "1"},
        *const no[] = {"no", "false", "off", "0"};

    for (size_t i = 0; i < countof(yes); i++)
        if (strcasecmp(text, yes[i]) == 0) {
            *to = true;
            return 0;
        }
    for (size_t i = 0; i < countof(no); i++)
        if (strcasecmp(text, no[i]) == 0) {
            *to = false;
            return 0;
        }
    return err_set(err, ERR_USAGE, "'%.100s' is neither yes nor no", text);
}

static int
put_word(const struct setting *k, const char **to, const char *text,
    struct err *err)
{
    char hint[96];
    struct near n;

    near_init(&n, text);
    for (size_t i = 0; i < countof(words); i++) {
        if (strcmp(words[i].name, k->name) != 0)
            continue;
        for (const char *const *w = words[i].words; *w != NULL; w++) {
            near_try(&n, *w);
            if (strcmp(*w, text) == 0) {
                *to = *w;
                return 0;
            }
        }
    }
    return err_set(err, ERR_USAGE, "there is no %s '%.60s'%s", k->name, text,
        near_hint(&n, hint, sizeof hint));
}

static int
put_size(const struct setting *k, int64_t *to, const char *text,
    struct err *err)
{
    int64_t least = strcmp(k->name, "memory") == 0 ? MEMORY_MIN : JOURNAL_MIN;

    if (parse_bytes(text, to, err) != 0)
        return -1;
    if (*to < least)
        return err_set(err, ERR_USAGE, "%.60s is less than %lldM", text,
            (long long)(least >> 20));
    return 0;
}

static int
put_list(struct settings *s, struct settings_list *to, const char *text,
    struct err *err)
{
    if (to->items == NULL)
        to->items = arena_calloc(&s->arena, LIST_MAX + 1, sizeof *to->items);
    if (to->items == NULL || to->count == LIST_MAX)
        return err_set(err, ERR_LIMIT, "too many settings");
    return put_text(s, &to->items[to->count++], text, err);
}

static int
put_setting(struct settings *s, const struct setting *k, const char *text,
    struct err *err)
{
    void *to = (char *)s + k->at;

    switch (k->kind) {
    case TEXT:
        return put_text(s, to, text, err);
    case WHERE:
        return put_where(s, to, text, err);
    case PORT:
        return parse_int(text, 0, 65535, to, err);
    case COUNT:
        return parse_int(text, 1, PARTITIONS_TOPIC_MAX, to, err);
    case SIZE:
        return put_size(k, to, text, err);
    case FLAG:
        return put_flag(to, text, err);
    case WORD:
        return put_word(k, to, text, err);
    case LIST:
        return put_list(s, to, text, err);
    }
    unreachable("all kinds are dealt with");
    return -1;
}

/* ---- the file ----------------------------------------------------------- */

/* The text without blanks at both ends and without a comment behind it: a
 * '#' or ';' at the start or after a blank. */
static char *
trim(char *s)
{
    size_t n;

    for (size_t i = 0; s[i] != '\0'; i++)
        if ((s[i] == '#' || s[i] == ';')
            && (i == 0 || isspace((unsigned char)s[i - 1]))) {
            s[i] = '\0';
            break;
        }
    while (isspace((unsigned char)*s))
        s++;
    n = strlen(s);
    while (n > 0 && isspace((unsigned char)s[n - 1]))
        s[--n] = '\0';
    return s;
}

static int
unknown_key(const char *key, struct err *err)
{
    char hint[96];
    struct near n;

    near_init(&n, key);
    for (size_t i = 0; i < countof(table); i++)
        near_try(&n, table[i].name);
    return err_set(err, ERR_USAGE, "unknown key '%.60s'%s", key,
        near_hint(&n, hint, sizeof hint));
}

static int
take_section(char *line, struct err *err)
{
    size_t n = strlen(line);

    if (line[n - 1] != ']')
        return err_set(err, ERR_USAGE, "'%.60s' lacks its ]", line);
    if (strcmp(line, "[server]") != 0)
        return err_set(err, ERR_USAGE, "unknown section %.60s: there is "
            "[server] only", line);
    return 0;
}

static int
take_line(struct settings *s, char *line, struct err *err)
{
    char *equals, *key, *value;

    line = trim(line);
    if (*line == '\0')
        return 0;
    if (*line == '[')
        return take_section(line, err);
    equals = strchr(line, '=');
    if (equals == NULL)
        return err_set(err, ERR_USAGE, "'%.60s' is no KEY = VALUE", line);
    *equals = '\0';
    key = trim(line);
    value = trim(equals + 1);
    for (char *c = key; *c != '\0'; c++)
        if (*c == '_')
            *c = '-';
    for (size_t i = 0; i < countof(table) && *value != '\0'; i++)
        if (strcmp(table[i].name, key) == 0)
            return put_setting(s, &table[i], value, err) == 0
                ? 0 : err_prefix(err, "%s", key);
    if (*value == '\0')
        return err_set(err, ERR_USAGE, "'%.60s' needs a value", key);
    return unknown_key(key, err);
}

/* The whole file, NUL-terminated. */
static int
read_file(const char *path, char *room, struct err *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    size_t len = 0;
    ssize_t n;

    if (fd < 0)
        return err_set(err, errno, "read %s", path);
    while (len < FILE_MAX && (n = read(fd, room + len, FILE_MAX - len)) != 0) {
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            err_set(err, errno, "read %s", path);
            close(fd);
            return -1;
        }
        len += (size_t)n;
    }
    close(fd);
    room[len] = '\0';
    if (len == FILE_MAX || strlen(room) != len)
        return err_set(err, ERR_USAGE, "%s is no file of settings", path);
    return 0;
}

int
settings_file(struct settings *s, const char *path, struct err *err)
{
    char *text = arena_alloc(&s->arena, FILE_MAX + 1);
    unsigned number = 0;

    if (text == NULL)
        return err_set(err, ERR_LIMIT, "too many settings");
    if (read_file(path, text, err) < 0)
        return -1;
    while (text != NULL) {
        char *line = strsep(&text, "\n");

        number++;
        if (take_line(s, line, err) < 0)
            return err_prefix(err, "%s:%u", path, number);
    }
    return 0;
}

/* ---- options ------------------------------------------------------------ */

int
settings_options(struct settings *s, const struct cli *cli, struct err *err)
{
    for (size_t i = 0; i < countof(table); i++) {
        const struct setting *k = &table[i];
        struct settings_list *list = (void *)((char *)s + k->at);
        const char *text;

        if (k->kind == LIST && cli_has(cli, k->name))
            *list = (struct settings_list){NULL, 0};
        for (int n = 0; (text = cli_next(cli, k->name, &n)) != NULL;)
            if (put_setting(s, k, text, err) < 0)
                return err_prefix(err, "--%s", k->name);
    }
    return 0;
}

/* ---- addresses ---------------------------------------------------------- */

static const char *
with_port(struct settings *s, const char *where, int64_t port)
{
    const char *colon = strrchr(where, ':'), *made;

    if (port < 0 || colon == NULL)
        return where;
    made = arena_printf(&s->arena, "%.*s:%d", (int)(colon - where), where,
        (int)port);
    return made != NULL ? made : where;
}

const char *
settings_listen(struct settings *s)
{
    return with_port(s, s->listen, s->port);
}

const char *
settings_http(struct settings *s)
{
    return strcmp(s->http, "off") == 0 ? NULL
        : with_port(s, s->http, s->http_port);
}

int
settings_split(const char *where, char *host, size_t size, uint16_t *port,
    struct err *err)
{
    const char *colon = strrchr(where, ':');
    int64_t n;

    if (colon == NULL || colon == where || (size_t)(colon - where) >= size)
        return err_set(err, ERR_USAGE, "'%.100s' is no HOST:PORT", where);
    if (parse_int(colon + 1, 0, 65535, &n, err) != 0)
        return -1;
    snprintf(host, size, "%.*s", (int)(colon - where), where);
    *port = (uint16_t)n;
    return 0;
}
