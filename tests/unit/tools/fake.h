/*
 * fake.h: a broker for tests of the client: one connection at a time, a
 * thread, answers made by a function of the test.
 */
#ifndef TESTS_TOOLS_FAKE_H
#define TESTS_TOOLS_FAKE_H

#include "base/arena.h"
#include "wire/wire.h"

struct fake;

/* Fills in the answer, which has its defaults. The arena lives until it is
 * sent. */
typedef void (*fake_fn)(struct fake *, enum api_key, int version,
    const void *request, void *response, struct arena *);

enum fake_trick {
    FAKE_HONEST,
    FAKE_WRONG_CORRELATION,      /* in all but ApiVersions */
    FAKE_HUGE_FRAME,
    FAKE_CUT_FRAME,              /* then it closes */
    FAKE_GARBAGE,                /* a body of 0xff */
};

struct fake {
    char address[32];            /* "127.0.0.1:40123" */
    fake_fn answer;
    int version_max[128];        /* announced; 0 for a key: the table's */
    bool old_api_versions;       /* knows version 0 of it only */
    _Atomic(enum fake_trick) trick;
    int seen[128];               /* requests by key */
    int last_version[128];
    void *arg;

    int listening, connected;    /* private from here on */
    void *thread;
};

void fake_start(struct fake *);
void fake_stop(struct fake *);

#endif
