/* work_priv.h: what work.c and effects.c share. */
#ifndef CRASH_WORK_PRIV_H
#define CRASH_WORK_PRIV_H

#include "work.h"

/* After a start: what a replay brought is put once more, since the frames
 * that hold it go with the next checkpoint. Quiet, so nothing else moves. */
void work_put_replayed(struct work *);
/* Somebody was told that what is in the version is kept. */
void work_published(struct work *, uint32_t version);

#endif
