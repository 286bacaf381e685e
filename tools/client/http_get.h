/*
 * http_get.h: one HTTP/1.1 request, one answer, then the connection closes
 * (RFC 9112). For penstock's own front: no redirects, no TLS, no cookies.
 * Ownership: the answer is the arena's. Thread: any.
 */
#ifndef CLIENT_HTTP_GET_H
#define CLIENT_HTTP_GET_H

#include <signal.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"

enum { HTTP_ANSWER_MAX = 64 << 20 };

struct http_answer {
    int status;                  /* 200 ... */
    struct span body;            /* NUL after it */
};

/* method "GET" or "POST" (with an empty body); base "http://127.0.0.1:8080",
 * path "/v1/streams?limit=3". Errors as peer_connect()'s, or ERR_FORMAT. An
 * answer of any status is no error. */
int http_ask(const char *method, const char *base, const char *path,
    int timeout_ms, const volatile sig_atomic_t *stop, struct arena *,
    struct http_answer *, struct err *);

/* Appends text as one part of a path or a query (RFC 3986). */
void http_escape(struct buf *, const char *text);

/* What the bytes of an answer mean; for tests. */
int http_parse(struct span bytes, struct arena *, struct http_answer *,
    struct err *);

#endif
