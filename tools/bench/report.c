/* report.c: see report.h. */
#include "config.h"

#include "bench/report.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/json.h"

void
report_init(struct report *r, const char *durability)
{
    r->rows = xcalloc(REPORT_ROWS_MAX, sizeof *r->rows);
    r->count = 0;
    r->durability = durability;
    r->against = NULL;
    r->peer_durability = "";
    r->on_peer = false;
}

void
report_release(struct report *r)
{
    free(r->rows);
    r->rows = NULL;
    r->count = 0;
}

static void
copy(char *to, size_t room, const char *from)
{
    snprintf(to, room, "%s", from != NULL ? from : "");
}

static struct report_row *
row_of(struct report *r, const struct figure *f)
{
    struct report_row *row;

    for (size_t i = 0; i < r->count; i++) {
        if (strcmp(r->rows[i].key, f->key) == 0
            && r->rows[i].peer == r->on_peer)
            return &r->rows[i];
    }
    assert(r->count < REPORT_ROWS_MAX);
    row = &r->rows[r->count++];
    copy(row->key, sizeof row->key, f->key);
    copy(row->name, sizeof row->name, f->name);
    copy(row->unit, sizeof row->unit, f->unit);
    copy(row->floor_is, sizeof row->floor_is,
        f->floor > 0 ? f->floor_is : NULL);
    copy(row->goal, sizeof row->goal, r->on_peer ? NULL : f->goal);
    row->peer = r->on_peer;
    return row;
}

void
report_add(struct report *r, const struct figure *f)
{
    struct report_row *row = row_of(r, f);

    assert(row->count < REPORT_REPEATS_MAX);
    row->values[row->count] = f->value;
    row->floors[row->count] = f->floor;
    row->count++;
}

/* ---- statistics --------------------------------------------------------- */

static int
ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

struct summary
report_summary(const double *values, int count)
{
    double v[REPORT_REPEATS_MAX];
    int half = count / 2;

    assert(count >= 1);
    assert(count <= REPORT_REPEATS_MAX);
    memcpy(v, values, (size_t)count * sizeof *v);
    qsort(v, (size_t)count, sizeof *v, ascending);
    return (struct summary){
        .median = count % 2 == 1 ? v[half] : (v[half - 1] + v[half]) / 2,
        .min = v[0],
        .max = v[count - 1]};
}

struct summary
report_value(const struct report_row *row)
{
    return report_summary(row->values, row->count);
}

struct summary
report_floor(const struct report_row *row)
{
    return report_summary(row->floors, row->count);
}

struct summary
report_ratio(const struct report_row *row)
{
    double ratios[REPORT_REPEATS_MAX];

    for (int i = 0; i < row->count; i++)
        ratios[i] = row->floors[i] > 0 ? row->values[i] / row->floors[i] : 0;
    return report_summary(ratios, row->count);
}

/* ---- two brokers -------------------------------------------------------- */

const struct report_row *
report_other(const struct report *r, const struct report_row *row)
{
    for (size_t i = 0; i < r->count; i++) {
        if (r->rows[i].peer != row->peer
            && strcmp(r->rows[i].key, row->key) == 0)
            return &r->rows[i];
    }
    return NULL;
}

/* A loss in percent may be 0 or less: no quotient of it says anything. */
bool
report_against(const struct report *r, const struct report_row *ours,
    struct summary *out)
{
    const struct report_row *theirs = report_other(r, ours);
    double ratios[REPORT_REPEATS_MAX];
    int count = 0;

    if (theirs == NULL || ours->peer || strcmp(ours->unit, "%") == 0)
        return false;
    for (int i = 0; i < ours->count && i < theirs->count; i++) {
        if (theirs->values[i] > 0)
            ratios[count++] = ours->values[i] / theirs->values[i];
    }
    if (count > 0)
        *out = report_summary(ratios, count);
    return count > 0;
}

