#include "gan/weights.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *kind(int which) {
    return which == ORR_GAN_GENERATOR ? "generator" : "discriminator";
}

static void add(orr_tensor *tensor, char *name, const char *prefix, uint32_t module,
                const char *what, orr_dtype dtype, const void *data) {
    snprintf(name, ORR_SAFETENSORS_MAX_NAME, "%smain.%u.%s", prefix, module, what);
    *tensor = (orr_tensor){.name = name, .dtype = dtype, .data = data};
}

size_t orr_gan_tensors(const orr_gan_network *network, const char *prefix, orr_dtype dtype,
                       const float *parameters, const float *running, const uint64_t *batches,
                       char names[ORR_GAN_MAX_TENSORS][ORR_SAFETENSORS_MAX_NAME],
                       orr_tensor tensors[ORR_GAN_MAX_TENSORS]) {
    size_t n = 0;
    for (uint32_t i = 0; i < network->layer_count; i++) {
        const orr_gan_layer *layer = &network->layers[i];
        uint32_t norm = layer->module + 1;
        size_t first = n + 1;
        add(&tensors[n], names[n], prefix, layer->module, "weight", dtype,
            parameters + layer->weight);
        tensors[n].rank = 4;
        tensors[n].shape[0] = layer->transposed ? layer->in_channels : layer->out_channels;
        tensors[n].shape[1] = layer->transposed ? layer->out_channels : layer->in_channels;
        tensors[n].shape[2] = tensors[n].shape[3] = layer->kernel;
        n++;
        if (!layer->batch_norm) continue;
        add(&tensors[n], names[n], prefix, norm, "weight", dtype, parameters + layer->gamma);
        n++;
        add(&tensors[n], names[n], prefix, norm, "bias", dtype, parameters + layer->beta);
        n++;
        add(&tensors[n], names[n], prefix, norm, "running_mean", dtype, running + layer->mean);
        n++;
        add(&tensors[n], names[n], prefix, norm, "running_var", dtype, running + layer->variance);
        n++;
        for (size_t k = first; k < n; k++) {
            tensors[k].rank = 1;
            tensors[k].shape[0] = layer->out_channels;
        }
        add(&tensors[n], names[n], prefix, norm, "num_batches_tracked", ORR_DTYPE_I64, batches);
        n++;
    }
    return n;
}

void orr_gan_weights_free(orr_gan_weights *weights) {
    free(weights->parameters);
    free(weights->running);
    memset(weights, 0, sizeof *weights);
}

// Takes the components "module" (DataParallel) and "_orig_mod" (torch.compile) out of a name,
// wherever they stand and however often: PyTorch puts them before the names of whatever it has
// wrapped.
static int unwrap(char *name) {
    static const char *const wrappers[] = {"module.", "_orig_mod."};
    int changed = 0;
    for (char *at = name; at;) {
        size_t length = 0;
        for (size_t i = 0; i < sizeof wrappers / sizeof *wrappers; i++) {
            if (strncmp(at, wrappers[i], strlen(wrappers[i])) == 0) length = strlen(wrappers[i]);
        }
        if (length) {
            memmove(at, at + length, strlen(at + length) + 1);
            changed = 1;
        } else {
            at = strchr(at, '.');
            if (at) at++;
        }
    }
    return changed;
}

static orr_status unwrap_names(orr_safetensors *file, orr_error *error) {
    int changed = 0;
    for (size_t i = 0; i < file->count; i++) changed |= unwrap(file->tensors[i].name);
    for (size_t i = 0; changed && i < file->count; i++) {
        if (orr_safetensors_find(file, file->tensors[i].name) == &file->tensors[i]) continue;
        return orr_fail(error, ORR_UNSUPPORTED,
                        "%s: two tensors are named %s, apart from \"module.\" and \"_orig_mod.\"",
                        file->path, file->tensors[i].name);
    }
    return ORR_OK;
}

// A convolution's weight: a tensor of four dimensions, the last two 4. NULL when there is none of
// that number.
static const orr_tensor_info *find_convolution(const orr_safetensors *file, uint32_t module) {
    char name[ORR_SAFETENSORS_MAX_NAME];
    const orr_tensor_info *tensor;
    snprintf(name, sizeof name, "main.%u.weight", module);
    tensor = orr_safetensors_find(file, name);
    if (!tensor || tensor->rank != 4 || tensor->shape[2] != 4 || tensor->shape[3] != 4) return NULL;
    for (int i = 0; i < 2; i++) {
        if (tensor->shape[i] < 1 || tensor->shape[i] > UINT32_MAX) return NULL;
    }
    return tensor;
}

