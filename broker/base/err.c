#include "config.h"
#include "base/err.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

/* One line stays one line whatever a name in it holds. */
static void
flatten(char *s)
{
    for (; *s != '\0'; s++)
        if ((unsigned char)*s < 0x20 || *s == 0x7f)
            *s = '?';
}

int
err_set(struct err *err, int code, const char *fmt, ...)
{
    va_list ap;
    char scratch[128];
    size_t len;

    if (err == NULL)
        return -1;
    err->code = code;
    va_start(ap, fmt);
    vsnprintf(err->text, sizeof err->text, fmt, ap);
    va_end(ap);
    len = strlen(err->text);
    if (code > 0 && code < 10000)
        snprintf(err->text + len, sizeof err->text - len, ": %s",
            strerror_r(code, scratch, sizeof scratch));
    flatten(err->text);
    return -1;
}

int
err_prefix(struct err *err, const char *fmt, ...)
{
    va_list ap;
    char old[sizeof err->text];
    size_t len, room;

    if (err == NULL)
        return -1;
    memcpy(old, err->text, sizeof old);
    va_start(ap, fmt);
    vsnprintf(err->text, sizeof err->text - 2, fmt, ap);
    va_end(ap);
    len = strlen(err->text);
    memcpy(err->text + len, ": ", 3);
    len += 2;
    room = sizeof err->text - 1 - len;
    memcpy(err->text + len, old, strnlen(old, room));
    err->text[len + strnlen(old, room)] = '\0';
    flatten(err->text);
    return -1;
}
