// TIFF files of strangers into the paper profile. What is accepted must come back: the container
// opens, the pixels have their digest, and the restored TIFF holds the same pixels.
#include <string.h>
#include <unistd.h>

#include "host/paper/image.h"
#include "tests/fuzz/fuzz.h"

#define MEMORY ((uint64_t)64 << 20)
// Larger images are decoded but not enciphered: the cipher has no secrets left to tell by then.
#define MAX_PIXELS ((uint64_t)256 << 10)

// Opens the TIFF at fd and decodes it; *small when its pixels are few enough for the rest.
static orr_status look(int fd, int *small) {
    static uint8_t volume[MEMORY];
    orr_error error = {0};
    orr_image_source *source = NULL;
    uint64_t bytes = 0;
    orr_status status = orr_image_open(&source, fd, "scan.tif", MEMORY, &error);
    if (status != ORR_OK) {
        fuzz_check(status == ORR_UNSUPPORTED && error.text[0], "a refusal is status 8");
        return status;
    }
    const orr_image *image = orr_image_of(source);
    for (uint32_t n = 0; n < image->page_count; n++) bytes += orr_page_bytes(&image->pages[n]);
    *small = bytes <= MAX_PIXELS;
    fuzz_check(orr_page_bytes(&image->pages[0]) <= MEMORY, "a page fits in the memory given");
    if (!*small) orr_image_read_page(source, 0, volume, &error);
    orr_image_close(source);
    return ORR_OK;
}

static orr_status encrypt(int source, int target, uint8_t digest[16]) {
    orr_error error = {0};
    orr_metadata metadata = {.path = "scan.tif", .path_length = 8, .size = fuzz_length(source)};
    strcpy(metadata.timestamp, "02-01-2025 03:04:05");
    orr_paper_request request = fuzz_paper_request("scan.tif", &metadata, MEMORY);
    orr_status status = orr_paper_encrypt(&request, source, target, &error);
    fuzz_check(status == ORR_OK || (status == ORR_UNSUPPORTED && error.text[0]),
               "a TIFF is taken or refused with status 8");
    memcpy(digest, metadata.digest, 16);
    orr_metadata_free(&metadata);
    return status;
}

static void decrypt(int cipher, int restored) {
    static orr_container container;
    orr_error error = {0};
    orr_file_secret secret;
    orr_file_keys keys;
    orr_metadata metadata;
    fuzz_check_ok(orr_container_read(&container, cipher, fuzz_length(cipher), "c", &error), &error,
                  "the container reads");
    fuzz_check_ok(orr_container_unlock(&container, fuzz_lookup, NULL, "c", &secret, &keys, &error),
                  &error, "the container unlocks");
    fuzz_check_ok(orr_container_metadata(&container, cipher, &keys, "c", &metadata, &error), &error,
                  "the metadata opens");
    fuzz_check_ok(
        orr_paper_decrypt(&container, &secret, &metadata, NULL, cipher, restored, "c", &error),
        &error, "what was accepted comes back");
    orr_metadata_free(&metadata);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    int small = 0;
    uint8_t digest[16], again[16];
    int source = fuzz_file(data, size);
    if (look(source, &small) == ORR_OK && small) {
        int cipher = fuzz_file("", 0), restored = fuzz_file("", 0), second = fuzz_file("", 0);
        if (encrypt(source, cipher, digest) == ORR_OK) {
            decrypt(cipher, restored);
            if (encrypt(restored, second, again) == ORR_OK)
                fuzz_check(memcmp(digest, again, 16) == 0, "restored pixels are the pixels");
        }
        close(second);
        close(restored);
        close(cipher);
    }
    close(source);
    return 0;
}
