// Fuzz target: a TIFF image as the paper profile reads it. Whatever is taken must survive the
// record of its page table and be written again.
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "host/paper/image.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

static void check(orr_status status) {
    if (status != ORR_OK) abort();
}

// Everything that was read goes through the record and into a new file.
static void write_again(orr_image_source *source, int target) {
    uint8_t *record = NULL;
    size_t record_bytes = 0;
    orr_image image;
    orr_image_writer *writer = NULL;
    orr_error error;
    check(orr_image_record_encode(orr_image_of(source), "fuzz", &record, &record_bytes, &error));
    check(orr_image_record_decode(&image, record, record_bytes, "fuzz", &error));
    check(orr_image_writer_open(&writer, target, &image, "fuzz", &error));
    orr_status status = ORR_OK;
    for (uint32_t n = 0; n < image.page_count && status == ORR_OK; n++) {
        uint8_t *volume = calloc(1, orr_page_bytes(&image.pages[n]));
        if (!volume) break;
        status = orr_image_read_page(source, n, volume, &error);
        if (status == ORR_OK) check(orr_image_write_page(writer, n, volume, &error));
        free(volume);
    }
    if (status == ORR_OK) check(orr_image_writer_finish(writer, &error));
    orr_image_writer_free(writer);
    orr_image_free(&image);
    free(record);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes) {
    int source_fd = memfd_create("fuzz", MFD_CLOEXEC),
        target_fd = memfd_create("fuzz", MFD_CLOEXEC);
    orr_image_source *source = NULL;
    orr_error error;
    if (source_fd >= 0 && target_fd >= 0 && write(source_fd, data, bytes) == (ssize_t)bytes &&
        orr_image_open(&source, source_fd, "fuzz", 16u << 20, &error) == ORR_OK) {
        write_again(source, target_fd);
        orr_image_close(source);
    }
    if (source_fd >= 0) close(source_fd);
    if (target_fd >= 0) close(target_fd);
    return 0;
}
