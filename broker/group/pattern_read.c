/*
 * From the text of an expression to its tree: RE2's syntax, by recursive
 * descent. After the first fault nothing more is read.
 */
#include "config.h"

#include "group/pattern_priv.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/check.h"

enum {
    DEPTH_MAX = 100,
    REPEAT_MAX = 1000,
    RUNE_MAX = 0x10ffff,
};

static struct node *read_alt(struct reader *);

void
pattern_fail(struct reader *r, const char *fault)
{
    if (r->fault == NULL) {
        r->fault = fault;
    }
    r->at = r->end;
}

static bool
more(const struct reader *r)
{
    return r->at < r->end;
}

static bool
next_is(struct reader *r, const char *text)
{
    size_t len = strlen(text);

    if ((size_t)(r->end - r->at) < len || memcmp(r->at, text, len) != 0) {
        return false;
    }
    r->at += len;
    return true;
}

static struct node *
node_new(struct reader *r, enum node_kind kind, struct node *left,
    struct node *right)
{
    static struct node spare;
    struct node *n = arena_zalloc(&r->arena, sizeof *n);

    if (n == NULL) {
        pattern_fail(r, "the expression is too large");
        spare = (struct node){0};
        return &spare;
    }
    n->kind = (uint8_t)kind;
    n->left = left;
    n->right = right;
    return n;
}

/* ---- sets of bytes ---- */

static void
set_add(struct set *s, unsigned from, unsigned to)
{
    for (unsigned c = from; c <= to && c < 256; c++) {
        s->bits[c / 64] |= 1ull << c % 64;
    }
}

/* Of what is beyond ASCII a set has all bytes or none: names have none. */
static void
set_invert(struct set *s)
{
    for (int i = 0; i < 4; i++) {
        s->bits[i] = ~s->bits[i];
    }
}

static void
set_fold(struct set *s)
{
    for (unsigned c = 'a'; c <= 'z'; c++) {
        if (set_has(s, c) || set_has(s, c - 32)) {
            set_add(s, c, c);
            set_add(s, c - 32, c - 32);
        }
    }
}

static struct node *
set_node(struct reader *r, const struct set *s)
{
    struct node *n = node_new(r, NODE_BYTES, NULL, NULL);
    struct pattern *p = r->p;

    for (size_t i = 0; i < p->set_count; i++) {
        if (memcmp(&p->sets[i], s, sizeof *s) == 0) {
            n->set = (uint16_t)i;
            return n;
        }
    }
    if (p->set_count == r->set_capacity) {
        r->set_capacity = r->set_capacity == 0 ? 8 : r->set_capacity * 2;
        p->sets = xrealloc(p->sets, r->set_capacity * sizeof *p->sets);
    }
    p->sets[p->set_count] = *s;
    n->set = (uint16_t)p->set_count++;
    return n;
}

/* A character as the bytes of its UTF-8. */
static struct node *
rune_node(struct reader *r, unsigned c)
{
    uint8_t bytes[4];
    size_t n = 0;
    struct node *node = NULL;

    if (c < 0x80) {
        bytes[n++] = (uint8_t)c;
    } else if (c < 0x800) {
        bytes[n++] = (uint8_t)(0xc0 | c >> 6);
        bytes[n++] = (uint8_t)(0x80 | (c & 0x3f));
    } else if (c < 0x10000) {
        bytes[n++] = (uint8_t)(0xe0 | c >> 12);
        bytes[n++] = (uint8_t)(0x80 | (c >> 6 & 0x3f));
        bytes[n++] = (uint8_t)(0x80 | (c & 0x3f));
    } else {
        bytes[n++] = (uint8_t)(0xf0 | c >> 18);
        bytes[n++] = (uint8_t)(0x80 | (c >> 12 & 0x3f));
        bytes[n++] = (uint8_t)(0x80 | (c >> 6 & 0x3f));
        bytes[n++] = (uint8_t)(0x80 | (c & 0x3f));
    }
    for (size_t i = 0; i < n; i++) {
        struct set s = {{0}};
        struct node *one;

        set_add(&s, bytes[i], bytes[i]);
        if (r->fold) {
            set_fold(&s);
        }
        one = set_node(r, &s);
        node = node == NULL ? one : node_new(r, NODE_CONCAT, node, one);
    }
    return node;
}

/* ---- characters and escapes ---- */

