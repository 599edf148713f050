#include "gan/onednn/onednn_api.h"

#include <string.h>

static orr_status failed(dnnl_status_t status, const char *what, orr_error *error) {
    if (status == dnnl_success) return ORR_OK;
    return orr_fail(error, ORR_INTERNAL, "oneDNN %d.%d: %s failed (status %d)%s",
                    DNNL_VERSION_MAJOR, DNNL_VERSION_MINOR, what, (int)status,
                    status == dnnl_out_of_memory ? ": out of memory; use a smaller batch" : "");
}

orr_status orr_dnnl_open(orr_dnnl *dnnl, orr_error *error) {
    orr_status status;
    memset(dnnl, 0, sizeof *dnnl);
    status = failed(dnnl_engine_create(&dnnl->engine, dnnl_cpu, 0), "opening the CPU", error);
    if (status != ORR_OK) return status;
    status = failed(dnnl_stream_create(&dnnl->stream, dnnl->engine, dnnl_stream_default_flags),
                    "opening a stream", error);
    if (status != ORR_OK) orr_dnnl_close(dnnl);
    return status;
}

void orr_dnnl_close(orr_dnnl *dnnl) {
    if (dnnl->stream) dnnl_stream_destroy(dnnl->stream);
    if (dnnl->engine) dnnl_engine_destroy(dnnl->engine);
    memset(dnnl, 0, sizeof *dnnl);
}

#if DNNL_VERSION_MAJOR >= 3

static dnnl_status_t tagged(dnnl_memory_desc_t *md, const dnnl_dims_t dims, dnnl_format_tag_t tag) {
    return dnnl_memory_desc_create_with_tag(md, 4, dims, dnnl_f32, tag);
}

static void untag(dnnl_memory_desc_t *md) {
    dnnl_memory_desc_destroy(*md);
}

#define LENT(md) (md)

static dnnl_status_t describe(dnnl_engine_t engine, orr_dnnl_direction direction,
                              dnnl_memory_desc_t small, dnnl_memory_desc_t large,
                              dnnl_memory_desc_t weight, const dnnl_dims_t stride,
                              const dnnl_dims_t before, const dnnl_dims_t after,
                              dnnl_primitive_desc_t *pd) {
    const dnnl_dims_t dilation = {0, 0};
    dnnl_primitive_desc_t hint = NULL;
    dnnl_status_t status = dnnl_convolution_forward_primitive_desc_create(
        &hint, engine, dnnl_forward_training, dnnl_convolution_direct, large, weight, NULL, small,
        stride, dilation, before, after, NULL);
    if (status != dnnl_success || direction == ORR_DNNL_GATHER) {
        *pd = hint;
        return status;
    }
    status = direction == ORR_DNNL_SCATTER
                 ? dnnl_convolution_backward_data_primitive_desc_create(
                       pd, engine, dnnl_convolution_direct, large, weight, small, stride, dilation,
                       before, after, hint, NULL)
                 : dnnl_convolution_backward_weights_primitive_desc_create(
                       pd, engine, dnnl_convolution_direct, large, weight, NULL, small, stride,
                       dilation, before, after, hint, NULL);
    dnnl_primitive_desc_destroy(hint);
    return status;
}

#else

static dnnl_status_t tagged(dnnl_memory_desc_t *md, const dnnl_dims_t dims, dnnl_format_tag_t tag) {
    return dnnl_memory_desc_init_by_tag(md, 4, dims, dnnl_f32, tag);
}

static void untag(dnnl_memory_desc_t *md) {
    (void)md;
}

#define LENT(md) (&(md))

