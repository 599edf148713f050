// orrery help: texts made from the descriptions of the commands.
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "base/directory.h"
#include "cli/cli.h"
#include "cli/help.h"

typedef void (*page_printer)(FILE *out, const orr_command *command, const orr_group *group);

static FILE *begin(const char *share, const char *name, orr_error *error) {
    char path[4096];
    if ((size_t)snprintf(path, sizeof path, "%s/%s", share, name) >= sizeof path) {
        orr_fail(error, ORR_USAGE, "%s: the name is too long", share);
        return NULL;
    }
    FILE *out = orr_directory_make_above(path) == 0 ? fopen(path, "we") : NULL;
    if (!out) orr_fail(error, ORR_IO, "%s: cannot be written: %s", path, strerror(errno));
    return out;
}

static orr_status end(FILE *out, const char *name, orr_error *error) {
    int failed = ferror(out);
    if (fclose(out) == 0 && !failed) return ORR_OK;
    return orr_fail(error, ORR_IO, "%s: writing failed: %s", name, strerror(errno));
}

static orr_status write_page(const char *share, const orr_command *command, const orr_group *group,
                             orr_error *error) {
    char name[128];
    const char *of = command ? command->name : group ? group->name : "";
    int length = snprintf(name, sizeof name, "man/man1/orrery%s%s", *of ? "-" : "", of);
    for (char *at = name; *at; at++)
        if (*at == ' ') *at = '-';
    snprintf(name + length, sizeof name - (size_t)length, ".1");
    FILE *out = begin(share, name, error);
    if (!out) return error->status;
    orr_man_print(out, command, group);
    return end(out, name, error);
}

static orr_status write_completion(const char *share, const orr_choice *shell, orr_error *error) {
    static const char *const places[] = {"bash-completion/completions/orrery",
                                         "zsh/site-functions/_orrery",
                                         "fish/vendor_completions.d/orrery.fish"};
    FILE *out = begin(share, places[shell->value], error);
    if (!out) return error->status;
    orr_completion_print(out, shell->value);
    return end(out, places[shell->value], error);
}

static orr_status write_all(const char *share, orr_error *error) {
    orr_status status = write_page(share, NULL, NULL, error);
    for (size_t i = 0; i < orr_group_count && status == ORR_OK; i++)
        status = write_page(share, NULL, &orr_groups[i], error);
    for (size_t i = 0; i < orr_command_count && status == ORR_OK; i++)
        status = write_page(share, orr_commands[i], NULL, error);
    for (size_t i = 0; orr_shells[i].name && status == ORR_OK; i++)
        status = write_completion(share, &orr_shells[i], error);
    return status;
}

static orr_status run(orr_cli *cli, orr_error *error) {
    signal(SIGPIPE, SIG_DFL); // whoever reads the head of a page wants no word about the rest
    const orr_arguments *a = &cli->arguments;
    const char *first = a->operand_count ? a->operands[0] : "",
               *second = a->operand_count > 1 ? a->operands[1] : "";
    const orr_group *group = orr_group_find(first);
    const orr_command *command = orr_command_of_words(first, second);
    page_printer print = a->about.man ? orr_man_print : orr_help_print;
    if (!command && *first && !(group && !*second))
        return orr_command_unknown(group ? first : "", group ? second : first, error);
    if (command && !group && *second)
        return orr_fail(error, ORR_USAGE, "%s has no command \"%s\"", first, second);
    if (a->about.share) return write_all(a->about.share, error);
    if (orr_arguments_has(a, "completion"))
        orr_completion_print(stdout, a->about.completion);
    else
        print(stdout, command, group);
    if (fflush(stdout) == 0) return ORR_OK;
    return orr_fail(error, ORR_IO, "standard output: %s", strerror(errno));
}

static orr_status check(orr_arguments *a, orr_error *error) {
    const char *alone = a->about.share                       ? "share"
                        : orr_arguments_has(a, "completion") ? "completion"
                                                             : NULL;
    if (alone && a->operand_count)
        return orr_fail(error, ORR_USAGE, "--%s is about all commands; it takes no COMMAND", alone);
    return ORR_OK;
}

static const orr_option man = {
    .name = "man", .help = "as a manual page, for `man -l -`", ORR_TAKES(NONE, about.man)};
static const orr_option completion = {.name = "completion",
                                      .argument = "SHELL",
                                      .help = "completions for bash, zsh or fish instead",
                                      ORR_TAKES(CHOICE, about.completion),
                                      .choices = orr_shells};
static const orr_option share = {.name = "share",
                                 .argument = "DIR",
                                 .help = "write all of both below DIR, as in /usr/share",
                                 ORR_TAKES(DIRECTORY, about.share)};

const orr_command orr_cmd_help = {
    .name = "help",
    .synopsis = "[OPTION]... [COMMAND]",
    .summary = "show a command's options and exit statuses",
    .details = "Shows the commands, or the options, an example and the exit statuses of one, as "
               "COMMAND --help does. A shell takes completions with, for example, "
               "`source <(orrery help --completion bash)`.",
    .example = "orrery help keyring new",
    .options = ORR_OPTIONS(&man, &completion, &share),
    .operands = {{"COMMAND", ORR_VALUE_COMMAND, NULL}},
    .most = 2,
    .exit_statuses = ORR_EXIT(IO),
    .check = check,
    .run = run,
};
