/*
 * format.h: how a record is printed, in the letters of kcat:
 *
 *     %t topic      %p partition    %o offset     %T timestamp, ms
 *     %k key        %s %v value     %h headers    %D timestamp, ISO 8601
 *     %K, %S bytes of key, value (-1: null)       %R bytes of the value as
 *     %n newline    %% percent                       four bytes, big-endian
 *
 * and the escapes \n \t \r \\ \0 \e \xHH.
 * Ownership: the caller's struct; nothing is kept of a record.
 */
#ifndef TOOLS_FORMAT_H
#define TOOLS_FORMAT_H

#include "base/buf.h"
#include "base/err.h"

struct format {
    struct buf pieces;           /* private: texts and letters */
};

struct format_record {
    const char *topic;
    int32_t partition;
    int64_t offset, timestamp;
    struct span key, value;      /* as they are to be shown */
    int64_t key_bytes, value_bytes;      /* on the topic; -1: null */
    struct span headers;         /* raw: headers_next() */
};

/* -1: an unknown letter or escape; ERR_USAGE. */
int format_init(struct format *, const char *text, struct err *);
void format_release(struct format *);
void format_put(const struct format *, const struct format_record *,
    struct buf *out);

#endif
