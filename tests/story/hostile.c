/*
 * hostile.c: a running broker, and clients that lie to it.
 *
 * Every request that it serves, in every version, is made from the tables
 * (walk.h), and then each number in it that says how much is to come becomes
 * a lie: -1, -2, the largest, one more and one less than there is. And each
 * array is stuffed with the smallest elements there are, each list of tags
 * with unknown ones. A new API is in this test as soon as it is served.
 *
 * What must hold: an answer or a close, soon; the process lives and holds no
 * more than GROWTH_KB when they are gone; a good client beside it is served
 * all the time, and all that it was promised is in its place.
 */
#include "config.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/check.h"
#include "base/endian.h"
#include "record/batch.h"
#include "tests/crash/rig.h"
#include "tests/story/walk.h"
#include "wire/msg/metadata.h"
#include "wire/msg/produce.h"

enum {
    AT_ONCE = 32,                /* liars at a time */
    PATIENCE_MS = 8000,          /* less than net gives a peer that ended */
    SILENT_MAX = 20,             /* then it is said, and the test over */
    GROWTH_KB = 4 * 1024,
    STUFFING = 128 * 1024,       /* bytes in an array, each of all */
    LARGE = 16 << 20,            /* and in one */
    FRAME_MAX = 40 << 20,
};

/* A sanitizer keeps what was freed, to see who still uses it. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define MEMORY_TELLS false
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define MEMORY_TELLS false
#endif
#endif
#ifndef MEMORY_TELLS
#define MEMORY_TELLS true
#endif

static struct rig rig;

/* ---- sockets ---- */

static int
dial(void)
{
    struct sockaddr_in to = {.sin_family = AF_INET};
    const char *colon = strchr(rig.address, ':');
    char host[32];
    void *p = &to;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    snprintf(host, sizeof host, "%.*s", (int)(colon - rig.address),
        rig.address);
    inet_pton(AF_INET, host, &to.sin_addr);
    to.sin_port = htons((uint16_t)strtoul(colon + 1, NULL, 10));
    if (fd < 0 || connect(fd, p, sizeof to) < 0) {
        if (fd >= 0)
            close(fd);
        return -1;
    }
    return fd;
}

/* ---- the liars ---- */

struct liar {
    int fd;                      /* -1: free */
    struct buf out;
    size_t sent;
    int64_t until_ms;
    bool answered;
    char what[160];
};

static struct liar liars[AT_ONCE];
static unsigned told, answered, closed, silent;
static char first_silent[160];

static void
liar_done(struct liar *l)
{
    close(l->fd);
    l->fd = -1;
    answered += l->answered;
    closed += !l->answered;
}

/* All sent: our side is closed, so that the other one is when it is done. */
static void
liar_send(struct liar *l)
{
    ssize_t n = send(l->fd, l->out.ptr + l->sent, l->out.len - l->sent,
        MSG_NOSIGNAL | MSG_DONTWAIT);

    if (n > 0)
        l->sent += (size_t)n;
    else if (errno != EAGAIN)
        l->sent = l->out.len; /* it was cut off: what does it say? */
    if (l->sent == l->out.len)
        shutdown(l->fd, SHUT_WR);
}

static void
liar_turn(struct liar *l, short events)
{
    uint8_t bytes[16384];
    ssize_t n;

    if (events & POLLOUT)
        liar_send(l);
    if (!(events & (POLLIN | POLLHUP | POLLERR)))
        return;
    n = recv(l->fd, bytes, sizeof bytes, MSG_DONTWAIT);
    if (n > 0)
        l->answered = true;
    else if (n == 0 || errno != EAGAIN)
        liar_done(l);
}

static void
liars_turn(void)
{
    struct pollfd p[AT_ONCE];
    int64_t now;

    for (int i = 0; i < AT_ONCE; i++)
        p[i] = (struct pollfd){.fd = liars[i].fd,
            .events = liars[i].sent < liars[i].out.len ? POLLIN | POLLOUT
                                                       : POLLIN};
    poll(p, AT_ONCE, 1000);
    now = now_ms();
    for (int i = 0; i < AT_ONCE; i++) {
        struct liar *l = &liars[i];

        if (l->fd >= 0)
            liar_turn(l, p[i].revents);
        if (l->fd >= 0 && now > l->until_ms) {
            if (silent++ == 0)
                memcpy(first_silent, l->what, sizeof first_silent);
            liar_done(l);
            if (silent == SILENT_MAX)
                bail("no answer and no close, %d times; the first: %s",
                    SILENT_MAX, first_silent);
        }
    }
    if (!rig_lives(&rig))
        bail("it ended; one of the last: %s", liars[0].what);
}

