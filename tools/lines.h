/*
 * lines.h: standard input (or any descriptor) line by line, with a question
 * that stdio cannot answer: would the next line make us wait?
 * Ownership: a line lives until the next call. Thread: one at a time.
 */
#ifndef TOOLS_LINES_H
#define TOOLS_LINES_H

#include "base/buf.h"
#include "base/err.h"

enum { LINE_MAX_BYTES = 64 << 20 };

struct lines {
    int fd;
    struct buf in;
    size_t pos;                  /* of what has not been given out */
    bool ended;
    uint64_t number;             /* of the last line, from 1 */
};

void lines_init(struct lines *, int fd);
void lines_release(struct lines *);
/* 1: a line, without its newline; 0: the end; -1. */
int lines_next(struct lines *, struct span *, struct err *);
/* Is there something to read, or the end, without waiting? */
bool lines_ready(struct lines *);

#endif
