// Images from a device as bytes, several batches in flight.
#include <string.h>

#include "gan/cuda/gan_cuda.h"

static uint8_t *pinned_input(const cuda_flight *flight, uint32_t place) {
    return flight->pinned + place * (flight->input_bytes + flight->output_bytes);
}

static uint8_t *pinned_output(const cuda_flight *flight, uint32_t place) {
    return pinned_input(flight, place) + flight->input_bytes;
}

static size_t floats_of(uint32_t size, uint32_t channels) {
    return (size_t)size * size * channels;
}

static orr_status open_flight(cuda_flight *flight, cuda_net *net, orr_error *error) {
    const cuda_context *context = net->context;
    const orr_gan_layer *first = &net->layers[0].is, *last = &cuda_net_last(net)->is;
    flight->input_bytes =
        net->batch * floats_of(first->in_size, first->in_channels) * sizeof(float);
    flight->output_bytes = net->batch * floats_of(last->out_size, last->out_channels);
    for (int pass = 0; pass < 2; pass++) {
        for (int n = 0; n < CUDA_IN_FLIGHT; n++)
            flight->made[n] = cuda_take(&flight->memory, flight->output_bytes);
        if (pass == 1) break;
        orr_status status =
            cuda_memory_open(context, &flight->memory, "images on their way back", error);
        if (status != ORR_OK) return status;
    }
    CUDA_TRY(context, cudaHostAlloc((void **)&flight->pinned,
                                    CUDA_IN_FLIGHT * (flight->input_bytes + flight->output_bytes),
                                    cudaHostAllocDefault));
    for (int n = 0; n < CUDA_IN_FLIGHT; n++) {
        CUDA_TRY(context, cudaEventCreateWithFlags(&flight->computed[n], cudaEventDisableTiming));
        CUDA_TRY(context, cudaEventCreateWithFlags(&flight->back[n], cudaEventDisableTiming));
    }
    CUDA_TRY(context, cudaStreamCreateWithFlags(&flight->copies, cudaStreamNonBlocking));
    return ORR_OK;
}

void cuda_flight_close(const cuda_context *context, cuda_flight *flight) {
    if (flight->copies) {
        (void)cudaStreamSynchronize(flight->copies);
        (void)cudaStreamDestroy(flight->copies);
    }
    cuda_memory_close(context, &flight->memory); // waits for what still reads pinned memory
    if (flight->pinned) {
        memset(flight->pinned, 0, CUDA_IN_FLIGHT * (flight->input_bytes + flight->output_bytes));
        (void)cudaFreeHost(flight->pinned);
    }
    for (int n = 0; n < CUDA_IN_FLIGHT; n++) {
        if (flight->computed[n]) (void)cudaEventDestroy(flight->computed[n]);
        if (flight->back[n]) (void)cudaEventDestroy(flight->back[n]);
    }
    memset(flight, 0, sizeof *flight);
}

// Queues one batch; its place is free, for what was there before has been received. Rows of images
// that are not given keep old values, which no result rests on.
static orr_status send(cuda_flight *flight, cuda_net *net, const cuda_staging *staging,
                       uint32_t place, const float *input, uint32_t count, orr_error *error) {
    const cuda_context *context = net->context;
    const cuda_layer *first = &net->layers[0], *last = cuda_net_last(net);
    orr_cuda_convert in = {staging->input, net->input,
                           net->batch * first->is.in_size * first->is.in_size,
                           first->is.in_channels, first->in};
    orr_cuda_convert out = {last->output, flight->made[place],
                            net->batch * last->is.out_size * last->is.out_size,
                            last->is.out_channels, last->out};
    size_t given = flight->input_bytes / net->batch * count;
    memcpy(pinned_input(flight, place), input, given);
    CUDA_TRY(context, cudaMemcpyAsync(staging->input, pinned_input(flight, place), given,
                                      cudaMemcpyHostToDevice, context->stream));
    CUDA_TRY(context, orr_cuda_pad_launch(net->type, &in, context->stream));
    orr_status status = cuda_net_forward(net, 1, ORR_GAN_EVAL, net->input, error);
    if (status != ORR_OK) return status;
    CUDA_TRY(context, orr_cuda_bytes_launch(net->type, &out, context->stream));
    CUDA_TRY(context, cudaEventRecord(flight->computed[place], context->stream));
    CUDA_TRY(context, cudaStreamWaitEvent(flight->copies, flight->computed[place], 0));
    CUDA_TRY(context, cudaMemcpyAsync(pinned_output(flight, place), flight->made[place],
                                      flight->output_bytes / net->batch * count,
                                      cudaMemcpyDeviceToHost, flight->copies));
    CUDA_TRY(context, cudaEventRecord(flight->back[place], flight->copies));
    return ORR_OK;
}

static orr_status receive(const cuda_flight *flight, const cuda_net *net, uint32_t place,
                          uint8_t *bytes, size_t count, orr_error *error) {
    CUDA_TRY(net->context, cudaEventSynchronize(flight->back[place]));
    memcpy(bytes, pinned_output(flight, place), count);
    return ORR_OK;
}

orr_status cuda_flight_run(cuda_flight *flight, cuda_net *net, const cuda_staging *staging,
                           const float *input, uint32_t count, uint8_t *bytes, orr_error *error) {
    const orr_gan_layer *first = &net->layers[0].is, *last = &cuda_net_last(net)->is;
    size_t in = floats_of(first->in_size, first->in_channels);
    size_t out = floats_of(last->out_size, last->out_channels);
    uint32_t batch = net->batch, batches = (count + batch - 1) / batch;
    orr_status status = ORR_OK;
    if (cuda_net_last(net)->kind == CUDA_DOT)
        return orr_fail(error, ORR_INTERNAL, "bytes of a network that makes no images");
    if (!flight->copies) status = open_flight(flight, net, error);
    if (status != ORR_OK) {
        cuda_flight_close(net->context, flight);
        return status;
    }
    // Batch n is queued before n - CUDA_IN_FLIGHT + 1 is waited for.
    for (uint32_t n = 0; n < batches + CUDA_IN_FLIGHT - 1 && status == ORR_OK; n++) {
        if (n < batches) {
            uint32_t some = n + 1 < batches ? batch : count - n * batch;
            status = send(flight, net, staging, n % CUDA_IN_FLIGHT, input + (size_t)n * batch * in,
                          some, error);
        }
        uint32_t done = n - (CUDA_IN_FLIGHT - 1);
        if (n + 1 >= CUDA_IN_FLIGHT && done < batches && status == ORR_OK) {
            uint32_t some = done + 1 < batches ? batch : count - done * batch;
            status = receive(flight, net, done % CUDA_IN_FLIGHT, bytes + (size_t)done * batch * out,
                             some * out, error);
        }
    }
    if (status != ORR_OK) cuda_flight_close(net->context, flight); // nothing stays under way
    return status;
}
