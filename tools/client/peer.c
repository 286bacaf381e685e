/* peer.c: see peer.h. The socket does not block; poll() waits. */
#include "config.h"

#include "client/peer.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/world.h"

int64_t
peer_now_ms(void)
{
    return world_mono_ns(world_real()) / 1000000;
}

void
peer_within(struct peer *p, int64_t timeout_ms)
{
    p->deadline_ms = peer_now_ms() + timeout_ms;
}

/* ---- addresses ---------------------------------------------------------- */

static int
copy_part(const char *from, size_t n, char *to, size_t size)
{
    if (n == 0 || n >= size)
        return -1;
    memcpy(to, from, n);
    to[n] = '\0';
    return 0;
}

int
peer_address(const char *text, const char *port, char *host, size_t host_size,
    char *service, size_t service_size, struct err *err)
{
    const char *end = text + strlen(text), *colon = strrchr(text, ':');
    const char *close = *text == '[' ? strchr(text, ']') : NULL;
    int bad;

    if (close != NULL) {
        bad = copy_part(text + 1, (size_t)(close - text - 1), host, host_size);
        colon = close[1] == ':' ? close + 1 : NULL;
        bad |= close[1] != ':' && close[1] != '\0';
    } else {
        if (colon != NULL && strchr(text, ':') != colon)
            colon = NULL;        /* an IPv6 address without brackets */
        if (colon != NULL)
            end = colon;
        bad = copy_part(text, (size_t)(end - text), host, host_size);
        bad |= *text == '[';
    }
    if (colon != NULL)
        port = colon + 1;
    bad |= copy_part(port, strlen(port), service, service_size);
    if (bad || strspn(service, "0123456789") != strlen(service)
        || strtoul(service, NULL, 10) > 65535)
        return err_set(err, ERR_USAGE, "'%.100s' is not an address like "
            "127.0.0.1:%s", text, "9092");
    return 0;
}

/* ---- waiting ------------------------------------------------------------ */

static int
wait_for(struct peer *p, short what, struct err *err)
{
    struct pollfd fd = {.fd = p->fd, .events = what};
    int64_t left;
    int n;

    for (;;) {
        if (p->stop != NULL && *p->stop)
            return err_set(err, EINTR, "%s", p->name);
        left = p->deadline_ms - peer_now_ms();
        if (left < 0)
            left = 0;
        n = poll(&fd, 1, left > INT_MAX ? INT_MAX : (int)left);
        if (n > 0)
            return 0;
        if (n == 0)
            return err_set(err, ETIMEDOUT, "%s", p->name);
        if (errno != EINTR && errno != EAGAIN)
            return err_set(err, errno, "poll");
    }
}

/* ---- connecting --------------------------------------------------------- */

static int
connect_one(struct peer *p, const struct addrinfo *ai, struct err *err)
{
    int one = 1, result = 0;
    socklen_t len = sizeof result;

    p->fd = socket(ai->ai_family, ai->ai_socktype | SOCK_NONBLOCK
        | SOCK_CLOEXEC, ai->ai_protocol);
    if (p->fd < 0)
        return err_set(err, errno, "socket");
    if (connect(p->fd, ai->ai_addr, ai->ai_addrlen) != 0) {
        if (errno != EINPROGRESS)
            return err_set(err, errno, "%s", p->name);
        if (wait_for(p, POLLOUT, err) != 0)
            return -1;
        if (getsockopt(p->fd, SOL_SOCKET, SO_ERROR, &result, &len) != 0)
            return err_set(err, errno, "getsockopt");
        if (result != 0)
            return err_set(err, result, "%s", p->name);
    }
    /* Requests are small and their answers are waited for. */
    setsockopt(p->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    return 0;
}

static int
connect_name(struct peer *p, const char *address, const char *port,
    struct err *err)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM,
        .ai_flags = AI_NUMERICSERV};
    struct addrinfo *list = NULL;
    char host[100], service[8];
    int rc;

    if (peer_address(address, port, host, sizeof host, service,
            sizeof service, err) != 0)
        return -1;
    snprintf(p->name, sizeof p->name, strchr(host, ':') ? "[%s]:%s" : "%s:%s",
        host, service);
    rc = getaddrinfo(host, service, &hints, &list);
    if (rc != 0) {
        err_set(err, ERR_NOTFOUND, "cannot find the address of %s: %s", host,
            gai_strerror(rc));
        err->code = EHOSTUNREACH;    /* without strerror's words for it */
        return -1;
    }
    rc = -1;
    for (struct addrinfo *ai = list; ai != NULL && rc != 0; ai = ai->ai_next) {
        peer_close(p);
        rc = connect_one(p, ai, err);
    }
    freeaddrinfo(list);
    if (rc == 0)
        return 0;
    peer_close(p);
    return err_set(err, err->code, "cannot connect to %s", p->name);
}

int
peer_connect(struct peer *p, const char *addresses, const char *port,
    struct err *err)
{
    char one[128];
    size_t n;

    p->fd = -1;
    err_set(err, ERR_USAGE, "no address is given");
    for (const char *s = addresses; *s != '\0'; s += n + (s[n] == ',')) {
        n = strcspn(s, ",");
        if (n == 0)
            continue;
        if (copy_part(s, n, one, sizeof one) != 0)
            return err_set(err, ERR_USAGE, "an address of %zu characters", n);
        if (connect_name(p, one, port, err) == 0)
            return 0;
    }
    return -1;
}

void
peer_close(struct peer *p)
{
    if (p->fd >= 0)
        close(p->fd);
    p->fd = -1;
}

/* ---- bytes -------------------------------------------------------------- */

int
peer_send(struct peer *p, struct iovec *iov, int count, struct err *err)
{
    struct msghdr msg = {0};
    ssize_t n;

    while (count > 0) {
        msg.msg_iov = iov;
        msg.msg_iovlen = (size_t)(count > IOV_MAX ? IOV_MAX : count);
        n = sendmsg(p->fd, &msg, MSG_NOSIGNAL);
        if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
            if (wait_for(p, POLLOUT, err) != 0)
                return -1;
            continue;
        }
        if (n < 0)
            return err_set(err, errno, "%s", p->name);
        for (; count > 0 && (size_t)n >= iov->iov_len; iov++, count--)
            n -= (ssize_t)iov->iov_len;
        if (count > 0) {
            iov->iov_base = (uint8_t *)iov->iov_base + n;
            iov->iov_len -= (size_t)n;
        }
    }
    return 0;
}

int
peer_recv_some(struct peer *p, void *to, size_t n, size_t *got,
    struct err *err)
{
    ssize_t r;

    for (;;) {
        r = recv(p->fd, to, n, 0);
        if (r >= 0)
            break;
        if (errno != EAGAIN && errno != EINTR)
            return err_set(err, errno, "%s", p->name);
        if (wait_for(p, POLLIN, err) != 0)
            return -1;
    }
    *got = (size_t)r;
    return 0;
}

int
peer_recv(struct peer *p, void *to, size_t n, struct err *err)
{
    const volatile sig_atomic_t *stop = p->stop;
    size_t got, done;
    int rc = 0;

    for (done = 0; done < n && rc == 0; done += got) {
        got = 0;
        rc = peer_recv_some(p, (uint8_t *)to + done, n - done, &got, err);
        if (rc == 0 && got == 0)
            rc = err_set(err, ECONNRESET, "%s closed the connection",
                p->name);
        p->stop = NULL;
    }
    p->stop = stop;
    return rc;
}
