/*
 * peer.h: a TCP connection with a deadline, for tools: whoever calls waits,
 * but never longer than it said, and is woken by a signal that sets *stop.
 * Ownership: the caller's struct; peer_close() may be called twice.
 * Thread: one at a time.
 */
#ifndef CLIENT_PEER_H
#define CLIENT_PEER_H

#include <signal.h>
#include <sys/uio.h>

#include "base/err.h"
#include "base/span.h"

struct peer {
    int fd;                              /* -1: closed */
    char name[128];                      /* "127.0.0.1:9092", for messages */
    int64_t deadline_ms;                 /* on peer_now_ms()'s clock */
    const volatile sig_atomic_t *stop;   /* or NULL; nonzero: waits end */
};

/* Milliseconds that only grow. */
int64_t peer_now_ms(void);
/* What follows may take so long, all together. */
void peer_within(struct peer *, int64_t timeout_ms);

/* Splits "host:port", "[::1]:port", "host" (then `port` stands). 0, or -1 and
 * ERR_USAGE. */
int peer_address(const char *text, const char *port, char *host,
    size_t host_size, char *service, size_t service_size, struct err *);
/* Connects to the first of a comma's list of addresses that answers. Errors
 * have an errno's code: ECONNREFUSED, ETIMEDOUT, EHOSTUNREACH, EINTR ... */
int peer_connect(struct peer *, const char *addresses, const char *port,
    struct err *);
void peer_close(struct peer *);

/* All of it. The iovecs are changed. */
int peer_send(struct peer *, struct iovec *, int count, struct err *);
/* Exactly n bytes; the end of the connection is ECONNRESET. *stop ends the
 * wait for the first one only, so that after EINTR nothing is half read. */
int peer_recv(struct peer *, void *, size_t n, struct err *);
/* At least one byte, at most n; *got 0: the peer closed. */
int peer_recv_some(struct peer *, void *, size_t n, size_t *got, struct err *);

#endif
