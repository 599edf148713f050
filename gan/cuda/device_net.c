// A network's table, plans, memory and passes. Host copies of its arrays: net_copy.c.
#include "gan/cuda/device_net.h"

#include <stdio.h>
#include <string.h>

#define WORKSPACE ((size_t)64 << 20) // most scratch of a convolution, bytes

static uint32_t pad(uint32_t channels) {
    return (channels + ORR_CUDA_PACK - 1) / ORR_CUDA_PACK * ORR_CUDA_PACK;
}

cuda_layer *cuda_net_last(cuda_net *net) {
    return &net->layers[net->layer_count - 1];
}

// ---- the table ----------------------------------------------------------------------------------

static cuda_layer_kind kind_of(const orr_gan_layer *layer, int last) {
    if (layer->transposed && layer->in_size == 1 && layer->padding == 0) return CUDA_MATRIX;
    if (last && !layer->transposed && layer->out_size == 1 && layer->out_channels == 1 &&
        layer->padding == 0 && layer->kernel == layer->in_size && !layer->batch_norm &&
        layer->activation == ORR_GAN_LINEAR)
        return CUDA_DOT;
    return CUDA_CONVOLUTION;
}

// Pads every layer and places its parameters: weights of plans first, then the rest.
static void fill_table(cuda_net *net, const orr_gan_network *network) {
    net->layer_count = network->layer_count;
    for (uint32_t i = 0; i < net->layer_count; i++) {
        cuda_layer *layer = &net->layers[i];
        layer->is = network->layers[i];
        layer->kind = kind_of(&layer->is, i + 1 == net->layer_count);
        layer->in = pad(layer->is.in_channels);
        layer->out = layer->kind == CUDA_DOT ? 1 : pad(layer->is.out_channels);
        layer->weights = (size_t)layer->in * layer->out * layer->is.kernel * layer->is.kernel;
        if (layer->kind == CUDA_DOT) continue;
        layer->weight = net->weight_count;
        net->weight_count += layer->weights;
    }
    net->parameter_count = net->weight_count;
    for (uint32_t i = 0; i < net->layer_count; i++) {
        cuda_layer *layer = &net->layers[i];
        if (layer->kind == CUDA_DOT) {
            layer->weight = net->parameter_count;
            net->parameter_count += layer->weights;
        }
        if (!layer->is.batch_norm) continue;
        layer->gamma = net->parameter_count;
        layer->beta = layer->gamma + layer->out;
        net->parameter_count += 2 * layer->out;
        layer->mean_at = net->running_count;
        layer->variance_at = layer->mean_at + layer->out;
        net->running_count += 2 * layer->out;
    }
}

// ---- plans --------------------------------------------------------------------------------------

// The convolution behind a layer: a transposed one's output is the side with more pixels.
static orr_plan_shape shape_of(const cuda_layer *layer, uint32_t images) {
    const orr_gan_layer *is = &layer->is;
    if (layer->kind == CUDA_MATRIX)
        return (orr_plan_shape){
            images, layer->in, 1, 1, (int64_t)is->kernel * is->kernel * layer->out, 1, 1, 0};
    uint32_t large = is->transposed ? is->out_size : is->in_size;
    return (orr_plan_shape){images,
                            is->transposed ? layer->out : layer->in,
                            large,
                            large,
                            is->transposed ? layer->in : layer->out,
                            is->kernel,
                            is->stride,
                            is->padding};
}

// Gradients of filters are made on the side, with scratch of their own.
static orr_status build(cuda_net *net, orr_plan_op op, const orr_plan_shape *shape, orr_plan **plan,
                        orr_error *error) {
    int side = op == ORR_PLAN_BACKWARD_FILTER;
    const cuda_lane *lane = side ? &net->context->side : &net->context->main;
    size_t *most = side ? &net->side_workspace_bytes : &net->workspace_bytes;
    orr_status status = orr_plan_build(lane->kind, op, shape, net->math, WORKSPACE, plan, error);
    if (status == ORR_OK && orr_plan_workspace(*plan) > *most) *most = orr_plan_workspace(*plan);
    return status;
}

