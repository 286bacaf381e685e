/* sheet.c: see sheet.h. */
#include "config.h"

#include "sheet.h"

#include <assert.h>
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/json.h"

enum kind { TEXT, NUMBER, JSON, NONE };

struct sheet_cell {
    size_t pos, len;             /* in text */
    enum kind kind;
};

void
sheet_init(struct sheet *s, FILE *to, enum output output, bool color,
    const char *const *columns)
{
    memset(s, 0, sizeof *s);
    s->to = to;
    s->output = output;
    s->color = color;
    s->columns = columns;
    while (columns[s->column_count] != NULL)
        s->column_count++;
    buf_init(&s->text, SIZE_MAX / 2);
}

/* ---- cells to text ------------------------------------------------------ */

/* How many bytes of UTF-8 begin here that may be printed; 0: none. */
static size_t
printable(struct span s)
{
    size_t n = s.ptr[0] < 0x80 ? 1 : s.ptr[0] < 0xe0 ? 2
        : s.ptr[0] < 0xf0 ? 3 : 4;

    if (s.ptr[0] < 0x20 || s.ptr[0] == 0x7f || n > s.len)
        return 0;
    /* C1 controls are two bytes, C2 80 to C2 9F */
    if (s.ptr[0] == 0xc2 && n == 2 && s.ptr[1] < 0xa0)
        return 0;
    return utf8_valid(span_of(s.ptr, n)) ? n : 0;
}

void
sheet_escape(struct buf *out, struct span s)
{
    size_t n;

    for (; s.len > 0; s.ptr += n, s.len -= n) {
        n = printable(s);
        if (n > 0) {
            if (*s.ptr == '\\')
                buf_put_u8(out, '\\');
            buf_put(out, s.ptr, n);
            continue;
        }
        n = 1;
        if (*s.ptr == '\n')
            buf_put_str(out, "\\n");
        else if (*s.ptr == '\t')
            buf_put_str(out, "\\t");
        else if (*s.ptr == '\r')
            buf_put_str(out, "\\r");
        else
            buf_printf(out, "\\x%02x", *s.ptr);
    }
}

static struct span
cell_span(const struct sheet *s, const struct sheet_cell *c)
{
    return span_of(s->text.ptr + c->pos, c->len);
}

static void
cell_json(const struct sheet *s, const struct sheet_cell *c, struct json *j)
{
    if (c->kind == NONE)
        json_nil(j);
    else if (c->kind == TEXT)
        json_span(j, cell_span(s, c));
    else
        json_raw(j, cell_span(s, c));
}

/* ---- rows --------------------------------------------------------------- */

static void
row_object(struct sheet *s, const struct sheet_cell *row, struct buf *out)
{
    struct json j;

    json_init(&j, out);
    json_object_begin(&j);
    for (size_t i = 0; i < s->column_count; i++) {
        json_key(&j, s->columns[i]);
        cell_json(s, &row[i], &j);
    }
    json_object_end(&j);
}

static void
row_tsv(struct sheet *s, const struct sheet_cell *row, struct buf *out)
{
    for (size_t i = 0; i < s->column_count; i++) {
        if (i > 0)
            buf_put_u8(out, '\t');
        sheet_escape(out, cell_span(s, &row[i]));
    }
}

/* Everything but tables is written row by row. */
static void
write_row(struct sheet *s)
{
    struct buf line;

    buf_init(&line, SIZE_MAX / 2);
    switch (s->output) {
    case OUTPUT_JSON:
        buf_put_str(&line, s->began ? ",\n " : "[");
        row_object(s, s->cells, &line);
        break;
    case OUTPUT_NDJSON:
        row_object(s, s->cells, &line);
        buf_put_u8(&line, '\n');
        break;
    case OUTPUT_TSV:
        row_tsv(s, s->cells, &line);
        buf_put_u8(&line, '\n');
        break;
    case OUTPUT_RAW:
    case OUTPUT_TABLE:
        buf_put_span(&line, cell_span(s, s->cells));
        buf_put_u8(&line, '\n');
        break;
    }
    fwrite(line.ptr, 1, line.len, s->to);
    buf_release(&line);
    s->began = true;
    s->count = 0;
    buf_clear(&s->text);
}

/* A cell of `len` bytes that stand at `pos` in text. */
static void
add(struct sheet *s, size_t pos, enum kind kind)
{
    if (s->count == s->room) {
        s->room = s->room * 2 + 64;
        s->cells = xrealloc(s->cells, s->room * sizeof *s->cells);
    }
    s->cells[s->count++] = (struct sheet_cell){pos, s->text.len - pos, kind};
    if (s->output != OUTPUT_TABLE && s->count == s->column_count)
        write_row(s);
}

