// What Orrery needs of oneDNN: convolutions in their three directions and reorders, in float32 on
// the CPU. onednn_api.c is the only file that knows version 2 (Debian 12) from version 3.
#ifndef ORRERY_GAN_ONEDNN_ONEDNN_API_H
#define ORRERY_GAN_ONEDNN_ONEDNN_API_H

#include <stddef.h>
#include <stdint.h>

#include <oneapi/dnnl/dnnl.h>

#include "gan/network.h"

#if DNNL_VERSION_MAJOR >= 3
typedef const_dnnl_memory_desc_t orr_dnnl_md; // lent
#else
typedef const dnnl_memory_desc_t *orr_dnnl_md; // lent
#endif

// Every function here returns ORR_OK or, with oneDNN's status in the text, ORR_INTERNAL.

typedef struct orr_dnnl {
    dnnl_engine_t engine;
    dnnl_stream_t stream;
} orr_dnnl;

orr_status orr_dnnl_open(orr_dnnl *dnnl, orr_error *error);
void orr_dnnl_close(orr_dnnl *dnnl);

// A convolution as in gan/layers.inc: `images` images, small tensor of a channels, large one of b,
// weight [a][b][kernel][kernel].
typedef struct orr_dnnl_geometry {
    uint32_t images, a, b, small_size, large_size, kernel, stride, padding;
} orr_dnnl_geometry;

typedef enum orr_dnnl_direction {
    ORR_DNNL_GATHER,
    ORR_DNNL_SCATTER,
    ORR_DNNL_CORRELATE
} orr_dnnl_direction;

typedef struct orr_dnnl_convolution {
    dnnl_primitive_t primitive;
    dnnl_primitive_desc_t descriptor;
    // The layouts it wants (lent by the descriptor) and the names of its arguments.
    orr_dnnl_md small, large, weight;
    int small_argument, large_argument, weight_argument;
} orr_dnnl_convolution;

// Layouts are oneDNN's choice.
orr_status orr_dnnl_convolution_open(orr_dnnl *dnnl, const orr_dnnl_geometry *geometry,
                                     orr_dnnl_direction direction,
                                     orr_dnnl_convolution *convolution, orr_error *error);
void orr_dnnl_convolution_close(orr_dnnl_convolution *convolution); // zeroed is fine

// Memory of a layout, allocated and zeroed by oneDNN. Freed with dnnl_memory_destroy.
orr_status orr_dnnl_memory(orr_dnnl *dnnl, orr_dnnl_md md, dnnl_memory_t *memory, orr_error *error);
// Memory of a tensor [n][c][h][w] in one of the plain or blocked layouts; DNNL_ARG order of dims is
// always n, c, h, w (or a, b, row, column).
orr_status orr_dnnl_tagged_memory(orr_dnnl *dnnl, const uint32_t dims[4], dnnl_format_tag_t tag,
                                  dnnl_memory_t *memory, orr_error *error);
orr_dnnl_md orr_dnnl_layout(dnnl_memory_t memory); // lent by the memory
float *orr_dnnl_floats(dnnl_memory_t memory);      // its data
size_t orr_dnnl_bytes(dnnl_memory_t memory);
int orr_dnnl_same(orr_dnnl_md a, orr_dnnl_md b); // the same layout?
// Does `md` lie as `tag` says? `dims` as above.
int orr_dnnl_has_tag(orr_dnnl_md md, const uint32_t dims[4], dnnl_format_tag_t tag);
orr_status orr_dnnl_reorder(orr_dnnl *dnnl, orr_dnnl_md from, orr_dnnl_md to,
                            dnnl_primitive_t *primitive, orr_error *error);

#endif
