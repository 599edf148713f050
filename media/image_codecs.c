#include "media/image_codecs.h"

#include <malloc.h>
#include <stdlib.h>
#include <string.h>

void orr_media_free(void *memory) {
    if (memory) explicit_bzero(memory, malloc_usable_size(memory));
    free(memory);
}

orr_status orr_raster_refuse(orr_raster_source *image, const char *why) {
    return orr_fail(
        image->error, ORR_UNSUPPORTED,
        "%s: not usable: %s; give an 8- or 16-bit gray, palette or RGB PNG, JPEG or TIFF",
        image->shown, why);
}

orr_status orr_raster_out_of_memory(orr_raster_source *image) {
    return orr_fail(image->error, ORR_INTERNAL, "%s: out of memory", image->shown);
}

orr_status orr_raster_prepare(orr_raster_source *image, uint64_t width, uint64_t height,
                              uint32_t channels, int sample_bytes) {
    if (!width || !height || width > ORR_IMAGE_MAX_PIXELS || height > ORR_IMAGE_MAX_PIXELS / width)
        return orr_raster_refuse(image, "it has no pixels, or more than 64 Mi");
    image->width = (uint32_t)width;
    image->height = (uint32_t)height;
    image->channels = channels;
    image->sample_bytes = sample_bytes;
    image->samples = calloc(width * height, (size_t)channels * (size_t)sample_bytes);
    return image->samples ? ORR_OK : orr_raster_out_of_memory(image);
}
