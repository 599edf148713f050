#include "gan/safetensors.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cjson/cJSON.h>

#include "base/bytes.h"
#include "base/fresh.h"

uint16_t orr_half_from_float(float value) {
    uint32_t bits, magnitude;
    uint16_t sign;
    memcpy(&bits, &value, sizeof bits);
    sign = (uint16_t)(bits >> 16 & 0x8000u);
    magnitude = bits & 0x7fffffffu;
    if (magnitude > 0x7f800000u) return sign | 0x7e00u;  // NaN
    if (magnitude >= 0x477ff000u) return sign | 0x7c00u; // 65520 and more round to infinity
    if (magnitude < 0x38800000u) { // below 2^-14: a multiple of 2^-24; adding 0.5 rounds to it
        float rest;
        memcpy(&rest, &magnitude, sizeof rest);
        rest += 0.5f;
        memcpy(&magnitude, &rest, sizeof magnitude);
        return (uint16_t)(sign | (magnitude - 0x3f000000u));
    }
    magnitude += 0xfffu + (magnitude >> 13 & 1); // to nearest even
    return (uint16_t)(sign | ((magnitude >> 13) - (112u << 10)));
}

static uint64_t elements_of(const orr_tensor *tensor) {
    uint64_t elements = 1;
    for (uint32_t i = 0; i < tensor->rank; i++) elements *= tensor->shape[i];
    return elements;
}

// Tensors lie by falling size of their elements, so that each starts at a multiple of it.
static size_t next_in_order(const orr_tensor *tensors, size_t count, size_t *size, size_t at) {
    for (;;) {
        for (; at < count; at++) {
            if (orr_dtype_bytes(tensors[at].dtype) == *size) return at;
        }
        if (*size == 1) return count;
        *size /= 2;
        at = 0;
    }
}

static cJSON *describe(const orr_tensor *tensor, uint64_t *offset) {
    cJSON *object = cJSON_CreateObject(), *shape, *offsets;
    uint64_t end = *offset + elements_of(tensor) * orr_dtype_bytes(tensor->dtype);
    cJSON_AddStringToObject(object, "dtype", orr_dtype_name(tensor->dtype));
    shape = cJSON_AddArrayToObject(object, "shape");
    for (uint32_t i = 0; i < tensor->rank; i++) {
        cJSON_AddItemToArray(shape, cJSON_CreateNumber((double)tensor->shape[i]));
    }
    offsets = cJSON_AddArrayToObject(object, "data_offsets");
    cJSON_AddItemToArray(offsets, cJSON_CreateNumber((double)*offset));
    cJSON_AddItemToArray(offsets, cJSON_CreateNumber((double)end));
    *offset = end;
    return object;
}

// The header as text, malloc'ed; NULL when memory runs out.
static char *make_header(const orr_tensor *tensors, size_t count,
                         const orr_safetensors_entry *metadata, size_t metadata_count) {
    cJSON *header = cJSON_CreateObject();
    uint64_t offset = 0;
    size_t size = 8;
    char *text;
    if (metadata_count) {
        cJSON *object = cJSON_AddObjectToObject(header, "__metadata__");
        for (size_t i = 0; i < metadata_count; i++) {
            cJSON_AddStringToObject(object, metadata[i].key, metadata[i].value);
        }
    }
    for (size_t i = next_in_order(tensors, count, &size, 0); i < count;
         i = next_in_order(tensors, count, &size, i + 1)) {
        cJSON_AddItemToObject(header, tensors[i].name, describe(&tensors[i], &offset));
    }
    text = cJSON_PrintUnformatted(header);
    cJSON_Delete(header);
    return text;
}

static int write_tensor(FILE *out, const orr_tensor *tensor) {
    uint64_t elements = elements_of(tensor);
    const float *values = tensor->data;
    uint16_t halves[1024];
    if (tensor->dtype != ORR_DTYPE_F16) {
        return fwrite(tensor->data, orr_dtype_bytes(tensor->dtype), elements, out) == elements;
    }
    for (uint64_t done = 0; done < elements;) {
        size_t some = elements - done < 1024 ? (size_t)(elements - done) : 1024;
        for (size_t i = 0; i < some; i++) halves[i] = orr_half_from_float(values[done + i]);
        if (fwrite(halves, sizeof *halves, some, out) != some) return 0;
        done += some;
    }
    return 1;
}

static int write_all(FILE *out, const char *header, const orr_tensor *tensors, size_t count) {
    size_t length = strlen(header), padded = (length + 7) / 8 * 8, size = 8;
    uint8_t prefix[8];
    orr_store_le64(prefix, padded);
    if (fwrite(prefix, 1, 8, out) != 8 ||
        fprintf(out, "%s%*s", header, (int)(padded - length), "") < 0)
        return 0;
    for (size_t i = next_in_order(tensors, count, &size, 0); i < count;
         i = next_in_order(tensors, count, &size, i + 1)) {
        if (!write_tensor(out, &tensors[i])) return 0;
    }
    return fflush(out) == 0;
}

static orr_status write_error(const char *path, orr_error *error) {
    return orr_fail(error, ORR_IO, "%s: cannot write: %s", path, strerror(errno));
}

static orr_status exists_error(const char *path, orr_error *error) {
    return orr_fail(error, ORR_EXISTS, "%s: exists already and is not overwritten", path);
}

orr_status orr_safetensors_write(const char *path, const orr_tensor *tensors, size_t count,
                                 const orr_safetensors_entry *metadata, size_t metadata_count,
                                 int replace, orr_error *error) {
    char *header = make_header(tensors, count, metadata, metadata_count);
    orr_fresh fresh = ORR_FRESH_NONE;
    orr_status status = ORR_OK;
    FILE *out = NULL;
    if (!header) {
        status = orr_fail(error, ORR_INTERNAL, "out of memory for %s", path);
        goto end;
    }
    if (!replace && access(path, F_OK) == 0) { // before the work; the naming checks again
        status = exists_error(path, error);
        goto end;
    }
    if (!orr_fresh_begin(&fresh, path)) out = orr_fresh_stream(&fresh);
    if (!out) {
        status = write_error(path, error);
        goto end;
    }
    if (!write_all(out, header, tensors, count)) status = write_error(path, error);
    if (fclose(out) != 0 && status == ORR_OK) status = write_error(path, error);
    if (status == ORR_OK && orr_fresh_commit(&fresh, replace ? ORR_FRESH_SWAP : ORR_FRESH_NEW))
        status = errno == EEXIST ? exists_error(path, error) : write_error(path, error);
end:
    orr_fresh_end(&fresh);
    free(header);
    return status;
}
