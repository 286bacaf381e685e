/*
 * topic_config.h: the configs of topics: which there are, what they may be,
 * what a topic has. Values are text, as on the wire; a topic keeps only what
 * was set on it.
 */
#ifndef PARTITION_TOPIC_CONFIG_H
#define PARTITION_TOPIC_CONFIG_H

#include "base/err.h"
#include "base/span.h"

enum config_type {               /* the numbers of DescribeConfigs */
    CONFIG_UNKNOWN,
    CONFIG_BOOLEAN,
    CONFIG_STRING,
    CONFIG_INT,
    CONFIG_SHORT,
    CONFIG_LONG,
    CONFIG_DOUBLE,
    CONFIG_LIST,
};

struct config_def {
    const char *name;
    enum config_type type;
    const char *value;           /* the default */
    int64_t least, most;         /* of numbers */
    bool acts;                   /* has an effect on one node */
    const char *doc;
};

/* By position, NULL behind the last; and by name, NULL if unknown. */
const struct config_def *config_def_nth(size_t);
const struct config_def *config_def_find(struct span name);
/* 0, or -1 and what is wrong with the value (ERR_USAGE). */
int config_check(const struct config_def *, struct span value, struct err *);

struct topic_setting {
    const struct config_def *def;
    char *value;
};

struct topic_config {
    struct topic_setting *set;   /* owned */
    size_t count;
    /* What holds where nothing is set here: settings of the broker, which
     * must live as long. NULL: the defaults of the table. */
    const struct topic_config *below;
};

void topic_config_release(struct topic_config *);
/* Sets or replaces; the value must have been checked. */
void topic_config_set(struct topic_config *, const struct config_def *,
    struct span value);
/* Back to the default. */
void topic_config_unset(struct topic_config *, const struct config_def *);
/* What holds: set here, below, or the default. is_default: not set here. */
const char *topic_config_get(const struct topic_config *, const char *name,
    bool *is_default);
/* Set here, or NULL. */
const char *topic_config_own(const struct topic_config *,
    const struct config_def *);
/* Do all the settings that hold go together? 0, or -1 and which do not. */
int topic_config_check(const struct topic_config *, struct err *);
int64_t topic_config_int(const struct topic_config *, const char *name);

#endif
