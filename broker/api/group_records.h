/*
 * group_records.h: groups and their offsets as metadata records. Keys and
 * values lie in the arena they are made in. Thread: loop.
 */
#ifndef API_GROUP_RECORDS_H
#define API_GROUP_RECORDS_H

#include "api/api_priv.h"

enum {
    GROUP_SWEEP_MS = 10 * 60 * 1000,     /* between two sweeps */
    GROUP_RECORD_COST = 256,             /* bytes, beside names and members */
};

/* Zeroed; the arena is large enough: asserted. */
void *group_list(struct arena *, size_t count, size_t size);
struct span group_key(struct arena *, struct span id);
struct span group_offset_key(struct arena *, struct span id,
    struct span topic, int32_t partition);
struct span group_record(struct arena *, const struct group *);
struct span group_offset_record(struct arena *, const struct group_fx *);
/* Bytes that a group's record takes at most. */
size_t group_image_cost(const struct group_image *);

/* An offset's key without its kind, taken apart; false: it is none. */
struct group_offset_name {
    struct span group, topic;
    int32_t partition;
};

bool group_offset_key_parse(struct span key, struct group_offset_name *);

#endif
