/* sales.c: see sales.h. */
#include "config.h"

#include "retail/sales.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/alloc.h"
#include "base/check.h"
#include "base/json.h"
#include "csv.h"
#include "parse.h"
#include "retail/gunzip.h"

enum column { INVOICE, PRODUCT, QUANTITY, DATE, PRICE, CUSTOMER, COLUMNS };

static const char *const names[COLUMNS] = {"InvoiceNo", "StockCode",
    "Quantity", "InvoiceDate", "UnitPrice", "CustomerID"};

struct sales {
    struct sales_conf conf;
    struct own *own;
    struct gunzip *gunzip;
    struct csv *csv;
    int columns[COLUMNS];
    int64_t count;               /* given out */
    int64_t at_last;
};

/* ---- text --------------------------------------------------------------- */

int
sale_micros(const char *text, int64_t *out, struct err *err)
{
    const char *p = text + (*text == '-');
    int64_t v = 0;
    int digits = 0, decimals = -1;

    for (; *p != '\0'; p++) {
        if (*p == '.' && decimals < 0) {
            decimals = 0;
            continue;
        }
        if (*p < '0' || *p > '9' || decimals == 6 || v > INT64_MAX / 100)
            goto bad;
        v = v * 10 + (*p - '0');
        digits++;
        decimals += decimals >= 0;
    }
    if (digits == 0)
        goto bad;
    for (decimals = decimals < 0 ? 0 : decimals; decimals < 6; decimals++) {
        if (v > INT64_MAX / 100)
            goto bad;
        v *= 10;
    }
    *out = *text == '-' ? -v : v;
    return 0;
bad:
    return err_set(err, ERR_USAGE, "'%.40s' is no price", text);
}

/* Digits at fixed places; -1: something else stands there. */
static int
digits_at(const char *text, int from, int count)
{
    int v = 0;

    for (int i = from; i < from + count; i++) {
        if (text[i] < '0' || text[i] > '9')
            return -1;
        v = v * 10 + (text[i] - '0');
    }
    return v;
}

int
sale_instant(const char *text, int64_t *out, struct err *err)
{
    struct tm tm = {0}, was;

    if (strlen(text) != 19 || text[4] != '-' || text[7] != '-'
        || text[10] != ' ' || text[13] != ':' || text[16] != ':')
        goto bad;
    tm.tm_year = digits_at(text, 0, 4) - 1900;
    tm.tm_mon = digits_at(text, 5, 2) - 1;
    tm.tm_mday = digits_at(text, 8, 2);
    tm.tm_hour = digits_at(text, 11, 2);
    tm.tm_min = digits_at(text, 14, 2);
    tm.tm_sec = digits_at(text, 17, 2);
    was = tm;
    *out = (int64_t)timegm(&tm) * 1000;
    /* timegm() makes the 1st of March of a 29th of February that was none */
    if (was.tm_year < 0 || was.tm_mday != tm.tm_mday || was.tm_mon != tm.tm_mon
        || was.tm_hour != tm.tm_hour || was.tm_min != tm.tm_min
        || was.tm_sec != tm.tm_sec)
        goto bad;
    return 0;
bad:
    return err_set(err, ERR_USAGE, "'%.40s' is no time: YYYY-MM-DD HH:MM:SS",
        text);
}

static int
copy_cell(const struct sales *s, enum column c, char *out, struct err *err)
{
    struct span cell = s->csv->cells[s->columns[c]];

    if (cell.len > SALE_TEXT_MAX || !utf8_valid(cell)
        || memchr(cell.ptr, '\0', cell.len) != NULL)
        return err_set(err, ERR_USAGE, "%s is too long, or no text",
            names[c]);
    memcpy(out, cell.ptr, cell.len);
    out[cell.len] = '\0';
    return 0;
}

