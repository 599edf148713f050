// Texts made from the descriptions of the commands: help, manual pages, completions.
#ifndef ORRERY_CLI_HELP_H
#define ORRERY_CLI_HELP_H

#include <stdio.h>

#include "cli/options.h"

#ifdef __cplusplus
extern "C" {
#endif

// What the program is, in a sentence or two.
extern const char orr_about[];

// Help, at most 79 columns wide: of a command, else of a group, else (both NULL) of the program.
void orr_help_print(FILE *out, const orr_command *command, const orr_group *group);

// The manual page, in roff with the man macros; as above.
void orr_man_print(FILE *out, const orr_command *command, const orr_group *group);

// The shells that there are completions for; ends with a NULL name.
extern const orr_choice orr_shells[];
// The completion script for one of them, by its value in orr_shells.
void orr_completion_print(FILE *out, int shell);

// Calls `tell` for each exit status of the command (NULL: for all that there are), in order.
void orr_exit_statuses(const orr_command *command, void *context,
                       void (*tell)(void *context, orr_status status, const char *text));
// What the status of several inputs is; NULL: the command has one input.
const char *orr_exit_of_several(const orr_command *command);
// The name that the value of an option has in a sentence, all of them, apart by `between`.
void orr_print_choices(FILE *out, const orr_choice *choices, const char *between);

#ifdef __cplusplus
}
#endif
#endif
