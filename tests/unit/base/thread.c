/* A receiver that sleeps until it is woken gets all mail, in order. */
#include "config.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <string.h>
#include <stdlib.h>
#include <cmocka.h>

#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <sys/prctl.h>

#include "base/alloc.h"
#include "base/thread.h"

enum { SENDERS = 2, LETTERS = 50000, BURSTS = 20000 };

struct letter {
    struct mail mail;
    unsigned sender, number;
};

struct sender {
    struct mailbox *box;
    unsigned id;
};

static bool
readable(const struct mailbox *b, int wait_ms)
{
    struct pollfd p = {.fd = b->fd, .events = POLLIN};

    return poll(&p, 1, wait_ms) == 1;
}

static void *
send_all(void *arg)
{
    const struct sender *s = arg;

    for (unsigned i = 0; i < LETTERS; i++) {
        struct letter *l = xcalloc(1, sizeof *l);

        l->sender = s->id;
        l->number = i;
        mailbox_send(s->box, &l->mail);
    }
    return NULL;
}

static void
nothing_is_lost(void **state)
{
    struct mailbox box;
    pthread_t threads[SENDERS];
    struct sender senders[SENDERS];
    unsigned next[SENDERS] = {0}, got = 0;

    assert_int_equal(mailbox_init(&box), 0);
    for (unsigned i = 0; i < SENDERS; i++) {
        senders[i] = (struct sender){&box, i};
        pthread_create(&threads[i], NULL, send_all, &senders[i]);
    }
    while (got < SENDERS * LETTERS) {
        /* a lost wake-up would make this wait run out */
        assert_true(readable(&box, 20000));
        for (struct mail *m = mailbox_take(&box), *after; m != NULL;
             m = after) {
            struct letter *l = (struct letter *)m;

            after = m->next;
            assert_int_equal(l->number, next[l->sender]++);
            free(l);
            got++;
        }
    }
    for (unsigned i = 0; i < SENDERS; i++)
        pthread_join(threads[i], NULL);
    assert_null(mailbox_take(&box));
    mailbox_release(&box);
}

struct burst {
    struct mailbox box;
    atomic_uint done;                    /* bursts received in full */
};

static void *
send_bursts(void *arg)
{
    struct burst *b = arg;
    struct mail mail[2];

    for (unsigned i = 0; i < BURSTS; i++) {
        mailbox_send(&b->box, &mail[0]);
        /* a while that differs, for the receiver to be anywhere in take */
        for (volatile unsigned k = 0; k < i * 7 % 3000; k++)
            continue;
        mailbox_send(&b->box, &mail[1]);
        while (atomic_load(&b->done) != i + 1)
            sched_yield();
    }
    return NULL;
}

/* Two letters and then silence: the second one often comes while the first
 * is being taken, and nothing after it would make good for its lost signal. */
static void
last_letter_wakes(void **state)
{
    struct burst b = {.done = 0};
    pthread_t sender;

    assert_int_equal(mailbox_init(&b.box), 0);
    pthread_create(&sender, NULL, send_bursts, &b);
    for (unsigned i = 0; i < BURSTS; i++) {
        for (unsigned got = 0; got < 2;) {
            assert_true(readable(&b.box, 20000));
            for (struct mail *m = mailbox_take(&b.box); m != NULL; m = m->next)
                got++;
        }
        atomic_store(&b.done, i + 1);
    }
    pthread_join(sender, NULL);
    mailbox_release(&b.box);
}

static void
wakes_once_per_filling(void **state)
{
    struct mailbox box;
    struct mail a, b;

    assert_int_equal(mailbox_init(&box), 0);
    assert_false(readable(&box, 0));
    assert_null(mailbox_take(&box));
    mailbox_send(&box, &a);
    mailbox_send(&box, &b);
    assert_true(readable(&box, 0));
    assert_ptr_equal(mailbox_take(&box), &a);
    assert_ptr_equal(a.next, &b);
    assert_null(b.next);
    assert_false(readable(&box, 0));
    mailbox_send(&box, &a);
    assert_true(readable(&box, 0));
    assert_ptr_equal(mailbox_take(&box), &a);
    mailbox_release(&box);
}

struct counter {
    struct lock lock;
    unsigned value;
};

static void *
count_up(void *arg)
{
    struct counter *c = arg;

    for (int i = 0; i < 20000; i++) {
        lock_take(&c->lock);
        lock_assert_held(&c->lock);
        c->value++;
        lock_give(&c->lock);
    }
    return NULL;
}

static void
lock_keeps_others_out(void **state)
{
    struct counter c = {.value = 0};
    pthread_t other;

    lock_init(&c.lock);
    pthread_create(&other, NULL, count_up, &c);
    count_up(&c);
    pthread_join(other, NULL);
    assert_int_equal(c.value, 40000);
    lock_release(&c.lock);
}

static void
name_is_cut(void **state)
{
    char name[16];

    thread_name("a-name-of-more-than-fifteen");
    assert_int_equal(prctl(PR_GET_NAME, name), 0);
    assert_string_equal(name, "a-name-of-more-");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(wakes_once_per_filling),
        cmocka_unit_test(nothing_is_lost),
        cmocka_unit_test(last_letter_wakes),
        cmocka_unit_test(lock_keeps_others_out),
        cmocka_unit_test(name_is_cut),
    };

    return cmocka_run_group_tests_name("thread", tests, NULL, NULL);
}
