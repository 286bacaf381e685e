/*
 * meta.c: LMDB, behind one door.
 *
 * A value as it is stored:
 *
 *      crc u32 LE | kind u8 | key length u16 LE | size u32 LE |
 *      whole key, if it was cut | the value, or its first piece
 *
 * crc: CRC-32C of the whole key, then of all from `kind` on, then of the
 * further pieces. Pieces stand in a database of their own under the 16 bytes
 * of the XXH128 of space and whole key, and their number.
 *
 * LMDB's defaults are kept: a commit is data, flush, then the meta page
 * through a descriptor with O_DSYNC. Never NOSYNC, NOLOCK or WRITEMAP on
 * data that matters (a crash with those can leave a database that does not
 * open). MDB_NOTLS, since a reader may pass from thread to thread.
 */
#include "config.h"

#include "epoch/meta.h"

#include <errno.h>
#include <sys/statvfs.h>
#include <lmdb.h>
#include <stdlib.h>
#include <unistd.h>
#include <xxhash.h>

#include "base/alloc.h"
#include "base/check.h"
#include "base/crc32c.h"
#include "base/diag.h"
#include "base/endian.h"
#include "base/limits.h"

enum {
    META_MAGIC = 0x3e7a3e7a,
    READER_MAGIC = 0x3e7a4ead,
    KEY_TRUE = 484,              /* bytes of a key kept as they are */
    KEY_HASH = 16,
    PIECE = 2000,
    HEAD = 11,
    KEYS_MAX = 8000,             /* of a transaction: 16k dirty pages */
    BYTES_MAX = 8 << 20,
    EXIT_DAMAGE = 7,             /* of the process; tools/exits.tbl */
};

struct meta {
    uint32_t magic;
    MDB_env *env;
    MDB_dbi dbi[2], pieces;
    uint64_t put_bytes;
    char *dir;
    meta_damaged_fn *damaged;
    void *damaged_arg;
};

struct meta_reader {
    uint32_t magic;
    struct meta *meta;
    MDB_txn *txn;
    bool live;
};

static int
meta_err(struct err *err, int rc, const char *what)
{
    if (rc == MDB_MAP_FULL || rc == MDB_TXN_FULL)
        rc = ENOSPC;
    if (rc > 0)
        return err_set(err, rc, "LMDB: %s", what);
    return err_set(err, ERR_DAMAGE, "LMDB: %s: %s", what, mdb_strerror(rc));
}

/* LMDB's pages have no checksums: what is wrong with one is found by an
 * assertion of LMDB's, or by the checksum of a value. */
static void
meta_asserted(MDB_env *env, const char *text)
{
    struct meta *m = mdb_env_get_userctx(env);
    struct err err;

    err_set(&err, ERR_DAMAGE, "%s/data.mdb is damaged (%.200s): put it back "
        "from a backup or run penstock salvage", m->dir, text);
    if (m->damaged != NULL)
        m->damaged(m->damaged_arg, &err);
    diag(ERROR, EPOCH, "%s", err.text);
    _exit(EXIT_DAMAGE);
}

static int
meta_open_env(struct meta *m, uint64_t map_bytes, unsigned flags)
{
    int dead, rc = mdb_env_create(&m->env);

    if (rc == 0)
        rc = mdb_env_set_userctx(m->env, m);
    if (rc == 0)
        rc = mdb_env_set_assert(m->env, meta_asserted);
    if (rc == 0)
        rc = mdb_env_set_maxdbs(m->env, 3);
    if (rc == 0)
        rc = mdb_env_set_maxreaders(m->env, 510);
    if (rc == 0)
        rc = mdb_env_set_mapsize(m->env, map_bytes);
    if (rc == 0)
        rc = mdb_env_open(m->env, m->dir, flags | MDB_NOTLS | MDB_NORDAHEAD,
            0600);
    return rc == 0 ? mdb_reader_check(m->env, &dead) : rc;
}

