// argv -> orr_arguments, driven by the descriptions of the commands.
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/options.h"

// getopt_long's return value for the n-th option of the command; above every letter.
#define ROW(n) (256 + (int)(n))

int orr_arguments_has(const orr_arguments *a, const char *long_name) {
    for (size_t i = 0; a->command && a->command->options[i]; i++)
        if ((a->seen >> i & 1) && strcmp(a->command->options[i]->name, long_name) == 0) return 1;
    return 0;
}

int orr_arguments_want_json(int argc, char **argv) {
    const orr_command *command =
        argc > 1 ? orr_command_of_words(argv[1], argc > 2 ? argv[2] : "") : NULL;
    const orr_option *json = command ? orr_command_option(command, "json") : NULL;
    if (json && json->argument) return 0; // it names a file
    for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++) {
        if (strcmp(argv[i], "--json") == 0) return 1;
    }
    return 0;
}

static int is_help(const char *word) {
    return strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0;
}

static orr_status needs_member(const orr_group *group, orr_error *error) {
    char names[256] = "";
    for (size_t i = 0, used = 0; i < orr_command_count && used < sizeof names; i++) {
        const char *member = orr_group_member(group, orr_commands[i]);
        if (member)
            used += (size_t)snprintf(names + used, sizeof names - used, "%s%s", used ? ", " : "",
                                     member);
    }
    return orr_fail(error, ORR_USAGE, "%s needs one of %s", group->name, names);
}