static dnnl_status_t describe(dnnl_engine_t engine, orr_dnnl_direction direction,
                              dnnl_memory_desc_t small, dnnl_memory_desc_t large,
                              dnnl_memory_desc_t weight, const dnnl_dims_t stride,
                              const dnnl_dims_t before, const dnnl_dims_t after,
                              dnnl_primitive_desc_t *pd) {
    dnnl_convolution_desc_t forward, backward;
    dnnl_primitive_desc_t hint = NULL;
    dnnl_status_t status =
        dnnl_convolution_forward_desc_init(&forward, dnnl_forward_training, dnnl_convolution_direct,
                                           &large, &weight, NULL, &small, stride, before, after);
    if (status == dnnl_success)
        status = dnnl_primitive_desc_create(&hint, &forward, NULL, engine, NULL);
    if (status != dnnl_success || direction == ORR_DNNL_GATHER) {
        *pd = hint;
        return status;
    }
    status =
        direction == ORR_DNNL_SCATTER
            ? dnnl_convolution_backward_data_desc_init(&backward, dnnl_convolution_direct, &large,
                                                       &weight, &small, stride, before, after)
            : dnnl_convolution_backward_weights_desc_init(&backward, dnnl_convolution_direct,
                                                          &large, &weight, NULL, &small, stride,
                                                          before, after);
    if (status == dnnl_success)
        status = dnnl_primitive_desc_create(pd, &backward, NULL, engine, hint);
    dnnl_primitive_desc_destroy(hint);
    return status;
}

#endif

// The queries and arguments of a direction. Gather is oneDNN's forward convolution from large to
// small.
static void name_arguments(orr_dnnl_direction direction, orr_dnnl_convolution *c) {
    const_dnnl_primitive_desc_t pd = c->descriptor;
    switch (direction) {
    case ORR_DNNL_GATHER:
        c->large = dnnl_primitive_desc_query_md(pd, dnnl_query_src_md, 0);
        c->small = dnnl_primitive_desc_query_md(pd, dnnl_query_dst_md, 0);
        c->weight = dnnl_primitive_desc_query_md(pd, dnnl_query_weights_md, 0);
        c->large_argument = DNNL_ARG_SRC;
        c->small_argument = DNNL_ARG_DST;
        c->weight_argument = DNNL_ARG_WEIGHTS;
        break;
    case ORR_DNNL_SCATTER:
        c->large = dnnl_primitive_desc_query_md(pd, dnnl_query_diff_src_md, 0);
        c->small = dnnl_primitive_desc_query_md(pd, dnnl_query_diff_dst_md, 0);
        c->weight = dnnl_primitive_desc_query_md(pd, dnnl_query_weights_md, 0);
        c->large_argument = DNNL_ARG_DIFF_SRC;
        c->small_argument = DNNL_ARG_DIFF_DST;
        c->weight_argument = DNNL_ARG_WEIGHTS;
        break;
    case ORR_DNNL_CORRELATE:
        c->large = dnnl_primitive_desc_query_md(pd, dnnl_query_src_md, 0);
        c->small = dnnl_primitive_desc_query_md(pd, dnnl_query_diff_dst_md, 0);
        c->weight = dnnl_primitive_desc_query_md(pd, dnnl_query_diff_weights_md, 0);
        c->large_argument = DNNL_ARG_SRC;
        c->small_argument = DNNL_ARG_DIFF_DST;
        c->weight_argument = DNNL_ARG_DIFF_WEIGHTS;
        break;
    }
}

