/*
 * salvage.c: a new data folder from what can be read of a damaged one.
 *
 *   1. base       metadata and stores as of some epoch (salvage_base.c)
 *   2. frames     those that follow it; their operations onto the records
 *   3. topics     folders that no record names get a record, and a name
 *   4. logs       segments into the new folder (salvage_logs.c)
 *   5. frames     again: batches behind the logs, blocks into the stores
 *   6. ends       what segments have and no frame has
 *   7. records    into the new LMDB, leader epochs raised, checkpoint last
 *   8. penstock.id: without it the folder is none (datadir.h)
 *
 * Invariants
 *  1. The old folder is opened for reading only. What it shares with the new
 *     one by hard links are sealed segments, which nobody writes again.
 *  2. Offsets never change: what is lost leaves a hole (a batch without
 *     records), never a shift.
 *  3. Epoch numbers go on past all that were seen, so no name of a segment
 *     and no number of a frame comes again.
 *  4. The cluster's id stays, the folder's is new: the two can't be mixed.
 *  5. Every topic's leader epoch is raised by one (KIP-320), so consumers
 *     that were ahead of what is left are told.
 *
 * A run that was cut short leaves a folder without identity; the next run
 * empties it and begins again.
 */
#include "config.h"

#include "offline/salvage_priv.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/check.h"
#include "base/endian.h"
#include "base/limits.h"
#include "epoch/journal.h"
#include "proto/store.pb-c.h"

enum {
    EPOCHS_APART = 1024,         /* left out, to be on the safe side */
    PRODUCERS_APART = 1000000,
};

/* ---- writing to LMDB ---- */

static int
write_begin(struct salvage *s, struct err *err)
{
    if (meta_begin(s->meta, &s->write) == 0)
        return 0;
    *err = s->write.err;
    meta_abort(&s->write);
    return -1;
}

int
salvage_put(struct salvage *s, enum meta_space space, struct span key,
    const struct span *value, struct err *err)
{
    if (space == META_STATE) {
        if (key.len < META_STATE_PREFIX
            || omap_get(&s->stores, span_of(key.ptr, 4)) == NULL) {
            s->n_homeless++;
            return 0;
        }
        s->n_entries++;
    }
    if (s->o->dry_run)
        return 0;
    if (value == NULL)
        meta_del(&s->write, space, key);
    else
        meta_put(&s->write, space, key, *value);
    if (!meta_full(&s->write))
        return 0;
    if (meta_commit(&s->write, err) < 0)
        return -1;
    return write_begin(s, err);
}

/* ---- the base ---- */

static int
base_record(void *arg, struct span key, struct span value, struct err *err)
{
    struct salvage *s = arg;

    switch (key.ptr[0]) {
    case META_CHECKPOINT:
        break;
    case META_DOOMED:
        *omap_slot(&s->dropped, span_of(key.ptr + 1, key.len - 1)) = s;
        break;
    case META_LOG:
        if (key.len == 1 + LOG_KEY)
            records_put(&s->log_states, span_of(key.ptr + 1, LOG_KEY), value);
        break;
    default:
        records_put(&s->records, key, value);
        break;
    }
    return 0;
}

static int
base_state(void *arg, struct span key, struct span value, struct err *err)
{
    return salvage_put(arg, META_STATE, key, &value, err);
}

static void
stores_learn(struct salvage *s)
{
    uint8_t kind = META_STORE, number[4];
    struct omap_iter it;
    struct span key, value;

    omap_seek(&s->records, span_of(&kind, 1), &it);
    while (records_next(&it, META_STORE, &key, &value)) {
        Store__Store *m = store__store__unpack(NULL, value.len, value.ptr);

        if (m == NULL)
            continue;
        put_be32(number, m->number);
        *omap_slot(&s->stores, span_of(number, sizeof number)) = s;
        store__store__free_unpacked(m, NULL);
    }
}

/* ---- the new folder ---- */

