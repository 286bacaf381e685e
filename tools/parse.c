/* parse.c: see parse.h. */
#include "config.h"

#include "parse.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

int
parse_int(const char *text, int64_t min, int64_t max, int64_t *out,
    struct err *err)
{
    char *end;

    errno = 0;
    *out = strtoll(text, &end, 10);
    if (end == text || *end != '\0')
        return err_set(err, ERR_USAGE, "'%.80s' is not a number", text);
    if (errno != 0 || *out < min || *out > max)
        return err_set(err, ERR_USAGE, "%.80s is not between %lld and %lld",
            text, (long long)min, (long long)max);
    return 0;
}

struct unit {
    const char *name;
    double factor;
};

/* A number that is not negative, then one of the units. */
static int
parse_unit(const char *text, const struct unit *units, int64_t *out)
{
    char *end;
    double v;

    if (strchr("0123456789.", *text) == NULL || *text == '\0')
        return -1;
    v = strtod(text, &end);
    for (; units->name != NULL; units++) {
        if (strcasecmp(end, units->name) != 0)
            continue;
        v = round(v * units->factor);
        if (!(v < 9e18))
            return -1;
        *out = (int64_t)v;
        return 0;
    }
    return -1;
}

int
parse_bytes(const char *text, int64_t *out, struct err *err)
{
    static const struct unit units[] = {{"", 1}, {"B", 1}, {"K", 0x1p10},
        {"M", 0x1p20}, {"G", 0x1p30}, {"T", 0x1p40}, {"KiB", 0x1p10},
        {"MiB", 0x1p20}, {"GiB", 0x1p30}, {"TiB", 0x1p40}, {NULL, 0}};

    if (parse_unit(text, units, out) != 0)
        return err_set(err, ERR_USAGE, "'%.80s' is not a size like 64M", text);
    return 0;
}

int
parse_ms(const char *text, int64_t *out, struct err *err)
{
    static const struct unit units[] = {{"ms", 1}, {"s", 1e3}, {"", 1e3},
        {"m", 6e4}, {"min", 6e4}, {"h", 36e5}, {"d", 864e5}, {NULL, 0}};

    if (parse_unit(text, units, out) != 0)
        return err_set(err, ERR_USAGE, "'%.80s' is not a duration like 5s or "
            "500ms", text);
    return 0;
}

/* ---- times -------------------------------------------------------------- */

/* What follows the time of day: a fraction, a zone. -1: something else. */
static int
parse_tail(const char *s, double *fraction, int *offset_min)
{
    int hours, minutes, n = 0;
    char sign, *end;

    *fraction = 0;
    *offset_min = 0;
    if (*s == '.') {
        *fraction = strtod(s, &end);
        s = end;
    }
    if (*s == '\0' || strcmp(s, "Z") == 0 || strcmp(s, "z") == 0)
        return 0;
    if (sscanf(s, "%c%2d:%2d%n", &sign, &hours, &minutes, &n) != 3
        || s[n] != '\0' || (sign != '+' && sign != '-') || hours > 23
        || minutes > 59)
        return -1;
    *offset_min = (hours * 60 + minutes) * (sign == '-' ? -1 : 1);
    return 0;
}

/* Sets the fields that the text has; *n: characters read. */
static void
scan_date(const char *s, struct tm *tm, int *n)
{
    int at = 0;

    *n = 0;
    if (sscanf(s, "%4d-%2d-%2d%n", &tm->tm_year, &tm->tm_mon, &tm->tm_mday,
            &at) != 3)
        return;
    *n = at;
    if (s[at] != 'T' && s[at] != 't' && s[at] != ' ')
        return;
    s += at + 1;
    if (sscanf(s, "%2d:%2d%n", &tm->tm_hour, &tm->tm_min, &at) != 2)
        return;
    *n += at + 1;
    s += at;
    if (sscanf(s, ":%2d%n", &tm->tm_sec, &at) == 1)
        *n += at;
}

int
parse_time(const char *text, int64_t now_ms, int64_t *out, struct err *err)
{
    struct tm tm = {0}, back;
    double fraction;
    int n, offset_min;
    time_t t;

    if (*text == '-' && parse_ms(text + 1, out, err) == 0) {
        *out = now_ms - *out;
        return 0;
    }
    if (*text != '\0' && strspn(text, "0123456789") == strlen(text))
        return parse_int(text, 0, INT64_MAX, out, err);
    scan_date(text, &tm, &n);
    if (n > 0 && parse_tail(text + n, &fraction, &offset_min) == 0) {
        tm.tm_year -= 1900;
        tm.tm_mon -= 1;
        back = tm;
        t = timegm(&back);
        /* timegm() makes March of the 30th of February: that is no date */
        if (back.tm_mday == tm.tm_mday && back.tm_mon == tm.tm_mon
            && back.tm_hour == tm.tm_hour && back.tm_min == tm.tm_min) {
            *out = (int64_t)t * 1000 - offset_min * 60000ll
                + (int64_t)round(fraction * 1000);
            return 0;
        }
    }
    return err_set(err, ERR_USAGE, "'%.80s' is not a time like "
        "2026-11-01T10:00Z, -10m or milliseconds since 1970", text);
}

char *
format_time(int64_t ms, char *room)
{
    int64_t rest = ((ms % 1000) + 1000) % 1000;
    time_t t = (ms - rest) / 1000;
    struct tm tm;
    size_t n;

    if (gmtime_r(&t, &tm) == NULL || tm.tm_year > 8099
        || tm.tm_year < -1900) {
        snprintf(room, 32, "%lld", (long long)ms);
        return room;
    }
    n = strftime(room, 24, "%Y-%m-%dT%H:%M:%S", &tm);
    snprintf(room + n, 32 - n, ".%03dZ", (int)rest);
    return room;
}
