// Help: asked for, it goes to stdout; after a mistake nobody gets a page of it.
#include "cli/help.h"

#include <string.h>

#define HELP_COLUMN 30
#define HELP_WIDTH 80

const char orr_about[] =
    "Encrypts, verifies, decrypts and re-encrypts archives of medical scans. Every encrypted file "
    "is itself a valid TIFF; confidentiality and integrity rest on AES-256-GCM.";

static const char *exit_text(orr_status status) {
    switch (status) {
    case ORR_OK:
        return "all done";
    case ORR_INTERNAL:
        return "internal error or out of memory";
    case ORR_USAGE:
        return "wrong command line";
    case ORR_SOME_FAILED:
        return "some of several files failed";
    case ORR_AUTH:
        return "tampered, corrupt or truncated";
    case ORR_KEY:
        return "wrong or missing key or passphrase";
    case ORR_EXISTS:
        return "the output exists and is something else";
    case ORR_IO:
        return "reading, writing or space";
    case ORR_UNSUPPORTED:
        return "unsupported or hostile input, or no such device";
    case ORR_INCOMPLETE:
        return "a job has not finished the archive";
    case ORR_NOT_ORRERY:
        return "not an Orrery file, or none where some should be";
    case ORR_SELF_TEST:
        return "the device failed its self-test";
    case ORR_STOPPED:
        return "stopped by a signal";
    }
    return "";
}

void orr_exit_statuses(const orr_command *command, void *context,
                       void (*tell)(void *context, orr_status status, const char *text)) {
    char stopped[128];
    for (int status = 0; status < ORR_STOPPED; status++) {
        int listed = status <= ORR_USAGE || !command || (command->exit_statuses >> status & 1);
        if (listed && status < 32 && *exit_text((orr_status)status))
            tell(context, (orr_status)status, exit_text((orr_status)status));
    }
    if (command && command->unstoppable) return;
    snprintf(stopped, sizeof stopped, "%s%s%s", exit_text(ORR_STOPPED),
             command && command->stopped ? "; " : "",
             command && command->stopped ? command->stopped : "");
    tell(context, ORR_STOPPED, stopped);
}

const char *orr_exit_of_several(const orr_command *command) {
    return !command || (command->exit_statuses >> ORR_SOME_FAILED & 1)
               ? "Of several inputs, 13, 7 and 75 come first, then 4, 9 and 3."
               : NULL;
}

void orr_print_choices(FILE *out, const orr_choice *choices, const char *between) {
    for (size_t i = 0; choices[i].name; i++)
        fprintf(out, "%s%s", i ? between : "", choices[i].name);
}

// Words of `text` in lines that begin `indent` columns from the left; an empty line stays one.
static void print_wrapped(FILE *out, const char *text, int indent) {
    int column = 0;
    while (*text) {
        int length = (int)strcspn(text, " \n");
        if (column && column + 1 + length > HELP_WIDTH) {
            fputc('\n', out);
            column = 0;
        }
        column += fprintf(out, "%*s%.*s", column ? 1 : indent, "", length, text);
        text += length;
        for (; *text == ' '; text++) {
        }
        for (; *text == '\n'; text++, column = 0) fputc('\n', out);
    }
    fputc('\n', out);
}

static void print_option(FILE *out, const orr_option *option) {
    char left[64], letter[8] = "    ";
    if (option->letter) snprintf(letter, sizeof letter, "-%c, ", option->letter);
    int width = snprintf(left, sizeof left, "  %s--%s%s%s", letter, option->name,
                         option->argument ? " " : "", option->argument ? option->argument : "");
    if (width > HELP_COLUMN - 2) {
        fprintf(out, "%s\n%*s%s\n", left, HELP_COLUMN, "", option->help);
    } else {
        fprintf(out, "%-*s%s\n", HELP_COLUMN, left, option->help);
    }
    if (option->kind == ORR_VALUE_LIST) {
        char names[512] = "";
        size_t used = 0;
        for (size_t i = 0; option->choices[i].name && used < sizeof names; i++)
            used += (size_t)snprintf(names + used, sizeof names - used, "%s%s", i ? ", " : "",
                                     option->choices[i].name);
        print_wrapped(out, names, HELP_COLUMN);
    }
}

static void print_operands(FILE *out, const orr_command *command) {
    for (size_t i = 0; i < 2; i++) {
        const orr_operand *operand = &command->operands[i];
        if (!operand->choices) continue;
        int width = 0;
        for (const orr_choice *choice = operand->choices; choice->name; choice++)
            if ((int)strlen(choice->name) > width) width = (int)strlen(choice->name);
        fprintf(out, "\n%s is one of\n", operand->name);
        for (const orr_choice *choice = operand->choices; choice->name; choice++)
            fprintf(out, "  %-*s  %s\n", width, choice->name, choice->help);
    }
}

static void print_status(void *context, orr_status status, const char *text) {
    fprintf(context, "  %-3d %s\n", status, text);
}

static void print_commands(FILE *out, const orr_group *group) {
    fputs("\nCommands:\n", out);
    for (size_t i = 0; i < orr_command_count; i++)
        if (!group || orr_group_member(group, orr_commands[i]))
            fprintf(out, "  %-18s %s\n", orr_commands[i]->name, orr_commands[i]->summary);
}

static void print_program(FILE *out) {
    fputs("usage: orrery COMMAND [OPTION]... [ARGUMENT]...\n\n", out);
    print_wrapped(out, orr_about, 0);
    print_commands(out, NULL);
    fputs("\n`orrery help COMMAND` shows a command's options, exit statuses and an example.\n\n"
          "Example:\n"
          "  orrery keyring new -o hospital.keyring --decoy skin-*.png\n"
          "  orrery encrypt -k hospital.keyring scans/ -o sealed/\n"
          "  orrery verify -k hospital.keyring sealed/\n",
          out);
}

static void print_group(FILE *out, const orr_group *group) {
    fprintf(out, "usage: orrery %s COMMAND [OPTION]...\n\n", group->name);
    print_wrapped(out, group->details, 0);
    print_commands(out, group);
    fprintf(out, "\n`orrery help %s COMMAND` shows each one's options.\n", group->name);
}

void orr_help_print(FILE *out, const orr_command *command, const orr_group *group) {
    const char *several;
    if (!command && group) {
        print_group(out, group);
        return;
    }
    if (!command) {
        print_program(out);
        return;
    }
    fprintf(out, "usage: orrery %s %s\n\n", command->name, command->synopsis);
    print_wrapped(out, command->details, 0);
    print_operands(out, command);
    fputs("\nOptions:\n", out);
    for (size_t i = 0; command->options[i]; i++) print_option(out, command->options[i]);
    fprintf(out, "\nExample:\n  %s\n\nExit status:\n", command->example);
    orr_exit_statuses(command, out, print_status);
    if ((several = orr_exit_of_several(command))) fprintf(out, "%s\n", several);
}
