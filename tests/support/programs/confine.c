// Runs a command from which the system keeps something (tests/support/confine.h), for script tests:
// confine uring|memory... -- COMMAND [WORD...]
#include <stdio.h>
#include <string.h>

#include "tests/support/confine.h"

int main(int count, char **words) {
    int at = 1;
    for (; at < count && strcmp(words[at], "--") != 0; at++) {
        int uring = !strcmp(words[at], "uring"), memory = !strcmp(words[at], "memory");
        if (!uring && !memory) return 2;
        if (uring ? confine_uring() : confine_memory()) {
            perror(words[at]);
            return 2;
        }
    }
    if (at + 1 >= count) return 2;
    execvp(words[at + 1], words + at + 1);
    perror(words[at + 1]);
    return 127;
}
