/*
 * address.h: what a socket's address says, for net.c; net_socket() of net.h
 * stands beside it. Thread: any.
 */
#ifndef NET_ADDRESS_H
#define NET_ADDRESS_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

enum { ADDRESS_TEXT = INET6_ADDRSTRLEN + 8 };

/* IPv4 or IPv6: the host as text, and the port. */
void address_text(const struct sockaddr_storage *, char *text, size_t size,
    uint16_t *port);
/* The same host? */
bool address_same(const struct sockaddr_storage *,
    const struct sockaddr_storage *);
/* Only this machine can be there. */
bool address_is_loopback(const struct sockaddr *);

#endif
