/* stored.c: what LMDB holds, out of its file without LMDB. */
#include "config.h"

#include "offline/stored.h"

#include "base/limits.h"

struct scanning {
    struct lmdbfile *file;
    struct stored_scan *scan;
    struct arena arena;
    struct buf piece;
    struct err io;               /* of the file itself, while in a value */
};

static int
piece_from_file(void *arg, const uint8_t key[META_PIECE_KEY],
    struct span *piece, struct err *err)
{
    struct scanning *g = arg;
    int rc;

    buf_clear(&g->piece);
    rc = lmdbfile_get(g->file, LMDBFILE_PIECES, span_of(key, META_PIECE_KEY),
        &g->piece, &g->io);
    if (rc < 0)
        return -1;
    if (rc == 0)
        return err_set(err, ERR_DAMAGE, "a piece of a value is missing");
    g->scan->pieces++;
    *piece = buf_span(&g->piece);
    return 0;
}

static int
scan_entry(void *arg, struct span key, struct span value, uint64_t page,
    struct err *err)
{
    struct scanning *g = arg;
    struct stored_scan *s = g->scan;
    struct arena_mark mark = arena_mark(&g->arena);
    struct span k, v;
    struct err bad = {0};
    int rc = 0;

    if (meta_unpack(s->space, key, value, piece_from_file, g, &g->arena, &k,
            &v, &bad) < 0) {
        s->damaged++;
        if (s->bad != NULL)
            s->bad(s->arg, page, key, bad.text);
    } else {
        s->good++;
        if (s->fn != NULL)
            rc = s->fn(s->arg, k, v, err);
    }
    g->arena.failed = false;
    arena_rewind(&g->arena, mark);
    if (g->io.code != 0) {
        *err = g->io;
        return -1;
    }
    return rc;
}

int
stored_scan(struct lmdbfile *file, struct stored_scan *s, struct err *err)
{
    struct scanning g = {.file = file, .scan = s};
    int rc;

    arena_init(&g.arena, 512 * MIB);
    buf_init(&g.piece, 1 * MIB);
    s->good = s->damaged = s->pieces = 0;
    rc = lmdbfile_scan(file, s->space == META_RECORDS ? LMDBFILE_RECORDS
                                                      : LMDBFILE_STATE,
        scan_entry, &g, &s->lost, err);
    buf_release(&g.piece);
    arena_release(&g.arena);
    return rc;
}
