// orrery encrypt | decrypt | verify | rewrap | reencrypt: one run over many files.
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "cli/cli.h"
#include "cli/progress.h"
#include "cli/job_report.h"
#include "cli/stop.h"
#include "cli/stream_out.h"
#include "host/paper/planets.h"
#include "host/job/trust.h"
#include "kernels/volume.h"

static orr_verb verb_of(const orr_command *command) {
    switch (command->id) {
    case ORR_COMMAND_ENCRYPT:
        return ORR_VERB_ENCRYPT;
    case ORR_COMMAND_DECRYPT:
        return ORR_VERB_DECRYPT;
    case ORR_COMMAND_VERIFY:
        return ORR_VERB_VERIFY;
    case ORR_COMMAND_REWRAP:
        return ORR_VERB_REWRAP;
    default:
        return ORR_VERB_REENCRYPT;
    }
}

static double seconds_now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static int lies_below(const char *path, const char *directory) {
    size_t length = strlen(directory);
    if (length == 1) return 1; // "/"
    return strncmp(path, directory, length) == 0 && path[length] == '/';
}

// Keys beside the data they open protect nothing: whoever takes one takes both.
static void warn_of_key_place(orr_cli *cli) {
    const orr_arguments *a = &cli->arguments;
    char *keyring = realpath(a->keyring, NULL),
         *output = a->output ? realpath(a->output, NULL) : NULL;
    if (keyring && output && lies_below(keyring, output)) {
        orr_console_warn(&cli->console, 0,
                         "the keyring lies inside the output; keep keys away from what they open");
    }
    for (size_t i = 0; keyring && i < a->operand_count; i++) {
        char *input = realpath(a->operands[i], NULL);
        if (input && (lies_below(keyring, input) || strcmp(keyring, input) == 0)) {
            orr_console_warn(
                &cli->console, 0,
                "the keyring lies inside the input %s; keep keys away from what they open",
                a->operands[i]);
        }
        free(input);
    }
    free(keyring);
    free(output);
}

static void show_planets(orr_cli *cli) {
    time_t when = time(NULL);
    struct tm utc;
    char stamp[32] = "";
    double au[8];
    orr_planet_distances((int64_t)when, au);
    if (gmtime_r(&when, &utc)) strftime(stamp, sizeof stamp, "%d-%m-%Y %H:%M:%S", &utc);
    orr_console_note(&cli->console,
                     "distances from the Sun at %s UTC, in astronomical units:", stamp);
    for (int rank = 0; rank < 8; rank++) {
        for (int planet = 0; planet < 8; planet++) {
            if (orr_heliocentric_rank[planet] != rank) continue;
            orr_console_note(&cli->console, "  %-8s %8.4f", orr_planet_name[planet], au[planet]);
        }
    }
}

static void say_before(orr_cli *cli) {
    const orr_arguments *a = &cli->arguments;
    warn_of_key_place(cli);
    if (a->command->id != ORR_COMMAND_ENCRYPT) return;
    if (!a->opaque_names) {
        orr_console_warn(&cli->console, 0,
                         "file names stay readable in the output; --names opaque hides them");
    }
    if (a->profile == ORR_PROFILE_PAPER) {
        // A statement about safety: said whatever the options.
        orr_console_warn(&cli->console, 1,
                         "paper profile: pixels are not sealed: the planet layer alone hides them, "
                         "and a checksum "
                         "alone tells when they were altered; the archive profile protects");
        show_planets(cli);
    }
}

static orr_status fill_options(orr_cli *cli, const orr_keyring *keyring, const orr_name_list *list,
                               orr_job_options *options, orr_error *error) {
    const orr_arguments *a = &cli->arguments;
    *options = (orr_job_options){
        .verb = verb_of(a->command),
        .inputs = {a->operands, a->operand_count, list->names, list->count},
        .output = a->output,
        .profile = a->profile,
        .rule = a->rule,
        .jobs = a->jobs,
        .mem = a->mem,
        .opaque_names = a->opaque_names,
        .check_cpu = a->check_cpu,
        .sha256 = a->sha256,
        .dry_run = a->dry_run,
        .salvage = a->salvage,
        .unauthenticated = a->unauthenticated,
        .trust_times = a->trust_times,
        .redo_damaged = a->redo_damaged,
        .allow_empty = a->allow_empty,
        .nested = a->nested,
        .sparse = a->sparse,
        .subset_n = a->subset_n,
        .subset_of = a->subset_of,
        .subset_share = a->subset_share,
        .shard_i = a->shard_i,
        .shard_n = a->shard_n,
        .keyring = keyring,
    };
    if (orr_arguments_has(a, "mu") && orr_map_constant(a->mu, &options->k2, error) != ORR_OK) {
        error->status = ORR_USAGE; // the value comes from the command line
        return ORR_USAGE;
    }
    if (a->to) {
        const orr_master_key *key = NULL;
        orr_status status = orr_keyring_find(keyring, a->to, &key, error);
        if (status != ORR_OK) return status;
        if (key->state == ORR_KEY_DESTROYED)
            return orr_fail(error, ORR_KEY, "key %s is destroyed", a->to);
        memcpy(options->to_key, key->id, sizeof options->to_key);
        options->has_to = 1;
    }
    return ORR_OK;
}

