/* folder.c: a data folder opened to be looked at. */
#include "config.h"

#include "offline/folder.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/check.h"
#include "base/endian.h"
#include "base/limits.h"
#include "epoch/frame.h"
#include "proto/store.pb-c.h"

int
folder_open(struct folder *f, struct world *w, const char *path,
    struct err *err)
{
    char file[DATADIR_PATH];

    *f = (struct folder){.world = w};
    omap_init(&f->records);
    if (datadir_open_readonly(&f->dir, w, path, &f->identity, err) < 0)
        return -1;
    if (lmdbfile_open(&f->lmdb, w, datadir_sub(f->dir, "meta/data.mdb", file),
            &f->lmdb_err) < 0)
        f->lmdb = NULL;
    return 0;
}

void
folder_release(struct folder *f)
{
    lmdbfile_close(f->lmdb);
    datadir_close(f->dir);
    records_release(&f->records);
    f->lmdb = NULL;
    f->dir = NULL;
}

/* ---- records ---- */

struct held {
    uint32_t len;
    uint8_t data[];
};

static void
held_free(void *value, void *arg)
{
    (void)arg;
    free(value);
}

void
records_put(struct omap *map, struct span key, struct span value)
{
    void **slot = omap_slot(map, key);
    struct held *h = xmalloc(sizeof *h + value.len);

    h->len = (uint32_t)value.len;
    if (value.len > 0)
        memcpy(h->data, value.ptr, value.len);
    free(*slot);
    *slot = h;
}

void
records_del(struct omap *map, struct span key)
{
    if (omap_get(map, key) != NULL)
        free(omap_del(map, key));
}

bool
records_get(const struct omap *map, struct span key, struct span *value)
{
    const struct held *h = omap_get(map, key);

    if (h != NULL)
        *value = span_of(h->data, h->len);
    return h != NULL;
}

bool
records_next(struct omap_iter *it, enum meta_kind kind, struct span *key,
    struct span *value)
{
    const struct held *h;
    void *v;

    if (!omap_next(it, key, &v) || key->len == 0
        || key->ptr[0] != (uint8_t)kind)
        return false;
    h = v;
    *key = span_of(key->ptr + 1, key->len - 1);
    *value = span_of(h->data, h->len);
    return true;
}

void
records_release(struct omap *map)
{
    omap_release(map, held_free, NULL);
    omap_init(map);
}

static Store__Checkpoint *
checkpoint_unpack(const struct omap *map)
{
    uint8_t key = META_CHECKPOINT;
    struct span value;

    if (!records_get(map, span_of(&key, 1), &value))
        return NULL;
    return store__checkpoint__unpack(NULL, value.len, value.ptr);
}

bool
records_checkpoint(const struct omap *map, struct snapshot_head *h,
    bool *clean)
{
    Store__Checkpoint *c = checkpoint_unpack(map);
    bool ok = c != NULL && c->format == 1 && c->features == 0
        && c->cluster_id.len == 16 && c->data_id.len == 16;

    if (ok) {
        *h = (struct snapshot_head){.cursor = {.epoch = c->epoch,
            .incarnation = c->incarnation,
            .check = c->frame_crc,
            .file = c->journal_file,
            .pos = c->journal_pos},
            .clock_ms = c->clock_ms};
        memcpy(h->cluster_id.bytes, c->cluster_id.data, 16);
        memcpy(h->data_id.bytes, c->data_id.data, 16);
        *clean = c->clean;
    }
    store__checkpoint__free_unpacked(c, NULL);
    return ok;
}

bool
records_loose(const struct omap *map)
{
    Store__Checkpoint *c = checkpoint_unpack(map);
    char boot[64];
    bool loose;

    datadir_boot_id(boot);
    loose = c != NULL && !c->clean && c->durability == DURABILITY_PROCESS
        && strcmp(c->boot_id, boot) != 0;
    store__checkpoint__free_unpacked(c, NULL);
    return loose;
}

void
records_know(const struct omap *map, struct journal *j)
{
    Store__Checkpoint *c = checkpoint_unpack(map);

    for (size_t i = 0; c != NULL && i < c->n_incarnations; i++)
        journal_know(j, c->incarnations[i]);
    store__checkpoint__free_unpacked(c, NULL);
}

int
records_expect(const struct omap *map, struct journal *j, struct err *err)
{
    Store__Checkpoint *c = checkpoint_unpack(map);
    size_t n = c == NULL ? 0 : c->n_journal_files;
    struct journal_part *parts = xcalloc(n + 1, sizeof *parts);
    int rc;

    for (size_t i = 0; i < n; i++)
        parts[i] = (struct journal_part){c->journal_files[i]->number,
            c->journal_files[i]->size};
    rc = journal_expect(j, parts, n, err);
    free(parts);
    store__checkpoint__free_unpacked(c, NULL);
    return rc;
}

