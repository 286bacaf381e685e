/*
 * folder.h: a data folder opened to be looked at: nothing in it is written,
 * and what is damaged does not keep the rest from being read.
 *
 * Ownership: a folder owns its lock, its file and its records; spans of
 * records are valid until the record changes. Thread: one.
 */
#ifndef OFFLINE_FOLDER_H
#define OFFLINE_FOLDER_H

#include "base/omap.h"
#include "epoch/datadir.h"
#include "epoch/meta.h"
#include "epoch/snapshot.h"
#include "plog/plog.h"
#include "offline/stored.h"

struct folder {
    struct world *world;
    struct datadir *dir;
    struct err identity;         /* what is wrong with penstock.id */
    struct lmdbfile *lmdb;       /* NULL: lmdb_err */
    struct err lmdb_err;
    struct omap records;         /* META_RECORDS, filled by its user */
};

/* -1: it can't be looked at: EBUSY (a server runs), no folder, no right. */
int folder_open(struct folder *, struct world *, const char *path,
    struct err *);
void folder_release(struct folder *);

/* ---- records in memory ---- */

void records_put(struct omap *, struct span key, struct span value);
void records_del(struct omap *, struct span key);
bool records_get(const struct omap *, struct span key, struct span *value);
/* Those of one kind: `omap_seek(map, span_of(&kind, 1), &it)`, then this;
 * the key comes without its first byte. */
bool records_next(struct omap_iter *, enum meta_kind, struct span *key,
    struct span *value);
void records_release(struct omap *);
/* The record of the checkpoint. false: there is none that is right. */
bool records_checkpoint(const struct omap *, struct snapshot_head *,
    bool *clean);
/* Nothing was flushed (durability=process), and the machine has been
 * restarted since: a gap at the journal's end is then no damage. */
bool records_loose(const struct omap *);
/* Tells the journal whose frames are ours, as recovery does. */
void records_know(const struct omap *, struct journal *);
/* Are the journal's files there that the checkpoint lists? ERR_DAMAGE. */
int records_expect(const struct omap *, struct journal *, struct err *);
/* Lays the operations of a frame's manifest over them. `frame` is proven. */
struct frame_header;
int records_apply(struct omap *, const struct frame_header *,
    struct span frame, struct err *);

/* ---- logs ---- */

enum { LOG_KEY = 20 };           /* topic id, partition u32 BE */

void log_key(uint8_t key[LOG_KEY], const struct uuid *, int32_t partition);
void log_key_read(const uint8_t key[LOG_KEY], struct uuid *,
    int32_t *partition);
/* topics/<id>/<partition> and, with a name, the file of a segment, within
 * the folder. */
const char *log_path(const struct uuid *, int32_t partition,
    const struct plog_name *, const char *ending, char out[DATADIR_PATH]);

/* Each topics/<id>/<partition> that is there. */
typedef int folder_log_fn(void *arg, const struct uuid *, int32_t partition,
    struct err *);
int folder_logs(const struct folder *, folder_log_fn *, void *arg,
    struct err *);

#endif