/* The next character of the text, which must be UTF-8. */
static unsigned
read_rune(struct reader *r)
{
    unsigned c = *r->at++, n = c < 0x80 ? 0 : c < 0xe0 ? 1 : c < 0xf0 ? 2 : 3;

    if (n == 0) {
        return c;
    }
    if (c < 0xc2 || c > 0xf4 || (size_t)(r->end - r->at) < n) {
        pattern_fail(r, "invalid UTF-8");
        return 0;
    }
    c &= 0x3fu >> n;
    while (n-- > 0) {
        if ((*r->at & 0xc0) != 0x80) {
            pattern_fail(r, "invalid UTF-8");
            return 0;
        }
        c = c << 6 | (*r->at++ & 0x3fu);
    }
    return c;
}

static int
hex_value(uint8_t c)
{
    return c >= '0' && c <= '9' ? c - '0'
        : c >= 'a' && c <= 'f'  ? c - 'a' + 10
        : c >= 'A' && c <= 'F'  ? c - 'A' + 10
                                : -1;
}

/* After \x: two digits, or some in braces. */
static unsigned
read_hex(struct reader *r)
{
    bool braces = next_is(r, "{");
    unsigned c = 0, n = 0;

    while (more(r) && hex_value(*r->at) >= 0 && (braces || n < 2)) {
        c = c * 16 + (unsigned)hex_value(*r->at++);
        n++;
        if (c > RUNE_MAX) {
            break;
        }
    }
    if (c > RUNE_MAX || (braces ? n == 0 || !next_is(r, "}") : n != 2)) {
        pattern_fail(r, "invalid escape sequence");
    }
    return c;
}

static const struct {
    char name;
    unsigned value;
} control[] = {{'a', 7}, {'f', 12}, {'t', 9}, {'n', 10}, {'r', 13},
    {'v', 11}};

/* After the backslash: what stands for one character. */
static unsigned
read_escape(struct reader *r)
{
    unsigned c;

    if (!more(r)) {
        pattern_fail(r, "trailing backslash at the end of the expression");
        return 0;
    }
    c = *r->at;
    for (size_t i = 0; i < countof(control); i++) {
        if (c == (unsigned)control[i].name) {
            r->at++;
            return control[i].value;
        }
    }
    if (c == 'x') {
        r->at++;
        return read_hex(r);
    }
    /* A digit but 0 alone would be a back reference. */
    if (c >= '0' && c <= '7' && (c == '0' || (r->end - r->at > 1 &&
            r->at[1] >= '0' && r->at[1] <= '7'))) {
        unsigned value = 0;

        for (int n = 0; n < 3 && more(r) && *r->at >= '0' && *r->at <= '7';
             n++) {
            value = value * 8 + (unsigned)(*r->at++ - '0');
        }
        return value;
    }
    if (c >= 0x80 || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
        (c >= 'A' && c <= 'Z')) {
        pattern_fail(r, "invalid escape sequence");
        return 0;
    }
    r->at++;
    return c;
}

/* ---- classes ---- */

struct class_name {
    const char *name;
    const char *ranges;          /* pairs */
};

static const struct class_name posix[] = {
    {"alnum", "09AZaz"}, {"alpha", "AZaz"}, {"ascii", "\1\177"},
    {"blank", "\t\t  "}, {"cntrl", "\1\37\177\177"}, {"digit", "09"},
    {"graph", "!~"}, {"lower", "az"}, {"print", " ~"},
    {"punct", "!/:@[`{~"}, {"space", "\t\r  "}, {"upper", "AZ"},
    {"word", "09AZaz__"}, {"xdigit", "09AFaf"},
};

