#include "cli/generator.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/evp.h>

#include "base/directory.h"
#include "base/place.h"
#include "gan/gan_device.h"

#define CPU_BATCH 64  // images at a time: also how long a signal waits
#define GPU_BATCH 256 // and at a time on a GPU, of which several are under way
#define GPU_BATCHES 4

void orr_generator_path(const char *path, char found[PATH_MAX]) {
    static const char *const places[] = {"../models", ORRERY_MODELS}; // of a build tree, installed
    char models[PATH_MAX];
    for (size_t i = 0; access(path, F_OK) != 0 && !strchr(path, '/') && i < 2; i++) {
        int known = orr_place(places[i], models, NULL) == ORR_OK;
        int length = snprintf(found, PATH_MAX, "%s/%s/generator.safetensors", models, path);
        if (known && length < PATH_MAX && access(found, F_OK) == 0) return;
    }
    snprintf(found, PATH_MAX, "%s", path);
}

static orr_status hash_file(const char *path, uint8_t sha256[32], orr_error *error) {
    uint8_t buffer[16384];
    size_t got;
    FILE *in = fopen(path, "rbe");
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    orr_status status = ORR_OK;
    if (!in) {
        status = orr_fail(error, ORR_IO, "%s: %s", path, strerror(errno));
        goto end;
    }
    int fine = context && EVP_DigestInit_ex(context, EVP_sha256(), NULL);
    while (fine && (got = fread(buffer, 1, sizeof buffer, in)) > 0) {
        fine = EVP_DigestUpdate(context, buffer, got);
    }
    if (ferror(in)) {
        status = orr_fail(error, ORR_IO, "%s: reading failed", path);
    } else if (!fine || !EVP_DigestFinal_ex(context, sha256, NULL)) {
        status = orr_fail(error, ORR_INTERNAL, "%s: SHA-256 failed", path);
    }
end:
    EVP_MD_CTX_free(context);
    if (in) fclose(in);
    return status;
}

orr_status orr_generator_open(orr_cli *cli, const char *name, orr_generator *generator,
                              orr_error *error) {
    char path[PATH_MAX];
    memset(generator, 0, sizeof *generator);
    generator->cli = cli;
    generator->options = orr_gan_default_options();
    orr_generator_path(name, path);
    if (!strchr(path, '/') && access(path, F_OK) != 0)
        return orr_fail(error, ORR_IO,
                        "%s: no such file here, and no generator of that name comes with Orrery",
                        path);
    orr_status status = orr_gan_weights_read(path, ORR_GAN_GENERATOR, &generator->weights, error);
    if (status == ORR_OK) status = hash_file(path, generator->sha256, error);
    if (status == ORR_OK)
        status = orr_cli_gan_device(cli, &generator->options, &generator->backend, error);
    if (status != ORR_OK) orr_generator_close(generator);
    return status;
}

static size_t image_samples(const orr_generator *generator) {
    return orr_gan_output_floats(&generator->weights.network);
}

static orr_status open_net(orr_generator *generator, orr_error *error) {
    const orr_gan_backend *backend = generator->backend;
    int on_gpu = orr_gan_device_is_gpu(backend);
    generator->options.batch = on_gpu ? GPU_BATCH : CPU_BATCH;
    if (!generator->at_once) generator->at_once = on_gpu ? GPU_BATCHES * GPU_BATCH : CPU_BATCH;
    orr_status status = backend->net_open(backend, &generator->weights.network, &generator->options,
                                          &generator->net, error);
    if (status != ORR_OK) return status;
    return backend->net_set(generator->net, generator->weights.parameters,
                            generator->weights.running, error);
}

// After a failure of the device, when --device leaves the choice to the program.
static orr_status go_on_with_cpu(orr_generator *generator, const orr_error *failure,
                                 orr_error *error) {
    if (!orr_gan_device_is_gpu(generator->backend) ||
        strcmp(generator->cli->arguments.device, "auto") != 0)
        return orr_fail(error, failure->status, "%s", failure->text);
    orr_console_warn(&generator->cli->console, 1,
                     "%s; the device is not used any more, the CPU goes on", failure->text);
    if (generator->net) generator->backend->net_close(generator->net);
    generator->net = NULL;
    orr_status status =
        orr_gan_device_open("cpu", &generator->options, &generator->backend, NULL, NULL, error);
    return status == ORR_OK ? open_net(generator, error) : status;
}

