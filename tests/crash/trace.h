/*
 * trace.h: what a process asked of its data folder, in order, and what it
 * promised in between: a list of operations that can be carried out again,
 * all or some of them, on an image.
 *
 * Ownership: the trace owns the bytes of its writes.
 */
#ifndef CRASH_TRACE_H
#define CRASH_TRACE_H

#include "image.h"

enum op_kind {
    OP_WRITE,                    /* inode, pos, len, bytes */
    OP_RESIZE,                   /* inode, pos: the new size */
    OP_CREATE,                   /* dir, name, inode */
    OP_MKDIR,                    /* dir, name, inode */
    OP_UNLINK,                   /* dir, name, inode */
    OP_RMDIR,                    /* dir, name, inode */
    OP_RENAME,                   /* dir, name, to, inode, replaced */
    OP_SYNC,                     /* inode: all of it so far, or a folder's names */
    OP_SYNC_ONE,                 /* inode, target: that write alone */
    OP_SYNC_FAILED,              /* inode: the kernel dropped what was dirty */
    OP_CUT,                      /* version: its frame is about to be written */
    OP_ACK,                      /* version: somebody was told of it */
    OP_OPENED,                   /* version: a process found that and serves */
};

struct op {
    enum op_kind kind;
    int inode, dir;
    char name[NAME_SIZE], to[NAME_SIZE];
    uint64_t pos;
    uint32_t len;
    uint8_t *bytes;
    uint32_t target, version;
};

struct trace {
    struct image start;          /* what is on the disk when it begins */
    struct op *ops;
    uint32_t count, cap;
};

void trace_init(struct trace *, const struct image *start);
void trace_release(struct trace *);
/* Adds a copy; the bytes are copied, too. Returns its number. */
uint32_t trace_add(struct trace *, const struct op *);
void trace_event(struct trace *, enum op_kind, uint32_t version);

/* Carries out the operation, whole. Syncs and events do nothing. */
void op_apply(const struct op *, struct image *);
/* The inode that must be synced to make the operation last: that of a write,
 * the folder of a name. NO_INODE: it leaves nothing behind. */
int op_object(const struct op *);
/* One line for a person. */
void op_print(const struct op *, char *out, size_t size);

#endif
