/*
 * model.h: what should be there. Everything that can be found in a data
 * folder is a fact: a batch, the end of a log, a record, a key of a store,
 * each with a hash of its bytes. An epoch makes a version: the facts of its
 * parent and its own changes. Versions form a tree, since after a crash the
 * history goes on from what was found; what was not found stays a leaf.
 *
 * Everything is appended, so a branch is undone by cutting it off.
 */
#ifndef CRASH_MODEL_H
#define CRASH_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

/* The tag says what a, b, c mean. */
enum fact_tag {
    FACT_TOPIC = 1,              /* topic; hash of its record */
    FACT_END,                    /* topic, partition; hash: offset */
    FACT_START,                  /* topic, partition; hash: offset */
    FACT_PURGE,                  /* topic, partition; hash: a start that may
                                    be forgotten */
    FACT_BATCH,                  /* topic, partition, base offset; last */
    FACT_PRODUCER,               /* topic, partition, id; hash: sequence */
    FACT_RECORD,                 /* kind, 0, hash of the key */
    FACT_STATE,                  /* store, partition, hash of the key */
    FACT_KEY,                    /* topic, partition, key; last: offset of the
                                    newest; hash: of its value */
    FACT_CLEANED,                /* topic, partition; hash: what lies below
                                    was compacted. Found only */
};

struct fact {
    enum fact_tag tag;
    uint32_t a, b;
    uint64_t c;
    int64_t last;                /* of a batch */
    uint64_t hash;
    bool gone;
};

struct facts {
    struct fact *v;
    size_t n, cap;
};

void facts_add(struct facts *, const struct fact *);
void facts_sort(struct facts *);
void facts_release(struct facts *);
const struct fact *facts_find(const struct facts *, enum fact_tag, uint32_t a,
    uint32_t b, uint64_t c);

struct model;

struct model *model_new(void);
void model_free(struct model *);
/* Version 1 is the empty one. Others have a parent. */
uint32_t model_version(struct model *, uint32_t parent);
uint32_t model_parent(const struct model *, uint32_t version);
void model_change(struct model *, uint32_t version, const struct fact *);
/* Facts of a version, sorted; owned by the model, valid until the next
 * change. */
const struct facts *model_facts(struct model *, uint32_t version);

struct model_mark {
    uint32_t versions;
    size_t changes;
};

struct model_mark model_mark(const struct model *);
void model_rewind(struct model *, struct model_mark);

/* Is what was found the version? -1 says what differs. */
int facts_compare(const struct facts *want, const struct facts *found,
    struct err *);

#endif
