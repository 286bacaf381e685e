/*
 * gunzip.h: a file, compressed or not, as a descriptor of what is in it: a
 * thread decompresses into a pipe, so that it is read as any file is.
 * Ownership: the caller's until gunzip_close(). Thread: one at a time.
 */
#ifndef RETAIL_GUNZIP_H
#define RETAIL_GUNZIP_H

#include "base/err.h"

struct gunzip;

/* NULL and *err. */
struct gunzip *gunzip_open(const char *path, struct err *);
int gunzip_fd(const struct gunzip *);
/* At the end of what was read: did it end as it should? 0, or -1. */
int gunzip_close(struct gunzip *, struct err *);         /* NULL allowed */

#endif
