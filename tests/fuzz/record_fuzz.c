// What lies inside the seal: metadata and the paper profile's page table. Their writer held a key,
// but may have been another program. Byte 0 chooses which; what decodes must encode to the same
// bytes, and a page table must be fit to write a TIFF from.
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/bytes.h"
#include "host/paper/image.h"
#include "host/paper/paper_layout.h"
#include "tests/fuzz/fuzz.h"

#define MAX_PIXELS ((uint64_t)256 << 10)

static void fuzz_metadata(fuzz_input input) {
    orr_error error = {0};
    orr_metadata metadata;
    if (orr_metadata_decode(input.at, input.left, &metadata, &error) != ORR_OK) {
        fuzz_check((error.status == ORR_AUTH || error.status == ORR_UNSUPPORTED) && error.text[0],
                   "foreign metadata is status 4 or 8");
        return;
    }
    fuzz_check(orr_path_is_safe(metadata.path, metadata.path_length), "a sealed path is safe");
    size_t bytes = orr_metadata_length(&metadata);
    fuzz_check(bytes <= input.left, "metadata has its length");
    uint8_t *again = malloc(bytes);
    fuzz_check(again != NULL, "memory can be had");
    orr_metadata_encode(&metadata, again);
    fuzz_check(memcmp(again, input.at, bytes) == 0, "metadata encodes to what it came from");
    unsigned next = input.left - bytes >= 8 ? orr_load_le16(input.at + bytes) : 0;
    fuzz_check(next >= 0x8000 || orr_all_zero(input.at + bytes, input.left - bytes),
               "records that may be ignored and zeros follow");
    free(again);
    orr_metadata_free(&metadata);
}

// Writes the image with black pixels, and reads back what was written.
static void write_image(const orr_image *image, uint64_t largest) {
    orr_error error = {0};
    orr_image_writer *writer = NULL;
    orr_image_source *source = NULL;
    int fd = fuzz_file("", 0);
    uint8_t *volume = calloc(1, largest);
    fuzz_check(volume != NULL, "memory can be had");
    orr_status status = orr_image_writer_open(&writer, fd, image, "restored", &error);
    for (uint32_t n = 0; status == ORR_OK && n < image->page_count; n++) {
        memset(volume, 0, largest);
        status = orr_image_write_page(writer, n, volume, &error);
    }
    if (status == ORR_OK) status = orr_image_writer_finish(writer, &error);
    orr_image_writer_free(writer);
    if (status == ORR_OK &&
        orr_image_open(&source, fd, "restored", (uint64_t)64 << 20, &error) == ORR_OK) {
        fuzz_check(orr_image_of(source)->page_count == image->page_count, "all pages are there");
        orr_image_close(source);
    }
    free(volume);
    close(fd);
}

static void fuzz_page_table(fuzz_input input) {
    orr_error error = {0};
    orr_image image;
    orr_paper_layout layout;
    orr_header header = {.profile = ORR_PROFILE_PAPER, .slot_pages = 1};
    uint8_t *again = NULL;
    size_t bytes = 0;
    uint64_t total = 0, largest = 0;
    if (orr_image_record_decode(&image, input.at, input.left, "file", &error) != ORR_OK) {
        fuzz_check(error.status == ORR_AUTH || error.status == ORR_UNSUPPORTED,
                   "a foreign page table is status 4 or 8");
        return;
    }
    fuzz_check_ok(orr_image_record_encode(&image, "file", &again, &bytes, &error), &error,
                  "a page table encodes");
    fuzz_check(bytes == input.left && memcmp(again, input.at, bytes) == 0,
               "a page table encodes to what it came from");
    free(again);
    for (uint32_t n = 0; n < image.page_count && total <= MAX_PIXELS; n++) {
        const orr_image_page *page = &image.pages[n];
        uint64_t one = orr_page_bytes(page);
        uint64_t chunk = (uint64_t)page->chunk_columns * page->chunk_rows;
        if (!page->tiled) chunk = 0; // a strip ends with the image
        if (one > largest) largest = one;
        total += one > MAX_PIXELS || chunk > MAX_PIXELS ? MAX_PIXELS + 1 : one;
    }
    header.metadata_length = (500 + bytes) / ORR_PAGE * ORR_PAGE + ORR_PAGE;
    // Only a file of that length is laid out: orr_paper_decrypt compares first.
    if (total <= MAX_PIXELS &&
        orr_paper_layout_init(&layout, &image, &header, "file", &error) == ORR_OK)
        orr_paper_layout_free(&layout);
    if (total <= MAX_PIXELS) write_image(&image, largest);
    orr_image_free(&image);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    fuzz_input input = {data, size};
    if (fuzz_byte(&input) % 2)
        fuzz_page_table(input);
    else
        fuzz_metadata(input);
    return 0;
}
