/*
 * pattern.h: regular expressions in RE2's syntax, for subscriptions by name
 * (KIP-848, SubscribedTopicRegex). The time of a match is linear in the
 * text, whatever the expression: no backtracking, hence no back references
 * and no look-around, as in RE2.
 *
 * Works on bytes: names of topics are ASCII. Characters beyond it may stand
 * in an expression, and match themselves as UTF-8 says. Of the Unicode
 * classes (\pL, \p{Greek}) only what they have of ASCII is known.
 *
 * Ownership: pattern_new() owns nothing of the text. Thread: any, one at a
 * time.
 */
#ifndef GROUP_PATTERN_H
#define GROUP_PATTERN_H

#include "base/span.h"

#define PATTERN_TEXT_MAX 1024            /* bytes */
#define PATTERN_STEPS_MAX 4096           /* of the program */

struct pattern;

/* NULL: it is none, and *fault says why, in a constant string. */
struct pattern *pattern_new(struct span text, const char **fault);
void pattern_free(struct pattern *);             /* NULL allowed */
/* Does it match the text as a whole? */
bool pattern_matches(struct pattern *, struct span text);

#endif
