// The sliced Wasserstein distance between generators and a data set, measured exactly as a snapshot
// of `orrery train` does, whoever trained them: for bench/peers-swd.
//
//   swd --data FOLDER [--image N] [--channels N] [--seed N] [--bytes FILE] [WEIGHTS.safetensors]...
//
// One JSON object a line: first the data set with the distance of its own halves, then each
// generator. --bytes writes the data set as training sees it, [count][size][size][channels]. The
// exit status is that of the first error.
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cjson/cJSON.h>

#include "gan/gan_device.h"
#include "gan/philox.h"
#include "gan/weights.h"
#include "training/quality.h"

#define BATCH 64 // images at a time

typedef struct arguments {
    const char *folder, *bytes;
    uint32_t size, channels;
    uint64_t seed;
    char **weights;
    int weight_count;
} arguments;

static int parse(int argc, char **argv, arguments *a) {
    static const struct option table[] = {
        {"data", required_argument, NULL, 'd'},     {"image", required_argument, NULL, 'i'},
        {"channels", required_argument, NULL, 'c'}, {"seed", required_argument, NULL, 's'},
        {"bytes", required_argument, NULL, 'b'},    {NULL, 0, NULL, 0}};
    *a = (arguments){.size = 64, .channels = 3, .seed = 1};
    for (int c; (c = getopt_long(argc, argv, "", table, NULL)) != -1;) {
        if (c == 'd')
            a->folder = optarg;
        else if (c == 'b')
            a->bytes = optarg;
        else if (c == 'i')
            a->size = (uint32_t)strtoul(optarg, NULL, 10);
        else if (c == 'c')
            a->channels = (uint32_t)strtoul(optarg, NULL, 10);
        else if (c == 's')
            a->seed = strtoull(optarg, NULL, 10);
        else
            return 0;
    }
    a->weights = argv + optind;
    a->weight_count = argc - optind;
    return a->folder != NULL;
}

static void note_skipped(void *context, const char *path, const char *reason) {
    (void)context;
    fprintf(stderr, "swd: %s: left out: %s\n", path, reason);
}

static orr_status write_bytes(const char *path, const orr_dataset *set, orr_error *error) {
    FILE *out = fopen(path, "wbe");
    if (!out) return orr_fail(error, ORR_IO, "%s: %s", path, strerror(errno));
    size_t images = fwrite(set->images, orr_dataset_image_bytes(set), set->count, out);
    if (fclose(out) || images != set->count)
        return orr_fail(error, ORR_IO, "%s: cannot write it: %s", path, strerror(errno));
    return ORR_OK;
}

static void print_line(cJSON *object, const orr_swd *swd) {
    cJSON *levels = cJSON_AddObjectToObject(object, "levels");
    for (uint32_t n = 0; n < swd->levels; n++) {
        char size[12];
        snprintf(size, sizeof size, "%u", swd->size[n]);
        cJSON_AddNumberToObject(levels, size, swd->distance[n]);
    }
    char *text = cJSON_PrintUnformatted(object);
    if (text) puts(text);
    cJSON_free(text);
    cJSON_Delete(object);
}

static orr_status measure_data(const arguments *a, const orr_dataset *set, orr_error *error) {
    orr_swd swd;
    orr_status status = orr_swd_of_halves(set, ORR_SWD_IMAGES, a->seed, &swd, error);
    if (status != ORR_OK) return status;
    cJSON *object = cJSON_CreateObject();
    cJSON_AddNumberToObject(object, "images", set->count);
    cJSON_AddStringToObject(object, "data_sha256", set->hash);
    cJSON_AddNumberToObject(object, "swd_of_real_halves", swd.mean);
    print_line(object, &swd);
    return ORR_OK;
}