static int
meta_open_dbs(struct meta *m, unsigned flags)
{
    static const char *const names[] = {"records", "state"};
    unsigned create = flags & MDB_RDONLY ? 0 : MDB_CREATE;
    MDB_txn *txn = NULL;
    int rc = mdb_txn_begin(m->env, NULL, flags & MDB_RDONLY, &txn);

    for (int i = 0; i < 2 && rc == 0; i++)
        rc = mdb_dbi_open(txn, names[i], create, &m->dbi[i]);
    if (rc == 0)
        rc = mdb_dbi_open(txn, "pieces", create, &m->pieces);
    if (rc == 0)
        return mdb_txn_commit(txn);
    if (txn != NULL)
        mdb_txn_abort(txn);
    return rc;
}

static int
meta_open_flags(struct meta **out, const char *dir, uint64_t map_bytes,
    unsigned flags, meta_damaged_fn *fn, void *arg, struct err *err)
{
    struct meta *m = xcalloc(1, sizeof *m);
    int rc;

    m->magic = META_MAGIC;
    m->dir = xstrdup(dir);
    m->damaged = fn;
    m->damaged_arg = arg;
    rc = meta_open_env(m, map_bytes, flags);
    if (rc == 0)
        rc = meta_open_dbs(m, flags);
    if (rc == 0) {
        *out = m;
        return 0;
    }
    meta_close(m);
    if (rc > 0)
        return err_set(err, rc, "open LMDB in %s", dir);
    return err_set(err, ERR_DAMAGE, "open LMDB in %s: %s", dir,
        mdb_strerror(rc));
}

int
meta_open(struct meta **out, const char *dir, uint64_t map_bytes, bool sync,
    struct err *err)
{
    return meta_open_flags(out, dir, map_bytes, sync ? 0 : MDB_NOSYNC, NULL,
        NULL, err);
}

int
meta_open_guarded(struct meta **out, const char *dir, uint64_t map_bytes,
    bool sync, meta_damaged_fn *fn, void *arg, struct err *err)
{
    return meta_open_flags(out, dir, map_bytes, sync ? 0 : MDB_NOSYNC, fn,
        arg, err);
}

int
meta_sync_on(struct meta *m, struct err *err)
{
    int rc = mdb_env_set_flags(m->env, MDB_NOSYNC, 0);

    if (rc == 0)
        rc = mdb_env_sync(m->env, 1);
    return rc == 0 ? 0 : meta_err(err, rc, "flush");
}

int
meta_open_readonly(struct meta **out, const char *dir, struct err *err)
{
    return meta_open_flags(out, dir, 1 * GIB, MDB_RDONLY, NULL, NULL, err);
}

void
meta_close(struct meta *m)
{
    if (m == NULL)
        return;
    check_obj(m, META_MAGIC);
    if (m->env != NULL)
        mdb_env_close(m->env);
    m->magic = 0;
    free(m->dir);
    free(m);
}

uint64_t
meta_put_bytes(const struct meta *m)
{
    return m->put_bytes;
}

void
meta_usage(struct meta *m, uint64_t *used, uint64_t *map)
{
    MDB_envinfo info;
    MDB_stat st;

    must(mdb_env_info(m->env, &info));
    must(mdb_env_stat(m->env, &st));
    *used = (info.me_last_pgno + 1) * (uint64_t)st.ms_psize;
    *map = info.me_mapsize;
}

void
meta_library_version(int *major, int *minor, int *patch)
{
    mdb_version(major, minor, patch);
}

/* ---- keys and values ---- */

struct meta_key {
    uint8_t bytes[KEY_TRUE + KEY_HASH];
    MDB_val val;
    bool cut;
};

static void
hash_key(enum meta_space space, struct span key, uint8_t out[KEY_HASH])
{
    XXH128_canonical_t c;

    XXH128_canonicalFromHash(&c,
        XXH3_128bits_withSeed(key.ptr, key.len, space + 1));
    memcpy(out, c.digest, KEY_HASH);
}

static void
meta_key(struct meta_key *k, enum meta_space space, struct span key)
{
    assert(key.len > 0);
    k->cut = key.len > KEY_TRUE;
    if (k->cut) {
        memcpy(k->bytes, key.ptr, KEY_TRUE);
        hash_key(space, key, k->bytes + KEY_TRUE);
        k->val = (MDB_val){sizeof k->bytes, k->bytes};
    } else {
        union {
            const uint8_t *from;
            void *to;
        } u = {.from = key.ptr};

        k->val = (MDB_val){key.len, u.to};
    }
}

