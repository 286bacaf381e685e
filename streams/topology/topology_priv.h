/*
 * topology_priv.h: between build.c and state.c. All of them note mistakes
 * and give something that does no harm.
 */
#ifndef TOPOLOGY_TOPOLOGY_PRIV_H
#define TOPOLOGY_TOPOLOGY_PRIV_H

#include "topology/topology.h"

/* Zeroed, of the arena. */
void *build_alloc(struct ps_topology *t, size_t size);
/* The serde, or NULL (given NULL, or a mistake). `node` is for its text. */
const struct ps_serde *build_serde(struct ps_topology *t, const void *given,
    const char *node);
/* The same, where NULL is a mistake. */
const struct ps_serde *build_serde_need(struct ps_topology *t,
    const void *given, const char *node);
void build_name_check(struct ps_topology *t, const char *name);
/* after: what stands before it, for the message when it has no name but owns
 * something. */
struct node *build_node(struct ps_topology *t, enum node_kind kind,
    const char *name, bool owns, const char *after);
/* A node behind `s`. A gathered stream has values of several types, which
 * only a processor's `.on` can tell apart. */
struct node *build_node_after(struct ps_stream *s, enum node_kind kind,
    const char *name, bool owns);
void build_outlets(struct ps_topology *t, struct node *n, unsigned count);
/* What comes out of a node; unkeyed: why no state may follow, or NULL. */
struct ps_stream *build_stream(struct ps_topology *t, struct node *n,
    unsigned out, const struct ps_serde *key, const struct ps_serde *value,
    const char *unkeyed);
/* fmt has one %s. */
const char *build_text(struct ps_topology *t, const char *fmt,
    const char *name);

#endif
