// The images and what they look like encrypted.
#include <stdio.h>
#include <stdlib.h>

#include "bench/evidence/evidence_report.h"

#define SHOWN 4        // images with pictures in the report
#define SIDE 192       // of a picture of an image, pixels
#define CIPHER_SIDE 96 // of a part of a ciphertext: noise does not compress

static orr_status show(orr_evidence *e, const orr_picture *picture, const uint8_t *data, int plain,
                       const char *caption, orr_error *error) {
    orr_raster raster = {0};
    uint8_t *png = NULL;
    size_t bytes = 0;
    orr_status status =
        orr_picture_raster(picture, data, plain ? SIDE : CIPHER_SIDE, plain, &raster, error);
    if (status == ORR_OK) status = orr_png_encode(&raster, &png, &bytes, error);
    if (status == ORR_OK)
        orr_page_png(&e->body, png, bytes, SIDE, !plain, plain ? picture->name : "noise", caption);
    free(png);
    orr_raster_free(&raster);
    return status;
}

static orr_status show_encrypted(orr_evidence *e, const orr_picture *picture, orr_error *error) {
    static const orr_subject subject[2] = {ORR_SUBJECT_ARCHIVE, ORR_SUBJECT_PAPER};
    uint8_t *data = malloc(picture->bytes), key[64];
    if (!data) return orr_fail(error, ORR_INTERNAL, "memory ran out");
    orr_page_row_begin(&e->body);
    orr_status status = show(e, picture, picture->samples.data, 1, picture->name, error);
    for (int n = 0; n < 2 && status == ORR_OK; n++) {
        orr_evidence_key(e, "images", (uint64_t)n, key);
        status = orr_subject_encrypt(subject[n], key, picture->shape, picture->samples.data, data,
                                     error);
        if (status == ORR_OK)
            status = show(e, picture, data, 0,
                          n ? "encrypted, paper profile (a corner, enlarged)"
                            : "encrypted, archive profile (a corner, enlarged)",
                          error);
    }
    orr_page_row_end(&e->body);
    free(data);
    return status;
}

orr_status orr_section_images(orr_evidence *e, orr_error *error) {
    static const orr_page_column columns[] = {{"image", ORR_ALIGN_LEFT},
                                              {"columns x rows", ORR_ALIGN_RIGHT},
                                              {"channels", ORR_ALIGN_RIGHT},
                                              {"bits a sample", ORR_ALIGN_RIGHT},
                                              {"bytes", ORR_ALIGN_RIGHT}};
    orr_table table = {.columns = columns, .column_count = 5};
    cJSON *section = orr_evidence_section(
        e, "images", "Images",
        e->options->image_count
            ? "The images given. The paper profile enciphers their pixels as one volume; the "
              "archive "
              "profile takes the same bytes as those of a file."
            : "No images were given: these are drawn phantoms (organs are ellipses, tissue is "
              "noise). The paper profile enciphers their pixels as one volume; the archive profile "
              "takes the same bytes as those of a file.");
    cJSON *array = cJSON_AddArrayToObject(section, "images");
    orr_status status = ORR_OK;
    for (size_t n = 0; n < e->pictures.count; n++) {
        const orr_picture *p = &e->pictures.list[n];
        cJSON *object = cJSON_CreateObject();
        cJSON_AddItemToArray(array, object);
        cJSON_AddStringToObject(object, "name", p->name);
        cJSON_AddNumberToObject(object, "columns", p->samples.columns);
        cJSON_AddNumberToObject(object, "rows", p->samples.rows);
        cJSON_AddNumberToObject(object, "channels", p->samples.channels);
        cJSON_AddNumberToObject(object, "bits", p->samples.bits);
        orr_table_cell(&table, ORR_MARK_NONE, "%s", p->name);
        orr_table_cell(&table, ORR_MARK_NONE, "%u x %u", p->samples.columns, p->samples.rows);
        orr_table_cell(&table, ORR_MARK_NONE, "%u", p->samples.channels);
        orr_table_cell(&table, ORR_MARK_NONE, "%u", p->samples.bits);
        orr_table_cell(&table, ORR_MARK_NONE, "%zu", p->bytes);
    }
    status = orr_table_put(&e->body, &table, NULL, error);
    for (size_t n = 0; n < e->pictures.count; n++) {
        const orr_picture *p = &e->pictures.list[n];
        char line[512];
        if (!p->flaw) continue;
        snprintf(line, sizeof line, "%.300s was taken, though %s.", p->name, p->flaw);
        orr_page_note(&e->body, line);
    }
    for (size_t n = 0; n < e->pictures.count && n < SHOWN && status == ORR_OK; n++)
        status = show_encrypted(e, &e->pictures.list[n], error);
    return status;
}
