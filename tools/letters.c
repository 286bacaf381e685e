/* letters.c: see letters.h. The thread ends when its connection does, which
 * is when the appliance closes. */
#include "config.h"

#include "letters.h"

#include <ctype.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/check.h"
#include "base/limits.h"
#include "base/thread.h"
#include "client/reader.h"
#include "penstock/streams.h"

enum { LETTERS_APPS_MAX = 32, WAIT_MS = 500, TIMEOUT_MS = 5000 };

struct letters {
    pthread_t thread;
    char *bootstrap;
    const struct ps_app *apps;
    struct reader *readers[LETTERS_APPS_MAX];
    unsigned count;
};

/* What a person wants to know of a letter. */
struct letter {
    struct span message, topic, partition, offset;
};

static void
letter_headers(const struct record *r, struct letter *l)
{
    static const char prefix[] = "__streams.errors.";
    struct span rest = r->headers, key, value;

    memset(l, 0, sizeof *l);
    while (headers_next(&rest, &key, &value) == 1) {
        size_t n = sizeof prefix - 1;
        struct span name;

        if (key.len <= n || memcmp(key.ptr, prefix, n) != 0)
            continue;
        name = span_of(key.ptr + n, key.len - n);
        if (span_eq(name, span_str("message")))
            l->message = value;
        else if (span_eq(name, span_str("topic")))
            l->topic = value;
        else if (span_eq(name, span_str("partition")))
            l->partition = value;
        else if (span_eq(name, span_str("offset")))
            l->offset = value;
    }
}

/* Between quotes, for a shell; what can't be typed is left out. */
static void
put_quoted(struct buf *b, struct span s)
{
    buf_put_u8(b, '\'');
    for (size_t i = 0; i < s.len; i++) {
        if (s.ptr[i] == '\'')
            buf_put_str(b, "'\\''");
        else if (isprint(s.ptr[i]) || s.ptr[i] >= 0x80)
            buf_put_u8(b, s.ptr[i]);
    }
    buf_put_u8(b, '\'');
}

static void
put_plain(struct buf *b, struct span s)
{
    for (size_t i = 0; i < s.len; i++)
        buf_put_u8(b, iscntrl(s.ptr[i]) ? ' ' : s.ptr[i]);
}

static void
print_letter(const struct reader_record *r)
{
    struct letter l;
    struct buf b;

    letter_headers(&r->record, &l);
    buf_init(&b, 64 * KIB);
    buf_printf(&b, "dead letter %s[%d]@%lld", r->topic->name, r->partition,
        (long long)r->record.offset);
    if (l.topic.ptr != NULL) {
        buf_put_str(&b, " of ");
        put_plain(&b, l.topic);
        buf_put_u8(&b, '[');
        put_plain(&b, l.partition);
        buf_put_str(&b, "]@");
        put_plain(&b, l.offset);
    }
    buf_put_str(&b, ": ");
    put_plain(&b, l.message);
    if (l.topic.ptr != NULL) {
        buf_printf(&b, "\n    again: penstock consume %s -p %d -o %lld -c 1 "
            "--raw -f '%%s\\n' | penstock produce ", r->topic->name,
            r->partition, (long long)r->record.offset);
        put_quoted(&b, l.topic);
        buf_put_str(&b, " --raw");
        if (r->record.key.ptr != NULL) {
            buf_put_str(&b, " -k ");
            put_quoted(&b, r->record.key);
        }
    }
    fprintf(stderr, "%.*s\n", (int)b.len, (const char *)b.ptr);
    buf_release(&b);
}

static int
open_reader(struct letters *l, struct client *c, const char *app,
    struct err *err)
{
    char name[TOPIC_NAME_MAX + 32];
    const struct client_topic *topic;
    struct reader *r;

    snprintf(name, sizeof name, "%.249s-dead-letter", app);
    topic = client_topic(c, name, err);
    if (topic == NULL)
        return -1;
    r = l->readers[l->count++] = reader_new(c, topic);
    for (int32_t p = 0; p < topic->partitions; p++)
        reader_seek(r, p, 0, INT64_MAX);
    return 0;
}

static int
read_letters(struct letters *l, struct err *err)
{
    struct reader_record r;
    int rc = 0;

    for (unsigned i = 0; rc == 0; i = (i + 1) % l->count) {
        if (reader_poll(l->readers[i], WAIT_MS, err) != 0)
            return -1;
        while ((rc = reader_next(l->readers[i], &r, err)) == 1)
            print_letter(&r);
    }
    return rc;
}

static void *
letters_main(void *arg)
{
    struct letters *l = arg;
    struct client_conf conf = {.bootstrap = l->bootstrap,
        .timeout_ms = TIMEOUT_MS,
        .name = "penstock-letters"};
    struct err err = {0};
    struct client *c = client_open(&conf, &err);
    int rc = c == NULL ? -1 : 0;

    thread_name("penstock-letter");
    for (const struct ps_app *a = l->apps; rc == 0 && a->name != NULL
         && l->count < LETTERS_APPS_MAX; a++)
        rc = open_reader(l, c, a->name, &err);
    if (rc == 0 && l->count > 0)
        read_letters(l, &err);
    for (unsigned i = 0; i < l->count; i++)
        reader_free(l->readers[i]);
    client_close(c);
    return NULL;
}

struct letters *
letters_start(const char *bootstrap, const struct ps_app *apps)
{
    struct letters *l;

    if (apps == NULL || apps->name == NULL)
        return NULL;
    l = xcalloc(1, sizeof *l);
    l->bootstrap = xstrdup(bootstrap);
    l->apps = apps;
    if (pthread_create(&l->thread, NULL, letters_main, l) != 0) {
        free(l->bootstrap);
        free(l);
        return NULL;
    }
    return l;
}

void
letters_stop(struct letters *l)
{
    if (l == NULL)
        return;
    must(pthread_join(l->thread, NULL));
    free(l->bootstrap);
    free(l);
}
