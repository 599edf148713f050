// The options that several commands take, and how an option takes its value.
#include "cli/options.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static orr_status set_device(orr_arguments *a, const char *value, orr_error *error) {
    uint64_t number = 0;
    a->device = value;
    if (strcmp(value, "auto") == 0 || strcmp(value, "cpu") == 0 || strcmp(value, "cuda") == 0)
        return ORR_OK;
    if (strncmp(value, "cuda:", 5) == 0 &&
        orr_value_count(value + 5, "--device cuda:N", 0, 255, &number, NULL) == ORR_OK)
        return ORR_OK;
    return orr_fail(error, ORR_USAGE, "--device takes auto, cpu, cuda or cuda:N, not \"%s\"",
                    value);
}

static const orr_choice devices[] = {
    {.name = "auto"}, {.name = "cpu"}, {.name = "cuda"}, {.name = NULL}};

const orr_option orr_option_help = {
    .letter = 'h', .name = "help", .help = "this text", ORR_TAKES(NONE, help), .repeats = 1};
const orr_option orr_option_json = {
    .name = "json", .help = "JSON lines on stdout (docs/CLI.md)", ORR_TAKES(NONE, json)};
const orr_option orr_option_quiet = {
    .letter = 'q', .name = "quiet", .help = "only errors", ORR_TAKES(NONE, quiet)};
const orr_option orr_option_verbose = {
    .letter = 'v', .name = "verbose", .help = "a line for each file", ORR_TAKES(NONE, verbose)};
const orr_option orr_option_verbose_devices = {.letter = 'v',
                                               .name = "verbose",
                                               .help = "name devices that auto passes over",
                                               ORR_TAKES(NONE, verbose)};
const orr_option orr_option_dry_run = {
    .name = "dry-run", .help = "only say what would be done", ORR_TAKES(NONE, dry_run)};
const orr_option orr_option_device = {.name = "device",
                                      .argument = "NAME",
                                      .help = "auto, cpu, cuda or cuda:N [auto]",
                                      ORR_TAKES(CHOICE, device),
                                      .choices = devices,
                                      .set = set_device};
const orr_option orr_option_jobs = {.letter = 'j',
                                    .name = "jobs",
                                    .argument = "N",
                                    .help = "worker threads, 1 to 1024 [one a core]",
                                    ORR_TAKES(COUNT, jobs),
                                    .least = 1,
                                    .most = ORR_CLI_MAX_JOBS};
const orr_option orr_option_shard = {.name = "shard",
                                     .argument = "I/N",
                                     .help = "the I-th of N shares of the files",
                                     ORR_TAKES(FRACTION, job.shard)};
const orr_option orr_option_mem = {.name = "mem",
                                   .argument = "SIZE",
                                   .help = "most memory, as in 2G [256M; paper: half of RAM]",
                                   ORR_TAKES(SIZE, job.mem),
                                   .least = 64ull << 20};
const orr_option orr_option_files_from = {.name = "files-from",
                                          .argument = "FILE",
                                          .help = "inputs from FILE (-: stdin), one a line",
                                          ORR_TAKES(FILE, files_from),
                                          .dash = 1};
const orr_option orr_option_files_from0 = {.name = "files-from0",
                                           .argument = "FILE",
                                           .help = "each ended by a zero byte",
                                           ORR_TAKES(FILE, files_from0),
                                           .dash = 1};
const orr_option orr_option_keyring = {.letter = 'k',
                                       .name = "keyring",
                                       .argument = "KEYRING",
                                       .help = "the keyring file",
                                       ORR_TAKES(FILE, keyring.file)};
const orr_option orr_option_passphrase_file = {.name = "passphrase-file",
                                               .argument = "FILE",
                                               .help = "the passphrase is FILE's first line",
                                               ORR_TAKES(FILE, keyring.passphrase.file)};
const orr_option orr_option_passphrase_fd = {.name = "passphrase-fd",
                                             .argument = "N",
                                             .help = "passphrase from descriptor N",
                                             ORR_TAKES(COUNT, keyring.passphrase.fd),
                                             .most = 65535};
