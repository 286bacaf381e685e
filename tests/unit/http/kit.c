/* kit.c: see kit.h. */
#include "config.h"

#include "kit.h"

#include <arpa/inet.h>
#include <errno.h>
#include <event2/event.h>
#include <ftw.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/check.h"
#include "base/diag.h"
#include "client/writer.h"

enum { ANSWER_MAX = 64 << 20 };

/* ---- the appliance ------------------------------------------------------ */

static void
on_stop(evutil_socket_t fd, short what, void *arg)
{
    struct kit *k = arg;
    char byte;

    if (read(fd, &byte, 1) == 1)
        appliance_stop(k->appliance);
}

static void *
kit_main(void *arg)
{
    struct kit *k = arg;
    struct err err = {0};
    struct event *stop;

    if (appliance_open(&k->appliance, &k->options, &err) < 0) {
        print_error("open: %s\n", err.text);
        k->appliance = NULL;
        sem_post(&k->ready);
        return NULL;
    }
    stop = event_new(appliance_base(k->appliance), k->stop[0], EV_READ,
        on_stop, k);
    event_add(stop, NULL);
    sem_post(&k->ready);
    appliance_run(k->appliance);
    event_free(stop);
    appliance_close(k->appliance);
    return NULL;
}

static void
kit_start(struct kit *k)
{
    must(pthread_create(&k->thread, NULL, kit_main, k));
    while (sem_wait(&k->ready) != 0)
        ;
    assert_non_null(k->appliance);
    k->port = appliance_http_port(k->appliance);
    snprintf(k->url, sizeof k->url, "http://127.0.0.1:%u", k->port);
    snprintf(k->bootstrap, sizeof k->bootstrap, "127.0.0.1:%u",
        appliance_port(k->appliance));
}

void
kit_open(struct kit *k, const struct ps_app *apps,
    const struct appliance_topic *topics, int32_t partitions,
    enum durability durability)
{
    const char *tmp = getenv("TMPDIR");

    memset(k, 0, sizeof *k);
    diag_configure("error", false);
    signal(SIGPIPE, SIG_IGN);
    snprintf(k->folder, sizeof k->folder, "%s/penstock-http-XXXXXX",
        tmp != NULL ? tmp : "/tmp");
    assert_non_null(mkdtemp(k->folder));
    must(sem_init(&k->ready, 0, 0));
    assert_int_equal(pipe(k->stop), 0);
    buf_init(&k->answer, ANSWER_MAX);
    k->options = (struct appliance_options){.data = k->folder,
        .listen = "127.0.0.1:0",
        .http = "127.0.0.1:0",
        .durability = durability,
        .apps = apps,
        .topics = topics,
        .threads = 2,
        .partitions = partitions,
        .auto_create = true};
    kit_start(k);
}

void
kit_stop(struct kit *k)
{
    assert_int_equal(write(k->stop[1], "x", 1), 1);
    must(pthread_join(k->thread, NULL));
    k->appliance = NULL;
}

void
kit_restart(struct kit *k)
{
    if (k->appliance != NULL)
        kit_stop(k);
    kit_start(k);
}

static int
remove_one(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
    return remove(path);
}

