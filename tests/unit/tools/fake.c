/* fake.c: see fake.h. */
#include "config.h"

#include "fake.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/check.h"
#include "base/endian.h"
#include "base/limits.h"
#include "record/kerr.h"
#include "wire/msg/metadata.h"

static bool
read_all(int fd, void *to, size_t n)
{
    ssize_t got;

    for (size_t done = 0; done < n; done += (size_t)got) {
        got = read(fd, (uint8_t *)to + done, n - done);
        if (got <= 0)
            return false;
    }
    return true;
}

static void
announce(struct fake *f, struct api_versions_response *resp, struct arena *a)
{
    const struct wire_api *api;
    size_t n = 0;

    resp->api_keys.v = wire_new(&api_versions_response_api_type, a, 128);
    for (size_t i = 0; (api = wire_api_nth(i)) != NULL; i++) {
        int max = f->version_max[api->key];

        resp->api_keys.v[n].api_key = api->key;
        resp->api_keys.v[n].min_version = api->min;
        resp->api_keys.v[n].max_version = (int16_t)(max ? max : api->max);
        n++;
    }
    resp->api_keys.n = (int32_t)n;
}

static void
play_trick(struct fake *f, struct buf *frame)
{
    switch ((enum fake_trick)f->trick) {
    case FAKE_HONEST:
        break;
    case FAKE_WRONG_CORRELATION:
        frame->ptr[7] ^= 0x40;
        break;
    case FAKE_HUGE_FRAME:
        put_be32(frame->ptr, 0x7fffffff);
        break;
    case FAKE_CUT_FRAME:
        frame->len -= 3;
        break;
    case FAKE_GARBAGE:
        memset(frame->ptr + 9, 0xff, frame->len - 9);
        break;
    }
}

/* One request and its answer. false: the connection is over. */
static bool
serve_one(struct fake *f, int fd, struct arena *a)
{
    struct request_header header;
    const struct wire_api *api;
    struct span frame, body;
    struct wire_out out;
    struct err err;
    struct buf bytes;
    uint8_t size[4];
    size_t used;
    void *req, *resp;
    bool more;
    int version;

    if (!read_all(fd, size, 4))
        return false;
    frame = span_of(arena_alloc(a, get_be32(size) + 1), get_be32(size));
    if (!read_all(fd, (void *)(uintptr_t)frame.ptr, frame.len))
        return false;
    assert(wire_decode_header(frame, &header, &used, &err) == 0);
    api = wire_api(header.api_key);
    version = header.api_version;
    f->seen[api->key]++;
    f->last_version[api->key] = version;
    body = span_of(frame.ptr + used, frame.len - used);
    assert(wire_decode(api->request, version, body, a, &req, &err) == 0);
    resp = wire_new(api->response->type, a, 1);
    if (api->key == API_API_VERSIONS) {
        announce(f, resp, a);
        if (f->old_api_versions && version > 0) {
            ((struct api_versions_response *)resp)->error_code =
                KERR_UNSUPPORTED_VERSION;
            version = 0;
        }
    } else {
        f->answer(f, (enum api_key)api->key, version, req, resp, a);
    }
    wire_out_init(&out, FRAME_BYTES_MAX, SIZE_MAX);
    wire_put_response(api, version, header.correlation_id, resp, &out);
    buf_init(&bytes, FRAME_BYTES_MAX);
    wire_out_copy(&out, &bytes);
    if (api->key != API_API_VERSIONS)
        play_trick(f, &bytes);
    more = send(fd, bytes.ptr, bytes.len, MSG_NOSIGNAL) == (ssize_t)bytes.len
        && (api->key == API_API_VERSIONS || f->trick != FAKE_CUT_FRAME);
    buf_release(&bytes);
    wire_out_release(&out);
    arena_reset(a);
    return more;
}

static void *
run(void *arg)
{
    struct fake *f = arg;
    struct arena a;
    int fd;

    arena_init(&a, 64 * MIB);
    while ((fd = accept(f->listening, NULL, NULL)) >= 0) {
        __atomic_store_n(&f->connected, fd, __ATOMIC_SEQ_CST);
        while (serve_one(f, fd, &a))
            ;
        __atomic_store_n(&f->connected, -1, __ATOMIC_SEQ_CST);
        close(fd);
    }
    arena_release(&a);
    return NULL;
}

void
fake_start(struct fake *f)
{
    struct sockaddr_in at = {.sin_family = AF_INET,
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof at;
    pthread_t *thread = malloc(sizeof *thread);

    f->connected = -1;
    f->listening = socket(AF_INET, SOCK_STREAM, 0);
    assert(f->listening >= 0);
    assert(bind(f->listening, (struct sockaddr *)&at, sizeof at) == 0);
    assert(listen(f->listening, 4) == 0);
    assert(getsockname(f->listening, (struct sockaddr *)&at, &len) == 0);
    snprintf(f->address, sizeof f->address, "127.0.0.1:%d",
        ntohs(at.sin_port));
    must(pthread_create(thread, NULL, run, f));
    f->thread = thread;
}

void
fake_stop(struct fake *f)
{
    int fd = __atomic_load_n(&f->connected, __ATOMIC_SEQ_CST);

    shutdown(f->listening, SHUT_RDWR);
    if (fd >= 0)
        shutdown(fd, SHUT_RDWR); /* a test that failed left it open */
    must(pthread_join(*(pthread_t *)f->thread, NULL));
    close(f->listening);
    free(f->thread);
}
