// The command line as data. Each cmd_*.c describes its commands (orr_command) with the options that
// only they take; commands.c lists them, options.c has the options of several. Parser, help, manual
// pages and completions are made from these descriptions alone, so that they cannot disagree.
#ifndef ORRERY_CLI_OPTIONS_H
#define ORRERY_CLI_OPTIONS_H

#include <stddef.h>
#include <stdint.h>

#include "host/container/format.h"
#include "host/job/job.h"
#include "host/keys/keyring.h"
#include "training/train.h"

#ifdef __cplusplus
extern "C" {
#endif

#define ORR_CLI_MAX_JOBS 1024

typedef struct orr_fraction {
    unsigned part, whole; // 3 of 7; whole 0: not given
} orr_fraction;

// Where a passphrase or recovery code comes from; neither: the terminal.
typedef struct orr_passphrase_source {
    const char *file;
    int fd; // -1: not given
} orr_passphrase_source;

// What `keyring unlock` does.
typedef enum orr_unlock_action {
    ORR_UNLOCK_ADD,
    ORR_UNLOCK_REMOVE,
    ORR_UNLOCK_LIST
} orr_unlock_action;

// What a command line says: first what several commands take, then a structure for each group of
// options. Fields that a command has no option for keep their defaults. Strings point into argv;
// the arrays are owned.
typedef struct orr_arguments {
    const struct orr_command *command; // NULL: help of the program, or of a group
    const struct orr_group *group;     // NULL: not about one
    uint64_t seen;                     // bit n: the n-th option of the command was given
    int help;
    int json, quiet, verbose, dry_run;
    const char *output;
    const char *device;  // auto, cpu, cuda or cuda:N
    unsigned jobs;       // 0: not given
    const char *weights; // of a generator; for analyze: of the discriminator to attack
    const char *files_from, *files_from0;
    char **operands;
    size_t operand_count;
    struct {
        const char *file;
        orr_passphrase_source passphrase, code, new_passphrase;
        int ask_code, no_passphrase, yes, ignore_unread;
        int no_code, new_code, same_key;
        const char *save_code; // a new recovery code goes into this file
        struct {
            const char *file;
            int is_code;
        } others[ORR_KEYRING_MAX_UNLOCKS]; // of the other unlocks, or of the other keyring
        size_t other_count;
        orr_unlock_action action;
        const char *label, *to, *vault;
        orr_key_state state; // to set
    } keyring;
    struct {
        char **images; // --decoy
        size_t image_count;
        uint32_t count; // to make; 0: not given
        const char *save;
    } decoys;
    struct { // of the verbs on archives
        orr_profile profile;
        uint32_t rule;
        double mu; // 0: the published value
        uint64_t mem;
        int opaque_names, sha256, check_cpu, salvage, unauthenticated, trust_times, redo_damaged;
        int allow_empty, nested, sparse, require_origin, adopt;
        const char **recipients, **removed; // --to or --add, --remove
        size_t recipient_count, removed_count;
        const char *writer_key;
        const char *from; // a copy to repair from
        unsigned parity;  // in tenths of a percent
        orr_direct_use direct;
        orr_fraction subset, shard;
        double subset_share; // in percent; 0: not given
    } job;
    struct {
        uint32_t count; // 0: not given
        uint64_t seed;
        const char *latents;
    } generate;
    struct {
        uint8_t seed[64];
        uint64_t bytes; // UINT64_MAX: not given
    } keystream;
    struct {
        const char *bits, *only;
        uint64_t seed;
        int quick;
    } analyze;
    struct {
        const char *json, *html, *directory, *disk;
        int quick;
    } bench;
    struct {
        int man, completion; // a value of orr_shells
        const char *share;
    } about;                       // help
    const char **folders;          // --data
    orr_training_options training; // folders and run are filled in by cmd_train.c
} orr_arguments;

// Reads argv[1..]. ORR_USAGE with one sentence, and arguments->command set as far as it was
// understood, so that the caller can name the right --help. argv may be reordered. Free the
// arguments in every case.
orr_status orr_arguments_parse(orr_arguments *arguments, int argc, char **argv, orr_error *error);
void orr_arguments_free(orr_arguments *arguments);
// Does the command line ask for JSON? Asked before parsing, so that usage errors can be JSON too.
int orr_arguments_want_json(int argc, char **argv);
int orr_arguments_has(const orr_arguments *arguments, const char *long_name);

// ---- what an option or operand takes
typedef enum orr_value_kind { // and the type of its field in orr_arguments
    ORR_VALUE_NONE,           // nothing: an int that becomes 1
    ORR_VALUE_TEXT,           // const char *, not empty; also what a `set` function reads
    ORR_VALUE_FILE,           // the name of a file: const char *
    ORR_VALUE_DIRECTORY,      // of a directory
    ORR_VALUE_PATH,           // of either
    ORR_VALUE_COUNT,          // a whole number, from least to most: 4 or 8 bytes
    ORR_VALUE_SIZE,           // bytes, at least `least`: uint64_t
    ORR_VALUE_FRACTION,       // orr_fraction
    ORR_VALUE_CHOICE,         // one of `choices`: its value, an int or enum
    ORR_VALUE_COMMAND,        // a command of the program: const char *, unchecked
    ORR_VALUE_LIST            // several of `choices`, apart by commas: const char *, unchecked
} orr_value_kind;

// Arrays of these end with a NULL name.
typedef struct orr_choice {
    const char *name;
    const char *help; // of an operand: a line of the help; else NULL
    int value;
} orr_choice;
// NULL: no such choice.
const orr_choice *orr_choice_find(const orr_choice *choices, const char *name);

typedef orr_status (*orr_option_set)(orr_arguments *arguments, const char *value, orr_error *error);
typedef struct orr_option {
    char letter;               // 0: none
    const char *name;          // --name
    const char *argument;      // what the help calls its value; NULL: it takes none
    const char *help;          // the default in brackets
    orr_value_kind kind;       // these three by ORR_TAKES
    size_t field, field_bytes; // where its value goes, unless it has `set`
    uint64_t least, most;
    const orr_choice *choices; // also offered by completions where `set` takes more than these
    orr_option_set set;        // reads the value; NULL: as its kind says
    uint32_t training_given;   // the bit of orr_training_options.given
    int dash;                  // "-" is a standard stream
    int repeats;               // may be given more than once
} orr_option;
#define ORR_TAKES(kind_, field_)                                         \
    .kind = ORR_VALUE_##kind_, .field = offsetof(orr_arguments, field_), \
    .field_bytes = sizeof(((orr_arguments *)0)->field_)
// Reads `value` (NULL for ORR_VALUE_NONE) into the arguments. ORR_USAGE.
orr_status orr_option_take(const orr_option *option, orr_arguments *arguments, const char *value,
                           orr_error *error);

typedef struct orr_operand {
    const char *name; // as in the synopsis
    orr_value_kind kind;
    const orr_choice *choices;
} orr_operand;

// ---- commands
#define ORR_MAX_OPTIONS 64
// The options of a command, in the order of its help.
#define ORR_OPTIONS(...)                    \
    (const orr_option *const[]) {           \
        __VA_ARGS__, &orr_option_help, NULL \
    }
#define ORR_EXIT(name) (1u << ORR_##name)

struct orr_cli;
typedef struct orr_command {
    const char *name;     // "encrypt", "keyring new"
    const char *synopsis; // what follows the name in the usage line
    const char *summary;  // one line of the program's help
    const char *details;  // paragraphs; an empty line parts them
    const char *example;
    const orr_option *const *options;
    const orr_option *required[4]; // ends with NULL
    orr_operand operands[2];       // the first, and all others; an empty second: like the first
    size_t least, most;            // operands; names from --files-from count for them
    const char *operands_needed;   // what they are, for the message that they are missing
    uint32_t exit_statuses;        // ORR_EXIT of each beside 0 to 2
    const char *stopped;           // what to do after a signal stopped it; NULL: nothing
    int unstoppable;               // a signal ends it at once
    orr_verb verb;                 // of orr_cmd_job
    orr_status (*check)(orr_arguments *arguments, orr_error *error); // or NULL
    orr_status (*run)(struct orr_cli *cli, orr_error *error);
} orr_command;
extern const orr_command *const orr_commands[];
extern const size_t orr_command_count;
// By the words of a command line: the second counts where the first is a group's name. NULL: none.
const orr_command *orr_command_of_words(const char *first, const char *second);
// ORR_USAGE, with the name that was perhaps meant. `group` is empty or a group's name.
orr_status orr_command_unknown(const char *group, const char *word, orr_error *error);
const orr_option *orr_command_option(const orr_command *command, const char *long_name);
const orr_operand *orr_command_operand(const orr_command *command, size_t number);

// Commands of two words that have the first in common.
typedef struct orr_group {
    const char *name, *summary, *details;
} orr_group;
extern const orr_group orr_groups[];
extern const size_t orr_group_count;
const orr_group *orr_group_find(const char *name);
// What follows the group's name in the command's; NULL: it is no command of the group.
const char *orr_group_member(const orr_group *group, const orr_command *command);

// ---- options of several commands (options.c)
extern const orr_option orr_option_help, orr_option_json, orr_option_quiet, orr_option_verbose;
extern const orr_option orr_option_verbose_devices, orr_option_dry_run;
extern const orr_option orr_option_device, orr_option_jobs, orr_option_mem, orr_option_shard;
extern const orr_option orr_option_files_from, orr_option_files_from0;
extern const orr_option orr_option_keyring, orr_option_passphrase_file, orr_option_passphrase_fd;
extern const orr_option orr_option_code_file, orr_option_code_fd, orr_option_code;
#define ORR_OPTIONS_LIST &orr_option_files_from, &orr_option_files_from0
#define ORR_OPTIONS_PASSPHRASE &orr_option_passphrase_file, &orr_option_passphrase_fd
// What opens a keyring that is there.
#define ORR_OPTIONS_UNLOCK \
    ORR_OPTIONS_PASSPHRASE, &orr_option_code_file, &orr_option_code_fd, &orr_option_code

// Two options that cannot be given together.
typedef struct orr_option_pair {
    const char *one, *other;
} orr_option_pair;
extern const orr_option_pair orr_option_pairs[];
extern const size_t orr_option_pair_count;

// ---- values (values.c): ORR_USAGE with a sentence that names `what`
orr_status orr_value_count(const char *text, const char *what, uint64_t least, uint64_t most,
                           uint64_t *value, orr_error *error);
orr_status orr_value_size(const char *text, const char *what, uint64_t *value, orr_error *error);
orr_status orr_value_fraction(const char *text, const char *what, orr_fraction *value,
                              orr_error *error);
orr_status orr_value_real(const char *text, const char *what, double *value, orr_error *error);
orr_status orr_value_choice(const char *text, const char *what, const orr_choice *choices,
                            int *value, orr_error *error);
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
