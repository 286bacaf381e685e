/*
 * csv.h: comma-separated values (RFC 4180), as JSON objects: the first line
 * names the columns. Quotes, doubled quotes and newlines in quotes are read;
 * a byte order mark is passed over; values stay text.
 * Ownership: rows live until the next call. Thread: one at a time.
 */
#ifndef TOOLS_CSV_H
#define TOOLS_CSV_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "lines.h"

enum { CSV_COLUMNS_MAX = 512 };

struct csv {
    struct lines lines;          /* private from here on */
    char *names[CSV_COLUMNS_MAX];
    struct span cells[CSV_COLUMNS_MAX];
    size_t columns;
    struct arena names_arena, row;
};

/* Reads the first line. */
int csv_init(struct csv *, int fd, struct err *);
void csv_release(struct csv *);
/* The column of that name, or -1. */
int csv_column(const struct csv *, const char *name);
/* 1: the next row: csv->cells; 0: the end; -1. */
int csv_next(struct csv *, struct err *);
/* The row as an object. */
void csv_json(const struct csv *, struct buf *out);

#endif