static int
new_open(struct salvage *s, struct err *err)
{
    struct journal_options jo = {.durability = DURABILITY_POWER,
        .file_bytes = 2 * MIB, .files = 2, .bytes_max = 256 * MIB};
    const struct uuid *cluster = &s->old.dir->cluster_id;
    char path[DATADIR_PATH];

    if (uuid_is_zero(cluster) && s->at_known)
        cluster = &s->at.cluster_id;
    if (uuid_is_zero(cluster))
        say_lost(s, "penstock.id", "the cluster's id is lost: a new one is "
            "made");
    if (s->o->dry_run)
        return 0;
    if (datadir_open(&s->dir, s->world, s->o->to, true, true, err) < 0)
        return -1;
    if (!s->dir->fresh)
        return err_set(err, EEXIST, "%s is a data folder: name a new one",
            s->o->to);
    if (!uuid_is_zero(cluster))
        s->dir->cluster_id = *cluster;
    if (journal_create(s->world, datadir_sub(s->dir, "journal", path), &jo,
            err) < 0
        || meta_open(&s->meta, datadir_sub(s->dir, "meta", path), 64 * GIB,
            true, err) < 0)
        return -1;
    return write_begin(s, err);
}

/* A topic's record with its leader epoch raised. */
static int
put_topic(struct salvage *s, struct span key, struct span value,
    struct err *err)
{
    Store__Topic *m = store__topic__unpack(NULL, value.len, value.ptr);
    struct span packed;
    struct buf out;
    int rc;

    if (m == NULL) {
        say_lost(s, "meta/data.mdb", "the record of a topic is no message");
        return 0;
    }
    m->leader_epoch++;
    buf_init(&out, 4 * MIB);
    store__topic__pack(m, buf_grow(&out, store__topic__get_packed_size(m)));
    packed = buf_span(&out);
    rc = salvage_put(s, META_RECORDS, key, &packed, err);
    buf_release(&out);
    store__topic__free_unpacked(m, NULL);
    return rc;
}

/* Producer ids must not be handed out again. */
static int
put_ids(struct salvage *s, struct err *err)
{
    uint8_t key = META_IDS, out[32];
    Store__ProducerIds *m = NULL, now = STORE__PRODUCER_IDS__INIT;
    struct span value;

    if (records_get(&s->records, span_of(&key, 1), &value))
        m = store__producer_ids__unpack(NULL, value.len, value.ptr);
    now.next = m == NULL ? 0 : m->next;
    store__producer_ids__free_unpacked(m, NULL);
    if (now.next <= s->producer_max)
        now.next = s->producer_max + 1;
    if ((s->base != BASE_LMDB || !s->complete) && now.next < INT64_MAX / 2)
        now.next += PRODUCERS_APART;
    if (now.next == 0)
        return 0;
    value = span_of(out, store__producer_ids__pack(&now, out));
    return salvage_put(s, META_RECORDS, span_of(&key, 1), &value, err);
}

static int
put_records(struct salvage *s, struct err *err)
{
    struct omap_iter it;
    struct span key, value;
    uint8_t topic[17] = {META_TOPIC};
    struct span ignored;
    void *v;
    int rc = 0;

    omap_seek(&s->records, SPAN_NULL, &it);
    while (rc == 0 && omap_next(&it, &key, &v)) {
        records_get(&s->records, key, &value);
        switch (key.ptr[0]) {
        case META_IDS:
            break;
        case META_TOPIC:
            rc = put_topic(s, key, value, err);
            break;
        case META_ABORTED:
        case META_PRODUCER: /* of topics that are there; the rest with logs */
            if (key.len != 1 + LOG_KEY + 8)
                break;
            memcpy(topic + 1, key.ptr + 1, 16);
            if (records_get(&s->records, span_of(topic, sizeof topic),
                    &ignored))
                rc = salvage_put(s, META_RECORDS, key, &value, err);
            break;
        default:
            rc = salvage_put(s, META_RECORDS, key, &value, err);
            break;
        }
    }
    return rc == 0 ? put_ids(s, err) : rc;
}

static int
put_checkpoint(struct salvage *s, struct err *err)
{
    Store__Checkpoint c = STORE__CHECKPOINT__INIT;
    uint8_t key = META_CHECKPOINT, out[512];
    char boot[64];
    struct span value;

    datadir_boot_id(boot);
    c.format = 1;
    c.epoch = s->highest + EPOCHS_APART;
    world_random(s->world, &c.incarnation, sizeof c.incarnation);
    c.clock_ms = s->clock_ms != 0 ? s->clock_ms : world_wall_ms(s->world);
    c.boot_id = boot;
    c.clean = true;
    c.durability = DURABILITY_POWER;
    c.cluster_id.data = s->dir->cluster_id.bytes;
    c.cluster_id.len = 16;
    c.data_id.data = s->dir->data_id.bytes;
    c.data_id.len = 16;
    assert(store__checkpoint__get_packed_size(&c) <= sizeof out);
    value = span_of(out, store__checkpoint__pack(&c, out));
    return salvage_put(s, META_RECORDS, span_of(&key, 1), &value, err);
}

