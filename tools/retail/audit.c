/* audit.c: see audit.h. */
#include "config.h"

#include "retail/audit.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/check.h"
#include "base/json.h"
#include "base/limits.h"
#include "cli.h"
#include "client/reader.h"
#include "payload.h"
#include "proto/shop.pb-c.h"
#include "retail/front.h"
#include "retail/play.h"
#include "serde/pb.h"

#define BY_PRODUCT "inventory-by-product-repartition"
#define HEADER_SOURCE "ps.in"    /* which source of the gather: 0, 1 */

enum { POLL_MS = 500 };

int
audit_open(struct audit *a, const struct cli *cli, struct err *err)
{
    *a = (struct audit){.cli = cli};
    replay_init(&a->replay);
    books_init(&a->view);
    a->client = cli_client(cli, err);
    return a->client == NULL ? -1 : 0;
}

void
audit_close(struct audit *a)
{
    if (a->cli == NULL)
        return;
    client_close(a->client);
    replay_release(&a->replay);
    books_release(&a->view);
}

/* ---- reading topics ----------------------------------------------------- */

/* A record with its message, which may be NULL: a tombstone. */
struct heard {
    struct audit *audit;
    const struct reader_record *record;
    struct arena arena;
};

typedef int (*heard_fn)(struct heard *, struct err *);

/* Protobuf or JSON. */
static int
decode(struct heard *h, const ProtobufCMessageDescriptor *type, void *out,
    struct err *err)
{
    const struct payload_type *payload;
    struct span value = h->record->record.value, key;
    ProtobufCMessage **message = out;

    *message = NULL;
    if (value.ptr == NULL)
        return 0;
    if (value.len > 0 && value.ptr[0] == '{') {
        payload = payload_of_message(type->name, err);
        if (payload == NULL
            || payload_read(payload, value, &h->arena, &value, &key, err) != 0)
            return -1;
    }
    return pb_decode(type, value, &h->arena, message, err);
}

static int
hear(struct heard *h, struct reader *r, heard_fn fn, struct err *err)
{
    struct reader_record record;
    int n;

    h->record = &record;
    while ((n = reader_next(r, &record, err)) == 1) {
        arena_reset(&h->arena);
        if (fn(h, err) != 0)
            return err_prefix(err, "%s/%d at %" PRId64, record.topic->name,
                record.partition, record.record.offset);
    }
    return n;
}

/* All records that are there now, in the order of each partition. */
static int
read_topic(struct audit *a, const struct client_topic *t,
    const int64_t *begin, heard_fn fn, struct err *err)
{
    int64_t *end = xcalloc((size_t)t->partitions, sizeof *end);
    struct heard h = {.audit = a};
    struct reader *r = reader_new(a->client, t);
    int rc = client_offsets_of(a->client, t, OFFSET_END, end, err);

    arena_init(&h.arena, 64 * MIB);
    for (int32_t i = 0; rc == 0 && i < t->partitions; i++)
        reader_seek(r, i, begin[i], end[i]);
    while (rc == 0 && !reader_done(r)) {
        if (cli_stop)
            rc = err_set(err, EINTR, "stopped");
        else
            rc = reader_poll(r, POLL_MS, err);
        if (rc == 0)
            rc = hear(&h, r, fn, err);
    }
    reader_free(r);
    arena_release(&h.arena);
    free(end);
    return rc;
}

static int
read_all(struct audit *a, const char *name, heard_fn fn, bool *whole,
    struct err *err)
{
    const struct client_topic *t = client_topic(a->client, name, err);
    int64_t *begin;
    int rc;

    if (t == NULL)
        return -1;
    begin = xcalloc((size_t)t->partitions, sizeof *begin);
    rc = client_offsets_of(a->client, t, OFFSET_BEGIN, begin, err);
    *whole = true;
    for (int32_t i = 0; i < t->partitions; i++)
        *whole &= begin[i] == 0;
    if (rc == 0)
        rc = read_topic(a, t, begin, fn, err);
    free(begin);
    return rc;
}

static int
differs(struct err *err)
{
    err->code = AUDIT_DIFFERS;
    return -1;
}

/* ---- orders and verdicts ------------------------------------------------ */

static int
hear_order(struct heard *h, struct err *err)
{
    struct audit *a = h->audit;
    Shop__Order *o;
    struct fate *f;

    if (decode(h, &shop__order__descriptor, &o, err) != 0)
        return -1;
    if (o == NULL || o->state != SHOP__ORDER__STATE__CREATED
        || o->id[0] == '\0')
        return 0;
    f = replay_fate(&a->replay, span_str(o->id));
    a->asked += !f->asked;
    f->asked = true;
    return 0;
}

int
audit_orders(struct audit *a, struct err *err)
{
    bool whole;

    if (read_all(a, "orders", hear_order, &whole, err) != 0)
        return -1;
    return whole ? 0 : err_set(err, ERR_LIMIT, "the first orders are gone by "
        "the topic's retention: nothing can be said of them");
}

