/*
 * check.h: assertions. They are for errors of the programmer only, never for
 * input, the disk or the network, and they are always compiled in.
 */
#ifndef BASE_CHECK_H
#define BASE_CHECK_H

#ifdef NDEBUG
#error "assertions guard what reaches the disk: build without NDEBUG"
#endif

#include <assert.h>
#include <stddef.h>

/* Objects that travel through a void * carry a magic, checked on arrival. */
#define check_obj(p, m) assert((p) != NULL && (p)->magic == (m))

/* For pthread calls, which fail only by misuse. */
#define must(call)                                                             \
    do {                                                                       \
        int must_rc = (call);                                                  \
        assert(must_rc == 0);                                                  \
        (void)must_rc;                                                         \
    } while (0)

#define unreachable(why) assert(!"unreachable: " why)

#define container_of(p, type, member)                                          \
    ((type *)(void *)((char *)(p) - offsetof(type, member)))

#define countof(a) (sizeof(a) / sizeof((a)[0]))

#endif