/* What the general categories and some scripts have of ASCII. */
static const struct class_name unicode[] = {
    {"Any", "\1\177"}, {"C", "\1\37\177\177"}, {"Cc", "\1\37\177\177"},
    {"Cf", ""}, {"Co", ""}, {"Cs", ""}, {"L", "AZaz"}, {"Ll", "az"},
    {"Lm", ""}, {"Lo", ""}, {"Lt", ""}, {"Lu", "AZ"}, {"M", ""}, {"Mc", ""},
    {"Me", ""}, {"Mn", ""}, {"N", "09"}, {"Nd", "09"}, {"Nl", ""},
    {"No", ""}, {"P", "!#%*,/:;?@[]__{{}}"}, {"Pc", "__"}, {"Pd", "--"},
    {"Pe", "))]]}}"}, {"Pf", ""}, {"Pi", ""},
    {"Po", "!#%'**,,./:;?@\\\\"}, {"Ps", "(([[{{"}, {"S", "$$++<>^^``||~~"},
    {"Sc", "$$"}, {"Sk", "^^``"}, {"Sm", "++<>||~~"}, {"So", ""},
    {"Z", "  "}, {"Zl", ""}, {"Zp", ""}, {"Zs", "  "}, {"Arabic", ""},
    {"Common", "\1@[`{\177"}, {"Cyrillic", ""}, {"Greek", ""}, {"Han", ""},
    {"Hangul", ""}, {"Hebrew", ""}, {"Hiragana", ""}, {"Katakana", ""},
    {"Latin", "AZaz"}, {"Thai", ""},
};

static void
add_ranges(struct set *s, const char *ranges)
{
    for (; *ranges != '\0'; ranges += 2) {
        set_add(s, (uint8_t)ranges[0], (uint8_t)ranges[1]);
        if (ranges[0] == '\1') {
            set_add(s, 0, 0);    /* which no string could name */
        }
    }
}

static bool
add_named(struct set *s, const struct class_name *list, size_t count,
    struct span name)
{
    for (size_t i = 0; i < count; i++) {
        if (span_eq(name, span_str(list[i].name))) {
            add_ranges(s, list[i].ranges);
            return true;
        }
    }
    return false;
}

/* A part of a class, perhaps turned round, into the class. */
static void
set_join(struct set *into, struct set part, bool inverted)
{
    if (inverted) {
        set_invert(&part);
    }
    for (int i = 0; i < 4; i++) {
        into->bits[i] |= part.bits[i];
    }
}

/* \pN, \p{Name}, \P..., \p{^Name} */
static void
read_unicode(struct reader *r, struct set *into, bool inverted)
{
    struct set part = {{0}};
    struct span name;

    if (!more(r)) {
        pattern_fail(r, "invalid character class range");
        return;
    }
    if (*r->at == '{') {
        const uint8_t *close = memchr(r->at, '}', (size_t)(r->end - r->at));

        if (close == NULL) {
            pattern_fail(r, "invalid character class range");
            return;
        }
        name = span_of(r->at + 1, (size_t)(close - r->at) - 1);
        r->at = close + 1;
    } else {
        name = span_of(r->at++, 1);
    }
    if (name.len > 0 && name.ptr[0] == '^') {
        inverted = !inverted;
        name = span_of(name.ptr + 1, name.len - 1);
    }
    if (!add_named(&part, unicode, countof(unicode), name)) {
        pattern_fail(r, "invalid character class range");
        return;
    }
    set_join(into, part, inverted);
}

/* \d \w \s \p and their opposites; false, and nothing read: none of them. */
static bool
read_perl(struct reader *r, struct set *into)
{
    static const struct {
        char name;
        const char *ranges;
    } perl[] = {{'d', "09"}, {'w', "09AZaz__"}, {'s', "\t\n\f\r  "}};

    if (r->end - r->at < 2 || *r->at != '\\') {
        return false;
    }
    if ((r->at[1] | 32) == 'p') {
        r->at += 2;
        read_unicode(r, into, r->at[-1] == 'P');
        return true;
    }
    for (size_t i = 0; i < countof(perl); i++) {
        if ((r->at[1] | 32) == perl[i].name) {
            struct set part = {{0}};

            add_ranges(&part, perl[i].ranges);
            set_join(into, part, r->at[1] != (uint8_t)perl[i].name);
            r->at += 2;
            return true;
        }
    }
    return false;
}

/* [:name:], [:^name:]; false: it is none. */
static bool
read_posix(struct reader *r, struct set *into)
{
    const uint8_t *p = r->at + 2, *end;
    struct set part = {{0}};
    bool inverted;

    if (r->end - r->at < 4 || r->at[0] != '[' || r->at[1] != ':') {
        return false;
    }
    for (end = p; end + 1 < r->end && (end[0] != ':' || end[1] != ']');) {
        end++;
    }
    if (end + 1 >= r->end) {
        return false;
    }
    inverted = *p == '^';
    p += inverted;
    if (!add_named(&part, posix, countof(posix),
            span_of(p, (size_t)(end - p)))) {
        pattern_fail(r, "invalid character class range");
        return true;
    }
    set_join(into, part, inverted);
    r->at = end + 2;
    return true;
}