// What is written under a key that is retired or destroyed meanwhile would never open.
static orr_status watch_key(orr_cli *cli, orr_job_options *options,
                            const orr_passphrase *passphrase, orr_error *error) {
    const orr_arguments *a = &cli->arguments;
    const orr_master_key *key = NULL;
    int writes = options->verb == ORR_VERB_ENCRYPT || options->verb == ORR_VERB_REENCRYPT ||
                 options->verb == ORR_VERB_REWRAP;
    if (!writes || a->dry_run) return ORR_OK;
    if (!options->has_to) {
        orr_status status = orr_keyring_active(options->keyring, &key, error);
        if (status != ORR_OK) return status;
    }
    return orr_key_watch_open(&options->watch, a->keyring, options->keyring, passphrase,
                              options->has_to ? options->to_key : key->id, options->has_to, error);
}

static orr_status run_job(orr_cli *cli, const orr_job_options *options, orr_error *error) {
    orr_report *report = malloc(sizeof *report);
    if (!report) return orr_fail(error, ORR_INTERNAL, "memory ran out");
    orr_report_init(report, cli, options->verb);
    orr_job_hooks hooks = {report, orr_report_file, orr_report_warning, orr_report_note};
    orr_progress progress = {0};
    orr_summary summary = {0};
    double start = seconds_now();
    orr_ticker *ticker = orr_ticker_start(&cli->console, cli->arguments.command->name, &progress);
    orr_status status =
        orr_job_run(options, &hooks, &progress, &orr_stop_requested, &summary, error);
    orr_ticker_stop(ticker);
    if (status == ORR_OK || status == ORR_STOPPED) {
        status = summary.status;
        cli->said = 1;
    } else {
        summary.status = status; // the job itself broke off: *error says why
    }
    if (cli->said || summary.files) orr_report_end(report, &summary, seconds_now() - start);
    orr_report_free(report);
    free(report);
    return status;
}

// Threads have scratch and stacks: no more of them than the ceiling has room for.
static void limit_workers(orr_cli *cli) {
    orr_arguments *a = &cli->arguments;
    unsigned asked = a->jobs;
    a->jobs = orr_job_workers(a->mem, asked);
    if (a->jobs < asked)
        orr_console_warn(&cli->console, 0,
                         "%u worker threads instead of %u: --mem has no room for more", a->jobs,
                         asked);
}

orr_status orr_cmd_job(orr_cli *cli, orr_error *error) {
    orr_keyring keyring = {0};
    orr_name_list list = {0};
    orr_backend *backend = NULL;
    orr_job_options options = {0};
    orr_passphrase passphrase = {0};
    orr_stream_out stream = {.fd = -1};
    limit_workers(cli);
    orr_status status = orr_name_list_read(&cli->arguments, &list, error);
    if (status == ORR_OK) status = orr_stream_out_open(cli, &list, &stream, error);
    if (status == ORR_OK) status = orr_cli_keyring(cli, &keyring, &passphrase, error);
    // A `keyring` command that was killed as it replaced it has not: what is sealed under the new
    // keys must not outlive them.
    if (status == ORR_OK && !cli->arguments.dry_run)
        status = orr_trust_path(cli->arguments.keyring, error);
    if (status == ORR_OK) status = fill_options(cli, &keyring, &list, &options, error);
    if (status == ORR_OK) status = watch_key(cli, &options, &passphrase, error);
    orr_passphrase_wipe(&passphrase);
    if (status == ORR_OK) status = orr_cli_backend(cli, &backend, error);
    if (status != ORR_OK) goto done;
    options.backend = backend;
    say_before(cli);
    status = stream.fd >= 0 ? orr_stream_out_run(cli, &options, &stream, error)
                            : run_job(cli, &options, error);
done:
    orr_stream_out_close(&stream);
    if (backend) backend->api->close(backend);
    orr_key_watch_close(options.watch);
    orr_keyring_free(&keyring);
    orr_name_list_free(&list);
    return status;
}
