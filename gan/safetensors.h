// safetensors files: named tensors behind a JSON header (the format of huggingface/safetensors,
// README "Format"): 8 bytes header length, little-endian; a JSON object {name: {"dtype", "shape",
// "data_offsets": [begin, end]}},
// "__metadata__" of strings to strings; then the tensors' bytes, little-endian, row by row, without
// gaps.
//
// A file is read as a stranger's: everything is checked against the file's length before anything
// is allocated. Refused: a header over ORR_SAFETENSORS_MAX_HEADER, more than
// ORR_SAFETENSORS_MAX_TENSORS, names twice, types that are not known, shapes that overflow or do
// not match their bytes, and bytes that overlap, leave a hole or go beyond the end.
#ifndef ORRERY_GAN_SAFETENSORS_H
#define ORRERY_GAN_SAFETENSORS_H

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

#ifdef __cplusplus
extern "C" {
#endif

#define ORR_SAFETENSORS_MAX_HEADER (4u << 20)
#define ORR_SAFETENSORS_MAX_TENSORS 4096
#define ORR_SAFETENSORS_MAX_RANK 8
#define ORR_SAFETENSORS_MAX_NAME 128 // bytes with the NUL

typedef enum orr_dtype {
    ORR_DTYPE_F32,
    ORR_DTYPE_F16,  // IEEE 754 binary16
    ORR_DTYPE_BF16, // upper half of a float32
    ORR_DTYPE_F64,
    ORR_DTYPE_I64,
    ORR_DTYPE_U64,
    ORR_DTYPE_I32,
    ORR_DTYPE_U32,
    ORR_DTYPE_I16,
    ORR_DTYPE_U16,
    ORR_DTYPE_I8,
    ORR_DTYPE_U8,
    ORR_DTYPE_BOOL,
    ORR_DTYPE_COUNT
} orr_dtype;
const char *orr_dtype_name(orr_dtype dtype); // "F32"
size_t orr_dtype_bytes(orr_dtype dtype);

typedef struct orr_tensor_info {
    char name[ORR_SAFETENSORS_MAX_NAME];
    orr_dtype dtype;
    uint32_t rank; // 0: one number
    uint64_t shape[ORR_SAFETENSORS_MAX_RANK];
    uint64_t elements;
    uint64_t offset; // in the file
} orr_tensor_info;

typedef struct orr_safetensors {
    int fd;
    char *path;
    orr_tensor_info *tensors; // in the order of their bytes
    size_t count;
    void *metadata; // see orr_safetensors_metadata
} orr_safetensors;

// ORR_IO when the file cannot be read, ORR_UNSUPPORTED when it is no safetensors file or one of the
// above. Close with orr_safetensors_close (a zeroed one is fine).
orr_status orr_safetensors_open(const char *path, orr_safetensors *file, orr_error *error);
void orr_safetensors_close(orr_safetensors *file);
// NULL when there is none of that name. Lent.
const orr_tensor_info *orr_safetensors_find(const orr_safetensors *file, const char *name);
const char *orr_safetensors_metadata(const orr_safetensors *file, const char *key);
// All elements as float32: F32 as it is, F16, BF16 and F64 converted. `elements` must be the
// tensor's. ORR_UNSUPPORTED for other types, ORR_IO when the file has become shorter.
orr_status orr_safetensors_floats(const orr_safetensors *file, const orr_tensor_info *tensor,
                                  uint64_t elements, float *out, orr_error *error);
// The raw little-endian bytes of a tensor of type `dtype` and this many elements.
orr_status orr_safetensors_bytes(const orr_safetensors *file, const orr_tensor_info *tensor,
                                 orr_dtype dtype, uint64_t elements, void *out, orr_error *error);

// A tensor to write. Data of F32, I64, U64, I32, U32, U8 as in memory; F16 is given as float32 and
// rounded to nearest even.
typedef struct orr_tensor {
    const char *name; // UTF-8
    orr_dtype dtype;
    uint32_t rank;
    uint64_t shape[ORR_SAFETENSORS_MAX_RANK];
    const void *data;
} orr_tensor;
typedef struct orr_safetensors_entry {
    const char *key, *value;
} orr_safetensors_entry;
// Writes PATH.partial, mode 0600, flushes it and gives it its name. An existing PATH is kept
// (ORR_EXISTS) unless `replace`, which replaces it in one step. On failure nothing is left behind,
// and what was there is still there.
orr_status orr_safetensors_write(const char *path, const orr_tensor *tensors, size_t count,
                                 const orr_safetensors_entry *metadata, size_t metadata_count,
                                 int replace, orr_error *error);

// IEEE 754 binary16 from and to float32, to nearest even.
uint16_t orr_half_from_float(float value);
float orr_half_to_float(uint16_t half);

#ifdef __cplusplus
}
#endif
#endif
