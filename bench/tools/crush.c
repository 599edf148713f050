// Feeds 32-bit little-endian words from standard input to a battery of TestU01 (L'Ecuyer and Simard
// 2007). Built by scripts/battery where TestU01 is installed; no part of the product.
//
//   orrery keystream | crush small|crush|big
//   orrery keystream | crush --test N TIMES     one test of Crush (its number there) again and
//   again
//
// The upper bits of a word weigh more in these tests than the lower ones, so `crush --reversed ...`
// feeds each word with its bits in reverse order.
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <bbattery.h>
#include <unif01.h>

static int reversed;

static unsigned int next_word(void) {
    static uint32_t words[1 << 16];
    static size_t used, have;
    if (used == have) {
        have = fread(words, sizeof *words, sizeof words / sizeof *words, stdin);
        used = 0;
        if (have == 0) {
            fprintf(stderr, "crush: the input ended before the battery did\n");
            exit(1);
        }
    }
    uint32_t word = words[used++];
    if (!reversed) return word;
    uint32_t turned = 0;
    for (int bit = 0; bit < 32; bit++) turned |= (word >> bit & 1) << (31 - bit);
    return turned;
}

int main(int argc, char **argv) {
    if (argc == 3 && strcmp(argv[1], "--reversed") == 0) reversed = 1, argv++, argc--;
    int again[97] = {0}; // Crush has 96 tests
    int test = argc == 4 && strcmp(argv[1], "--test") == 0 ? (int)strtol(argv[2], NULL, 10) : 0;
    if (test > 0 && test <= 96) again[test] = (int)strtol(argv[3], NULL, 10);
    if (argc != 2 && again[test] <= 0) {
        fprintf(stderr, "usage: crush [--reversed] small|crush|big, or --test N TIMES\n");
        return 2;
    }
    unif01_Gen *generator = unif01_CreateExternGenBits("standard input", next_word);
    if (test) {
        bbattery_RepeatCrush(generator, again);
    } else if (strcmp(argv[1], "small") == 0) {
        bbattery_SmallCrush(generator);
    } else if (strcmp(argv[1], "crush") == 0) {
        bbattery_Crush(generator);
    } else if (strcmp(argv[1], "big") == 0) {
        bbattery_BigCrush(generator);
    } else {
        fprintf(stderr, "crush: unknown battery %s\n", argv[1]);
        return 2;
    }
    unif01_DeleteExternGenBits(generator);
    return 0;
}