orr_status orr_generator_start(orr_generator *generator, unsigned threads, orr_error *error) {
    orr_error failure = {0};
    orr_status status = ORR_OK;
    generator->options.threads = threads;
    if (open_net(generator, &failure) != ORR_OK)
        status = go_on_with_cpu(generator, &failure, error);
    if (status != ORR_OK) return status;
    generator->pixels = calloc(generator->at_once, image_samples(generator));
    return generator->pixels ? ORR_OK : orr_fail(error, ORR_INTERNAL, "memory ran out");
}

orr_status orr_generator_run(orr_generator *generator, const float *latents, uint32_t count,
                             orr_error *error) {
    orr_error failure = {0};
    if (orr_gan_evaluate_bytes(generator->net, latents, count, generator->pixels, &failure) ==
        ORR_OK)
        return ORR_OK;
    orr_status status = go_on_with_cpu(generator, &failure, error);
    if (status != ORR_OK) return status;
    return orr_gan_evaluate_bytes(generator->net, latents, count, generator->pixels, error);
}

void orr_generator_sums(const orr_generator *generator, const uint8_t *pixels, orr_decoy *decoy) {
    orr_channel_sums(pixels, image_samples(generator), generator->weights.shape.channels,
                     decoy->sum);
}

static char *image_path(const char *folder, size_t number) {
    char *path;
    return asprintf(&path, "%s/%05zu.png", folder, number) < 0 ? NULL : path;
}

orr_status orr_generator_save(const orr_generator *generator, const uint8_t *pixels,
                              const char *folder, size_t number, orr_error *error) {
    uint32_t size = generator->weights.shape.image_size;
    // The writer only reads; a raster's pixels are not const because others own theirs.
    orr_raster raster = {.width = size,
                         .height = size,
                         .channels = generator->weights.shape.channels,
                         .pixels = (uint8_t *)pixels};
    char *path = image_path(folder, number);
    if (!path) return orr_fail(error, ORR_INTERNAL, "memory ran out");
    orr_status status = orr_png_write(&raster, path, error);
    free(path);
    return status;
}

void orr_generator_unsave(const orr_generator *generator, const char *folder, size_t count) {
    for (size_t i = 0; i < count; i++) {
        char *path = image_path(folder, i);
        if (path) unlink(path);
        free(path);
    }
    if (generator->made_folder) rmdir(folder);
}

void orr_generator_close(orr_generator *generator) {
    if (generator->net) generator->backend->net_close(generator->net);
    if (generator->pixels)
        orr_wipe(generator->pixels, generator->at_once * image_samples(generator));
    free(generator->pixels);
    orr_gan_weights_free(&generator->weights);
    memset(generator, 0, sizeof *generator);
}

orr_status orr_generator_folder(orr_generator *generator, const char *folder, int make,
                                orr_error *error) {
    DIR *directory = opendir(folder);
    if (!directory && errno == ENOENT) {
        if (!make) return ORR_OK;
        generator->made_folder = orr_directory_make(folder, 0700) == 0;
        if (generator->made_folder) return ORR_OK;
        return orr_fail(error, ORR_IO, "%s: %s", folder, strerror(errno));
    }
    if (!directory && errno == ENOTDIR) {
        return orr_fail(error, ORR_EXISTS, "%s: exists already and is no directory", folder);
    }
    if (!directory) return orr_fail(error, ORR_IO, "%s: %s", folder, strerror(errno));
    int entries = 0;
    while (readdir(directory)) entries++;
    closedir(directory);
    if (entries <= 2) return ORR_OK; // . and ..
    return orr_fail(error, ORR_EXISTS, "%s: exists already and is not empty; name a new directory",
                    folder);
}
