// The DCGAN on CPUs: convolutions by oneDNN in the layouts it likes best (two directions of the
// large ones by conv4.c, where that is quicker), batch norm with its activation by norm.c in the
// same layouts, so that activations are rearranged only where two neighbours disagree.
#include "gan/gan_backend.h"
#include "gan/onednn/conv4.h"
#include "gan/onednn/norm.h"
#include "gan/onednn/onednn_api.h"

#ifdef _OPENMP
#include <omp.h>
#else // then norm.c has one thread, and oneDNN as many as it likes
#define omp_set_num_threads(n) ((void)(n))
#define omp_get_num_procs() 1
#endif
#include <stdlib.h>
#include <string.h>

// A convolution with its operands in place: reorders lead from and to tensors of other layouts.
typedef struct operation {
    orr_dnnl_convolution convolution;
    dnnl_memory_t small, large, weight;             // operands; some lent by the layer
    dnnl_memory_t own_small, own_large, own_weight; // where the layout differs from the layer's
    dnnl_primitive_t before[2], after;              // reorders
    dnnl_memory_t before_from[2], before_to[2], after_from, after_to;
    int weight_kept; // before[1] has arranged the present weight
} operation;

typedef struct layer {
    const orr_gan_layer *table;
    operation forward, data, weights; // data: gradient by the input; weights: by the weight
    // Tensors of the pass; convolved, output and gradient share a layout.
    dnnl_memory_t input;          // the layer before's output, or the network's
    dnnl_memory_t input_gradient; // the layer before's gradient, or the network's
    dnnl_memory_t convolved, output, gradient;
    dnnl_memory_t weight, weight_gradient; // plain, [a][b][row][column]
    // Where conv4.c computes in oneDNN's place.
    orr_conv4 shape;
    int own_scatter, own_correlate;
    float *packed; // the weight for the scatter
    int packed_kept;
    orr_norm norm;
    float *mean, *inverse; // twice the channels: room for orr_norm_backward
} layer;

typedef struct onednn_net {
    orr_gan_net base;
    orr_dnnl dnnl;
    int threads;
    layer layers[ORR_GAN_MAX_LAYERS];
    dnnl_memory_t host_input, host_output; // NHWC
    dnnl_memory_t input, input_gradient;   // in layer 0's layouts
    dnnl_primitive_t take_input, take_gradient, give_output, give_gradient;
    float *parameters, *running;
    orr_gan_mode mode;
    uint32_t count;
} onednn_net;

// Wiped: images of a decoy pool pass through here. (What oneDNN's own scratch memory, which it
// frees, has seen of a convolution's operands is beyond reach.)
static void free_memory(dnnl_memory_t memory) {
    if (!memory) return;
    memset(orr_dnnl_floats(memory), 0, orr_dnnl_bytes(memory));
    dnnl_memory_destroy(memory);
}

static void free_primitive(dnnl_primitive_t primitive) {
    if (primitive) dnnl_primitive_destroy(primitive);
}

static void close_operation(operation *op) {
    free_memory(op->own_small);
    free_memory(op->own_large);
    free_memory(op->own_weight);
    free_primitive(op->before[0]);
    free_primitive(op->before[1]);
    free_primitive(op->after);
    orr_dnnl_convolution_close(&op->convolution);
}

static void net_close(orr_gan_net *net) {
    onednn_net *self = (onednn_net *)net;
    if (!self) return;
    for (uint32_t i = 0; i < self->base.network.layer_count; i++) {
        layer *l = &self->layers[i];
        close_operation(&l->forward);
        close_operation(&l->data);
        close_operation(&l->weights);
        free_memory(l->convolved);
        if (l->output != l->convolved) free_memory(l->output);
        free_memory(l->gradient);
        free_memory(l->weight);
        free_memory(l->weight_gradient);
        free(l->packed);
        free(l->norm.partial);
        free(l->mean);
        free(l->inverse);
    }
    free_memory(self->host_input);
    free_memory(self->host_output);
    free_memory(self->input);
    free_memory(self->input_gradient);
    free_primitive(self->take_input);
    free_primitive(self->take_gradient);
    free_primitive(self->give_output);
    free_primitive(self->give_gradient);
    orr_dnnl_close(&self->dnnl);
    free(self->parameters);
    free(self->running);
    free(self);
}

