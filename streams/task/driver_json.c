/*
 * driver_json.c: filters and fields of JSON texts. A file of its own, since
 * jansson and base/json.h have functions of the same names.
 */
#include "config.h"

#include <jansson.h>

#include <ctype.h>
#include <stdlib.h>

#include "task/driver_priv.h"

static json_t *
parse(const char *text)
{
    json_error_t error;
    json_t *j = json_loads(text, JSON_DECODE_ANY, &error);

    if (j == NULL)
        driver_die("no JSON: %s: %s", error.text, text);
    return j;
}

/* The member by its name, else by the lowerCamelCase of it, which is how
 * canonical JSON calls a field. */
static const json_t *
member(const json_t *object, const char *name)
{
    const json_t *m = json_object_get(object, name);
    char camel[128];
    size_t n = 0;

    if (m != NULL)
        return m;
    for (const char *p = name; *p != '\0' && n < sizeof camel - 1; p++) {
        if (*p == '_' && p[1] != '\0')
            camel[n++] = (char)toupper((unsigned char)*++p);
        else
            camel[n++] = *p;
    }
    camel[n] = '\0';
    return json_object_get(object, camel);
}

static bool
is_default(const json_t *j)
{
    if (json_is_string(j))
        return json_string_length(j) == 0 ||
            strcmp(json_string_value(j), "0") == 0;
    if (json_is_number(j))
        return json_number_value(j) == 0;
    return json_is_false(j) || json_is_null(j) ||
        (json_is_array(j) && json_array_size(j) == 0);
}

/* An int64 is a string in canonical JSON. */
static bool
same(const json_t *a, const json_t *b)
{
    if (json_is_integer(b) && json_is_string(a)) {
        const json_t *c = a;

        a = b;
        b = c;
    }
    if (json_is_integer(a) && json_is_string(b))
        return strtoll(json_string_value(b), NULL, 10) ==
            json_integer_value(a);
    return json_equal(a, b);
}

bool
driver_json_matches(const char *text, const char *filter)
{
    json_t *j = parse(text), *f = parse(filter), *want;
    bool all = json_is_object(j);
    const char *name;

    json_object_foreach(f, name, want) {
        const json_t *have = member(j, name);

        all = all && (have == NULL ? is_default(want) : same(have, want));
    }
    json_decref(j);
    json_decref(f);
    return all;
}

int64_t
driver_json_int(const char *text, const char *field)
{
    json_t *j = parse(text);
    const json_t *m = field == NULL ? j : member(j, field);
    int64_t n = 0;

    if (json_is_integer(m))
        n = json_integer_value(m);
    else if (json_is_real(m))
        n = (int64_t)json_real_value(m);
    else if (json_is_string(m))
        n = strtoll(json_string_value(m), NULL, 10);
    else if (json_is_boolean(m))
        n = json_is_true(m);
    json_decref(j);
    return n;
}
