#include "gan/cuda/staging.h"

void cuda_staging_layout(cuda_staging *staging, const orr_gan_network *network, uint32_t batch,
                         cuda_memory *memory) {
    staging->input = cuda_take(memory, batch * orr_gan_input_floats(network) * sizeof(float));
    staging->output = cuda_take(memory, batch * orr_gan_output_floats(network) * sizeof(float));
}

orr_cuda_convert cuda_input_convert(const cuda_net *net, const cuda_staging *staging) {
    const cuda_layer *first = &net->layers[0];
    return (orr_cuda_convert){staging->input, net->input,
                              net->batch * first->is.in_size * first->is.in_size,
                              first->is.in_channels, first->in};
}

orr_cuda_convert cuda_output_convert(cuda_net *net, const cuda_staging *staging) {
    const cuda_layer *last = cuda_net_last(net);
    return (orr_cuda_convert){last->output, staging->output,
                              net->batch * last->is.out_size * last->is.out_size,
                              last->is.out_channels, last->out};
}

orr_status cuda_stage_in(cuda_net *net, const cuda_staging *staging, const float *input,
                         uint32_t count, orr_error *error) {
    const cuda_context *context = net->context;
    const orr_gan_layer *first = &net->layers[0].is;
    size_t floats = (size_t)count * first->in_size * first->in_size * first->in_channels;
    orr_cuda_convert convert = cuda_input_convert(net, staging);
    int code = (int)cudaMemcpyAsync(staging->input, input, floats * sizeof *input,
                                    cudaMemcpyHostToDevice, context->stream);
    if (code == 0) code = (int)orr_cuda_pad_launch(net->type, &convert, context->stream);
    code = cuda_wait(context, code); // `input` is the caller's again
    return cuda_check(context, code, "copying to the device", error);
}

orr_status cuda_stage_out(cuda_net *net, const cuda_staging *staging, float *output, uint32_t count,
                          orr_error *error) {
    const cuda_context *context = net->context;
    const cuda_layer *last = cuda_net_last(net);
    size_t floats = (size_t)count * last->is.out_size * last->is.out_size * last->is.out_channels;
    orr_cuda_convert convert = cuda_output_convert(net, staging);
    const void *from = staging->output;
    if (last->kind == CUDA_DOT)
        from = last->output; // floats without padding already
    else
        CUDA_TRY(context, orr_cuda_unpad_launch(net->type, &convert, context->stream));
    int code = (int)cudaMemcpyAsync(output, from, floats * sizeof *output, cudaMemcpyDeviceToHost,
                                    context->stream);
    code = cuda_wait(context, code); // `output` is the caller's again
    return cuda_check(context, code, "copying from the device", error);
}
