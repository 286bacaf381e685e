/*
 * thread.h: locks that know their owner, and a mailbox: a queue with one
 * receiver, woken by an eventfd that its event loop can watch.
 */
#ifndef BASE_THREAD_H
#define BASE_THREAD_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct lock {
    pthread_mutex_t mutex;
    pthread_t owner;                     /* private */
    atomic_bool held;                    /* private */
};

void lock_init(struct lock *);
void lock_release(struct lock *);        /* of its resources, not unlock */
void lock_take(struct lock *);
void lock_give(struct lock *);
void lock_assert_held(struct lock *);    /* by the calling thread */

/* What is sent embeds one of these. Ownership moves with the message. */
struct mail {
    struct mail *next;
};

struct mailbox {
    _Atomic(struct mail *) head;         /* newest first, taken at once */
    int fd;                              /* eventfd, readable when not empty */
    atomic_bool signalled;
};

int mailbox_init(struct mailbox *);      /* 0 or -1, errno */
void mailbox_release(struct mailbox *);
/* From any thread. Wakes the receiver only if the box was empty. */
void mailbox_send(struct mailbox *, struct mail *);
/* All mail in the order sent, linked by next, or NULL. Receiver only. Clears
 * the eventfd. */
struct mail *mailbox_take(struct mailbox *);

void thread_name(const char *name);      /* of the calling thread, 15 chars */

#endif
