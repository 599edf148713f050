// JPEG through libjpeg.
#include <stdio.h>
#include <string.h>

#include <jpeglib.h> // after stdio.h

#include "media/image_internal.h"

#define MAX_SCANS 100 // a progressive JPEG may repeat scans without end

static void jpeg_fail(j_common_ptr jpeg) {
    orr_raster_source *image = jpeg->client_data;
    char text[JMSG_LENGTH_MAX];
    jpeg->err->format_message(jpeg, text);
    snprintf(image->message, sizeof image->message, "%.150s", text);
    longjmp(image->escape, 1);
}

// A corrupt or truncated JPEG is only a warning to libjpeg; here it is the end.
static void jpeg_message(j_common_ptr jpeg, int level) {
    if (level < 0) jpeg_fail(jpeg);
}

static void jpeg_progress(j_common_ptr jpeg) {
    if (jpeg->is_decompressor && ((j_decompress_ptr)jpeg)->input_scan_number > MAX_SCANS) {
        orr_raster_source *image = jpeg->client_data;
        snprintf(image->message, sizeof image->message, "it has more than %d scans", MAX_SCANS);
        longjmp(image->escape, 1);
    }
}

static orr_status jpeg_rows(orr_raster_source *image, j_decompress_ptr jpeg) {
    jpeg_read_header(jpeg, TRUE);
    if (jpeg->num_components != 1 && jpeg->num_components != 3)
        return orr_raster_refuse(image, "it is neither gray nor RGB");
    uint32_t channels = (uint32_t)jpeg->num_components;
    orr_status status =
        orr_raster_prepare(image, jpeg->image_width, jpeg->image_height, channels, 1);
    if (status) return status;
    jpeg->out_color_space = channels == 1 ? JCS_GRAYSCALE : JCS_RGB;
    jpeg->dct_method = JDCT_ISLOW;
    jpeg_start_decompress(jpeg);
    while (jpeg->output_scanline < jpeg->output_height) {
        JSAMPROW row = image->samples + (size_t)jpeg->output_scanline * image->width * channels;
        jpeg_read_scanlines(jpeg, &row, 1);
    }
    jpeg_finish_decompress(jpeg);
    return ORR_OK;
}

orr_status orr_jpeg_decode(orr_raster_source *image) {
    struct jpeg_decompress_struct jpeg;
    struct jpeg_error_mgr errors;
    struct jpeg_progress_mgr progress = {.progress_monitor = jpeg_progress};
    orr_status status;
    memset(&jpeg, 0, sizeof jpeg);
    jpeg.err = jpeg_std_error(&errors);
    errors.error_exit = jpeg_fail;
    errors.emit_message = jpeg_message;
    jpeg.client_data = image;
    if (setjmp(image->escape)) {
        status = orr_raster_refuse(image, image->message);
    } else {
        jpeg_create_decompress(&jpeg);
        jpeg.progress = &progress;
        jpeg_mem_src(&jpeg, image->bytes, image->length);
        status = jpeg_rows(image, &jpeg);
    }
    jpeg_destroy_decompress(&jpeg);
    return status;
}
