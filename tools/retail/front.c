/* front.c: see front.h. */
#include "config.h"

#include "retail/front.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "client/client.h"
#include "client/http_get.h"
#include "views.h"

enum { PAGE = 1000, PATH_MAX_BYTES = 256 << 10 };

static int
ask_app(const struct cli *cli, const char *path, struct err *err)
{
    json_t *root;

    if (views_ask(cli, "POST", path, 0, &root, err) != 0)
        return err->code == ERR_NOTFOUND ? 0 : -1;
    json_decref(root);
    return 1;
}

int
front_pause(const struct cli *cli, struct err *err)
{
    return ask_app(cli, "/v1/streams/inventory/pause", err);
}

int
front_resume(const struct cli *cli, struct err *err)
{
    return ask_app(cli, "/v1/streams/inventory/resume", err);
}

int
front_settle(const struct cli *cli, int within_ms, struct err *err)
{
    char path[64];
    json_t *root;
    int kerr;

    snprintf(path, sizeof path, "/v1/settle?within_ms=%d", within_ms);
    if (views_ask(cli, "POST", path, within_ms, &root, err) != 0) {
        if (!client_kerr(err, &kerr))
            return -1;
        if (kerr == KERR_NON_EMPTY_GROUP)        /* 409: held up */
            return 1;
        return kerr == KERR_REQUEST_TIMED_OUT ? 0 : -1;
    }
    json_decref(root);
    return 1;
}

static int
page_rows(const json_t *rows, front_row_fn fn, void *arg, struct err *err)
{
    const json_t *row;
    size_t i;

    json_array_foreach (rows, i, row) {
        const char *key = json_string_value(json_object_get(row, "key"));

        if (key == NULL)
            return err_set(err, ERR_FORMAT, "a row of a view has no key");
        if (fn(arg, key, json_object_get(row, "value"), err) != 0)
            return -1;
    }
    return 0;
}

int
front_rows(const struct cli *cli, const char *view, front_row_fn fn, void *arg,
    struct err *err)
{
    struct buf path;
    json_t *root = NULL;
    int rc = 0;

    buf_init(&path, PATH_MAX_BYTES);
    buf_printf(&path, "/v1/views/%s?limit=%d", view, PAGE);
    while (rc == 0 && path.len > 0 && !path.failed) {
        const char *next;

        buf_put_u8(&path, '\0');
        rc = views_ask(cli, "GET", (const char *)path.ptr, 0, &root, err);
        buf_clear(&path);
        if (rc != 0)
            break;
        rc = page_rows(json_object_get(root, "rows"), fn, arg, err);
        next = json_string_value(json_object_get(root, "next"));
        if (next != NULL) {
            buf_printf(&path, "/v1/views/%s?limit=%d&after=", view, PAGE);
            http_escape(&path, next);
        }
        json_decref(root);
    }
    buf_release(&path);
    return rc;
}

int64_t
front_int(const json_t *object, const char *name)
{
    const json_t *v = json_object_get(object, name);

    return json_is_string(v) ? strtoll(json_string_value(v), NULL, 10)
                             : json_integer_value(v);
}
