/*
 * cut.h: what a power cut can leave of a trace. At a cut, all that a sync
 * has covered is on the disk; of the rest, which is pending, anything may
 * be: the kernel writes pages and names when and in what order it likes.
 *
 * Three promises are believed: a sync that returned is kept; a sector of 512
 * bytes of LMDB's two meta pages is written whole or not at all (LMDB is
 * built on that); a name is entered, removed or changed whole. To write the
 * bytes that are there already may ruin them like any other write.
 */
#ifndef CRASH_CUT_H
#define CRASH_CUT_H

#include "rng.h"
#include "trace.h"

/* The disk as the trace goes on. */
struct disk {
    const struct trace *trace;
    struct image durable;
    uint32_t *pending;           /* numbers of operations, ascending */
    uint32_t n, cap;
    uint32_t at;                 /* operations gone by */
    uint64_t seed;               /* of what a failed sync drops */
    /* What a recovery must find, and may find instead; 0: nothing else. */
    uint32_t must, maybe;
};

void disk_init(struct disk *, const struct trace *, uint64_t seed,
    uint32_t must);
void disk_release(struct disk *);
void disk_step(struct disk *);           /* the next operation */

#define CUT_KINDS(X)                                                           \
    X(NONE, "none of the pending")                                             \
    X(ALL, "all")                                                              \
    X(PREFIX, "a prefix")                                                      \
    X(OMIT, "all but one")                                                     \
    X(ONLY, "only one")                                                        \
    X(SUBSET, "a random subset")                                               \
    X(FILES, "a prefix for each file")                                         \
    X(TORN, "the last one torn")                                               \
    X(TORN_MANY, "sectors of each at random")                                  \
    X(GARBAGE, "a sector with garbage")                                        \
    X(ZEROS, "grown, but zeros")                                               \
    X(SHORT, "data, but not grown")                                            \
    X(NAMELESS, "data, no names")                                              \
    X(NAMES, "names, no data")

enum cut_kind {
#define X(name, text) CUT_##name,
    CUT_KINDS(X)
#undef X
    CUT_KIND_COUNT
};

extern const char *const cut_kind_text[CUT_KIND_COUNT];

/* Makes one such state of the folder. false: this kind makes none here that
 * another kind does not make as well. */
bool cut_make(const struct disk *, enum cut_kind, struct rng *,
    struct image *out);

#endif
