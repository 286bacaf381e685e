/*
 * err.h: an error of the world (I/O, a damaged file, a bad setting): a code
 * (an errno value, or one of ERR_ below) and one line for a person. No
 * allocation. Functions return 0 or -1 and take a struct err * last; it may
 * be NULL. `return err_set(err, errno, "sync %s", path);` is one line.
 */
#ifndef BASE_ERR_H
#define BASE_ERR_H

enum {
    ERR_DAMAGE = 10001,  /* stored data is not what was written: exit 7 */
    ERR_USAGE,           /* the caller's words are off: exit 2 */
    ERR_LIMIT,           /* a limit of limits.h was reached */
    ERR_FORMAT,          /* a version or feature that this build can't read */
    ERR_NOTFOUND,
};

struct err {
    int code;            /* 0: no error */
    char text[280];      /* one line, no newline */
};

/* Always -1. For a code below 10000 the text gets ": strerror" appended. */
int err_set(struct err *, int code, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* Puts "prefix: " before the text. Always -1. */
int err_prefix(struct err *, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

#endif
