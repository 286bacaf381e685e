/*
 * chunk.h: bytes with a count of references: a request's frame that batches
 * in a partition's tail still point into, a block of cold log on its way out.
 * The count is atomic; the bytes are written before they are shared, except
 * for the fields of a batch header that the sequencer stamps.
 */
#ifndef BASE_CHUNK_H
#define BASE_CHUNK_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

struct chunk {
    atomic_int refs;
    size_t size;                 /* room in data */
    uint8_t data[];
};

struct chunk *chunk_new(size_t size);            /* one reference, aborts */
struct chunk *chunk_ref(struct chunk *);
void chunk_unref(struct chunk *);                /* NULL allowed */

#endif