struct meta_value {              /* a stored value, taken apart */
    uint32_t crc;
    bool pieces;
    struct span key;             /* null: the key was not cut */
    uint32_t size;               /* of the whole value */
    struct span first;
};

static int
value_parse(MDB_val v, struct meta_value *out)
{
    const uint8_t *p = v.mv_data;
    size_t key_length;

    if (v.mv_size < HEAD || p[4] > 1)
        return -1;
    out->crc = get_le32(p);
    out->pieces = p[4] == 1;
    key_length = p[5] | (size_t)p[6] << 8;
    out->size = get_le32(p + 7);
    if (key_length > v.mv_size - HEAD)
        return -1;
    out->key = key_length == 0 ? SPAN_NULL : span_of(p + HEAD, key_length);
    out->first = span_of(p + HEAD + key_length,
        v.mv_size - HEAD - key_length);
    if (out->pieces ? out->first.len != PIECE || out->size <= PIECE
                    : out->first.len != out->size)
        return -1;
    return 0;
}

static uint32_t
value_sum(struct span key, MDB_val v)
{
    uint32_t crc = crc32c(0, key.ptr, key.len);

    return crc32c(crc, (uint8_t *)v.mv_data + 4, v.mv_size - 4);
}

/* ---- reading ---- */

struct meta_reader *
meta_reader_new(struct meta *m, struct err *err)
{
    struct meta_reader *r = xcalloc(1, sizeof *r);
    int rc;

    check_obj(m, META_MAGIC);
    r->magic = READER_MAGIC;
    r->meta = m;
    rc = mdb_txn_begin(m->env, NULL, MDB_RDONLY, &r->txn);
    if (rc != 0) {
        free(r);
        meta_err(err, rc, "begin to read");
        return NULL;
    }
    r->live = true;
    return r;
}

void
meta_reader_free(struct meta_reader *r)
{
    if (r == NULL)
        return;
    check_obj(r, READER_MAGIC);
    mdb_txn_abort(r->txn);
    r->magic = 0;
    free(r);
}

void
meta_reader_park(struct meta_reader *r)
{
    check_obj(r, READER_MAGIC);
    if (r->live)
        mdb_txn_reset(r->txn);
    r->live = false;
}

int
meta_reader_renew(struct meta_reader *r, struct err *err)
{
    int rc;

    meta_reader_park(r);
    rc = mdb_txn_renew(r->txn);
    if (rc != 0)
        return meta_err(err, rc, "renew a reader");
    r->live = true;
    return 0;
}

static int
piece_from_txn(void *arg, const uint8_t key[META_PIECE_KEY],
    struct span *piece, struct err *err)
{
    struct meta_reader *r = arg;
    union {
        const uint8_t *from;
        void *to;
    } u = {.from = key};
    MDB_val k = {META_PIECE_KEY, u.to}, d;
    int rc = mdb_get(r->txn, r->meta->pieces, &k, &d);

    if (rc != 0)
        return meta_err(err, rc == MDB_NOTFOUND ? MDB_CORRUPTED : rc,
            "read a piece of a value");
    *piece = span_of(d.mv_data, d.mv_size);
    return 0;
}

/* Joins the pieces of a value behind its first one; extends the CRC. */
static int
pieces_read(enum meta_space space, struct span key,
    const struct meta_value *v, meta_piece_fn *fn, void *arg, uint8_t *out,
    uint32_t *crc, struct err *err)
{
    uint8_t id[META_PIECE_KEY];
    uint32_t at = PIECE;

    hash_key(space, key, id);
    for (uint32_t n = 1; at < v->size; n++) {
        uint32_t left = v->size - at;
        struct span d;

        put_be32(id + KEY_HASH, n);
        if (fn(arg, id, &d, err) < 0)
            return -1;
        if (d.len != (left < PIECE ? left : PIECE))
            return meta_err(err, MDB_CORRUPTED, "a piece is cut short");
        memcpy(out + at, d.ptr, d.len);
        *crc = crc32c(*crc, d.ptr, d.len);
        at += (uint32_t)d.len;
    }
    return 0;
}

