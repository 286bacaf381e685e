/*
 * survey.h: every frame that stands anywhere in the journal's files and
 * proves itself, whether it is due or stale, with its place. What recovery
 * reads is one chain of them, from the checkpoint on.
 *
 * Ownership: a survey keeps places, no bytes; survey_read() reads them.
 * Thread: one at a time. Writes nothing.
 */
#ifndef OFFLINE_SURVEY_H
#define OFFLINE_SURVEY_H

#include "base/buf.h"
#include "epoch/journal.h"

struct survey_frame {
    uint32_t file;               /* its number */
    uint64_t pos;
    struct frame_header h;
    bool whole;                  /* the payload proves itself, too */
};

struct survey {
    struct world *world;
    char *dir;
    struct survey_frame *frames; /* by epoch */
    size_t count, cap;
    unsigned files;
};

/* dir: the journal's. A missing folder or one without files is an error. */
int survey_open(struct survey *, struct world *, const char *dir,
    struct err *);
void survey_release(struct survey *);
/* The bytes of a frame, without the padding, into `out`, cleared first. */
int survey_read(const struct survey *, const struct survey_frame *,
    struct buf *out, struct err *);
/* Which frame directly follows the one with that check and epoch: its index;
 * SIZE_MAX: none that is whole. */
size_t survey_next(const struct survey *, uint64_t epoch, uint32_t check);
/* The place of a frame for people: "journal/00000001.journal". */
const char *survey_file(const struct survey_frame *, char out[40]);

#endif
