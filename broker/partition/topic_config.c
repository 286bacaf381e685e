/* topic_config.c: the configs of topics. */
#include "config.h"

#include "partition/topic_config.h"

#include <errno.h>
#include <stdlib.h>
#include <strings.h>

#include "base/alloc.h"
#include "base/check.h"

enum { config_accepted = false, config_acts = true };

static const struct config_def defs[] = {
#define X(name, type, value, least, most, acts, doc)                           \
    {name, CONFIG_##type, value, least, most, config_##acts, doc},
#include "partition/topic_config.tbl"
#undef X
};

const struct config_def *
config_def_nth(size_t i)
{
    return i < countof(defs) ? &defs[i] : NULL;
}

const struct config_def *
config_def_find(struct span name)
{
    for (size_t i = 0; i < countof(defs); i++)
        if (span_eq(span_str(defs[i].name), name))
            return &defs[i];
    return NULL;
}

static int
check_number(const struct config_def *d, const char *text, struct err *err)
{
    char *end;
    long long v;

    errno = 0;
    v = strtoll(text, &end, 10);
    if (*text == '\0' || *end != '\0' || errno != 0)
        return err_set(err, ERR_USAGE, "Invalid value %s for configuration "
            "%s: not a number", text, d->name);
    /* gzip has levels 1 to 9, and -1 for its own default. */
    if (v < d->least || v > d->most
        || (v == 0 && strcmp(d->name, "compression.gzip.level") == 0))
        return err_set(err, ERR_USAGE, "Invalid value %s for configuration "
            "%s: must be between %lld and %lld", text, d->name,
            (long long)d->least, (long long)d->most);
    return 0;
}

static int
check_double(const struct config_def *d, const char *text, struct err *err)
{
    char *end;
    double v = strtod(text, &end);

    if (*text == '\0' || *end != '\0' || !(v >= (double)d->least)
        || !(v <= (double)d->most))
        return err_set(err, ERR_USAGE, "Invalid value %s for configuration "
            "%s: must be between %lld and %lld", text, d->name,
            (long long)d->least, (long long)d->most);
    return 0;
}

struct choice {
    const char *name, *values[8];
};

static const struct choice choices[] = {
    {"cleanup.policy", {"delete", "compact", "delete,compact",
        "compact,delete", ""}},
    {"message.timestamp.type", {"CreateTime", "LogAppendTime"}},
    {"compression.type", {"producer", "uncompressed", "gzip", "snappy", "lz4",
        "zstd"}},
    {"penstock.serde", {"", "protobuf", "json"}},
};

static int
check_choice(const struct config_def *d, const char *text, struct err *err)
{
    for (size_t i = 0; i < countof(choices); i++) {
        const struct choice *c = &choices[i];

        if (strcmp(c->name, d->name) != 0)
            continue;
        for (size_t k = 0; k < countof(c->values) && c->values[k] != NULL; k++)
            if (strcmp(c->values[k], text) == 0)
                return 0;
        return err_set(err, ERR_USAGE, "Invalid value %s for configuration "
            "%s", text, d->name);
    }
    return 0;
}

/* "partition:broker,partition:broker" or "*", as Kafka wants it. */
static int
check_replicas(const struct config_def *d, const char *text, struct err *err)
{
    const char *at = text;
    bool ok = true;

    if (*text == '\0' || strcmp(text, "*") == 0)
        return 0;
    while (ok && *at != '\0') {
        size_t a = strspn(at, "0123456789");
        size_t b = at[a] == ':' ? strspn(at + a + 1, "0123456789") : 0;

        ok = a > 0 && b > 0;
        at += ok ? a + 1 + b : 0;
        ok = ok && (*at == '\0' || (*at == ',' && at[1] != '\0'));
        at += ok && *at == ',';
    }
    return ok ? 0 : err_set(err, ERR_USAGE, "Invalid value %s for "
        "configuration %s: must be the literal '*' or a list of replicas",
        text, d->name);
}

int
config_check(const struct config_def *d, struct span value, struct err *err)
{
    char text[256];

    if (value.ptr == NULL || value.len >= sizeof text
        || memchr(value.ptr, '\0', value.len) != NULL)
        return err_set(err, ERR_USAGE, "Invalid value for configuration %s",
            d->name);
    memcpy(text, value.ptr, value.len);
    text[value.len] = '\0';
    switch (d->type) {
    case CONFIG_INT:
    case CONFIG_SHORT:
    case CONFIG_LONG:
        return check_number(d, text, err);
    case CONFIG_DOUBLE:
        return check_double(d, text, err);
    case CONFIG_BOOLEAN:
        if (strcasecmp(text, "true") == 0 || strcasecmp(text, "false") == 0)
            return 0;
        return err_set(err, ERR_USAGE, "Invalid value %s for configuration "
            "%s: true or false", text, d->name);
    case CONFIG_STRING:
    case CONFIG_LIST:
        if (strstr(d->name, ".throttled.replicas") != NULL)
            return check_replicas(d, text, err);
        return check_choice(d, text, err);
    case CONFIG_UNKNOWN:
        break;
    }
    unreachable("a config without a type");
    return -1;
}

void
topic_config_release(struct topic_config *c)
{
    for (size_t i = 0; i < c->count; i++)
        free(c->set[i].value);
    free(c->set);
    *c = (struct topic_config){0};
}

void
topic_config_set(struct topic_config *c, const struct config_def *d,
    struct span value)
{
    char *copy = xmalloc(value.len + 1);
    size_t i = 0;

    memcpy(copy, value.ptr, value.len);
    copy[value.len] = '\0';
    while (i < c->count && c->set[i].def != d)
        i++;
    if (i == c->count) {
        c->set = xrealloc(c->set, (c->count + 1) * sizeof *c->set);
        c->set[c->count++] = (struct topic_setting){d, NULL};
    }
    free(c->set[i].value);
    c->set[i].value = copy;
}

void
topic_config_unset(struct topic_config *c, const struct config_def *d)
{
    for (size_t i = 0; i < c->count; i++) {
        if (c->set[i].def != d)
            continue;
        free(c->set[i].value);
        c->set[i] = c->set[--c->count];
        return;
    }
}

const char *
topic_config_own(const struct topic_config *c, const struct config_def *d)
{
    for (size_t i = 0; i < c->count; i++)
        if (c->set[i].def == d)
            return c->set[i].value;
    return NULL;
}

const char *
topic_config_get(const struct topic_config *c, const char *name,
    bool *is_default)
{
    const struct config_def *d = config_def_find(span_str(name));
    const char *value = NULL;

    assert(d != NULL);
    if (is_default != NULL)
        *is_default = topic_config_own(c, d) == NULL;
    for (; c != NULL && value == NULL; c = c->below)
        value = topic_config_own(c, d);
    return value != NULL ? value : d->value;
}

int64_t
topic_config_int(const struct topic_config *c, const char *name)
{
    return strtoll(topic_config_get(c, name, NULL), NULL, 10);
}

int
topic_config_check(const struct topic_config *c, struct err *err)
{
    int64_t least = topic_config_int(c, "min.compaction.lag.ms");
    int64_t most = topic_config_int(c, "max.compaction.lag.ms");

    if (least > most)
        return err_set(err, ERR_USAGE, "conflict topic config setting "
            "min.compaction.lag.ms (%lld) > max.compaction.lag.ms (%lld)",
            (long long)least, (long long)most);
    if (strcasecmp(topic_config_get(c, "remote.storage.enable", NULL),
            "true") == 0)
        return err_set(err, ERR_USAGE, "Tiered Storage functionality is "
            "disabled in the broker. Topic cannot be configured with remote "
            "log storage.");
    return 0;
}
