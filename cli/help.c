// Help from the tables: asked for, it goes to stdout; after a mistake nobody gets a page of it.
#include <string.h>
#include "cli/cli.h"

#define HELP_COLUMN 30

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

// What to do after a signal differs from command to command.
static const char *stopped_text(const orr_command *command) {
    if (command->id == ORR_COMMAND_TRAIN)
        return "stopped by a signal; the same command with --resume goes on";
    if (command->id == ORR_COMMAND_VERIFY)
        return "stopped by a signal; the same command begins anew";
    return command->run == orr_cmd_job ? "stopped by a signal; the same command resumes"
                                       : exit_text(ORR_STOPPED);
}

static void print_exit_statuses(FILE *out, const orr_command *command) {
    fputs("\nExit status:\n", out);
    for (int status = 0; status < 32; status++) {
        int listed = status <= ORR_USAGE || (command->exit_statuses >> status & 1);
        if (listed) fprintf(out, "  %-3d %s\n", status, exit_text((orr_status)status));
    }
    if (command->stoppable) fprintf(out, "  %-3d %s\n", ORR_STOPPED, stopped_text(command));
    if (command->exit_statuses >> ORR_SOME_FAILED & 1) {
        fputs("Of several inputs, 13, 7 and 75 come first, then 4, 9 and 3.\n",
              out);
    }
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
}

static void print_program(FILE *out) {
    fputs("usage: orrery COMMAND [OPTION]... [ARGUMENT]...\n\n"
          "Encrypts, verifies, decrypts and re-encrypts archives of medical scans. Every\n"
          "encrypted file is itself a valid TIFF; confidentiality and integrity rest on\n"
          "AES-256-GCM.\n\n"
          "Commands:\n",
          out);
    for (size_t i = 0; i < ORR_COMMAND_COUNT; i++) {
        fprintf(out, "  %-18s %s\n", orr_commands[i].name, orr_commands[i].summary);
    }
    fputs("\n`orrery COMMAND --help` shows a command's options, an example and its exit\n"
          "statuses. "
          "`orrery --version` shows the version.\n\n"
          "Example:\n"
          "  orrery keyring new -o hospital.keyring --decoy skin-*.png\n"
          "  orrery encrypt -k hospital.keyring scans/ -o sealed/\n"
          "  orrery verify -k hospital.keyring sealed/\n",
          out);
}

void orr_help_print_keyring(FILE *out) {
    fputs("usage: orrery keyring new|add|list|set-state|passwd [OPTION]...\n\n"
          "A keyring is one sealed file with the master keys and the decoy pool. Losing it\n"
          "loses the archive.\n\nCommands:\n",
          out);
    for (size_t i = 0; i < ORR_COMMAND_COUNT; i++) {
        if (strncmp(orr_commands[i].name, "keyring ", 8) != 0) continue;
        fprintf(out, "  %-18s %s\n", orr_commands[i].name, orr_commands[i].summary);
    }
    fputs("\n`orrery keyring COMMAND --help` shows each one's options.\n", out);
}

void orr_help_print(FILE *out, const orr_command *command) {
    if (!command) {
        print_program(out);
        return;
    }
    fprintf(out, "usage: orrery %s %s\n\n%s\n\nOptions:\n", command->name, command->synopsis,
            command->details);
    for (size_t i = 0; i < orr_option_count; i++) {
        if (orr_options[i].commands >> command->id & 1) print_option(out, &orr_options[i]);
    }
    fprintf(out, "\nExample:\n  %s\n", command->example);
    print_exit_statuses(out, command);
}