/* *iter counts rows twice: 2 i is row i, 2 i + 1 the peer's beside it. */
const struct report_row *
report_next(const struct report *r, size_t *iter)
{
    for (; *iter < 2 * r->count; ++*iter) {
        const struct report_row *row = &r->rows[*iter / 2];
        const struct report_row *other = report_other(r, row);

        if (*iter % 2 == 0 && (!row->peer || other == NULL)) {
            ++*iter;
            return row;
        }
        if (*iter % 2 == 1 && !row->peer && other != NULL) {
            ++*iter;
            return other;
        }
    }
    return NULL;
}

/* ---- as text ------------------------------------------------------------ */

void
report_number(struct buf *out, double v)
{
    double size = fabs(v);

    if (!isfinite(v))
        buf_put_str(out, "null");
    else if (size >= 100 || size == 0)
        buf_printf(out, "%.0f", v);
    else if (size >= 10)
        buf_printf(out, "%.1f", v);
    else if (size >= 1)
        buf_printf(out, "%.2f", v);
    else
        buf_printf(out, "%.4f", v);
}

static void
number(struct json *j, const char *key, double v)
{
    struct buf text;

    buf_init(&text, 64);
    report_number(&text, v);
    json_key(j, key);
    json_raw(j, buf_span(&text));
    buf_release(&text);
}

static void
text_if_any(struct json *j, const char *key, const char *text)
{
    if (text[0] != '\0')
        json_kv_cstr(j, key, text);
}

static void
row_json(const struct report *r, const struct report_row *row, struct json *j)
{
    struct summary v = report_value(row), f = report_floor(row), a;
    const struct report_row *other = report_other(r, row);

    json_object_begin(j);
    json_kv_cstr(j, "key", row->key);
    json_kv_cstr(j, "name", row->name);
    json_kv_cstr(j, "broker", row->peer ? r->against : "penstock");
    number(j, "value", v.median);
    json_kv_cstr(j, "unit", row->unit);
    number(j, "min", v.min);
    number(j, "max", v.max);
    json_kv_int(j, "count", row->count);
    if (f.median > 0) {
        number(j, "floor", f.median);
        number(j, "ratio", report_ratio(row).median);
    }
    text_if_any(j, "floor_is", row->floor_is);
    text_if_any(j, "goal", row->goal);
    text_if_any(j, "durability",
        row->peer ? r->peer_durability : r->durability);
    if (!row->peer && other != NULL)
        number(j, "peer", report_value(other).median);
    if (report_against(r, row, &a)) {
        number(j, "against", a.median);
        number(j, "against_min", a.min);
        number(j, "against_max", a.max);
    }
    json_object_end(j);
}

/* Each figure by its key; the peer's have "peer_" before it. */
static void
figures_json(const struct report *r, struct json *j)
{
    char key[sizeof r->rows->key + 8];

    for (size_t i = 0; i < r->count; i++) {
        const struct report_row *row = &r->rows[i];

        snprintf(key, sizeof key, "%s%s", row->peer ? "peer_" : "", row->key);
        number(j, key, report_value(row).median);
    }
}

void
report_json(const struct report *r, struct buf *out)
{
    const struct report_row *row;
    struct json j;
    size_t iter = 0;

    json_init(&j, out);
    json_object_begin(&j);
    json_kv_cstr(&j, "version", PACKAGE_VERSION);
    json_kv_int(&j, "cores", sysconf(_SC_NPROCESSORS_ONLN));
    json_kv_cstr(&j, "durability", r->durability);
    if (r->against != NULL)
        json_kv_cstr(&j, "against", r->against);
    figures_json(r, &j);
    json_key(&j, "rows");
    json_array_begin(&j);
    while ((row = report_next(r, &iter)) != NULL)
        row_json(r, row, &j);
    json_array_end(&j);
    json_object_end(&j);
    buf_put_u8(out, '\n');
}
