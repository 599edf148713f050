// JPEG through libjpeg.
#include <stdio.h>
#include <string.h>

#include <jpeglib.h> // after stdio.h
#include <jerror.h>

#include "media/image_codecs.h"

#define MAX_SCANS 100 // a progressive JPEG may repeat scans without end

static void jpeg_fail(j_common_ptr jpeg) {
    orr_raster_source *image = jpeg->client_data;
    char text[JMSG_LENGTH_MAX];
    jpeg->err->format_message(jpeg, text);
    snprintf(image->message, sizeof image->message, "%.150s", text);
    longjmp(image->escape, 1);
}

static const char cut_short[] = "it is cut short: pixels are missing";

// A corrupt or truncated JPEG is only a warning to libjpeg; here it is the end, unless nothing but
// the marker at its end is missing. libjpeg puts that marker in, and warns again as soon as it
// comes where pixels should be.
static void jpeg_message(j_common_ptr jpeg, int level) {
    orr_raster_source *image = jpeg->client_data;
    if (level >= 0) return;
    if (jpeg->err->msg_code == JWRN_JPEG_EOF) {
        image->cut = 1;
    } else if (image->cut) {
        // Nobody can tell whether bytes that are no marker stand behind the pixels or for them.
        snprintf(image->message, sizeof image->message, "%s",
                 jpeg->err->msg_code == JWRN_EXTRANEOUS_DATA
                     ? "it has no end-of-image marker, but other bytes: pixels may be missing"
                     : cut_short);
        longjmp(image->escape, 1);
    } else {
        jpeg_fail(jpeg);
    }
}

// Can this image, whose data have ended, be without all its pixels though libjpeg did not warn? It
// does not where the end falls between two scans, and in arithmetic coding.
static int jpeg_lacks_scans(j_decompress_ptr jpeg) {
    if (jpeg->arith_code) return 1;
    for (int c = 0; c < jpeg->num_components; c++) {
        if (!jpeg->comp_info[c].quant_table) return 1; // no scan of this component has begun
        for (int k = 0; jpeg->progressive_mode && k < DCTSIZE2; k++) {
            // Bits of this coefficient that are still to come; -1: all.
            if (!jpeg->coef_bits || jpeg->coef_bits[c][k] != 0) return 1;
        }
    }
    return 0;
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
    if (status != ORR_OK) return status;
    jpeg->out_color_space = channels == 1 ? JCS_GRAYSCALE : JCS_RGB;
    jpeg->dct_method = JDCT_ISLOW;
    jpeg_start_decompress(jpeg);
    while (jpeg->output_scanline < jpeg->output_height) {
        JSAMPROW row = image->samples + (size_t)jpeg->output_scanline * image->width * channels;
        jpeg_read_scanlines(jpeg, &row, 1);
    }
    if (image->cut && jpeg_lacks_scans(jpeg)) return orr_raster_refuse(image, cut_short);
    jpeg_finish_decompress(jpeg); // reads up to the end-of-image marker
    if (image->cut && jpeg->arith_code) return orr_raster_refuse(image, cut_short);
    if (image->cut) image->flaw = "its end-of-image marker is missing, but no pixel is";
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
