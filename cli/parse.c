// argv -> orr_arguments, driven by the option table.
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include "cli/options.h"

// getopt_long's return value for row n of the table; above every letter.
#define ROW(n) (256 + (int)(n))
#define MAX_OPTIONS 64

int orr_arguments_want_json(int argc, char **argv) {
    if (argc > 1 && strcmp(argv[1], "bench") == 0) return 0; // its --json names a file
    for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++) {
        if (strcmp(argv[i], "--json") == 0) return 1;
    }
    return 0;
}

int orr_arguments_has(const orr_arguments *arguments, const char *long_name) {
    for (size_t i = 0; i < orr_option_count; i++) {
        if ((arguments->seen[i / 64] >> (i % 64) & 1) &&
            strcmp(orr_options[i].name, long_name) == 0)
            return 1;
    }
    return 0;
}

static const orr_command *find_command(const char *name) {
    for (size_t i = 0; i < ORR_COMMAND_COUNT; i++) {
        if (strcmp(orr_commands[i].name, name) == 0) return &orr_commands[i];
    }
    return NULL;
}

static orr_status unknown_command(const char *name, orr_error *error) {
    orr_spelling spelling = {.word = name};
    for (size_t i = 0; i < ORR_COMMAND_COUNT; i++)
        orr_spelling_try(&spelling, orr_commands[i].name);
    if (spelling.nearest)
        return orr_fail(error, ORR_USAGE, "unknown command \"%s\"; did you mean %s?", name,
                        spelling.nearest);
    return orr_fail(error, ORR_USAGE, "unknown command \"%s\"", name);
}

// Finds the command and how many words it takes. *skip == 0: help or version of the program itself.
static orr_status parse_command(orr_arguments *a, int argc, char **argv, int *skip,
                                orr_error *error) {
    const char *first = argc > 1 ? argv[1] : NULL;
    *skip = 0;
    if (!first) return orr_fail(error, ORR_USAGE, "a command is needed");
    if (strcmp(first, "--help") == 0 || strcmp(first, "-h") == 0) {
        a->help = 1;
        return ORR_OK;
    }
    if (strcmp(first, "--version") == 0) {
        a->version = 1;
        return ORR_OK;
    }
    if (*first == '-')
        return orr_fail(error, ORR_USAGE, "unknown option \"%s\" before the command", first);
    if (strcmp(first, "keyring") == 0) {
        const char *second = argc > 2 ? argv[2] : NULL;
        if (!second)
            return orr_fail(error, ORR_USAGE,
                            "keyring needs one of new, add, list, set-state, passwd");
        if (strcmp(second, "--help") == 0 || strcmp(second, "-h") == 0) {
            a->help = 2;
            return ORR_OK;
        }
        char name[128];
        snprintf(name, sizeof name, "keyring %s", second);
        a->command = find_command(name);
        if (!a->command) return unknown_command(name, error);
        *skip = 2;
        return ORR_OK;
    }
    a->command = strchr(first, ' ') ? NULL : find_command(first);
    if (!a->command) return unknown_command(first, error);
    *skip = 1;
    return ORR_OK;
}

// The option word that getopt_long has just read.
static const char *current_word(char **argv) {
    return optarg && optind >= 2 && optarg == argv[optind - 1] ? argv[optind - 2]
                                                               : argv[optind - 1];
}

// Abbreviated long options would become ambiguous, and break scripts, with the next release.
static int is_abbreviation(const char *word, const char *name) {
    size_t length = strlen(name);
    return strncmp(word, "--", 2) == 0 &&
           (strncmp(word + 2, name, length) != 0 || (word[2 + length] && word[2 + length] != '='));
}

static orr_status unknown_option(const orr_command *command, const char *word, int letter,
                                 orr_error *error) {
    char shown[64];
    if (letter) {
        snprintf(shown, sizeof shown, "-%c", letter);
    } else {
        snprintf(shown, sizeof shown, "%.*s", (int)strcspn(word, "="), word);
    }
    orr_spelling spelling = {.word = letter ? "" : shown + 2};
    for (size_t i = 0; i < orr_option_count; i++) {
        const orr_option *option = &orr_options[i];
        if (!letter && (option->commands >> command->id & 1))
            orr_spelling_try(&spelling, option->name);
        int same = letter ? option->letter == letter : strcmp(shown + 2, option->name) == 0;
        if (!same || (option->commands >> command->id & 1)) continue;
        return orr_fail(error, ORR_USAGE, "%s does not take %s", command->name, shown);
    }
    if (spelling.nearest)
        return orr_fail(error, ORR_USAGE, "unknown option \"%s\"; did you mean --%s?", shown,
                        spelling.nearest);
    return orr_fail(error, ORR_USAGE, "unknown option \"%s\"", shown);
}

