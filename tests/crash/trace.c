/* trace.c: what a process asked of its data folder, in order. */
#include "config.h"

#include "trace.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/check.h"

void
trace_init(struct trace *t, const struct image *start)
{
    memset(t, 0, sizeof *t);
    image_copy(&t->start, start);
}

void
trace_release(struct trace *t)
{
    for (uint32_t i = 0; i < t->count; i++)
        free(t->ops[i].bytes);
    free(t->ops);
    image_release(&t->start);
    memset(t, 0, sizeof *t);
}

uint32_t
trace_add(struct trace *t, const struct op *op)
{
    struct op *to;

    if (t->count == t->cap) {
        t->cap = t->cap == 0 ? 256 : t->cap * 2;
        t->ops = xrealloc(t->ops, t->cap * sizeof *t->ops);
    }
    to = &t->ops[t->count];
    *to = *op;
    if (op->len > 0)
        to->bytes = xmemdup(op->bytes, op->len);
    return t->count++;
}

void
trace_event(struct trace *t, enum op_kind kind, uint32_t version)
{
    struct op op = {.kind = kind, .inode = NO_INODE, .dir = NO_INODE,
        .version = version};

    if (t != NULL)
        trace_add(t, &op);
}

void
op_apply(const struct op *op, struct image *im)
{
    switch (op->kind) {
    case OP_WRITE:
        image_write(im, op->inode, op->pos, op->bytes, op->len);
        break;
    case OP_RESIZE:
        image_resize(im, op->inode, op->pos);
        break;
    case OP_CREATE:
    case OP_MKDIR:
        image_inode(im, op->inode, op->kind == OP_MKDIR);
        image_enter(im, op->dir, op->name, op->inode);
        break;
    case OP_UNLINK:
    case OP_RMDIR:
        image_leave(im, op->dir, op->name, op->inode);
        break;
    case OP_RENAME:
        image_inode(im, op->inode, false);
        image_leave(im, op->dir, op->name, op->inode);
        image_enter(im, op->dir, op->to, op->inode);
        break;
    case OP_SYNC:
    case OP_SYNC_ONE:
    case OP_SYNC_FAILED:
    case OP_CUT:
    case OP_ACK:
    case OP_OPENED:
        break;
    }
}

int
op_object(const struct op *op)
{
    switch (op->kind) {
    case OP_WRITE:
    case OP_RESIZE:
        return op->inode;
    case OP_CREATE:
    case OP_MKDIR:
    case OP_UNLINK:
    case OP_RMDIR:
    case OP_RENAME:
        return op->dir;
    case OP_SYNC:
    case OP_SYNC_ONE:
    case OP_SYNC_FAILED:
    case OP_CUT:
    case OP_ACK:
    case OP_OPENED:
        break;
    }
    return NO_INODE;
}

void
op_print(const struct op *op, char *out, size_t size)
{
    static const char *const words[] = {"write", "resize", "create", "mkdir",
        "unlink", "rmdir", "rename", "sync", "sync-one", "sync-failed", "cut",
        "ack", "opened"};
    const char *word = words[op->kind];

    switch (op->kind) {
    case OP_WRITE:
    case OP_RESIZE:
        snprintf(out, size, "%s inode %d at %llu, %u bytes", word, op->inode,
            (unsigned long long)op->pos, op->len);
        break;
    case OP_CREATE:
    case OP_MKDIR:
    case OP_UNLINK:
    case OP_RMDIR:
    case OP_RENAME:
        snprintf(out, size, "%s %s %s in folder %d, inode %d", word, op->name,
            op->to, op->dir, op->inode);
        break;
    case OP_SYNC:
    case OP_SYNC_ONE:
    case OP_SYNC_FAILED:
        snprintf(out, size, "%s inode %d", word, op->inode);
        break;
    case OP_CUT:
    case OP_ACK:
    case OP_OPENED:
        snprintf(out, size, "%s version %u", word, op->version);
        break;
    }
}
