/*
 * views.h: JSON from the HTTP front as tables.
 */
#ifndef TOOLS_VIEWS_H
#define TOOLS_VIEWS_H

#include <jansson.h>

#include "base/err.h"
#include "cli.h"

/* Asks the front that --http, $PENSTOCK_HTTP or the default name; wait_ms:
 * how much longer than usual it may take. *root is the caller's, NULL: an
 * empty answer. What the front refuses is an error; 404: ERR_NOTFOUND, not
 * in time: REQUEST_TIMED_OUT. */
int views_ask(const struct cli *, const char *method, const char *path,
    int wait_ms, json_t **root, struct err *);

/* An array of objects, a column for each member. inner: a member whose own
 * members become columns in its place ("value" of a view's row), or NULL. */
void views_print(const struct cli *, const json_t *rows, const char *inner);

#endif