static orr_status build_layer(cuda_net *net, uint32_t number, uint32_t groups,
                              const cuda_net_use *use, orr_error *error) {
    cuda_layer *layer = &net->layers[number];
    cuda_plans *plans = &layer->plans[groups - 1];
    orr_plan_shape shape = shape_of(layer, groups * net->batch);
    int reversed = layer->kind == CUDA_CONVOLUTION && layer->is.transposed;
    if (layer->kind == CUDA_DOT) return ORR_OK;
    orr_status status = build(net, reversed ? ORR_PLAN_BACKWARD_DATA : ORR_PLAN_FORWARD, &shape,
                              &plans->forward, error);
    if (status == ORR_OK && use->backward && (number > 0 || (use->input_gradient && groups == 1)))
        status = build(net, reversed ? ORR_PLAN_FORWARD : ORR_PLAN_BACKWARD_DATA, &shape,
                       &plans->data, error);
    if (status == ORR_OK && use->backward)
        status = build(net, ORR_PLAN_BACKWARD_FILTER, &shape, &plans->filter, error);
    return status;
}

orr_status cuda_net_open(cuda_net *net, const cuda_context *context, const orr_gan_network *network,
                         const orr_gan_options *options, const cuda_net_use *use,
                         orr_error *error) {
    static const orr_plan_math maths[] = {ORR_PLAN_FLOAT32, ORR_PLAN_TF32, ORR_PLAN_BF16};
    orr_status status = ORR_OK;
    memset(net, 0, sizeof *net);
    net->context = context;
    net->batch = options->batch;
    net->groups = use->groups;
    net->math = maths[options->precision];
    net->type = options->precision == ORR_GAN_BF16 ? ORR_CUDA_BF16 : ORR_CUDA_FLOAT;
    net->element = net->type == ORR_CUDA_BF16 ? 2 : 4;
    fill_table(net, network);
    for (uint32_t i = 0; i < net->layer_count && status == ORR_OK; i++)
        for (uint32_t groups = 1; groups <= use->groups && status == ORR_OK; groups++)
            status = build_layer(net, i, groups, use, error);
    return status;
}

void cuda_net_close(cuda_net *net) {
    for (uint32_t i = 0; i < net->layer_count; i++)
        for (int n = 0; n < 2; n++) {
            orr_plan_free(net->layers[i].plans[n].forward);
            orr_plan_free(net->layers[i].plans[n].data);
            orr_plan_free(net->layers[i].plans[n].filter);
        }
    memset(net, 0, sizeof *net);
}

// ---- memory -------------------------------------------------------------------------------------

static uint32_t rows_of(const cuda_net *net, const cuda_layer *layer) {
    return net->batch * layer->is.out_size * layer->is.out_size; // of one group
}

static void layout_layer(cuda_net *net, cuda_layer *layer, int backward, cuda_memory *memory) {
    size_t elements = (size_t)net->groups * rows_of(net, layer) * layer->out;
    float **const coefficients[] = {&layer->mean,  &layer->inverse,       &layer->scale,
                                    &layer->shift, &layer->mean_gradient, &layer->slope,
                                    &layer->pivot};
    if (layer->kind == CUDA_DOT) {
        layer->convolved = layer->output = cuda_take(memory, elements * sizeof(float));
        return;
    }
    layer->convolved = cuda_take(memory, elements * net->element);
    layer->output = layer->is.batch_norm || layer->is.activation != ORR_GAN_LINEAR
                        ? cuda_take(memory, elements * net->element)
                        : layer->convolved;
    if (backward) layer->gradient = cuda_take(memory, elements * net->element);
    for (size_t n = 0; n < sizeof coefficients / sizeof *coefficients; n++)
        *coefficients[n] = cuda_take(memory, (size_t)net->groups * layer->out * sizeof(float));
}

void cuda_net_layout(cuda_net *net, const cuda_net_use *use, cuda_memory *memory) {
    size_t floats = net->parameter_count * sizeof(float), partial = 0;
    const cuda_layer *first = &net->layers[0];
    size_t input = (size_t)net->groups * net->batch * first->is.in_size * first->is.in_size *
                   first->in * net->element;
    net->parameters = cuda_take(memory, floats);
    net->weights = net->parameters;
    if (net->type == ORR_CUDA_BF16)
        net->weights = cuda_take(memory, net->weight_count * net->element);
    net->running = cuda_take(memory, net->running_count * sizeof(float));
    net->input = cuda_take(memory, input);
    for (uint32_t i = 0; i < net->layer_count; i++) {
        cuda_layer *layer = &net->layers[i];
        layout_layer(net, layer, use->backward, memory);
        for (uint32_t groups = 1; groups <= net->groups; groups++) {
            size_t pieces = (size_t)groups *
                            orr_cuda_chunks(groups, rows_of(net, layer), layer->out) * 2 *
                            layer->out;
            if (layer->is.batch_norm && pieces > partial) partial = pieces;
        }
    }
    net->partial = cuda_take(memory, partial * sizeof(float));
    net->workspace = cuda_take(memory, net->workspace_bytes);
    if (use->backward) {
        net->gradient = cuda_take(memory, floats);
        net->weight_gradient = net->gradient;
        if (net->type == ORR_CUDA_BF16)
            net->weight_gradient = cuda_take(memory, net->weight_count * net->element);
        net->side_workspace = cuda_take(memory, net->side_workspace_bytes);
        if (use->input_gradient) net->input_gradient = cuda_take(memory, input / net->groups);
    }
    if (use->moments) {
        net->moment1 = cuda_take(memory, floats);
        net->moment2 = cuda_take(memory, floats);
    }
}

