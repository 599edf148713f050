// orrery train: a training run on the chosen device, with its progress.
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "base/version.h"
#include "cli/generator.h"
#include "cli/stop.h"
#include "gan/gan_device.h"
#include "training/train.h"

#define SKIPPED_SHOWN 5 // without -v
#define LINE_SECONDS 60 // between lines of progress that are no terminal's
#define JSON_SECONDS 1

typedef struct show {
    orr_cli *cli;
    const char *run;
    uint64_t skipped, flawed;
    double last; // monotonic seconds of the last line
    orr_training_setting setting;
    char data_hash[65];
    orr_training_snapshot snapshot; // the last one
    int snapshots;
    orr_training_outcome outcome; // images 0: the run has not come to its end
} show;

static void on_skipped(void *context, const char *path, const char *reason) {
    show *s = context;
    orr_console *console = &s->cli->console;
    s->skipped++;
    if (console->json) {
        cJSON *object = orr_json_message("skipped");
        orr_json_add_bytes(object, "file", path);
        cJSON_AddStringToObject(object, "reason", reason);
        orr_console_json(console, object);
    } else if (console->verbose || s->skipped <= SKIPPED_SHOWN) {
        orr_console_warn(console, 0, "%s: left out: %s", path, reason);
    }
}

static void on_flawed(void *context, const char *path, const char *flaw) {
    show *s = context;
    orr_console *console = &s->cli->console;
    s->flawed++;
    if (console->json || console->verbose || s->flawed <= SKIPPED_SHOWN)
        orr_console_warn(console, 0, "%s: taken, though %s", path, flaw);
}

static void on_reading(void *context, uint32_t images) {
    show *s = context;
    char text[64];
    if (!s->cli->console.terminal || s->cli->console.json || s->cli->console.quiet) return;
    snprintf(text, sizeof text, "read %u images", images);
    orr_console_bar(&s->cli->console, text);
}

static void on_start(void *context, const orr_training_setting *setting) {
    show *s = context;
    orr_console *console = &s->cli->console;
    s->setting = *setting;
    snprintf(s->data_hash, sizeof s->data_hash, "%s", setting->data_hash);
    if (console->terminal) orr_console_bar(console, NULL);
    if (s->skipped > SKIPPED_SHOWN && !console->verbose && !console->json)
        orr_console_warn(console, 0, "%llu more files were left out; -v names them",
                         (unsigned long long)(s->skipped - SKIPPED_SHOWN));
    if (s->flawed > SKIPPED_SHOWN && !console->verbose && !console->json)
        orr_console_warn(console, 0, "%llu more images were taken like that; -v names them",
                         (unsigned long long)(s->flawed - SKIPPED_SHOWN));
    if (setting->first_step)
        orr_console_note(console, "%u images; goes on after step %llu of %llu", setting->images,
                         (unsigned long long)setting->first_step,
                         (unsigned long long)setting->steps);
    else
        orr_console_note(console, "%u images; %llu step%s for %g epoch%s", setting->images,
                         (unsigned long long)setting->steps, setting->steps == 1 ? "" : "s",
                         setting->epochs, setting->epochs == 1 ? "" : "s");
    if (console->json) {
        cJSON *object = orr_json_message("start");
        cJSON_AddNumberToObject(object, "images", setting->images);
        cJSON_AddNumberToObject(object, "skipped", (double)setting->skipped);
        cJSON_AddStringToObject(object, "data_sha256", setting->data_hash);
        cJSON_AddNumberToObject(object, "steps", (double)setting->steps);
        cJSON_AddNumberToObject(object, "first_step", (double)setting->first_step);
        orr_console_json(console, object);
    }
}

// NaN and infinity are no JSON numbers.
static void add_number(cJSON *object, const char *name, double value) {
    if (value - value == 0)
        cJSON_AddNumberToObject(object, name, value);
    else
        cJSON_AddNullToObject(object, name);
}

