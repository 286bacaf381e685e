/*
 * diag.h: the diagnostic log, one line each on stderr: logfmt for people,
 * JSON by choice. Message: what happened, then why, then what we do; after it
 * key=value pairs. Levels and areas are checked before arguments are
 * evaluated. Thread-safe. Lines are cut at 1,000 bytes, control characters
 * of peers escaped, repeats of one call site limited to 10 a second.
 */
#ifndef BASE_DIAG_H
#define BASE_DIAG_H

#include <stdbool.h>

enum diag_level { DIAG_ERROR, DIAG_WARN, DIAG_INFO, DIAG_DEBUG };

#define DIAG_AREAS(X)                                                          \
    X(NET, "net") X(WIRE, "wire") X(LOG, "log") X(EPOCH, "epoch")              \
    X(META, "meta") X(GROUP, "group") X(TXN, "txn") X(TASK, "task")            \
    X(HTTP, "http") X(MAIN, "main")

enum diag_area {
#define X(name, text) DIAG_##name,
    DIAG_AREAS(X)
#undef X
    DIAG_AREA_COUNT
};

extern enum diag_level diag_levels[DIAG_AREA_COUNT];     /* INFO at first */

/* "info" or "warn,net=debug,..."; -1 on a word that it does not know. */
int diag_configure(const char *spec, bool json);

#define diag(level, area, ...)                                                 \
    do {                                                                       \
        if (DIAG_##level <= diag_levels[DIAG_##area])                          \
            diag_write(DIAG_##level, DIAG_##area, __FILE__, __LINE__,          \
                __VA_ARGS__);                                                  \
    } while (0)

void diag_write(enum diag_level, enum diag_area, const char *file, int line,
    const char *fmt, ...) __attribute__((format(printf, 5, 6)));

#endif
