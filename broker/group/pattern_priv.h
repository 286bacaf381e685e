/*
 * pattern_priv.h: what reading an expression (pattern_read.c) and running it
 * (pattern.c) share: the tree between them, and the program.
 */
#ifndef GROUP_PATTERN_PRIV_H
#define GROUP_PATTERN_PRIV_H

#include "base/arena.h"
#include "group/pattern.h"

/* ---- the program ---- */

enum step_kind {
    STEP_BYTES,                  /* one of a set */
    STEP_SPLIT,                  /* both ways */
    STEP_JUMP,
    STEP_TEST,                   /* an assertion */
    STEP_MATCH,
};

enum test {
    TEST_BEGIN,                  /* of the text */
    TEST_END,
    TEST_LINE_BEGIN,
    TEST_LINE_END,
    TEST_WORD,                   /* at the border of a word */
    TEST_NO_WORD,
};

struct step {
    uint8_t kind, test;
    uint16_t set;                /* of STEP_BYTES */
    uint16_t to, or_to;
};

struct set {
    uint64_t bits[4];            /* of 256 bytes */
};

static inline bool
set_has(const struct set *s, unsigned c)
{
    return s->bits[c / 64] >> c % 64 & 1;
}

/* A set of places: those in list[0..count), found by their slot. */
struct threads {
    size_t count;
    uint16_t list[PATTERN_STEPS_MAX];
    uint16_t slot[PATTERN_STEPS_MAX];    /* of no meaning beyond count */
};

struct pattern {
    struct step *steps;
    size_t step_count;
    struct set *sets;
    size_t set_count;
    struct threads *threads;     /* two: of this byte and the next */
};

/* ---- the tree ---- */

enum { NO_MAX = -1 };           /* of a repetition */

enum node_kind {
    NODE_EMPTY,
    NODE_BYTES,
    NODE_TEST,
    NODE_CONCAT,                 /* left, right */
    NODE_ALT,
    NODE_REPEAT,                 /* left; min, max */
};

struct node {
    uint8_t kind, test;
    uint16_t set;
    int min, max;
    struct node *left, *right;
};

struct reader {
    const uint8_t *at, *end;
    const char *fault;           /* the first one */
    bool fold, dot_all, lines;   /* the flags i, s, m */
    int depth;
    struct pattern *p;
    size_t set_capacity;
    struct arena arena;
};

/* The tree of the whole text, in the arena; reader.fault says why not. The
 * sets go to the program. */
const struct node *pattern_read(struct reader *);
void pattern_fail(struct reader *, const char *fault);

#endif
