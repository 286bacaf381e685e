/*
 * Connections against peers that do nothing, do it slowly, or do too much:
 * each deadline and each bound of net.h, with limits of some milliseconds.
 * The session's answer to a frame is the frame; one that begins with 'h' is
 * held until it is let go, one that begins with 'b' has a big answer.
 */
#include "config.h"

#include "net/net.h"

#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/check.h"
#include "base/endian.h"
#include "base/limits.h"

enum { PEERS = 8, HELD = 256, BIG = 8 << 20, PATIENCE_MS = 20000 };

struct kit {
    struct event_base *base;
    struct event *tick;
    struct net *net;
    uint16_t port;
    int peers[PEERS];
    int open, frames;            /* sessions; frames given */
    struct slot *held[HELD];
    int held_count;
};

/* ---- the session ---- */

struct session {
    struct kit *kit;
    struct conn *conn;
};

static void *
opened(void *arg, struct conn *c)
{
    struct session *s = xcalloc(1, sizeof *s);

    s->kit = arg;
    s->conn = c;
    s->kit->open++;
    return s;
}

static void
closed(void *arg)
{
    struct session *s = arg;

    s->kit->open--;
    s->kit->held_count = 0;
    free(s);
}

static void
answer(struct slot *slot, struct span bytes)
{
    uint8_t size[4];

    put_be32(size, (uint32_t)bytes.len);
    slot_copy(slot, span_of(size, 4));
    slot_copy(slot, bytes);
    slot_send(slot);
}

static bool
frame(void *arg, struct chunk *f, size_t len)
{
    struct session *s = arg;
    struct kit *k = s->kit;
    struct slot *slot = conn_slot(s->conn);

    k->frames++;
    if (f->data[0] == 'h') {
        assert_true(k->held_count < HELD);
        k->held[k->held_count++] = slot;
    } else if (f->data[0] == 'b') {
        uint8_t *big = xcalloc(1, BIG);

        answer(slot, span_of(big, BIG));
        free(big);
    } else {
        answer(slot, span_of(f->data, len));
    }
    chunk_unref(f);
    return true;
}

static const struct net_ops ops = {.opened = opened, .frame = frame,
    .closed = closed};

/* ---- the kit ---- */

