/*
 * http_get.c: see http_get.h. The answer is read to the end of the connection
 * (we ask for that), and then taken apart.
 */
#include "config.h"

#include "client/http_get.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "base/limits.h"
#include "client/peer.h"

/* ---- the answer --------------------------------------------------------- */

/* Cuts the next line off *rest, without its end. false: there is none. */
static bool
cut_line(struct span *rest, struct span *line)
{
    const uint8_t *end = rest->len == 0 ? NULL
                                        : memchr(rest->ptr, '\n', rest->len);

    if (end == NULL)
        return false;
    *line = span_of(rest->ptr, (size_t)(end - rest->ptr));
    *rest = span_of(end + 1, rest->len - line->len - 1);
    if (line->len > 0 && line->ptr[line->len - 1] == '\r')
        line->len--;
    return true;
}

/* The value of a header line, if its name is that. */
static bool
header_is(struct span line, const char *name, struct span *value)
{
    size_t n = strlen(name);

    if (line.len <= n || line.ptr[n] != ':'
        || strncasecmp((const char *)line.ptr, name, n) != 0)
        return false;
    for (n++; n < line.len && line.ptr[n] == ' '; n++)
        ;
    *value = span_of(line.ptr + n, line.len - n);
    return true;
}

/* Digits at the start, in base 10 or 16. -1: none, or too many. */
static int64_t
number(struct span s, int base)
{
    int64_t v = 0;
    size_t i;

    for (i = 0; i < s.len && isxdigit(s.ptr[i]); i++) {
        int digit = isdigit(s.ptr[i]) ? s.ptr[i] - '0'
                                      : tolower(s.ptr[i]) - 'a' + 10;

        if (digit >= base)
            break;
        v = v * base + digit;
        if (v > HTTP_ANSWER_MAX)
            return -1;
    }
    return i == 0 ? -1 : v;
}

static int
join_chunks(struct span rest, struct arena *a, struct span *body,
    struct err *err)
{
    uint8_t *to = arena_alloc(a, rest.len + 1);
    struct span line;
    size_t len = 0;
    int64_t n;

    if (to == NULL)
        return err_set(err, ERR_LIMIT, "the answer is too large");
    for (;;) {
        if (!cut_line(&rest, &line) || (n = number(line, 16)) < 0)
            return err_set(err, ERR_FORMAT, "a bad chunk in the answer");
        if (n == 0)
            break;
        if ((size_t)n > rest.len)
            return err_set(err, ECONNRESET, "the answer ends too early");
        memcpy(to + len, rest.ptr, (size_t)n);
        len += (size_t)n;
        rest = span_of(rest.ptr + n, rest.len - (size_t)n);
        if (!cut_line(&rest, &line) || line.len != 0)
            return err_set(err, ERR_FORMAT, "a bad chunk in the answer");
    }
    *body = span_of(to, len);
    return 0;
}

int
http_parse(struct span bytes, struct arena *a, struct http_answer *out,
    struct err *err)
{
    struct span rest = bytes, line, value;
    int64_t length = -1;
    bool chunked = false;

    if (!cut_line(&rest, &line) || line.len < 12
        || memcmp(line.ptr, "HTTP/1.", 7) != 0 || line.ptr[8] != ' ')
        return err_set(err, ERR_FORMAT, "the answer is not HTTP");
    out->status = (int)number(span_of(line.ptr + 9, 3), 10);
    if (out->status < 100)
        return err_set(err, ERR_FORMAT, "the answer has no status");
    for (;;) {
        if (!cut_line(&rest, &line))
            return err_set(err, ECONNRESET, "the answer ends too early");
        if (line.len == 0)
            break;
        if (header_is(line, "content-length", &value)) {
            length = number(value, 10);
            if (length < 0)
                return err_set(err, ERR_FORMAT, "a bad content-length");
        }
        if (header_is(line, "transfer-encoding", &value))
            chunked = true;
    }
    if (chunked) {
        if (join_chunks(rest, a, &rest, err) != 0)
            return -1;
    } else if (length >= 0) {
        if ((size_t)length > rest.len)
            return err_set(err, ECONNRESET, "the answer ends too early");
        rest.len = (size_t)length;
    }
    out->body.ptr = (const uint8_t *)arena_strndup(a, (const char *)rest.ptr,
        rest.len);
    out->body.len = rest.len;
    if (out->body.ptr == NULL)
        return err_set(err, ERR_LIMIT, "the answer is too large");
    return 0;
}

/* ---- the exchange ------------------------------------------------------- */

void
http_escape(struct buf *out, const char *text)
{
    for (; *text != '\0'; text++) {
        unsigned char c = (unsigned char)*text;

        if (isalnum(c) || strchr("-._~", c) != NULL)
            buf_put_u8(out, c);
        else
            buf_printf(out, "%%%02X", c);
    }
}

/* "http://host:port/prefix/" into the address and the prefix of paths. */
static int
split_base(const char *base, char *address, size_t size, const char **prefix,
    size_t *prefix_len, struct err *err)
{
    size_t n;

    if (strncmp(base, "http://", 7) != 0)
        return err_set(err, ERR_USAGE, "'%.100s' does not begin with http://",
            base);
    base += 7;
    n = strcspn(base, "/");
    if (n == 0 || n >= size)
        return err_set(err, ERR_USAGE, "'http://%.100s' names no host", base);
    memcpy(address, base, n);
    address[n] = '\0';
    *prefix = base + n;
    *prefix_len = strlen(*prefix);
    while (*prefix_len > 0 && (*prefix)[*prefix_len - 1] == '/')
        --*prefix_len;
    return 0;
}

static int
read_all(struct peer *p, struct buf *in, struct err *err)
{
    uint8_t *room;
    size_t got;

    do {
        room = buf_reserve(in, 16 * KIB);
        if (room == NULL)
            return err_set(err, ERR_LIMIT, "the answer is too large");
        if (peer_recv_some(p, room, 16 * KIB, &got, err) != 0)
            return -1;
        in->len += got;
    } while (got > 0);
    return 0;
}

int
http_ask(const char *method, const char *base, const char *path,
    int timeout_ms, const volatile sig_atomic_t *stop, struct arena *a,
    struct http_answer *answer, struct err *err)
{
    struct peer p = {.fd = -1, .stop = stop};
    char address[128];
    const char *prefix = "";
    size_t prefix_len = 0;
    struct iovec iov;
    struct buf io;
    int rc = -1;

    if (split_base(base, address, sizeof address, &prefix, &prefix_len, err)
        != 0)
        return -1;
    buf_init(&io, HTTP_ANSWER_MAX);
    buf_printf(&io, "%s %.*s%s HTTP/1.1\r\nHost: %s\r\nUser-Agent: penstock/%s"
        "\r\nAccept: application/json\r\nConnection: close\r\n%s\r\n", method,
        (int)prefix_len, prefix, path, address, PACKAGE_VERSION,
        strcmp(method, "POST") == 0 ? "Content-Length: 0\r\n" : "");
    peer_within(&p, timeout_ms);
    if (io.failed) {
        err_set(err, ERR_LIMIT, "the path is too long");
        goto done;
    }
    iov = (struct iovec){.iov_base = io.ptr, .iov_len = io.len};
    if (peer_connect(&p, address, "80", err) != 0
        || peer_send(&p, &iov, 1, err) != 0)
        goto done;
    buf_clear(&io);
    if (read_all(&p, &io, err) != 0)
        goto done;
    rc = http_parse(buf_span(&io), a, answer, err);
done:
    peer_close(&p);
    buf_release(&io);
    return rc;
}
