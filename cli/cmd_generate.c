// orrery generate: images of a generator, as one picture or as files.
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/text.h"
#include "cli/generator.h"
#include "cli/stop.h"
#include "gan/npy.h"
#include "gan/philox.h"

#define GAP 2 // white pixels between the images of a grid

typedef struct generation {
    orr_cli *cli;
    orr_generator generator;
    float *latents; // [count][latent]
    uint32_t count, columns;
    int grid; // one picture rather than files
    orr_raster picture;
} generation;

static int ends_with(const char *text, const char *end) {
    size_t a = strlen(text), b = strlen(end);
    return a > b && strcasecmp(text + a - b, end) == 0;
}

static orr_status take_latents(generation *g, orr_error *error) {
    const orr_arguments *a = &g->cli->arguments;
    uint32_t latent = g->generator.weights.shape.latent;
    if (a->generate.latents)
        return orr_npy_latents(a->generate.latents, latent, &g->count, &g->latents, error);
    g->count = a->generate.count ? a->generate.count : 64;
    g->latents = calloc((size_t)g->count * latent, sizeof *g->latents);
    if (!g->latents) return orr_fail(error, ORR_INTERNAL, "memory ran out");
    orr_gan_deviates(a->generate.seed, ORR_STREAM_SAMPLE, 0, (size_t)g->count * latent, g->latents);
    return ORR_OK;
}

static orr_status check_output(generation *g, orr_error *error) {
    const char *output = g->cli->arguments.output;
    uint32_t size = g->generator.weights.shape.image_size;
    g->grid = ends_with(output, ".png");
    if (!g->grid)
        return orr_generator_folder(&g->generator, output, !g->cli->arguments.dry_run, error);
    if (access(output, F_OK) == 0) { // before the work; the writing itself is exclusive
        return orr_fail(error, ORR_EXISTS, "%s: exists already and is not overwritten", output);
    }
    for (g->columns = 1; g->columns * g->columns < g->count;) g->columns++;
    uint32_t rows = (g->count + g->columns - 1) / g->columns;
    orr_status status = orr_raster_new(g->columns * (size + GAP) - GAP, rows * (size + GAP) - GAP,
                                       g->generator.weights.shape.channels, &g->picture, error);
    if (status == ORR_UNSUPPORTED) {
        return orr_fail(error, ORR_UNSUPPORTED,
                        "%u images are too many for one picture; name a directory instead",
                        g->count);
    }
    if (status == ORR_OK) {
        memset(g->picture.pixels, 255,
               (size_t)g->picture.width * g->picture.height * g->picture.channels);
    }
    return status;
}

static void paste(generation *g, uint32_t number, const uint8_t *pixels) {
    uint32_t size = g->generator.weights.shape.image_size, channels = g->picture.channels;
    uint32_t x = number % g->columns * (size + GAP), y = number / g->columns * (size + GAP);
    for (uint32_t row = 0; row < size; row++) {
        memcpy(g->picture.pixels + ((size_t)(y + row) * g->picture.width + x) * channels,
               pixels + (size_t)row * size * channels, (size_t)size * channels);
    }
}

static void report(generation *g, uint32_t number, const uint8_t *pixels) {
    orr_decoy sums;
    if (!g->cli->console.json) return;
    orr_generator_sums(&g->generator, pixels, &sums);
    cJSON *object = orr_json_message("image"), *array;
    cJSON_AddNumberToObject(object, "index", number);
    array = cJSON_AddArrayToObject(object, "channel_sums");
    for (uint32_t c = 0; c < g->generator.weights.shape.channels; c++) {
        cJSON_AddItemToArray(array, cJSON_CreateNumber((double)sums.sum[c]));
    }
    orr_console_json(&g->cli->console, object);
}

static orr_status save(generation *g, uint32_t number, const uint8_t *pixels, orr_error *error) {
    const char *folder = g->cli->arguments.output;
    orr_error failure = {0};
    orr_status status = orr_generator_save(&g->generator, pixels, folder, number, &failure);
    if (status == ORR_OK) return status;
    if (number == 0) return orr_fail(error, status, "%s", failure.text);
    return orr_fail(error, status,
                    "%s; the %u images before it stay: remove them, or name another directory, to "
                    "begin again",
                    failure.text, number);
}