// Finds the command and how many words it takes; none: help of the program itself, or of a group.
static orr_status parse_command(orr_arguments *a, int argc, char **argv, int *skip,
                                orr_error *error) {
    const char *first = argc > 1 ? argv[1] : NULL;
    if (!first) return orr_fail(error, ORR_USAGE, "a command is needed");
    if (is_help(first)) {
        a->help = 1;
        return ORR_OK;
    }
    *skip = 1;
    if (strcmp(first, "--version") == 0) first = "version";
    if (*first == '-')
        return orr_fail(error, ORR_USAGE, "unknown option \"%s\" before the command", first);
    const orr_group *group = orr_group_find(first);
    a->group = group; // of which help is offered, or asked for
    if (group && argc < 3) return needs_member(group, error);
    if (group && is_help(argv[2])) {
        a->help = 1;
        return ORR_OK;
    }
    a->command = orr_command_of_words(first, group ? argv[2] : "");
    if (group) *skip = 2;
    if (a->command) return ORR_OK;
    return orr_command_unknown(group ? first : "", group ? argv[2] : first, error);
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

static int takes(const orr_command *command, const char *shown, int letter) {
    for (size_t i = 0; command->options[i]; i++) {
        const orr_option *option = command->options[i];
        if (letter ? option->letter == letter : strcmp(shown + 2, option->name) == 0) return 1;
    }
    return 0;
}

static orr_status unknown_option(const orr_command *command, const char *word, int letter,
                                 orr_error *error) {
    char shown[64];
    if (letter) {
        snprintf(shown, sizeof shown, "-%c", letter);
    } else {
        snprintf(shown, sizeof shown, "%.*s", (int)strcspn(word, "="), word);
    }
    for (size_t i = 0; i < orr_command_count; i++)
        if (takes(orr_commands[i], shown, letter))
            return orr_fail(error, ORR_USAGE, "%s does not take %s", command->name, shown);
    orr_spelling spelling = {.word = letter ? "" : shown + 2};
    for (size_t i = 0; !letter && command->options[i]; i++)
        orr_spelling_try(&spelling, command->options[i]->name);
    if (spelling.nearest)
        return orr_fail(error, ORR_USAGE, "unknown option \"%s\"; did you mean --%s?", shown,
                        spelling.nearest);
    return orr_fail(error, ORR_USAGE, "unknown option \"%s\"", shown);
}

static void build_getopt_tables(const orr_command *command, char *letters, struct option *options) {
    size_t i;
    *letters++ = ':'; // tell a missing argument from an unknown option
    for (i = 0; command->options[i] && i < ORR_MAX_OPTIONS; i++) {
        const orr_option *option = command->options[i];
        int argument = option->argument ? required_argument : no_argument;
        options[i] = (struct option){option->name, argument, NULL, ROW(i)};
        if (!option->letter) continue;
        *letters++ = option->letter;
        if (argument) *letters++ = ':';
    }
    *letters = 0;
    options[i] = (struct option){0};
}

static size_t row_of(const orr_command *command, int got) {
    size_t row = 0;
    if (got >= ROW(0)) return (size_t)(got - ROW(0));
    while (command->options[row]->letter != got) row++; // getopt knows no other letters
    return row;
}

static int is_name(orr_value_kind kind) {
    return kind == ORR_VALUE_FILE || kind == ORR_VALUE_DIRECTORY || kind == ORR_VALUE_PATH;
}

// "-" is a standard stream only where the help says so; elsewhere it would be taken for a file of
// that name, and hold what somebody waits for at the end of a pipe.
static orr_status check_dash(const orr_command *command, const orr_option *option,
                             const char *value, orr_error *error) {
    if (!value || strcmp(value, "-") != 0 || !is_name(option->kind) || option->dash) return ORR_OK;
    if (strstr(option->name, "passphrase-file") || strstr(option->name, "code-file"))
        return orr_fail(error, ORR_USAGE,
                        "--%s takes the name of a file: --%.*sfd 0 reads standard input",
                        option->name, (int)(strlen(option->name) - 4), option->name);
    return orr_fail(error, ORR_USAGE,
                    "--%s takes a name, and %s has no use for a standard stream there; ./- is a "
                    "file called \"-\"",
                    option->name, command->name);
}

static orr_status check_operand(const orr_command *command, size_t number, const char *value,
                                orr_error *error) {
    const orr_operand *operand = orr_command_operand(command, number);
    int ignored;
    if (!*value) return orr_fail(error, ORR_USAGE, "a name is empty");
    if (operand->kind == ORR_VALUE_CHOICE)
        return orr_value_choice(value, operand->name, operand->choices, &ignored, error);
    if (strcmp(value, "-") != 0 || operand->kind == ORR_VALUE_TEXT) return ORR_OK;
    return orr_fail(error, ORR_USAGE,
                    orr_command_option(command, "files-from")
                        ? "%s does not read a file from standard input: --files-from - reads the "
                          "names of files there; ./- is a file called \"-\""
                        : "%s does not read standard input; ./- is a file called \"-\"",
                    command->name);
}

static orr_status parse_options(orr_arguments *a, int argc, char **argv, orr_error *error) {
    char letters[2 * ORR_MAX_OPTIONS + 2];
    struct option options[ORR_MAX_OPTIONS + 1];
    build_getopt_tables(a->command, letters, options);
    opterr = 0;
    optind = 0; // GNU: start over
    for (int got; (got = getopt_long(argc, argv, letters, options, NULL)) != -1;) {
        if (got == '?')
            return unknown_option(a->command, argv[optind - 1], optopt < 256 ? optopt : 0, error);
        if (got == ':') return orr_fail(error, ORR_USAGE, "%s needs an argument", argv[optind - 1]);
        size_t row = row_of(a->command, got);
        const orr_option *option = a->command->options[row];
        if (got >= ROW(0) && is_abbreviation(current_word(argv), option->name)) {
            return orr_fail(error, ORR_USAGE, "unknown option \"%s\"; it is spelled --%s",
                            current_word(argv), option->name);
        }
        if ((a->seen >> row & 1) && !option->repeats) {
            return orr_fail(error, ORR_USAGE, "--%s is given twice", option->name);
        }
        a->seen |= (uint64_t)1 << row;
        orr_status status = check_dash(a->command, option, optarg, error);
        if (status == ORR_OK) status = orr_option_take(option, a, optarg, error);
        if (status != ORR_OK) return status;
        if (a->help) return ORR_OK; // help wins over whatever else is wrong
    }
    for (int i = optind; i < argc; i++) a->operands[a->operand_count++] = argv[i];
    return ORR_OK;
}

static orr_status check_pairs(const orr_arguments *a, orr_error *error) {
    const int old = a->keyring.passphrase.fd >= 0 ? a->keyring.passphrase.fd : a->keyring.code.fd;
    for (size_t i = 0; i < orr_option_pair_count; i++) {
        const orr_option_pair *pair = &orr_option_pairs[i];
        if (orr_arguments_has(a, pair->one) && orr_arguments_has(a, pair->other))
            return orr_fail(error, ORR_USAGE, "--%s and --%s exclude each other", pair->one,
                            pair->other);
    }
    if (old >= 0 && old == a->keyring.new_passphrase.fd) {
        return orr_fail(error, ORR_USAGE, "--%s-fd and --new-passphrase-fd must differ",
                        old == a->keyring.code.fd ? "recovery-code" : "passphrase");
    }
    const char *list = a->files_from ? a->files_from : a->files_from0;
    if (list && strcmp(list, "-") == 0 && old == 0) {
        return orr_fail(error, ORR_USAGE,
                        "standard input cannot be both the list of files and the %s",
                        old == a->keyring.code.fd ? "recovery code" : "passphrase");
    }
    return ORR_OK;
}

static orr_status check_required(const orr_arguments *a, orr_error *error) {
    for (size_t i = 0; a->command->required[i]; i++) {
        const orr_option *option = a->command->required[i];
        if (orr_arguments_has(a, option->name)) continue;
        if (option->letter)
            return orr_fail(error, ORR_USAGE, "%s needs -%c %s", a->command->name, option->letter,
                            option->argument);
        return orr_fail(error, ORR_USAGE, "%s needs --%s %s", a->command->name, option->name,
                        option->argument);
    }
    return ORR_OK;
}

static orr_status check_operands(const orr_arguments *a, orr_error *error) {
    const orr_command *command = a->command;
    int listed = a->files_from || a->files_from0;
    if (a->operand_count < command->least && !listed) {
        return orr_fail(error, ORR_USAGE, "%s needs %s", command->name, command->operands_needed);
    }
    if (a->operand_count > command->most) {
        return orr_fail(error, ORR_USAGE, "%s does not take \"%s\"", command->name,
                        a->operands[command->most]);
    }
    for (size_t i = 0; i < a->operand_count; i++) {
        orr_status status = check_operand(command, i, a->operands[i], error);
        if (status != ORR_OK) return status;
    }
    return ORR_OK;
}

orr_status orr_arguments_parse(orr_arguments *a, int argc, char **argv, orr_error *error) {
    *a = (orr_arguments){
        .keyring = {.passphrase = {.fd = -1}, .code = {.fd = -1}, .new_passphrase = {.fd = -1}},
        .job = {.profile = ORR_PROFILE_ARCHIVE},
        .device = "auto",
        .generate = {.seed = 1},
        .analyze = {.seed = 1},
        .keystream = {.bytes = UINT64_MAX},
        .training = orr_training_default_options()};
    int skip = 0;
    orr_status status = parse_command(a, argc, argv, &skip, error);
    if (status != ORR_OK || !a->command) return status;
    a->operands = calloc((size_t)argc + 1, sizeof *a->operands);
    a->decoys.images = calloc((size_t)argc + 1, sizeof *a->decoys.images);
    a->folders = calloc((size_t)argc + 1, sizeof *a->folders);
    a->job.recipients = calloc((size_t)argc + 1, sizeof *a->job.recipients);
    a->job.removed = calloc((size_t)argc + 1, sizeof *a->job.removed);
    if (!a->operands || !a->decoys.images || !a->folders || !a->job.recipients || !a->job.removed)
        return orr_fail(error, ORR_INTERNAL, "memory ran out");
    status = parse_options(a, argc - skip, argv + skip, error);
    if (status == ORR_OK && a->help) return ORR_OK;
    if (status == ORR_OK) status = check_pairs(a, error);
    if (status == ORR_OK) status = check_required(a, error);
    if (status == ORR_OK) status = check_operands(a, error);
    if (status == ORR_OK && a->command->check) status = a->command->check(a, error);
    return status;
}

void orr_arguments_free(orr_arguments *a) {
    free(a->operands);
    free(a->decoys.images);
    free(a->folders);
    free(a->job.recipients);
    free(a->job.removed);
    a->job.recipients = a->job.removed = NULL;
    a->operands = a->decoys.images = NULL;
    a->folders = NULL;
}
