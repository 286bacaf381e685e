/*
 * metafile.h: LMDB's data file, looked at before LMDB maps it: a file that
 * was cut short would end the process with SIGBUS. Writes nothing.
 */
#ifndef EPOCH_METAFILE_H
#define EPOCH_METAFILE_H

#include "base/err.h"
#include "base/world.h"

/* 0, or -1: ERR_DAMAGE with what to do, or I/O. Nobody may have it open for
 * writing. */
int metafile_check(struct world *, const char *path, struct err *);

#endif
