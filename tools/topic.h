/*
 * topic.h: topics by the names that people give.
 */
#ifndef TOOLS_TOPIC_H
#define TOOLS_TOPIC_H

#include "client/client.h"

/* client_topic(), with the nearest name in the error. */
const struct client_topic *topic_named(struct client *, const char *name,
    struct err *);

/* The value of a setting: what ends in .bytes or .ms may have a unit. */
int topic_setting_value(const char *key, const char *text, struct arena *,
    struct span *out, struct err *);

#endif
