/*
 * The mailbox is a stack that the receiver takes whole and turns around.
 * The order of the steps is what makes sure that no mail is left lying:
 *
 *  send:  1. push onto head   2. if signalled was false, set it and write fd
 *  take:  1. read fd          2. signalled = false       3. take head
 *
 *  a. Mail pushed before take's step 3 is taken by it; its signal, if it
 *     comes later, wakes the receiver once for nothing.
 *  b. Mail pushed after take's step 3 finds signalled false, for step 2 came
 *     before, or finds it set by a send that writes fd after take's step 1:
 *     the receiver wakes.
 *  c. Were signalled cleared before the fd is read, a send in between could
 *     set it and lose its write to that read: nobody would write again.
 */
#include "config.h"
#include "base/thread.h"

#include <errno.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/check.h"

void
lock_init(struct lock *l)
{
    must(pthread_mutex_init(&l->mutex, NULL));
    atomic_init(&l->held, false);
}

void
lock_release(struct lock *l)
{
    assert(!atomic_load(&l->held));
    must(pthread_mutex_destroy(&l->mutex));
}

void
lock_take(struct lock *l)
{
    must(pthread_mutex_lock(&l->mutex));
    l->owner = pthread_self();
    atomic_store_explicit(&l->held, true, memory_order_relaxed);
}

void
lock_give(struct lock *l)
{
    lock_assert_held(l);
    atomic_store_explicit(&l->held, false, memory_order_relaxed);
    must(pthread_mutex_unlock(&l->mutex));
}

void
lock_assert_held(struct lock *l)
{
    assert(atomic_load_explicit(&l->held, memory_order_relaxed));
    assert(pthread_equal(l->owner, pthread_self()));
}

int
mailbox_init(struct mailbox *b)
{
    atomic_init(&b->head, NULL);
    atomic_init(&b->signalled, false);
    b->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    return b->fd < 0 ? -1 : 0;
}

void
mailbox_release(struct mailbox *b)
{
    assert(atomic_load(&b->head) == NULL);
    if (b->fd >= 0)
        close(b->fd);
    b->fd = -1;
}

void
mailbox_send(struct mailbox *b, struct mail *m)
{
    const uint64_t one = 1;
    struct mail *head = atomic_load_explicit(&b->head, memory_order_relaxed);
    ssize_t n;

    do
        m->next = head;
    while (!atomic_compare_exchange_weak(&b->head, &head, m));
    if (atomic_exchange(&b->signalled, true))
        return;
    do
        n = write(b->fd, &one, sizeof one);
    while (n < 0 && errno == EINTR);
    assert(n == sizeof one);
}

struct mail *
mailbox_take(struct mailbox *b)
{
    struct mail *m, *first = NULL;
    uint64_t count;
    ssize_t n;

    do
        n = read(b->fd, &count, sizeof count);
    while (n < 0 && errno == EINTR);
    assert(n == sizeof count || errno == EAGAIN);
    atomic_store(&b->signalled, false);
    m = atomic_exchange(&b->head, NULL);
    while (m != NULL) {
        struct mail *next = m->next;

        m->next = first;
        first = m;
        m = next;
    }
    return first;
}

void
thread_name(const char *name)
{
    char text[16];

    snprintf(text, sizeof text, "%s", name);
    must(pthread_setname_np(pthread_self(), text));
}
