// Option values: strict, in full, with the range in the message.
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/options.h"

// Digits only: strtoull alone would take " -1" for a very large number.
static const char *parse_digits(const char *text, uint64_t *value) {
    if (!isdigit((unsigned char)*text)) return NULL;
    char *end = NULL;
    errno = 0;
    *value = strtoull(text, &end, 10);
    return errno ? NULL : end;
}

orr_status orr_value_count(const char *text, const char *what, uint64_t least, uint64_t most,
                           uint64_t *value, orr_error *error) {
    const char *end = parse_digits(text, value);
    if (!end || *end || *value < least || *value > most) {
        return orr_fail(error, ORR_USAGE,
                        "%s takes a whole number from %" PRIu64 " to %" PRIu64 ", not \"%s\"", what,
                        least, most, text);
    }
    return ORR_OK;
}

orr_status orr_value_size(const char *text, const char *what, uint64_t *value, orr_error *error) {
    const char *end = parse_digits(text, value);
    static const char units[] = "KMGT";
    unsigned shift = 0;
    if (end && *end) {
        const char *found = memchr(units, toupper((unsigned char)*end), 4);
        if (found) {
            shift = 10 * (unsigned)(found - units + 1);
            end++;
            if (strcmp(end, "iB") == 0) end += 2;
        }
    }
    if (!end || *end || *value > UINT64_MAX >> shift) {
        return orr_fail(
            error, ORR_USAGE,
            "%s takes a size in bytes with an optional K, M, G or T (powers of 1024), not \"%s\"",
            what, text);
    }
    *value <<= shift;
    return ORR_OK;
}

orr_status orr_value_fraction(const char *text, const char *what, orr_fraction *value,
                              orr_error *error) {
    uint64_t i = 0, n = 0;
    const char *end = parse_digits(text, &i);
    end = end && *end == '/' ? parse_digits(end + 1, &n) : NULL;
    if (!end || *end || i < 1 || i > n || n > 1000000) {
        return orr_fail(error, ORR_USAGE,
                        "%s takes two numbers as in 1/8 (from 1/8 to 8/8), not \"%s\"", what, text);
    }
    *value = (orr_fraction){(unsigned)i, (unsigned)n};
    return ORR_OK;
}

const orr_choice *orr_choice_find(const orr_choice *choices, const char *name) {
    for (; choices->name; choices++)
        if (strcmp(choices->name, name) == 0) return choices;
    return NULL;
}

orr_status orr_value_choice(const char *text, const char *what, const orr_choice *choices,
                            int *value, orr_error *error) {
    const orr_choice *choice = orr_choice_find(choices, text);
    char names[256] = "";
    if (choice) {
        *value = choice->value;
        return ORR_OK;
    }
    for (size_t i = 0, used = 0; choices[i].name && used < sizeof names; i++)
        used += (size_t)snprintf(names + used, sizeof names - used, "%s%s",
                                 i == 0                ? ""
                                 : choices[i + 1].name ? ", "
                                                       : " or ",
                                 choices[i].name);
    return orr_fail(error, ORR_USAGE, "%s takes %s, not \"%s\"", what, names, text);
}

orr_status orr_value_real(const char *text, const char *what, double *value, orr_error *error) {
    char *end = NULL;
    *value = strtod(text, &end);
    if (!(isdigit((unsigned char)*text) || *text == '.') || *end || !isfinite(*value) ||
        strpbrk(text, "xX")) {
        return orr_fail(error, ORR_USAGE, "%s takes a decimal number, not \"%s\"", what, text);
    }
    return ORR_OK;
}

orr_status orr_value_hex(const char *text, const char *what, uint8_t *out, size_t most,
                         orr_error *error) {
    size_t digits = strlen(text);
    if (digits == 0 || digits % 2 || digits > 2 * most ||
        strspn(text, "0123456789abcdefABCDEF") != digits) {
        return orr_fail(error, ORR_USAGE, "%s takes 1 to %zu bytes in hexadecimal, two digits each",
                        what, most);
    }
    for (size_t i = 0; i < digits; i += 2) {
        char pair[3] = {text[i], text[i + 1], 0};
        out[i / 2] = (uint8_t)strtoul(pair, NULL, 16);
    }
    return ORR_OK;
}
