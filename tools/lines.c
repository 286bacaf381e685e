/* lines.c: see lines.h. */
#include "config.h"

#include "lines.h"

#include <errno.h>
#include <poll.h>
#include <unistd.h>

#include "cli.h"

enum { READ_BYTES = 64 << 10 };

void
lines_init(struct lines *l, int fd)
{
    *l = (struct lines){.fd = fd};
    buf_init(&l->in, 2 * (size_t)LINE_MAX_BYTES);
}

void
lines_release(struct lines *l)
{
    buf_release(&l->in);
}

static const uint8_t *
newline(const struct lines *l, size_t from)
{
    return l->in.len == from ? NULL
                             : memchr(l->in.ptr + from, '\n', l->in.len - from);
}

/* Reads once. What was given out makes room. */
static int
fill(struct lines *l, struct err *err)
{
    uint8_t *room;
    ssize_t n;

    if (l->pos > 0) {
        l->in.len -= l->pos;
        memmove(l->in.ptr, l->in.ptr + l->pos, l->in.len);
        l->pos = 0;
    }
    room = l->in.len > LINE_MAX_BYTES ? NULL
                                      : buf_reserve(&l->in, READ_BYTES);
    if (room == NULL)
        return err_set(err, ERR_LIMIT, "line %llu is too long",
            (unsigned long long)l->number + 1);
    do {
        n = read(l->fd, room, READ_BYTES);
        if (n < 0 && errno == EINTR && cli_stop)
            return err_set(err, EINTR, "stdin");
    } while (n < 0 && errno == EINTR);
    if (n < 0)
        return err_set(err, errno, "stdin");
    l->in.len += (size_t)n;
    l->ended = n == 0;
    return 0;
}

int
lines_next(struct lines *l, struct span *line, struct err *err)
{
    const uint8_t *start, *end;
    size_t from = l->pos;

    while ((end = newline(l, from)) == NULL && !l->ended) {
        from = l->in.len - l->pos;       /* no newline in what there was */
        if (fill(l, err) != 0)
            return -1;
    }
    if (end == NULL && l->in.len == l->pos)
        return 0;
    start = l->in.ptr + l->pos;
    if (end == NULL)
        end = l->in.ptr + l->in.len;     /* the last one, without its newline */
    *line = span_of(start, (size_t)(end - start));
    l->pos += line->len + (end < l->in.ptr + l->in.len);
    l->number++;
    return 1;
}

bool
lines_ready(struct lines *l)
{
    struct pollfd fd = {.fd = l->fd, .events = POLLIN};

    return newline(l, l->pos) != NULL || l->ended || poll(&fd, 1, 0) != 0;
}
