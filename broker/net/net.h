/*
 * net.h: sockets and frames, on libevent's loop. A frame is an int32 size
 * and that many bytes; what is in it is not our business. Answers leave in
 * the order of the slots that were taken for them, each once it is filled.
 *
 *     frame arrives ─► ops->frame(session, chunk, len)
 *                        conn_slot()            its place in the order
 *                        slot_send(), later     bytes, by copy or reference
 *
 * Ownership: the net owns connections; a session is its owner's, from
 * opened() to closed(). Thread: the loop's, all of it.
 */
#ifndef NET_NET_H
#define NET_NET_H

#include <sys/socket.h>

#include "base/chunk.h"
#include "base/err.h"
#include "base/span.h"

struct event_base;
struct net;
struct conn;
struct slot;

struct net_ops {
    /* The session, passed to the others; NULL refuses the connection. */
    void *(*opened)(void *arg, struct conn *);
    /* A frame of len bytes in the chunk, whose reference is the callee's.
     * false: what came makes no sense, close. */
    bool (*frame)(void *session, struct chunk *frame, size_t len);
    /* Slots of the connection are gone: they must not be touched again. */
    void (*closed)(void *session);
};

struct net_limits {              /* 0: limits.h's */
    uint32_t connections;
    uint32_t per_address;        /* 0: loopback is exempt */
    uint64_t frame_bytes;
    uint64_t in_flight_bytes;    /* frames being received, in all */
    int64_t greet_ms;            /* from accept to the first whole frame */
    int64_t frame_ms;            /* to receive one frame, once begun */
    int64_t stuck_ms;            /* with answers of which no byte is taken */
    int64_t ended_ms;            /* for answers after the peer's end */
    int64_t idle_ms;             /* without anything under way */
    int64_t sweep_ms;            /* how often all that is looked at */
};

struct net *net_new(struct event_base *, const struct net_ops *, void *arg,
    const struct net_limits *);
/* Closes all connections and listeners. */
void net_free(struct net *);

/* "HOST:PORT", port 0: any. `public_ok`: an address beyond loopback is
 * allowed. *port is what it got. */
int net_listen(struct net *, const char *where, bool public_ok,
    uint16_t *port, struct err *);
/* The listening socket alone, not blocking, by the same rule: for a front
 * that stands beside this one. *loopback: nobody else can reach it. */
int net_socket(const char *where, bool public_ok, int *fd, uint16_t *port,
    bool *loopback, struct err *);
void net_stop_accepting(struct net *);
/* At the end of a turn: writes what slots were filled with. */
void net_flush(struct net *);
/* Connections that stopped reading for want of room read on. */
bool net_room(struct net *);

/* ---- connections ---- */

/* Reads no more frames until conn_resume(). Counted. */
void conn_pause(struct conn *);
void conn_resume(struct conn *);
/* Pauses until net_room(); the frame at hand was not taken: it is given
 * again. Only from within ops->frame, which then returns true. */
void conn_starve(struct conn *, struct chunk *frame, size_t len);
void conn_close(struct conn *);          /* closed() follows, not at once */
const char *conn_peer(const struct conn *);      /* "127.0.0.1:41234" */
const char *conn_local_host(const struct conn *);
uint16_t conn_local_port(const struct conn *);
uint64_t conn_id(const struct conn *);

/* ---- answers ---- */

/* The next place in the order. */
struct slot *conn_slot(struct conn *);
/* A request that wants no answer gives its slot back. */
void slot_skip(struct slot *);
/* As if it had never been taken; it must be the newest. For conn_starve(). */
void slot_withdraw(struct slot *);
/* Bytes of an answer, in order: a copy, or a reference that is kept until
 * they are sent (`done` then is called; NULL: nothing to do). */
void slot_copy(struct slot *, struct span);
void slot_refer(struct slot *, struct span,
    void (*done)(const void *data, size_t len, void *arg), void *arg);
/* Complete: it may leave when those before it have. The slot is gone. */
void slot_send(struct slot *);

#define NET_COUNTERS(X)                                                        \
    X(accepted, "connections accepted")                                        \
    X(refused, "connections refused for a limit")                              \
    X(frames, "frames received")                                               \
    X(bytes_in, "bytes received")                                              \
    X(bytes_out, "bytes sent")                                                 \
    X(starved, "times a connection waited for room")                           \
    X(bad_frames, "frames of an impossible size")                              \
    X(late, "connections closed for being idle or slow")                       \
    X(crowded, "times a frame waited for others to be received")

struct net_counters {
#define X(name, help) uint64_t name;
    NET_COUNTERS(X)
#undef X
    uint64_t connections;        /* open now */
};

const struct net_counters *net_counters(const struct net *);

#endif
