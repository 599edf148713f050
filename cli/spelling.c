// The nearest of some words to one that was mistyped.
#include <string.h>

#include "cli/options.h"

#define LONGEST 24 // no command or option is longer

// Damerau and Levenshtein's distance of neighbours: insertions, deletions, replacements, and two
// letters exchanged, each for 1.
static size_t distance(const char *a, const char *b) {
    size_t rows = strlen(a), columns = strlen(b), d[LONGEST + 1][LONGEST + 1];
    if (rows > LONGEST || columns > LONGEST) return LONGEST;
    for (size_t i = 0; i <= rows; i++) {
        for (size_t j = 0; j <= columns; j++) {
            if (i == 0 || j == 0) {
                d[i][j] = i + j;
                continue;
            }
            size_t least = d[i - 1][j - 1] + (a[i - 1] != b[j - 1]);
            if (d[i - 1][j] + 1 < least) least = d[i - 1][j] + 1;
            if (d[i][j - 1] + 1 < least) least = d[i][j - 1] + 1;
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
                d[i - 2][j - 2] + 1 < least)
                least = d[i - 2][j - 2] + 1;
            d[i][j] = least;
        }
    }
    return d[rows][columns];
}

void orr_spelling_try(orr_spelling *spelling, const char *candidate) {
    size_t length = strlen(spelling->word), away = distance(spelling->word, candidate);
    if (away > (length < 5 ? 1 : 2)) return;
    if (spelling->nearest && away >= spelling->away) return;
    spelling->nearest = candidate;
    spelling->away = away;
}
