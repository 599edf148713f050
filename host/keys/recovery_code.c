// Recovery codes: 32 random bytes that a person can print, keep and type.
#include "host/keys/passphrase.h"

#include <stdio.h>
#include <string.h>

#include "host/container/crypto.h"

// Crockford's base32: no letter that could be taken for a digit, and no U.
static const char ALPHABET[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

#define CHECK_BYTES 3
#define CHARACTERS 56 // of 5 bits: exactly the code and its check
#define GROUP 7
#define TRIES 3 // on a terminal

static const char WHAT[] = "recovery code"; // as messages call it

static orr_status check_bytes(const uint8_t code[ORR_CODE_BYTES], uint8_t check[CHECK_BYTES]) {
    static const char label[] = "orrery v1 recovery code";
    uint8_t hash[64];
    orr_status status = orr_sha512(label, strlen(label), code, ORR_CODE_BYTES, hash);
    memcpy(check, hash, CHECK_BYTES);
    orr_wipe(hash, sizeof hash);
    return status;
}

orr_status orr_code_draw(orr_passphrase *code, orr_error *error) {
    memset(code, 0, sizeof *code);
    orr_status status = orr_random(code->bytes, ORR_CODE_BYTES, error);
    if (status != ORR_OK) return status;
    code->length = ORR_CODE_BYTES;
    code->present = code->is_code = 1;
    return ORR_OK;
}

orr_status orr_code_text(const orr_passphrase *code, char text[ORR_CODE_TEXT], orr_error *error) {
    uint8_t all[ORR_CODE_BYTES + CHECK_BYTES];
    memcpy(all, code->bytes, ORR_CODE_BYTES);
    if (check_bytes(all, all + ORR_CODE_BYTES) != ORR_OK)
        return orr_fail(error, ORR_INTERNAL, "SHA-512 failed");
    for (unsigned i = 0; i < CHARACTERS; i++) {
        unsigned bit = 5 * i, pair = (unsigned)all[bit / 8] << 8;
        if (bit / 8 + 1 < sizeof all) pair |= all[bit / 8 + 1];
        *text++ = ALPHABET[pair >> (11 - bit % 8) & 31];
        if (i % GROUP == GROUP - 1) *text++ = i == CHARACTERS - 1 ? 0 : '-';
    }
    orr_wipe(all, sizeof all);
    return ORR_OK;
}

// The value of a character, as people may write it; -1: it is none.
static int value_of(uint8_t character) {
    if (character >= 'a' && character <= 'z') character = (uint8_t)(character - 'a' + 'A');
    if (character == 'I' || character == 'L') return 1;
    if (character == 'O') return 0;
    const char *at = character ? strchr(ALPHABET, character) : NULL;
    return at ? (int)(at - ALPHABET) : -1;
}

// What is wrong with it, or NULL with its bytes and check in `all`.
static const char *decode(const orr_passphrase *line, uint8_t all[ORR_CODE_BYTES + CHECK_BYTES]) {
    unsigned count = 0;
    memset(all, 0, ORR_CODE_BYTES + CHECK_BYTES);
    for (size_t i = 0; i < line->length; i++) {
        if (strchr(" -\t", line->bytes[i]) && line->bytes[i]) continue;
        int value = value_of(line->bytes[i]);
        if (value < 0) return "it has a character that no code has";
        for (int bit = 4; bit >= 0 && count < CHARACTERS; bit--)
            all[(5 * count + 4 - (unsigned)bit) / 8] |=
                (uint8_t)((value >> bit & 1) << (7 - (5 * count + 4 - (unsigned)bit) % 8));
        count++;
    }
    return count == CHARACTERS ? NULL : "it has not 56 characters, in 8 groups of 7";
}

orr_status orr_code_take(orr_passphrase *line, const char *source, orr_error *error) {
    uint8_t all[ORR_CODE_BYTES + CHECK_BYTES], check[CHECK_BYTES];
    const char *wrong = decode(line, all);
    orr_passphrase_wipe(line);
    if (!wrong && check_bytes(all, check) != ORR_OK) {
        orr_wipe(all, sizeof all);
        return orr_fail(error, ORR_INTERNAL, "SHA-512 failed");
    }
    if (!wrong && !orr_equal_secret(check, all + ORR_CODE_BYTES, sizeof check))
        wrong = "its check characters do not fit";
    if (!wrong) {
        memcpy(line->bytes, all, ORR_CODE_BYTES);
        line->length = ORR_CODE_BYTES;
        line->present = line->is_code = 1;
    }
    orr_wipe(all, sizeof all);
    if (!wrong) return ORR_OK;
    return orr_fail(error, ORR_KEY,
                    "%s: the recovery code is mistyped: %s; compare it with the print", source,
                    wrong);
}

orr_status orr_code_from_file(const char *path, orr_passphrase *code, orr_error *error) {
    orr_status status = orr_line_from_file(path, WHAT, code, error);
    return status == ORR_OK ? orr_code_take(code, path, error) : status;
}

orr_status orr_code_from_fd(int fd, orr_passphrase *code, orr_error *error) {
    char source[32];
    snprintf(source, sizeof source, "descriptor %d", fd);
    orr_status status = orr_line_from_fd(fd, WHAT, code, error);
    return status == ORR_OK ? orr_code_take(code, source, error) : status;
}

orr_status orr_code_ask(const char *prompt, int may_be_none, orr_passphrase *code,
                        orr_error *error) {
    char again[1536];
    int empty;
    for (int n = 1;; n++) {
        orr_error why = {0};
        orr_status status = orr_line_ask(n > 1 ? again : prompt, WHAT, code, &empty, &why);
        if (empty && may_be_none) return ORR_OK;
        if (status == ORR_OK) status = orr_code_take(code, "terminal", &why);
        if (status != ORR_OK && error) *error = why;
        if (status != ORR_KEY || n == TRIES) return status;
        snprintf(again, sizeof again, "%.400s\n%.1024s", why.text, prompt);
    }
}
