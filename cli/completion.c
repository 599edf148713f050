// Completion scripts for bash, zsh and fish.
#include <string.h>

#include "cli/help.h"

enum { BASH, ZSH, FISH };
const orr_choice orr_shells[] = {{.name = "bash", .value = BASH},
                                 {.name = "zsh", .value = ZSH},
                                 {.name = "fish", .value = FISH},
                                 {.name = NULL}};

// `text` inside single quotes of a shell, with a backslash before each of `special`.
static void put_quoted(FILE *out, const char *text, const char *special, const char *apostrophe) {
    for (; *text; text++) {
        if (*text == '\'') {
            fputs(apostrophe, out);
            continue;
        }
        if (strchr(special, *text)) fputc('\\', out);
        fputc(*text, out);
    }
}

// The commands of the group (NULL: commands of one word and the groups), one by one.
static void each_word(FILE *out, const orr_group *group,
                      void (*put)(FILE *out, const char *word, const char *summary)) {
    for (size_t i = 0; !group && i < orr_group_count; i++)
        put(out, orr_groups[i].name, orr_groups[i].summary);
    for (size_t i = 0; i < orr_command_count; i++) {
        const orr_command *command = orr_commands[i];
        const char *word = group                        ? orr_group_member(group, command)
                           : strchr(command->name, ' ') ? NULL
                                                        : command->name;
        if (word) put(out, word, command->summary);
    }
}

// ---- bash
static void bash_word(FILE *out, const char *word, const char *summary) {
    (void)summary;
    fprintf(out, " %s", word);
}

static void bash_kind(FILE *out, orr_value_kind kind, const orr_choice *choices) {
    switch (kind) {
    case ORR_VALUE_FILE:
    case ORR_VALUE_PATH:
        fputs("kind='file'", out);
        break;
    case ORR_VALUE_DIRECTORY:
        fputs("kind='directory'", out);
        break;
    case ORR_VALUE_COMMAND:
        fputs("kind=words words=$commands", out);
        break;
    default:
        fputs("kind=words words='", out);
        if (choices) orr_print_choices(out, choices, " ");
        fputc('\'', out);
    }
}

// Bash does not tell which operand is typed: the last one, or the first where that is a word of
// ours.
static const orr_operand *bash_operand(const orr_command *command) {
    const orr_operand *first = orr_command_operand(command, 0);
    if (first->kind == ORR_VALUE_CHOICE || !command->most) return first;
    return orr_command_operand(command, command->most - 1);
}

static void bash_command(FILE *out, const orr_command *command) {
    const orr_operand *operand = bash_operand(command);
    fprintf(out, "        '%s')\n            options='", command->name);
    for (size_t i = 0; command->options[i]; i++)
        fprintf(out, "%s--%s", i ? " " : "", command->options[i]->name);
    fputs("'\n            case $previous in\n", out);
    for (size_t i = 0; command->options[i]; i++) {
        const orr_option *option = command->options[i];
        if (!option->argument) continue;
        fputs("                ", out);
        if (option->letter) fprintf(out, "-%c | ", option->letter);
        fprintf(out, "--%s) value=1 ", option->name);
        bash_kind(out, option->kind, option->choices);
        fputs(" ;;\n", out);
    }
    fputs("                *) ", out);
    bash_kind(out, command->most ? operand->kind : ORR_VALUE_NONE, operand->choices);
    fputs(" ;;\n            esac\n            ;;\n", out);
}

static void print_bash(FILE *out) {
    fputs("# bash completion for orrery, made by `orrery help --completion bash`\n"
          "_orrery() {\n"
          "    local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]}\n"
          "    local command=${COMP_WORDS[1]} kind=words words='' options='' value='' commands\n"
          "    COMPREPLY=()\n"
          "    # --option=value comes in three words\n"
          "    if [[ $current == = ]]; then\n"
          "        current=''\n"
          "    elif [[ $previous == = ]]; then\n"
          "        previous=${COMP_WORDS[COMP_CWORD - 2]}\n"
          "    fi\n"
          "    commands='",
          out);
    each_word(out, NULL, bash_word);
    fputs("'\n", out);
    for (size_t i = 0; i < orr_group_count; i++) {
        fprintf(out,
                "    if [[ $command == %s ]]; then\n"
                "        if ((COMP_CWORD == 2)); then\n"
                "            mapfile -t COMPREPLY < <(compgen -W '",
                orr_groups[i].name);
        each_word(out, &orr_groups[i], bash_word);
        fputs(" --help' -- \"$current\")\n            return\n        fi\n"
              "        command+=\" ${COMP_WORDS[2]}\"\n    fi\n",
              out);
    }
    fputs("    if ((COMP_CWORD == 1)); then\n"
          "        mapfile -t COMPREPLY < <(compgen -W \"$commands --help --version\" -- "
          "\"$current\")\n"
          "        return\n"
          "    fi\n"
          "    case $command in\n",
          out);
    for (size_t i = 0; i < orr_command_count; i++) bash_command(out, orr_commands[i]);
    fputs("        *) return ;;\n"
          "    esac\n"
          "    if [[ -z $value && $current == -* ]]; then\n"
          "        mapfile -t COMPREPLY < <(compgen -W \"$options\" -- \"$current\")\n"
          "    elif [[ $kind == words ]]; then\n"
          "        mapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$current\")\n"
          "    else\n"
          "        compopt -o filenames\n"
          "        mapfile -t COMPREPLY < <(compgen -A \"$kind\" -- \"$current\")\n"
          "    fi\n"
          "}\n"
          "complete -F _orrery orrery\n",
          out);
}

