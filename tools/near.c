/* near.c: see near.h. Damerau's distance in three rows of a small table. */
#include "config.h"

#include "near.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

enum { WORD_MAX = 64, FAR = 9 };

static int
min3(int a, int b, int c)
{
    int m = a < b ? a : b;

    return m < c ? m : c;
}

static bool
same(char a, char b)
{
    return tolower((unsigned char)a) == tolower((unsigned char)b);
}

int
near_distance(const char *a, const char *b)
{
    int row[3][WORD_MAX + 1];
    int n = (int)strlen(a), m = (int)strlen(b);

    if (n > WORD_MAX || m > WORD_MAX || n - m > FAR || m - n > FAR)
        return FAR;
    for (int j = 0; j <= m; j++)
        row[0][j] = j;
    for (int i = 1; i <= n; i++) {
        int *before = row[(i + 1) % 3], *last = row[(i - 1) % 3],
            *this = row[i % 3];

        this[0] = i;
        for (int j = 1; j <= m; j++) {
            this[j] = min3(last[j] + 1, this[j - 1] + 1,
                last[j - 1] + !same(a[i - 1], b[j - 1]));
            if (i > 1 && j > 1 && same(a[i - 1], b[j - 2])
                && same(a[i - 2], b[j - 1]) && before[j - 2] + 1 < this[j])
                this[j] = before[j - 2] + 1;
        }
    }
    return row[n % 3][m] < FAR ? row[n % 3][m] : FAR;
}

void
near_init(struct near *n, const char *word)
{
    size_t len = strlen(word);

    n->word = word;
    n->best = NULL;
    /* A third of the letters may be wrong, two at least in longer words. */
    n->distance = len < 3 ? 2 : len < 8 ? 3 : (int)(len / 3) + 1;
}

void
near_try(struct near *n, const char *candidate)
{
    int d = near_distance(n->word, candidate);
    size_t len = strlen(n->word);

    /* The beginning of a longer word counts as one mistake. */
    if (len >= 3 && strncmp(candidate, n->word, len) == 0 && d > 1)
        d = 1;
    if (d < n->distance) {
        n->distance = d;
        n->best = candidate;
    }
}

const char *
near_hint(const struct near *n, char *room, size_t size)
{
    if (n->best == NULL)
        return "";
    snprintf(room, size, " (did you mean '%s'?)", n->best);
    return room;
}