// Runs a reorder between two tensors; nothing when there is none to run.
static orr_status move(onednn_net *self, dnnl_primitive_t reorder, dnnl_memory_t from,
                       dnnl_memory_t to, orr_error *error) {
    dnnl_exec_arg_t arguments[2] = {{DNNL_ARG_FROM, from}, {DNNL_ARG_TO, to}};
    if (reorder &&
        dnnl_primitive_execute(reorder, self->dnnl.stream, 2, arguments) != dnnl_success) {
        return orr_fail(error, ORR_INTERNAL, "oneDNN: a reorder failed");
    }
    return ORR_OK;
}

static orr_status execute(onednn_net *self, operation *op, orr_error *error) {
    const orr_dnnl_convolution *c = &op->convolution;
    dnnl_exec_arg_t arguments[3] = {{c->small_argument, op->small},
                                    {c->large_argument, op->large},
                                    {c->weight_argument, op->weight}};
    for (int i = 0; i < 2; i++) {
        if (i == 1 && op->weight_kept) continue;
        orr_status status = move(self, op->before[i], op->before_from[i], op->before_to[i], error);
        if (status != ORR_OK) return status;
    }
    op->weight_kept = c->weight_argument == DNNL_ARG_WEIGHTS;
    if (dnnl_primitive_execute(c->primitive, self->dnnl.stream, 3, arguments) != dnnl_success) {
        return orr_fail(error, ORR_INTERNAL, "oneDNN: a convolution failed");
    }
    return move(self, op->after, op->after_from, op->after_to, error);
}

// The memory an operation uses for a tensor that is at home in `home`: that one, or its own of
// layout `wanted` (*own) with a reorder.
static orr_status adapt(onednn_net *self, dnnl_memory_t home, orr_dnnl_md wanted, int is_result,
                        dnnl_memory_t *own, dnnl_memory_t *used, dnnl_primitive_t *reorder,
                        orr_error *error) {
    orr_dnnl_md layout = orr_dnnl_layout(home);
    orr_status status;
    *used = home;
    if (orr_dnnl_same(layout, wanted)) return ORR_OK;
    status = orr_dnnl_memory(&self->dnnl, wanted, own, error);
    if (status != ORR_OK) return status;
    *used = *own;
    return is_result ? orr_dnnl_reorder(&self->dnnl, wanted, layout, reorder, error)
                     : orr_dnnl_reorder(&self->dnnl, layout, wanted, reorder, error);
}

// Puts the three tensors of an operation in place; the direction says which of them it computes.
static orr_status attach(onednn_net *self, operation *op, orr_dnnl_direction direction,
                         dnnl_memory_t small, dnnl_memory_t large, dnnl_memory_t weight,
                         orr_error *error) {
    dnnl_memory_t homes[3] = {small, large, weight};
    dnnl_memory_t *owns[3] = {&op->own_small, &op->own_large, &op->own_weight};
    dnnl_memory_t *used[3] = {&op->small, &op->large, &op->weight};
    orr_dnnl_md wanted[3] = {op->convolution.small, op->convolution.large, op->convolution.weight};
    int result = direction == ORR_DNNL_GATHER ? 0 : direction == ORR_DNNL_SCATTER ? 1 : 2;
    int slot = 0;
    for (int i = 0; i < 3; i++) {
        dnnl_primitive_t reorder = NULL;
        orr_status status =
            adapt(self, homes[i], wanted[i], i == result, owns[i], used[i], &reorder, error);
        if (status != ORR_OK) return status;
        if (i == result) {
            op->after = reorder;
            op->after_from = *used[i];
            op->after_to = homes[i];
        } else {
            op->before[slot] = reorder;
            op->before_from[slot] = homes[i];
            op->before_to[slot] = *used[i];
            slot++;
        }
    }
    return ORR_OK;
}

