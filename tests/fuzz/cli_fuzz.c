// Command lines: the input's lines are argv[1..]. Nothing is run; what the parser accepts must hold
// what the commands rely on.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/options.h"
#include "tests/fuzz/fuzz.h"

#define MAX_WORDS 64

static void check_accepted(const orr_arguments *a, int argc) {
    const orr_command *command = a->command;
    fuzz_check(a->help || a->version || command, "an accepted line has a command or asks for help");
    if (a->help || a->version) return;
    int listed = a->files_from || a->files_from0;
    fuzz_check(a->operand_count <= (size_t)argc && a->decoy_count <= (size_t)argc,
               "no more operands than words");
    fuzz_check(a->operand_count <= command->most, "no more operands than the command takes");
    fuzz_check(a->operand_count >= command->least || listed, "no fewer operands than it needs");
    for (size_t i = 0; i < a->operand_count; i++)
        fuzz_check(a->operands[i] && a->operands[i][0], "no operand is empty");
    for (size_t i = 0; i < a->decoy_count; i++)
        fuzz_check(a->decoys[i] != NULL, "decoys are named");
    fuzz_check(!(command->required & ORR_NEED_KEYRING) || a->keyring, "a needed keyring is given");
    fuzz_check(!(command->required & ORR_NEED_OUTPUT) || a->output, "a needed output is given");
    fuzz_check(a->rule <= 40320, "the rule is one of 40,320, or not given");
    fuzz_check(a->profile == ORR_PROFILE_ARCHIVE || a->profile == ORR_PROFILE_PAPER,
               "the profile is known");
    fuzz_check(a->jobs <= ORR_CLI_MAX_JOBS, "jobs are capped");
    fuzz_check(a->mem == 0 || a->mem >= ORR_CLI_MIN_MEM, "memory is enough");
    fuzz_check(a->subset_n <= a->subset_of && a->shard_i <= a->shard_n, "parts are below wholes");
    fuzz_check(a->subset_share >= 0 && a->subset_share <= 100, "a share is one");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static FILE *null;
    if (!null) null = fopen("/dev/null", "w");
    fuzz_check(null != NULL, "/dev/null opens");
    orr_arguments arguments;
    orr_error error = {0};
    char program[] = "orrery", *argv[MAX_WORDS + 2] = {program};
    int argc = 1;
    char *text = malloc(size + 1);
    fuzz_check(text != NULL, "memory can be had");
    if (size) memcpy(text, data, size);
    text[size] = 0;
    for (char *at = text; argc <= MAX_WORDS && at < text + size;) {
        char *end = memchr(at, '\n', (size_t)(text + size - at));
        if (!end) end = text + size;
        *end = 0; // a zero byte inside ends the word early, as it would in a real argv
        argv[argc++] = strdup(at);
        at = end + 1;
    }
    char *owned[MAX_WORDS + 2];
    memcpy(owned, argv, sizeof owned); // the parser may reorder argv
    orr_arguments_want_json(argc, argv);
    orr_status status = orr_arguments_parse(&arguments, argc, argv, &error);
    if (status == ORR_OK) {
        check_accepted(&arguments, argc);
        for (size_t i = 0; i < orr_option_count; i++)
            orr_arguments_has(&arguments, orr_options[i].name);
        if (arguments.help) orr_help_print(null, arguments.command);
    } else {
        fuzz_check(status == ORR_USAGE && error.text[0], "a refusal is usage, with a sentence");
    }
    orr_arguments_free(&arguments);
    for (int i = 1; i < argc; i++) free(owned[i]);
    free(text);
    return 0;
}