// ---- zsh
static void zsh_word(FILE *out, const char *word, const char *summary) {
    fprintf(out, "        '%s:", word);
    put_quoted(out, summary, ":\\", "'\\''");
    fputs("'\n", out);
}

static void zsh_action(FILE *out, orr_value_kind kind, const orr_choice *choices) {
    switch (kind) {
    case ORR_VALUE_FILE:
    case ORR_VALUE_PATH:
        fputs("_files", out);
        break;
    case ORR_VALUE_DIRECTORY:
        fputs("_files -/", out);
        break;
    case ORR_VALUE_COMMAND:
        fputs("_orrery_commands", out);
        break;
    default:
        if (!choices) {
            fputc(' ', out);
        } else if (kind == ORR_VALUE_LIST) {
            fputs("_values -s , section ", out);
            orr_print_choices(out, choices, " ");
        } else {
            fputc('(', out);
            orr_print_choices(out, choices, " ");
            fputc(')', out);
        }
    }
}

static void zsh_option(FILE *out, const orr_option *option) {
    fputs(" \\\n                '", out);
    if (option->repeats) {
        fputc('*', out);
    } else if (option->letter) {
        fprintf(out, "(-%c --%s)", option->letter, option->name);
    }
    if (option->letter)
        fprintf(out, "'{-%c%s,--%s%s}'", option->letter, option->argument ? "+" : "", option->name,
                option->argument ? "=" : "");
    else
        fprintf(out, "--%s%s", option->name, option->argument ? "=" : "");
    fputc('[', out);
    put_quoted(out, option->help, "[]:\\", "'\\''");
    fputc(']', out);
    if (option->argument) {
        fputc(':', out);
        put_quoted(out, option->argument, ":\\", "'\\''");
        fputc(':', out);
        zsh_action(out, option->kind, option->choices);
    }
    fputc('\'', out);
}

static void zsh_command(FILE *out, const orr_command *command) {
    fprintf(out, "        ('%s')\n            _arguments -s -S :", command->name);
    for (size_t i = 0; command->options[i]; i++) zsh_option(out, command->options[i]);
    for (size_t i = 0; i < 2 && i < command->most; i++) {
        const orr_operand *operand = &command->operands[i];
        if (!operand->name) continue;
        fputs(" \\\n                '", out);
        if (command->most > 2)
            fputc('*', out);
        else
            fprintf(out, "%zu", i + 1);
        fprintf(out, ":%s:", operand->name);
        zsh_action(out, operand->kind, operand->choices);
        fputc('\'', out);
    }
    fputs("\n            ;;\n", out);
}

static void print_zsh(FILE *out) {
    fputs("#compdef orrery\n"
          "# zsh completion for orrery, made by `orrery help --completion zsh`\n"
          "_orrery_commands() {\n"
          "    local -a commands=(\n",
          out);
    each_word(out, NULL, zsh_word);
    fputs("    )\n    _describe command commands\n}\n\n_orrery() {\n"
          "    local command=$words[2]\n"
          "    if ((CURRENT == 2)); then\n"
          "        _orrery_commands\n"
          "        _arguments -S : '(- *)'{-h,--help}'[the commands]' '(- *)--version[version, "
          "commit and modules]'\n"
          "        return\n"
          "    fi\n",
          out);
    for (size_t i = 0; i < orr_group_count; i++) {
        fprintf(out,
                "    if [[ $command == %s ]]; then\n"
                "        local -a members=(\n",
                orr_groups[i].name);
        each_word(out, &orr_groups[i], zsh_word);
        fputs("        )\n"
              "        if ((CURRENT == 3)); then\n"
              "            _describe command members\n"
              "            return\n"
              "        fi\n"
              "        command+=\" $words[3]\"\n"
              "        shift words\n"
              "        ((CURRENT--))\n"
              "    fi\n",
              out);
    }
    fputs("    shift words\n"
          "    ((CURRENT--))\n"
          "    case $command in\n",
          out);
    for (size_t i = 0; i < orr_command_count; i++) zsh_command(out, orr_commands[i]);
    fputs("    esac\n}\n\n"
          "if [[ $funcstack[1] == _orrery ]]; then\n"
          "    _orrery \"$@\"\n"
          "else\n"
          "    compdef _orrery orrery\n"
          "fi\n",
          out);
}

