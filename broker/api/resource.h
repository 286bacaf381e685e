/*
 * resource.h: settings that are kept beside topics: those of the broker,
 * which lie below every topic's own, and those of consumer groups. Loaded at
 * start from the metadata records, put there when they change.
 *
 *     topic's own ─► this node's ─► those of all brokers ─► the defaults
 *
 * Ownership: what is returned belongs to the api. Thread: loop.
 */
#ifndef API_RESOURCE_H
#define API_RESOURCE_H

#include "base/err.h"
#include "base/omap.h"
#include "partition/topic_config.h"

struct api;
struct group_tuning;

enum resource_type {             /* the numbers of the wire */
    RESOURCE_TOPIC = 2,
    RESOURCE_BROKER = 4,
    RESOURCE_LOGGER = 8,
    RESOURCE_METRICS = 16,
    RESOURCE_GROUP = 32,
};

enum config_source {             /* the numbers of DescribeConfigs */
    CONFIG_FROM_TOPIC = 1,
    CONFIG_FROM_NODE = 2,        /* set while it runs, for this broker */
    CONFIG_FROM_CLUSTER = 3,     /* or for all */
    CONFIG_FROM_BROKER = 4,      /* static: what the process was told */
    CONFIG_FROM_DEFAULT = 5,
    CONFIG_FROM_GROUP = 8,
};

enum { RESOURCES_MAX = 10000 };  /* groups with settings of their own */

struct resources {
    struct omap groups;          /* name -> struct topic_config * */
};

/* After topics_load() and before seq_start(). */
int resources_load(struct api *, struct err *);
void resources_release(struct api *);

/* The broker's name for the default of a topic's config, in `text` if need
 * be; NULL: it has none. */
enum { BROKER_NAME = 64 };
const char *broker_config_name(const struct config_def *,
    char text[BROKER_NAME]);
/* The topic's config whose default has this name; NULL: none. */
const struct config_def *broker_config_find(struct span name);

/* What a topic has that does not set it, and (enum config_source) from where
 * that is. */
const char *config_default(const struct api *, const struct config_def *,
    enum config_source *);

/* The configs of groups, as Kafka 4.2 knows them (group_config.tbl). */
const struct config_def *group_config_nth(size_t);
const struct config_def *group_config_find(struct span name);
int group_config_check(const struct config_def *, struct span value,
    struct err *);
/* What holds for a group: its own or the default. The name must be one of
 * the table. */
const char *group_config_get(const struct api *, struct span group,
    const char *name);
/* For groups_set_tuning(); the argument is the api. */
void group_config_tune(void *api, struct span group, struct group_tuning *);

/* The settings of a broker (empty name: of all brokers) or a group; NULL: it
 * has none, or there is no such resource. */
struct topic_config *resource_get(struct api *, enum resource_type,
    struct span name);
/* The same; made for a group that has none. NULL: too many, or no such
 * resource. */
struct topic_config *resource_make(struct api *, enum resource_type,
    struct span name);
/* They are to hold as they are now: links the record. What is empty goes. */
void resource_changed(struct api *, enum resource_type, struct span name);
/* The bytes that resource_changed() links at most, with one more setting of
 * `more` bytes. */
size_t resource_cost(const struct topic_config *, size_t more);

#endif
