// orrery train: a training run on the chosen device, with its progress.
#include <string.h>
#include <time.h>
#include "cli/generator.h"
#include "cli/stop.h"
#include "gan/gan_device.h"
#include "base/text.h"
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

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

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
    double time = now();
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

orr_status orr_cmd_train(orr_cli *cli, orr_error *error) {
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
    options.version = ORR_VERSION;
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