/* The few words that there are, so that a fate need not own its own. */
static const char *
word(const char *reason)
{
    static const char *const words[] = {"BAD_QUANTITY", "UNKNOWN_PRODUCT",
        "DISCONTINUED", "OUT_OF_STOCK"};

    for (size_t i = 0; i < countof(words); i++) {
        if (strcmp(words[i], reason) == 0)
            return words[i];
    }
    return "?";
}

static int
hear_verdict(struct heard *h, struct err *err)
{
    struct audit *a = h->audit;
    Shop__OrderValidation *v;
    struct fate *f;

    if (decode(h, &shop__order_validation__descriptor, &v, err) != 0)
        return -1;
    if (v == NULL || v->check != SHOP__CHECK__INVENTORY)
        return 0;
    f = replay_find(&a->replay, span_str(v->order_id));
    if (f == NULL || !f->asked) {
        err_set(err, 0, "a verdict for order %s, which nobody placed",
            v->order_id);
        return differs(err);
    }
    a->verdicts++;
    if (f->verdicts++ > 0) {
        err_set(err, 0, "order %s has a second verdict", f->id);
        return differs(err);
    }
    if (v->result == SHOP__RESULT__PASS)
        a->passed++;
    else
        f->said = word(v->reason);
    return 0;
}

int
audit_verdicts(struct audit *a, struct err *err)
{
    bool whole;

    return read_all(a, "order-validations", hear_verdict, &whole, err);
}

/* ---- the log ------------------------------------------------------------ */

/* 0: orders, 1: movements; -1: the record does not say. */
static int
source_of(const struct record *r)
{
    struct span rest = r->headers, name, value;

    for (int32_t i = 0; i < r->header_count; i++) {
        if (headers_next(&rest, &name, &value) != 1)
            return -1;
        if (span_eq(name, span_str(HEADER_SOURCE)) && value.len == 1)
            return value.ptr[0];
    }
    return -1;
}

static void
print_place(struct json *j, const struct reader_record *r, const char *kind)
{
    json_object_begin(j);
    json_kv_int(j, "partition", r->partition);
    json_kv_int(j, "offset", r->record.offset);
    json_kv_cstr(j, "kind", kind);
}

/* A movement without an id counts each time: in text it gets its place. */
static void
print_record(struct heard *h, const Shop__Order *o, const Shop__Movement *m)
{
    const struct reader_record *r = h->record;
    const ProtobufCEnumValue *state;
    struct buf line;
    struct json j;

    buf_init(&line, 64 * KIB);
    json_init(&j, &line);
    print_place(&j, r, o != NULL ? "order" : "movement");
    if (o != NULL) {
        state = protobuf_c_enum_descriptor_get_value(
            &shop__order__state__descriptor, (int)o->state);
        json_kv_cstr(&j, "id", o->id);
        json_kv_cstr(&j, "product", o->product);
        json_kv_int(&j, "quantity", o->quantity);
        json_kv_cstr(&j, "state", state == NULL ? "" : state->name);
    } else {
        json_kv_cstr(&j, "id", m->id[0] != '\0' ? m->id
            : arena_printf(&h->arena, "@%d-%" PRId64, r->partition,
                  r->record.offset));
        json_key(&j, "product");
        json_span(&j, r->record.key);
        json_kv_cstr(&j, "type", move_name((enum move)m->kind));
        json_kv_int(&j, "quantity", m->quantity);
    }
    json_object_end(&j);
    buf_put_u8(&line, '\n');
    fwrite(line.ptr, 1, line.len, h->audit->log);
    buf_release(&line);
}

static int
hear_transition(struct heard *h, struct err *err)
{
    Shop__Order *o;

    if (decode(h, &shop__order__descriptor, &o, err) != 0)
        return -1;
    if (o == NULL)
        return 0;
    if (h->audit->log != NULL)
        print_record(h, o, NULL);
    return replay_order(&h->audit->replay, h->record->partition,
        span_str(o->id), span_str(o->product), o->quantity, (int)o->state,
        err);
}

static int
hear_movement(struct heard *h, struct err *err)
{
    Shop__Movement closing = SHOP__MOVEMENT__INIT, *m;

    closing.kind = SHOP__MOVEMENT__KIND__CLOSE;
    if (decode(h, &shop__movement__descriptor, &m, err) != 0)
        return -1;
    if (m == NULL)
        m = &closing;
    if (h->audit->log != NULL)
        print_record(h, NULL, m);
    return replay_movement(&h->audit->replay, h->record->partition,
        h->record->record.key, span_str(m->id), (enum move)m->kind,
        m->quantity, err);
}

static int
hear_by_product(struct heard *h, struct err *err)
{
    switch (source_of(&h->record->record)) {
    case 0:
        return hear_transition(h, err);
    case 1:
        return hear_movement(h, err);
    default:
        return err_set(err, ERR_FORMAT, "a record that does not say where "
            "it is from");
    }
}