static int
read_sale(struct sales *s, struct sale *out, struct err *err)
{
    char text[SALE_TEXT_MAX + 1];
    int64_t amount;

    if (copy_cell(s, INVOICE, out->invoice, err) != 0
        || copy_cell(s, PRODUCT, out->product, err) != 0
        || copy_cell(s, CUSTOMER, out->customer, err) != 0
        || copy_cell(s, QUANTITY, text, err) != 0
        || parse_int(text, INT32_MIN + 1, INT32_MAX, &out->quantity, err) != 0
        || copy_cell(s, PRICE, text, err) != 0
        || sale_micros(text, &out->price, err) != 0
        || copy_cell(s, DATE, text, err) != 0
        || sale_instant(text, &out->at, err) != 0)
        return -1;
    if (out->quantity == 0)
        return err_set(err, ERR_USAGE, "Quantity is 0");
    if (out->invoice[0] == '\0' || out->product[0] == '\0')
        return err_set(err, ERR_USAGE, "InvoiceNo or StockCode is empty");
    if (out->at < s->at_last)
        return err_set(err, ERR_USAGE, "InvoiceDate goes back");
    if (__builtin_mul_overflow(out->quantity, out->price, &amount))
        return err_set(err, ERR_USAGE, "Quantity x UnitPrice is too large");
    s->at_last = out->at;
    return 0;
}

/* ---- the file ----------------------------------------------------------- */

static int
shut(struct sales *s, struct err *err)
{
    int rc;

    if (s->csv != NULL)
        csv_release(s->csv);
    free(s->csv);
    s->csv = NULL;
    rc = gunzip_close(s->gunzip, err);
    s->gunzip = NULL;
    return rc;
}

static int
open_file(struct sales *s, struct err *err)
{
    s->gunzip = gunzip_open(s->conf.file, err);
    if (s->gunzip == NULL)
        return -1;
    s->csv = xcalloc(1, sizeof *s->csv);
    if (csv_init(s->csv, gunzip_fd(s->gunzip), err) != 0)
        return err_prefix(err, "%s", s->conf.file);
    for (int c = 0; c < COLUMNS; c++) {
        s->columns[c] = csv_column(s->csv, names[c]);
        if (s->columns[c] < 0)
            return err_set(err, ERR_USAGE, "%s: there is no column %s",
                s->conf.file, names[c]);
    }
    return 0;
}

int
sales_rewind(struct sales *s, struct err *err)
{
    s->count = 0;
    s->at_last = INT64_MIN;
    if (s->own != NULL) {
        own_rewind(s->own);
        return 0;
    }
    shut(s, NULL);               /* it may not have been read to its end */
    return open_file(s, err);
}

struct sales *
sales_open(const struct sales_conf *conf, struct err *err)
{
    struct sales *s = xcalloc(1, sizeof *s);

    s->conf = *conf;
    if (conf->file == NULL)
        s->own = own_new(conf);
    if (sales_rewind(s, err) == 0)
        return s;
    sales_close(s);
    return NULL;
}

void
sales_close(struct sales *s)
{
    if (s == NULL)
        return;
    shut(s, NULL);
    own_free(s->own);
    free(s);
}

int
sales_next(struct sales *s, struct sale *out, struct err *err)
{
    struct err cut;
    int n;

    if (s->count >= s->conf.lines)
        return 0;
    if (s->own != NULL) {
        s->count++;
        return own_next(s->own, out);
    }
    if (s->csv == NULL)
        return 0;
    n = csv_next(s->csv, err);
    if (n == 1 && read_sale(s, out, err) != 0)
        n = err_prefix(err, "line %llu",
            (unsigned long long)s->csv->lines.number);
    if (n < 0)
        err_prefix(err, "%s", s->conf.file);
    /* A line may be bad because the file was cut: that is then the reason. */
    if (n <= 0 && shut(s, &cut) != 0) {
        *err = cut;
        n = -1;
    }
    s->count += n == 1;
    return n;
}
