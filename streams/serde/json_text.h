/*
 * json_text.h: is this text JSON (RFC 8259)? Any value, not objects alone;
 * no text behind it, no NUL, no member twice. Apart from serde.c, because the
 * jansson library and base/json.h have functions of the same names.
 */
#ifndef SERDE_JSON_TEXT_H
#define SERDE_JSON_TEXT_H

#include "base/span.h"

/* 0, or -1 and a line in `why`. Thread: any. */
int json_text_check(struct span text, char *why, size_t size);

#endif
