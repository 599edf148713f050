// orrery encrypt | decrypt | verify | rewrap | reencrypt: one run over many files.
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "cli/cli.h"
#include "cli/job_keys.h"
#include "cli/job_report.h"
#include "cli/progress.h"
#include "cli/stop.h"
#include "cli/stream_out.h"
#include "host/job/trust.h"
#include "host/paper/planets.h"
#include "kernels/volume.h"

static int lies_below(const char *path, const char *directory) {
    size_t length = strlen(directory);
    if (length == 1) return 1; // "/"
    return strncmp(path, directory, length) == 0 && path[length] == '/';
}

// Keys beside the data they open protect nothing: whoever takes one takes both.
static void warn_of_key_place(orr_cli *cli) {
    const orr_arguments *a = &cli->arguments;
    char *keyring = a->keyring.file ? realpath(a->keyring.file, NULL) : NULL,
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
    int64_t when = time(NULL);
    char stamp[32];
    double au[8];
    orr_planet_distances(when, au);
    orr_utc(when, "%d-%m-%Y %H:%M:%S", stamp, sizeof stamp);
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
    if (a->command->verb != ORR_VERB_ENCRYPT) return;
    if (!a->job.opaque_names) {
        orr_console_warn(&cli->console, 0,
                         "file names stay readable in the output; --names opaque hides them");
    }
    if (a->job.profile == ORR_PROFILE_PAPER) {
        // A statement about safety: said whatever the options.
        orr_console_warn(&cli->console, 1,
                         "paper profile: pixels are not sealed: the planet layer alone hides them, "
                         "and a checksum "
                         "alone tells when they were altered; the archive profile protects");
        show_planets(cli);
    }
}