static int
new_finish(struct salvage *s, struct err *err)
{
    char path[DATADIR_PATH];

    /* Producers of the base first: those of a log's batches on top. */
    if (put_records(s, err) < 0 || logs_finish(s, err) < 0)
        return -1;
    if (s->o->dry_run)
        return 0;
    if (put_checkpoint(s, err) < 0 || meta_commit(&s->write, err) < 0
        || datadir_sync(s->dir, "topics", err) < 0
        || datadir_sync(s->dir, "journal", err) < 0)
        return -1;
    datadir_sub(s->dir, "meta", path);
    if (datadir_sync(s->dir, "meta", err) < 0)
        return -1;
    return datadir_made(s->dir, true, err);
}

/* ---- all of it ---- */

static int
salvage_steps(struct salvage *s, struct err *err)
{
    if (s->old.identity.code != 0)
        say_note(s, "penstock.id", "%s", s->old.identity.text);
    if (base_choose(s, err) < 0 || frames_open(s, err) < 0)
        return -1;
    if (base_each(s, META_RECORDS, base_record, s, err) < 0
        || frames_records(s, err) < 0 || logs_name(s, err) < 0)
        return -1;
    stores_learn(s);
    if (new_open(s, err) < 0
        || base_each(s, META_STATE, base_state, s, err) < 0)
        return -1;
    if (logs_copy(s, err) < 0 || frames_apply(s, err) < 0
        || logs_extend(s, err) < 0 || logs_reach(s, err) < 0)
        return -1;
    if (s->n_homeless > 0)
        say_lost(s, "meta/data.mdb", "%" PRIu64 " entries of stores whose "
            "records are lost: they are left out", s->n_homeless);
    return new_finish(s, err);
}

static void
salvage_summary(struct salvage *s)
{
    const struct finding_count counts[] = {
        {"logs", s->logs.count}, {"offsets_lost", s->lost},
        {"frames", s->n_frames}, {"batches_appended", s->n_batches},
        {"segments_linked", s->n_linked}, {"segments_copied", s->n_copied},
        {"state_entries", s->n_entries}, {"epoch", s->at.cursor.epoch},
    };
    char text[400];

    snprintf(text, sizeof text, "%s%s: %s; %zu logs, %" PRIu64 " offsets "
        "lost, %" PRIu64 " frames used, %" PRIu64 " segments linked, %"
        PRIu64 " copied, %" PRIu64 " batches appended, %" PRIu64 " entries "
        "of stores", s->o->dry_run ? "would make " : "made ",
        s->o->to == NULL ? "a new folder" : s->o->to,
        s->f->damages == 0 ? "nothing is lost" : "something is lost, see "
        "above", s->logs.count, s->lost, s->n_frames, s->n_linked,
        s->n_copied, s->n_batches, s->n_entries);
    findings_end(s->f, text, counts, countof(counts));
}

static void
salvage_release(struct salvage *s)
{
    logs_release(s);
    if (s->meta != NULL)
        meta_abort(&s->write);
    meta_close(s->meta);
    datadir_close(s->dir);
    segcache_free(s->old_cache);
    segcache_free(s->new_cache);
    survey_release(&s->survey);
    free(s->use);
    records_release(&s->records);
    records_release(&s->log_states);
    omap_release(&s->dropped, NULL, NULL);
    omap_release(&s->stores, NULL, NULL);
    omap_release(&s->bad_keys, NULL, NULL);
    folder_release(&s->old);
    free(s);
}

int
salvage_run(const struct salvage_options *o, struct err *err)
{
    struct salvage *s = xcalloc(1, sizeof *s);
    int rc;

    s->o = o;
    s->f = o->findings;
    s->world = o->world;
    s->producer_max = -1;
    omap_init(&s->records);
    omap_init(&s->log_states);
    omap_init(&s->dropped);
    omap_init(&s->stores);
    omap_init(&s->bad_keys);
    omap_init(&s->logs);
    s->old_cache = segcache_new(o->world, 16, 8 * MIB);
    s->new_cache = segcache_new(o->world, 16, 8 * MIB);
    rc = folder_open(&s->old, o->world, o->dir, err);
    if (rc == 0 && s->old.identity.code == ERR_NOTFOUND) {
        *err = s->old.identity;
        rc = -1;
    }
    if (rc == 0)
        rc = salvage_steps(s, err);
    if (rc == 0)
        salvage_summary(s);
    salvage_release(s);
    return rc;
}