static void json_progress(orr_console *console, const orr_training_progress *p) {
    cJSON *object = orr_json_message("status");
    cJSON_AddStringToObject(object, "command", "train");
    cJSON_AddNumberToObject(object, "step", (double)p->step);
    cJSON_AddNumberToObject(object, "steps", (double)p->steps);
    cJSON_AddNumberToObject(object, "epoch", p->epoch);
    add_number(object, "loss_d", p->recent.loss_d);
    add_number(object, "loss_g", p->recent.loss_g);
    add_number(object, "d_real", p->recent.d_real);
    add_number(object, "d_fake_before", p->recent.d_fake_before);
    add_number(object, "d_fake_after", p->recent.d_fake_after);
    add_number(object, "images_per_second", p->images_per_second);
    if (p->remaining >= 0) add_number(object, "seconds_remaining", p->remaining);
    orr_console_json(console, object);
}

static void on_progress(void *context, const orr_training_progress *p) {
    show *s = context;
    orr_console *console = &s->cli->console;
    double time = orr_seconds();
    char text[256], left[24] = "?";
    int bar = console->terminal && !console->json;
    if (!bar && time - s->last < (console->json ? JSON_SECONDS : LINE_SECONDS)) return;
    s->last = time;
    if (console->json) {
        json_progress(console, p);
        return;
    }
    if (p->remaining >= 0) orr_human_time(p->remaining, left);
    snprintf(
        text, sizeof text,
        "epoch %.1f of %g  loss D %.3f G %.3f  D(x) %.2f  D(G(z)) %.2f  %.0f images/s  %s left",
        p->epoch, p->epochs, p->recent.loss_d, p->recent.loss_g, p->recent.d_real,
        p->recent.d_fake_before, p->images_per_second, left);
    if (bar && !console->quiet)
        orr_console_bar(console, text);
    else
        orr_console_note(console, "%s", text);
}

static void on_snapshot(void *context, const orr_training_snapshot *n) {
    show *s = context;
    orr_console *console = &s->cli->console;
    s->snapshot = *n;
    s->snapshots++;
    if (console->json) {
        cJSON *object = orr_json_message("snapshot");
        cJSON_AddNumberToObject(object, "step", (double)n->step);
        cJSON_AddNumberToObject(object, "epoch", n->epoch);
        add_number(object, "swd", n->swd);
        add_number(object, "swd_of_real_halves", n->swd_floor);
        add_number(object, "nearest_least", n->nearest_least);
        add_number(object, "nearest_median", n->nearest_median);
        add_number(object, "nearest_median_of_real", n->nearest_real);
        add_number(object, "diversity", n->diversity);
        add_number(object, "diversity_of_real", n->diversity_real);
        orr_json_add_bytes(object, "grid", n->grid);
        orr_console_json(console, object);
        return;
    }
    orr_console_note(console,
                     "epoch %.1f: SWD %.1f (halves of the data %.1f), nearest training image %.1f "
                     "(real ones %.1f), diversity %.1f (%.1f); %s",
                     n->epoch, n->swd, n->swd_floor, n->nearest_median, n->nearest_real,
                     n->diversity, n->diversity_real, n->grid);
}

static void on_warning(void *context, const char *text) {
    show *s = context;
    orr_console_warn(&s->cli->console, 0, "%s", text);
}

static void on_finished(void *context, const orr_training_outcome *outcome) {
    show *s = context;
    s->outcome = *outcome;
}

// The implementation for --device, and its name for the records.
static orr_status choose_backend(orr_cli *cli, orr_training_options *options, char name[16],
                                 orr_error *error) {
    orr_status status = orr_cli_gan_device(cli, &options->gan, &options->backend, error);
    if (status != ORR_OK) return status;
    snprintf(name, 16, orr_gan_device_is_gpu(options->backend) ? "cuda:%d" : "cpu",
             options->gan.device);
    options->device = name;
    return ORR_OK;
}

