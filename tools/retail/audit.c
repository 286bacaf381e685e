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
        return err_set(err, AUDIT_DIFFERS, "a verdict for order %s, which "
            "nobody placed", v->order_id);
    }
    a->verdicts++;
    if (f->verdicts++ > 0) {
        return err_set(err, AUDIT_DIFFERS, "order %s has a second verdict",
            f->id);
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
    struct audit *a = h->audit;
    Shop__Order *o;

    if (decode(h, &shop__order__descriptor, &o, err) != 0)
        return -1;
    if (o == NULL)
        return 0;
    if (a->log != NULL)
        print_record(h, o, NULL);
    if (replay_order(&a->replay, h->record->partition, span_str(o->id),
            span_str(o->product), o->quantity, (int)o->state, err) != 0)
        return -1;
    if (a->first.code == 0)
        audit_fate(a, replay_find(&a->replay, span_str(o->id)), &a->first);
    return 0;
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
    if (book_audit(b, err) != 0) {
        err->code = AUDIT_DIFFERS;
        return -1;
    }
    if (front_int(v, "short") != over) {
        return err_set(err, AUDIT_DIFFERS, "%s: short is %" PRId64 ", not %"
            PRId64, key, front_int(v, "short"), over);
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
        return err_set(err, AUDIT_DIFFERS, "a reservation '%.100s' of no "
            "product", key);
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
        return err_set(err, AUDIT_DIFFERS, "%s: reserved is %" PRId64 ", its "
            "reservations are %" PRId64, b->name, b->reserved, b->held);
    }
    return 0;
}
