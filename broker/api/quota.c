/* quota.c: quotas and their buckets: see quota.h. */
#include "config.h"

#include "api/quota.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/check.h"

struct quota_bucket {
    TAILQ_ENTRY(quota_bucket) next;
    double tokens;               /* below 0: debt */
    int64_t filled_ms;
    size_t key_len;
    uint8_t key[];
};

/* ---- names ---- */

static const char *const part_names[QUOTA_PARTS] = {"user", "client-id",
    "ip"};
static const char part_letters[QUOTA_PARTS] = {'u', 'c', 'i'};

static const struct {
    const char *name;
    bool integral, ip;
} keys[] = {
#define X(NAME, key, integral, ip) {key, integral, ip},
    QUOTA_KEYS_TABLE(X)
#undef X
};

const char *
quota_part_name(enum quota_part p)
{
    return part_names[p];
}

bool
quota_part_find(struct span name, enum quota_part *out)
{
    for (int i = 0; i < QUOTA_PARTS; i++) {
        *out = (enum quota_part)i;
        if (span_eq(span_str(part_names[i]), name))
            return true;
    }
    return false;
}

const char *
quota_key_name(enum quota_key k)
{
    return keys[k].name;
}

bool
quota_key_find(struct span name, enum quota_key *out)
{
    for (int i = 0; i < QUOTA_KEYS; i++) {
        *out = (enum quota_key)i;
        if (span_eq(span_str(keys[i].name), name))
            return true;
    }
    return false;
}

bool
quota_key_integral(enum quota_key k)
{
    return keys[k].integral;
}

bool
quota_key_of_ip(enum quota_key k)
{
    return keys[k].ip;
}

/* ---- entities as bytes: "u=alice\0c*\0" ---- */

size_t
quota_encode(const struct quota_entity *e, uint8_t out[QUOTA_ENTITY_MAX])
{
    size_t n = 0;

    for (int i = 0; i < QUOTA_PARTS; i++) {
        if (!e->has[i])
            continue;
        assert(e->name[i].len <= QUOTA_NAME_MAX);
        out[n++] = (uint8_t)part_letters[i];
        out[n++] = e->name[i].ptr == NULL ? '*' : '=';
        if (e->name[i].len > 0)
            memcpy(out + n, e->name[i].ptr, e->name[i].len);
        n += e->name[i].len;
        out[n++] = '\0';
    }
    return n;
}

bool
quota_decode(struct span s, struct quota_entity *out)
{
    *out = (struct quota_entity){0};
    for (int i = 0; i < QUOTA_PARTS && s.len > 0; i++) {
        const uint8_t *end;

        if (s.ptr[0] != (uint8_t)part_letters[i])
            continue;
        end = s.len < 3 ? NULL : memchr(s.ptr + 2, '\0', s.len - 2);
        if (end == NULL || (s.ptr[1] != '=' && s.ptr[1] != '*')
            || end - s.ptr - 2 > QUOTA_NAME_MAX)
            return false;
        out->has[i] = true;
        if (s.ptr[1] == '=')
            out->name[i] = span_of(s.ptr + 2, (size_t)(end - s.ptr - 2));
        s = span_of(end + 1, s.len - (size_t)(end + 1 - s.ptr));
    }
    return s.len == 0;
}

/* ---- what is set ---- */

void
quotas_init(struct quotas *q)
{
    memset(q, 0, sizeof *q);
    omap_init(&q->by_entity);
    table_init(&q->buckets);
    TAILQ_INIT(&q->used);
}

static void
bucket_drop(struct quotas *q, struct quota_bucket *b)
{
    table_del(&q->buckets, span_of(b->key, b->key_len));
    TAILQ_REMOVE(&q->used, b, next);
    free(b);
}

static void
quota_free(void *value, void *arg)
{
    (void)arg;
    free(value);
}

void
quotas_release(struct quotas *q)
{
    struct quota_bucket *b;

    while ((b = TAILQ_FIRST(&q->used)) != NULL)
        bucket_drop(q, b);
    table_release(&q->buckets);
    omap_release(&q->by_entity, quota_free, NULL);
}

const struct quota *
quotas_get(const struct quotas *q, struct span entity)
{
    return omap_get(&q->by_entity, entity);
}

void
quotas_set(struct quotas *q, struct span entity, const struct quota *now)
{
    const struct quota *was = quotas_get(q, entity);
    bool any = false;

    for (int i = 0; i < QUOTA_KEYS; i++) {
        q->set[i] -= was != NULL && was->value[i] > 0;
        q->set[i] += now->value[i] > 0;
        any |= now->value[i] > 0;
    }
    if (any) {
        void **slot = omap_slot(&q->by_entity, entity);

        if (*slot == NULL)
            *slot = xcalloc(1, sizeof *now);
        memcpy(*slot, now, sizeof *now);
    } else if (was != NULL) {
        free(omap_del(&q->by_entity, entity));
    }
}

bool
quotas_next(struct omap_iter *it, struct span *entity,
    const struct quota **out)
{
    void *value;

    if (!omap_next(it, entity, &value))
        return false;
    *out = value;
    return true;
}

/* ---- what holds ---- */

enum scope { SCOPE_BOTH, SCOPE_USER, SCOPE_CLIENT, SCOPE_IP };