// ---- fish
static void fish_word(FILE *out, const char *word, const char *summary) {
    fprintf(out, " -a %s -d '", word);
    put_quoted(out, summary, "\\", "\\'");
    fputs("'\n", out);
}

static void fish_top(FILE *out, const char *word, const char *summary) {
    fputs("complete -c orrery -n '__orrery_is \"\"'", out);
    fish_word(out, word, summary);
}

static void fish_help_word(FILE *out, const char *word, const char *summary) {
    fputs("complete -c orrery -n '__orrery_is help'", out);
    fish_word(out, word, summary);
}

static const char *group_name; // of fish_member
static void fish_member(FILE *out, const char *word, const char *summary) {
    fprintf(out, "complete -c orrery -n '__orrery_is %s'", group_name);
    fish_word(out, word, summary);
}

// After -n CONDITION: what completes a value of this kind; `requires` comes before.
static void fish_kind(FILE *out, orr_value_kind kind, const orr_choice *choices) {
    switch (kind) {
    case ORR_VALUE_FILE:
    case ORR_VALUE_PATH:
        fputs(" -F", out);
        break;
    case ORR_VALUE_DIRECTORY:
        fputs(" -f -a '(__fish_complete_directories)'", out);
        break;
    default:
        fputs(" -f", out);
        if (!choices) break;
        fputs(" -a '", out);
        orr_print_choices(out, choices, " ");
        fputc('\'', out);
    }
}

static void fish_command(FILE *out, const orr_command *command) {
    for (size_t i = 0; command->options[i]; i++) {
        const orr_option *option = command->options[i];
        fprintf(out, "complete -c orrery -n '__orrery_is \"%s\"'", command->name);
        if (option->letter) fprintf(out, " -s %c", option->letter);
        fprintf(out, " -l %s", option->name);
        if (option->argument) {
            fputs(" -r", out);
            fish_kind(out, option->kind, option->choices);
        }
        fputs(" -d '", out);
        put_quoted(out, option->help, "\\", "\\'");
        fputs("'\n", out);
    }
    for (size_t i = 0; i < 2 && i < command->most; i++) {
        if (!command->operands[i].name || command->operands[i].kind == ORR_VALUE_COMMAND) continue;
        fprintf(out, "complete -c orrery -n '__orrery_is \"%s\"'", command->name);
        fish_kind(out, command->operands[i].kind, command->operands[i].choices);
        fputc('\n', out);
    }
}

static void print_fish(FILE *out) {
    fputs("# fish completion for orrery, made by `orrery help --completion fish`\n"
          "function __orrery_is -d 'is this the command of the line so far?'\n"
          "    set -l words (commandline -opc)\n"
          "    set -l command $words[2]\n"
          "    contains -- \"$command\"",
          out);
    for (size_t i = 0; i < orr_group_count; i++) fprintf(out, " %s", orr_groups[i].name);
    fputs("; and set -q words[3]; and set command \"$words[2] $words[3]\"\n"
          "    test \"$command\" = \"$argv[1]\"\n"
          "end\n"
          "complete -c orrery -f\n"
          "complete -c orrery -n '__orrery_is \"\"' -s h -l help -d 'the commands'\n"
          "complete -c orrery -n '__orrery_is \"\"' -l version -d 'version, commit and modules'\n",
          out);
    each_word(out, NULL, fish_top);
    each_word(out, NULL, fish_help_word);
    for (size_t i = 0; i < orr_group_count; i++) {
        group_name = orr_groups[i].name;
        each_word(out, &orr_groups[i], fish_member);
    }
    for (size_t i = 0; i < orr_command_count; i++) fish_command(out, orr_commands[i]);
}

void orr_completion_print(FILE *out, int shell) {
    if (shell == BASH)
        print_bash(out);
    else if (shell == ZSH)
        print_zsh(out);
    else
        print_fish(out);
}