const orr_option orr_option_code_file = {.name = "recovery-code-file",
                                         .argument = "FILE",
                                         .help = "open with the recovery code in FILE",
                                         ORR_TAKES(FILE, keyring.code.file)};
const orr_option orr_option_code_fd = {.name = "recovery-code-fd",
                                       .argument = "N",
                                       .help = "open with the one from descriptor N",
                                       ORR_TAKES(COUNT, keyring.code.fd),
                                       .most = 65535};
const orr_option orr_option_code = {.name = "recovery-code",
                                    .help = "ask for it on the terminal",
                                    ORR_TAKES(NONE, keyring.ask_code)};

const orr_option_pair orr_option_pairs[] = {
    {"quiet", "verbose"},
    {"files-from", "files-from0"},
    {"passphrase-file", "passphrase-fd"},
    {"passphrase-file", "recovery-code-file"},
    {"passphrase-file", "recovery-code-fd"},
    {"passphrase-file", "recovery-code"},
    {"passphrase-fd", "recovery-code-file"},
    {"passphrase-fd", "recovery-code-fd"},
    {"passphrase-fd", "recovery-code"},
    {"recovery-code-file", "recovery-code-fd"},
    {"recovery-code-file", "recovery-code"},
    {"recovery-code-fd", "recovery-code"},
    {"new-passphrase-file", "new-passphrase-fd"},
    {"no-passphrase", "new-passphrase-file"},
    {"no-passphrase", "new-passphrase-fd"},
    {"no-passphrase", "same-key"},
    {"no-passphrase", "save-recovery-code"},
    {"no-recovery-code", "save-recovery-code"},
    {"new-recovery-code", "new-passphrase-file"},
    {"new-recovery-code", "new-passphrase-fd"},
    {"latents", "seed"},
    {"man", "completion"},
    {"man", "share"},
    {"completion", "share"},
};
const size_t orr_option_pair_count = sizeof orr_option_pairs / sizeof *orr_option_pairs;

static orr_status take_size(const orr_option *option, const char *what, const char *value,
                            uint64_t *bytes, orr_error *error) {
    orr_status status = orr_value_size(value, what, bytes, error);
    if (status != ORR_OK || *bytes >= option->least) return status;
    return orr_fail(error, ORR_USAGE, "%s must be at least %" PRIu64 "M, not \"%s\"", what,
                    option->least >> 20, value);
}

orr_status orr_option_take(const orr_option *option, orr_arguments *arguments, const char *value,
                           orr_error *error) {
    char what[40];
    void *field = (char *)arguments + option->field;
    uint64_t number = 0;
    uint32_t small;
    orr_status status = ORR_OK;
    snprintf(what, sizeof what, "--%s", option->name);
    arguments->training.given |= option->training_given;
    if (option->set) return option->set(arguments, value, error);
    switch (option->kind) {
    case ORR_VALUE_NONE:
        *(int *)field = 1;
        break;
    case ORR_VALUE_TEXT:
    case ORR_VALUE_FILE:
    case ORR_VALUE_DIRECTORY:
    case ORR_VALUE_PATH:
    case ORR_VALUE_COMMAND:
    case ORR_VALUE_LIST:
        if (!*value) return orr_fail(error, ORR_USAGE, "%s must not be empty", what);
        *(const char **)field = value;
        break;
    case ORR_VALUE_COUNT:
        status = orr_value_count(value, what, option->least, option->most, &number, error);
        small = (uint32_t)number;
        if (option->field_bytes == sizeof small)
            memcpy(field, &small, sizeof small);
        else
            memcpy(field, &number, sizeof number);
        break;
    case ORR_VALUE_SIZE:
        status = take_size(option, what, value, field, error);
        break;
    case ORR_VALUE_FRACTION:
        status = orr_value_fraction(value, what, field, error);
        break;
    case ORR_VALUE_CHOICE:
        status = orr_value_choice(value, what, option->choices, field, error);
        break;
    }
    return status;
}
