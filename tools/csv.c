/* csv.c: see csv.h. */
#include "config.h"

#include "csv.h"

#include "base/json.h"
#include "base/limits.h"

static bool
quotes_open(const struct buf *row)
{
    bool open = false;

    for (size_t i = 0; i < row->len; i++)
        open ^= row->ptr[i] == '"';
    return open;
}

/* One row, which is several lines when a quoted cell has newlines in it. */
static int
read_row(struct csv *c, struct buf *row, struct err *err)
{
    struct span line;
    int n;

    while ((n = lines_next(&c->lines, &line, err)) == 1) {
        if (row->len == 0 && line.len == 0)
            continue;            /* empty lines are no rows */
        if (row->len > 0)
            buf_put_u8(row, '\n');
        buf_put_span(row, line);
        if (row->failed)
            return err_set(err, ERR_LIMIT, "a row is too long");
        if (!quotes_open(row))
            break;
    }
    if (n == 0 && row->len > 0)
        return err_set(err, ERR_USAGE, "the last row has an open quote");
    if (row->len > 0 && row->ptr[row->len - 1] == '\r')
        row->len--;
    return n;
}

/* A cell from p on into the arena; returns where it ends. */
static const uint8_t *
read_cell(const uint8_t *p, const uint8_t *end, uint8_t *to, struct span *out)
{
    uint8_t *at = to;
    bool quoted = p < end && *p == '"';

    for (p += quoted; p < end; p++) {
        if (quoted && *p == '"') {
            if (p + 1 < end && p[1] == '"')
                p++;
            else {
                quoted = false;
                continue;
            }
        } else if (!quoted && *p == ',') {
            break;
        }
        *at++ = *p;
    }
    *out = span_of(to, (size_t)(at - to));
    return p;
}

static int
split(struct csv *c, struct span row, struct arena *a, size_t *count,
    struct err *err)
{
    const uint8_t *p = row.ptr, *end = p + row.len;
    uint8_t *room;

    for (*count = 0;; p++) {
        if (*count == CSV_COLUMNS_MAX)
            return err_set(err, ERR_LIMIT, "line %llu has over %d columns",
                (unsigned long long)c->lines.number, CSV_COLUMNS_MAX);
        room = arena_alloc(a, (size_t)(end - p) + 1);
        if (room == NULL)
            return err_set(err, ERR_LIMIT, "a row is too long");
        p = read_cell(p, end, room, &c->cells[(*count)++]);
        if (p == end)
            return 0;
    }
}

static int
next(struct csv *c, struct arena *a, size_t *count, struct err *err)
{
    struct buf row;
    int n;

    buf_init(&row, LINE_MAX_BYTES);
    n = read_row(c, &row, err);
    if (n == 1 && split(c, buf_span(&row), a, count, err) != 0)
        n = -1;
    buf_release(&row);
    return n;
}

int
csv_init(struct csv *c, int fd, struct err *err)
{
    struct span first;
    int n;

    memset(c, 0, sizeof *c);
    lines_init(&c->lines, fd);
    arena_init(&c->names_arena, 4 * MIB);
    arena_init(&c->row, 2 * (size_t)LINE_MAX_BYTES);
    n = next(c, &c->names_arena, &c->columns, err);
    if (n <= 0)
        return n < 0 ? -1 : err_set(err, ERR_USAGE, "the file is empty");
    first = c->cells[0];
    if (first.len >= 3 && memcmp(first.ptr, "\xef\xbb\xbf", 3) == 0)
        c->cells[0] = span_of(first.ptr + 3, first.len - 3);
    for (size_t i = 0; i < c->columns; i++) {
        c->names[i] = arena_strndup(&c->names_arena,
            (const char *)c->cells[i].ptr, c->cells[i].len);
        if (c->names[i] == NULL)
            return err_set(err, ERR_LIMIT, "the first line is too long");
    }
    return 0;
}

void
csv_release(struct csv *c)
{
    lines_release(&c->lines);
    arena_release(&c->names_arena);
    arena_release(&c->row);
}

int
csv_column(const struct csv *c, const char *name)
{
    for (size_t i = 0; i < c->columns; i++) {
        if (strcmp(c->names[i], name) == 0)
            return (int)i;
    }
    return -1;
}

int
csv_next(struct csv *c, struct err *err)
{
    size_t count;
    int n;

    arena_reset(&c->row);
    n = next(c, &c->row, &count, err);
    if (n == 1 && count != c->columns)
        return err_set(err, ERR_USAGE, "line %llu has %zu columns, not %zu",
            (unsigned long long)c->lines.number, count, c->columns);
    return n;
}

void
csv_json(const struct csv *c, struct buf *out)
{
    struct json j;

    json_init(&j, out);
    json_object_begin(&j);
    for (size_t i = 0; i < c->columns; i++) {
        json_key(&j, c->names[i]);
        json_span(&j, c->cells[i]);
    }
    json_object_end(&j);
}
