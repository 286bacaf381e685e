/* findings.c: what a look at a data folder finds. */
#include "config.h"

#include "offline/findings.h"

#include "base/json.h"
#include "base/limits.h"

void
findings_init(struct findings *f, FILE *out, enum findings_form form)
{
    *f = (struct findings){.out = out, .form = form};
}

static void
findings_put(struct findings *f, struct buf *b, const char *tail)
{
    fwrite(b->ptr, 1, b->len, f->out);
    fputs(tail, f->out);
    buf_release(b);
}

static void
finding_json(struct findings *f, enum finding_kind kind, const char *file,
    int64_t pos, const char *advice, const char *text)
{
    struct buf b;
    struct json j;

    buf_init(&b, 1 * MIB);
    json_init(&j, &b);
    json_object_begin(&j);
    json_kv_cstr(&j, "finding", kind == FINDING_NOTE ? "note" : "damage");
    json_kv_cstr(&j, "file", file);
    if (pos >= 0)
        json_kv_int(&j, "position", pos);
    json_kv_cstr(&j, "text", text);
    if (advice != NULL)
        json_kv_cstr(&j, "advice", advice);
    json_object_end(&j);
    if (f->form == FINDINGS_JSON)
        fputs(f->open ? ",\n" : "{\"findings\":[\n", f->out);
    f->open = true;
    findings_put(f, &b, f->form == FINDINGS_JSON ? "" : "\n");
}

void
finding_add(struct findings *f, enum finding_kind kind, const char *file,
    int64_t pos, const char *advice, const char *fmt, ...)
{
    char text[600];
    va_list ap;

    if (kind == FINDING_NOTE)
        f->notes++;
    else
        f->damages++;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    for (char *c = text; *c != '\0'; c++)
        if ((unsigned char)*c < ' ' || *c == 127)
            *c = '?'; /* names may come from damaged bytes */
    if (f->form != FINDINGS_TEXT) {
        finding_json(f, kind, file, pos, advice, text);
        return;
    }
    fprintf(f->out, "%s: %s", kind == FINDING_NOTE ? "note" : "damage", file);
    if (pos >= 0)
        fprintf(f->out, " at byte %lld", (long long)pos);
    fprintf(f->out, ": %s", text);
    if (advice != NULL)
        fprintf(f->out, "; %s", advice);
    fputc('\n', f->out);
}

void
findings_end(struct findings *f, const char *text,
    const struct finding_count *counts, size_t n)
{
    struct buf b;
    struct json j;

    if (f->form == FINDINGS_TEXT) {
        fprintf(f->out, "%s\n", text);
        return;
    }
    buf_init(&b, 1 * MIB);
    json_init(&j, &b);
    json_object_begin(&j);
    json_kv_cstr(&j, "summary", text);
    json_kv_int(&j, "damages", (int64_t)f->damages);
    json_kv_int(&j, "notes", (int64_t)f->notes);
    for (size_t i = 0; i < n; i++)
        json_kv_int(&j, counts[i].name, (int64_t)counts[i].value);
    json_object_end(&j);
    if (f->form == FINDINGS_JSON)
        fputs(f->open ? "],\n\"end\":" : "{\"findings\":[],\n\"end\":",
            f->out);
    findings_put(f, &b, f->form == FINDINGS_JSON ? "}\n" : "\n");
}
