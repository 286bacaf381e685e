/*
 * damage: the disk gives back other bytes than it was given.
 *
 *   damage [count [seed]]        so many damaged folders, from
 *                                PENSTOCK_DAMAGES and PENSTOCK_SEED
 *   damage -r unit state count seed      one of them again, talking
 *
 * A unit is a kind of file; its states are harms done to one file of a folder
 * at rest, of some histories. Whatever is served must be what was written.
 * What is missing must have been reported: by a start that is refused, or by
 * a read that says which offsets are damaged. Files that can be made again
 * must not keep the process from starting.
 *
 * Two things are not known to a start, and are counted: the newest frame
 * damaged looks like one that a power cut tore; LMDB's pages have no
 * checksums. And a batch's CRC leaves out its leader epoch, which is not
 * compared.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/check.h"
#include "crew.h"
#include "work.h"

enum { DAMAGES = 3000, STEPS = 150, HISTORIES = 12, BITS_BATCHES = 1 };

#define CLASSES(X)                                                             \
    X(JOURNAL, ".journal", "the journal")                                      \
    X(SEGMENT, ".log", "a segment")                                            \
    X(INDEX, ".index", "an index")                                             \
    X(LMDB, "data.mdb", "LMDB")                                                \
    X(IDENTITY, "penstock.id", "the identity")                                 \
    X(TOPIC, "topic.id", "a topic's identity")                                 \
    X(BALLAST, "ballast", "the ballast")

enum class {
#define X(name, ending, text) CLASS_##name,
    CLASSES(X)
#undef X
    CLASS_COUNT
};

static const struct {
    const char *ending, *text;
} classes[CLASS_COUNT] = {
#define X(name, ending, text) [CLASS_##name] = {ending, text},
    CLASSES(X)
#undef X
};

#define HARMS(X)                                                               \
    X(BIT, "a bit is turned")                                                  \
    X(SECTOR, "a sector is zero")                                              \
    X(PAGE, "a page is zero")                                                  \
    X(SWAP, "two pages have changed places")                                   \
    X(CUT, "it is cut short")                                                  \
    X(LOST, "it is gone")

enum harm {
#define X(name, text) HARM_##name,
    HARMS(X)
#undef X
    HARM_COUNT
};

static const char *const harm_text[HARM_COUNT] = {
#define X(name, text) [HARM_##name] = text,
    HARMS(X)
#undef X
};

enum { COUNT_HARMLESS, COUNT_REFUSED, COUNT_REPORTED, COUNT_NEWEST,
    COUNT_SILENT };

struct folders {
    struct crew_job job;
    struct history {
        struct image image;
        struct model *model;
        struct work_options opts;
        uint32_t must, maybe, before;    /* before: the version behind must */
    } h[HISTORIES];
    struct work work;
};

/* ---- the folders ---- */

static bool
folder_make(struct folders *p, unsigned i, struct crew_unit *u)
{
    struct history *h = &p->h[i];
    struct rng r = rng_of(p->job.seed, i, 9);
    struct work *w = &p->work;
    struct err err = {0};
    struct image empty;

    image_init(&empty);
    host_place(&empty);
    image_release(&empty);
    h->model = model_new();
    work_options_random(&h->opts, &r);
    work_init(w, h->model, rng_next(&r), &h->opts, 1);
    if (work_run(w, STEPS, &err) < 0 || (i % 3 == 0 && w->seq != NULL
            && work_close(w, &err) < 0)) {
        u->broken = true;
        snprintf(u->note, sizeof u->note, "history %u failed: %s", i,
            err.text);
        return false;
    }
    work_die(w);
    h->must = w->acked;
    h->maybe = w->cut != w->acked ? w->cut : 0;
    h->before = model_parent(h->model, h->must);
    image_copy(&h->image, host_live());
    return true;
}

static void
folders_begin(void *arg, unsigned unit, struct crew_unit *u)
{
    struct folders *p = arg;

    host_quiet(!p->job.talk);
    for (unsigned i = 0; i < HISTORIES; i++)
        if (!folder_make(p, i, u))
            return;
    u->end = p->job.count;
}

/* ---- harm ---- */

static bool
is_class(const struct entry *e, unsigned class)
{
    size_t n = strlen(e->name), k = strlen(classes[class].ending);

    return n >= k && strcmp(e->name + n - k, classes[class].ending) == 0;
}

/* One of the files of the class; NULL: there is none. */
static const struct entry *
any_file(const struct image *im, unsigned class, struct rng *r)
{
    const struct entry *found = NULL;
    uint32_t seen = 0;

    for (int i = 0; i < im->n_entries; i++)
        if (is_class(&im->entries[i], class) && rng_one_in(r, ++seen))
            found = &im->entries[i];
    return found;
}

