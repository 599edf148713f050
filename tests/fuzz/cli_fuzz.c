// Command lines: the input's lines are argv[1..]. Nothing is run; what the parser accepts must hold
// what the commands rely on.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/help.h"
#include "tests/fuzz/fuzz.h"

#define MAX_WORDS 64

static void check_accepted(const orr_arguments *a, int argc) {
    const orr_command *command = a->command;
    fuzz_check(a->help || command, "an accepted line has a command or asks for help");
    if (a->help) return;
    int listed = a->files_from || a->files_from0;
    fuzz_check(a->operand_count <= (size_t)argc && a->decoys.image_count <= (size_t)argc,
               "no more operands than words");
    fuzz_check(a->operand_count <= command->most, "no more operands than the command takes");
    fuzz_check(a->operand_count >= command->least || listed, "no fewer operands than it needs");
    for (size_t i = 0; i < a->operand_count; i++)
        fuzz_check(a->operands[i] && a->operands[i][0], "no operand is empty");
    for (size_t i = 0; i < a->decoys.image_count; i++)
        fuzz_check(a->decoys.images[i] != NULL, "decoys are named");
    for (size_t i = 0; command->required[i]; i++)
        fuzz_check(orr_arguments_has(a, command->required[i]->name), "what is needed is given");
    fuzz_check(a->job.rule <= 40320, "the rule is one of 40,320, or not given");
    fuzz_check(a->job.profile == ORR_PROFILE_ARCHIVE || a->job.profile == ORR_PROFILE_PAPER,
               "the profile is known");
    fuzz_check(a->jobs <= ORR_CLI_MAX_JOBS, "jobs are capped");
    fuzz_check(a->job.mem == 0 || a->job.mem >= 64u << 20, "memory is enough");
    fuzz_check(a->job.subset.part <= a->job.subset.whole && a->job.shard.part <= a->job.shard.whole,
               "parts are below wholes");
    fuzz_check(a->job.subset_share >= 0 && a->job.subset_share <= 100, "a share is one");
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
        orr_arguments_has(&arguments, "json");
        if (arguments.help) orr_help_print(null, arguments.command, arguments.group);
    } else {
        fuzz_check(status == ORR_USAGE && error.text[0], "a refusal is usage, with a sentence");
    }
    orr_arguments_free(&arguments);
    for (int i = 1; i < argc; i++) free(owned[i]);
    free(text);
    return 0;
}