/* Copies a stored value into the arena, proven. */
static int
value_join(enum meta_space space, struct span key, MDB_val d,
    const struct meta_value *v, meta_piece_fn *fn, void *arg,
    struct arena *arena, struct span *value, struct err *err)
{
    uint8_t *out = arena_alloc(arena, v->size > 0 ? v->size : 1);
    uint32_t crc;

    if (out == NULL)
        return err_set(err, ERR_LIMIT, "a value of %u bytes is too large",
            v->size);
    crc = value_sum(key, d);
    memcpy(out, v->first.ptr, v->first.len);
    if (v->pieces
        && pieces_read(space, key, v, fn, arg, out, &crc, err) < 0)
        return -1;
    if (crc != v->crc)
        return meta_err(err, MDB_CORRUPTED, "the checksum of a value is wrong");
    *value = span_of(out, v->size);
    return 0;
}

static int
value_read(struct meta_reader *r, enum meta_space space, struct span key,
    MDB_val d, struct arena *arena, struct span *value, struct err *err)
{
    struct meta_value v;

    if (value_parse(d, &v) < 0)
        return meta_err(err, MDB_CORRUPTED, "a value without a valid head");
    return value_join(space, key, d, &v, piece_from_txn, r, arena, value,
        err);
}

int
meta_unpack(enum meta_space space, struct span stored, struct span data,
    meta_piece_fn *fn, void *arg, struct arena *arena, struct span *key,
    struct span *value, struct err *err)
{
    union {
        const uint8_t *from;
        void *to;
    } u = {.from = data.ptr};
    MDB_val d = {data.len, u.to};
    struct meta_value v;
    struct meta_key k;

    if (stored.len == 0 || value_parse(d, &v) < 0)
        return meta_err(err, MDB_CORRUPTED, "a value without a valid head");
    *key = arena_copy(arena, v.key.ptr != NULL ? v.key : stored);
    if (key->ptr == NULL)
        return err_set(err, ERR_LIMIT, "a key is too large");
    meta_key(&k, space, *key);
    if (!span_eq(span_of(k.val.mv_data, k.val.mv_size), stored))
        return meta_err(err, MDB_CORRUPTED, "a value stands under a key that "
            "is not its own");
    return value_join(space, *key, d, &v, fn, arg, arena, value, err);
}

int
meta_get(struct meta_reader *r, enum meta_space space, struct span key,
    struct arena *arena, struct span *value, struct err *err)
{
    struct meta_key k;
    MDB_val d;
    int rc;

    check_obj(r, READER_MAGIC);
    if (!r->live && meta_reader_renew(r, err) < 0)
        return -1;
    meta_key(&k, space, key);
    rc = mdb_get(r->txn, r->meta->dbi[space], &k.val, &d);
    if (rc == MDB_NOTFOUND)
        return 0;
    if (rc != 0)
        return meta_err(err, rc, "read");
    return value_read(r, space, key, d, arena, value, err) < 0 ? -1 : 1;
}

/* ---- walking ---- */

struct scan {
    struct meta_reader *reader;
    enum meta_space space;
    struct span prefix, from;
    struct arena *arena;
    meta_fn *fn;
    void *arg;
    MDB_cursor *cursor;
};

struct scan_entry {
    struct span key, value;
};

static int
scan_entry_cmp(const void *a, const void *b)
{
    const struct scan_entry *x = a, *y = b;

    return span_cmp(x->key, y->key);
}

static bool
scan_in_prefix(const struct scan *s, struct span key)
{
    return key.len >= s->prefix.len && (s->prefix.len == 0
        || memcmp(key.ptr, s->prefix.ptr, s->prefix.len) == 0);
}

static int
scan_give(struct scan *s, const struct scan_entry *e, struct err *err)
{
    if (!scan_in_prefix(s, e->key) || span_cmp(e->key, s->from) < 0)
        return 0;
    return s->fn(s->arg, e->key, e->value, err);
}

/* The entry under the cursor, its key whole. */
static int
scan_entry(struct scan *s, MDB_val k, MDB_val d, struct scan_entry *e,
    struct err *err)
{
    struct meta_value v;
    struct span key = span_of(k.mv_data, k.mv_size);

