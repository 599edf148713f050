#include "gan/safetensors.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cjson/cJSON.h>

#include "base/bytes.h"
#include "base/io.h"

static const struct {
    const char *name;
    size_t bytes;
} dtypes[ORR_DTYPE_COUNT] = {
    [ORR_DTYPE_F32] = {"F32", 4},   [ORR_DTYPE_F16] = {"F16", 2}, [ORR_DTYPE_BF16] = {"BF16", 2},
    [ORR_DTYPE_F64] = {"F64", 8},   [ORR_DTYPE_I64] = {"I64", 8}, [ORR_DTYPE_U64] = {"U64", 8},
    [ORR_DTYPE_I32] = {"I32", 4},   [ORR_DTYPE_U32] = {"U32", 4}, [ORR_DTYPE_I16] = {"I16", 2},
    [ORR_DTYPE_U16] = {"U16", 2},   [ORR_DTYPE_I8] = {"I8", 1},   [ORR_DTYPE_U8] = {"U8", 1},
    [ORR_DTYPE_BOOL] = {"BOOL", 1},
};

const char *orr_dtype_name(orr_dtype dtype) {
    return dtypes[dtype].name;
}

size_t orr_dtype_bytes(orr_dtype dtype) {
    return dtypes[dtype].bytes;
}

static orr_status damaged(const orr_safetensors *file, orr_error *error, const char *what) {
    return orr_fail(error, ORR_UNSUPPORTED, "%s: not a sound safetensors file: %s", file->path,
                    what);
}

// Reads exactly `bytes` bytes at `offset`.
static orr_status read_at(const orr_safetensors *file, void *out, size_t bytes, uint64_t offset,
                          orr_error *error) {
    if (orr_pread_in_full(file->fd, out, bytes, offset) == bytes) return ORR_OK;
    if (errno) return orr_fail(error, ORR_IO, "%s: %s", file->path, strerror(errno));
    return orr_fail(error, ORR_IO, "%s: became shorter while it was read", file->path);
}

// A non-negative integer that a double holds exactly.
static int whole_number(const cJSON *item, uint64_t *value) {
    if (!cJSON_IsNumber(item) ||
        !(item->valuedouble >= 0 && item->valuedouble <= 9007199254740992.0)) {
        return 0;
    }
    *value = (uint64_t)item->valuedouble;
    return (double)*value == item->valuedouble;
}

static int parse_dtype(const cJSON *item, orr_dtype *dtype) {
    if (!cJSON_IsString(item)) return 0;
    for (int d = 0; d < ORR_DTYPE_COUNT; d++) {
        if (strcmp(item->valuestring, dtypes[d].name) == 0) {
            *dtype = (orr_dtype)d;
            return 1;
        }
    }
    return 0;
}

static orr_status parse_shape(const orr_safetensors *file, const cJSON *shape,
                              orr_tensor_info *tensor, orr_error *error) {
    const cJSON *item;
    if (!cJSON_IsArray(shape)) return damaged(file, error, "a tensor without a shape");
    tensor->elements = 1;
    cJSON_ArrayForEach(item, shape) {
        uint64_t length;
        if (tensor->rank == ORR_SAFETENSORS_MAX_RANK)
            return damaged(file, error, "a tensor of over 8 dimensions");
        if (!whole_number(item, &length) ||
            __builtin_mul_overflow(tensor->elements, length, &tensor->elements)) {
            return damaged(file, error, "a shape that is none");
        }
        tensor->shape[tensor->rank++] = length;
    }
    return ORR_OK;
}

// `data` bytes follow the header, which ends at `base`.
static orr_status parse_tensor(const orr_safetensors *file, const cJSON *item, uint64_t base,
                               uint64_t data, orr_tensor_info *tensor, orr_error *error) {
    const cJSON *offsets = cJSON_GetObjectItemCaseSensitive(item, "data_offsets");
    uint64_t begin, end, bytes;
    orr_status status;
    if (!item->string || strlen(item->string) >= sizeof tensor->name || !item->string[0]) {
        return damaged(file, error, "a tensor's name is empty or too long");
    }
    strcpy(tensor->name, item->string);
    if (!cJSON_IsObject(item) || cJSON_GetArraySize(item) != 3) {
        return damaged(file, error,
                       "a tensor needs dtype, shape and data_offsets, and nothing else");
    }
    if (!parse_dtype(cJSON_GetObjectItemCaseSensitive(item, "dtype"), &tensor->dtype)) {
        return damaged(file, error, "a tensor of an unknown type");
    }
    status = parse_shape(file, cJSON_GetObjectItemCaseSensitive(item, "shape"), tensor, error);
    if (status != ORR_OK) return status;
    if (!cJSON_IsArray(offsets) || cJSON_GetArraySize(offsets) != 2 ||
        !whole_number(cJSON_GetArrayItem(offsets, 0), &begin) ||
        !whole_number(cJSON_GetArrayItem(offsets, 1), &end) || begin > end || end > data) {
        return damaged(file, error, "a tensor outside the file");
    }
    if (__builtin_mul_overflow(tensor->elements, (uint64_t)dtypes[tensor->dtype].bytes, &bytes) ||
        bytes != end - begin) {
        return damaged(file, error, "a tensor whose bytes do not match its shape");
    }
    tensor->offset = base + begin;
    return ORR_OK;
}

