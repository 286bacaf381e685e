/*
 * A line in logfmt:
 *   time=2026-01-31T12:00:00.123Z level=warn area=net msg="..." peer=10.0.0.1
 * The key=value words at the end of a message become fields of their own, in
 * JSON too. Each line is one write(), so that lines of threads never mix.
 *
 * Repeats: a small table of call sites (file, line), found by hash and
 * evicted by collision, counts the lines of the current second. What is over
 * the limit is dropped, and the next line of that site says how many.
 */
#include "config.h"
#include "base/diag.h"

#include <ctype.h>
#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/check.h"
#include "base/json.h"

enum { LINE_MAX_BYTES = 1000, SITES = 256, REPEATS_PER_SECOND = 10 };

struct site {
    const char *file;
    int line;
    time_t second;
    unsigned lines, dropped;
};

enum diag_level diag_levels[DIAG_AREA_COUNT] = {
#define X(name, text) [DIAG_##name] = DIAG_INFO,
    DIAG_AREAS(X)
#undef X
};

static const char *const area_names[] = {
#define X(name, text) text,
    DIAG_AREAS(X)
#undef X
};
static const char *const level_names[] = {"error", "warn", "info", "debug"};

static pthread_mutex_t sites_lock = PTHREAD_MUTEX_INITIALIZER;
static struct site sites[SITES];
static bool as_json;

static int
word_index(const char *const *words, size_t count, const char *s, size_t len)
{
    for (size_t i = 0; i < count; i++)
        if (strlen(words[i]) == len && memcmp(words[i], s, len) == 0)
            return (int)i;
    return -1;
}

/* "level" for all areas or "area=level" for one. */
static int
apply_word(const char *s, size_t len, enum diag_level *levels)
{
    const char *eq = memchr(s, '=', len);
    size_t area_len = eq == NULL ? 0 : (size_t)(eq - s);
    const char *word = eq == NULL ? s : eq + 1;
    size_t word_len = eq == NULL ? len : len - area_len - 1;
    int level = word_index(level_names, countof(level_names), word, word_len);
    int area;

    if (level < 0)
        return -1;
    if (eq == NULL) {
        for (int i = 0; i < DIAG_AREA_COUNT; i++)
            levels[i] = (enum diag_level)level;
        return 0;
    }
    area = word_index(area_names, countof(area_names), s, area_len);
    if (area < 0)
        return -1;
    levels[area] = (enum diag_level)level;
    return 0;
}

int
diag_configure(const char *spec, bool json)
{
    enum diag_level levels[DIAG_AREA_COUNT];

    memcpy(levels, diag_levels, sizeof levels);
    for (;;) {
        size_t len = strcspn(spec, ",");

        if (apply_word(spec, len, levels) < 0)
            return -1;
        if (spec[len] == '\0')
            break;
        spec += len + 1;
    }
    memcpy(diag_levels, levels, sizeof levels);
    as_json = json;
    return 0;
}

/* May this line be written, and how many before it were not? */
static bool
admit(const char *file, int line, time_t now, unsigned *dropped)
{
    struct site *s =
        &sites[((uintptr_t)file / 8 + (unsigned)line * 31u) % SITES];
    bool yes;

    *dropped = 0;
    must(pthread_mutex_lock(&sites_lock));
    if (s->file != file || s->line != line)
        *s = (struct site){.file = file, .line = line, .second = now};
    if (s->second != now) {
        s->second = now;
        s->lines = 0;
    }
    yes = s->lines < REPEATS_PER_SECOND;
    if (yes) {
        s->lines++;
        *dropped = s->dropped;
        s->dropped = 0;
    } else {
        s->dropped++;
    }
    must(pthread_mutex_unlock(&sites_lock));
    return yes;
}

static bool
is_pair(const char *word, size_t len)
{
    size_t i = 0;

    while (i < len && (islower((unsigned char)word[i])
               || isdigit((unsigned char)word[i]) || word[i] == '_'))
        i++;
    return i > 0 && i < len && word[i] == '=';
}