    if (value_parse(d, &v) < 0)
        return meta_err(err, MDB_CORRUPTED, "a value without a valid head");
    if (v.key.ptr != NULL)
        key = v.key;
    e->key = arena_copy(s->arena, key);
    if (e->key.ptr == NULL)
        return err_set(err, ERR_LIMIT, "a key is too large");
    return value_read(s->reader, s->space, e->key, d, s->arena, &e->value,
        err);
}

/* Keys that were cut and share their first bytes stand next to each other in
 * the order of their hashes: they are given in their own order. k and d are
 * at the first of them and past them afterwards. */
static int
scan_cut(struct scan *s, MDB_val *k, MDB_val *d, int *rc, struct err *err)
{
    enum { GROUP_MAX = 4096 };
    struct scan_entry *group;
    uint8_t head[KEY_TRUE];
    size_t n = 0;
    int result = 0;

    group = arena_alloc(s->arena, GROUP_MAX * sizeof *group);
    if (group == NULL)
        return err_set(err, ERR_LIMIT, "no room to put long keys in order");
    memcpy(head, k->mv_data, KEY_TRUE);
    while (*rc == 0 && k->mv_size == KEY_TRUE + KEY_HASH
        && memcmp(k->mv_data, head, KEY_TRUE) == 0) {
        if (n == GROUP_MAX)
            return err_set(err, ERR_LIMIT, "over %d long keys that begin "
                "with the same %d bytes", GROUP_MAX, KEY_TRUE);
        if (scan_entry(s, *k, *d, &group[n++], err) < 0)
            return -1;
        *rc = mdb_cursor_get(s->cursor, k, d, MDB_NEXT);
    }
    qsort(group, n, sizeof *group, scan_entry_cmp);
    for (size_t i = 0; i < n && result == 0; i++)
        result = scan_give(s, &group[i], err);
    return result;
}

static int
scan_run(struct scan *s, struct err *err)
{
    struct span start = span_cmp(s->from, s->prefix) > 0 ? s->from
                                                         : s->prefix;
    uint8_t head[KEY_TRUE];
    MDB_val k, d;
    int rc, result = 0;

    if (start.len > KEY_TRUE)
        start.len = KEY_TRUE;
    if (start.len > 0)
        memcpy(head, start.ptr, start.len);
    k = (MDB_val){start.len, head};
    rc = mdb_cursor_get(s->cursor, &k, &d, start.len > 0 ? MDB_SET_RANGE
                                                         : MDB_FIRST);
    while (rc == 0 && result == 0) {
        struct arena_mark mark = arena_mark(s->arena);
        struct span key = span_of(k.mv_data, k.mv_size);
        struct scan_entry e;

        if (key.len > s->prefix.len)
            key.len = s->prefix.len > KEY_TRUE ? KEY_TRUE : s->prefix.len;
        if (key.len < s->prefix.len && s->prefix.len <= KEY_TRUE)
            break;
        if (key.len > 0 && memcmp(key.ptr, s->prefix.ptr, key.len) != 0)
            break;
        if (k.mv_size == KEY_TRUE + KEY_HASH) {
            result = scan_cut(s, &k, &d, &rc, err);
        } else {
            result = scan_entry(s, k, d, &e, err);
            if (result == 0)
                result = scan_give(s, &e, err);
            if (result == 0)
                rc = mdb_cursor_get(s->cursor, &k, &d, MDB_NEXT);
        }
        arena_rewind(s->arena, mark);
    }
    if (result == 0 && rc != 0 && rc != MDB_NOTFOUND)
        return meta_err(err, rc, "walk");
    return result;
}

int
meta_scan(struct meta_reader *r, enum meta_space space, struct span prefix,
    struct span from, struct arena *arena, meta_fn *fn, void *arg,
    struct err *err)
{
    struct scan s = {.reader = r, .space = space, .prefix = prefix,
        .from = from, .arena = arena, .fn = fn, .arg = arg};
    int rc;

