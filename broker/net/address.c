/*
 * address.c: see address.h.
 */
#include "config.h"

#include "net/address.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "net/net.h"

void
address_text(const struct sockaddr_storage *a, char *text, size_t size,
    uint16_t *port)
{
    const void *p = a;

    if (a->ss_family == AF_INET6) {
        const struct sockaddr_in6 *in6 = p;

        inet_ntop(AF_INET6, &in6->sin6_addr, text, (socklen_t)size);
        *port = ntohs(in6->sin6_port);
    } else {
        const struct sockaddr_in *in = p;

        inet_ntop(AF_INET, &in->sin_addr, text, (socklen_t)size);
        *port = ntohs(in->sin_port);
    }
}

bool
address_same(const struct sockaddr_storage *a,
    const struct sockaddr_storage *b)
{
    const void *pa = a, *pb = b;

    if (a->ss_family != b->ss_family)
        return false;
    if (a->ss_family == AF_INET6) {
        const struct sockaddr_in6 *x = pa, *y = pb;

        return memcmp(&x->sin6_addr, &y->sin6_addr, 16) == 0;
    }
    return ((const struct sockaddr_in *)pa)->sin_addr.s_addr
        == ((const struct sockaddr_in *)pb)->sin_addr.s_addr;
}

bool
address_is_loopback(const struct sockaddr *a)
{
    const void *p = a;

    if (a->sa_family == AF_INET6)
        return IN6_IS_ADDR_LOOPBACK(
            &((const struct sockaddr_in6 *)p)->sin6_addr);
    return ntohl(((const struct sockaddr_in *)p)->sin_addr.s_addr) >> 24
        == 127;
}

/* ---- listening ---- */

/* Splits "HOST:PORT", "[::1]:PORT" or ":PORT" (then host is 127.0.0.1). */
static int
split_where(const char *where, char *host, size_t size, const char **port,
    struct err *err)
{
    const char *colon = strrchr(where, ':');
    size_t len;

    if (colon == NULL)
        return err_set(err, ERR_USAGE, "'%s' is no HOST:PORT", where);
    *port = colon + 1;
    len = (size_t)(colon - where);
    if (len >= 2 && where[0] == '[' && where[len - 1] == ']') {
        where++;
        len -= 2;
    }
    if (len >= size || strspn(*port, "0123456789") != strlen(*port)
        || **port == '\0' || strtoul(*port, NULL, 10) > 65535)
        return err_set(err, ERR_USAGE, "'%s' is no HOST:PORT", where);
    snprintf(host, size, "%.*s", (int)len, where);
    if (len == 0)
        snprintf(host, size, "127.0.0.1");
    return 0;
}

static int
listen_on(const struct addrinfo *ai, const char *where, int *out,
    struct err *err)
{
    int one = 1;
    int fd = socket(ai->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC,
        0);

    if (fd < 0)
        return err_set(err, errno, "make a socket");
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(fd, ai->ai_addr, ai->ai_addrlen) < 0 || listen(fd, 1024) < 0) {
        err_set(err, errno, "listen on %s", where);
        close(fd);
        return -1;
    }
    *out = fd;
    return 0;
}

int
net_socket(const char *where, bool public_ok, int *fd, uint16_t *port,
    bool *loopback, struct err *err)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM,
        .ai_flags = AI_PASSIVE}, *ai;
    struct sockaddr_storage local;
    socklen_t len = sizeof local;
    char host[256], text[ADDRESS_TEXT];
    const char *service = NULL;
    int rc;

    if (split_where(where, host, sizeof host, &service, err) < 0)
        return -1;
    rc = getaddrinfo(host, service, &hints, &ai);
    if (rc != 0)
        return err_set(err, ERR_USAGE, "'%s': %s", where, gai_strerror(rc));
    *loopback = address_is_loopback(ai->ai_addr);
    if (!public_ok && !*loopback) {
        freeaddrinfo(ai);
        return err_set(err, ERR_USAGE, "%s is open to others and nothing "
            "guards it: listen on 127.0.0.1, or say --allow-public", where);
    }
    rc = listen_on(ai, where, fd, err);
    freeaddrinfo(ai);
    if (rc < 0)
        return -1;
    memset(&local, 0, sizeof local);
    getsockname(*fd, (struct sockaddr *)&local, &len);
    address_text(&local, text, sizeof text, port);
    return 0;
}