int
audit_log(struct audit *a, struct err *err)
{
    const struct client_topic *t = client_topic(a->client, BY_PRODUCT, err);
    int64_t *begin;
    int rc;

    if (t == NULL)
        return -1;
    begin = xcalloc((size_t)t->partitions, sizeof *begin);
    rc = client_offsets_of(a->client, t, OFFSET_BEGIN, begin, err);
    a->kept = true;
    for (int32_t i = 0; i < t->partitions; i++)
        a->kept &= begin[i] == 0;
    if (rc == 0 && a->kept)
        rc = read_topic(a, t, begin, hear_by_product, err);
    free(begin);
    return rc;
}

/* ---- the views ---------------------------------------------------------- */

static int
see_stock(void *arg, const char *key, const json_t *v, struct err *err)
{
    struct audit *a = arg;
    struct book *b = books_make(&a->view, span_str(key));
    int64_t over;

    b->on_hand = front_int(v, "onHand");
    b->reserved = front_int(v, "reserved");
    b->received = front_int(v, "received");
    b->returned = front_int(v, "returned");
    b->adjusted = front_int(v, "adjusted");
    b->shipped = front_int(v, "shipped");
    b->missing = front_int(v, "missing");
    over = b->reserved > b->on_hand ? b->reserved - b->on_hand : 0;
    if (book_audit(b, err) != 0)
        return differs(err);
    if (front_int(v, "short") != over) {
        err_set(err, 0, "%s: short is %" PRId64 ", not %" PRId64, key,
            front_int(v, "short"), over);
        return differs(err);
    }
    return 0;
}

/* "4:ipad:1": the length of the product, the product, the order. */
static int
see_held(void *arg, const char *key, const json_t *v, struct err *err)
{
    struct audit *a = arg;
    struct book *b = NULL;
    char *name;
    unsigned long len = strtoul(key, &name, 10);

    if (*name == ':' && len < strlen(name + 1))
        b = books_find(&a->view, span_of(name + 1, len));
    if (b == NULL) {
        err_set(err, 0, "a reservation '%.100s' of no product", key);
        return differs(err);
    }
    b->held += front_int(v, "quantity");
    a->held++;
    return 0;
}

int
audit_stock(struct audit *a, struct err *err)
{
    struct book *b;

    if (front_rows(a->cli, "stock", see_stock, a, err) != 0
        || front_rows(a->cli, "reservations", see_held, a, err) != 0)
        return -1;
    for (size_t i = 0; (b = table_next(&a->view.by_name, &i)) != NULL;) {
        if (b->held == b->reserved)
            continue;
        err_set(err, 0, "%s: reserved is %" PRId64 ", its reservations are %"
            PRId64, b->name, b->reserved, b->held);
        return differs(err);
    }
    return 0;
}

/* ---- comparing ---------------------------------------------------------- */

static const char *
answer(const char *reason)
{
    return reason == NULL ? "PASS" : reason;
}

static int
compare_fate(const struct audit *a, const struct fate *f, struct err *err)
{
    if (f->asked && f->verdicts == 0)
        err_set(err, 0, "order %s has no verdict", f->id);
    else if (!a->kept)
        return 0;
    else if (f->asked && f->state == 0)
        err_set(err, 0, "order %s is not in the log of its product", f->id);
    else if (!f->asked)
        err_set(err, 0, "order %s is in a log, but nobody placed it", f->id);
    else if (f->said == NULL && f->reason != NULL)
        err_set(err, 0, "oversold: order %s PASSed, the replay says %s",
            f->id, f->reason);
    else if (f->said != f->reason
        && strcmp(answer(f->said), answer(f->reason)) != 0)
        err_set(err, 0, "order %s was told %s, the replay says %s", f->id,
            answer(f->said), answer(f->reason));
    else
        return 0;
    return differs(err);
}

int
audit_compare(struct audit *a, struct err *err)
{
    struct fate *f;

    for (size_t i = 0; (f = table_next(&a->replay.fates, &i)) != NULL;) {
        if (compare_fate(a, f, err) != 0)
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
            err_set(err, 0, "product %s has no row in the view", b->name);
        else
            err_set(err, 0, "product %s: %" PRId64 " on hand, %" PRId64
                " reserved, %" PRId64 " shipped; expected %" PRId64 ", %"
                PRId64 ", %" PRId64, b->name, g->on_hand, g->reserved,
                g->shipped, b->on_hand, b->reserved, b->shipped);
        return differs(err);
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
        err_set(err, 0, "product %s is in the view, but in no log", b->name);
        return differs(err);
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
            err_set(err, 0, "order %s is lost", e->id);
            return differs(err);
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
        err_set(err, 0, "order %s was told %s, the plain loop says %s",
            want->id, answer(got->said), answer(want->reason));
        return differs(err);
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