static orr_status make_images(generation *g, orr_error *error) {
    size_t samples = orr_gan_output_floats(&g->generator.weights.network);
    uint32_t latent = g->generator.weights.shape.latent;
    for (uint32_t done = 0; done < g->count; done += g->generator.at_once) {
        if (orr_stop_requested)
            return orr_fail(error, ORR_STOPPED, "stopped by a signal%s",
                            g->grid ? "" : "; the images written so far stay");
        uint32_t some =
            g->count - done < g->generator.at_once ? g->count - done : g->generator.at_once;
        orr_status status =
            orr_generator_run(&g->generator, g->latents + (size_t)done * latent, some, error);
        for (uint32_t i = 0; i < some && status == ORR_OK; i++) {
            const uint8_t *pixels = g->generator.pixels + i * samples;
            if (g->grid) {
                paste(g, done + i, pixels);
            } else {
                status = save(g, done + i, pixels, error);
            }
            if (status == ORR_OK) report(g, done + i, pixels);
        }
        if (status != ORR_OK) return status;
    }
    return g->grid ? orr_png_write(&g->picture, g->cli->arguments.output, error) : ORR_OK;
}

static orr_status run(orr_cli *cli, orr_error *error) {
    const orr_arguments *a = &cli->arguments;
    generation g = {.cli = cli};
    orr_status status = orr_generator_open(cli, a->weights, &g.generator, error);
    if (status == ORR_OK) status = take_latents(&g, error);
    if (status == ORR_OK) status = check_output(&g, error);
    if (status == ORR_OK && !a->dry_run) {
        status = orr_generator_start(&g.generator, a->jobs, error);
        if (status == ORR_OK) status = make_images(&g, error);
    }
    if (status == ORR_OK) {
        orr_console_note(&cli->console, "%s %u image%s of %u x %u pixels %s %s",
                         a->dry_run ? "would make" : "made", g.count, g.count == 1 ? "" : "s",
                         g.generator.weights.shape.image_size, g.generator.weights.shape.image_size,
                         g.grid ? "as" : "in", a->output);
    }
    if (status == ORR_OK && cli->console.json) {
        cli->summary = orr_json_message("summary");
        cJSON_AddNumberToObject(cli->summary, "images", g.count);
        orr_json_add_hex(cli->summary, "generator_sha256", g.generator.sha256,
                         sizeof g.generator.sha256);
    }
    orr_raster_free(&g.picture);
    free(g.latents);
    orr_generator_close(&g.generator);
    return status;
}

static const orr_option output = {.letter = 'o',
                                  .name = "output",
                                  .argument = "OUT",
                                  .help = "grid.png: one picture; else a directory of files",
                                  ORR_TAKES(PATH, output)};
static const orr_option weights = {.name = "weights",
                                   .argument = "FILE",
                                   .help = "the generator, a safetensors file, or skin64",
                                   ORR_TAKES(FILE, weights)};
static const orr_option count = {.letter = 'n',
                                 .name = "count",
                                 .argument = "N",
                                 .help = "how many images, 1 to 65536 [64]",
                                 ORR_TAKES(COUNT, generate.count),
                                 .least = 1,
                                 .most = ORR_KEYRING_MAX_DECOYS};
static const orr_option seed = {.name = "seed",
                                .argument = "N",
                                .help = "of the latent vectors [1]",
                                ORR_TAKES(COUNT, generate.seed),
                                .most = UINT64_MAX};
static const orr_option latents = {.name = "latents",
                                   .argument = "FILE",
                                   .help = "latent vectors from a NumPy file (.npy) instead",
                                   ORR_TAKES(FILE, generate.latents)};

static orr_status check(orr_arguments *a, orr_error *error) {
    if (a->generate.latents && a->generate.count)
        return orr_fail(error, ORR_USAGE, "--latents says how many images; it excludes --count");
    return ORR_OK;
}

const orr_command orr_cmd_generate = {
    .name = "generate",
    .synopsis = "--weights FILE -o OUT [OPTION]...",
    .summary = "make images with a generator",
    .details = "Makes images with a trained generator, as one picture (OUT ends in .png) or as "
               "files in a directory. The same seed and weights give the same images; on "
               "another device a byte may differ by 1 for rounding: name the device where that "
               "matters. A generator can remember its training images: unless you know those, "
               "treat what it makes as patient data.",
    .example = "orrery generate --weights generator.safetensors -n 64 -o grid.png",
    .options = ORR_OPTIONS(&output, &weights, &count, &seed, &latents, &orr_option_device,
                           &orr_option_jobs, &orr_option_dry_run, &orr_option_json,
                           &orr_option_quiet, &orr_option_verbose_devices),
    .required = {&weights, &output},
    .exit_statuses = ORR_EXIT(EXISTS) | ORR_EXIT(IO) | ORR_EXIT(UNSUPPORTED),
    .check = check,
    .run = run,
};
