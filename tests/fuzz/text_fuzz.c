// Small texts of strangers: lists of files, passphrases, recovery codes, names on their way into
// JSON, numbers. Byte 0 chooses.
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/text.h"
#include "cli/cli.h"
#include "host/keys/keyring_codec.h"
#include "tests/fuzz/fuzz.h"

static void fuzz_list(fuzz_input input, int zeros) {
    orr_error error = {0};
    orr_name_list list;
    orr_arguments arguments = {0};
    char path[32];
    int fd = fuzz_file(input.at, input.left);
    if (zeros)
        arguments.files_from0 = fuzz_path(fd, path);
    else
        arguments.files_from = fuzz_path(fd, path);
    if (orr_name_list_read(&arguments, &list, &error) == ORR_OK) {
        size_t bytes = 0;
        fuzz_check(list.count > 0, "an accepted list names something");
        for (size_t i = 0; i < list.count; i++) {
            fuzz_check(list.names[i][0] && (zeros || !strchr(list.names[i], '\n')),
                       "names are whole and not empty");
            bytes += strlen(list.names[i]);
        }
        fuzz_check(bytes <= input.left, "names come from the list");
        orr_name_list_free(&list);
    } else {
        fuzz_check(error.status == ORR_USAGE, "a list is refused as usage");
    }
    close(fd);
}

static void fuzz_passphrase(fuzz_input input) {
    orr_error error = {0};
    orr_passphrase passphrase;
    int fd = fuzz_file(input.at, input.left);
    if (orr_passphrase_from_fd(fd, &passphrase, &error) == ORR_OK) {
        fuzz_check(passphrase.present && passphrase.length > 0 && passphrase.length <= 1023 &&
                       passphrase.length <= input.left,
                   "a passphrase has 1 to 1,023 bytes");
        fuzz_check(!memcmp(passphrase.bytes, input.at, passphrase.length) &&
                       !memchr(passphrase.bytes, '\n', passphrase.length),
                   "a passphrase is the first line");
        orr_status status = orr_code_take(&passphrase, "code", &error);
        fuzz_check(status == ORR_OK ? passphrase.is_code : status == ORR_KEY && !passphrase.length,
                   "what is no recovery code is status 5, and wiped");
        orr_passphrase_wipe(&passphrase);
    } else {
        fuzz_check(error.status == ORR_KEY, "a bad passphrase is status 5");
    }
    close(fd);
}

// Writes a recovery code as people may, then with one character changed.
static void fuzz_code(fuzz_input input) {
    orr_error error = {0};
    orr_passphrase code = {.length = ORR_CODE_BYTES, .present = 1, .is_code = 1}, line = {0};
    char text[ORR_CODE_TEXT];
    for (size_t i = 0; i < ORR_CODE_BYTES; i++) code.bytes[i] = fuzz_byte(&input);
    fuzz_check_ok(orr_code_text(&code, text, &error), &error, "a code has a text");
    for (size_t i = 0; text[i] && line.length < 1000; i++) {
        unsigned way = fuzz_byte(&input);
        char c = text[i];
        if (way & 1 && c >= 'A') c = (char)(c - 'A' + 'a');
        if (way & 2 && c == '0') c = 'o';
        if (way & 2 && c == '1') c = way & 1 ? 'l' : 'I';
        if (way & 4) line.bytes[line.length++] = way & 8 ? ' ' : '-';
        if (c != '-' || way & 16) line.bytes[line.length++] = (uint8_t)c;
    }
    line.present = 1;
    orr_passphrase wrong = line;
    fuzz_check_ok(orr_code_take(&line, "code", &error), &error, "a code is read as it is written");
    fuzz_check(!memcmp(line.bytes, code.bytes, ORR_CODE_BYTES) && line.is_code, "and is the same");
    uint8_t *at = &wrong.bytes[fuzz_byte(&input) % wrong.length];
    if (*at == ' ' || *at == '-') return;
    *at = *at == '2' ? '3' : '2';
    // One change in 2^24 goes unnoticed: it is then another code.
    if (orr_code_take(&wrong, "code", &error) == ORR_OK)
        fuzz_check(memcmp(wrong.bytes, code.bytes, ORR_CODE_BYTES) != 0, "it is another code");
}

static void fuzz_json(const char *text) {
    char *repaired = orr_utf8_repair(text);
    fuzz_check(repaired && orr_utf8_valid(repaired), "repaired text is UTF-8");
    int valid = orr_utf8_valid(text);
    fuzz_check(!valid || strcmp(repaired, text) == 0, "valid text is left alone");
    cJSON *object = cJSON_CreateObject();
    orr_json_add_bytes(object, "file", text);
    char *line = cJSON_PrintUnformatted(object);
    fuzz_check(line && !strchr(line, '\n'), "JSON is one line");
    cJSON *back = cJSON_Parse(line);
    const cJSON *file = cJSON_GetObjectItemCaseSensitive(back, "file");
    const cJSON *exact = cJSON_GetObjectItemCaseSensitive(back, "file_bytes_hex");
    fuzz_check(cJSON_IsString(file) && strcmp(file->valuestring, repaired) == 0,
               "JSON parses and holds the text");
    fuzz_check(valid == !exact, "the exact bytes are there when the text is not");
    if (exact) {
        char *hex = malloc(2 * strlen(text) + 1);
        fuzz_check(hex != NULL, "memory can be had");
        orr_hex(text, strlen(text), hex);
        fuzz_check(strcmp(hex, exact->valuestring) == 0, "the exact bytes are right");
        free(hex);
    }
    cJSON_Delete(back);
    free(line);
    cJSON_Delete(object);
    free(repaired);
}

static void fuzz_values(const char *text) {
    orr_error error = {0};
    uint64_t number;
    orr_fraction fraction;
    double real;
    uint8_t hex[64];
    if (orr_value_count(text, "--jobs", 1, 1024, &number, &error) == ORR_OK)
        fuzz_check(number >= 1 && number <= 1024, "a count is in its range");
    orr_value_size(text, "--mem", &number, &error);
    if (orr_value_fraction(text, "--shard", &fraction, &error) == ORR_OK)
        fuzz_check(fraction.part >= 1 && fraction.part <= fraction.whole, "a part is of its whole");
    if (orr_value_real(text, "--mu", &real, &error) == ORR_OK)
        fuzz_check(real >= 0, "a decimal number is finite");
    orr_value_hex(text, "--seed", hex, sizeof hex, &error);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    fuzz_input input = {data, size};
    unsigned mode = fuzz_byte(&input) % 6;
    if (mode <= 1) {
        fuzz_list(input, mode == 1);
        return 0;
    }
    if (mode == 2) {
        fuzz_passphrase(input);
        return 0;
    }
    if (mode == 5) {
        fuzz_code(input);
        return 0;
    }
    char *text = malloc(input.left + 1);
    fuzz_check(text != NULL, "memory can be had");
    if (input.left) memcpy(text, input.at, input.left);
    text[input.left] = 0;
    if (mode == 3) {
        fuzz_json(text);
        orr_path_is_safe((const uint8_t *)text, input.left);
        orr_label_is_valid(text);
    } else {
        fuzz_values(text);
    }
    free(text);
    return 0;
}
