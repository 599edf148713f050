// The command line as data: one table of commands and one of options, from which both the parser
// and the help are made, so that the two cannot disagree.
#ifndef ORRERY_CLI_OPTIONS_H
#define ORRERY_CLI_OPTIONS_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include "host/container/format.h"
#include "host/job/job.h"
#include "host/keys/keyring.h"
#include "training/train.h"

#ifdef __cplusplus
extern "C" {
#endif

#define ORR_CLI_MAX_JOBS 1024
#define ORR_CLI_MIN_MEM (64ull << 20)

typedef enum orr_command_id {
    ORR_COMMAND_KEYRING_NEW,
    ORR_COMMAND_KEYRING_ADD,
    ORR_COMMAND_KEYRING_LIST,
    ORR_COMMAND_KEYRING_SET_STATE,
    ORR_COMMAND_KEYRING_PASSWD,
    ORR_COMMAND_ENCRYPT,
    ORR_COMMAND_DECRYPT,
    ORR_COMMAND_VERIFY,
    ORR_COMMAND_REWRAP,
    ORR_COMMAND_REENCRYPT,
    ORR_COMMAND_INSPECT,
    ORR_COMMAND_GENERATE,
    ORR_COMMAND_KEYSTREAM,
    ORR_COMMAND_DEVICES,
    ORR_COMMAND_ANALYZE,
    ORR_COMMAND_BENCH,
    ORR_COMMAND_TRAIN,
    ORR_COMMAND_COUNT
} orr_command_id;

// What a command line says. Strings point into argv; the three arrays are owned.
typedef struct orr_arguments {
    const struct orr_command *command; // NULL: the options below stand before any command
    int help, version;
    uint64_t seen[2]; // bit n % 64 of word n / 64: the n-th option of the table was given
    const char *keyring, *output, *label, *to;
    const char *passphrase_file, *new_passphrase_file, *files_from, *files_from0;
    int passphrase_fd, new_passphrase_fd; // -1: not given
    int no_passphrase, yes;
    const char *json_file, *html_file, *directory; // bench
    int json, quiet, verbose, dry_run, salvage, sparse, unauthenticated, sha256, opaque_names;
    int check_cpu;
    int trust_times, redo_damaged, allow_empty, nested;
    orr_profile profile;
    uint32_t rule;
    double mu;          // 0: the published value
    const char *device; // auto, cpu, cuda or cuda:N
    unsigned jobs;
    uint64_t mem, bytes; // bytes: UINT64_MAX without --bytes
    unsigned subset_n, subset_of, shard_i, shard_n;
    double subset_share;
    uint8_t seed[64];
    uint64_t run_seed;                       // analyze
    const char *bits_file, *only, *attacked; // analyze; attacked: weights of a discriminator
    int quick;
    orr_key_state state; // keyring set-state
    char **decoys;       // --decoy
    size_t decoy_count;
    const char **folders;          // --data
    orr_training_options training; // folders and run are filled in by cmd_train.c
    const char *weights, *latents, *save_decoys;
    uint32_t count, decoy_pool; // images of generate, decoys of keyring new; 0: not given
    char **operands;
    size_t operand_count;
} orr_arguments;

// Reads argv[1..]. ORR_USAGE with one sentence, and arguments->command set as far as it was
// understood, so that the caller can name the right --help. argv may be reordered. Free the
// arguments in every case.
orr_status orr_arguments_parse(orr_arguments *arguments, int argc, char **argv, orr_error *error);
void orr_arguments_free(orr_arguments *arguments);
// Does the command line ask for JSON? Asked before parsing, so that usage errors can be JSON too.
int orr_arguments_want_json(int argc, char **argv);
int orr_arguments_has(const orr_arguments *arguments, const char *long_name);

// Help for one command (NULL: the program; the name "keyring": the group), ready to print.
void orr_help_print(FILE *out, const struct orr_command *command);
void orr_help_print_keyring(FILE *out);

// ---- the tables
struct orr_cli;
typedef struct orr_command {
    orr_command_id id;
    const char *name;     // "encrypt", "keyring new"
    const char *synopsis; // what follows the name in the usage line
    const char *summary;  // one line of the program's help
    const char *details;
    const char *example;
    uint32_t required;      // ORR_NEED_*
    size_t least, most;     // operands
    const char *operands;   // what they are, for messages
    uint32_t exit_statuses; // bit n: status n (75 is always added for what can be stopped)
    int stoppable;
    orr_status (*run)(struct orr_cli *cli, orr_error *error);
} orr_command;
extern const orr_command orr_commands[ORR_COMMAND_COUNT];

#define ORR_NEED_KEYRING 1u
#define ORR_NEED_OUTPUT 2u
#define ORR_NEED_INPUT 4u // operands or a list of files

typedef orr_status (*orr_option_set)(orr_arguments *arguments, const char *value, orr_error *error);
typedef struct orr_option {
    char letter; // 0: none
    const char *name, *argument;
    const char *help;
    uint32_t commands; // bit n: command n takes it
    orr_option_set set;
    int repeats; // may be given more than once
} orr_option;
extern const orr_option orr_options[];
extern const size_t orr_option_count;

// ---- values (values.c): ORR_USAGE with a sentence that names `what`
orr_status orr_value_count(const char *text, const char *what, uint64_t least, uint64_t most,
                           uint64_t *value, orr_error *error);
orr_status orr_value_size(const char *text, const char *what, uint64_t *value, orr_error *error);
orr_status orr_value_fraction(const char *text, const char *what, unsigned *part, unsigned *whole,
                              orr_error *error);
orr_status orr_value_real(const char *text, const char *what, double *value, orr_error *error);
// At most `most` bytes of hex; the rest of `out` stays as it is.
orr_status orr_value_hex(const char *text, const char *what, uint8_t *out, size_t most,
                         orr_error *error);

// Looks for the candidate nearest to a mistyped word: at most two letters away (one when it is
// short). Begin with {.word = ...}; `nearest` is NULL while there is none, else one of the
// candidates.
typedef struct orr_spelling {
    const char *word, *nearest;
    size_t away;
} orr_spelling;
void orr_spelling_try(orr_spelling *spelling, const char *candidate);

#ifdef __cplusplus
}
#endif
#endif