static void
zero(struct image *im, int inode, uint64_t pos, uint32_t n)
{
    static const uint8_t zeros[PAGE];
    uint64_t size = image_size(im, inode);

    pos -= pos % n;
    image_write(im, inode, pos, zeros, n < size - pos ? n : size - pos);
}

static void
swap_pages(struct image *im, int inode, struct rng *r)
{
    uint8_t a[PAGE], b[PAGE];
    uint32_t n = (uint32_t)(image_size(im, inode) / PAGE), i, j;

    if (n < 2)
        return;
    i = rng_below(r, n);
    j = rng_below(r, n);
    image_read(im, inode, (uint64_t)i * PAGE, a, PAGE);
    image_read(im, inode, (uint64_t)j * PAGE, b, PAGE);
    image_write(im, inode, (uint64_t)j * PAGE, a, PAGE);
    image_write(im, inode, (uint64_t)i * PAGE, b, PAGE);
}

static void
harm(struct image *im, const struct entry *e, enum harm kind, struct rng *r)
{
    struct entry gone = *e;
    uint64_t size = image_size(im, e->inode), pos;
    uint8_t byte;

    if (kind == HARM_LOST) {
        image_leave(im, gone.dir, gone.name, gone.inode);
        return;
    }
    if (size == 0)
        return;
    pos = rng_below(r, (uint32_t)size);
    switch (kind) {
    case HARM_BIT:
        image_read(im, e->inode, pos, &byte, 1);
        byte ^= (uint8_t)(1u << rng_below(r, 8));
        image_write(im, e->inode, pos, &byte, 1);
        break;
    case HARM_SECTOR:
        zero(im, e->inode, pos, 512);
        break;
    case HARM_PAGE:
        zero(im, e->inode, pos, PAGE);
        break;
    case HARM_SWAP:
        swap_pages(im, e->inode, r);
        break;
    case HARM_CUT:
        image_resize(im, e->inode, pos);
        break;
    case HARM_LOST:
    case HARM_COUNT:
        break;
    }
}

/* ---- what is served ---- */

static bool
in_hole(const struct work *w, const struct fact *f)
{
    for (unsigned i = 0; i < w->n_holes; i++) {
        const struct hole *h = &w->holes[i];

        if (f->tag == FACT_BATCH && f->a == h->topic && f->b == h->partition
            && (int64_t)f->c < h->to && f->last >= h->from)
            return true;
    }
    return false;
}

/* The newest record of a key may lie in a hole of its log. */
static bool
may_be_older(const struct work *w, const struct fact *f)
{
    for (unsigned i = 0; i < w->n_holes; i++)
        if (f->tag == FACT_KEY && f->a == w->holes[i].topic
            && f->b == w->holes[i].partition)
            return true;
    return false;
}

/* It may have been gone before. */
static bool
was_compacted(const struct facts *found, const struct fact *f)
{
    const struct fact *c = facts_find(found, FACT_CLEANED, f->a, f->b, 0);

    return c != NULL && f->last < (int64_t)c->hash;
}

/* Is it the version, but for what was reported? Counts what is missing. */
static int
compare(const struct work *w, uint32_t version, const struct facts *found,
    unsigned *missing, struct err *err)
{
    const struct facts *all = model_facts(w->model, version);
    struct facts want = {0}, rest = {0};
    int rc;

    *missing = 0;
    for (size_t i = 0; i < all->n; i++) {
        if (in_hole(w, &all->v[i]))
            *missing += !was_compacted(found, &all->v[i]);
        else if (!may_be_older(w, &all->v[i]))
            facts_add(&want, &all->v[i]);
    }
    for (size_t i = 0; i < found->n; i++)
        if (!may_be_older(w, &found->v[i]))
            facts_add(&rest, &found->v[i]);
    rc = facts_compare(&want, &rest, err);
    facts_release(&want);
    facts_release(&rest);
    return rc;
}

struct seen {
    struct work *work;
    struct facts facts;
    struct err err;
    int rc;
};

static struct seen seen;

static void
look(struct work *w)
{
    seen.rc = work_open_seq(w, &seen.facts, &seen.err);
}

/* -1: something was served that was not written, or something is missing
 * and nobody said so. */
static int
judge(struct history *h, struct work *w, unsigned class, enum harm kind,
    struct crew_unit *u, struct err *err)
{
    unsigned missing, other;