orr_status orr_dnnl_convolution_open(orr_dnnl *dnnl, const orr_dnnl_geometry *g,
                                     orr_dnnl_direction direction,
                                     orr_dnnl_convolution *convolution, orr_error *error) {
    const dnnl_dims_t small_dims = {g->images, g->a, g->small_size, g->small_size};
    const dnnl_dims_t large_dims = {g->images, g->b, g->large_size, g->large_size};
    const dnnl_dims_t weight_dims = {g->a, g->b, g->kernel, g->kernel};
    const dnnl_dims_t stride = {g->stride, g->stride}, padding = {g->padding, g->padding};
    dnnl_memory_desc_t small, large, weight;
    dnnl_status_t status = tagged(&small, small_dims, dnnl_format_tag_any);
    memset(convolution, 0, sizeof *convolution);
    if (status == dnnl_success) {
        status = tagged(&large, large_dims, dnnl_format_tag_any);
        if (status == dnnl_success) {
            status = tagged(&weight, weight_dims, dnnl_format_tag_any);
            if (status == dnnl_success) {
                status = describe(dnnl->engine, direction, small, large, weight, stride, padding,
                                  padding, &convolution->descriptor);
                untag(&weight);
            }
            untag(&large);
        }
        untag(&small);
    }
    if (status == dnnl_success) {
        status = dnnl_primitive_create(&convolution->primitive, convolution->descriptor);
    }
    if (status != dnnl_success) {
        orr_dnnl_convolution_close(convolution);
        return failed(status, "preparing a convolution", error);
    }
    name_arguments(direction, convolution);
    return ORR_OK;
}

void orr_dnnl_convolution_close(orr_dnnl_convolution *convolution) {
    if (convolution->primitive) dnnl_primitive_destroy(convolution->primitive);
    if (convolution->descriptor) dnnl_primitive_desc_destroy(convolution->descriptor);
    memset(convolution, 0, sizeof *convolution);
}

orr_status orr_dnnl_memory(orr_dnnl *dnnl, orr_dnnl_md md, dnnl_memory_t *memory,
                           orr_error *error) {
    orr_status status = failed(dnnl_memory_create(memory, md, dnnl->engine, DNNL_MEMORY_ALLOCATE),
                               "allocating a tensor", error);
    if (status == ORR_OK) memset(orr_dnnl_floats(*memory), 0, orr_dnnl_bytes(*memory));
    return status;
}

orr_status orr_dnnl_tagged_memory(orr_dnnl *dnnl, const uint32_t dims[4], dnnl_format_tag_t tag,
                                  dnnl_memory_t *memory, orr_error *error) {
    const dnnl_dims_t four = {dims[0], dims[1], dims[2], dims[3]};
    dnnl_memory_desc_t md;
    orr_status status = failed(tagged(&md, four, tag), "describing a tensor", error);
    if (status != ORR_OK) return status;
    status = orr_dnnl_memory(dnnl, LENT(md), memory, error);
    untag(&md);
    return status;
}

orr_dnnl_md orr_dnnl_layout(dnnl_memory_t memory) {
    orr_dnnl_md md = NULL;
    dnnl_memory_get_memory_desc(memory, &md);
    return md;
}

float *orr_dnnl_floats(dnnl_memory_t memory) {
    void *data = NULL;
    dnnl_memory_get_data_handle(memory, &data);
    return data;
}

size_t orr_dnnl_bytes(dnnl_memory_t memory) {
    return dnnl_memory_desc_get_size(orr_dnnl_layout(memory));
}

int orr_dnnl_same(orr_dnnl_md a, orr_dnnl_md b) {
    return dnnl_memory_desc_equal(a, b);
}

int orr_dnnl_has_tag(orr_dnnl_md md, const uint32_t dims[4], dnnl_format_tag_t tag) {
    const dnnl_dims_t four = {dims[0], dims[1], dims[2], dims[3]};
    dnnl_memory_desc_t candidate;
    int same;
    if (tagged(&candidate, four, tag) != dnnl_success) return 0;
    same = dnnl_memory_desc_equal(md, LENT(candidate));
    untag(&candidate);
    return same;
}

orr_status orr_dnnl_reorder(orr_dnnl *dnnl, orr_dnnl_md from, orr_dnnl_md to,
                            dnnl_primitive_t *primitive, orr_error *error) {
    dnnl_primitive_desc_t pd = NULL;
    dnnl_status_t status =
        dnnl_reorder_primitive_desc_create(&pd, from, dnnl->engine, to, dnnl->engine, NULL);
    if (status == dnnl_success) {
        status = dnnl_primitive_create(primitive, pd);
        dnnl_primitive_desc_destroy(pd);
    }
    return failed(status, "preparing a reorder", error);
}