static void add_summary(show *s) {
    cJSON *summary = s->cli->summary = orr_json_message("summary");
    cJSON_AddNumberToObject(summary, "images", s->setting.images);
    cJSON_AddNumberToObject(summary, "skipped", (double)s->setting.skipped);
    cJSON_AddStringToObject(summary, "data_sha256", s->data_hash);
    cJSON_AddNumberToObject(summary, "steps", (double)s->setting.steps);
    if (s->snapshots) {
        cJSON_AddNumberToObject(summary, "last_snapshot_step", (double)s->snapshot.step);
        add_number(summary, "swd", s->snapshot.swd);
    }
    if (s->outcome.images) {
        add_number(summary, "diversity", s->outcome.diversity);
        cJSON_AddNumberToObject(summary, "different_images", (double)s->outcome.different);
        cJSON_AddBoolToObject(summary, "useful", s->outcome.useful);
    }
}

static orr_status run(orr_cli *cli, orr_error *error) {
    const orr_arguments *a = &cli->arguments;
    show s = {.cli = cli, .run = a->output};
    char device[16];
    orr_training_options options = a->training;
    orr_training_hooks hooks = {.context = &s,
                                .stop = &orr_stop_requested,
                                .skipped = on_skipped,
                                .flawed = on_flawed,
                                .reading = on_reading,
                                .start = on_start,
                                .progress = on_progress,
                                .snapshot = on_snapshot,
                                .warning = on_warning,
                                .finished = on_finished};
    options.run = a->output;
    options.folders = a->folders;
    options.dry_run = a->dry_run;
    options.version = orr_version();
    orr_status status = choose_backend(cli, &options, device, error);
    if (status != ORR_OK) return status;
    status = orr_train(&options, &hooks, error);
    if (cli->console.terminal) orr_console_bar(&cli->console, NULL);
    if (cli->console.json) add_summary(&s);
    if (status == ORR_OK && a->dry_run)
        orr_console_note(&cli->console, "would train in %s; nothing was written", a->output);
    else if (status == ORR_OK && !s.outcome.useful)
        orr_console_note(
            &cli->console,
            "done, but the generator is of no use, as warned: %s/report.html shows the "
            "run, and can show patients",
            a->output);
    else if (status == ORR_OK)
        orr_console_note(&cli->console,
                         "done: %s/report.html shows the run, %s/generator.safetensors is the "
                         "generator; both can show patients",
                         a->output, a->output);
    return status;
}

// ---- what it takes
static orr_status set_data(orr_arguments *a, const char *value, orr_error *error) {
    if (!*value) return orr_fail(error, ORR_USAGE, "--data must not be empty");
    a->folders[a->training.folder_count++] = value; // room for argc of them
    return ORR_OK;
}

static orr_status set_learning_rate(orr_arguments *a, const char *value, orr_error *error) {
    double rate = 0;
    orr_status status = orr_value_real(value, "--learning-rate", &rate, error);
    if (status == ORR_OK && !((float)rate > 0 && rate <= 1)) // 1e-50 is 0 as a float
        status = orr_fail(error, ORR_USAGE, "--learning-rate takes a number above 0, at most 1");
    a->training.gan.learning_rate = (float)rate;
    return status;
}

static orr_status set_window(orr_arguments *a, const char *value, orr_error *error) {
    int low = 0, high = 0, end = 0;
    if (sscanf(value, "%6d:%6d%n", &low, &high, &end) != 2 || value[end] || low >= high ||
        low < -32768 || high > 65535)
        return orr_fail(error, ORR_USAGE,
                        "--window takes two whole numbers as in -160:240, the lower one first, not "
                        "\"%s\"",
                        value);
    a->training.window = (orr_window){low, high};
    a->training.has_window = 1;
    return ORR_OK;
}

static orr_status set_no_flip(orr_arguments *a, const char *value, orr_error *error) {
    (void)value, (void)error;
    a->training.flip = 0;
    return ORR_OK;
}

static const orr_choice sizes[] = {{.name = "32", .value = 32},
                                   {.name = "64", .value = 64},
                                   {.name = "128", .value = 128},
                                   {.name = NULL}};