// How many lanes a tensor's layout puts side by side; 0 when it is none that norm.c reads.
static size_t lanes_of(orr_dnnl_md md, const uint32_t dims[4]) {
    if (dims[1] % 16 == 0 && orr_dnnl_has_tag(md, dims, dnnl_aBcd16b)) return 16;
    if (dims[1] % 8 == 0 && orr_dnnl_has_tag(md, dims, dnnl_aBcd8b)) return 8;
    if (orr_dnnl_has_tag(md, dims, dnnl_acdb)) return dims[1];
    return 0;
}

static orr_status open_norm(onednn_net *self, layer *l, size_t lanes, orr_error *error) {
    const orr_gan_layer *t = l->table;
    orr_norm_layout layout = {self->base.batch, t->out_channels, (size_t)t->out_size * t->out_size,
                              lanes};
    l->mean = calloc(2 * (size_t)t->out_channels, sizeof *l->mean);
    l->inverse = calloc(2 * (size_t)t->out_channels, sizeof *l->inverse);
    l->norm = (orr_norm){.kernels = orr_norm_best(),
                         .layout = layout,
                         .activation = t->activation,
                         .gamma = self->parameters + t->gamma,
                         .beta = self->parameters + t->beta,
                         .running_mean = self->running + t->mean,
                         .running_variance = self->running + t->variance,
                         .mean = l->mean,
                         .inverse = l->inverse,
                         .partial = calloc(orr_norm_partial(&layout), sizeof(double))};
    if (!l->mean || !l->inverse || !l->norm.partial) {
        return orr_fail(error, ORR_INTERNAL, "out of memory for batch norm");
    }
    return ORR_OK;
}

static orr_dnnl_geometry geometry_of(const orr_gan_layer *t, uint32_t batch) {
    return (orr_dnnl_geometry){.images = batch,
                               .a = t->transposed ? t->in_channels : t->out_channels,
                               .b = t->transposed ? t->out_channels : t->in_channels,
                               .small_size = t->transposed ? t->in_size : t->out_size,
                               .large_size = t->transposed ? t->out_size : t->in_size,
                               .kernel = t->kernel,
                               .stride = t->stride,
                               .padding = t->padding};
}

// The layer's tensors, in the layout that its convolution gives if norm.c reads that one, else
// NHWC.
static orr_status open_tensors(onednn_net *self, layer *l, orr_dnnl_md given, orr_error *error) {
    const orr_gan_layer *t = l->table;
    const uint32_t dims[4] = {self->base.batch, t->out_channels, t->out_size, t->out_size};
    size_t lanes = lanes_of(given, dims);
    // An activation alone works in any layout without padding.
    int keep = lanes != 0 || (!t->batch_norm && orr_dnnl_has_tag(given, dims, dnnl_abcd));
    orr_status status =
        keep ? orr_dnnl_memory(&self->dnnl, given, &l->convolved, error)
             : orr_dnnl_tagged_memory(&self->dnnl, dims, dnnl_acdb, &l->convolved, error);
    if (status != ORR_OK) return status;
    given = orr_dnnl_layout(l->convolved);
    if (t->batch_norm) {
        status = orr_dnnl_memory(&self->dnnl, given, &l->output, error);
        if (status == ORR_OK) status = open_norm(self, l, lanes ? lanes : t->out_channels, error);
        if (status != ORR_OK) return status;
    } else {
        l->output = l->convolved; // in place: the activation's gradient follows from its value
    }
    return orr_dnnl_memory(&self->dnnl, given, &l->gradient, error);
}

