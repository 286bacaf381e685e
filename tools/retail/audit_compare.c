/* audit_compare.c: what was read held against the replay and against the data,
 * and as text. */
#include "config.h"

#include "retail/audit.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base/json.h"
#include "base/limits.h"
#include "retail/play.h"

/* ---- comparing ---------------------------------------------------------- */

static const char *
answer(const char *reason)
{
    return reason == NULL ? "PASS" : reason;
}

int
audit_fate(const struct audit *a, const struct fate *f, struct err *err)
{
    if (f->asked && f->verdicts == 0)
        return err_set(err, AUDIT_DIFFERS, "order %s has no verdict", f->id);
    if (!a->kept)
        return 0;
    if (f->asked && f->state == 0)
        return err_set(err, AUDIT_DIFFERS, "order %s is not in the log of its "
            "product", f->id);
    if (!f->asked)
        return err_set(err, AUDIT_DIFFERS, "order %s is in a log, but nobody "
            "placed it", f->id);
    if (f->said == NULL && f->reason != NULL)
        return err_set(err, AUDIT_DIFFERS, "oversold: order %s PASSed, the "
            "replay says %s", f->id, f->reason);
    if (strcmp(answer(f->said), answer(f->reason)) != 0)
        return err_set(err, AUDIT_DIFFERS, "order %s was told %s, the replay "
            "says %s", f->id, answer(f->said), answer(f->reason));
    return 0;
}

int
audit_compare(struct audit *a, struct err *err)
{
    struct fate *f;

    if (a->first.code != 0) {
        *err = a->first;
        return -1;
    }
    for (size_t i = 0; (f = table_next(&a->replay.fates, &i)) != NULL;) {
        if (audit_fate(a, f, err) != 0)
            return -1;
    }
    return 0;
}

static bool
same_stock(const struct book *a, const struct book *b)
{
    return a->on_hand == b->on_hand && a->reserved == b->reserved
        && a->received == b->received && a->returned == b->returned
        && a->adjusted == b->adjusted && a->shipped == b->shipped
        && a->missing == b->missing;
}

static int
compare_books(const struct books *want, const struct books *got,
    struct err *err)
{
    struct book *b;

    for (size_t i = 0; (b = table_next(&want->by_name, &i)) != NULL;) {
        const struct book *g = books_find(got, span_of(b->name, b->name_len));

        if (g != NULL && same_stock(b, g))
            continue;
        if (g == NULL)
            return err_set(err, AUDIT_DIFFERS, "product %s has no row in the "
                "view", b->name);
        return err_set(err, AUDIT_DIFFERS, "product %s: %" PRId64 " on hand, "
            "%" PRId64 " reserved, %" PRId64 " shipped; expected %" PRId64
            ", %" PRId64 ", %" PRId64, b->name, g->on_hand, g->reserved,
            g->shipped, b->on_hand, b->reserved, b->shipped);
    }
    return 0;
}

int
audit_compare_stock(struct audit *a, struct err *err)
{
    struct book *b;

    if (compare_books(&a->replay.books, &a->view, err) != 0)
        return -1;
    for (size_t i = 0; (b = table_next(&a->view.by_name, &i)) != NULL;) {
        if (books_find(&a->replay.books, span_of(b->name, b->name_len))
            != NULL)
            continue;
        return err_set(err, AUDIT_DIFFERS, "product %s is in the view, but in "
            "no log", b->name);
    }
    return 0;
}

/* ---- the data ----------------------------------------------------------- */

struct plain {
    struct audit *audit;
    struct replay loop;          /* the events as they are, in their order */
};