static size_t build_getopt_tables(const orr_command *command, char *letters,
                                  struct option *options) {
    size_t count = 0;
    *letters++ = ':'; // tell a missing argument from an unknown option
    for (size_t i = 0; i < orr_option_count && count + 1 < MAX_OPTIONS; i++) {
        const orr_option *option = &orr_options[i];
        if (!(option->commands >> command->id & 1)) continue;
        int argument = option->argument ? required_argument : no_argument;
        options[count++] = (struct option){option->name, argument, NULL, ROW(i)};
        if (!option->letter) continue;
        *letters++ = option->letter;
        if (argument) *letters++ = ':';
    }
    *letters = 0;
    options[count] = (struct option){0};
    return count;
}

static size_t row_of(const orr_command *command, int got) {
    if (got >= ROW(0)) return (size_t)(got - ROW(0));
    for (size_t i = 0; i < orr_option_count; i++) {
        if (orr_options[i].letter == got && (orr_options[i].commands >> command->id & 1)) return i;
    }
    return orr_option_count;
}

// Does the option take the name of a file or directory?
static int takes_a_name(const orr_option *option) {
    static const char *const names[] = {"FILE", "OUT",    "KEYRING",  "REPORTDIR",
                                        "DIR",  "RUNDIR", "IMAGE...", "DIR..."};
    for (size_t i = 0; option->argument && i < sizeof names / sizeof *names; i++)
        if (!strcmp(option->argument, names[i])) return 1;
    return 0;
}

// "-" is a standard stream only where the help says so; elsewhere it would be taken for a file of
// that name, and hold what somebody waits for at the end of a pipe.
static orr_status check_dash(const orr_command *command, const orr_option *option,
                             const char *value, orr_error *error) {
    if (!value || strcmp(value, "-") != 0 || !takes_a_name(option) ||
        !strncmp(option->name, "files-from", 10) || !strcmp(option->name, "bits") ||
        (command->id == ORR_COMMAND_DECRYPT && option->letter == 'o'))
        return ORR_OK;
    if (strstr(option->name, "passphrase-file"))
        return orr_fail(error, ORR_USAGE,
                        "--%s takes the name of a file: --%.*sfd 0 reads standard input",
                        option->name, (int)(strlen(option->name) - 4), option->name);
    return orr_fail(error, ORR_USAGE,
                    "--%s takes a name, and %s has no use for a standard stream there; ./- is a "
                    "file called \"-\"",
                    option->name, command->name);
}

static orr_status check_dash_operand(const orr_command *command, const char *operand,
                                     orr_error *error) {
    if (strcmp(operand, "-") != 0 || command->id == ORR_COMMAND_KEYRING_SET_STATE) return ORR_OK;
    return orr_fail(error, ORR_USAGE,
                    command->required & ORR_NEED_INPUT
                        ? "%s does not read a file from standard input: --files-from - reads the "
                          "names of files there; ./- is a file called \"-\""
                        : "%s does not read standard input; ./- is a file called \"-\"",
                    command->name);
}

static orr_status parse_options(orr_arguments *a, int argc, char **argv, orr_error *error) {
    char letters[2 * MAX_OPTIONS + 2];
    struct option options[MAX_OPTIONS];
    build_getopt_tables(a->command, letters, options);
    opterr = 0;
    optind = 0; // GNU: start over
    for (int got; (got = getopt_long(argc, argv, letters, options, NULL)) != -1;) {
        if (got == '?')
            return unknown_option(a->command, argv[optind - 1], optopt < 256 ? optopt : 0, error);
        if (got == ':') return orr_fail(error, ORR_USAGE, "%s needs an argument", argv[optind - 1]);
        size_t row = row_of(a->command, got);
        if (row >= orr_option_count) return orr_fail(error, ORR_USAGE, "unknown option");
        const orr_option *option = &orr_options[row];
        if (got >= ROW(0) && is_abbreviation(current_word(argv), option->name)) {
            return orr_fail(error, ORR_USAGE, "unknown option \"%s\"; it is spelled --%s",
                            current_word(argv), option->name);
        }
        if ((a->seen[row / 64] >> (row % 64) & 1) && !option->repeats) {
            return orr_fail(error, ORR_USAGE, "--%s is given twice", option->name);
        }
        a->seen[row / 64] |= (uint64_t)1 << (row % 64);
        orr_status status = check_dash(a->command, option, optarg, error);
        if (status == ORR_OK) status = option->set(a, optarg, error);
        if (status != ORR_OK) return status;
        if (a->help) return ORR_OK; // help wins over whatever else is wrong
    }
    for (int i = optind; i < argc; i++) a->operands[a->operand_count++] = argv[i];
    return ORR_OK;
}

