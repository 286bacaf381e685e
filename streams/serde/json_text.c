#include "config.h"

#include "serde/json_text.h"

#include <stdio.h>

#include <jansson.h>

int
json_text_check(struct span text, char *why, size_t size)
{
    json_error_t e;
    json_t *j = json_loadb((const char *)text.ptr, text.len,
        JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &e);

    if (j == NULL) {
        snprintf(why, size, "not JSON: %.100s at byte %d", e.text, e.position);
        return -1;
    }
    json_decref(j);
    return 0;
}