// ---- passes -------------------------------------------------------------------------------------

static void *weight_of(const cuda_net *net, const cuda_layer *layer) {
    return (uint8_t *)net->weights + layer->weight * net->element;
}

static orr_cuda_norm norm_of(const cuda_net *net, const cuda_layer *layer, uint32_t groups,
                             orr_gan_mode mode) {
    orr_cuda_norm norm = {.x = layer->convolved,
                          .groups = groups,
                          .rows = rows_of(net, layer),
                          .channels = layer->is.out_channels,
                          .padded = layer->out,
                          .normalised = layer->is.batch_norm != 0,
                          .train = mode == ORR_GAN_TRAIN,
                          .activation = layer->is.activation,
                          .partial = net->partial,
                          .pivot = layer->pivot,
                          .mean = layer->mean,
                          .inverse = layer->inverse,
                          .scale = layer->scale,
                          .shift = layer->shift,
                          .mean_gradient = layer->mean_gradient,
                          .slope = layer->slope,
                          .gamma = net->parameters + layer->gamma,
                          .beta = net->parameters + layer->beta,
                          .running_mean = net->running + layer->mean_at,
                          .running_variance = net->running + layer->variance_at,
                          .momentum = ORR_GAN_NORM_MOMENTUM,
                          .epsilon = ORR_GAN_NORM_EPSILON};
    norm.chunks = orr_cuda_chunks(groups, norm.rows, norm.padded);
    return norm;
}

static orr_cuda_dot dot_of(const cuda_net *net, const cuda_layer *layer, uint32_t groups,
                           const void *input) {
    return (orr_cuda_dot){.x = input,
                          .w = net->parameters + layer->weight,
                          .y = layer->output,
                          .rows = groups * net->batch,
                          .length = (uint32_t)layer->weights};
}

static orr_status forward_layer(cuda_net *net, cuda_layer *layer, uint32_t groups,
                                orr_gan_mode mode, void *input, orr_error *error) {
    const cuda_context *context = net->context;
    const cuda_plans *plans = &layer->plans[groups - 1];
    int reversed = layer->kind == CUDA_CONVOLUTION && layer->is.transposed;
    if (layer->kind == CUDA_DOT) {
        orr_cuda_dot dot = dot_of(net, layer, groups, input);
        CUDA_TRY(context, orr_cuda_dot_forward_launch(net->type, &dot, context->stream));
        return ORR_OK;
    }
    orr_status status = orr_plan_run(context->main.engine, plans->forward,
                                     reversed ? layer->convolved : input, weight_of(net, layer),
                                     reversed ? input : layer->convolved, net->workspace, error);
    if (status != ORR_OK || layer->output == layer->convolved) return status;
    orr_cuda_norm norm = norm_of(net, layer, groups, mode);
    norm.y = layer->output;
    if (layer->is.batch_norm)
        CUDA_TRY(context, orr_cuda_statistics_launch(net->type, &norm, context->stream));
    CUDA_TRY(context, orr_cuda_apply_launch(net->type, &norm, context->stream));
    return ORR_OK;
}

orr_status cuda_net_forward(cuda_net *net, uint32_t groups, orr_gan_mode mode, const void *input,
                            orr_error *error) {
    void *x = (void *)input; // plans take all three tensors as writable; they do not write this one
    for (uint32_t i = 0; i < net->layer_count; i++) {
        orr_status status = forward_layer(net, &net->layers[i], groups, mode, x, error);
        if (status != ORR_OK) return status;
        x = net->layers[i].output;
    }
    return ORR_OK;
}

static orr_status backward_dot(cuda_net *net, const cuda_layer *layer, uint32_t groups,
                               const void *input, const void *dy, cuda_wanted wanted, void *dx,
                               orr_error *error) {
    const cuda_context *context = net->context;
    orr_cuda_dot dot = dot_of(net, layer, groups, input);
    dot.dy = dy;
    dot.dx = dx;
    dot.dw = net->gradient + layer->weight;
    if (wanted) {
        CUDA_TRY(context, cuda_fork(context));
        CUDA_TRY(context, orr_cuda_dot_back_filter_launch(net->type, &dot, context->side.stream));
    }
    if (dx) CUDA_TRY(context, orr_cuda_dot_back_data_launch(net->type, &dot, context->stream));
    return ORR_OK;
}

