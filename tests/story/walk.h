/*
 * walk.h: valid requests made from the tables of broker/wire, with the place
 * of every number in them that says how much is to come: lengths, counts, the
 * sizes and counts of tagged fields, and those inside of a record batch. So a
 * test can make each of them a lie, and knows none of the APIs.
 */
#ifndef STORY_WALK_H
#define STORY_WALK_H

#include "base/buf.h"
#include "wire/wire.h"

enum { WALK_MARKS = 256 };

struct mark {
    size_t pos;                  /* in the frame, behind its size */
    uint8_t width;               /* 1 (zigzag), 2, 4; 0: an unsigned varint */
    bool compact;                /* says the number plus one */
    bool many;                   /* the count of an array, or of tags */
    size_t batch, batch_end;     /* it stands in a batch: its CRC must hold */
    const char *name;            /* the field's */
};

struct walk {
    const struct wire_api *api;
    int version;
    struct buf frame;            /* header and body, without the size */
    struct mark marks[WALK_MARKS];
    unsigned count;
    /* private */
    unsigned stuffed;            /* this mark is filled up ... */
    size_t stuffing;             /* ... with so many bytes */
    bool flexible;
};

void walk_init(struct walk *, size_t bytes_max);
void walk_release(struct walk *);
/* A request with everything in it: arrays of two, no null, every tag. */
void walk_make(struct walk *, const struct wire_api *, int version);
/* The same with the least elements that there are, some `bytes` of them, in
 * the array (or the tags) of this mark. */
void walk_stuff(struct walk *, const struct wire_api *, int version,
    unsigned mark, size_t bytes);
/* The frame with another number at that mark. Appended to `out`. */
void walk_lie(const struct walk *, const struct mark *, int64_t number,
    struct buf *out);

#endif
