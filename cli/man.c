// Manual pages, in roff with the man macros. Without a date: a build shall give the same bytes on
// another day.
#include <ctype.h>
#include <string.h>

#include "base/version.h"
#include "cli/help.h"

// Text that roff takes for nothing else. A hyphen would be one of typography, not of a shell.
static void put(FILE *out, const char *text) {
    for (; *text; text++) {
        switch (*text) {
        case '\\':
            fputs("\\e", out);
            break;
        case '-':
            fputs("\\-", out);
            break;
        case '\'':
            fputs("\\(aq", out);
            break;
        case '`':
            fputs("\\(ga", out);
            break;
        case '^':
            fputs("\\(ha", out);
            break;
        case '~':
            fputs("\\(ti", out);
            break;
        default:
            fputc(*text, out);
        }
    }
}

static void put_in(FILE *out, char font, const char *text) {
    fprintf(out, "\\f%c", font);
    put(out, text);
    fputs("\\fR", out);
}

// Lines of a paragraph begin with a letter: none is taken for a request of roff.
static void put_line(FILE *out, const char *text) {
    if (*text == '.') fputs("\\&", out);
    put(out, text);
    fputc('\n', out);
}

static void put_paragraphs(FILE *out, const char *text) {
    for (const char *end; (end = strstr(text, "\n\n")); text = end + 2) {
        char paragraph[2048];
        snprintf(paragraph, sizeof paragraph, "%.*s", (int)(end - text), text);
        put_line(out, paragraph);
        fputs(".PP\n", out);
    }
    put_line(out, text);
}

// "orrery-keyring-new"
static void page_name(char name[64], const char *of) {
    snprintf(name, 64, "orrery%s%s", *of ? "-" : "", of);
    for (char *at = name; *at; at++)
        if (*at == ' ') *at = '-';
}

static void put_reference(FILE *out, const char *of) {
    char name[64];
    page_name(name, of);
    put_in(out, 'B', name);
    fputs("(1)", out);
}

static void put_head(FILE *out, const char *of, const char *summary) {
    char name[64], title[64];
    page_name(name, of);
    for (size_t i = 0; i < sizeof name; i++) title[i] = (char)toupper((unsigned char)name[i]);
    fputs(".TH \"", out);
    put(out, title);
    fprintf(out, "\" 1 \"\" \"Orrery %s\" \"Orrery\"\n.SH NAME\n", orr_version());
    put(out, name);
    fputs(" \\- ", out);
    put_line(out, summary);
}

static void put_item(FILE *out, const char *name, const char *text) {
    fputs(".TP\n", out);
    put_in(out, 'B', name);
    fputc('\n', out);
    put_line(out, text);
}

static void put_option(FILE *out, const orr_option *option) {
    char name[64];
    fputs(".TP\n", out);
    if (option->letter) {
        snprintf(name, sizeof name, "-%c", option->letter);
        put_in(out, 'B', name);
        fputs(", ", out);
    }
    snprintf(name, sizeof name, "--%s", option->name);
    put_in(out, 'B', name);
    if (option->argument) {
        fputc(' ', out);
        put_in(out, 'I', option->argument);
    }
    fputc('\n', out);
    put_line(out, option->help);
    if (option->kind != ORR_VALUE_LIST) return;
    fputs(".br\n", out);
    orr_print_choices(out, option->choices, ", ");
    fputc('\n', out);
}

static void put_status(void *context, orr_status status, const char *text) {
    char number[16];
    snprintf(number, sizeof number, "%d", (int)status);
    put_item(context, number, text);
}

static void put_statuses(FILE *out, const orr_command *command) {
    const char *several = orr_exit_of_several(command);
    fputs(".SH EXIT STATUS\n", out);
    orr_exit_statuses(command, out, put_status);
    if (!several) return;
    fputs(".PP\n", out);
    put_line(out, several);
}

static void put_example(FILE *out, const char *text) {
    fputs(".SH EXAMPLES\n.nf\n", out);
    put_line(out, text);
    fputs(".fi\n", out);
}

static void put_command(FILE *out, const orr_command *command) {
    put_head(out, command->name, command->summary);
    fputs(".SH SYNOPSIS\n", out);
    put_in(out, 'B', "orrery ");
    put_in(out, 'B', command->name);
    fputc(' ', out);
    put_line(out, command->synopsis);
    fputs(".SH DESCRIPTION\n", out);
    put_paragraphs(out, command->details);
    for (size_t i = 0; i < 2; i++) {
        const orr_operand *operand = &command->operands[i];
        if (!operand->choices) continue;
        fprintf(out, ".PP\n\\fI%s\\fR is one of\n", operand->name);
        for (const orr_choice *choice = operand->choices; choice->name; choice++)
            put_item(out, choice->name, choice->help);
    }
    fputs(".SH OPTIONS\n", out);
    for (size_t i = 0; command->options[i]; i++) put_option(out, command->options[i]);
    put_statuses(out, command);
    put_example(out, command->example);
    fputs(".SH SEE ALSO\n", out);
    put_reference(out, "");
    fputc('\n', out);
}

static void put_commands(FILE *out, const orr_group *group) {
    fputs(".SH COMMANDS\n", out);
    for (size_t i = 0; i < orr_command_count; i++)
        if (!group || orr_group_member(group, orr_commands[i]))
            put_item(out, orr_commands[i]->name, orr_commands[i]->summary);
}

static void put_see_also(FILE *out, const orr_group *group) {
    int some = 0;
    fputs(".SH SEE ALSO\n", out);
    if (group) put_reference(out, ""), some = 1;
    for (size_t i = 0; !group && i < orr_group_count; i++) {
        if (some++) fputs(",\n", out);
        put_reference(out, orr_groups[i].name);
    }
    for (size_t i = 0; i < orr_command_count; i++) {
        if (group && !orr_group_member(group, orr_commands[i])) continue;
        if (some++) fputs(",\n", out);
        put_reference(out, orr_commands[i]->name);
    }
    fputc('\n', out);
}

static void put_program(FILE *out) {
    put_head(out, "", "encrypt archives of medical scans");
    fputs(".SH SYNOPSIS\n.B orrery\n\\fICOMMAND\\fR [\\fIOPTION\\fR]... [\\fIARGUMENT\\fR]...\n"
          ".SH DESCRIPTION\n",
          out);
    put_paragraphs(out, orr_about);
    fputs(".PP\nEach command has a manual page of its own, and \\fBorrery help\\fR \\fICOMMAND\\fR "
          "shows the same.\n",
          out);
    put_commands(out, NULL);
    fputs(".SH OPTIONS\n", out);
    put_item(out, "-h, --help", "the commands");
    put_item(out, "--version", "version, commit and modules, as orrery version");
    put_statuses(out, NULL);
    put_example(out, "orrery keyring new -o hospital.keyring --decoy skin-*.png\n"
                     "orrery encrypt -k hospital.keyring scans/ -o sealed/\n"
                     "orrery verify -k hospital.keyring sealed/");
    put_see_also(out, NULL);
}

void orr_man_print(FILE *out, const orr_command *command, const orr_group *group) {
    if (command) {
        put_command(out, command);
    } else if (group) {
        put_head(out, group->name, group->summary);
        fputs(".SH SYNOPSIS\n", out);
        put_in(out, 'B', "orrery ");
        put_in(out, 'B', group->name);
        fputs(" \\fICOMMAND\\fR [\\fIOPTION\\fR]...\n.SH DESCRIPTION\n", out);
        put_paragraphs(out, group->details);
        put_commands(out, group);
        put_see_also(out, group);
    } else {
        put_program(out);
    }
}
