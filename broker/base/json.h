/*
 * json.h: writes JSON (RFC 8259) into a buf, without a tree, compact. Commas
 * are the writer's business. Reading JSON is the jansson library's.
 * Text that is not UTF-8 comes out with U+FFFD for each bad byte. No function
 * has a name that jansson has: both may be in one program, and in one file.
 */
#ifndef BASE_JSON_H
#define BASE_JSON_H

#include "base/buf.h"

enum { JSON_DEPTH = 64 };

struct json {
    struct buf *out;
    unsigned depth;
    bool comma[JSON_DEPTH];      /* private: something stands before */
};

void json_init(struct json *, struct buf *out);
void json_object_begin(struct json *);   /* { */
void json_object_end(struct json *);
void json_array_begin(struct json *);    /* [ */
void json_array_end(struct json *);
void json_key(struct json *, const char *);
void json_span(struct json *, struct span);      /* null span: null */
void json_cstr(struct json *, const char *);     /* NULL: null */
void json_int(struct json *, int64_t);
void json_uint(struct json *, uint64_t);
void json_double(struct json *, double);         /* shortest that reads back */
void json_bool(struct json *, bool);
void json_nil(struct json *);
void json_base64(struct json *, struct span);    /* as a string, RFC 4648 */
void json_raw(struct json *, struct span);       /* text that is JSON */

/* A member in one call: key and value. */
void json_kv_cstr(struct json *, const char *key, const char *);
void json_kv_int(struct json *, const char *key, int64_t);
void json_kv_bool(struct json *, const char *key, bool);

/* Writes text between quotes, escaped; used alone for logs. */
void json_escape(struct buf *, struct span);
/* Is it UTF-8 without surrogates and overlong forms (RFC 3629)? */
bool utf8_valid(struct span);

#endif
