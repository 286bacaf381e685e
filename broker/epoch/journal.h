/*
 * journal.h: a ring of preallocated files that frames are appended to. See
 * the essay in journal.c. Ownership: a journal is the loop's; only
 * journal_write() may run on another thread, one at a time, and
 * journal_make_file() is the keeper's.
 */
#ifndef EPOCH_JOURNAL_H
#define EPOCH_JOURNAL_H

#include "base/err.h"
#include "base/world.h"
#include "epoch/frame.h"

struct journal;

enum durability { DURABILITY_POWER, DURABILITY_PROCESS, DURABILITY_MEMORY };

struct journal_options {
    enum durability durability;
    uint64_t file_bytes;         /* of each file that is made first */
    unsigned files;              /* how many are made first, at least 1 */
    uint64_t bytes_max;          /* of all, grown under load */
    bool readonly;               /* for journal_walk() only */
    bool fresh;                  /* just made, and synced */
    bool unflushed;              /* the last process did not flush frames */
};

/* What the checkpoint records of a file. */
struct journal_part {
    uint32_t number;
    uint64_t size;
};

/* Where the frame after the checkpoint begins, if it fits there. */
struct journal_cursor {
    uint32_t file;
    uint64_t pos;
    uint64_t epoch;              /* P */
    uint64_t incarnation;
    uint32_t check;              /* of the frame of P */
};

/* Where one frame goes. */
struct journal_file;

struct journal_slot {
    uint32_t file;
    uint64_t pos, size;          /* size: padded */
    struct journal_file *to;     /* that file, for who writes: the list of
                                    them may grow meanwhile */
};

/* Makes the files in `dir`, which exists and is empty of them: 0, 1, ... */
int journal_create(struct world *, const char *dir,
    const struct journal_options *, struct err *);
int journal_open(struct journal **, struct world *, const char *dir,
    const struct journal_options *, struct err *);
void journal_close(struct journal *);            /* NULL allowed */

/* The files that the checkpoint lists; before recovery. ERR_DAMAGE: one is
 * missing or cut short. None listed: a folder from before there were lists. */
int journal_expect(struct journal *, const struct journal_part *, size_t n,
    struct err *);
/* Removes the files that are not listed, after recovery has found nothing in
 * them. */
void journal_drop_strays(struct journal *);
size_t journal_files(const struct journal *);    /* their number */
struct journal_part journal_file_part(const struct journal *, size_t i);
/* The frame of that epoch and check was made sure of by a recovery; before
 * the next one. */
void journal_trust(struct journal *, uint64_t epoch, uint32_t check);
/* An incarnation whose frames are ours; before recovery. */
void journal_know(struct journal *, uint64_t incarnation);
/* Reads the frames after `from`, in order, proven, each to fn (nonzero ends
 * with that result), then readies the journal to append. `torn_ok`: a gap
 * is no damage, since nothing was flushed (durability=process after another
 * boot). The result is 0 or -1: damage, an unknown version, I/O. */
typedef int journal_frame_fn(void *arg, const struct frame_header *,
    struct span frame, struct err *);
int journal_recover(struct journal *, const struct journal_cursor *from,
    bool torn_ok, journal_frame_fn *, void *arg, struct err *);
/* As above but reads only, for `check`, `dump` and `salvage`. */
int journal_walk(struct journal *, const struct journal_cursor *from,
    journal_frame_fn *, void *arg, struct err *);
/* Where the frame stands that a walk has just given to fn, or where the walk
 * came to its end: the file's number and the byte in it. */
void journal_walked(const struct journal *, uint32_t *file, uint64_t *pos);

/* Begins a new incarnation: epoch numbers go on past all that were seen. */
uint64_t journal_begin(struct journal *, uint64_t incarnation);

/* The longest frame that can be appended now. */
uint64_t journal_room(const struct journal *);
/* Once all that is not being written to is recycled. */
uint64_t journal_room_recycled(const struct journal *);
/* The longest that leaves room for a copy of itself, what entry goes by: now,
 * or if all but the current file were recycled. */
uint64_t journal_room_twice(const struct journal *, bool recycled);
/* Takes the place for a frame of `length` bytes; it must fit journal_room().
 * Fills in h->incarnation and h->before; the caller seals and pads it. */
struct journal_slot journal_take(struct journal *, uint32_t length,
    struct frame_header *h);
/* The frame sealed with this check and epoch is the newest. */
void journal_took(struct journal *, const struct journal_slot *,
    uint64_t epoch, uint32_t check);
/* Writes and, by the durability, flushes. `frame` is aligned to a block and
 * slot->size bytes long. 0 or -1; after -1 the process must end. */
int journal_write(struct journal *, const struct journal_slot *,
    const void *frame, struct err *);

/* Files whose frames are all at or below `epoch` are free again. */
void journal_recycle(struct journal *, uint64_t epoch);
struct journal_cursor journal_cursor(const struct journal *);

uint64_t journal_bytes(const struct journal *);          /* of all files */
uint64_t journal_used(const struct journal *);   /* of frames not recycled */

/* Growth: the keeper makes and zeroes a file (slow), the loop takes it in. */
struct journal_file *journal_make_file(struct world *, const char *dir,
    enum durability, uint32_t number, uint64_t bytes, struct err *);
void journal_add_file(struct journal *, struct journal_file *);
/* It is not wanted after all: it goes, with its name. */
void journal_unmake_file(struct world *, const char *dir,
    struct journal_file *);
const char *journal_dir(const struct journal *);

#endif
