/*
 * http_wait.c: requests that wait: for an epoch, for a publish, for quiet.
 * Each is looked at at the end of each turn of the loop; the time of the next
 * turn is at most the first of their deadlines away.
 */
#include "config.h"

#include "http_priv.h"

#include "base/check.h"
#include "epoch/seq.h"

enum {
    WAITING_MAX = 1000,
    WITHIN_MS = 10000,           /* unless the request says otherwise */
    WITHIN_MS_MAX = 3600000,
};

int64_t
http_now_ns(const struct http *h)
{
    return world_mono_ns(seq_world(h->env.seq));
}

void
http_wait(struct http_call *c, http_look_fn *look)
{
    struct http *h = c->http;
    int64_t within;

    if (h->waiting_count >= WAITING_MAX) {
        http_fail(c, 503, "UNAVAILABLE", "%d requests wait already",
            WAITING_MAX);
        return;
    }
    if (c->until_ns == 0) {
        if (!http_number(c, "within_ms", WITHIN_MS, 0, WITHIN_MS_MAX,
                &within))
            return;
        /* Who wants to wait longer asks again. */
        if (within > HTTP_WAIT_MS_MAX)
            within = HTTP_WAIT_MS_MAX;
        c->until_ns = http_now_ns(h) + within * 1000000;
    }
    c->look = look;
    h->waiting_count++;
    TAILQ_INSERT_TAIL(&h->waiting, c, next);
}

static bool
look_for_epoch(struct http_call *c)
{
    if (seq_published(c->http->env.seq) < c->epoch)
        return false;
    c->route->handle(c);
    return true;
}

void
http_wait_epoch(struct http_call *c)
{
    http_wait(c, look_for_epoch);
}

static bool
look_for_publish(struct http_call *c)
{
    if (seq_published(c->http->env.seq) < c->epoch)
        return false;
    http_reply_json(c, 200);
    return true;
}

void
http_reply_published(struct http_call *c)
{
    c->epoch = seq_gate(c->http->env.seq);
    if (c->epoch == 0)
        http_reply_json(c, 200);
    else
        http_wait(c, look_for_publish);
}

/* Who is still waiting is back in the list, with its next look in *due. */
static void
look_at(struct http_call *c, int64_t now, int64_t *due)
{
    struct http *h = c->http;
    int64_t left = (c->until_ns - now) / 1000;

    check_obj(c, HTTP_CALL_MAGIC);
    if (c->look(c))
        return;
    if (left <= 0) {
        http_fail(c, 504, "TIMEOUT", "not in time: epoch %llu is published",
            (unsigned long long)seq_published(h->env.seq));
        return;
    }
    TAILQ_INSERT_TAIL(&h->waiting, c, next);
    h->waiting_count++;
    if (c->look_us > 0 && c->look_us < left)
        left = c->look_us;
    if (*due < 0 || left < *due)
        *due = left;
}

int64_t
http_turn(struct http *h)
{
    struct http_call_list list = TAILQ_HEAD_INITIALIZER(list);
    struct http_call *c;
    int64_t due = -1, now;

    check_obj(h, HTTP_MAGIC);
    if (TAILQ_EMPTY(&h->waiting))
        return -1;
    now = http_now_ns(h);
    h->quiet_known = false;
    TAILQ_CONCAT(&list, &h->waiting, next);
    while ((c = TAILQ_FIRST(&list)) != NULL) {
        TAILQ_REMOVE(&list, c, next);
        h->waiting_count--;
        look_at(c, now, &due);
    }
    /* What now waits for the first time is looked at soon. */
    if (due < 0 && !TAILQ_EMPTY(&h->waiting))
        due = HTTP_LOOK_US;
    return due < 0 || due > HTTP_LOOK_US ? due : HTTP_LOOK_US;
}
