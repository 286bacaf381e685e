#include "config.h"
#include "record/kerr.h"

#include <stddef.h>

#include "base/check.h"

struct kerr_row {
    const char *name;
    const char *text;
    int code;
    bool retriable;
};

static const struct kerr_row rows[] = {
#define X(name, code, retriable, text) {#name, text, code, retriable},
#include "record/kerr.tbl"
#undef X
};

/* The codes are dense from -1 on and the table keeps their order, so a row
 * is found by its code. */
static const struct kerr_row *
kerr_row(int code)
{
    const struct kerr_row *r;

    if (code < -1 || code >= (int)countof(rows) - 1)
        return NULL;
    r = &rows[code + 1];
    assert(r->code == code);
    return r;
}

const char *
kerr_name(int code)
{
    const struct kerr_row *r = kerr_row(code);

    return r == NULL ? "UNKNOWN" : r->name;
}

bool
kerr_retriable(int code)
{
    const struct kerr_row *r = kerr_row(code);

    return r != NULL && r->retriable;
}

const char *
kerr_text(int code)
{
    const struct kerr_row *r = kerr_row(code);

    return r == NULL ? "Kafka 4.2 defines no such code." : r->text;
}