/* Where the key=value words at the end of the text begin. */
static size_t
pairs_begin(const char *text)
{
    size_t begin = strlen(text);

    for (;;) {
        size_t end = begin, at;

        while (end > 0 && text[end - 1] == ' ')
            end--;
        for (at = end; at > 0 && text[at - 1] != ' ';)
            at--;
        if (!is_pair(text + at, end - at))
            return begin;
        begin = at;
    }
}

/* Printable whatever it was: control characters and bytes that are not
 * UTF-8 become \xNN. */
static void
put_printable(struct buf *b, struct span s, bool quoted)
{
    bool utf8 = utf8_valid(s);

    for (size_t i = 0; i < s.len; i++) {
        uint8_t c = s.ptr[i];

        if (c < 0x20 || c == 0x7f || (c >= 0x80 && !utf8))
            buf_printf(b, "\\x%02x", c);
        else if (quoted && (c == '"' || c == '\\'))
            buf_printf(b, "\\%c", c);
        else
            buf_put_u8(b, c);
    }
}

static void
put_json_pairs(struct json *j, const char *p)
{
    while (*p != '\0') {
        size_t len = strcspn(p, " ");
        const char *eq = memchr(p, '=', len);

        if (eq != NULL) {
            char key[64];

            snprintf(key, sizeof key, "%.*s", (int)(eq - p), p);
            json_key(j, key);
            json_span(j, span_of(eq + 1, len - (size_t)(eq + 1 - p)));
        }
        p += len;
        p += *p == ' ';
    }
}

static void
format_json(struct buf *b, const char *when, const char *level,
    const char *area, struct span msg, const char *pairs)
{
    struct json j;

    json_init(&j, b);
    json_object_begin(&j);
    json_kv_cstr(&j, "time", when);
    json_kv_cstr(&j, "level", level);
    json_kv_cstr(&j, "area", area);
    json_key(&j, "msg");
    json_span(&j, msg);
    put_json_pairs(&j, pairs);
    json_object_end(&j);
}

static void
format_line(struct buf *b, enum diag_level level, enum diag_area area,
    const struct timespec *now, const char *text)
{
    char when[40];
    struct tm tm;
    size_t at = pairs_begin(text), len = at;

    while (len > 0 && text[len - 1] == ' ')
        len--;
    gmtime_r(&now->tv_sec, &tm);
    strftime(when, sizeof when, "%Y-%m-%dT%H:%M:%S", &tm);
    snprintf(when + 19, sizeof when - 19, ".%03ldZ", now->tv_nsec / 1000000);
    if (as_json) {
        format_json(b, when, level_names[level], area_names[area],
            span_of(text, len), text + at);
        return;
    }
    buf_printf(b, "time=%s level=%s area=%s msg=\"", when, level_names[level],
        area_names[area]);
    put_printable(b, span_of(text, len), true);
    buf_put_u8(b, '"');
    if (text[at] != '\0') {
        buf_put_u8(b, ' ');
        put_printable(b, span_str(text + at), false);
    }
}

static void
put_line(const uint8_t *p, size_t len)
{
    while (len > 0) {
        ssize_t n = write(STDERR_FILENO, p, len);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return;                      /* there is nobody to tell */
        p += n;
        len -= (size_t)n;
    }
}

void
diag_write(enum diag_level level, enum diag_area area, const char *file,
    int line, const char *fmt, ...)
{
    char text[LINE_MAX_BYTES];
    struct buf b;
    struct timespec now;
    unsigned dropped;
    va_list ap;
    int saved_errno = errno;

    must(clock_gettime(CLOCK_REALTIME, &now));
    if (!admit(file, line, now.tv_sec, &dropped))
        return;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    if (dropped > 0) {
        size_t len = strlen(text);

        snprintf(text + len, sizeof text - len, " dropped=%u", dropped);
    }
    buf_init(&b, 8 * LINE_MAX_BYTES);
    format_line(&b, level, area, &now, text);
    buf_put_u8(&b, '\n');
    if (!b.failed)
        put_line(b.ptr, b.len);
    buf_release(&b);
    errno = saved_errno;
}