// Adam for parameters [first, first + count) of the net: weights of plans, or none of them.
static orr_status update(cuda_net *net, size_t first, size_t count, orr_error *error) {
    orr_cuda_adam adam = net->adam;
    if (count == 0) return ORR_OK;
    adam.parameters = net->parameters + first;
    adam.moment1 = net->moment1 + first;
    adam.moment2 = net->moment2 + first;
    adam.gradient = net->gradient + first;
    adam.count = (uint32_t)count;
    adam.weights = 0;
    if (first < net->weight_count) {
        adam.weights = adam.count;
        adam.weight_gradient = (uint8_t *)net->weight_gradient + first * net->element;
        adam.copies = (uint8_t *)net->weights + first * net->element;
    }
    CUDA_TRY(net->context, orr_cuda_adam_launch(net->type, &adam, net->context->side.stream));
    return ORR_OK;
}

// From the gradient by the layer's output, which is overwritten, to that by its input.
static orr_status backward_layer(cuda_net *net, const cuda_layer *layer, uint32_t groups,
                                 orr_gan_mode mode, void *input, void *dy, cuda_wanted wanted,
                                 void *dx, orr_error *error) {
    const cuda_context *context = net->context;
    const cuda_plans *plans = &layer->plans[groups - 1];
    int reversed = layer->kind == CUDA_CONVOLUTION && layer->is.transposed;
    orr_status status = ORR_OK;
    if (layer->output != layer->convolved) {
        orr_cuda_norm norm = norm_of(net, layer, groups, mode);
        norm.dy = dy;
        norm.y = dy;
        norm.gamma_gradient = wanted ? net->gradient + layer->gamma : NULL;
        norm.beta_gradient = wanted ? net->gradient + layer->beta : NULL;
        if (layer->is.batch_norm)
            CUDA_TRY(context, orr_cuda_back_statistics_launch(net->type, &norm, context->stream));
        CUDA_TRY(context, orr_cuda_back_apply_launch(net->type, &norm, context->stream));
    }
    if (wanted) {
        CUDA_TRY(context, cuda_fork(context));
        // The layer behind has given its gradient by now: its weights are free.
        if (wanted == CUDA_UPDATE && layer + 1 < net->layers + net->layer_count &&
            layer[1].kind != CUDA_DOT)
            status = update(net, layer[1].weight, layer[1].weights, error);
        if (status != ORR_OK) return status;
        status = orr_plan_run(context->side.engine, plans->filter, reversed ? dy : input,
                              (uint8_t *)net->weight_gradient + layer->weight * net->element,
                              reversed ? input : dy, net->side_workspace, error);
    }
    if (status == ORR_OK && dx)
        status = orr_plan_run(context->main.engine, plans->data, reversed ? dy : dx,
                              weight_of(net, layer), reversed ? dx : dy, net->workspace, error);
    return status;
}

orr_status cuda_net_backward(cuda_net *net, uint32_t groups, orr_gan_mode mode, const void *input,
                             void *dy, cuda_wanted wanted, void **dx, orr_error *error) {
    for (uint32_t i = net->layer_count; i-- > 0;) {
        cuda_layer *layer = &net->layers[i];
        void *x = i > 0 ? net->layers[i - 1].output : (void *)input;
        void *next = i > 0 ? net->layers[i - 1].gradient : dx ? net->input_gradient : NULL;
        orr_status status =
            layer->kind == CUDA_DOT
                ? backward_dot(net, layer, groups, x, dy, wanted, next, error)
                : backward_layer(net, layer, groups, mode, x, dy, wanted, next, error);
        if (status != ORR_OK) return status;
        dy = next;
    }
    if (dx) *dx = dy;
    if (!wanted) return ORR_OK;
    if (wanted == CUDA_UPDATE) {
        size_t first = net->layers[0].kind == CUDA_DOT ? 0 : net->layers[0].weights;
        CUDA_TRY(net->context, cuda_fork(net->context));
        orr_status status = update(net, 0, first, error);
        if (status == ORR_OK)
            status =
                update(net, net->weight_count, net->parameter_count - net->weight_count, error);
        if (status != ORR_OK) return status;
    }
    CUDA_TRY(net->context, cuda_join(net->context));
    return ORR_OK;
}