void
sheet_span(struct sheet *s, struct span text)
{
    size_t pos = s->text.len;

    if (text.ptr == NULL) {
        add(s, pos, NONE);
        return;
    }
    if (s->output == OUTPUT_TABLE)
        sheet_escape(&s->text, text);
    else
        buf_put_span(&s->text, text);
    add(s, pos, TEXT);
}

void
sheet_cstr(struct sheet *s, const char *text)
{
    sheet_span(s, span_str(text));
}

void
sheet_int(struct sheet *s, int64_t v)
{
    size_t pos = s->text.len;

    buf_printf(&s->text, "%lld", (long long)v);
    add(s, pos, NUMBER);
}

void
sheet_null(struct sheet *s)
{
    add(s, s->text.len, NONE);
}

void
sheet_json(struct sheet *s, struct span text, bool number)
{
    size_t pos = s->text.len;

    buf_put_span(&s->text, text);
    add(s, pos, number ? NUMBER : JSON);
}

/* ---- the table ---------------------------------------------------------- */

/* Places on a screen; characters of double width are counted as one. */
static size_t
width(struct span s)
{
    size_t n = 0;

    for (size_t i = 0; i < s.len; i++)
        n += (s.ptr[i] & 0xc0) != 0x80;
    return n;
}

static struct span
table_text(const struct sheet *s, const struct sheet_cell *c)
{
    return c->kind == NONE || c->len == 0 ? span_str("-") : cell_span(s, c);
}

static void
pad(struct buf *out, size_t n)
{
    while (n-- > 0)
        buf_put_u8(out, ' ');
}

static void
put_cell(struct buf *out, struct span text, size_t size, bool right, bool last)
{
    size_t w = width(text), blank = w < size ? size - w : 0;

    if (right)
        pad(out, blank);
    buf_put_span(out, text);
    if (!right && !last)
        pad(out, blank);
    if (!last)
        pad(out, 2);
}

enum { TITLE_MAX = 64 };

/* onHand and on_hand become ON-HAND. */
static void
title_of(const char *name, char *to)
{
    char *end = to + TITLE_MAX - 2;
    bool lower = false;

    for (; *name != '\0' && to < end; name++) {
        if (lower && isupper((unsigned char)*name))
            *to++ = '-';
        lower = islower((unsigned char)*name) != 0;
        *to++ = *name == '_' ? '-' : (char)toupper((unsigned char)*name);
    }
    *to = '\0';
}

static void
put_header(struct sheet *s, const size_t *sizes, const bool *right,
    struct buf *out)
{
    char title[TITLE_MAX];

    if (s->color)
        buf_put_str(out, "\033[1m");
    for (size_t i = 0; i < s->column_count; i++) {
        title_of(s->columns[i], title);
        put_cell(out, span_str(title), sizes[i], right[i],
            i + 1 == s->column_count);
    }
    buf_put_str(out, s->color ? "\033[0m\n" : "\n");
}

static void
write_table(struct sheet *s)
{
    size_t n = s->column_count;
    size_t *sizes = xcalloc(n, sizeof *sizes);
    bool *right = xcalloc(n, sizeof *right);
    struct buf out;

    for (size_t i = 0; i < n; i++) {
        char title[TITLE_MAX];

        title_of(s->columns[i], title);
        sizes[i] = strlen(title);
        right[i] = s->count > 0;
    }
    for (size_t i = 0; i < s->count; i++) {
        size_t w = width(table_text(s, &s->cells[i]));

        if (w > sizes[i % n])
            sizes[i % n] = w;
        right[i % n] &= s->cells[i].kind == NUMBER || s->cells[i].kind == NONE;
    }
    buf_init(&out, SIZE_MAX / 2);
    put_header(s, sizes, right, &out);
    for (size_t i = 0; i < s->count; i++) {
        bool last = i % n == n - 1;

        put_cell(&out, table_text(s, &s->cells[i]), sizes[i % n], right[i % n],
            last);
        if (last)
            buf_put_u8(&out, '\n');
    }
    fwrite(out.ptr, 1, out.len, s->to);
    buf_release(&out);
    free(sizes);
    free(right);
}

void
sheet_end(struct sheet *s)
{
    assert(s->count % s->column_count == 0);
    if (s->output == OUTPUT_TABLE)
        write_table(s);
    else if (s->output == OUTPUT_JSON)
        fputs(s->began ? "]\n" : "[]\n", s->to);
    buf_release(&s->text);
    free(s->cells);
    s->cells = NULL;
}
