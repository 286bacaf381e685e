/*
 * findings.h: what a look at a data folder finds, told one line each: where,
 * what, and what to do.
 *
 *     damage: topics/4f../0/0000-2a.log at byte 4096: offsets 10 to 12 are
 *         damaged; ...
 *
 * With json they are objects. Ownership: borrows the stream.
 */
#ifndef OFFLINE_FINDINGS_H
#define OFFLINE_FINDINGS_H

#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

enum findings_form {
    FINDINGS_TEXT,
    FINDINGS_JSON,               /* one document: findings, summary */
    FINDINGS_NDJSON,             /* an object a line */
};

struct findings {
    FILE *out;
    enum findings_form form;
    uint64_t damages, notes;
    bool open;                   /* private: the document was begun */
};

enum finding_kind {
    FINDING_NOTE,                /* to know of; nothing is lost */
    FINDING_DAMAGE,
};

#define FINDING_NOWHERE (-1)     /* no byte to point at */

void findings_init(struct findings *, FILE *, enum findings_form);
/* file: within the data folder. advice: what to do, NULL: nothing. */
void finding_add(struct findings *, enum finding_kind, const char *file,
    int64_t pos, const char *advice, const char *fmt, ...)
    __attribute__((format(printf, 6, 7)));

/* The last line: a sentence, and numbers by name for JSON. */
struct finding_count {
    const char *name;
    uint64_t value;
};
void findings_end(struct findings *, const char *text,
    const struct finding_count *, size_t n);

#endif