static orr_status fill_options(orr_cli *cli, const orr_keyring *keyring, const orr_job_keys *keys,
                               const orr_name_list *list, orr_job_options *options,
                               orr_error *error) {
    const orr_arguments *a = &cli->arguments;
    *options = (orr_job_options){
        .verb = a->command->verb,
        .inputs = {a->operands, a->operand_count, list->names, list->count},
        .output = a->output,
        .profile = a->job.profile,
        .rule = a->job.rule,
        .jobs = a->jobs,
        .mem = a->job.mem,
        .direct = a->job.direct,
        .opaque_names = a->job.opaque_names,
        .check_cpu = a->job.check_cpu,
        .sha256 = a->job.sha256,
        .dry_run = a->dry_run,
        .salvage = a->job.salvage,
        .unauthenticated = a->job.unauthenticated,
        .trust_times = a->job.trust_times,
        .redo_damaged = a->job.redo_damaged,
        .allow_empty = a->job.allow_empty,
        .nested = a->job.nested,
        .sparse = a->job.sparse,
        .subset_n = a->job.subset.part,
        .subset_of = a->job.subset.whole,
        .subset_share = a->job.subset_share,
        .shard_i = a->job.shard.part,
        .shard_n = a->job.shard.whole,
        .keyring = keyring,
        .recipients = keys->recipients,
        .recipient_count = a->job.recipient_count,
        .removed = keys->removed,
        .removed_count = a->job.removed_count,
        .repair_from = a->job.from,
        .parity = a->job.parity,
        .writer_only = !a->keyring.file,
        .require_origin = a->job.require_origin,
        .adopt = a->job.adopt,
    };
    if (orr_arguments_has(a, "mu") && orr_map_constant(a->job.mu, &options->k2, error) != ORR_OK) {
        error->status = ORR_USAGE; // the value comes from the command line
        return ORR_USAGE;
    }
    if (a->keyring.to) {
        const orr_master_key *key = NULL;
        orr_status status = orr_keyring_find(keyring, a->keyring.to, &key, error);
        if (status != ORR_OK) return status;
        if (key->state == ORR_KEY_DESTROYED)
            return orr_fail(error, ORR_KEY, "key %s is destroyed", a->keyring.to);
        memcpy(options->to_key, key->id, sizeof options->to_key);
        options->has_to = 1;
        if (orr_job_keys_removes(keys, a->job.removed_count, key->id))
            return orr_fail(error, ORR_USAGE, "--to and --remove name the same key");
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
    if (!writes || a->dry_run || options->writer_only) return ORR_OK;
    if (options->verb == ORR_VERB_REWRAP && !options->has_to &&
        (options->recipient_count || options->removed_count))
        return ORR_OK; // nothing is put under a key of the keyring
    if (!options->has_to) {
        orr_status status = orr_keyring_active(options->keyring, &key, error);
        if (status != ORR_OK) return status;
    }
    return orr_key_watch_open(&options->watch, a->keyring.file, options->keyring, passphrase,
                              options->has_to ? options->to_key : key->id, options->has_to, error);
}

static orr_status run_over_files(orr_cli *cli, const orr_job_options *options, orr_error *error) {
    orr_report *report = malloc(sizeof *report);
    if (!report) return orr_fail(error, ORR_INTERNAL, "memory ran out");
    orr_report_init(report, cli, options->verb);
    orr_job_hooks hooks = {report, orr_report_file, orr_report_warning, orr_report_note,
                           orr_report_warning_always};
    orr_progress progress = {0};
    orr_summary summary = {0};
    double start = orr_seconds();
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
    if (cli->said || summary.files) orr_report_end(report, &summary, orr_seconds() - start);
    orr_report_free(report);
    free(report);
    return status;
}

// Threads have scratch and stacks: no more of them than the ceiling has room for.
static void limit_workers(orr_cli *cli) {
    orr_arguments *a = &cli->arguments;
    unsigned asked = a->jobs;
    a->jobs = orr_job_workers(a->job.mem, asked);
    if (a->jobs < asked)
        orr_console_warn(&cli->console, 0,
                         "%u worker threads instead of %u: --mem has no room for more", a->jobs,
                         asked);
}

orr_status orr_cli_job(orr_cli *cli, orr_error *error) {
    orr_keyring keyring = {0};
    orr_job_keys keys = {NULL, NULL};
    orr_name_list list = {0};
    orr_backend *backend = NULL;
    orr_job_options options = {0};
    orr_passphrase passphrase = {0};
    orr_stream_out stream = {.fd = -1};
    limit_workers(cli);
    orr_status status = orr_name_list_read(&cli->arguments, &list, error);
    if (status == ORR_OK) status = orr_stream_out_open(cli, &list, &stream, error);
    if (status == ORR_OK) status = orr_job_keys_open(cli, &keys, &keyring, &passphrase, error);
    // A `keyring` command that was killed as it replaced it has not: what is sealed under the new
    // keys must not outlive them.
    if (status == ORR_OK && !cli->arguments.dry_run && cli->arguments.keyring.file)
        status = orr_trust_path(cli->arguments.keyring.file, error);
    if (status == ORR_OK) status = fill_options(cli, &keyring, &keys, &list, &options, error);
    if (status == ORR_OK) status = watch_key(cli, &options, &passphrase, error);
    orr_passphrase_wipe(&passphrase);
    if (status == ORR_OK) status = orr_cli_backend(cli, &backend, error);
    if (status != ORR_OK) goto end;
    options.backend = backend;
    say_before(cli);
    status = stream.fd >= 0 ? orr_stream_out_run(cli, &options, &stream, error)
                            : run_over_files(cli, &options, error);
end:
    orr_stream_out_close(&stream);
    if (backend) backend->api->close(backend);
    orr_key_watch_close(options.watch);
    orr_keyring_free(&keyring);
    orr_job_keys_free(&keys);
    orr_name_list_free(&list);
    return status;
}

// ---- what the commands take
static orr_status set_recipient(orr_arguments *a, const char *value, orr_error *error) {
    if (!*value) return orr_fail(error, ORR_USAGE, "the name of a recipient file is empty");
    a->job.recipients[a->job.recipient_count++] = value; // room for argc of them
    return ORR_OK;
}

static orr_status set_removed(orr_arguments *a, const char *value, orr_error *error) {
    if (!*value) return orr_fail(error, ORR_USAGE, "--remove must not be empty");
    a->job.removed[a->job.removed_count++] = value;
    return ORR_OK;
}

static orr_status set_mu(orr_arguments *a, const char *value, orr_error *error) {
    return orr_value_real(value, "--mu", &a->job.mu, error);
}

static orr_status set_subset(orr_arguments *a, const char *value, orr_error *error) {
    size_t length = strlen(value);
    char number[32];
    if (length < 2 || value[length - 1] != '%') {
        if (orr_value_fraction(value, "--subset", &a->job.subset, NULL) == ORR_OK) return ORR_OK;
    } else if (length < sizeof number) {
        memcpy(number, value, length - 1);
        number[length - 1] = 0;
        double percent = 0;
        if (orr_value_real(number, "--subset", &percent, NULL) == ORR_OK && percent > 0 &&
            percent <= 100) {
            a->job.subset_share = percent;
            return ORR_OK;
        }
    }
    return orr_fail(error, ORR_USAGE,
                    "--subset takes a part as in 3/7, or a percentage as in 5%%, not \"%s\"",
                    value);
}

static orr_status set_parity(orr_arguments *a, const char *value, orr_error *error) {
    double percent = 0;
    orr_status status = orr_value_real(value, "--parity", &percent, error);
    if (status == ORR_OK && (percent < 0.5 || percent > 50))
        status =
            orr_fail(error, ORR_USAGE, "--parity takes 0.5 to 50 (percent), not \"%s\"", value);
    a->job.parity = (unsigned)(percent * 10 + 0.5);
    return status;
}

static const orr_choice profiles[] = {{.name = "archive", .value = ORR_PROFILE_ARCHIVE},
                                      {.name = "paper", .value = ORR_PROFILE_PAPER},
                                      {.name = NULL}};
static const orr_choice names_of_files[] = {
    {.name = "keep", .value = 0}, {.name = "opaque", .value = 1}, {.name = NULL}};
static const orr_choice ways[] = {{.name = "auto", .value = ORR_DIRECT_AUTO},
                                  {.name = "on", .value = ORR_DIRECT_ON},
                                  {.name = "off", .value = ORR_DIRECT_OFF},
                                  {.name = NULL}};
static const orr_choice checkers[] = {{.name = "cpu", .value = 1}, {.name = NULL}};

static const orr_option output = {.letter = 'o',
                                  .name = "output",
                                  .argument = "OUT",
                                  .help = "output directory; for one input also a file",
                                  ORR_TAKES(PATH, output)};
static const orr_option output_or_stream = {.letter = 'o',
                                            .name = "output",
                                            .argument = "OUT",
                                            .help =
                                                "output directory; for one input also a file, or -",
                                            ORR_TAKES(PATH, output),
                                            .dash = 1};
static const orr_option to = {.name = "to",
                              .argument = "KEY",
                              .help = "master key to wrap under [the active one]",
                              ORR_TAKES(TEXT, keyring.to)};
static const orr_option to_recipient = {.name = "to",
                                        .argument = "FILE.orrpub",
                                        .help = "a recipient who can open it; may be repeated",
                                        ORR_TAKES(FILE, job.recipients),
                                        .set = set_recipient,
                                        .repeats = 1};
static const orr_option writer_key = {.name = "writer-key",
                                      .argument = "FILE",
                                      .help = "without -k: key of this machine's records [made]",
                                      ORR_TAKES(FILE, job.writer_key)};
static const orr_option add = {.name = "add",
                               .argument = "FILE.orrpub",
                               .help = "a further recipient; may be repeated",
                               ORR_TAKES(FILE, job.recipients),
                               .set = set_recipient,
                               .repeats = 1};
static const orr_option remove_wrap = {.name = "remove",
                                       .argument = "KEY",
                                       .help = "whose wraps go: ID, .orrpub, or a keyring's key",
                                       ORR_TAKES(TEXT, job.removed),
                                       .set = set_removed,
                                       .repeats = 1};
static const orr_option require_origin = {.name = "require-origin",
                                          .help = "refuse what opens with a recipient's key alone",
                                          ORR_TAKES(NONE, job.require_origin)};
static const orr_option adopt = {.name = "adopt",
                                 .help = "vouch for what opens with a recipient's key alone",
                                 ORR_TAKES(NONE, job.adopt)};
static const orr_option profile = {.name = "profile",
                                   .argument = "NAME",
                                   .help = "archive, or paper: pixels not sealed [archive]",
                                   ORR_TAKES(CHOICE, job.profile),
                                   .choices = profiles};
static const orr_option rule = {.name = "rule",
                                .argument = "N",
                                .help = "VPD rule, 1 to 40320 [37241, or the file's own]",
                                ORR_TAKES(COUNT, job.rule),
                                .least = 1,
                                .most = ORR_RULE_COUNT};
static const orr_option mu = {.name = "mu",
                              .argument = "X",
                              .help = "of the 1-DEC map, paper only [0.0519999999988]",
                              ORR_TAKES(TEXT, job.mu),
                              .set = set_mu};
static const orr_option names = {.name = "names",
                                 .argument = "HOW",
                                 .help = "keep, or opaque: names that tell nothing [keep]",
                                 ORR_TAKES(CHOICE, job.opaque_names),
                                 .choices = names_of_files};
static const orr_option sha256 = {.name = "sha256",
                                  .help = "record each file's SHA-256 inside the seal",
                                  ORR_TAKES(NONE, job.sha256)};
static const orr_option check = {.name = "check",
                                 .argument = "cpu",
                                 .help = "decrypt on the CPU before a file gets its name",
                                 ORR_TAKES(CHOICE, job.check_cpu),
                                 .choices = checkers};
static const orr_option direct = {.name = "direct",
                                  .argument = "HOW",
                                  .help = "past the page cache: auto, on, off [auto]",
                                  ORR_TAKES(CHOICE, job.direct),
                                  .choices = ways};
static const orr_option salvage = {.name = "salvage",
                                   .help = "write what verifies of damaged files, with gaps",
                                   ORR_TAKES(NONE, job.salvage)};
static const orr_option unauthenticated = {.name = "unauthenticated",
                                           .help = "paper: write altered pixels, by another name",
                                           ORR_TAKES(NONE, job.unauthenticated)};
static const orr_option parity = {.name = "parity",
                                  .argument = "P",
                                  .help = "add repair data: P percent, 0.5 to 50 [none]",
                                  ORR_TAKES(TEXT, job.parity),
                                  .set = set_parity};
static const orr_option trust_times = {.name = "trust-times",
                                       .help = "sealed size and time are enough to be finished",
                                       ORR_TAKES(NONE, job.trust_times)};
static const orr_option redo_damaged = {.name = "redo-damaged",
                                        .help = "read existing outputs; make damaged ones anew",
                                        ORR_TAKES(NONE, job.redo_damaged)};
static const orr_option allow_empty = {.name = "allow-empty",
                                       .help = "an input without any file is fine",
                                       ORR_TAKES(NONE, job.allow_empty)};
static const orr_option nested = {.name = "nested",
                                  .help = "encrypt also what is encrypted already",
                                  ORR_TAKES(NONE, job.nested)};
static const orr_option sparse = {.name = "sparse",
                                  .help = "archive: leave holes for zero blocks of 4 KiB",
                                  ORR_TAKES(NONE, job.sparse)};
static const orr_option subset = {.name = "subset",
                                  .argument = "PART",
                                  .help = "3/7: the third of seven parts; 5%: that share",
                                  ORR_TAKES(TEXT, job.subset),
                                  .set = set_subset};

#define LISTS &orr_option_shard, ORR_OPTIONS_LIST
#define CIPHER &orr_option_device, &orr_option_jobs, &orr_option_mem, &direct
#define TALKS &orr_option_json, &orr_option_quiet, &orr_option_verbose
#define FILES_OR_DIRECTORIES                                                  \
    .operands = {{"IN", ORR_VALUE_PATH, NULL}}, .least = 1, .most = SIZE_MAX, \
    .operands_needed = "files or directories"
#define JOB_EXITS                                                              \
    (ORR_EXIT(SOME_FAILED) | ORR_EXIT(KEY) | ORR_EXIT(EXISTS) | ORR_EXIT(IO) | \
     ORR_EXIT(UNSUPPORTED))
#define READING_EXITS (JOB_EXITS | ORR_EXIT(AUTH) | ORR_EXIT(NOT_ORRERY))
#define IN_PLACE_EXITS (READING_EXITS & ~ORR_EXIT(EXISTS)) // no output that could be in the way
#define RESUMES "the same command resumes"

// What is of no use without a keyring, and why.
static orr_status check_without_keyring(const orr_arguments *a, orr_error *error) {
    static const orr_option *const unlock[] = {ORR_OPTIONS_UNLOCK};
    if (a->job.trust_times)
        return orr_fail(error, ORR_USAGE,
                        "--trust-times needs -k KEYRING: without one no sealed time can be read");
    if (a->job.redo_damaged)
        return orr_fail(error, ORR_USAGE,
                        "--redo-damaged needs -k KEYRING: without one no output can be read");
    for (size_t i = 0; i < sizeof unlock / sizeof *unlock; i++)
        if (orr_arguments_has(a, unlock[i]->name))
            return orr_fail(error, ORR_USAGE, "--%s needs -k KEYRING, which it opens",
                            unlock[i]->name);
    return ORR_OK;
}

static orr_status check_encrypt(orr_arguments *a, orr_error *error) {
    orr_status status = ORR_OK;
    if (!a->keyring.file && !a->job.recipient_count)
        return orr_fail(error, ORR_USAGE,
                        "encrypt needs -k KEYRING, or --to with the recipient file of a key");
    if (a->keyring.file && a->job.writer_key)
        return orr_fail(error, ORR_USAGE, "--writer-key is for a machine without a keyring");
    if (!a->keyring.file) status = check_without_keyring(a, error);
    if (status != ORR_OK) return status;
    if (orr_arguments_has(a, "mu") && a->job.profile != ORR_PROFILE_PAPER)
        return orr_fail(error, ORR_USAGE, "--mu needs --profile paper");
    return ORR_OK;
}

const orr_command orr_cmd_encrypt = {
    .name = "encrypt",
    .synopsis = "(-k KEYRING|--to FILE.orrpub)... [OPTION]... IN... -o OUT",
    .summary = "encrypt files and directories",
    .details =
        "Encrypts files, and directories with all that lies below them, to OUT: "
        "scan.svs becomes scan.svs.orr.tif, a valid TIFF that shows noise. Sources are "
        "never changed; files that are finished already are left alone. With --to and no keyring a "
        "machine can write and not read; what it has written it knows by a key of its own in "
        "~/.local/state/orrery.",
    .example = "orrery encrypt -k hospital.keyring scans/ -o sealed/",
    .options = ORR_OPTIONS(&orr_option_keyring, &to_recipient, &output, &profile, &rule, &mu,
                           &names, &sha256, &parity, &writer_key, &check, &trust_times,
                           &redo_damaged, &allow_empty, &nested, LISTS, CIPHER, ORR_OPTIONS_UNLOCK,
                           &orr_option_dry_run, TALKS),
    .required = {&output},
    FILES_OR_DIRECTORIES,
    .exit_statuses = READING_EXITS | ORR_EXIT(SELF_TEST), // a recipient file may be damaged
    .stopped = RESUMES,
    .verb = ORR_VERB_ENCRYPT,
    .check = check_encrypt,
    .run = orr_cli_job,
};

const orr_command orr_cmd_decrypt = {
    .name = "decrypt",
    .synopsis = "-k KEYRING [OPTION]... IN... -o OUT",
    .summary = "restore the original files",
    .details = "Restores files under their original names, times and modes below OUT. A file "
               "gets its name, or with -o - goes to standard output, once all of it is "
               "authenticated.",
    .example = "orrery decrypt -k hospital.keyring sealed/ -o restored/",
    .options = ORR_OPTIONS(&orr_option_keyring, &output_or_stream, &require_origin, &salvage,
                           &unauthenticated, &trust_times, &sparse, LISTS, CIPHER,
                           ORR_OPTIONS_UNLOCK, &orr_option_dry_run, TALKS),
    .required = {&orr_option_keyring, &output_or_stream},
    FILES_OR_DIRECTORIES,
    .exit_statuses = READING_EXITS | ORR_EXIT(SELF_TEST),
    .stopped = RESUMES,
    .verb = ORR_VERB_DECRYPT,
    .run = orr_cli_job,
};

const orr_command orr_cmd_verify = {
    .name = "verify",
    .synopsis = "-k KEYRING [OPTION]... IN...",
    .summary = "authenticate encrypted files without writing anything",
    .details = "Decrypts in memory, authenticates every byte and checks the digest of the "
               "original; writes no plaintext. Of the paper profile, pixels are compared with "
               "their digest but not authenticated.",
    .example = "orrery verify -k hospital.keyring --subset 1/7 sealed/",
    .options = ORR_OPTIONS(&orr_option_keyring, &require_origin, &subset, LISTS, CIPHER,
                           ORR_OPTIONS_UNLOCK, TALKS),
    .required = {&orr_option_keyring},
    FILES_OR_DIRECTORIES,
    .exit_statuses = IN_PLACE_EXITS | ORR_EXIT(INCOMPLETE) | ORR_EXIT(SELF_TEST),
    .stopped = "the same command begins anew",
    .verb = ORR_VERB_VERIFY,
    .run = orr_cli_job,
};

const orr_command orr_cmd_rewrap = {
    .name = "rewrap",
    .synopsis = "-k KEYRING [OPTION]... IN...",
    .summary = "change which keys open files, in place",
    .details = "Replaces the wrapped secret in each file's header; the data stays as it is. "
               "With --add or --remove the keyring's own wraps stay, unless --to names a key. "
               "Safe against a crash at any moment. This does not revoke copies, backups or "
               "snapshots made earlier.",
    .example = "orrery rewrap -k hospital.keyring sealed/",
    .options = ORR_OPTIONS(&orr_option_keyring, &to, &add, &remove_wrap, LISTS, &orr_option_jobs,
                           ORR_OPTIONS_UNLOCK, &orr_option_dry_run, TALKS),
    .required = {&orr_option_keyring},
    FILES_OR_DIRECTORIES,
    .exit_statuses = IN_PLACE_EXITS,
    .stopped = RESUMES,
    .verb = ORR_VERB_REWRAP,
    .run = orr_cli_job,
};

const orr_command orr_cmd_reencrypt = {
    .name = "reencrypt",
    .synopsis = "-k KEYRING [OPTION]... IN... -o OUT",
    .summary = "encrypt anew with new secrets",
    .details = "Writes each encrypted file anew below OUT, with a new secret for every one; no "
               "plaintext is written. The old files stay: remove them once the new ones "
               "verify.",
    .example = "orrery reencrypt -k hospital.keyring sealed/ -o sealed-2027/",
    .options =
        ORR_OPTIONS(&orr_option_keyring, &output, &to, &add, &require_origin, &adopt, &rule, &names,
                    &parity, &check, LISTS, CIPHER, ORR_OPTIONS_UNLOCK, &orr_option_dry_run, TALKS),
    .required = {&orr_option_keyring, &output},
    FILES_OR_DIRECTORIES,
    .exit_statuses = READING_EXITS | ORR_EXIT(SELF_TEST),
    .stopped = RESUMES,
    .verb = ORR_VERB_REENCRYPT,
    .run = orr_cli_job,
};