    check_obj(r, READER_MAGIC);
    if (!r->live && meta_reader_renew(r, err) < 0)
        return -1;
    rc = mdb_cursor_open(r->txn, r->meta->dbi[space], &s.cursor);
    if (rc != 0)
        return meta_err(err, rc, "open a cursor");
    rc = scan_run(&s, err);
    mdb_cursor_close(s.cursor);
    return rc;
}

/* ---- writing ---- */

int
meta_begin(struct meta *m, struct meta_write *w)
{
    MDB_txn *txn = NULL;
    int rc;

    check_obj(m, META_MAGIC);
    memset(w, 0, sizeof *w);
    w->meta = m;
    rc = mdb_txn_begin(m->env, NULL, 0, &txn);
    w->txn = txn;
    for (int i = 0; i < 2 && rc == 0; i++) {
        MDB_cursor *c = NULL;

        rc = mdb_cursor_open(txn, m->dbi[i], &c);
        w->cursor[i] = c;
    }
    if (rc != 0)
        return meta_err(&w->err, rc, "begin to write");
    return 0;
}

static void
pieces_del(struct meta_write *w, enum meta_space space, struct span key,
    uint32_t size)
{
    uint8_t id[KEY_HASH + 4];

    hash_key(space, key, id);
    for (uint32_t n = 1; n <= (size - 1) / PIECE && w->err.code == 0; n++) {
        MDB_val k = {sizeof id, id};
        int rc;

        put_be32(id + KEY_HASH, n);
        rc = mdb_del(w->txn, w->meta->pieces, &k, NULL);
        if (rc != 0 && rc != MDB_NOTFOUND)
            meta_err(&w->err, rc, "delete a piece");
    }
}

static void
pieces_put(struct meta_write *w, enum meta_space space, struct span key,
    struct span value, uint32_t *crc)
{
    uint8_t id[KEY_HASH + 4];
    uint32_t n = 1;

    hash_key(space, key, id);
    for (size_t at = PIECE; at < value.len && w->err.code == 0; n++) {
        size_t len = value.len - at < PIECE ? value.len - at : PIECE;
        MDB_val k = {sizeof id, id}, d = {len, NULL};
        int rc;

        put_be32(id + KEY_HASH, n);
        rc = mdb_put(w->txn, w->meta->pieces, &k, &d, MDB_RESERVE);
        if (rc != 0) {
            meta_err(&w->err, rc, "write a piece");
            return;
        }
        memcpy(d.mv_data, value.ptr + at, len);
        *crc = crc32c(*crc, value.ptr + at, len);
        at += len;
    }
}

/* To the key; drops the pieces of the value that stands there. */
static bool
write_seek(struct meta_write *w, enum meta_space space, struct meta_key *k,
    struct span key)
{
    struct meta_value v;
    MDB_val at = k->val, d;
    int rc = mdb_cursor_get(w->cursor[space], &at, &d, MDB_SET);

    if (rc == MDB_NOTFOUND)
        return false;
    if (rc != 0) {
        meta_err(&w->err, rc, "seek");
        return false;
    }
    if (value_parse(d, &v) == 0 && v.pieces)
        pieces_del(w, space, key, v.size);
    return true;
}

void
meta_put(struct meta_write *w, enum meta_space space, struct span key,
    struct span value)
{
    struct meta_key k;
    bool cut = value.len > PIECE;
    size_t first = cut ? PIECE : value.len;
    size_t key_length;
    MDB_val d;
    uint8_t *p;
    uint32_t crc;
    int rc;

    if (w->err.code != 0)
        return;
    assert(value.len <= UINT32_MAX);
    assert(key.len <= UINT16_MAX);
    meta_key(&k, space, key);
    write_seek(w, space, &k, key);
    if (w->err.code != 0)
        return;
    key_length = k.cut ? key.len : 0;
    d = (MDB_val){HEAD + key_length + first, NULL};
    rc = mdb_cursor_put(w->cursor[space], &k.val, &d, MDB_RESERVE);
    if (rc != 0) {
        meta_err(&w->err, rc, "write");
        return;
    }
    p = d.mv_data;
    p[4] = cut;
    p[5] = (uint8_t)key_length;
    p[6] = (uint8_t)(key_length >> 8);
    put_le32(p + 7, (uint32_t)value.len);
    if (key_length > 0)
        memcpy(p + HEAD, key.ptr, key_length);
    if (first > 0)
        memcpy(p + HEAD + key_length, value.ptr, first);
    crc = value_sum(key, d);
    /* Nothing may touch this database between the reserve and here; the
     * pieces stand in another one, whose pages are others. */
    put_le32(p, crc);
    if (cut) {
        uint32_t whole = crc;
        MDB_val at = k.val;

        pieces_put(w, space, key, value, &whole);
        rc = mdb_cursor_get(w->cursor[space], &at, &d, MDB_SET);
        if (rc == 0 && w->err.code == 0)
            put_le32(d.mv_data, whole);
    }
    w->puts++;
    w->bytes += key.len + value.len;
    w->meta->put_bytes += key.len + value.len;
}

