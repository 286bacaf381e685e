/*
 * A member owns copies of all that came with its JoinGroup. Two blocks:
 *
 *   names      id | instance id | client id | client host
 *   protocols  struct group_protocol[count] | name, metadata, name, ...
 *
 * A protocol named twice counts once, as it first stood.
 */
#include "config.h"

#include <stdlib.h>

#include "group/group_priv.h"

#include "base/alloc.h"

/* At most GROUP_NAME_MAX bytes, and no half character of UTF-8: the client
 * must be able to send back the id that is made from it. */
struct span
name_cut(struct span s)
{
    if (s.len > GROUP_NAME_MAX) {
        s.len = GROUP_NAME_MAX;
        while (s.len > 0 && (s.ptr[s.len] & 0xc0) == 0x80) {
            s.len--;
        }
    }
    return s.ptr == NULL ? span_str("") : s;
}

static struct span
place(uint8_t **at, struct span s)
{
    struct span placed = {*at, s.len};

    if (s.ptr == NULL) {
        return SPAN_NULL;
    }
    if (s.len > 0) {
        memcpy(*at, s.ptr, s.len);
    }
    *at += s.len;
    return placed;
}

static void
member_name(struct member *m, struct span id, struct span instance_id,
    struct span client_id, struct span client_host)
{
    size_t size;
    uint8_t *at;
    void *old = m->names;

    client_id = name_cut(client_id);
    client_host = name_cut(client_host);
    size = id.len + instance_id.len + client_id.len + client_host.len;
    at = m->names = xmalloc(size + 1);
    m->id = place(&at, id);
    m->instance_id = place(&at, instance_id);
    m->client_id = place(&at, client_id);
    m->client_host = place(&at, client_host);
    m->bytes += size;
    free(old);
}

void
member_rename(struct member *m, struct span id, struct span client_id,
    struct span client_host)
{
    m->bytes -= m->id.len + m->instance_id.len + m->client_id.len +
        m->client_host.len;
    member_name(m, id, m->instance_id, client_id, client_host);
}

struct member *
member_new(struct span id, const struct group_join *join)
{
    struct member *m = xcalloc(1, sizeof *m);

    m->session_deadline = NEVER;
    member_name(m, id, join->instance_id, join->client_id, join->client_host);
    member_offer(m, join);
    return m;
}

void
member_free(struct member *m)
{
    free(m->names);
    free(m->protocols);
    free(m->assignment);
    free(m);
}

static bool
named_before(const struct group_join *join, size_t i)
{
    for (size_t k = 0; k < i; k++) {
        if (span_eq(join->protocols[k].name, join->protocols[i].name)) {
            return true;
        }
    }
    return false;
}

static size_t
protocols_bytes(const struct group_protocol *p, size_t count)
{
    size_t bytes = 0;

    for (size_t i = 0; i < count; i++) {
        bytes += p[i].name.len + p[i].metadata.len;
    }
    return bytes;
}

size_t
member_join_bytes(const struct group_join *join)
{
    return protocols_bytes(join->protocols, join->protocol_count);
}

/* Takes the protocols and the timeouts of a JoinGroup. */
void
member_offer(struct member *m, const struct group_join *join)
{
    size_t head = join->protocol_count * sizeof *m->protocols;
    struct group_protocol *list =
        xmalloc(head + member_join_bytes(join) + 1);
    uint8_t *at = (uint8_t *)list + head;
    size_t count = 0;

    for (size_t i = 0; i < join->protocol_count; i++) {
        struct span metadata = join->protocols[i].metadata;

        if (named_before(join, i)) {
            continue;
        }
        if (metadata.ptr == NULL) {
            metadata = span_str("");
        }
        list[count].name = place(&at, join->protocols[i].name);
        list[count].metadata = place(&at, metadata);
        count++;
    }
    m->bytes -= protocols_bytes(m->protocols, m->protocol_count);
    free(m->protocols);
    m->protocols = list;
    m->protocol_count = count;
    m->bytes += protocols_bytes(list, count);
    m->session_timeout_ms = join->session_timeout_ms;
    m->rebalance_timeout_ms = join->rebalance_timeout_ms < 0
        ? join->session_timeout_ms : join->rebalance_timeout_ms;
}

/* Does the JoinGroup offer what the member offered before, in its order? */
bool
member_matches(const struct member *m, const struct group_join *join)
{
    size_t n = 0;

    for (size_t i = 0; i < join->protocol_count; i++) {
        if (named_before(join, i)) {
            continue;
        }
        if (n == m->protocol_count ||
            !span_eq(m->protocols[n].name, join->protocols[i].name) ||
            !span_eq(m->protocols[n].metadata, join->protocols[i].metadata)) {
            return false;
        }
        n++;
    }
    return n == m->protocol_count;
}

const struct group_protocol *
member_protocol(const struct member *m, struct span name)
{
    for (size_t i = 0; i < m->protocol_count; i++) {
        if (span_eq(m->protocols[i].name, name)) {
            return &m->protocols[i];
        }
    }
    return NULL;
}

/* An empty span takes the assignment away. */
void
member_assign(struct member *m, struct span bytes)
{
    m->bytes -= m->assignment_len;
    free(m->assignment);
    m->assignment = bytes.len == 0 ? NULL : xmemdup(bytes.ptr, bytes.len);
    m->assignment_len = bytes.len;
    m->bytes += bytes.len;
}