static const orr_choice channel_counts[] = {
    {.name = "1", .value = 1}, {.name = "3", .value = 3}, {.name = NULL}};
static const orr_choice precisions[] = {{.name = "float32", .value = ORR_GAN_FLOAT32},
                                        {.name = "tf32", .value = ORR_GAN_TF32},
                                        {.name = "bf16", .value = ORR_GAN_BF16},
                                        {.name = NULL}};

static const orr_option data = {.name = "data",
                                .argument = "DIR...",
                                .help = "folders of PNG, JPEG, TIFF images",
                                ORR_TAKES(DIRECTORY, folders),
                                .set = set_data,
                                .repeats = 1};
static const orr_option output = {.letter = 'o',
                                  .name = "output",
                                  .argument = "RUNDIR",
                                  .help = "directory of the run; never overwritten",
                                  ORR_TAKES(DIRECTORY, output)};
static const orr_option resume = {.name = "resume",
                                  .help = "go on with the run in RUNDIR, if there is one",
                                  ORR_TAKES(NONE, training.resume)};
static const orr_option epochs = {.name = "epochs",
                                  .argument = "N",
                                  .help = "how often each image is seen [100]",
                                  ORR_TAKES(COUNT, training.epochs),
                                  .least = 1,
                                  .most = ORR_TRAINING_MAX_EPOCHS,
                                  .training_given = ORR_TRAINING_GAVE_EPOCHS};
static const orr_option batch = {.name = "batch",
                                 .argument = "N",
                                 .help = "images a step, 1 to 4096 [128]",
                                 ORR_TAKES(COUNT, training.gan.batch),
                                 .least = 1,
                                 .most = ORR_GAN_MAX_BATCH,
                                 .training_given = ORR_TRAINING_GAVE_BATCH};
static const orr_option image = {.name = "image",
                                 .argument = "PIXELS",
                                 .help = "size to train at: 32, 64 or 128 [64]",
                                 ORR_TAKES(CHOICE, training.shape.image_size),
                                 .choices = sizes,
                                 .training_given = ORR_TRAINING_GAVE_SIZE};
static const orr_option channels = {.name = "channels",
                                    .argument = "N",
                                    .help = "1: gray, 3: RGB [3]",
                                    ORR_TAKES(CHOICE, training.shape.channels),
                                    .choices = channel_counts,
                                    .training_given = ORR_TRAINING_GAVE_CHANNELS};
static const orr_option width = {.name = "width",
                                 .argument = "N",
                                 .help = "feature maps, 1 to 256; published: 64 [64]",
                                 ORR_TAKES(COUNT, training.shape.width),
                                 .least = 1,
                                 .most = ORR_GAN_MAX_WIDTH,
                                 .training_given = ORR_TRAINING_GAVE_WIDTH};
static const orr_option latent = {.name = "latent",
                                  .argument = "N",
                                  .help = "numbers an image is made from, 1 to 1024 [100]",
                                  ORR_TAKES(COUNT, training.shape.latent),
                                  .least = 1,
                                  .most = ORR_GAN_MAX_LATENT,
                                  .training_given = ORR_TRAINING_GAVE_LATENT};
static const orr_option learning_rate = {.name = "learning-rate",
                                         .argument = "X",
                                         .help = "of Adam, with beta 0.5 and 0.999 [0.0002]",
                                         ORR_TAKES(TEXT, training.gan.learning_rate),
                                         .set = set_learning_rate,
                                         .training_given = ORR_TRAINING_GAVE_RATE};
static const orr_option no_flip = {.name = "no-flip",
                                   .help = "do not mirror every other image",
                                   ORR_TAKES(NONE, training.flip),
                                   .set = set_no_flip,
                                   .training_given = ORR_TRAINING_GAVE_FLIP};