void
kit_close(struct kit *k)
{
    if (k->appliance != NULL)
        kit_stop(k);
    nftw(k->folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    close(k->stop[0]);
    close(k->stop[1]);
    sem_destroy(&k->ready);
    buf_release(&k->answer);
}

/* ---- HTTP --------------------------------------------------------------- */

int
kit_connect(struct kit *k)
{
    struct sockaddr_in to = {.sin_family = AF_INET,
        .sin_port = htons(k->port),
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_true(fd >= 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof to), 0);
    return fd;
}

/* Some bytes may be refused while they are sent: the answer says why. */
static void
send_all(int fd, const char *bytes, size_t len)
{
    while (len > 0) {
        ssize_t n = write(fd, bytes, len);

        if (n < 0)
            return;
        bytes += n;
        len -= (size_t)n;
    }
}

static void
read_all(struct kit *k, int fd)
{
    ssize_t n;

    buf_clear(&k->answer);
    do {
        uint8_t *room = buf_reserve(&k->answer, 16384);

        assert_non_null(room);
        n = read(fd, room, 16384);
        k->answer.len += n > 0 ? (size_t)n : 0;
    } while (n > 0);
    buf_put_u8(&k->answer, '\0');
}

struct answer
kit_send(struct kit *k, const char *bytes, size_t len)
{
    struct answer a = {0, "", "", 0};
    int fd = kit_connect(k);
    char *text, *end;

    send_all(fd, bytes, len);
    read_all(k, fd);
    close(fd);
    text = (char *)k->answer.ptr;
    end = strstr(text, "\r\n\r\n");
    if (end == NULL || sscanf(text, "HTTP/1.%*d %d", &a.status) != 1)
        return a;
    *end = '\0';
    a.head = text;
    a.body = end + 4;
    a.body_len = k->answer.len - 1 - (size_t)(a.body - text);
    return a;
}

struct answer
kit_ask(struct kit *k, const char *method, const char *path)
{
    char request[4096];
    int n = snprintf(request, sizeof request, "%s %s HTTP/1.1\r\nHost: "
        "localhost:%u\r\nConnection: close\r\n%s\r\n", method, path, k->port,
        strcmp(method, "POST") == 0 ? "Content-Length: 0\r\n" : "");

    assert_true(n > 0 && (size_t)n < sizeof request);
    return kit_send(k, request, (size_t)n);
}

struct answer
kit_get(struct kit *k, const char *path)
{
    return kit_ask(k, "GET", path);
}

struct answer
kit_post(struct kit *k, const char *path)
{
    return kit_ask(k, "POST", path);
}

const char *
body_of(struct answer a, int status)
{
    if (a.status != status)
        print_error("status %d instead of %d: %s\n", a.status, status,
            a.body);
    assert_int_equal(a.status, status);
    return a.body;
}

void
has(const char *text, const char *part)
{
    if (strstr(text, part) == NULL)
        print_error("no '%s' in: %s\n", part, text);
    assert_non_null(strstr(text, part));
}

void
has_not(const char *text, const char *part)
{
    if (strstr(text, part) != NULL)
        print_error("there is '%s' in: %s\n", part, text);
    assert_null(strstr(text, part));
}

/* ---- Kafka -------------------------------------------------------------- */

struct producer {
    struct client *client;
    struct writer *writer;
};

static void
producer_open(struct producer *p, struct kit *k, const char *topic)
{
    struct client_conf conf = {.bootstrap = k->bootstrap,
        .timeout_ms = 10000};
    struct writer_conf how = {.batch_bytes = 0};
    const struct client_topic *t;
    struct err err = {0};

    p->client = client_open(&conf, &err);
    assert_non_null(p->client);
    t = client_topic(p->client, topic, &err);
    if (t == NULL)
        print_error("%s: %s\n", topic, err.text);
    assert_non_null(t);
    p->writer = writer_new(p->client, t, &how);
}

static void
producer_add(struct producer *p, const char *key, const char *value)
{
    struct err err = {0};

    assert_int_equal(writer_add(p->writer, PARTITION_BY_KEY, 1000,
        span_str(key), value == NULL ? SPAN_NULL : span_str(value), NULL, 0,
        &err), 0);
}

static void
producer_close(struct producer *p)
{
    struct err err = {0};
    int rc = writer_flush(p->writer, &err);

    if (rc != 0)
        print_error("produce: %s\n", err.text);
    assert_int_equal(rc, 0);
    writer_free(p->writer);
    client_close(p->client);
}

void
kit_produce(struct kit *k, const char *topic, const char *key,
    const char *value)
{
    struct producer p;

    producer_open(&p, k, topic);
    producer_add(&p, key, value);
    producer_close(&p);
}

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
void
kit_produce_many(struct kit *k, const char *topic, const char *key_format,
    const char *value_format, int count)
{
    char key[256], value[4096];
    struct producer p;

    producer_open(&p, k, topic);
    for (int i = 0; i < count; i++) {
        snprintf(key, sizeof key, key_format, i);
        snprintf(value, sizeof value, value_format, i);
        producer_add(&p, key, value);
    }
    producer_close(&p);
}
#pragma GCC diagnostic pop

void
kit_settle(struct kit *k)
{
    body_of(kit_post(k, "/v1/settle?within_ms=30000"), 200);
}