static int64_t
now_ms(void)
{
    struct timespec ts;

    must(clock_gettime(CLOCK_MONOTONIC, &ts));
    return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static void
ticked(evutil_socket_t fd, short what, void *arg)
{
}

/* What a test does not speak about has its usual limit. */
static struct kit *
kit_new(struct net_limits limits)
{
    struct timeval often = {.tv_usec = 2000};
    struct kit *k = xcalloc(1, sizeof *k);
    struct err err = {0};

    limits.sweep_ms = 5;
    k->base = event_base_new();
    k->tick = event_new(k->base, -1, EV_PERSIST, ticked, NULL);
    event_add(k->tick, &often);
    k->net = net_new(k->base, &ops, k, &limits);
    if (net_listen(k->net, "127.0.0.1:0", false, &k->port, &err) < 0)
        fail_msg("%s", err.text);
    for (int i = 0; i < PEERS; i++)
        k->peers[i] = -1;
    return k;
}

static void
kit_free(struct kit *k)
{
    for (int i = 0; i < PEERS; i++)
        if (k->peers[i] >= 0)
            close(k->peers[i]);
    net_free(k->net);
    assert_int_equal(k->open, 0);
    event_free(k->tick);
    event_base_free(k->base);
    free(k);
}

static void
turn(struct kit *k)
{
    event_base_loop(k->base, EVLOOP_ONCE);
    net_flush(k->net);
}

#define until(k, condition)                                                    \
    do {                                                                       \
        int64_t end_ = now_ms() + PATIENCE_MS;                                 \
                                                                               \
        while (!(condition)) {                                                 \
            if (now_ms() > end_)                                               \
                fail_msg("never: %s", #condition);                             \
            turn(k);                                                           \
        }                                                                      \
    } while (0)

static void
turn_for(struct kit *k, int64_t ms)
{
    for (int64_t end = now_ms() + ms; now_ms() < end;)
        turn(k);
}

static void
peer_open(struct kit *k, int i)
{
    struct sockaddr_in to = {.sin_family = AF_INET,
        .sin_port = htons(k->port),
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    void *p = &to;

    k->peers[i] = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(connect(k->peers[i], p, sizeof to), 0);
    fcntl(k->peers[i], F_SETFL, O_NONBLOCK);
}

/* The connection stands, as the net sees it. */
static void
peer_arrive(struct kit *k, int i)
{
    uint64_t before = net_counters(k->net)->accepted;

    peer_open(k, i);
    until(k, net_counters(k->net)->accepted > before);
}

static void
peer_send(struct kit *k, int i, const void *bytes, size_t len)
{
    for (const uint8_t *p = bytes; len > 0;) {
        ssize_t n = send(k->peers[i], p, len, MSG_NOSIGNAL);

        if (n > 0) {
            p += n;
            len -= (size_t)n;
        } else {
            assert_true(errno == EAGAIN);
            turn(k);
        }
    }
}

static void
peer_frame(struct kit *k, int i, const char *text)
{
    uint8_t size[4];

    put_be32(size, (uint32_t)strlen(text));
    peer_send(k, i, size, 4);
    peer_send(k, i, text, strlen(text));
}

/* Promises a frame of so many bytes. */
static void
peer_promise(struct kit *k, int i, uint32_t size)
{
    uint8_t bytes[4];

    put_be32(bytes, size);
    peer_send(k, i, bytes, 4);
}

static bool
peer_closed(struct kit *k, int i)
{
    uint8_t b[4096];
    ssize_t n;

    do
        n = recv(k->peers[i], b, sizeof b, 0);
    while (n > 0);
    return n == 0 || errno != EAGAIN;
}

/* Takes an answer of that text. */
static void
peer_expect(struct kit *k, int i, const char *text)
{
    uint8_t b[64];
    size_t have = 0, want = strlen(text) + 4;

    assert_true(want <= sizeof b);
    until(k, ({
        ssize_t n = recv(k->peers[i], b + have, want - have, 0);

        have += n > 0 ? (size_t)n : 0;
        have == want;
    }));
    assert_int_equal(get_be32(b), want - 4);
    assert_memory_equal(b + 4, text, want - 4);
}

static uint64_t
late(const struct kit *k)
{
    return net_counters(k->net)->late;
}

/* ---- deadlines ---- */

static void
who_says_nothing_at_all_is_closed(void **state)
{
    struct kit *k = kit_new((struct net_limits){.greet_ms = 1000});

    peer_arrive(k, 0);
    peer_arrive(k, 1);
    peer_frame(k, 1, "x");
    peer_expect(k, 1, "x");
    until(k, peer_closed(k, 0));
    assert_int_equal(late(k), 1);
    peer_frame(k, 1, "still here");
    peer_expect(k, 1, "still here");
    kit_free(k);
}

static void
a_first_frame_byte_by_byte_is_too_slow(void **state)
{
    struct kit *k = kit_new((struct net_limits){.greet_ms = 200});

    peer_arrive(k, 0);
    peer_promise(k, 0, 50000000);
    until(k, (send(k->peers[0], "x", 1, MSG_NOSIGNAL), peer_closed(k, 0)));
    assert_int_equal(late(k), 1);
    assert_int_equal(k->frames, 0);
    kit_free(k);
}

static void
a_later_frame_byte_by_byte_too(void **state)
{
    struct kit *k = kit_new((struct net_limits){.frame_ms = 200});

    peer_arrive(k, 0);
    peer_frame(k, 0, "x");
    peer_expect(k, 0, "x");
    turn_for(k, 300); /* silence between frames is no offence */
    assert_int_equal(late(k), 0);
    peer_promise(k, 0, 1000000);
    until(k, (send(k->peers[0], "x", 1, MSG_NOSIGNAL), peer_closed(k, 0)));
    assert_int_equal(late(k), 1);
    assert_int_equal(k->frames, 1);
    kit_free(k);
}

static void
half_a_frame_behind_an_answer_that_waits(void **state)
{
    struct kit *k = kit_new((struct net_limits){.frame_ms = 200});

    peer_arrive(k, 0);
    peer_frame(k, 0, "hold");
    peer_promise(k, 0, 10);
    until(k, peer_closed(k, 0));
    assert_int_equal(late(k), 1);
    kit_free(k);
}

/* While it is we who do not read, its clock stands still. */
static void
who_may_not_send_is_not_slow(void **state)
{
    struct kit *k = kit_new((struct net_limits){.frame_ms = 500});

    peer_arrive(k, 0);
    for (int i = 0; i < PIPELINE_MAX; i++)
        peer_frame(k, 0, "h");
    peer_frame(k, 0, "tail");
    until(k, k->frames == PIPELINE_MAX);
    turn_for(k, 800);
    assert_int_equal(late(k), 0);
    for (int i = 0; i < PIPELINE_MAX; i++)
        answer(k->held[i], span_str("h"));
    for (int i = 0; i < PIPELINE_MAX; i++)
        peer_expect(k, 0, "h");
    peer_expect(k, 0, "tail");
    kit_free(k);
}

static void
who_has_nothing_under_way_is_idle(void **state)
{
    struct kit *k = kit_new((struct net_limits){.idle_ms = 200});

    peer_arrive(k, 0);
    peer_frame(k, 0, "x");
    peer_arrive(k, 1);
    peer_frame(k, 1, "hold");
    until(k, peer_closed(k, 0));
    assert_int_equal(late(k), 1);
    turn_for(k, 300); /* who waits for an answer is not */
    assert_int_equal(k->open, 1);
    kit_free(k);
}

static void
who_takes_no_answer_is_closed(void **state)
{
    struct kit *k = kit_new((struct net_limits){.stuck_ms = 200});

    peer_arrive(k, 0);
    peer_frame(k, 0, "big");
    until(k, k->open == 0);
    assert_int_equal(late(k), 1);
    kit_free(k);
}

/* ---- a peer that has closed its side ---- */

static void
an_answer_after_the_end_is_given(void **state)
{
    struct kit *k = kit_new((struct net_limits){0});

    peer_arrive(k, 0);
    peer_frame(k, 0, "hold");
    until(k, k->held_count == 1);
    shutdown(k->peers[0], SHUT_WR);
    turn_for(k, 100);
    answer(k->held[0], span_str("done"));
    peer_expect(k, 0, "done");
    until(k, peer_closed(k, 0));
    until(k, k->open == 0);
    assert_int_equal(late(k), 0);
    kit_free(k);
}

/* A JoinGroup that waits for others would hold its place for minutes. */
static void
but_not_for_ever(void **state)
{
    struct kit *k = kit_new((struct net_limits){.ended_ms = 200});

    peer_arrive(k, 0);
    peer_arrive(k, 1);
    peer_frame(k, 0, "hold");
    peer_frame(k, 1, "hold");
    until(k, k->held_count == 2);
    shutdown(k->peers[0], SHUT_WR);
    until(k, k->open == 1);
    assert_true(peer_closed(k, 0));
    assert_int_equal(late(k), 1);
    turn_for(k, 300); /* the other one has not ended */
    assert_int_equal(k->open, 1);
    kit_free(k);
}

/* ---- bounds ---- */

static void
connections_are_counted(void **state)
{
    struct kit *k = kit_new((struct net_limits){.connections = 3});

    for (int i = 0; i < 3; i++)
        peer_arrive(k, i);
    peer_open(k, 3);
    until(k, peer_closed(k, 3));
    assert_int_equal(net_counters(k->net)->refused, 1);
    close(k->peers[0]);
    until(k, k->open == 2);
    peer_arrive(k, 0);
    kit_free(k);
}

static void
also_those_of_one_address(void **state)
{
    struct kit *k = kit_new((struct net_limits){.per_address = 2});

    peer_arrive(k, 0);
    peer_arrive(k, 1);
    peer_open(k, 2);
    until(k, peer_closed(k, 2));
    assert_int_equal(net_counters(k->net)->refused, 1);
    kit_free(k);
}

static void
requests_in_flight_are_bounded(void **state)
{
    struct kit *k = kit_new((struct net_limits){0});
    int count = 2 * PIPELINE_MAX;

    peer_arrive(k, 0);
    for (int i = 0; i < count; i++)
        peer_frame(k, 0, "h");
    until(k, k->frames == PIPELINE_MAX);
    turn_for(k, 50);
    assert_int_equal(k->frames, PIPELINE_MAX);
    for (int i = 0; i < PIPELINE_MAX; i++)
        answer(k->held[i], span_str("h"));
    k->held_count = 0;
    until(k, k->frames == count);
    kit_free(k);
}

static void
answers_that_pile_up_stop_the_reading(void **state)
{
    struct kit *k = kit_new((struct net_limits){0});

    peer_arrive(k, 0);
    peer_frame(k, 0, "big");
    until(k, k->frames == 1);
    turn(k);
    for (int i = 0; i < 8; i++)
        peer_frame(k, 0, "big");
    turn_for(k, 100);
    assert_int_equal(k->frames, 1);
    until(k, (peer_closed(k, 0), k->frames == 9)); /* it takes them */
    kit_free(k);
}

static void
an_impossible_size_is_an_end(void **state)
{
    static const uint32_t sizes[] = {0, UINT32_MAX, INT32_MAX, 1001};
    struct kit *k = kit_new((struct net_limits){.frame_bytes = 1000});

    for (int i = 0; i < 4; i++) {
        peer_arrive(k, i);
        peer_promise(k, i, sizes[i]);
        until(k, peer_closed(k, i));
    }
    assert_int_equal(net_counters(k->net)->bad_frames, 4);
    assert_int_equal(k->frames, 0);
    kit_free(k);
}

/* ---- the budget of frames being received ---- */

enum { LARGE = 1 << 20 };

static void
send_zeros(struct kit *k, int i, size_t n)
{
    uint8_t *zeros = xcalloc(1, n);

    peer_send(k, i, zeros, n);
    free(zeros);
}

static void
two_large_frames_take_turns(void **state)
{
    struct kit *k = kit_new(
        (struct net_limits){.in_flight_bytes = LARGE + LARGE / 4});
    uint8_t *zeros = xcalloc(1, LARGE);
    size_t sent = 0;

    peer_arrive(k, 0);
    peer_arrive(k, 1);
    peer_promise(k, 0, LARGE);
    send_zeros(k, 0, LARGE - 1);
    until(k, net_counters(k->net)->bytes_in == LARGE + 3);
    peer_promise(k, 1, LARGE);
    until(k, ({
        ssize_t n = send(k->peers[1], zeros, LARGE - sent, MSG_NOSIGNAL);

        sent += n > 0 ? (size_t)n : 0;
        net_counters(k->net)->crowded > 0;
    }));
    turn_for(k, 50);
    assert_int_equal(k->frames, 0);
    assert_int_equal(net_counters(k->net)->crowded, 1); /* it is not read */
    send_zeros(k, 0, 1);
    until(k, k->frames == 1);
    send_zeros(k, 1, LARGE - sent);
    until(k, k->frames == 2);
    free(zeros);
    kit_free(k);
}

static void
who_sits_on_the_budget_is_driven_out(void **state)
{
    struct kit *k = kit_new((struct net_limits){.frame_ms = 1500,
        .greet_ms = 1500, .in_flight_bytes = LARGE + LARGE / 4});

    peer_arrive(k, 0);
    peer_promise(k, 0, LARGE);
    send_zeros(k, 0, LARGE - 1);
    turn_for(k, 900);
    peer_arrive(k, 1);
    peer_promise(k, 1, LARGE);
    send_zeros(k, 1, LARGE);
    until(k, k->frames == 1);
    assert_true(peer_closed(k, 0));
    assert_int_equal(k->open, 1);
    kit_free(k);
}

/* Each holds half of what both need: neither can go on. */
static void
who_waits_for_each_other_is_parted(void **state)
{
    struct kit *k = kit_new((struct net_limits){.frame_ms = 600,
        .in_flight_bytes = LARGE + LARGE / 4});

    for (int i = 0; i < 2; i++) {
        peer_arrive(k, i);
        peer_frame(k, i, "x");
        peer_expect(k, i, "x");
        peer_promise(k, i, LARGE);
        send_zeros(k, i, LARGE / 4 + 1); /* a chunk of half the size */
    }
    for (int i = 0; i < 2; i++)
        send_zeros(k, i, LARGE / 4 - 1);
    until(k, net_counters(k->net)->crowded >= 2);
    assert_int_equal(k->frames, 2);
    until(k, k->open < 2); /* one of them at least is late */
    assert_true(late(k) > 0);
    kit_free(k);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_says_nothing_at_all_is_closed),
        cmocka_unit_test(a_first_frame_byte_by_byte_is_too_slow),
        cmocka_unit_test(a_later_frame_byte_by_byte_too),
        cmocka_unit_test(half_a_frame_behind_an_answer_that_waits),
        cmocka_unit_test(who_may_not_send_is_not_slow),
        cmocka_unit_test(who_has_nothing_under_way_is_idle),
        cmocka_unit_test(who_takes_no_answer_is_closed),
        cmocka_unit_test(an_answer_after_the_end_is_given),
        cmocka_unit_test(but_not_for_ever),
        cmocka_unit_test(connections_are_counted),
        cmocka_unit_test(also_those_of_one_address),
        cmocka_unit_test(requests_in_flight_are_bounded),
        cmocka_unit_test(answers_that_pile_up_stop_the_reading),
        cmocka_unit_test(an_impossible_size_is_an_end),
        cmocka_unit_test(two_large_frames_take_turns),
        cmocka_unit_test(who_sits_on_the_budget_is_driven_out),
        cmocka_unit_test(who_waits_for_each_other_is_parted),
    };

    return cmocka_run_group_tests_name("net", tests, NULL, NULL);
}
