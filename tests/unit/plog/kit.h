/*
 * kit.h: what the tests of a plog share: a folder of their own, batches, a
 * world whose calls fail on demand.
 */
#ifndef TEST_PLOG_KIT_H
#define TEST_PLOG_KIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/world.h"
#include "plog/plog.h"

/* ------------------------------------------------------------- randomness */

struct dice {
    uint64_t state;
};

struct dice dice_seeded(void);   /* PENSTOCK_SEED or 1; printed */
uint64_t dice_roll(struct dice *, uint64_t sides);       /* 0 .. sides - 1 */

/* ---------------------------------------------------------------- folders */

char *kit_folder(void);                  /* new, empty; kit_folder_remove() */
void kit_folder_remove(char *);
/* The path of a segment's file, in a static buffer. */
const char *kit_path(const char *folder, const struct plog_segment *,
    const char *ending);
long kit_size(const char *path);         /* -1: missing */
int kit_files(const char *folder);       /* how many; -1: no folder */
void kit_flip(const char *path, long pos, uint8_t mask);
void kit_write(const char *path, long pos, const void *, size_t);

/* ---------------------------------------------------------------- batches */

struct kit_batch {
    struct plog_chunk chunk;     /* bytes: owned */
};

struct kit_spec {
    int64_t base;
    int records;
    size_t value_size;
    int64_t timestamp;           /* of the first record, then + step */
    int64_t step;
    uint16_t attributes;
    uint64_t epoch;
};

struct kit_batch kit_batch(const struct kit_spec *);
void kit_batch_free(struct kit_batch *);

/* A log in memory: all batches ever made, in order. */
struct model {
    struct kit_batch *batches;
    size_t count, cap;
    int64_t log_start;
};

void model_release(struct model *);
int64_t model_end(const struct model *);
struct plog_chunk *model_add(struct model *, const struct kit_spec *);
/* The batch that holds the offset. */
const struct plog_chunk *model_at(const struct model *, int64_t offset);
/* Appends batches [from, from + count) of the model. */
int model_append(const struct model *, struct plog *, size_t from,
    size_t count, struct err *);
/* count batches of one record each, 100 bytes of value, timestamps 1000, 1010,
 * ..., epochs 1, 2, ..., appended one by one. */
void model_simple(struct model *, struct plog *, int count);
/* Reads at the offset and compares byte by byte. */
void model_read_check(const struct model *, struct plog *, int64_t offset,
    size_t max_bytes);
void model_read_all(const struct model *, struct plog *);

void kit_segments_equal(const struct plog_segment *,
    const struct plog_segment *, size_t count);

/* ------------------------------------------------------------------ faults */

enum fault_op {
    FAULT_OPEN, FAULT_CLOSE, FAULT_PWRITEV, FAULT_PREAD, FAULT_FDATASYNC,
    FAULT_FSYNC, FAULT_FTRUNCATE, FAULT_MKDIR, FAULT_UNLINK,
    FAULT_OPS
};

struct fault_world {
    struct world world;
    unsigned calls[FAULT_OPS + 1];/* since fault_clear() */
    enum fault_op op;
    unsigned at;                 /* 1: the next call; 0: none */
    int code;                    /* errno; 0: a short read */
    bool partial;                /* a failing write writes a part */
    unsigned fired;
    unsigned open_now;
};

void fault_init(struct fault_world *);
void fault_clear(struct fault_world *);
void fault_set(struct fault_world *, enum fault_op, unsigned at, int code);

#endif
