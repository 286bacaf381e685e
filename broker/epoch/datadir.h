/*
 * datadir.h: the data folder: its lock, its identity, the places in it, and
 * the disk under it.
 *
 *      penstock.id     format, cluster id, folder id: written last when the
 *                      folder is made, so without it nothing was ever acked
 *      creating        stands there while the folder is being made
 *      lock            held (flock) while a process works on it
 *      journal/ meta/ topics/<topic id>/<partition>/ ballast
 *      topics/<topic id>/topic.id      whose folder it is
 *
 * A folder with contents but without identity is refused, never taken for an
 * empty one: it may be a volume that was not mounted, or damage.
 */
#ifndef EPOCH_DATADIR_H
#define EPOCH_DATADIR_H

#include "base/err.h"
#include "base/uuid.h"
#include "base/world.h"

struct datadir {
    struct world *world;
    char *path;
    int lock_fd;
    bool fresh;                  /* was made by this opening */
    struct uuid cluster_id, data_id;
};

/* Locks the folder and reads its identity. When it is missing or empty and
 * `create` is set, it is begun: then datadir_made() must follow once the
 * journal and LMDB are in place. ERR_DAMAGE, ERR_FORMAT, EBUSY when another
 * process has it. */
int datadir_open(struct datadir **, struct world *, const char *path,
    bool create, bool sync, struct err *);
int datadir_made(struct datadir *, bool sync, struct err *);
/* To look at it: nothing is made or written. The lock is shared with others
 * who only look; EBUSY while somebody works on the folder. What is wrong
 * with its identity goes to *identity (code 0: nothing), the ids are zero
 * then. */
int datadir_open_readonly(struct datadir **, struct world *, const char *path,
    struct err *identity, struct err *err);
void datadir_close(struct datadir *);              /* NULL allowed */

/* path/name in a caller's buffer. */
enum { DATADIR_PATH = 1024 };
const char *datadir_sub(const struct datadir *, const char *name,
    char out[DATADIR_PATH]);
const char *datadir_partition(const struct datadir *, const struct uuid *topic,
    int32_t partition, char out[DATADIR_PATH]);
const char *datadir_topic(const struct datadir *, const struct uuid *topic,
    char out[DATADIR_PATH]);

/* The identity of a topic's folder, "topic.id" in it: whose it is. A folder
 * that comes from elsewhere, or of a volume that is not mounted, is known by
 * it. _identify writes it where it is not right, and flushes it; its name is
 * durable after datadir_sync_topic(). _check: ERR_DAMAGE. */
int datadir_identify_topic(struct datadir *, const struct uuid *topic,
    bool sync, struct err *);
int datadir_sync_topic(struct datadir *, const struct uuid *topic,
    struct err *);
int datadir_check_topic(const struct datadir *, const struct uuid *topic,
    struct err *);

/* Makes the entries of a folder in it durable. */
int datadir_sync(struct datadir *, const char *name, struct err *);

/* Bytes free for us on its disk. */
int datadir_free_bytes(const struct datadir *, uint64_t *bytes, struct err *);
/* The ballast: a file of real bytes, given up when the disk is full so that
 * a checkpoint can finish. */
int datadir_ballast_hold(struct datadir *, uint64_t bytes, struct err *);
bool datadir_ballast_drop(struct datadir *);       /* false: it was gone */

/* The machine's boot, to know a restart from a reboot. */
void datadir_boot_id(char out[64]);

#endif
