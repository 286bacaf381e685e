/*
 * kit.h: a small data folder, made by a sequencer without threads: two
 * topics with four logs of many short segments, a store, a group, a task,
 * producers; a part of it only in the journal, as after kill -9.
 */
#ifndef TEST_OFFLINE_KIT_H
#define TEST_OFFLINE_KIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/buf.h"
#include "epoch/seq.h"
#include "offline/findings.h"

enum { KIT_LOGS = 4, KIT_STORE = 1,
    KIT_TRIM = 5,                /* of log 2, behind the checkpoint */
};

struct kit {
    char root[64];               /* of the test: everything is below it */
    char dir[96];                /* the folder */
    struct seq *seq;
    struct tail *tail[KIT_LOGS];
    uint64_t run;
    int32_t seqs[KIT_LOGS];      /* of the producer */
};

extern const struct uuid kit_topics[2];
/* Log i is this topic and partition. */
const struct uuid *kit_topic(int log);
int32_t kit_partition(int log);

int kit_setup(void **state);
int kit_teardown(void **state);

void kit_open(struct kit *, const char *dir);
void kit_close(struct kit *);
void kit_append(struct kit *, int log, const char *text, int records,
    bool producer);
void kit_put(struct kit *, struct span key, struct span value, bool quiet);
void kit_state(struct kit *, const char *key, const char *value);
void kit_trim(struct kit *, int log, int64_t offset);
/* Topics and the other records. */
void kit_records(struct kit *);
/* Fills it; `part`s differ. Ends with a turn. */
void kit_fill(struct kit *, int part, int n);

/* The whole story, ending in kit->dir as a killed server leaves it: records,
 * a checkpoint, a snapshot if asked for, more records in the journal. */
void kit_make(struct kit *, bool snapshot);

/* What a server would see in the folder: logs (of log 2 what is not trimmed),
 * stores, groups. Opens it. */
uint64_t kit_hash(struct kit *, const char *dir, bool logs, bool rest);

/* ---- files ---- */

void kit_copy(const char *from, const char *to);         /* replaces it */
void kit_remove(const char *path);
/* The nth file (in order of names) below dir/sub with that ending. */
bool kit_file(const char *dir, const char *sub, const char *ending, int n,
    char out[512]);
long kit_size(const char *path);
void kit_flip(const char *path, long pos, uint8_t mask);
void kit_zero(const char *path, long pos, long n);
void kit_cut(const char *path, long size);
/* Over all names and bytes below it. */
uint64_t kit_bytes_hash(const char *dir);

/* ---- running ---- */

struct kit_report {
    int rc;
    struct err err;
    uint64_t damages, notes;
    char *text;                  /* free() */
};

struct kit_report kit_check(const char *dir, bool deep);
struct kit_report kit_salvage(const char *dir, const char *to, bool dry,
    bool past_damage);

struct dice {
    uint64_t state;
};

struct dice dice_seeded(void);   /* PENSTOCK_SEED or 1; printed */
uint64_t dice_roll(struct dice *, uint64_t sides);

#endif