static unsigned
class_rune(struct reader *r)
{
    if (!more(r)) {
        pattern_fail(r, "missing closing ]");
        return 0;
    }
    if (*r->at == '\\') {
        r->at++;
        return read_escape(r);
    }
    return read_rune(r);
}

/* Beyond ASCII a class matches as if it were bytes: nothing that is a name. */
static void
class_range(struct reader *r, struct set *s)
{
    unsigned from = class_rune(r), to = from;

    if (r->end - r->at >= 2 && r->at[0] == '-' && r->at[1] != ']') {
        r->at++;
        to = class_rune(r);
    }
    if (to < from && r->fault == NULL) {
        pattern_fail(r, "invalid character class range");
        return;
    }
    set_add(s, from, to < 0x80 ? to : from < 0x80 ? 0xff : from);
}

/* After the '['. A ']' that comes first stands for itself. */
static struct node *
read_class(struct reader *r)
{
    struct set s = {{0}};
    bool inverted = next_is(r, "^"), first = true;

    while (more(r) && (first || *r->at != ']')) {
        first = false;
        if (!read_posix(r, &s) && !read_perl(r, &s)) {
            class_range(r, &s);
        }
    }
    if (!next_is(r, "]")) {
        pattern_fail(r, "missing closing ]");
    }
    if (r->fold) {
        set_fold(&s);
    }
    if (inverted) {
        set_invert(&s);
    }
    return set_node(r, &s);
}

/* ---- atoms ---- */

static struct node *
test_node(struct reader *r, enum test test)
{
    struct node *n = node_new(r, NODE_TEST, NULL, NULL);

    n->test = (uint8_t)test;
    return n;
}

static struct node *
any_node(struct reader *r, bool line_ends)
{
    struct set s = {{0}};

    set_add(&s, 0, 255);
    if (!line_ends) {
        s.bits[0] &= ~(1ull << '\n');
    }
    return set_node(r, &s);
}

/* \Q...\E: as it stands. */
static struct node *
read_quote(struct reader *r)
{
    struct node *n = node_new(r, NODE_EMPTY, NULL, NULL);

    while (more(r) && !next_is(r, "\\E")) {
        n = node_new(r, NODE_CONCAT, n, rune_node(r, read_rune(r)));
    }
    return n;
}

static struct node *
read_backslash(struct reader *r)
{
    static const struct {
        const char *text;
        enum test test;
    } tests[] = {{"\\A", TEST_BEGIN}, {"\\z", TEST_END}, {"\\b", TEST_WORD},
        {"\\B", TEST_NO_WORD}};
    struct set s = {{0}};

    for (size_t i = 0; i < countof(tests); i++) {
        if (next_is(r, tests[i].text)) {
            return test_node(r, tests[i].test);
        }
    }
    if (next_is(r, "\\Q")) {
        return read_quote(r);
    }
    if (next_is(r, "\\C")) {
        return any_node(r, true);
    }
    if (read_perl(r, &s)) {
        return set_node(r, &s);
    }
    r->at++;
    return rune_node(r, read_escape(r));
}

/* After "(?": a name, or flags up to ')' or ':'. true: a group follows. */
static bool
read_flags(struct reader *r)
{
    bool on = true, any = false;

    if (next_is(r, "P<") || next_is(r, "<")) {
        const uint8_t *from = r->at;

        while (more(r) && (hex_value(*r->at) >= 0 || *r->at == '_' ||
                (*r->at >= 'a' && *r->at <= 'z') ||
                (*r->at >= 'A' && *r->at <= 'Z'))) {
            r->at++;
        }
        if (r->at == from || !next_is(r, ">")) {
            pattern_fail(r, "invalid named capture");
        }
        return true;
    }
    while (more(r)) {
        uint8_t c = *r->at++;

        if (c == ':' || c == ')') {
            if (!on && !any) {
                break;           /* "(?-)" */
            }
            return c == ':';
        }
        any = c != '-';
        if (c == '-' && on) {
            on = false;
        } else if (c == 'i') {
            r->fold = on;
        } else if (c == 's') {
            r->dot_all = on;
        } else if (c == 'm') {
            r->lines = on;
        } else if (c != 'U') {
            break;
        }
    }
    pattern_fail(r, "invalid or unsupported Perl syntax");
    return false;
}

