/*
 * kerr.h: Kafka's error codes, the failures that a client is told. They are
 * the third kind of failure (style): an assertion is for us, a struct err
 * for the operator, a kerr for the peer. The rows stand in kerr.tbl.
 *
 * An int that came over the wire may hold any value: the functions take int
 * and answer for codes that are not in the table as well. All of them are
 * pure and may be called from any thread; the strings are constants.
 */
#ifndef RECORD_KERR_H
#define RECORD_KERR_H

#include <stdbool.h>

enum kerr {
#define X(name, code, retriable, text) KERR_##name = (code),
#include "record/kerr.tbl"
#undef X
};

/* Kafka's spelling, "UNKNOWN_TOPIC_OR_PARTITION"; "UNKNOWN" for a code that
 * the table does not have. */
const char *kerr_name(int code);
/* Whether a client does well to send the same request again. */
bool kerr_retriable(int code);
/* One sentence for a person. */
const char *kerr_text(int code);

#endif
