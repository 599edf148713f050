// Every command, in the order of the help. Each is described in its cmd_*.c.
#include <stdio.h>
#include <string.h>

#include "cli/options.h"

#define COMMANDS(X)      \
    X(keyring_new)       \
    X(keyring_add)       \
    X(keyring_list)      \
    X(keyring_set_state) \
    X(keyring_passwd)    \
    X(keyring_export)    \
    X(keyring_unlock)    \
    X(keyring_merge)     \
    X(keyring_convert)   \
    X(encrypt)           \
    X(decrypt)           \
    X(verify)            \
    X(rewrap)            \
    X(reencrypt)         \
    X(repair)            \
    X(inspect)           \
    X(generate)          \
    X(keystream)         \
    X(devices)           \
    X(analyze)           \
    X(bench)             \
    X(train)             \
    X(help)              \
    X(version)

#define DECLARE(name) extern const orr_command orr_cmd_##name;
COMMANDS(DECLARE)

#define POINTER(name) &orr_cmd_##name,
const orr_command *const orr_commands[] = {COMMANDS(POINTER)};
const size_t orr_command_count = sizeof orr_commands / sizeof *orr_commands;

const orr_group orr_groups[] = {
    {"keyring", "make and change keyrings",
     "A keyring is one sealed file with the master keys and the decoy pool. Losing it loses the "
     "archive."},
};
const size_t orr_group_count = sizeof orr_groups / sizeof *orr_groups;

static const orr_command *find(const char *name) {
    for (size_t i = 0; i < orr_command_count; i++)
        if (strcmp(orr_commands[i]->name, name) == 0) return orr_commands[i];
    return NULL;
}

const orr_option *orr_command_option(const orr_command *command, const char *long_name) {
    for (size_t i = 0; command->options[i]; i++)
        if (strcmp(command->options[i]->name, long_name) == 0) return command->options[i];
    return NULL;
}

const orr_operand *orr_command_operand(const orr_command *command, size_t number) {
    return &command->operands[number && command->operands[1].name ? 1 : 0];
}

const orr_group *orr_group_find(const char *name) {
    for (size_t i = 0; i < orr_group_count; i++)
        if (strcmp(orr_groups[i].name, name) == 0) return &orr_groups[i];
    return NULL;
}

const char *orr_group_member(const orr_group *group, const orr_command *command) {
    size_t length = strlen(group->name);
    return strncmp(command->name, group->name, length) == 0 && command->name[length] == ' '
               ? command->name + length + 1
               : NULL;
}

const orr_command *orr_command_of_words(const char *first, const char *second) {
    char name[128];
    if (!orr_group_find(first)) return strchr(first, ' ') ? NULL : find(first);
    snprintf(name, sizeof name, "%s %s", first, second);
    return find(name);
}

orr_status orr_command_unknown(const char *group, const char *word, orr_error *error) {
    char name[512];
    snprintf(name, sizeof name, "%s%s%s", group, *group ? " " : "", word);
    orr_spelling spelling = {.word = name};
    for (size_t i = 0; i < orr_command_count; i++)
        orr_spelling_try(&spelling, orr_commands[i]->name);
    for (size_t i = 0; i < orr_group_count; i++) orr_spelling_try(&spelling, orr_groups[i].name);
    if (spelling.nearest)
        return orr_fail(error, ORR_USAGE, "unknown command \"%s\"; did you mean %s?", name,
                        spelling.nearest);
    return orr_fail(error, ORR_USAGE, "unknown command \"%s\"", name);
}