// The shape that the tensors' sizes imply; the layers in between are compared later.
static orr_status deduce_shape(const orr_safetensors *file, int which, orr_gan_shape *shape,
                               orr_error *error) {
    const orr_tensor_info *first = find_convolution(file, 0), *last = first;
    int has_generator = find_convolution(file, 3) != NULL,
        has_discriminator = find_convolution(file, 2) != NULL;
    uint32_t layers = 1;
    if (!first || has_generator == has_discriminator) {
        return orr_fail(error, ORR_UNSUPPORTED,
                        "%s: not the weights of a DCGAN's %s: no tensors main.0.weight, "
                        "main.%d.weight ... of a chain of 4 x 4 convolutions%s%s",
                        file->path, kind(which), which == ORR_GAN_GENERATOR ? 3 : 2,
                        file->count ? "; there is " : "",
                        file->count ? file->tensors[file->count - 1].name : "");
    }
    if (has_generator != (which == ORR_GAN_GENERATOR)) {
        return orr_fail(error, ORR_UNSUPPORTED, "%s: the weights of a %s, not of a %s", file->path,
                        kind(!which), kind(which));
    }
    for (; layers < ORR_GAN_MAX_LAYERS; layers++) {
        const orr_tensor_info *next =
            find_convolution(file, which == ORR_GAN_GENERATOR ? 3 * layers : 3 * layers - 1);
        if (!next) break;
        last = next;
    }
    *shape = orr_gan_default_shape();
    shape->image_size = 2u << layers;
    if (which == ORR_GAN_GENERATOR) {
        shape->latent = (uint32_t)first->shape[0];
        shape->channels = (uint32_t)last->shape[1];
        shape->width = (uint32_t)last->shape[0];
    } else {
        shape->channels = (uint32_t)first->shape[1];
        shape->width = (uint32_t)first->shape[0];
    }
    orr_error why = {0};
    if (orr_gan_shape_check(shape, &why) != ORR_OK) {
        return orr_fail(error, ORR_UNSUPPORTED, "%s: a %s of %.200s", file->path, kind(which),
                        why.text);
    }
    return ORR_OK;
}

static orr_status read_tensor(const orr_safetensors *file, const orr_tensor *expected,
                              orr_error *error) {
    const orr_tensor_info *found = orr_safetensors_find(file, expected->name);
    int same = found && found->rank == expected->rank;
    uint64_t elements = 1;
    float *values = (float *)expected->data; // into the arrays of the weights being read
    if (!found && expected->dtype == ORR_DTYPE_I64) return ORR_OK; // see orr_gan_weights_read
    if (!found)
        return orr_fail(error, ORR_UNSUPPORTED, "%s: tensor %s is missing", file->path,
                        expected->name);
    for (uint32_t i = 0; same && i < found->rank; i++) {
        same = found->shape[i] == expected->shape[i];
        elements *= expected->shape[i];
    }
    if (!same) {
        return orr_fail(error, ORR_UNSUPPORTED,
                        "%s: tensor %s has another shape than this network's", file->path,
                        expected->name);
    }
    if (expected->dtype == ORR_DTYPE_I64) {
        return orr_safetensors_bytes(file, found, ORR_DTYPE_I64, 1, (void *)expected->data, error);
    }
    orr_status status = orr_safetensors_floats(file, found, elements, values, error);
    for (uint64_t i = 0; i < elements && status == ORR_OK; i++) {
        if (!isfinite(values[i])) {
            status =
                orr_fail(error, ORR_UNSUPPORTED, "%s: tensor %s holds numbers that are not finite",
                         file->path, expected->name);
        }
    }
    return status;
}

#define NAMED 3 // of the tensors that are too many

// Refuses tensors that the network has not, a bias, say, which would be left out in silence.
static orr_status refuse_others(const orr_safetensors *file, int which, const orr_tensor *tensors,
                                size_t count, orr_error *error) {
    char names[NAMED * (ORR_SAFETENSORS_MAX_NAME + 2) + 32] = "";
    size_t others = 0, used = 0;
    for (size_t i = 0; i < file->count; i++) {
        size_t known = 0;
        while (known < count && strcmp(tensors[known].name, file->tensors[i].name) != 0) known++;
        if (known < count || others++ >= NAMED) continue;
        used += (size_t)snprintf(names + used, sizeof names - used, "%s%s", used ? ", " : "",
                                 file->tensors[i].name);
    }
    if (!others) return ORR_OK;
    if (others > NAMED)
        snprintf(names + used, sizeof names - used, " and %zu more", others - NAMED);
    return orr_fail(error, ORR_UNSUPPORTED, "%s: tensors that a %s of this shape has not: %s",
                    file->path, kind(which), names);
}

