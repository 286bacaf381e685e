/*
 * views.h: JSON from the HTTP front as tables.
 */
#ifndef TOOLS_VIEWS_H
#define TOOLS_VIEWS_H

#include <jansson.h>

#include "cli.h"

/* An array of objects, a column for each member. inner: a member whose own
 * members become columns in its place ("value" of a view's row), or NULL. */
void views_print(const struct cli *, const json_t *rows, const char *inner);

#endif
