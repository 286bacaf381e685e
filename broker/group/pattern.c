/*
 * An expression is read into a tree, the tree is written out as a program of
 * a Thompson machine, and that is run over the text with all its threads at
 * once: a set of places in the program, each at most once. So a byte of text
 * costs at most one visit of each place, and a loop over nothing ends.
 *
 *     a*b      0: SPLIT 1, 3     1: BYTE a     2: JUMP 0     3: BYTE b
 *              4: MATCH
 *
 * Greedy or lazy makes no difference, since only the whole text counts.
 *
 * Bounds: PATTERN_TEXT_MAX bytes of text, DEPTH_MAX nested groups, REPEAT_MAX
 * in {n,m}, PATTERN_STEPS_MAX places. The tree has at most two nodes for each
 * byte of text; what a repetition repeats is written out again and again, and
 * the bound on places stops it.
 */
#include "config.h"

#include "group/pattern_priv.h"

#include <stdlib.h>

#include "base/alloc.h"

enum { ARENA_MAX = 1 << 20 };

/* ---- from the tree to the program ---- */

static size_t
emit(struct reader *r, enum step_kind kind)
{
    struct pattern *p = r->p;

    if (p->step_count == PATTERN_STEPS_MAX) {
        pattern_fail(r, "the expression is too large");
        return 0;
    }
    p->steps[p->step_count] = (struct step){.kind = (uint8_t)kind};
    return p->step_count++;
}

static void
point(struct reader *r, size_t at, size_t to, size_t or_to)
{
    r->p->steps[at].to = (uint16_t)to;
    r->p->steps[at].or_to = (uint16_t)or_to;
}

static void write_node(struct reader *, const struct node *);

static void
write_alt(struct reader *r, const struct node *n)
{
    size_t split = emit(r, STEP_SPLIT), jump;

    write_node(r, n->left);
    jump = emit(r, STEP_JUMP);
    point(r, split, split + 1, r->p->step_count);
    write_node(r, n->right);
    point(r, jump, r->p->step_count, 0);
}

/* As often as it must; then a loop, or as often as it may. */
static void
write_repeat(struct reader *r, const struct node *n)
{
    for (int i = 0; i < n->min && r->fault == NULL; i++) {
        write_node(r, n->left);
    }
    if (n->max == NO_MAX) {
        size_t split = emit(r, STEP_SPLIT), jump;

        write_node(r, n->left);
        jump = emit(r, STEP_JUMP);
        point(r, jump, split, 0);
        point(r, split, split + 1, r->p->step_count);
        return;
    }
    for (int i = n->min; i < n->max && r->fault == NULL; i++) {
        size_t split = emit(r, STEP_SPLIT);

        write_node(r, n->left);
        point(r, split, split + 1, r->p->step_count);
    }
}

static void
write_node(struct reader *r, const struct node *n)
{
    size_t at;

    if (r->fault != NULL) {
        return;
    }
    switch ((enum node_kind)n->kind) {
    case NODE_EMPTY:
        break;
    case NODE_BYTES:
        at = emit(r, STEP_BYTES);
        r->p->steps[at].set = n->set;
        break;
    case NODE_TEST:
        at = emit(r, STEP_TEST);
        r->p->steps[at].test = n->test;
        break;
    case NODE_CONCAT:
        write_node(r, n->left);
        write_node(r, n->right);
        break;
    case NODE_ALT:
        write_alt(r, n);
        break;
    case NODE_REPEAT:
        write_repeat(r, n);
        break;
    }
}

struct pattern *
pattern_new(struct span text, const char **fault)
{
    struct reader r = {.at = text.ptr, .end = text.ptr + text.len};
    struct pattern *p = xcalloc(1, sizeof *p);
    const struct node *tree;

    r.p = p;
    arena_init(&r.arena, ARENA_MAX);
    if (text.len > PATTERN_TEXT_MAX) {
        pattern_fail(&r, "the expression is too long");
    }
    p->steps = xcalloc(PATTERN_STEPS_MAX, sizeof *p->steps);
    p->threads = xcalloc(2, sizeof *p->threads);
    tree = pattern_read(&r);
    write_node(&r, tree);
    emit(&r, STEP_MATCH);
    arena_release(&r.arena);
    if (r.fault != NULL) {
        *fault = r.fault;
        pattern_free(p);
        return NULL;
    }
    return p;
}

void
pattern_free(struct pattern *p)
{
    if (p != NULL) {
        free(p->steps);
        free(p->sets);
        free(p->threads);
        free(p);
    }
}

/* ---- the run ---- */

static void
threads_put(struct threads *t, uint16_t at)
{
    if (t->slot[at] >= t->count || t->list[t->slot[at]] != at) {
        t->slot[at] = (uint16_t)t->count;
        t->list[t->count++] = at;
    }
}

static bool
is_word(struct span text, size_t at)
{
    uint8_t c = at < text.len ? text.ptr[at] : 0;

    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') ||
        (c >= 'a' && c <= 'z') || c == '_';
}

static bool
holds(enum test test, struct span text, size_t pos)
{
    bool before = pos > 0 && is_word(text, pos - 1);
    bool border = before != is_word(text, pos);

    switch (test) {
    case TEST_BEGIN:
        return pos == 0;
    case TEST_END:
        return pos == text.len;
    case TEST_LINE_BEGIN:
        return pos == 0 || text.ptr[pos - 1] == '\n';
    case TEST_LINE_END:
        return pos == text.len || text.ptr[pos] == '\n';
    case TEST_WORD:
        return border;
    case TEST_NO_WORD:
        return !border;
    }
    return false;
}

/* The place, and all that can be reached from it without a byte. The list
 * is its own queue: places are looked at in turn from where it began. */
static void
threads_add(const struct pattern *p, struct threads *t, uint16_t at,
    struct span text, size_t pos)
{
    size_t look = t->count;

    threads_put(t, at);
    for (; look < t->count; look++) {
        const struct step *s = &p->steps[t->list[look]];
        uint16_t next = (uint16_t)(t->list[look] + 1);

        if (s->kind == STEP_SPLIT) {
            threads_put(t, s->to);
            threads_put(t, s->or_to);
        } else if (s->kind == STEP_JUMP) {
            threads_put(t, s->to);
        } else if (s->kind == STEP_TEST &&
            holds((enum test)s->test, text, pos)) {
            threads_put(t, next);
        }
    }
}

bool
pattern_matches(struct pattern *p, struct span text)
{
    struct threads *now = p->threads, *next = now + 1;
    bool matches = false;

    now->count = 0;
    threads_add(p, now, 0, text, 0);
    for (size_t pos = 0; pos < text.len && now->count > 0; pos++) {
        struct threads *t;

        next->count = 0;
        for (size_t i = 0; i < now->count; i++) {
            const struct step *s = &p->steps[now->list[i]];

            if (s->kind == STEP_BYTES &&
                set_has(&p->sets[s->set], text.ptr[pos])) {
                threads_add(p, next, (uint16_t)(now->list[i] + 1), text,
                    pos + 1);
            }
        }
        t = now;
        now = next;
        next = t;
    }
    for (size_t i = 0; i < now->count; i++) {
        matches |= p->steps[now->list[i]].kind == STEP_MATCH;
    }
    return matches;
}