/* After the '('. Flags set inside of a group end with it; those of "(?i)"
 * hold to the end of the group around it. */
static struct node *
read_group(struct reader *r)
{
    bool fold = r->fold, dot_all = r->dot_all, lines = r->lines;
    struct node *n;

    if (++r->depth > DEPTH_MAX) {
        pattern_fail(r, "the expression nests too deeply");
    }
    if (next_is(r, "?") && !read_flags(r)) {
        r->depth--;
        return node_new(r, NODE_EMPTY, NULL, NULL);
    }
    n = read_alt(r);
    if (!next_is(r, ")")) {
        pattern_fail(r, "missing closing )");
    }
    r->fold = fold;
    r->dot_all = dot_all;
    r->lines = lines;
    r->depth--;
    return n;
}

static struct node *
read_atom(struct reader *r)
{
    switch (*r->at) {
    case '(':
        r->at++;
        return read_group(r);
    case '[':
        r->at++;
        return read_class(r);
    case '.':
        r->at++;
        return any_node(r, r->dot_all);
    case '^':
        r->at++;
        return test_node(r, r->lines ? TEST_LINE_BEGIN : TEST_BEGIN);
    case '$':
        r->at++;
        return test_node(r, r->lines ? TEST_LINE_END : TEST_END);
    case '\\':
        return read_backslash(r);
    case '*':
    case '+':
    case '?':
        pattern_fail(r, "missing argument to repetition operator");
        return node_new(r, NODE_EMPTY, NULL, NULL);
    default:
        return rune_node(r, read_rune(r));
    }
}

/* ---- repetitions, sequences, alternatives ---- */

/* -1: no number stands here. */
static int
read_number(struct reader *r)
{
    int n = -1;

    while (more(r) && *r->at >= '0' && *r->at <= '9' && n <= REPEAT_MAX) {
        n = (n < 0 ? 0 : n) * 10 + (*r->at++ - '0');
    }
    return n;
}

/* {n}, {n,}, {n,m}; what is none of them stands for itself. */
static bool
read_braces(struct reader *r, int *min, int *max)
{
    const uint8_t *from = r->at;

    r->at++;
    *min = *max = read_number(r);
    if (*min >= 0 && next_is(r, ",")) {
        *max = read_number(r);
    }
    if (*min < 0 || !next_is(r, "}")) {
        r->at = from;
        return false;
    }
    if (*min > REPEAT_MAX || *max > REPEAT_MAX ||
        (*max != NO_MAX && *max < *min)) {
        pattern_fail(r, "invalid repeat count");
    }
    return true;
}

static bool
read_repeat(struct reader *r, int *min, int *max)
{
    if (!more(r)) {
        return false;
    }
    *min = *r->at == '+';
    *max = *r->at == '?' ? 1 : NO_MAX;
    if (*r->at == '{') {
        return read_braces(r, min, max);
    }
    if (*r->at != '*' && *r->at != '+' && *r->at != '?') {
        return false;
    }
    r->at++;
    return true;
}

static struct node *
read_repeated(struct reader *r)
{
    struct node *n = read_atom(r);
    bool repeated = false;
    int min, max;

    while (read_repeat(r, &min, &max)) {
        if (repeated) {
            pattern_fail(r, "invalid nested repetition operator");
        }
        n = node_new(r, NODE_REPEAT, n, NULL);
        n->min = min;
        n->max = max;
        repeated = true;
        next_is(r, "?");         /* lazy: all the same here */
    }
    return n;
}

static struct node *
read_concat(struct reader *r)
{
    struct node *n = NULL;

    while (more(r) && *r->at != '|' && *r->at != ')') {
        struct node *one = read_repeated(r);

        n = n == NULL ? one : node_new(r, NODE_CONCAT, n, one);
    }
    return n == NULL ? node_new(r, NODE_EMPTY, NULL, NULL) : n;
}

static struct node *
read_alt(struct reader *r)
{
    struct node *n = read_concat(r);

    while (next_is(r, "|")) {
        n = node_new(r, NODE_ALT, n, read_concat(r));
    }
    return n;
}

const struct node *
pattern_read(struct reader *r)
{
    const struct node *tree = read_alt(r);

    if (more(r)) {
        pattern_fail(r, "unexpected )");
    }
    return tree;
}
