#include "config.h"

#include "shop_help.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

void
order(struct ps_driver *d, const char *id, const char *state,
    const char *product, int quantity)
{
    char text[512];

    snprintf(text, sizeof text, "{\"id\":\"%s\",\"state\":\"%s\","
        "\"product\":\"%s\",\"quantity\":%d}", id, state, product, quantity);
    ps_pipe(d, "orders", id, text);
}

void
request(struct ps_driver *d, const char *id, const char *state)
{
    char text[256];

    snprintf(text, sizeof text, "{\"id\":\"%s\",\"state\":\"%s\"}", id, state);
    ps_pipe(d, "orders", id, text);
}

void
movement(struct ps_driver *d, const char *product, const char *id,
    const char *kind, int quantity)
{
    char text[256];

    snprintf(text, sizeof text,
        "{\"id\":\"%s\",\"kind\":\"%s\",\"quantity\":%d}", id, kind, quantity);
    ps_pipe(d, "warehouse-inventory", product, text);
}

int64_t
stock(struct ps_driver *d, const char *product, const char *field)
{
    return ps_view_int(d, "stock", product, field);
}

int64_t
held(struct ps_driver *d, const char *product, const char *id)
{
    char key[256];

    snprintf(key, sizeof key, "%zu:%s:%s", strlen(product), product, id);
    return ps_view_int(d, "reservations", key, "quantity");
}

int64_t
verdicts(struct ps_driver *d, const char *reason)
{
    char filter[128];

    snprintf(filter, sizeof filter,
        "{\"check\":\"INVENTORY\",\"result\":\"%s\",\"reason\":\"%s\"}",
        *reason == '\0' ? "PASS" : "FAIL", reason);
    return ps_count(d, "order-validations", filter);
}

int64_t
rejected(struct ps_driver *d, const char *reason)
{
    struct ps_read r;
    int64_t n = 0;

    ps_rewind(d, "shop-rejected");
    while (ps_read(d, "shop-rejected", &r))
        for (size_t i = 0; i < r.header_count; i++)
            n += strcmp(r.headers[i].name, "penstock.reason") == 0 &&
                (*reason == '\0' || (r.headers[i].len == strlen(reason) &&
                    memcmp(r.headers[i].value, reason, strlen(reason)) == 0));
    return n;
}

const char *
state_of(struct ps_driver *d, const char *id)
{
    static char state[32];
    const char *json = ps_view_get(d, "orders", id), *at, *end;

    state[0] = '\0';
    at = json == NULL ? NULL : strstr(json, "\"state\":\"");
    if (at != NULL) {
        at += strlen("\"state\":\"");
        end = strchr(at, '"');
        snprintf(state, sizeof state, "%.*s", (int)(end - at), at);
    }
    return state;
}

void
balanced(struct ps_driver *d, const char *product, const char *const *ids,
    size_t count)
{
    int64_t on_hand = stock(d, product, "on_hand"), sum = 0;

    for (size_t i = 0; i < count; i++)
        sum += held(d, product, ids[i]);
    assert_int_equal(stock(d, product, "received") +
            stock(d, product, "returned") + stock(d, product, "adjusted") -
            stock(d, product, "shipped"),
        on_hand);
    assert_true(on_hand >= 0);
    assert_int_equal(stock(d, product, "reserved"), sum);
    assert_true(sum <= on_hand + stock(d, product, "short"));
}