static orr_status open_layer(onednn_net *self, uint32_t i, orr_error *error) {
    layer *l = &self->layers[i];
    const orr_gan_layer *t = &self->base.network.layers[i];
    orr_dnnl_geometry g = geometry_of(t, self->base.batch);
    orr_dnnl_direction forward = t->transposed ? ORR_DNNL_SCATTER : ORR_DNNL_GATHER;
    orr_dnnl_direction data = t->transposed ? ORR_DNNL_GATHER : ORR_DNNL_SCATTER;
    const uint32_t weight_dims[4] = {g.a, g.b, g.kernel, g.kernel};
    orr_status status =
        orr_dnnl_convolution_open(&self->dnnl, &g, forward, &l->forward.convolution, error);
    l->table = t;
    if (status == ORR_OK) {
        status = orr_dnnl_convolution_open(&self->dnnl, &g, data, &l->data.convolution, error);
    }
    if (status == ORR_OK) {
        status = orr_dnnl_convolution_open(&self->dnnl, &g, ORR_DNNL_CORRELATE,
                                           &l->weights.convolution, error);
    }
    if (status == ORR_OK) {
        const orr_dnnl_convolution *c = &l->forward.convolution;
        status = open_tensors(self, l, t->transposed ? c->large : c->small, error);
    }
    if (status == ORR_OK) {
        status = orr_dnnl_tagged_memory(&self->dnnl, weight_dims, dnnl_abcd, &l->weight, error);
    }
    if (status == ORR_OK) {
        status =
            orr_dnnl_tagged_memory(&self->dnnl, weight_dims, dnnl_abcd, &l->weight_gradient, error);
    }
    if (status == ORR_OK && i == 0) { // the network's ends in layer 0's own layouts
        const orr_dnnl_convolution *f = &l->forward.convolution, *d = &l->data.convolution;
        status =
            orr_dnnl_memory(&self->dnnl, t->transposed ? f->small : f->large, &self->input, error);
        if (status == ORR_OK) {
            status = orr_dnnl_memory(&self->dnnl, t->transposed ? d->small : d->large,
                                     &self->input_gradient, error);
        }
    }
    return status;
}

static int lies_as(dnnl_memory_t memory, size_t images, size_t channels, size_t size,
                   dnnl_format_tag_t tag) {
    const uint32_t dims[4] = {(uint32_t)images, (uint32_t)channels, (uint32_t)size, (uint32_t)size};
    return orr_dnnl_has_tag(orr_dnnl_layout(memory), dims, tag);
}

// Takes over where oneDNN keeps blocks of 8 channels, as it does on AVX2. On AVX-512 its blocks are
// of 16, and there it does better.
static orr_status open_conv4(onednn_net *self, layer *l, orr_error *error) {
    const orr_gan_layer *t = l->table;
    orr_dnnl_geometry g = geometry_of(t, self->base.batch);
    orr_conv4 s = {g.images, g.a, g.b, g.small_size};
    // What a scatter reads and writes, and a correlation reads.
    dnnl_memory_t from = t->transposed ? l->input : l->gradient;
    dnnl_memory_t to = t->transposed ? l->convolved : l->input_gradient;
    dnnl_memory_t large = t->transposed ? l->gradient : l->input;
    size_t bytes = orr_gan_weight_count(t) * sizeof(float);
    if (g.kernel != 4 || g.stride != 2 || g.padding != 1 || !orr_conv4_available() ||
        !lies_as(from, s.images, s.a, s.size, dnnl_aBcd8b)) {
        return ORR_OK;
    }
    l->shape = s;
    l->own_scatter =
        (orr_conv4_fits(&s) && lies_as(to, s.images, s.b, 2 * s.size, dnnl_aBcd8b)) ||
        (orr_conv4_fits_narrow(&s) && lies_as(to, s.images, s.b, 2 * s.size, dnnl_abcd));
    l->own_correlate = orr_conv4_fits(&s) && lies_as(large, s.images, s.b, 2 * s.size, dnnl_aBcd8b);
    if (!l->own_scatter) return ORR_OK;
    l->packed = aligned_alloc(64, (bytes + 63) / 64 * 64);
    return l->packed ? ORR_OK : orr_fail(error, ORR_INTERNAL, "out of memory for weights");
}

