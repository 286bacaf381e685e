/* check_logs.c: the segments. */
#include "config.h"

#include "offline/check_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/crc32c.h"
#include "base/endian.h"
#include "base/limits.h"
#include "epoch/leaders.h"
#include "epoch/logrec.h"
#include "record/batch.h"

struct check_log *
check_log_get(struct check *c, const struct uuid *id, int32_t partition)
{
    uint8_t key[LOG_KEY];
    void **slot;
    struct check_log *l;

    log_key(key, id, partition);
    slot = omap_slot(&c->logs, span_of(key, sizeof key));
    if (*slot == NULL) {
        l = xcalloc(1, sizeof *l);
        memcpy(l->key, key, sizeof key);
        l->id = *id;
        l->partition = partition;
        l->leader_epoch = -1;
        *slot = l;
    }
    return *slot;
}

/* ---- batches ---- */

/* It lies outside of a batch's checksum, and never goes back in a log. */
void
check_leader_epoch(struct check *c, struct check_log *l, const char *file,
    int64_t pos, int64_t offset, int32_t leader_epoch)
{
    const struct check_topic *t = check_topic_get(c, &l->id);

    if (leader_epoch >= l->leader_epoch && leader_epoch >= 0
        && (t == NULL || leader_epoch <= t->leader_epoch)) {
        l->leader_epoch = leader_epoch;
        return;
    }
    finding_add(c->f, FINDING_DAMAGE, file, pos, CHECK_SALVAGE, "the batch at "
        "offset %" PRId64 " has leader epoch %d, the one before it %d, the "
        "topic %d", offset, leader_epoch, l->leader_epoch,
        t == NULL ? -1 : t->leader_epoch);
}

void
check_batch_records(struct check *c, struct span bytes, const char *file,
    int64_t pos)
{
    struct arena arena;
    struct batch_iter it;
    struct record r;
    struct batch b;
    struct err err = {0};
    int rc;

    if (batch_parse(bytes, &b) != BATCH_OK)
        return;
    arena_init(&arena, 2 * DECOMPRESSED_MAX);
    rc = batch_iter_init(&it, &b, &arena, &err);
    while (rc >= 0 && (rc = batch_iter_next(&it, &r, &err)) > 0)
        ;
    if (rc < 0)
        finding_add(c->f, FINDING_DAMAGE, file, pos, "its producer wrote it "
            "so: consumers can't read these records, delete them or skip "
            "them", "the batch at offset %" PRId64 " has records that can't "
            "be read: %s", b.base_offset, err.text);
    arena_release(&arena);
}

struct reading {
    struct check *c;
    struct check_log *log;
    const struct plog_segment *segment;
    char file[DATADIR_PATH];
    int fd;
    struct buf bytes;
};

static int
batch_deep(struct reading *r, uint32_t pos, uint32_t size, struct err *err)
{
    struct world *w = r->c->folder.world;
    uint8_t *to;

    buf_clear(&r->bytes);
    to = buf_grow(&r->bytes, size);
    if (to == NULL)
        return 0;
    if (w->ops->pread(w, r->fd, to, size, (off_t)pos) < 0)
        return err_set(err, errno, "read %s", r->file);
    if (crc32c(0, to + BATCH_CRC_FROM, size - BATCH_CRC_FROM)
        == get_be32(to + 17)) /* else plog_verify() has told it */
        check_batch_records(r->c, buf_span(&r->bytes), r->file,
            (int64_t)pos);
    return 0;
}

/* From header to header, up to the first that is none. */
static int
segment_batches(struct reading *r, struct err *err)
{
    struct world *w = r->c->folder.world;
    uint32_t size = r->segment->size;
    uint8_t head[BATCH_HEADER];

    for (uint32_t pos = 0; size - pos >= BATCH_HEADER;) {
        uint32_t length;
        ssize_t n = w->ops->pread(w, r->fd, head, sizeof head, (off_t)pos);

        if (n < 0)
            return err_set(err, errno, "read %s", r->file);
        length = get_be32(head + 8);
        if (n < BATCH_HEADER || head[16] != 2
            || length > size - pos - BATCH_LENGTH_FROM
            || length < BATCH_HEADER - BATCH_LENGTH_FROM)
            return 0;
        r->c->batches++;
        check_leader_epoch(r->c, r->log, r->file, (int64_t)pos,
            (int64_t)get_be64(head), (int32_t)get_be32(head + 12));
        length += BATCH_LENGTH_FROM;
        if (r->c->o->deep && batch_deep(r, pos, length, err) < 0)
            return -1;
        pos += length;
    }
    return 0;
}

static int
log_batches(struct check *c, struct check_log *l, struct err *err)
{
    struct world *w = c->folder.world;
    struct reading r = {.c = c, .log = l};
    char path[DATADIR_PATH];
    int rc = 0;

    buf_init(&r.bytes, FRAME_BYTES_MAX);
    for (size_t i = 0; i < l->st.segment_count && rc == 0; i++) {
        r.segment = &l->st.segments[i];
        log_path(&l->id, l->partition,
            &(struct plog_name){r.segment->base_offset, r.segment->epoch},
            ".log", r.file);
        c->n_segments++;
        c->bytes += r.segment->size;
        r.fd = w->ops->open(w, datadir_sub(c->folder.dir, r.file, path),
            O_RDONLY | O_CLOEXEC, 0);
        if (r.fd < 0)
            continue; /* plog_verify() has told it */
        rc = segment_batches(&r, err);
        w->ops->close(w, r.fd);
    }
    buf_release(&r.bytes);
    return rc;
}