static bool
liars_busy(void)
{
    for (int i = 0; i < AT_ONCE; i++)
        if (liars[i].fd >= 0)
            return true;
    return false;
}

static void
liars_end(void)
{
    while (liars_busy())
        liars_turn();
}

static struct liar *
liar_free(void)
{
    for (;;) {
        for (int i = 0; i < AT_ONCE; i++)
            if (liars[i].fd < 0)
                return &liars[i];
        liars_turn();
    }
}

/* `size`: what the frame says that it has; `lie` makes it. */
static struct liar *
liar_begin(const struct walk *w, const char *name, long long number)
{
    struct liar *l = liar_free();

    snprintf(l->what, sizeof l->what, "%s v%d %s %lld", w->api->name,
        w->version, name, number);
    buf_clear(&l->out);
    buf_put_be32(&l->out, 0);
    l->sent = 0;
    l->answered = false;
    return l;
}

static void
liar_go(struct liar *l)
{
    assert(!l->out.failed);
    l->fd = dial();
    if (l->fd < 0)
        bail("nobody listens any more: %s", l->what);
    l->until_ms = now_ms() + PATIENCE_MS;
    told++;
    liar_send(l);
}

static void
liar_go_whole(struct liar *l)
{
    put_be32(l->out.ptr, (uint32_t)l->out.len - 4);
    liar_go(l);
}

/* ---- the lies ---- */

typedef void each_fn(struct walk *, const struct wire_api *, int version);

static void
each_request(struct walk *w, each_fn *fn)
{
    const struct wire_api *api;

    for (size_t i = 0; (api = wire_api_nth(i)) != NULL; i++)
        for (int v = api->min; api->served && v <= api->max; v++)
            fn(w, api, v);
    liars_end();
}

/* The writer here and the broker's decoder agree on what is valid. */
static void
is_valid(struct walk *w, const struct wire_api *api, int version)
{
    struct request_header h;
    struct arena arena;
    struct err err = {0};
    size_t used = 0;
    void *body;

    walk_make(w, api, version);
    arena_init(&arena, 1 << 20);
    if (wire_decode_header(buf_span(&w->frame), &h, &used, &err) < 0
        || wire_decode(api->request, version,
            span_of(w->frame.ptr + used, w->frame.len - used), &arena, &body,
            &err) < 0)
        bail("%s v%d: what is made from the table is not taken: %s",
            api->name, version, err.text);
    arena_release(&arena);
}

static void
tell_truth(struct walk *w, const struct wire_api *api, int version)
{
    struct liar *l;

    is_valid(w, api, version);
    l = liar_begin(w, "as it should be", 0);
    buf_put(&l->out, w->frame.ptr, w->frame.len);
    liar_go_whole(l);
}

static void
lie_about(struct walk *w, const struct mark *m)
{
    int64_t rest = (int64_t)(w->frame.len - m->pos - m->width);
    const int64_t numbers[] = {-1, -2, INT32_MAX, INT32_MIN, rest - 1, rest,
        rest + 1};

    for (size_t i = 0; i < countof(numbers); i++) {
        struct liar *l = liar_begin(w, m->name, numbers[i]);

        walk_lie(w, m, numbers[i], &l->out);
        liar_go_whole(l);
    }
}

static void
tell_lies(struct walk *w, const struct wire_api *api, int version)
{
    walk_make(w, api, version);
    for (unsigned i = 0; i < w->count; i++)
        lie_about(w, &w->marks[i]);
}

/* About the frame itself. */
static void
tell_sizes(struct walk *w, const struct wire_api *api, int version)
{
    walk_make(w, api, version);
    for (int i = 0; i < 6; i++) {
        int64_t len = (int64_t)w->frame.len;
        const int64_t sizes[] = {-1, -2, INT32_MAX, 0, len - 1, len + 1};
        struct liar *l = liar_begin(w, "the frame", sizes[i]);

        buf_put(&l->out, w->frame.ptr, w->frame.len);
        put_be32(l->out.ptr, (uint32_t)sizes[i]);
        liar_go(l);
    }
}

static void
stuff_one(struct walk *w, const struct wire_api *api, int version,
    unsigned mark, const char *name, size_t bytes)
{
    struct liar *l;

    walk_stuff(w, api, version, mark, bytes);
    l = liar_begin(w, name, (long long)w->frame.len);
    buf_put(&l->out, w->frame.ptr, w->frame.len);
    liar_go_whole(l);
}