static int
record_op(struct omap *map, const Store__Op *op, struct err *err)
{
    struct span key = span_of(op->key.data, op->key.len);
    uint8_t topic[17] = {META_TOPIC};

    switch (op->kind) {
    case STORE__OP_KIND__OP_PUT:
    case STORE__OP_KIND__OP_DELETE:
        if (key.len == 0)
            return err_set(err, ERR_DAMAGE, "an operation has no key");
        if (op->kind == STORE__OP_KIND__OP_PUT)
            records_put(map, key, span_of(op->value.data, op->value.len));
        else
            records_del(map, key);
        return 0;
    case STORE__OP_KIND__OP_DROP_TOPIC:
        if (op->topic_id.len != 16)
            return err_set(err, ERR_DAMAGE, "a dropped topic has no id");
        memcpy(topic + 1, op->topic_id.data, 16);
        records_del(map, span_of(topic, sizeof topic));
        return 0;
    case STORE__OP_KIND__OP_TRIM:
    case STORE__OP_KIND__OP_CLEAN:
        return 0;
    case STORE__OP_KIND__OP_UNSPECIFIED:
    case _STORE__OP_KIND_IS_INT_SIZE:
    default:
        return err_set(err, ERR_FORMAT, "an operation (%d) that this build "
            "does not know", (int)op->kind);
    }
}

int
records_apply(struct omap *map, const struct frame_header *h,
    struct span frame, struct err *err)
{
    Store__Manifest *m = store__manifest__unpack(NULL, h->manifest_length,
        frame.ptr + FRAME_HEADER);
    int rc = 0;

    assert(m != NULL); /* the frame was proven */
    for (size_t i = 0; i < m->n_ops && rc == 0; i++)
        rc = record_op(map, m->ops[i], err);
    store__manifest__free_unpacked(m, NULL);
    return rc;
}

/* ---- logs ---- */

void
log_key(uint8_t key[LOG_KEY], const struct uuid *id, int32_t partition)
{
    memcpy(key, id->bytes, 16);
    put_be32(key + 16, (uint32_t)partition);
}

void
log_key_read(const uint8_t key[LOG_KEY], struct uuid *id, int32_t *partition)
{
    memcpy(id->bytes, key, 16);
    *partition = (int32_t)get_be32(key + 16);
}

const char *
log_path(const struct uuid *id, int32_t partition,
    const struct plog_name *name, const char *ending, char out[DATADIR_PATH])
{
    char hex[UUID_HEX];
    int n = snprintf(out, DATADIR_PATH, "topics/%s/%d", uuid_hex(id, hex),
        partition);

    if (name != NULL)
        snprintf(out + n, DATADIR_PATH - (size_t)n,
            "/%020" PRId64 "-%016" PRIx64 "%s", name->base_offset,
            name->epoch, ending);
    return out;
}

/* A partition's folder: decimal digits only. */
static bool
partition_parse(const char *name, int32_t *partition)
{
    char *end;
    long n;

    if (name[0] < '0' || name[0] > '9')
        return false;
    n = strtol(name, &end, 10);
    *partition = (int32_t)n;
    return *end == '\0' && n >= 0 && n < PARTITIONS_TOPIC_MAX;
}

static int
topic_logs(const char *path, const struct uuid *id, folder_log_fn *fn,
    void *arg, struct err *err)
{
    DIR *d = opendir(path);
    struct dirent *e;
    int32_t partition;
    int rc = 0;

    if (d == NULL)
        return err_set(err, errno, "open folder %s", path);
    while (rc == 0 && (e = readdir(d)) != NULL)
        if (partition_parse(e->d_name, &partition))
            rc = fn(arg, id, partition, err);
    closedir(d);
    return rc;
}

int
folder_logs(const struct folder *f, folder_log_fn *fn, void *arg,
    struct err *err)
{
    char path[DATADIR_PATH], topic[DATADIR_PATH];
    DIR *d = opendir(datadir_sub(f->dir, "topics", path));
    struct dirent *e;
    struct uuid id;
    int rc = 0;

    if (d == NULL)
        return err_set(err, errno, "open folder %s", path);
    while (rc == 0 && (e = readdir(d)) != NULL)
        if (strlen(e->d_name) == UUID_HEX - 1
            && uuid_parse(e->d_name, &id) == 0)
            rc = topic_logs(datadir_topic(f->dir, &id, topic), &id, fn, arg,
                err);
    closedir(d);
    return rc;
}