static orr_status check_pairs(const orr_arguments *a, orr_error *error) {
    static const char *const pair[][2] = {
        {"quiet", "verbose"},
        {"files-from", "files-from0"},
        {"passphrase-file", "passphrase-fd"},
        {"new-passphrase-file", "new-passphrase-fd"},
        {"no-passphrase", "new-passphrase-file"},
        {"no-passphrase", "new-passphrase-fd"},
        {"latents", "seed"},
    };
    for (size_t i = 0; i < sizeof pair / sizeof *pair; i++) {
        if (orr_arguments_has(a, pair[i][0]) && orr_arguments_has(a, pair[i][1])) {
            return orr_fail(error, ORR_USAGE, "--%s and --%s exclude each other", pair[i][0],
                            pair[i][1]);
        }
    }
    if (a->command->id == ORR_COMMAND_KEYRING_NEW && a->no_passphrase &&
        (a->passphrase_file || a->passphrase_fd >= 0)) {
        return orr_fail(error, ORR_USAGE,
                        "--no-passphrase excludes --passphrase-file and --passphrase-fd");
    }
    if (a->passphrase_fd >= 0 && a->passphrase_fd == a->new_passphrase_fd) {
        return orr_fail(error, ORR_USAGE, "--passphrase-fd and --new-passphrase-fd must differ");
    }
    const char *list = a->files_from ? a->files_from : a->files_from0;
    if (list && strcmp(list, "-") == 0 && a->passphrase_fd == 0) {
        return orr_fail(error, ORR_USAGE,
                        "standard input cannot be both the list of files and the passphrase");
    }
    if (a->command->id == ORR_COMMAND_GENERATE && a->latents && a->count) {
        return orr_fail(error, ORR_USAGE, "--latents says how many images; it excludes --count");
    }
    if (a->command->id == ORR_COMMAND_GENERATE && !a->weights) {
        return orr_fail(error, ORR_USAGE, "generate needs --weights FILE");
    }
    if (orr_arguments_has(a, "mu") && a->profile != ORR_PROFILE_PAPER) {
        return orr_fail(error, ORR_USAGE, "--mu needs --profile paper");
    }
    return ORR_OK;
}

static orr_status check_operands(orr_arguments *a, orr_error *error) {
    const orr_command *command = a->command;
    for (size_t i = 0; i < a->operand_count; i++) {
        if (!*a->operands[i]) return orr_fail(error, ORR_USAGE, "a name is empty");
        orr_status status = check_dash_operand(command, a->operands[i], error);
        if (status != ORR_OK) return status;
    }
    if ((command->required & ORR_NEED_KEYRING) && !a->keyring) {
        return orr_fail(error, ORR_USAGE, "%s needs -k KEYRING", command->name);
    }
    if ((command->required & ORR_NEED_OUTPUT) && !a->output) {
        return orr_fail(error, ORR_USAGE, "%s needs -o %s", command->name,
                        command->id == ORR_COMMAND_KEYRING_NEW ? "KEYRING"
                        : command->id == ORR_COMMAND_ANALYZE   ? "REPORTDIR"
                        : command->id == ORR_COMMAND_TRAIN     ? "RUNDIR"
                                                               : "OUT");
    }
    int listed = a->files_from || a->files_from0;
    if (a->operand_count < command->least && !((command->required & ORR_NEED_INPUT) && listed)) {
        return orr_fail(error, ORR_USAGE, "%s needs %s", command->name, command->operands);
    }
    if (a->operand_count > command->most) {
        return orr_fail(error, ORR_USAGE, "%s does not take \"%s\"", command->name,
                        a->operands[command->most]);
    }
    return ORR_OK;
}

