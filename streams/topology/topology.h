/*
 * topology.h: a topology as data: nodes and edges, the stores and logs they
 * own, and the sub-topologies they fall into. <penstock/streams.h> builds it,
 * the task room runs it.
 *
 * Invariants of a finished topology (topology_finish returned 0):
 *  1. The nodes form an acyclic graph: an edge leads to a later node.
 *  2. Two nodes are in one sub-topology if a path of edges joins them. A log
 *     of our own has writing nodes in some sub-topologies and one reading
 *     source, which begins another; no edge crosses it.
 *  3. A sub-topology with a store has exactly one source, and that is a log
 *     of our own or a trusted topic; the key was not changed on the way.
 *  4. Names of nodes and stores are unique.
 *  5. Where both ends of an edge know a serde, they agree.
 *
 * Ownership: all memory is the topology's arena and dies with it.
 * Thread: one while it is built; constant afterwards, shared by all.
 */
#ifndef TOPOLOGY_TOPOLOGY_H
#define TOPOLOGY_TOPOLOGY_H

#include <penstock/streams.h>
#include <protobuf-c/protobuf-c.h>

#include "base/arena.h"
#include "base/buf.h"

enum {
    NODES_MAX = 1024,
    TOPOLOGY_STORES_MAX = 256,
    MISTAKES_MAX = 100,
};

#define NODE_KINDS(X)                                                          \
    X(SOURCE, "source") X(FILTER, "filter") X(MAP, "map")                      \
    X(MAP_VALUES, "map-values") X(FLAT_MAP, "flat-map")                        \
    X(SELECT_KEY, "select-key") X(PEEK, "peek") X(BRANCH, "branch")            \
    X(MERGE, "merge") X(PROCESS, "process") X(TABLE, "table")                  \
    X(COUNT, "count") X(REDUCE, "reduce") X(AGGREGATE, "aggregate")            \
    X(REPARTITION, "repartition") X(TO, "to") X(TO_NAMED, "to-named")

enum node_kind {
#define X(name, text) NODE_##name,
    NODE_KINDS(X)
#undef X
    NODE_KIND_COUNT
};

struct node;

struct edge {
    struct node *to;
    struct edge *next;
};

/* One way out of a node: 0 is the main one. */
struct outlet {
    const char *name;                    /* NULL for the main one */
    const struct ps_serde *key, *value;  /* NULL: not known */
    struct edge *first, **last;
};

union node_fn {
    ps_test_fn test;
    ps_fn any;
    ps_val_fn val;
    ps_pair_fn pair;
    ps_name_fn name;
    ps_fold_fn fold;
};

struct store_spec {
    const char *name;
    const struct ps_serde *key, *value;
    struct node *owner;
    unsigned local;                      /* index in the sub-topology */
};

struct node {
    enum node_kind kind;
    const char *name;
    bool named;                          /* by the user, so on the disk */
    unsigned index;                      /* in the topology */
    unsigned sub;                        /* sub-topology, once finished */
    unsigned parents;                    /* edges that lead here */
    const char *unkeyed;                 /* why no state may stand here */

    /* What comes in, where the parent knows it. */
    const struct ps_serde *key_in, *value_in;
    struct outlet *outs;
    unsigned out_count;

    union node_fn fn;
    void *conf;
    bool negate;                         /* FILTER */

    const struct ps_processor *processor;        /* PROCESS */
    struct store_spec **stores;          /* by slot */
    unsigned store_count;
    struct store_spec *timers;           /* hidden store, or NULL */

    /* SOURCE, REPARTITION, TO: */
    const char *topic;
    bool internal, trusted;              /* SOURCE */
    unsigned inputs;                     /* SOURCE: 1, or of its gather */
    const struct ps_serde *values[PS_INPUTS_MAX];        /* SOURCE */
    ps_time_fn time_fn;                  /* SOURCE, or NULL */
    void *time_conf;
    struct node *log;                    /* REPARTITION: the reading SOURCE */
    unsigned input;                      /* REPARTITION: index in the gather */
    const ProtobufCFieldDescriptor *field;       /* REPARTITION, or NULL */
    const struct ps_serde *key_out, *value_out;  /* sinks: as written */
};

struct sub {
    const char *name;                    /* of its tasks: name_partition */
    struct node **sources;
    unsigned source_count;
    struct store_spec **stores;          /* hidden ones included */
    unsigned store_count;
    bool outside;                        /* reads published records only */
};

#define TOPOLOGY_MAGIC 0x709010c5u

struct ps_topology {
    uint32_t magic;
    const char *app;
    struct arena arena;
    enum ps_on_error on_error;
    struct node *nodes[NODES_MAX];
    unsigned node_count;
    struct store_spec *stores[TOPOLOGY_STORES_MAX];
    unsigned store_count;
    struct sub *subs;
    unsigned sub_count;
    uint64_t fingerprint;
    const char *mistakes[MISTAKES_MAX];
    unsigned mistake_count;              /* may be more than are kept */
    bool finished;
    struct serde_entry *serdes;          /* private: build.c */
    struct owned *owned;                 /* private: build.c */
};

#define STREAM_MAGIC 0x57e4a111u

struct ps_stream {
    uint32_t magic;
    struct ps_topology *t;
    struct node *node;
    unsigned out;                        /* of the node's outlets */
    const struct ps_serde *key, *value;  /* NULL: not known */
    unsigned gathered;                   /* inputs of the gather, 0: none */
    const char *unkeyed;                 /* why no state may follow; or NULL */
};

struct ps_table {
    struct ps_stream updates;
};

struct ps_topology *topology_new(const char *app);
void topology_free(struct ps_topology *);        /* NULL is fine */

/* Checks everything and divides it into sub-topologies. -1 if there are
 * mistakes; they stand in mistakes[]. Called once, after the build. */
int topology_finish(struct ps_topology *);

/* One mistake per line, for a person. */
void topology_print_mistakes(const struct ps_topology *, struct buf *);
/* All of it as text, in the manner of Kafka Streams' describe. */
void topology_print(const struct ps_topology *, struct buf *);
/* The same as a drawing for Graphviz. */
void topology_print_dot(const struct ps_topology *, struct buf *);

const char *node_kind_name(enum node_kind);

/* topology_priv: between the files of the room. */
struct store_spec *topology_store(struct ps_topology *, struct node *,
    const char *name, const struct ps_serde *key,
    const struct ps_serde *value);
/* Does a value made for `from` do where `to` is wanted? NULL: not known. */
bool serde_agrees(const struct ps_serde *from, const struct ps_serde *to);
bool node_is_sink(const struct node *);

#endif
