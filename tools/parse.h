/*
 * parse.h: words of the command line as numbers, durations, times.
 * Results: 0, or -1 and a line of code ERR_USAGE. Pure.
 */
#ifndef TOOLS_PARSE_H
#define TOOLS_PARSE_H

#include <stdint.h>

#include "base/err.h"

/* Decimal, the whole word. */
int parse_int(const char *text, int64_t min, int64_t max, int64_t *,
    struct err *);
/* 64, 64K, 1.5M, 2G (powers of 1024) into bytes. */
int parse_bytes(const char *text, int64_t *, struct err *);
/* 500ms, 5s, 2m, 1.5h, 7d; a bare number means seconds. Into ms. */
int parse_ms(const char *text, int64_t *, struct err *);
/* Into ms since 1970: a number of ms; 2026-11-01, 2026-11-01T10:00[:05[.123]]
 * with Z or +hh:mm, else UTC; -10m: that long before now_ms. */
int parse_time(const char *text, int64_t now_ms, int64_t *, struct err *);
/* "2026-11-01T10:00:05.123Z"; room for 32. */
char *format_time(int64_t ms, char *room);

#endif