// Transposed convolution by conv4.c: forward of the generator, backward of the discriminator.
static void scatter(layer *l, dnnl_memory_t small, dnnl_memory_t large) {
    if (!l->packed_kept) orr_conv4_pack(&l->shape, orr_dnnl_floats(l->weight), l->packed);
    l->packed_kept = 1;
    orr_conv4_scatter(&l->shape, orr_dnnl_floats(small), l->packed, orr_dnnl_floats(large));
}

static orr_status attach_layer(onednn_net *self, uint32_t i, orr_error *error) {
    layer *l = &self->layers[i];
    int t = l->table->transposed;
    orr_status status;
    l->input = i ? l[-1].output : self->input;
    l->input_gradient = i ? l[-1].gradient : self->input_gradient;
    status = open_conv4(self, l, error);
    if (status != ORR_OK) return status;
    status = attach(self, &l->forward, t ? ORR_DNNL_SCATTER : ORR_DNNL_GATHER,
                    t ? l->input : l->convolved, t ? l->convolved : l->input, l->weight, error);
    if (status == ORR_OK) {
        status = attach(self, &l->data, t ? ORR_DNNL_GATHER : ORR_DNNL_SCATTER,
                        t ? l->input_gradient : l->gradient, t ? l->gradient : l->input_gradient,
                        l->weight, error);
    }
    if (status == ORR_OK) {
        status = attach(self, &l->weights, ORR_DNNL_CORRELATE, t ? l->input : l->gradient,
                        t ? l->gradient : l->input, l->weight_gradient, error);
    }
    return status;
}

static orr_status open_ends(onednn_net *self, orr_error *error) {
    const orr_gan_layer *first = &self->base.network.layers[0];
    const orr_gan_layer *last = &self->base.network.layers[self->base.network.layer_count - 1];
    const uint32_t in[4] = {self->base.batch, first->in_channels, first->in_size, first->in_size};
    const uint32_t out[4] = {self->base.batch, last->out_channels, last->out_size, last->out_size};
    layer *end = &self->layers[self->base.network.layer_count - 1];
    orr_dnnl *d = &self->dnnl;
    orr_status status = orr_dnnl_tagged_memory(d, in, dnnl_acdb, &self->host_input, error);
    if (status == ORR_OK)
        status = orr_dnnl_tagged_memory(d, out, dnnl_acdb, &self->host_output, error);
    if (status != ORR_OK) return status;
    orr_dnnl_md host_in = orr_dnnl_layout(self->host_input),
                host_out = orr_dnnl_layout(self->host_output);
    status = orr_dnnl_reorder(d, host_in, orr_dnnl_layout(self->input), &self->take_input, error);
    if (status == ORR_OK) {
        status =
            orr_dnnl_reorder(d, orr_dnnl_layout(end->output), host_out, &self->give_output, error);
    }
    if (status == ORR_OK) {
        status = orr_dnnl_reorder(d, host_out, orr_dnnl_layout(end->gradient), &self->take_gradient,
                                  error);
    }
    if (status == ORR_OK) {
        status = orr_dnnl_reorder(d, orr_dnnl_layout(self->input_gradient), host_in,
                                  &self->give_gradient, error);
    }
    return status;
}