static int
plain_event(void *arg, const struct event *e, struct err *err)
{
    struct plain *p = arg;
    struct span none = span_of("", 0);
    const struct fate *f;

    switch (e->kind) {
    case EVENT_MOVEMENT:
        return replay_movement(&p->loop, 0, span_str(e->product),
            span_str(e->id), e->move, e->quantity, err);
    case EVENT_ORDER:
        f = replay_find(&p->audit->replay, span_str(e->id));
        if (f == NULL || !f->asked) {
            return err_set(err, AUDIT_DIFFERS, "order %s is lost", e->id);
        }
        return replay_order(&p->loop, 0, span_str(e->id),
            span_str(e->product), e->quantity, REPLAY_CREATED, err);
    case EVENT_CANCEL:
        return replay_order(&p->loop, 0, span_str(e->id), none, 0,
            REPLAY_CANCELLED, err);
    case EVENT_SHIPMENT:
        return replay_order(&p->loop, 0, span_str(e->order), none, 0,
            REPLAY_SHIPPED, err);
    case EVENT_PAYMENT:
    case EVENT_KINDS:
        break;
    }
    return 0;
}

/* Verdicts first: where they are equal the stock is, too. */
static int
compare_plain(struct plain *p, bool exact, int64_t *different,
    struct err *err)
{
    struct fate *want;

    for (size_t i = 0; (want = table_next(&p->loop.fates, &i)) != NULL;) {
        const struct fate *got = replay_find(&p->audit->replay,
            span_of(want->id, want->id_len));

        if (got->said == want->reason
            || strcmp(answer(got->said), answer(want->reason)) == 0)
            continue;
        ++*different;
        if (!exact)
            continue;
        return err_set(err, AUDIT_DIFFERS, "order %s was told %s, the plain "
            "loop says %s", want->id, answer(got->said),
            answer(want->reason));
    }
    return exact ? compare_books(&p->loop.books, &p->audit->view, err) : 0;
}

int
audit_data(struct audit *a, struct sales *sales, bool exact,
    int64_t *different, struct err *err)
{
    struct plain p = {.audit = a};
    struct play_totals totals;
    int rc;

    *different = 0;
    replay_init(&p.loop);
    rc = play(sales, plain_event, &p, &totals, err);
    a->lines = totals.lines;
    if (rc == 0)
        rc = compare_plain(&p, exact, different, err);
    replay_release(&p.loop);
    return rc;
}

/* ---- as text ------------------------------------------------------------ */

static void
print_fate(struct json *j, const struct fate *f)
{
    json_kv_cstr(j, "kind", "order");
    json_kv_cstr(j, "id", f->id);
    json_kv_cstr(j, "check", f->said == NULL ? "PASS" : "FAIL");
    json_kv_cstr(j, "reason", f->said == NULL ? "" : f->said);
    if (f->state != 0)
        json_kv_cstr(j, "state", fate_state(f));
}

static void
print_book(struct json *j, const struct book *b)
{
    json_kv_cstr(j, "kind", "product");
    json_kv_cstr(j, "product", b->name);
    json_kv_int(j, "received", b->received);
    json_kv_int(j, "returned", b->returned);
    json_kv_int(j, "adjusted", b->adjusted);
    json_kv_int(j, "shipped", b->shipped);
    json_kv_int(j, "missing", b->missing);
    json_kv_int(j, "reserved", b->reserved);
    json_kv_int(j, "on_hand", b->on_hand);
}

int
audit_print(struct audit *a, FILE *to, struct err *err)
{
    struct buf line;
    struct json j;
    struct fate *f;
    struct book *b;
    size_t i;

    buf_init(&line, 64 * KIB);
    for (i = 0; (f = table_next(&a->replay.fates, &i)) != NULL;) {
        buf_clear(&line);
        json_init(&j, &line);
        json_object_begin(&j);
        print_fate(&j, f);
        json_object_end(&j);
        buf_put_u8(&line, '\n');
        fwrite(line.ptr, 1, line.len, to);
    }
    for (i = 0; (b = table_next(&a->view.by_name, &i)) != NULL;) {
        buf_clear(&line);
        json_init(&j, &line);
        json_object_begin(&j);
        print_book(&j, b);
        json_object_end(&j);
        buf_put_u8(&line, '\n');
        fwrite(line.ptr, 1, line.len, to);
    }
    buf_release(&line);
    return ferror(to) ? err_set(err, errno, "stdout") : 0;
}