static const orr_option window = {.name = "window",
                                  .argument = "LOW:HIGH",
                                  .help = "16-bit values that become 0 and 255 [0:65535]",
                                  ORR_TAKES(TEXT, training.window),
                                  .set = set_window,
                                  .training_given = ORR_TRAINING_GAVE_WINDOW};
static const orr_option seed = {.name = "seed",
                                .argument = "N",
                                .help = "of weights, order, latents [1]",
                                ORR_TAKES(COUNT, training.seed),
                                .most = UINT64_MAX,
                                .training_given = ORR_TRAINING_GAVE_SEED};
static const orr_option snapshot_every = {.name = "snapshot-every",
                                          .argument = "N",
                                          .help = "epochs between grids and checkpoints [5]",
                                          ORR_TAKES(COUNT, training.snapshot_every),
                                          .least = 1,
                                          .most = ORR_TRAINING_MAX_EPOCHS,
                                          .training_given = ORR_TRAINING_GAVE_EVERY};
static const orr_option keep = {.name = "keep",
                                .argument = "N",
                                .help = "how many checkpoints stay [3]",
                                ORR_TAKES(COUNT, training.keep),
                                .least = 1,
                                .most = ORR_TRAINING_MAX_KEEP,
                                .training_given = ORR_TRAINING_GAVE_KEEP};
static const orr_option precision = {.name = "precision",
                                     .argument = "NAME",
                                     .help = "float32; on GPUs also tf32, bf16 [float32]",
                                     ORR_TAKES(CHOICE, training.gan.precision),
                                     .choices = precisions,
                                     .training_given = ORR_TRAINING_GAVE_PRECISION};
static const orr_option threads = {.letter = 'j',
                                   .name = "threads",
                                   .argument = "N",
                                   .help = "CPU threads [one a core]",
                                   ORR_TAKES(COUNT, training.gan.threads),
                                   .least = 1,
                                   .most = ORR_CLI_MAX_JOBS};
static const orr_option verbose = {.letter = 'v',
                                   .name = "verbose",
                                   .help = "name files left out, devices passed over",
                                   ORR_TAKES(NONE, verbose)};

static orr_status check(orr_arguments *a, orr_error *error) {
    if (!a->training.folder_count && a->operand_count)
        return orr_fail(error, ORR_USAGE, "train does not take \"%s\"; folders follow --data",
                        a->operands[0]);
    if (!a->training.folder_count && !a->training.resume)
        return orr_fail(error, ORR_USAGE, "train needs --data DIR...: a folder of images");
    // --data A B C: getopt hands over A; B and C are operands.
    for (size_t i = 0; i < a->operand_count; i++)
        a->folders[a->training.folder_count++] = a->operands[i];
    return ORR_OK;
}

const orr_command orr_cmd_train = {
    .name = "train",
    .synopsis = "--data DIR... -o RUNDIR [OPTION]...",
    .summary = "train a generator of decoy images on your own images",
    .details = "Trains the DCGAN on all PNG, JPEG and TIFF images in the folders and those "
               "below them: the centre square of each, resized. RUNDIR gets the weights, grids "
               "of images, curves and a report.html; it is never overwritten, and --resume "
               "goes on with the run in it. All of it can show patients: treat it like the "
               "images (docs/TRAINING.md).",
    .example = "orrery train --data skin/ -o runs/skin --epochs 100",
    .options = ORR_OPTIONS(&data, &output, &resume, &epochs, &batch, &image, &channels, &width,
                           &latent, &learning_rate, &no_flip, &window, &seed, &snapshot_every,
                           &keep, &precision, &threads, &orr_option_device, &orr_option_dry_run,
                           &orr_option_json, &orr_option_quiet, &verbose),
    .required = {&output},
    .operands = {{"DIR", ORR_VALUE_DIRECTORY, NULL}},
    .most = SIZE_MAX,
    .operands_needed = "folders",
    .exit_statuses = ORR_EXIT(EXISTS) | ORR_EXIT(IO) | ORR_EXIT(UNSUPPORTED),
    .stopped = "the same command with --resume goes on",
    .check = check,
    .run = run,
};