/* The newest version and the last one without compact numbers. */
static void
stuff(struct walk *w, const struct wire_api *api, int version)
{
    unsigned many[WALK_MARKS], n = 0;
    const char *names[WALK_MARKS];

    if (version != api->max && version != api->flexible - 1)
        return;
    walk_make(w, api, version);
    for (unsigned i = 0; i < w->count; i++) {
        if (!w->marks[i].many)
            continue;
        names[n] = w->marks[i].name;
        many[n++] = i;
    }
    for (unsigned i = 0; i < n; i++)
        stuff_one(w, api, version, many[i], names[i], STUFFING);
}

/* ---- memory ---- */

/* The highest that it was since the last call, in KiB. */
static long
peak_kb(void)
{
    char path[64], line[256];
    long kb = -1;
    FILE *f;
    int fd;

    snprintf(path, sizeof path, "/proc/%d/status", (int)rig.pid);
    f = fopen(path, "r");
    while (f != NULL && kb < 0 && fgets(line, sizeof line, f) != NULL)
        if (strncmp(line, "VmHWM:", 6) == 0)
            kb = strtol(line + 6, NULL, 10);
    if (f != NULL)
        fclose(f);
    snprintf(path, sizeof path, "/proc/%d/clear_refs", (int)rig.pid);
    fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0 || write(fd, "5", 1) != 1)
        kb = -1;
    if (fd >= 0)
        close(fd);
    return kb;
}

/* A large frame of the smallest topics: it may hold the frame, what it was
 * copied from while it grew, and the arena. */
static void
stuff_large(struct walk *w)
{
    long most = LARGE / 1024 * 2 + 8 * 1024 + 2 * 1024, before, peak;

    peak_kb();
    before = peak_kb();
    walk_make(w, wire_api(API_METADATA), 8);
    for (unsigned i = 0; i < w->count; i++)
        if (w->marks[i].many) {
            stuff_one(w, wire_api(API_METADATA), 8, i, "topics", LARGE);
            break;
        }
    liars_end();
    peak = peak_kb();
    if (before < 0 || peak < 0 || !MEMORY_TELLS)
        check(true, "the highest memory # SKIP it is not told here");
    else
        check(peak - before <= most, "a frame of %d MiB of the least topics "
            "takes %ld KiB, at most %ld", LARGE >> 20, peak - before, most);
}

/* ---- the good client ---- */

struct good {
    pthread_t thread;
    atomic_bool stop;
    atomic_long done;
    int64_t slowest_ms;
    char wrong[200];             /* what was wrong, if anything */
};

static bool
receive(int fd, void *to, size_t len)
{
    for (uint8_t *p = to; len > 0;) {
        ssize_t n = recv(fd, p, len, 0);

        if (n <= 0)
            return false;
        p += n;
        len -= (size_t)n;
    }
    return true;
}

/* One request and its answer, decoded. NULL: no good answer. */
static void *
call(int fd, const struct wire_api *api, int version, const void *request,
    struct arena *arena, struct buf *in)
{
    struct wire_out out;
    uint8_t size[4];
    int32_t correlation;
    size_t used, n;
    void *body = NULL;
    bool ok;

    wire_out_init(&out, 1 << 20, SIZE_MAX);
    wire_put_request(api, version, 1, span_str("good"), request, &out);
    ok = send(fd, out.buf.ptr, out.buf.len, MSG_NOSIGNAL)
        == (ssize_t)out.buf.len;
    wire_out_release(&out);
    if (!ok || !receive(fd, size, 4))
        return NULL;
    n = get_be32(size);
    buf_clear(in);
    if (buf_grow(in, n) == NULL || !receive(fd, in->ptr, n))
        return NULL;
    if (wire_decode_response_header(api, version, span_of(in->ptr, n),
            &correlation, &used, NULL) < 0
        || wire_decode(api->response, version,
            span_of(in->ptr + used, n - used), arena, &body, NULL) < 0)
        return NULL;
    return body;
}

/* Its record must get the offset behind that of the last one. */
static void
good_produce(struct good *g, int fd, struct arena *arena, struct buf *in,
    struct span batch)
{
    struct produce_request_partition p = {.records = batch};
    struct produce_request_topic t = {.name = span_str("good")};
    struct produce_request r;
    const struct produce_response *a;
    const struct produce_response_partition *got;
    int64_t began = now_ms(), took;
    long done = atomic_load(&g->done);