static orr_status check_keyring_new(orr_arguments *a, orr_error *error) {
    if (a->weights && a->decoy_count) {
        return orr_fail(error, ORR_USAGE, "--weights and --decoy exclude each other");
    }
    if (!a->weights && (a->decoy_pool || a->save_decoys)) {
        return orr_fail(error, ORR_USAGE, "--%s needs --weights",
                        a->decoy_pool ? "decoys" : "save-decoys");
    }
    if (!a->weights && strcmp(a->device, "auto") != 0) {
        return orr_fail(error, ORR_USAGE, "--device needs --weights");
    }
    if (a->weights && a->operand_count) {
        return orr_fail(error, ORR_USAGE, "keyring new does not take \"%s\"", a->operands[0]);
    }
    if (a->weights) return ORR_OK;
    if (a->decoy_count == 0) {
        if (a->operand_count) {
            return orr_fail(error, ORR_USAGE,
                            "keyring new does not take \"%s\"; images follow --decoy",
                            a->operands[0]);
        }
        return orr_fail(
            error, ORR_USAGE,
            "keyring new needs --weights FILE, or --decoy IMAGE...: at least one picture");
    }
    // --decoy A B C: getopt hands over A; B and C are operands.
    for (size_t i = 0; i < a->operand_count; i++) a->decoys[a->decoy_count++] = a->operands[i];
    if (a->decoy_count > ORR_KEYRING_MAX_DECOYS) {
        return orr_fail(error, ORR_USAGE, "a keyring holds at most %d decoys",
                        ORR_KEYRING_MAX_DECOYS);
    }
    return ORR_OK;
}

static orr_status check_set_state(orr_arguments *a, orr_error *error) {
    static const orr_key_state states[] = {ORR_KEY_ACTIVE, ORR_KEY_DECRYPT_ONLY, ORR_KEY_DESTROYED};
    static const char *const names[] = {"active", "decrypt-only", "destroyed"};
    for (size_t i = 0; i < 3; i++) {
        if (strcmp(a->operands[1], names[i]) == 0) a->state = states[i];
    }
    if (!a->state) {
        return orr_fail(error, ORR_USAGE, "STATE is active, decrypt-only or destroyed, not \"%s\"",
                        a->operands[1]);
    }
    if (a->yes && a->state != ORR_KEY_DESTROYED) {
        return orr_fail(error, ORR_USAGE, "--yes only goes with the state destroyed");
    }
    return ORR_OK;
}

static orr_status check_train(orr_arguments *a, orr_error *error) {
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

orr_status orr_arguments_parse(orr_arguments *a, int argc, char **argv, orr_error *error) {
    *a = (orr_arguments){.passphrase_fd = -1,
                         .new_passphrase_fd = -1,
                         .profile = ORR_PROFILE_ARCHIVE,
                         .device = "auto",
                         .bytes = UINT64_MAX,
                         .run_seed = 1,
                         .training = orr_training_default_options()};
    int skip = 0;
    orr_status status = parse_command(a, argc, argv, &skip, error);
    if (status != ORR_OK || skip == 0) return status;
    a->operands = calloc((size_t)argc + 1, sizeof *a->operands);
    a->decoys = calloc((size_t)argc + 1, sizeof *a->decoys);
    a->folders = calloc((size_t)argc + 1, sizeof *a->folders);
    if (!a->operands || !a->decoys || !a->folders)
        return orr_fail(error, ORR_INTERNAL, "memory ran out");
    status = parse_options(a, argc - skip, argv + skip, error);
    if (status == ORR_OK && a->help) return ORR_OK;
    if (status == ORR_OK) status = check_pairs(a, error);
    if (status == ORR_OK) status = check_operands(a, error);
    if (status == ORR_OK && a->command->id == ORR_COMMAND_KEYRING_NEW)
        status = check_keyring_new(a, error);
    if (status == ORR_OK && a->command->id == ORR_COMMAND_KEYRING_SET_STATE)
        status = check_set_state(a, error);
    if (status == ORR_OK && a->command->id == ORR_COMMAND_TRAIN) status = check_train(a, error);
    return status;
}

void orr_arguments_free(orr_arguments *a) {
    free(a->operands);
    free(a->decoys);
    free(a->folders);
    a->operands = a->decoys = NULL;
    a->folders = NULL;
}
