/*
 * loop.c: the turns of the one thread.
 *
 * A wait shorter than what the kernel's timer can hold (a millisecond) is
 * spent polling: the sequencer asks for that only while tasks finish a run
 * that the next commit should contain.
 */
#include "config.h"

#include "net/loop.h"

#include <event2/event.h>
#include <event2/thread.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/check.h"

enum { HOOKS_MAX = 4, WATCHED_MAX = 4, POLL_US = 1000 };

struct loop {
    struct event_base *base;
    struct event *timer;
    struct event *watched[WATCHED_MAX];
    struct {
        loop_hook_fn *fn;
        void *arg;
    } hooks[HOOKS_MAX];
    unsigned hook_count, watched_count;
    bool stop;
};

static void
loop_nothing(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    (void)arg;
}

struct loop *
loop_new(void)
{
    struct loop *l = xcalloc(1, sizeof *l);
    struct event_config *c = event_config_new();

    assert(c != NULL);
    event_config_set_flag(c, EVENT_BASE_FLAG_NOLOCK);
    event_config_set_flag(c, EVENT_BASE_FLAG_PRECISE_TIMER);
    l->base = event_base_new_with_config(c);
    event_config_free(c);
    assert(l->base != NULL);
    l->timer = event_new(l->base, -1, 0, loop_nothing, NULL);
    assert(l->timer != NULL);
    return l;
}

void
loop_free(struct loop *l)
{
    if (l == NULL)
        return;
    for (unsigned i = 0; i < l->watched_count; i++)
        event_free(l->watched[i]);
    event_free(l->timer);
    event_base_free(l->base);
    free(l);
}

struct event_base *
loop_base(struct loop *l)
{
    return l->base;
}

void
loop_hook(struct loop *l, loop_hook_fn *fn, void *arg)
{
    assert(l->hook_count < HOOKS_MAX);
    l->hooks[l->hook_count].fn = fn;
    l->hooks[l->hook_count++].arg = arg;
}

void
loop_watch(struct loop *l, int fd)
{
    struct event *e = event_new(l->base, fd, EV_READ | EV_PERSIST,
        loop_nothing, NULL);

    assert(e != NULL);
    assert(l->watched_count < WATCHED_MAX);
    event_add(e, NULL);
    l->watched[l->watched_count++] = e;
}

static int64_t
loop_turn(struct loop *l)
{
    int64_t due = -1;

    for (unsigned i = 0; i < l->hook_count; i++) {
        int64_t us = l->hooks[i].fn(l->hooks[i].arg);

        if (us >= 0 && (due < 0 || us < due))
            due = us;
    }
    return due;
}

void
loop_run(struct loop *l)
{
    int64_t due = loop_turn(l);

    l->stop = false;
    while (!l->stop) {
        if (due >= 0 && due < POLL_US) {
            event_base_loop(l->base, EVLOOP_ONCE | EVLOOP_NONBLOCK);
        } else {
            if (due >= 0) {
                struct timeval tv = {due / 1000000, due % 1000000};

                event_add(l->timer, &tv);
            }
            event_base_loop(l->base, EVLOOP_ONCE);
        }
        due = loop_turn(l);
    }
}

void
loop_stop(struct loop *l)
{
    l->stop = true;
}