    wire_init(&produce_request_type, &r);
    r.acks = -1;
    r.timeout_ms = 10000;
    r.topic_data.v = &t;
    r.topic_data.n = t.partition_data.n = 1;
    t.partition_data.v = &p;
    arena_reset(arena);
    a = call(fd, wire_api(API_PRODUCE), 7, &r, arena, in);
    took = now_ms() - began;
    if (took > g->slowest_ms)
        g->slowest_ms = took;
    if (a == NULL || a->responses.n != 1
        || a->responses.v[0].partition_responses.n != 1) {
        snprintf(g->wrong, sizeof g->wrong, "no answer after %ld", done);
        return;
    }
    got = &a->responses.v[0].partition_responses.v[0];
    if (got->error_code != 0 || got->base_offset != done)
        snprintf(g->wrong, sizeof g->wrong, "record %ld: error %d, offset "
            "%lld", done, got->error_code, (long long)got->base_offset);
    atomic_fetch_add(&g->done, 1);
}

static void *
good_main(void *arg)
{
    struct good *g = arg;
    struct batch_builder builder;
    struct arena arena;
    struct buf in, batch;
    int fd = dial(), rc;

    arena_init(&arena, 1 << 20);
    buf_init(&in, 1 << 20);
    buf_init(&batch, 4096);
    batch_builder_init(&builder, &batch);
    batch_builder_add(&builder, 1700000000000, span_str("k"), span_str("v"),
        NULL, 0);
    rc = batch_builder_end(&builder, &BATCH_BUILD_PLAIN, NULL);
    assert(rc == 0);
    while (g->wrong[0] == '\0' && !atomic_load(&g->stop)) {
        good_produce(g, fd, &arena, &in, buf_span(&batch));
        usleep(2000);
    }
    close(fd);
    arena_release(&arena);
    buf_release(&in);
    buf_release(&batch);
    return NULL;
}

/* The topic it writes to, before it begins. */
static void
good_topic(void)
{
    struct metadata_request_topic t = {.name = span_str("good")};
    struct metadata_request r;
    struct arena arena;
    struct buf in;
    int fd = dial();
    void *a;

    wire_init(&metadata_request_type, &r);
    r.topics.v = &t;
    r.topics.n = 1;
    r.allow_auto_topic_creation = true;
    arena_init(&arena, 1 << 20);
    buf_init(&in, 1 << 20);
    a = call(fd, wire_api(API_METADATA), 4, &r, &arena, &in);
    if (a == NULL)
        bail("no metadata");
    close(fd);
    arena_release(&arena);
    buf_release(&in);
}

/* ---- the test ---- */

static void
told_checks(const char *what)
{
    check(silent == 0, "%u %s: %u answered, %u closed, %u neither%s%s", told,
        what, answered, closed, silent, silent > 0 ? "; the first: " : "",
        first_silent);
    printf("# memory: %ld KiB\n", rig_memory(&rig));
    told = answered = closed = silent = 0;
    first_silent[0] = '\0';
}

int
main(void)
{
    static struct good good;
    struct walk w;
    long before, after;

    rig_init(&rig, "hostile");
    /* glibc raises both by itself and then keeps what was freed, more or less
     * by chance: here is asked what the broker holds. */
    setenv("MALLOC_MMAP_THRESHOLD_", "131072", 1);
    setenv("MALLOC_TRIM_THRESHOLD_", "131072", 1);
    rig.more[0] = "--no-apps";
    rig_start(&rig);
    walk_init(&w, FRAME_MAX);
    for (int i = 0; i < AT_ONCE; i++) {
        liars[i].fd = -1;
        buf_init(&liars[i].out, FRAME_MAX);
    }
    good_topic();
    must(pthread_create(&good.thread, NULL, good_main, &good));
    each_request(&w, tell_truth);
    told_checks("requests as they should be");
    each_request(&w, stuff); /* to warm up, too */
    before = rig_memory(&rig);
    each_request(&w, tell_lies);
    told_checks("lies about lengths and counts");
    each_request(&w, tell_sizes);
    told_checks("lies about the size of a frame");
    each_request(&w, stuff);
    told_checks("arrays full of nothing");
    stuff_large(&w);
    told_checks("large ones");
    after = rig_memory(&rig);
    check(after - before <= GROWTH_KB || !MEMORY_TELLS,
        "memory is %ld KiB, it was %ld before the lies", after, before);
    atomic_store(&good.stop, true);
    must(pthread_join(good.thread, NULL));
    check(good.wrong[0] == '\0', "the good client beside them: %ld records, "
        "the slowest took %lld ms %s", atomic_load(&good.done),
        (long long)good.slowest_ms, good.wrong);
    rig_stop(&rig);
    walk_release(&w);
    for (int i = 0; i < AT_ONCE; i++)
        buf_release(&liars[i].out);
    return rig_end(&rig);
}