    if (seen.rc < 0) {
        u->counts[COUNT_REFUSED]++;
        if (class == CLASS_INDEX || class == CLASS_BALLAST)
            return err_set(err, ERR_DAMAGE, "the start was refused: %.200s",
                seen.err.text);
        return 0;
    }
    facts_sort(&seen.facts);
    if (compare(w, h->must, &seen.facts, &missing, err) < 0
        && (h->maybe == 0 || compare(w, h->maybe, &seen.facts, &missing,
            &seen.err) < 0)) {
        if (class == CLASS_JOURNAL && kind != HARM_CUT && kind != HARM_LOST
            && h->before != 0
            && compare(w, h->before, &seen.facts, &other, &seen.err) == 0) {
            u->counts[COUNT_NEWEST]++;
            return 0;
        }
        u->counts[COUNT_SILENT]++;
        err_prefix(err, "must %u, maybe %u, before %u (%.100s)", h->must,
            h->maybe, h->before, seen.err.text);
        return class == CLASS_LMDB && kind != HARM_CUT && kind != HARM_LOST
            ? 0 : -1;
    }
    u->counts[w->n_holes > 0 ? COUNT_REPORTED : COUNT_HARMLESS]++;
    if (kind == HARM_BIT && missing > BITS_BATCHES)
        return err_set(err, ERR_DAMAGE, "one bit cost %u batches", missing);
    return 0;
}

static int
folders_state(void *arg, unsigned unit, struct crew_unit *u)
{
    struct folders *p = arg;
    struct rng r = rng_of(p->job.seed, unit, u->next);
    struct history *h = &p->h[rng_below(&r, HISTORIES)];
    enum harm kind = (enum harm)rng_below(&r, HARM_COUNT);
    struct work *w = &p->work;
    struct err err = {0};
    struct image im;
    const struct entry *e;
    char name[NAME_SIZE];
    int rc;

    image_copy(&im, &h->image);
    e = any_file(&im, unit, &r);
    if (e == NULL) {
        image_release(&im);
        return 0;
    }
    memcpy(name, e->name, sizeof name);
    harm(&im, e, kind, &r);
    host_place(&im);
    image_release(&im);
    work_init(w, h->model, rng_next(&r), &h->opts, h->must);
    w->tolerant = true;
    memset(&seen, 0, sizeof seen);
    snprintf(u->note, sizeof u->note, "%s: %s", name, harm_text[kind]);
    rc = work_guard(w, 0, look);
    if (rc != 0) {
        seen.rc = -1;
        seen.err = w->fatal;
    }
    if (p->job.talk)
        printf("# %s: %s; opening: %d %s\n", name, harm_text[kind], seen.rc,
            seen.err.text);
    rc = judge(h, w, unit, kind, u, &err);
    if (rc < 0)
        crew_fail(u, "state %llu: %s: %s", (unsigned long long)u->next,
            u->note, err.text);
    facts_release(&seen.facts);
    work_die(w);
    return rc;
}

/* ---- the program ---- */

static bool
folders_report(void *arg, unsigned unit, const struct crew_unit *u)
{
    const struct folders *p = arg;
    bool bad = u->broken || u->failed > 0;
    const uint64_t *n = u->counts;

    printf("%sok - %s is damaged\n# %llu times: harmless %llu, refused "
        "%llu, reported %llu, newest epoch lost %llu, silent %llu, "
        "crashed %llu\n", bad ? "not " : "", classes[unit].text,
        (unsigned long long)u->done, (unsigned long long)n[COUNT_HARMLESS],
        (unsigned long long)n[COUNT_REFUSED],
        (unsigned long long)n[COUNT_REPORTED],
        (unsigned long long)n[COUNT_NEWEST],
        (unsigned long long)n[COUNT_SILENT], (unsigned long long)u->crashed);
    if (u->broken)
        printf("# %s\n", u->note);
    else if (u->failed > 0)
        printf("# %llu failed; the first: %s\n",
            (unsigned long long)u->failed, u->first);
    if (bad)
        printf("# again: %s -r %u STATE %llu %llu\n", p->job.program, unit,
            (unsigned long long)p->job.count, (unsigned long long)p->job.seed);
    return bad;
}

int
main(int argc, char **argv)
{
    static struct folders p;
    struct crew c = {.units = CLASS_COUNT, .workers = 2, .chunk = 100,
        .patience_s = 60, .begin = folders_begin, .state = folders_state,
        .report = folders_report, .arg = &p};

    return crew_main(&c, &p.job, "PENSTOCK_DAMAGES", DAMAGES, argc, argv);
}