static orr_status net_open(const orr_gan_backend *backend, const orr_gan_network *network,
                           const orr_gan_options *options, orr_gan_net **net, orr_error *error) {
    onednn_net *self;
    orr_status status = orr_gan_options_check(options, error);
    if (status != ORR_OK) return status;
    if (options->precision != ORR_GAN_FLOAT32) {
        return orr_fail(error, ORR_UNSUPPORTED,
                        "the CPU computes in float32 only; leave the precision out");
    }
    self = calloc(1, sizeof *self);
    if (!self) return orr_fail(error, ORR_INTERNAL, "out of memory for a network");
    self->base = (orr_gan_net){.backend = backend, .network = *network, .batch = options->batch};
    self->threads = options->threads ? (int)options->threads : omp_get_num_procs();
    omp_set_num_threads(self->threads);
    self->parameters = calloc(network->parameter_count, sizeof *self->parameters);
    self->running = calloc(network->running_count + 1, sizeof *self->running);
    status = self->parameters && self->running
                 ? orr_dnnl_open(&self->dnnl, error)
                 : orr_fail(error, ORR_INTERNAL, "out of memory for a network's parameters");
    for (uint32_t i = 0; i < network->layer_count && status == ORR_OK; i++) {
        status = open_layer(self, i, error);
    }
    for (uint32_t i = 0; i < network->layer_count && status == ORR_OK; i++) {
        status = attach_layer(self, i, error);
    }
    if (status == ORR_OK) status = open_ends(self, error);
    if (status == ORR_OK) {
        *net = &self->base;
        self = NULL;
    }
    net_close(self ? &self->base : NULL);
    return status;
}

static orr_status net_set(orr_gan_net *net, const float *parameters, const float *running,
                          orr_error *error) {
    onednn_net *self = (onednn_net *)net;
    (void)error;
    if (running) memcpy(self->running, running, net->network.running_count * sizeof *running);
    if (!parameters) return ORR_OK;
    memcpy(self->parameters, parameters, net->network.parameter_count * sizeof *parameters);
    for (uint32_t i = 0; i < net->network.layer_count; i++) {
        layer *l = &self->layers[i];
        memcpy(orr_dnnl_floats(l->weight), parameters + l->table->weight,
               orr_gan_weight_count(l->table) * sizeof *parameters);
        l->packed_kept = l->forward.weight_kept = l->data.weight_kept = 0;
    }
    return ORR_OK;
}

static orr_status net_get(orr_gan_net *net, float *parameters, float *running, orr_error *error) {
    const onednn_net *self = (const onednn_net *)net;
    (void)error;
    if (parameters) {
        memcpy(parameters, self->parameters, net->network.parameter_count * sizeof *parameters);
    }
    if (running) memcpy(running, self->running, net->network.running_count * sizeof *running);
    return ORR_OK;
}

// `count` images of a batch into memory for all of them; the rest is zero.
static void take(dnnl_memory_t memory, const float *from, size_t floats) {
    float *to = orr_dnnl_floats(memory);
    memcpy(to, from, floats * sizeof *from);
    memset(to + floats, 0, orr_dnnl_bytes(memory) - floats * sizeof *from);
}

static orr_status net_forward(orr_gan_net *net, orr_gan_mode mode, uint32_t count,
                              const float *input, float *output, orr_error *error) {
    onednn_net *self = (onednn_net *)net;
    layer *end = &self->layers[net->network.layer_count - 1];
    orr_status status = orr_gan_count_check(net, mode, count, error);
    if (status != ORR_OK) return status;
    omp_set_num_threads(self->threads);
    self->mode = mode;
    self->count = count;
    take(self->host_input, input, count * orr_gan_input_floats(&net->network));
    status = move(self, self->take_input, self->host_input, self->input, error);
    for (uint32_t i = 0; i < net->network.layer_count && status == ORR_OK; i++) {
        layer *l = &self->layers[i];
        float *x = orr_dnnl_floats(l->convolved), *y = orr_dnnl_floats(l->output);
        if (l->table->transposed && l->own_scatter)
            scatter(l, l->input, l->convolved);
        else
            status = execute(self, &l->forward, error);
        if (status != ORR_OK) break;
        if (l->table->batch_norm) {
            orr_norm_forward(&l->norm, mode, x, y);
        } else {
            orr_activation_forward(l->table->activation, orr_dnnl_bytes(l->output) / sizeof *y, x,
                                   y);
        }
    }
    if (status == ORR_OK)
        status = move(self, self->give_output, end->output, self->host_output, error);
    if (status == ORR_OK) {
        memcpy(output, orr_dnnl_floats(self->host_output),
               count * orr_gan_output_floats(&net->network) * sizeof *output);
    }
    return status;
}

