/*
 * journal_priv.h: what journal.c and journal_read.c share.
 */
#ifndef EPOCH_JOURNAL_PRIV_H
#define EPOCH_JOURNAL_PRIV_H

#include "base/limits.h"
#include "epoch/journal.h"

enum {
    JOURNAL_MAGIC = 0x1095a11e,
    JOURNAL_INCARNATIONS_MAX = 8192,     /* read in one recovery */
};

struct journal_file {
    uint32_t number;
    int fd;
    bool dsync;                  /* a write is a flush */
    bool listed;                 /* the checkpoint knows it */
    uint64_t size;
    uint64_t newest;             /* epoch of its newest frame; 0: free */
    uint64_t used;               /* bytes of frames in it */
    uint64_t again;              /* reading: copies of that epoch were sought */
};

struct journal {
    uint32_t magic;
    struct world *world;
    char *dir;
    struct journal_options opts;
    struct journal_file **files;
    size_t count;
    size_t current;              /* index into files */
    uint64_t pos;                /* of the next frame in it */
    uint64_t epoch;              /* newest appended */
    uint64_t highest;            /* number ever seen */
    uint64_t incarnation;
    uint64_t last_incarnation;   /* of the newest frame */
    uint32_t check;              /* of the newest frame */
    uint64_t known[JOURNAL_INCARNATIONS_MAX];
    size_t known_count;
    uint64_t trusted_epoch;      /* journal_trust() */
    uint32_t trusted_check;
    bool ready;
    uint32_t walked_file;        /* its number */
    uint64_t walked_pos;
};

static inline uint64_t
journal_pad(uint64_t length)
{
    return (length + JOURNAL_BLOCK - 1) / JOURNAL_BLOCK * JOURNAL_BLOCK;
}

/* The next file in the ring that is free and holds so many bytes; SIZE_MAX:
 * none. */
size_t journal_free_file(const struct journal *, uint64_t size);

#endif