/* The order of precedence: of user and client, 1 the name, 2 the default, 0
 * that the entity has no such part. */
static const struct {
    uint8_t user, client;
    enum scope scope;
} levels[] = {
    {1, 1, SCOPE_BOTH}, {1, 2, SCOPE_BOTH}, {1, 0, SCOPE_USER},
    {2, 1, SCOPE_BOTH}, {2, 2, SCOPE_BOTH}, {2, 0, SCOPE_USER},
    {0, 1, SCOPE_CLIENT}, {0, 2, SCOPE_CLIENT},
};

static double
limit_of(const struct quotas *q, const struct quota_entity *e,
    enum quota_key key)
{
    uint8_t bytes[QUOTA_ENTITY_MAX];
    const struct quota *found = quotas_get(q, span_of(bytes,
        quota_encode(e, bytes)));

    return found == NULL ? 0 : found->value[key];
}

/* A name that is too long is the name of no entity: the default holds. */
static bool
entity_part(struct quota_entity *e, enum quota_part part, int how,
    struct span name)
{
    if (how == 1 && (name.len > QUOTA_NAME_MAX || name.ptr == NULL))
        return false;
    e->has[part] = how != 0;
    if (how == 1)
        e->name[part] = name;
    return true;
}

static double
find_ip(const struct quotas *q, enum quota_key key, struct span ip)
{
    double limit = 0;

    for (int how = 1; how <= 2 && limit <= 0; how++) {
        struct quota_entity e = {0};

        if (entity_part(&e, QUOTA_IP, how, ip))
            limit = limit_of(q, &e, key);
    }
    return limit;
}

static double
find_limit(const struct quotas *q, enum quota_key key,
    const struct quota_who *who, enum scope *scope)
{
    *scope = SCOPE_IP;
    if (q->set[key] == 0)
        return 0;
    if (keys[key].ip)
        return find_ip(q, key, who->ip);
    for (size_t i = 0; i < countof(levels); i++) {
        struct quota_entity e = {0};
        double limit;

        if (!entity_part(&e, QUOTA_USER, levels[i].user, who->user)
            || !entity_part(&e, QUOTA_CLIENT, levels[i].client, who->client))
            continue;
        limit = limit_of(q, &e, key);
        *scope = levels[i].scope;
        if (limit > 0)
            return limit;
    }
    return 0;
}

double
quotas_limit(const struct quotas *q, enum quota_key key,
    const struct quota_who *who)
{
    enum scope scope;

    return find_limit(q, key, who, &scope);
}

/* ---- buckets ---- */

static size_t
bucket_part(uint8_t *to, char letter, struct span name)
{
    size_t n = name.len < QUOTA_NAME_MAX ? name.len : QUOTA_NAME_MAX;

    to[0] = (uint8_t)letter;
    if (n > 0)
        memcpy(to + 1, name.ptr, n);
    to[n + 1] = '\0';
    return n + 2;
}

static struct quota_bucket *
bucket_get(struct quotas *q, enum quota_key key, enum scope scope,
    const struct quota_who *who, double full, int64_t now_ms)
{
    uint8_t name[QUOTA_ENTITY_MAX];
    struct quota_bucket *b;
    size_t n = 0;

    name[n++] = (uint8_t)('0' + key);
    if (scope == SCOPE_BOTH || scope == SCOPE_USER)
        n += bucket_part(name + n, 'u', who->user);
    if (scope == SCOPE_BOTH || scope == SCOPE_CLIENT)
        n += bucket_part(name + n, 'c', who->client);
    if (scope == SCOPE_IP)
        n += bucket_part(name + n, 'i', who->ip);
    b = table_get(&q->buckets, span_of(name, n));
    if (b != NULL) {
        TAILQ_REMOVE(&q->used, b, next);
        TAILQ_INSERT_TAIL(&q->used, b, next);
        return b;
    }
    if (q->buckets.count >= QUOTA_BUCKETS_MAX)
        bucket_drop(q, TAILQ_FIRST(&q->used));
    b = xcalloc(1, sizeof *b + n);
    b->tokens = full;
    b->filled_ms = now_ms;
    b->key_len = n;
    memcpy(b->key, name, n);
    table_put(&q->buckets, span_of(b->key, n), b);
    TAILQ_INSERT_TAIL(&q->used, b, next);
    return b;
}

int64_t
quotas_take(struct quotas *q, enum quota_key key, const struct quota_who *who,
    double amount, int64_t now_ms)
{
    enum scope scope;
    double limit = find_limit(q, key, who, &scope);
    double full = limit * QUOTA_BURST_S, wait;
    struct quota_bucket *b;

    if (limit <= 0)
        return 0;
    b = bucket_get(q, key, scope, who, full, now_ms);
    if (now_ms > b->filled_ms)
        b->tokens += limit * (double)(now_ms - b->filled_ms) / 1000;
    b->filled_ms = now_ms;
    if (b->tokens > full)
        b->tokens = full;
    b->tokens -= amount;
    if (b->tokens >= 0)
        return 0;
    wait = -b->tokens / limit * 1000 + 1; /* rounded up */
    return wait < INT32_MAX ? (int64_t)wait : INT32_MAX;
}
