// Recipient files. Byte 0 chooses: the file as it is, or with its length and checksum put right, so
// that the checks behind them are reached.
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/bytes.h"
#include "host/container/content_digest.h"
#include "host/keys/recipient.h"
#include "tests/fuzz/fuzz.h"

// What decoded has to come back, by the same bytes, and a fingerprint.
static void check(const orr_recipient *recipient, const uint8_t *file, size_t bytes) {
    orr_error error = {0};
    uint8_t again[ORR_RECIPIENT_MAX_FILE], shared[32];
    char text[ORR_FINGERPRINT_TEXT];
    size_t length = 0;
    orr_recipient_encode(recipient, again, &length);
    fuzz_check(length == bytes && memcmp(again, file, bytes) == 0,
               "a recipient file has one spelling");
    fuzz_check_ok(orr_recipient_fingerprint(recipient, text, &error), &error,
                  "a recipient has a fingerprint");
    fuzz_check(strlen(text) == ORR_FINGERPRINT_TEXT - 1, "a fingerprint has 40 digits");
    fuzz_check(orr_x25519(fuzz_master, recipient->public_key, shared) == ORR_OK,
               "a public key gives secrets");
    fuzz_check(orr_label_is_valid(recipient->label), "a label can be shown");
    fuzz_check(recipient->decoy_count >= 1 && recipient->decoy_count <= ORR_RECIPIENT_MAX_DECOYS,
               "there are decoys");
}

static size_t put_right(uint8_t *file, size_t bytes) {
    if (bytes < ORR_RECIPIENT_HEAD + ORR_RECIPIENT_SUM) return bytes;
    size_t decoys = (bytes - ORR_RECIPIENT_HEAD - ORR_RECIPIENT_SUM) / ORR_DECOY_RECORD;
    size_t end = ORR_RECIPIENT_HEAD + decoys * ORR_DECOY_RECORD;
    memcpy(file, "ORRPUBL1\1\0\0", 12);
    orr_store_le32(file + 12, (uint32_t)decoys);
    orr_content_digest_of(file, end, file + end);
    return end + ORR_RECIPIENT_SUM;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    orr_error error = {0};
    static orr_recipient recipient, read;
    fuzz_input input = {data, size};
    unsigned mode = fuzz_byte(&input);
    size_t bytes = input.left;
    uint8_t *file = malloc(bytes ? bytes : 1);
    fuzz_check(file != NULL, "memory can be had");
    if (bytes) memcpy(file, input.at, bytes);
    if (mode & 1) bytes = put_right(file, bytes);
    orr_status status = orr_recipient_decode(&recipient, file, bytes, "recipient", &error);
    if (status == ORR_OK)
        check(&recipient, file, bytes);
    else
        fuzz_check((status == ORR_NOT_ORRERY || status == ORR_UNSUPPORTED || status == ORR_AUTH) &&
                       error.text[0],
                   "a file that is none is refused with a sentence");
    int fd = fuzz_file(file, bytes);
    fuzz_check(orr_recipient_read_from(&read, fd, "recipient", &error) == status &&
                   memcmp(&read, &recipient, sizeof read) == 0,
               "a file on disk is what it is in memory");
    close(fd);
    free(file);
    return 0;
}
