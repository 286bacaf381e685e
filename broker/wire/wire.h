/*
 * wire.h: Kafka's protocol. One interpreter decodes and one encodes every
 * message in every version, from the tables in msg/; who handles a message
 * sees one struct for all versions and never asks for the version.
 *
 *   frame:  size int32 | header | body              (size counts the rest)
 *
 * Everything works in both directions: a broker decodes requests and encodes
 * responses, a client the opposite.
 * Ownership: what is decoded lives in the arena and borrows strings, bytes
 * and records from the frame, which must outlive it. An encoder borrows the
 * message while it runs, and the referenced records until the output is sent.
 * Thread: any; there is no state but the arguments.
 */
#ifndef WIRE_WIRE_H
#define WIRE_WIRE_H

#include <sys/uio.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "wire/field.h"

enum { WIRE_UNKNOWN_TAGS_MAX = 64 };     /* in one struct of one message */

/* -- the APIs (apis.tbl) ------------------------------------------------- */

enum api_key {
#define API(NAME, key, ...) API_##NAME = key,
#include "wire/apis.tbl"
#undef API
};

struct wire_api {
    int16_t key;
    const char *name;            /* Kafka's, "Fetch" */
    int16_t announced;           /* least version told by ApiVersions: it is
                                  * below `min` for Produce alone, for the
                                  * sake of librdkafka (KAFKA-18659) */
    int16_t min, max;            /* versions that are taken */
    int16_t flexible;            /* first one, or WIRE_NEVER */
    bool served;                 /* announced at all */
    const struct wire_msg *request, *response;
};

/* The messages, where the API is known at the place of writing. */
#define API(NAME, key, noun, ...)                                              \
    extern const struct wire_msg noun##_request_msg, noun##_response_msg;
#include "wire/apis.tbl"
#undef API

/* NULL for a key that no table knows; `served` may be false. */
const struct wire_api *wire_api(int key);
/* The APIs in the order of their keys: wire_api_nth(0), ... until NULL. */
const struct wire_api *wire_api_nth(size_t);
bool wire_api_takes(const struct wire_api *, int version);

/* -- in ------------------------------------------------------------------ */

struct request_header {
    int16_t api_key, api_version;
    int32_t correlation_id;
    struct span client_id;       /* may be null; borrowed from the frame */
};

/*
 * Reads the header at the frame's begin (after the size); *used is where the
 * body begins. For a key that wire_api() does not know the client id is read
 * and no more, since nobody knows what follows. The version is not judged:
 * too new a version of ApiVersions must be answered, not refused.
 */
int wire_decode_header(struct span frame, struct request_header *, size_t *used,
    struct err *);

/* For clients; the layout depends on the request that it answers. */
int wire_decode_response_header(const struct wire_api *, int version,
    struct span frame, int32_t *correlation_id, size_t *used, struct err *);

/*
 * The whole body into a struct of msg->type in the arena, *out. Counts and
 * lengths are checked against the bytes left and the arena's limit before
 * anything is allocated; bytes behind the end are ignored, as Kafka does
 * (librdkafka 2.0 sends one too many with ListGroups v4). An error names the
 * field: "FetchRequest v12 topics[3].partitions: count 99999999 exceeds
 * the 120 bytes left". Codes: ERR_FORMAT, ERR_LIMIT. After an error the arena
 * may hold garbage, for its next reset.
 */
int wire_decode(const struct wire_msg *, int version, struct span body,
    struct arena *, void **out, struct err *);

/*
 * For the blobs of the consumer protocol: an int16 version, then the body.
 * A version newer than ours is read as our newest and what follows it is
 * ignored, as the Java client does. *version is what the blob says.
 */
int wire_decode_blob(const struct wire_msg *, struct span blob, struct arena *,
    int *version, void **out, struct err *);

/* -- out ----------------------------------------------------------------- */

/*
 * Output: bytes of our own and, between them, records that stay where they
 * are, so that a Fetch response is not copied. Failure sticks in `buf`.
 */
struct wire_ref {
    size_t pos;                  /* goes before byte `pos` of buf */
    struct span bytes;           /* borrowed */
};

struct wire_out {
    struct buf buf;
    struct buf refs;             /* private: struct wire_ref, by pos */
    size_t ref_bytes;            /* private: their sum */
    size_t copy_max;             /* records up to this size are copied */
};

/* max: bytes of `buf`, the references not counted. copy_max SIZE_MAX: every
 * record is copied. */
void wire_out_init(struct wire_out *, size_t max, size_t copy_max);
void wire_out_release(struct wire_out *);
void wire_out_clear(struct wire_out *);
bool wire_out_failed(const struct wire_out *);
size_t wire_out_size(const struct wire_out *);   /* references included */
const struct wire_ref *wire_out_refs(const struct wire_out *, size_t *count);
/* The pieces in order; at most 2 * refs + 1. Returns how many there are, also
 * if that is more than `max`, of which then only the first are filled in. */
size_t wire_out_iov(const struct wire_out *, struct iovec *, size_t max);
/* All of it in one piece, behind what `to` has already. */
void wire_out_copy(const struct wire_out *, struct buf *to);

/*
 * The body alone. A field that the version does not have is left out. Null
 * where the version has no null becomes empty, so that a zeroed struct is a
 * message. What can't be said (a string over 32767 bytes, a frame over 2 GiB)
 * makes the output fail.
 */
void wire_encode(const struct wire_msg *, int version, const void *msg,
    struct wire_out *);
/* The same with every record copied. */
void wire_encode_buf(const struct wire_msg *, int version, const void *msg,
    struct buf *);
/* With the int16 version before it, for wire_decode_blob(). */
void wire_encode_blob(const struct wire_msg *, int version, const void *msg,
    struct buf *);

/* Headers without the size. ApiVersions answers always in header v0. */
void wire_encode_request_header(const struct request_header *,
    struct wire_out *);
void wire_encode_response_header(const struct wire_api *, int version,
    int32_t correlation_id, struct wire_out *);

/* Whole frames: size, header, body; appended, so that several may follow. */
void wire_put_request(const struct wire_api *, int version,
    int32_t correlation_id, struct span client_id, const void *msg,
    struct wire_out *);
void wire_put_response(const struct wire_api *, int version,
    int32_t correlation_id, const void *msg, struct wire_out *);

/* -- messages by hand ---------------------------------------------------- */

/* Sets every field to its default. Whoever builds a message begins with it,
 * since zero is not always right: preferred_read_replica 0 is a broker. */
void wire_init(const struct wire_type *, void *msg);
/* An array of structs, or one, with defaults. NULL: the arena's limit. */
void *wire_new(const struct wire_type *, struct arena *, size_t count);

/* For people and tests: one line, in the order of the wire, with every field
 * that the version has: {acks: 1, name: "orders", parts: [{...}]} */
void wire_dump(const struct wire_type *, int version, const void *msg,
    struct buf *);

#endif