static int by_offset(const void *a, const void *b) {
    const orr_tensor_info *x = a, *y = b;
    if (x->offset != y->offset) return x->offset < y->offset ? -1 : 1;
    return x->elements < y->elements ? -1 : x->elements > y->elements; // an empty one comes first
}

static int by_name(const void *a, const void *b) {
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

// Each name once; every byte belongs to one tensor.
static orr_status check_whole(orr_safetensors *file, uint64_t base, uint64_t data,
                              orr_error *error) {
    const char **names = calloc(file->count + 1, sizeof *names);
    uint64_t at = base;
    int twice = 0;
    if (!names) return orr_fail(error, ORR_INTERNAL, "out of memory for %s", file->path);
    qsort(file->tensors, file->count, sizeof *file->tensors, by_offset);
    for (size_t i = 0; i < file->count; i++) names[i] = file->tensors[i].name;
    qsort(names, file->count, sizeof *names, by_name);
    for (size_t i = 1; i < file->count; i++) twice |= strcmp(names[i - 1], names[i]) == 0;
    free(names);
    if (twice) return damaged(file, error, "two tensors of one name");
    for (size_t i = 0; i < file->count; i++) {
        const orr_tensor_info *tensor = &file->tensors[i];
        if (tensor->offset != at) return damaged(file, error, "tensors overlap or leave a hole");
        at += tensor->elements * dtypes[tensor->dtype].bytes;
    }
    return at == base + data ? ORR_OK : damaged(file, error, "bytes behind the last tensor");
}

static orr_status check_metadata(const orr_safetensors *file, const cJSON *metadata,
                                 orr_error *error) {
    const cJSON *item;
    if (!cJSON_IsObject(metadata)) return damaged(file, error, "metadata that is no object");
    cJSON_ArrayForEach(item, metadata) {
        if (!cJSON_IsString(item)) return damaged(file, error, "metadata other than text");
    }
    return ORR_OK;
}

static orr_status parse_header(orr_safetensors *file, cJSON *header, uint64_t base, uint64_t data,
                               orr_error *error) {
    const cJSON *item;
    int count = cJSON_IsObject(header) ? cJSON_GetArraySize(header) : -1;
    int metadata = 0;
    if (count < 0) return damaged(file, error, "the header is no JSON object");
    if (count > ORR_SAFETENSORS_MAX_TENSORS) return damaged(file, error, "too many tensors");
    file->tensors = calloc((size_t)count + 1, sizeof *file->tensors);
    if (!file->tensors) return orr_fail(error, ORR_INTERNAL, "out of memory for %s", file->path);
    cJSON_ArrayForEach(item, header) {
        orr_status status;
        if (item->string && strcmp(item->string, "__metadata__") == 0) {
            if (metadata++) return damaged(file, error, "metadata twice");
            status = check_metadata(file, item, error);
        } else {
            status = parse_tensor(file, item, base, data, &file->tensors[file->count], error);
            file->count++;
        }
        if (status != ORR_OK) return status;
    }
    if (metadata) file->metadata = cJSON_DetachItemFromObjectCaseSensitive(header, "__metadata__");
    return check_whole(file, base, data, error);
}

static orr_status read_header(orr_safetensors *file, uint64_t length, orr_error *error) {
    uint8_t prefix[8];
    uint64_t bytes = 0;
    char *text = NULL;
    const char *end = NULL;
    cJSON *header = NULL;
    orr_status status;
    if (length < 8) return damaged(file, error, "shorter than 8 bytes");
    status = read_at(file, prefix, sizeof prefix, 0, error);
    if (status != ORR_OK) return status;
    if (!memcmp(prefix, "PK\3\4", 4) || !memcmp(prefix, "\x80\2", 2)) // a zip, an older pickle
        return damaged(file, error,
                       "it looks like one of torch.save(); save the state dictionary in PyTorch "
                       "with safetensors.torch.save_file()");
    bytes = orr_load_le64(prefix);
    if (bytes < 2 || bytes > ORR_SAFETENSORS_MAX_HEADER)
        return damaged(file, error, "no header of a sensible length");
    if (bytes > length - 8) return damaged(file, error, "truncated inside the header");
    text = calloc(1, bytes + 1);
    if (!text) return orr_fail(error, ORR_INTERNAL, "out of memory for %s", file->path);
    status = read_at(file, text, bytes, 8, error);
    if (status == ORR_OK) header = cJSON_ParseWithLengthOpts(text, bytes + 1, &end, 0);
    if (status == ORR_OK &&
        (!header || text[0] != '{' || strspn(end, " ") != (size_t)(text + bytes - end))) {
        status = damaged(file, error, "the header is no JSON");
    }
    if (status == ORR_OK) status = parse_header(file, header, 8 + bytes, length - 8 - bytes, error);
    cJSON_Delete(header);
    free(text);
    return status;
}

orr_status orr_safetensors_open(const char *path, orr_safetensors *file, orr_error *error) {
    struct stat info;
    orr_status status = ORR_OK;
    memset(file, 0, sizeof *file);
    file->path = strdup(path);
    file->fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (!file->path) {
        status = orr_fail(error, ORR_INTERNAL, "out of memory for %s", path);
    } else if (file->fd < 0 || fstat(file->fd, &info) != 0) {
        status = orr_fail(error, ORR_IO, "%s: %s", path, strerror(errno));
    } else if (!S_ISREG(info.st_mode)) {
        status = orr_fail(error, ORR_UNSUPPORTED, "%s: not a file of weights", path);
    } else {
        status = read_header(file, (uint64_t)info.st_size, error);
    }
    if (status != ORR_OK) orr_safetensors_close(file);
    return status;
}

void orr_safetensors_close(orr_safetensors *file) {
    if (file->path && file->fd >= 0) close(file->fd);
    cJSON_Delete(file->metadata);
    free(file->tensors);
    free(file->path);
    memset(file, 0, sizeof *file);
}

const orr_tensor_info *orr_safetensors_find(const orr_safetensors *file, const char *name) {
    for (size_t i = 0; i < file->count; i++) {
        if (strcmp(file->tensors[i].name, name) == 0) return &file->tensors[i];
    }
    return NULL;
}

const char *orr_safetensors_metadata(const orr_safetensors *file, const char *key) {
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(file->metadata, key);
    return cJSON_IsString(item) ? item->valuestring : NULL;
}

static orr_status mismatch(const orr_safetensors *file, const orr_tensor_info *tensor,
                           orr_error *error) {
    return orr_fail(error, ORR_UNSUPPORTED,
                    "%s: tensor %s has another type or size (%s, %llu elements) than expected",
                    file->path, tensor->name, orr_dtype_name(tensor->dtype),
                    (unsigned long long)tensor->elements);
}

orr_status orr_safetensors_bytes(const orr_safetensors *file, const orr_tensor_info *tensor,
                                 orr_dtype dtype, uint64_t elements, void *out, orr_error *error) {
    if (tensor->dtype != dtype || tensor->elements != elements)
        return mismatch(file, tensor, error);
    return read_at(file, out, elements * dtypes[dtype].bytes, tensor->offset, error);
}

float orr_half_to_float(uint16_t half) {
    uint32_t sign = (uint32_t)(half & 0x8000u) << 16, exponent = half >> 10 & 31,
             fraction = half & 1023u, bits;
    float value;
    if (exponent == 0) { // zero and subnormals: fraction * 2^-24, exact
        value = (float)fraction * 5.9604644775390625e-8f;
        memcpy(&bits, &value, sizeof bits);
        bits |= sign;
    } else {
        bits = sign | (exponent == 31 ? 255u : exponent + 112) << 23 | fraction << 13;
    }
    memcpy(&value, &bits, sizeof value);
    return value;
}

static float to_float(orr_dtype dtype, const uint8_t *from) {
    uint16_t half;
    uint32_t bits;
    double wide;
    float value;
    switch (dtype) {
    case ORR_DTYPE_F16:
        memcpy(&half, from, sizeof half);
        return orr_half_to_float(half);
    case ORR_DTYPE_BF16:
        memcpy(&half, from, sizeof half);
        bits = (uint32_t)half << 16;
        memcpy(&value, &bits, sizeof value);
        return value;
    case ORR_DTYPE_F64:
        memcpy(&wide, from, sizeof wide);
        return (float)wide;
    default:
        memcpy(&value, from, sizeof value);
        return value;
    }
}

orr_status orr_safetensors_floats(const orr_safetensors *file, const orr_tensor_info *tensor,
                                  uint64_t elements, float *out, orr_error *error) {
    uint8_t buffer[8192];
    size_t size = dtypes[tensor->dtype].bytes, room = sizeof buffer / size;
    if (tensor->dtype > ORR_DTYPE_F64 || tensor->elements != elements)
        return mismatch(file, tensor, error);
    for (uint64_t done = 0; done < elements;) {
        size_t some = elements - done < room ? (size_t)(elements - done) : room;
        orr_status status = read_at(file, buffer, some * size, tensor->offset + done * size, error);
        if (status != ORR_OK) return status;
        for (size_t i = 0; i < some; i++)
            out[done + i] = to_float(tensor->dtype, buffer + i * size);
        done += some;
    }
    return ORR_OK;
}
