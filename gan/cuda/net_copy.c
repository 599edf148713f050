// Parameters, moments, running statistics and gradients between host arrays in the order of
// gan/network.h and the padded arrays on the device.
#include <stdlib.h>
#include <string.h>

#include "gan/cuda/device_net.h"

// Calls visit for every number of a network's parameters: `plain` is its place in the host array,
// `padded` on the device. A weight's first index is the input of a transposed convolution and the
// output of the others; on the device channels-last, or rows of a matrix product.
typedef void (*visitor)(void *context, size_t plain, size_t padded);

static void visit_weight(const cuda_layer *layer, visitor visit, void *context) {
    const orr_gan_layer *is = &layer->is;
    uint32_t first_count = is->transposed ? is->in_channels : is->out_channels;
    uint32_t second_count = is->transposed ? is->out_channels : is->in_channels;
    uint32_t second_padded = is->transposed ? layer->out : layer->in;
    uint32_t taps = is->kernel * is->kernel;
    for (size_t a = 0; a < first_count; a++)
        for (size_t b = 0; b < second_count; b++)
            for (size_t t = 0; t < taps; t++) {
                size_t padded = layer->kind == CUDA_MATRIX ? (t * layer->out + b) * layer->in + a
                                                           : (a * taps + t) * second_padded + b;
                visit(context, is->weight + (a * second_count + b) * taps + t,
                      layer->weight + padded);
            }
}

static void visit_parameters(const cuda_net *net, visitor visit, void *context) {
    for (uint32_t i = 0; i < net->layer_count; i++) {
        const cuda_layer *layer = &net->layers[i];
        visit_weight(layer, visit, context);
        for (size_t c = 0; layer->is.batch_norm && c < layer->is.out_channels; c++) {
            visit(context, layer->is.gamma + c, layer->gamma + c);
            visit(context, layer->is.beta + c, layer->beta + c);
        }
    }
}

static void visit_running(const cuda_net *net, visitor visit, void *context) {
    for (uint32_t i = 0; i < net->layer_count; i++) {
        const cuda_layer *layer = &net->layers[i];
        for (size_t c = 0; layer->is.batch_norm && c < layer->is.out_channels; c++) {
            visit(context, layer->is.mean + c, layer->mean_at + c);
            visit(context, layer->is.variance + c, layer->variance_at + c);
        }
    }
}

typedef void (*walk)(const cuda_net *net, visitor visit, void *context);

typedef struct copying {
    const float *from;
    float *to;
} copying;

static void pad_number(void *context, size_t plain, size_t padded) {
    const copying *copy = context;
    copy->to[padded] = copy->from[plain];
}

static void unpad_number(void *context, size_t plain, size_t padded) {
    const copying *copy = context;
    copy->to[plain] = copy->from[padded];
}

// Wiped and freed: weights may be of patients.
static void drop(float *staged, size_t count) {
    if (!staged) return;
    memset(staged, 0, count * sizeof *staged);
    __asm__ volatile("" : : "r"(staged) : "memory"); // keeps the compiler from leaving it out
    free(staged);
}

static orr_status send(const cuda_net *net, walk every, size_t count, const float *from,
                       float *device, orr_error *error) {
    if (!from || count == 0) return ORR_OK;
    copying copy = {from, calloc(count, sizeof(float))};
    if (!copy.to) return orr_fail(error, ORR_INTERNAL, "out of memory for a network's parameters");
    every(net, pad_number, &copy);
    int code = (int)cudaMemcpyAsync(device, copy.to, count * sizeof(float), cudaMemcpyHostToDevice,
                                    net->context->stream);
    code = cuda_wait(net->context, code);
    drop(copy.to, count);
    return cuda_check(net->context, code, "copying to the device", error);
}

static orr_status receive(const cuda_net *net, walk every, size_t count, const float *device,
                          float *to, orr_error *error) {
    if (!to || count == 0) return ORR_OK;
    float *staged = calloc(count, sizeof(float));
    if (!staged) return orr_fail(error, ORR_INTERNAL, "out of memory for a network's parameters");
    int code = (int)cudaMemcpyAsync(staged, device, count * sizeof(float), cudaMemcpyDeviceToHost,
                                    net->context->stream);
    code = cuda_wait(net->context, code);
    copying copy = {staged, to};
    if (code == 0) every(net, unpad_number, &copy);
    drop(staged, count);
    return cuda_check(net->context, code, "copying from the device", error);
}