/* ---- a log ---- */

static void
log_finding(void *arg, const struct plog_finding *p)
{
    struct reading *r = arg;
    struct plog_name name = {p->where.segment_base, p->where.segment_epoch};
    bool index = p->kind == PLOG_FINDING_INDEX;

    log_path(&r->log->id, r->log->partition, &name, index ? ".index" : ".log",
        r->file);
    if (index)
        finding_add(r->c->f, FINDING_NOTE, r->file, FINDING_NOWHERE,
            "it is made again when it is needed", "%s", p->text);
    else if (p->kind == PLOG_FINDING_TAIL)
        finding_add(r->c->f, FINDING_NOTE, r->file, p->where.pos, NULL, "%s",
            p->text);
    else
        finding_add(r->c->f, FINDING_DAMAGE, r->file, p->where.pos,
            p->kind == PLOG_FINDING_BATCH
                ? "readers are told CORRUPT_MESSAGE there; penstock salvage "
                  "keeps all but these offsets"
                : CHECK_RESTORE, "%s", p->text);
}

static int
check_log_one(struct check *c, struct check_log *l, struct err *err)
{
    struct reading r = {.c = c, .log = l};
    char path[DATADIR_PATH], file[DATADIR_PATH];
    struct err why = {0};
    struct plog *p;

    datadir_partition(c->folder.dir, &l->id, l->partition, path);
    log_path(&l->id, l->partition, NULL, NULL, file);
    if (plog_open(c->cache, path, NULL, &l->st, &p, &why) < 0) {
        finding_add(c->f, FINDING_DAMAGE, file, FINDING_NOWHERE,
            CHECK_SALVAGE, "%s", why.text);
        return 0;
    }
    if (plog_verify(p, log_finding, &r, &why) < 0)
        finding_add(c->f, FINDING_DAMAGE, file, FINDING_NOWHERE,
            CHECK_RESTORE, "it can't be read: %s", why.text);
    plog_close(p);
    return log_batches(c, l, err);
}

/* Whose folder is it? As serve asks at each start. */
static void
log_identity(struct check *c, const struct uuid *id, struct span record,
    struct uuid *done)
{
    struct leaders leaders = {0};
    struct err why = {0};
    char name[96], hex[UUID_HEX];
    bool identity;

    leaders_unpack(record, &leaders, &identity);
    leaders_release(&leaders);
    if (!identity || uuid_eq(id, done)
        || uuid_is_zero(&c->folder.dir->data_id))
        return;
    *done = *id; /* once for all partitions */
    if (datadir_check_topic(c->folder.dir, id, &why) == 0)
        return;
    snprintf(name, sizeof name, "topics/%s/topic.id", uuid_hex(id, hex));
    finding_add(c->f, FINDING_DAMAGE, name, FINDING_NOWHERE,
        "serve refuses to start without it", "%s", why.text);
}

int
check_logs(struct check *c, struct err *err)
{
    uint8_t kind = META_LOG;
    struct uuid done = {{0}};
    struct omap_iter it;
    struct span key, value;

    omap_seek(&c->folder.records, span_of(&kind, 1), &it);
    while (records_next(&it, META_LOG, &key, &value)) {
        struct check_log *l;
        struct uuid id;
        int32_t partition;
        struct err why = {0};

        if (key.len != LOG_KEY)
            continue;
        log_key_read(key.ptr, &id, &partition);
        if (check_topic_get(c, &id) == NULL)
            continue; /* was dropped: its folder may be gone already */
        l = check_log_get(c, &id, partition);
        l->recorded = true;
        log_identity(c, &id, value, &done);
        if (logrec_unpack(value, &l->st, &why) < 0) {
            plog_state_release(&l->st);
            continue; /* told with the records */
        }
        l->start = l->st.log_start;
        l->end = l->st.written;
        if (check_log_one(c, l, err) < 0)
            return -1;
    }
    return 0;
}

/* ---- without LMDB ---- */

static int
log_alone(void *arg, const struct uuid *id, int32_t partition,
    struct err *err)
{
    struct check *c = arg;
    struct check_log *l = check_log_get(c, id, partition);
    struct reading r = {.c = c, .log = l};
    char path[DATADIR_PATH];

    if (plog_salvage_scan(c->folder.world,
            datadir_partition(c->folder.dir, id, partition, path), 0, &l->st,
            log_finding, &r, err) < 0)
        return -1;
    return log_batches(c, l, err);
}

int
check_logs_alone(struct check *c, struct err *err)
{
    struct err why = {0};

    if (folder_logs(&c->folder, log_alone, c, &why) < 0) {
        if (why.code == EACCES) {
            *err = why;
            return -1;
        }
        finding_add(c->f, FINDING_DAMAGE, "topics", FINDING_NOWHERE,
            CHECK_RESTORE, "%s", why.text);
    }
    return 0;
}
