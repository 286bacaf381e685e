/*
 * sheet.h: rows and columns on stdout in any of the output formats. A command
 * fills in cells and does not ask for the format.
 *
 *     table   headers in capitals, aligned; numbers to the right; - for null
 *     json    an array of objects, a key for each column
 *     ndjson  an object a line, written as soon as its row is full
 *     tsv     no header; tab, newline, backslash escaped; empty for null
 *     raw     the first column only, a line each
 *
 * Ownership: cells are copied. Thread: any, one at a time.
 */
#ifndef TOOLS_SHEET_H
#define TOOLS_SHEET_H

#include <stdio.h>

#include "base/buf.h"
#include "cli.h"

struct sheet_cell;

struct sheet {                   /* private */
    FILE *to;
    enum output output;
    bool color;
    const char *const *columns;
    size_t column_count;
    struct buf text;             /* the bytes of the cells */
    struct sheet_cell *cells;
    size_t count, room;
    bool began;                  /* json: something was written */
};

/* columns: names as in JSON, snake case, ended by NULL; they live on. */
void sheet_init(struct sheet *, FILE *, enum output, bool color,
    const char *const *columns);
/* Cells from left to right; the last of a row ends it. */
void sheet_span(struct sheet *, struct span);    /* null span: null */
void sheet_cstr(struct sheet *, const char *);
void sheet_int(struct sheet *, int64_t);
void sheet_null(struct sheet *);
/* Text that is JSON: as such in JSON, as text elsewhere. A number stands to
 * the right. */
void sheet_json(struct sheet *, struct span, bool number);
/* Writes what is left, and releases it. */
void sheet_end(struct sheet *);

/* Bytes with control characters and what is not UTF-8 escaped as \n, \x1b. */
void sheet_escape(struct buf *, struct span);

#endif