static void give_weight_gradient(const layer *l, float *gradient, int accumulate) {
    const float *from = orr_dnnl_floats(l->weight_gradient);
    size_t weights = orr_gan_weight_count(l->table);
    if (!accumulate) {
        memcpy(gradient, from, weights * sizeof *from);
        return;
    }
    for (size_t i = 0; i < weights; i++) gradient[i] += from[i];
}

static orr_status layer_backward(onednn_net *self, uint32_t i, int want_data,
                                 float *parameter_gradient, int accumulate, orr_error *error) {
    layer *l = &self->layers[i];
    const orr_gan_layer *t = l->table;
    float *gradient = orr_dnnl_floats(l->gradient);
    if (t->batch_norm) {
        orr_norm_backward(&l->norm, self->mode, orr_dnnl_floats(l->convolved), gradient,
                          parameter_gradient ? parameter_gradient + t->gamma : NULL,
                          parameter_gradient ? parameter_gradient + t->beta : NULL, accumulate);
    } else {
        orr_activation_backward(t->activation, orr_dnnl_bytes(l->gradient) / sizeof *gradient,
                                orr_dnnl_floats(l->output), gradient);
    }
    if (parameter_gradient && l->own_correlate) {
        orr_conv4_correlate(&l->shape, t->transposed ? orr_dnnl_floats(l->input) : gradient,
                            t->transposed ? gradient : orr_dnnl_floats(l->input),
                            parameter_gradient + t->weight, accumulate);
    } else if (parameter_gradient) {
        orr_status status = execute(self, &l->weights, error);
        if (status != ORR_OK) return status;
        give_weight_gradient(l, parameter_gradient + t->weight, accumulate);
    }
    if (!want_data) return ORR_OK;
    if (!t->transposed && l->own_scatter) {
        scatter(l, l->gradient, l->input_gradient);
        return ORR_OK;
    }
    return execute(self, &l->data, error);
}

static orr_status net_backward(orr_gan_net *net, const float *output_gradient,
                               float *input_gradient, float *parameter_gradient, int accumulate,
                               orr_error *error) {
    onednn_net *self = (onednn_net *)net;
    layer *end = &self->layers[net->network.layer_count - 1];
    orr_status status;
    if (self->count == 0)
        return orr_fail(error, ORR_INTERNAL, "a backward pass without a forward pass");
    omp_set_num_threads(self->threads);
    take(self->host_output, output_gradient, self->count * orr_gan_output_floats(&net->network));
    status = move(self, self->take_gradient, self->host_output, end->gradient, error);
    for (uint32_t i = net->network.layer_count; i-- > 0 && status == ORR_OK;) {
        status =
            layer_backward(self, i, i > 0 || input_gradient, parameter_gradient, accumulate, error);
    }
    if (status != ORR_OK || !input_gradient) return status;
    status = move(self, self->give_gradient, self->input_gradient, self->host_input, error);
    if (status == ORR_OK) {
        memcpy(input_gradient, orr_dnnl_floats(self->host_input),
               self->count * orr_gan_input_floats(&net->network) * sizeof *input_gradient);
    }
    return status;
}

__attribute__((visibility("default"))) const orr_gan_backend *orr_gan_onednn(void) {
    static const orr_gan_backend backend = {
        .abi = ORR_GAN_ABI,
        .name = "onednn",
        .net_open = net_open,
        .net_close = net_close,
        .net_set = net_set,
        .net_get = net_get,
        .net_forward = net_forward,
        .net_backward = net_backward,
        .trainer_open = orr_gan_host_trainer_open,
        .trainer_close = orr_gan_host_trainer_close,
        .trainer_data = orr_gan_host_trainer_data,
        .trainer_step = orr_gan_host_trainer_step,
        .trainer_statistics = orr_gan_host_trainer_statistics,
        .trainer_sample = orr_gan_host_trainer_sample,
        .trainer_state = orr_gan_host_trainer_state,
    };
    return &backend;
}