void
meta_del(struct meta_write *w, enum meta_space space, struct span key)
{
    struct meta_key k;

    if (w->err.code != 0)
        return;
    meta_key(&k, space, key);
    if (write_seek(w, space, &k, key) && w->err.code == 0) {
        int rc = mdb_cursor_del(w->cursor[space], 0);

        if (rc != 0)
            meta_err(&w->err, rc, "delete");
    }
    w->puts++;
}

void
meta_del_prefix(struct meta_write *w, enum meta_space space,
    struct span prefix, size_t n, bool *more)
{
    *more = false;
    while (w->err.code == 0) {
        union {
            const uint8_t *from;
            void *to;
        } u = {.from = prefix.ptr};
        MDB_val k = {prefix.len, u.to}, d;
        struct meta_value v;
        uint8_t key[KEY_TRUE + KEY_HASH];
        int rc = mdb_cursor_get(w->cursor[space], &k, &d, MDB_SET_RANGE);

        if (rc == MDB_NOTFOUND || (rc == 0 && (k.mv_size < prefix.len
                || memcmp(k.mv_data, prefix.ptr, prefix.len) != 0)))
            return;
        if (rc != 0) {
            meta_err(&w->err, rc, "walk");
            return;
        }
        if (n-- == 0) {
            *more = true;
            return;
        }
        memcpy(key, k.mv_data, k.mv_size);
        if (value_parse(d, &v) == 0 && v.pieces)
            pieces_del(w, space, v.key.ptr != NULL
                    ? v.key : span_of(key, k.mv_size), v.size);
        rc = mdb_cursor_del(w->cursor[space], 0);
        if (rc != 0)
            meta_err(&w->err, rc, "delete");
        w->puts++;
    }
}

bool
meta_full(const struct meta_write *w)
{
    return w->puts >= KEYS_MAX || w->bytes >= BYTES_MAX;
}

/* LMDB says EIO when a write was cut short, as on a full disk: nothing was
 * committed then, and the next try writes all of it again. */
static int
commit_code(struct meta_write *w, int rc)
{
    const char *path;
    struct statvfs v;

    if (rc != EIO || mdb_env_get_path(w->meta->env, &path) != 0
        || statvfs(path, &v) < 0)
        return rc;
    return (uint64_t)v.f_bavail * v.f_frsize < 1 * MIB ? ENOSPC : rc;
}

int
meta_commit(struct meta_write *w, struct err *err)
{
    int rc;

    if (w->err.code != 0) {
        meta_abort(w);
        if (err != NULL)
            *err = w->err;
        return -1;
    }
    rc = commit_code(w, mdb_txn_commit(w->txn));
    w->txn = NULL;
    return rc == 0 ? 0 : meta_err(err, rc, "commit");
}

void
meta_abort(struct meta_write *w)
{
    if (w->txn != NULL)
        mdb_txn_abort(w->txn);
    w->txn = NULL;
}

struct span
meta_state_key(struct arena *a, uint32_t store, uint32_t partition,
    struct span key)
{
    uint8_t *p = arena_alloc(a, META_STATE_PREFIX + key.len);

    if (p == NULL)
        return SPAN_NULL;
    put_be32(p, store);
    put_be32(p + 4, partition);
    if (key.len > 0)
        memcpy(p + META_STATE_PREFIX, key.ptr, key.len);
    return span_of(p, META_STATE_PREFIX + key.len);
}