// `count` images of the generator from the latents of a snapshot, as bytes.
static orr_status generate(const orr_gan_weights *weights, uint64_t seed, uint32_t count,
                           uint8_t *bytes, orr_error *error) {
    const orr_gan_backend *backend = NULL;
    size_t latents = (size_t)count * weights->shape.latent;

    float *z = calloc(latents, sizeof *z);
    orr_gan_options options = orr_gan_default_options();
    orr_gan_net *net = NULL;
    orr_status status = ORR_OK;
    options.batch = BATCH;
    if (!z) {
        status = orr_fail(error, ORR_INTERNAL, "no memory for %u images", count);
        goto end;
    }
    orr_gan_deviates(seed, ORR_STREAM_SAMPLE, 0, latents, z);
    status = orr_gan_device_open("cpu", &options, &backend, NULL, NULL, error);
    if (status == ORR_OK)
        status = backend->net_open(backend, &weights->network, &options, &net, error);
    if (status == ORR_OK)
        status = backend->net_set(net, weights->parameters, weights->running, error);
    if (status == ORR_OK) status = orr_gan_evaluate_bytes(net, z, count, bytes, error);
end:
    if (backend) backend->net_close(net);
    free(z);
    return status;
}

static orr_status measure_weights(const arguments *a, const orr_dataset *set, const char *path,
                                  orr_error *error) {
    uint32_t count = set->count < ORR_SWD_IMAGES ? set->count : ORR_SWD_IMAGES;
    size_t bytes = count * orr_dataset_image_bytes(set);
    uint8_t *real = malloc(bytes), *made = malloc(bytes);
    orr_gan_weights weights = {0};
    orr_swd swd;
    orr_status status =
        real && made ? ORR_OK : orr_fail(error, ORR_INTERNAL, "no memory for %u images", 2 * count);
    if (status == ORR_OK) status = orr_gan_weights_read(path, ORR_GAN_GENERATOR, &weights, error);
    if (status == ORR_OK &&
        (weights.shape.image_size != set->size || weights.shape.channels != set->channels))
        status = orr_fail(error, ORR_UNSUPPORTED,
                          "%s: it makes images of %u pixels and %u channels: give --image and "
                          "--channels to match",
                          path, weights.shape.image_size, weights.shape.channels);
    if (status == ORR_OK) status = generate(&weights, a->seed, count, made, error);
    if (status == ORR_OK) {
        orr_dataset_spread(set, count, 0, real, NULL);
        status = orr_swd_measure(real, made, count, set->size, set->channels, a->seed, &swd, error);
    }
    if (status == ORR_OK) {
        cJSON *object = cJSON_CreateObject();
        cJSON_AddStringToObject(object, "weights", path);
        cJSON_AddNumberToObject(object, "compared", count);
        cJSON_AddNumberToObject(object, "swd", swd.mean);
        print_line(object, &swd);
    }
    orr_gan_weights_free(&weights);
    free(real);
    free(made);
    return status;
}

int main(int argc, char **argv) {
    arguments a;
    orr_error error = {0};
    orr_dataset set = {0};
    if (!parse(argc, argv, &a)) {
        fprintf(stderr, "usage: swd --data FOLDER [--image N] [--channels N] [--seed N] [--bytes "
                        "FILE] [WEIGHTS.safetensors]...\n");
        return (int)ORR_USAGE;
    }
    orr_dataset_options from = {.folders = (const char *const *)&a.folder,
                                .folder_count = 1,
                                .size = a.size,
                                .channels = a.channels,
                                .skipped = note_skipped};
    orr_status status = orr_dataset_load(&from, &set, &error);
    if (status == ORR_OK && a.bytes) status = write_bytes(a.bytes, &set, &error);
    if (status == ORR_OK) status = measure_data(&a, &set, &error);
    for (int n = 0; n < a.weight_count && status == ORR_OK; n++)
        status = measure_weights(&a, &set, a.weights[n], &error);
    orr_dataset_free(&set);
    if (status != ORR_OK) fprintf(stderr, "swd: %s\n", error.text);
    return (int)status;
}
