// orrery repair: damaged encrypted files are mended in place.
#include <sys/stat.h>

#include "cli/cli.h"

static const orr_option from = {.name = "from",
                                .argument = "COPY",
                                .help = "a copy, or a directory with copies",
                                ORR_TAKES(PATH, job.from)};

// A file can be a copy of one file only.
static orr_status check(orr_arguments *a, orr_error *error) {
    struct stat st;
    if (!a->job.from || stat(a->job.from, &st) != 0 || S_ISDIR(st.st_mode)) return ORR_OK;
    int one = a->operand_count == 1 && !a->files_from && !a->files_from0 &&
              stat(a->operands[0], &st) == 0 && !S_ISDIR(st.st_mode);
    if (one) return ORR_OK;
    return orr_fail(error, ORR_USAGE,
                    "--from %s is one file, a copy of one file: for several give a directory in "
                    "which the copies lie as the files do",
                    a->job.from);
}

const orr_command orr_cmd_repair = {
    .name = "repair",
    .synopsis = "-k KEYRING [OPTION]... IN...",
    .summary = "mend damaged files, in place",
    .details =
        "Replaces what is damaged in a file by what authenticates: from its repair data "
        "(`encrypt --parity`), from its own second copies, or with --from from a copy, which may "
        "itself be damaged elsewhere. What authenticates as it stands is never written, and "
        "nothing else than authentic bytes is. Repair data restore any m pages of 4 KiB in each "
        "group, and so any one run of m pages for each group (about P percent of the file); of "
        "damage scattered at random, much less: docs/CLI.md. Safe against a crash at any moment.",
    .example = "orrery repair -k hospital.keyring --from mirror/sealed sealed/",
    .options =
        ORR_OPTIONS(&orr_option_keyring, &from, &orr_option_shard, ORR_OPTIONS_LIST,
                    &orr_option_device, &orr_option_jobs, &orr_option_mem, ORR_OPTIONS_UNLOCK,
                    &orr_option_dry_run, &orr_option_json, &orr_option_quiet, &orr_option_verbose),
    .required = {&orr_option_keyring},
    .operands = {{"IN", ORR_VALUE_PATH, NULL}},
    .least = 1,
    .most = SIZE_MAX,
    .operands_needed = "files or directories",
    .exit_statuses = ORR_EXIT(SOME_FAILED) | ORR_EXIT(AUTH) | ORR_EXIT(KEY) | ORR_EXIT(IO) |
                     ORR_EXIT(UNSUPPORTED) | ORR_EXIT(NOT_ORRERY) | ORR_EXIT(SELF_TEST),
    .stopped = "the same command resumes",
    .verb = ORR_VERB_REPAIR,
    .check = check,
    .run = orr_cli_job,
};
