/* dump_priv.h: what the parts of a dump share: dump.c, dump_folder.c. */
#ifndef OFFLINE_DUMP_PRIV_H
#define OFFLINE_DUMP_PRIV_H

#include <protobuf-c/protobuf-c.h>

#include "base/arena.h"
#include "base/json.h"
#include "offline/dump.h"
#include "payload.h"

struct dump {
    struct dump_options *o;
    const struct payload_type *type;
    int64_t left;                /* lines of the first level; -1: no end */
    struct buf line;
    struct json j;
    struct arena arena;
};

void dump_init(struct dump *, struct dump_options *);
void dump_release(struct dump *);
/* One line less. false: that was all. */
bool dump_count(struct dump *);

/* A line as `name=value` or as an object; nested ones are indented. */
void line_begin(struct dump *, const char *what, int depth);
void line_int(struct dump *, const char *name, int64_t);
void line_hex(struct dump *, const char *name, uint64_t, int digits);
void line_text(struct dump *, const char *name, const char *);
/* Bytes as JSON, text or hex, by what they are. */
void line_bytes(struct dump *, const char *name,
    const struct payload_type *, struct span);
void line_message(struct dump *, const char *name, const ProtobufCMessage *);
void line_end(struct dump *);
/* A damaged place. */
void line_damage(struct dump *, const char *file, uint64_t pos,
    const char *fmt, ...) __attribute__((format(printf, 4, 5)));

/* A batch's header, and its records if they are asked for. */
void dump_batch(struct dump *, struct span bytes, uint64_t pos, int depth);

#endif
