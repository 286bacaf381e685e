#include "config.h"

#include "topics.h"

#include <stdio.h>

#include "base/check.h"
#include "base/endian.h"

static bool
view(const struct topics *t, size_t i, struct group_topic *out)
{
    *out = (struct group_topic){span_str(t->list[i].name), t->list[i].id,
        t->list[i].partitions};
    return true;
}

static bool
by_name(void *arg, struct span name, struct group_topic *out)
{
    const struct topics *t = arg;

    for (size_t i = 0; i < TOPICS; i++) {
        if (name.len > 0 && span_eq(name, span_str(t->list[i].name))) {
            return view(t, i, out);
        }
    }
    return false;
}

static bool
by_id(void *arg, const struct uuid *id, struct group_topic *out)
{
    const struct topics *t = arg;

    for (size_t i = 0; i < TOPICS; i++) {
        if (t->list[i].name[0] != '\0' && uuid_eq(id, &t->list[i].id)) {
            return view(t, i, out);
        }
    }
    return false;
}

static void
each(void *arg, group_topic_fn *fn, void *to)
{
    const struct topics *t = arg;

    for (size_t i = 0; i < TOPICS; i++) {
        struct group_topic out;

        if (t->list[i].name[0] != '\0') {
            view(t, i, &out);
            fn(to, &out);
        }
    }
}

static uint64_t
version(void *arg)
{
    const struct topics *t = arg;

    return t->version + 1;
}

struct group_topics
topics_view(struct topics *t)
{
    return (struct group_topics){by_name, by_id, each, version, t};
}

static size_t
place(const struct topics *t, const char *name)
{
    for (size_t i = 0; i < TOPICS; i++) {
        if (strcmp(t->list[i].name, name) == 0) {
            return i;
        }
    }
    return TOPICS;
}

void
topics_make(struct topics *t, const char *name, int32_t partitions)
{
    size_t i = place(t, "");

    assert(i < TOPICS && place(t, name) == TOPICS);
    snprintf(t->list[i].name, sizeof t->list[i].name, "%s", name);
    t->list[i].partitions = partitions;
    put_be64(t->list[i].id.bytes + 8, ++t->ids);
    t->version++;
}

void
topics_grow(struct topics *t, const char *name, int32_t partitions)
{
    t->list[place(t, name)].partitions = partitions;
    t->version++;
}

void
topics_drop(struct topics *t, const char *name)
{
    t->list[place(t, name)].name[0] = '\0';
    t->version++;
}

const struct uuid *
topics_id(const struct topics *t, const char *name)
{
    size_t i = place(t, name);

    return i == TOPICS ? NULL : &t->list[i].id;
}