static orr_status read_all(const orr_safetensors *file, int which, orr_gan_weights *weights,
                           orr_error *error) {
    char(*names)[ORR_SAFETENSORS_MAX_NAME] = calloc(ORR_GAN_MAX_TENSORS, sizeof *names);
    orr_tensor *tensors = calloc(ORR_GAN_MAX_TENSORS, sizeof *tensors);
    orr_status status = ORR_OK;
    size_t count;
    weights->parameters = calloc(weights->network.parameter_count, sizeof(float));
    weights->running = calloc(weights->network.running_count + 1, sizeof(float));
    if (!names || !tensors || !weights->parameters || !weights->running) {
        status = orr_fail(error, ORR_INTERNAL, "out of memory for the weights of %s", file->path);
        goto end;
    }
    count = orr_gan_tensors(&weights->network, "", ORR_DTYPE_F32, weights->parameters,
                            weights->running, &weights->batches, names, tensors);
    for (size_t i = 0; i < count && status == ORR_OK; i++) {
        status = read_tensor(file, &tensors[i], error);
    }
    if (status == ORR_OK) status = refuse_others(file, which, tensors, count, error);
    for (uint32_t i = 0; i < weights->network.layer_count && status == ORR_OK; i++) {
        const orr_gan_layer *layer = &weights->network.layers[i];
        for (uint32_t c = 0; layer->batch_norm && c < layer->out_channels && status == ORR_OK;
             c++) {
            if (weights->running[layer->variance + c] < 0) {
                status = orr_fail(error, ORR_UNSUPPORTED, "%s: a negative variance", file->path);
            }
        }
    }
end:
    free(names);
    free(tensors);
    return status;
}

orr_status orr_gan_weights_read(const char *path, int which, orr_gan_weights *weights,
                                orr_error *error) {
    orr_safetensors file;
    orr_status status;
    memset(weights, 0, sizeof *weights);
    status = orr_safetensors_open(path, &file, error);
    if (status != ORR_OK) return status;
    status = unwrap_names(&file, error);
    if (status == ORR_OK) status = deduce_shape(&file, which, &weights->shape, error);
    if (status == ORR_OK) {
        if (which == ORR_GAN_GENERATOR) {
            orr_gan_generator(&weights->shape, &weights->network);
        } else {
            orr_gan_discriminator(&weights->shape, &weights->network);
        }
        status = read_all(&file, which, weights, error);
    }
    orr_safetensors_close(&file);
    if (status != ORR_OK) orr_gan_weights_free(weights);
    return status;
}

orr_status orr_gan_weights_write(const char *path, const orr_gan_state *state, int which,
                                 orr_dtype dtype, const orr_safetensors_entry *more,
                                 size_t more_count, int replace, orr_error *error) {
    char(*names)[ORR_SAFETENSORS_MAX_NAME] = calloc(ORR_GAN_MAX_TENSORS, sizeof *names);
    orr_tensor *tensors = calloc(ORR_GAN_MAX_TENSORS, sizeof *tensors);
    orr_safetensors_entry *metadata = calloc(6 + more_count, sizeof *metadata);
    const uint32_t numbers[4] = {state->shape.image_size, state->shape.channels,
                                 state->shape.latent, state->shape.width};
    static const char *const keys[4] = {"image_size", "channels", "latent", "width"};
    char texts[4][16];
    orr_status status;
    if (!names || !tensors || !metadata) {
        status = orr_fail(error, ORR_INTERNAL, "out of memory for %s", path);
        goto end;
    }
    size_t count =
        orr_gan_tensors(&state->networks[which], "", dtype, state->state[which].parameters,
                        state->state[which].running, &state->state[which].batches, names, tensors);
    metadata[0] = (orr_safetensors_entry){"format", "pt"};
    metadata[1] = (orr_safetensors_entry){
        "architecture", which == ORR_GAN_GENERATOR ? "dcgan-generator" : "dcgan-discriminator"};
    for (int i = 0; i < 4; i++) {
        snprintf(texts[i], sizeof texts[i], "%u", numbers[i]);
        metadata[2 + i] = (orr_safetensors_entry){keys[i], texts[i]};
    }
    for (size_t i = 0; i < more_count; i++) metadata[6 + i] = more[i];
    status = orr_safetensors_write(path, tensors, count, metadata, 6 + more_count, replace, error);
end:
    free(names);
    free(tensors);
    free(metadata);
    return status;
}
