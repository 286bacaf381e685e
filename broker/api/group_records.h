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

/* Consumer groups: the record of the group, and of a member. */
struct span consumer_record(struct arena *, const struct group *);
struct span consumer_member_key(struct arena *, struct span group,
    struct span member);
void consumer_member_put(struct arena *, const struct group *,
    const struct consumer_member *, struct record_put *);
/* Bytes that the records of a consumer group take at most after a step. */
size_t consumer_cost(struct api *, const struct group *);
enum { CONSUMER_PART_COST = 64 };        /* of a target, and of who has it */
/* groups.c: the same for a group of either type and the request. */
size_t group_cost(struct request *, struct span id);

/* The members of all consumer groups: after the groups. */
int consumer_records_load(struct api *, struct err *);
int consumer_record_load(struct api *, struct span group, int32_t epoch,
    int32_t target_epoch, uint64_t topics_hash, struct span topology,
    struct err *);

/* An offset's key without its kind, taken apart; false: it is none. */
struct group_offset_name {
    struct span group, topic;
    int32_t partition;
};

bool group_offset_key_parse(struct span key, struct group_offset_name *);

#endif
