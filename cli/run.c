// From argv to an exit status: parse, dispatch, say why it failed.
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/flush.h"
#include "cli/cli.h"
#include "cli/help.h"
#include "cli/stop.h"
#include "host/container/crypto.h"

orr_status orr_status_merge(orr_status worst, orr_status next) {
    static const orr_status order[] = {ORR_SELF_TEST, ORR_IO, ORR_STOPPED, ORR_AUTH,
                                       ORR_INCOMPLETE};
    for (size_t i = 0; i < sizeof order / sizeof *order; i++) {
        if (worst == order[i] || next == order[i]) return order[i];
    }
    return worst == ORR_OK && next == ORR_OK ? ORR_OK : ORR_SOME_FAILED;
}

static void print_usage_hint(orr_cli *cli) {
    const orr_command *command = cli->arguments.command;
    const orr_group *group = cli->arguments.group;
    const char *of = command ? command->name : group ? group->name : "";
    orr_console_hint(&cli->console, "try `orrery %s%s--help`", of, *of ? " " : "");
}

static orr_status print_asked_help(const orr_arguments *arguments) {
    orr_help_print(stdout, arguments->command, arguments->group);
    if (fflush(stdout) == 0) return ORR_OK;
    fprintf(stderr, "orrery: standard output: %s\n", strerror(errno));
    return ORR_IO;
}

// The last line of every --json run, whatever happened before.
static void print_summary(orr_cli *cli, orr_status status) {
    cJSON *summary = cli->summary ? cli->summary : orr_json_message("summary");
    cli->summary = NULL;
    const orr_command *command = cli->arguments.command;
    if (command) cJSON_AddStringToObject(summary, "command", command->name);
    cJSON_AddStringToObject(summary, "status", orr_status_name(status));
    cJSON_AddNumberToObject(summary, "exit_status", status);
    orr_console_json(&cli->console, summary);
}

void orr_cli_warn_unflushed(orr_cli *cli) {
    orr_console_warn(&cli->console, 0,
                     "the output's file system does not flush what is written: a power cut may "
                     "take it until it was unmounted");
}

static orr_status run_command(orr_cli *cli, orr_error *error) {
    orr_stop_install();
    orr_harden_process();
    orr_status status = cli->arguments.command->run(cli, error);
    if (status != ORR_OK && !cli->said) orr_console_error(&cli->console, error, NULL);
    if (status == ORR_USAGE && !cli->said) print_usage_hint(cli);
    if (orr_flush_refused()) orr_cli_warn_unflushed(cli);
    orr_wipe_stack();
    return status;
}

int orr_cli_main(int argc, char **argv) {
    orr_cli cli = {0};
    orr_error error = {0};
    orr_fill_standard_streams();
    orr_console_init(&cli.console);
    cli.console.json = orr_arguments_want_json(argc, argv);
    orr_status status = orr_arguments_parse(&cli.arguments, argc, argv, &error);
    if (status == ORR_OK && cli.arguments.help) {
        status = print_asked_help(&cli.arguments);
        goto end;
    }
    if (status != ORR_OK) {
        orr_console_error(&cli.console, &error, NULL);
        print_usage_hint(&cli);
    } else {
        cli.console.json = cli.arguments.json;
        cli.console.quiet = cli.arguments.quiet;
        cli.console.verbose = cli.arguments.verbose;
        status = run_command(&cli, &error);
    }
    if (cli.console.json) print_summary(&cli, status);
    if (cli.console.output_lost && status == ORR_OK) {
        fprintf(stderr, "orrery: standard output: %s\n", strerror(cli.console.output_lost));
        status = ORR_IO;
    }
end:
    orr_arguments_free(&cli.arguments);
    orr_console_free(&cli.console);
    return status;
}