orr_status cuda_net_upload(cuda_net *net, const float *parameters, const float *running,
                           const float *moment1, const float *moment2, orr_error *error) {
    orr_status status =
        send(net, visit_parameters, net->parameter_count, parameters, net->parameters, error);
    if (status == ORR_OK)
        status = send(net, visit_running, net->running_count, running, net->running, error);
    if (status == ORR_OK && net->moment1)
        status = send(net, visit_parameters, net->parameter_count, moment1, net->moment1, error);
    if (status == ORR_OK && net->moment2)
        status = send(net, visit_parameters, net->parameter_count, moment2, net->moment2, error);
    if (status != ORR_OK || !parameters || net->type != ORR_CUDA_BF16) return status;
    orr_cuda_convert convert = {net->parameters, net->weights,
                                (uint32_t)(net->weight_count / ORR_CUDA_PACK), ORR_CUDA_PACK,
                                ORR_CUDA_PACK};
    CUDA_TRY(net->context, orr_cuda_pad_launch(net->type, &convert, net->context->stream));
    CUDA_TRY(net->context, cudaStreamSynchronize(net->context->stream));
    return ORR_OK;
}

orr_status cuda_net_download(const cuda_net *net, float *parameters, float *running, float *moment1,
                             float *moment2, orr_error *error) {
    orr_status status =
        receive(net, visit_parameters, net->parameter_count, net->parameters, parameters, error);
    if (status == ORR_OK)
        status = receive(net, visit_running, net->running_count, net->running, running, error);
    if (status == ORR_OK && net->moment1)
        status = receive(net, visit_parameters, net->parameter_count, net->moment1, moment1, error);
    if (status == ORR_OK && net->moment2)
        status = receive(net, visit_parameters, net->parameter_count, net->moment2, moment2, error);
    return status;
}

// ---- gradients ----------------------------------------------------------------------------------

typedef struct gradients {
    const float *rest;       // [parameter_count]
    const uint16_t *weights; // bfloat16 [weight_count], or NULL: all in `rest`
    size_t weight_count;
    float *to;
    int accumulate;
} gradients;

static void take_gradient(void *context, size_t plain, size_t padded) {
    const gradients *from = context;
    float value = from->rest[padded];
    if (from->weights && padded < from->weight_count) {
        uint32_t bits = (uint32_t)from->weights[padded] << 16;
        memcpy(&value, &bits, sizeof value);
    }
    from->to[plain] = from->accumulate ? from->to[plain] + value : value;
}

orr_status cuda_net_gradient(const cuda_net *net, float *gradient, int accumulate,
                             orr_error *error) {
    size_t count = net->parameter_count;
    cudaStream_t stream = net->context->stream;
    float *rest = calloc(count, sizeof *rest);
    float *weights = calloc(count, sizeof *weights); // room enough for the bfloat16 ones
    int code = 0;
    orr_status status = ORR_OK;
    if (!rest || !weights) {
        status = orr_fail(error, ORR_INTERNAL, "out of memory for a network's gradients");
    } else {
        code = (int)cudaMemcpyAsync(rest, net->gradient, count * sizeof *rest,
                                    cudaMemcpyDeviceToHost, stream);
        if (code == 0 && net->type == ORR_CUDA_BF16)
            code = (int)cudaMemcpyAsync(weights, net->weight_gradient,
                                        net->weight_count * net->element, cudaMemcpyDeviceToHost,
                                        stream);
        code = cuda_wait(net->context, code);
        status = cuda_check(net->context, code, "copying gradients from the device", error);
    }
    if (status == ORR_OK) {
        gradients from = {rest, net->type == ORR_CUDA_BF16 ? (const uint16_t *)weights : NULL,
                          net->weight_count, gradient, accumulate};
        visit_parameters(net, take_gradient, &from);
    }
    drop(rest, count);
    drop(weights, count);
    return status;
}
