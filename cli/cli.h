// The running program: what the command line says, where its messages go, what its commands share.
#ifndef ORRERY_CLI_CLI_H
#define ORRERY_CLI_CLI_H

#include "cli/console.h"
#include "cli/options.h"
#include "host/keys/recipient.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct orr_cli {
    orr_arguments arguments;
    orr_console console;
    cJSON *summary; // with --json: what the command adds to the last line; NULL: nothing
    int said;       // the command has already told the person why it failed
} orr_cli;

// The whole program; returns its exit status.
int orr_cli_main(int argc, char **argv);

// ---- shared
// Runs the verb of the command over files: encrypt, decrypt, verify, rewrap, reencrypt, repair.
orr_status orr_cli_job(orr_cli *cli, orr_error *error);
// The passphrase of an existing keyring: from the file or descriptor of the command line, else,
// when the file says that it has one, from the terminal. Warns of readable files.
orr_status orr_cli_passphrase(orr_cli *cli, orr_passphrase *passphrase, orr_error *error);
// A new passphrase: file, descriptor or terminal (asked twice). Warns of a short one.
orr_status orr_cli_new_passphrase(orr_cli *cli, const orr_passphrase_source *source,
                                  orr_passphrase *passphrase, orr_error *error);
// As orr_cli_passphrase, for a keyring of version 1.
orr_status orr_cli_old_passphrase(orr_cli *cli, orr_passphrase *passphrase, orr_error *error);
// The n-th of --other-passphrase-file and --other-recovery-code-file.
orr_status orr_cli_other(orr_cli *cli, size_t n, orr_passphrase *secret, orr_error *error);
// Asks on the terminal, without echo, for the word yes: ORR_USAGE when something else is typed, or
// there is no terminal; `undone` says what was not done then.
orr_status orr_cli_confirm(const char *question, const char *undone, orr_error *error);
// A recovery code is going to be added: with --save-recovery-code writes it into that new file.
// Before the keyring is written; orr_cli_code_unsave when that then fails.
orr_status orr_cli_code_save(orr_cli *cli, const orr_passphrase *code, orr_error *error);
void orr_cli_code_unsave(orr_cli *cli);
// Shows it on stdout, or says where it was saved. ORR_IO: standard output cannot be written.
orr_status orr_cli_code_show(orr_cli *cli, const char *keyring, const orr_passphrase *code,
                             orr_error *error);
// Warns of an output's file system that does not flush.
void orr_cli_warn_unflushed(orr_cli *cli);
// Warns of what the file system did not do for a keyring that has just been written.
void orr_cli_warn_of_keyring(orr_cli *cli, const char *path);
// orr_cli_passphrase, then orr_keyring_load. The caller wipes the passphrase in every case.
orr_status orr_cli_keyring(orr_cli *cli, orr_keyring *keyring, orr_passphrase *passphrase,
                           orr_error *error);
// Shows a recipient file, unless -q: its key, label and fingerprint.
orr_status orr_cli_show_recipient(orr_cli *cli, const char *path, const orr_recipient *recipient,
                                  orr_error *error);
// Opens the device of the command line and runs its self-test. The caller closes it.
orr_status orr_cli_backend(orr_cli *cli, orr_backend **backend, orr_error *error);

// Names of --files-from and --files-from0, owned; two lists of zero length when neither was given.
typedef struct orr_name_list {
    char **names;
    size_t count;
    char *text; // that the names point into
} orr_name_list;
orr_status orr_name_list_read(const orr_arguments *arguments, orr_name_list *list,
                              orr_error *error);
void orr_name_list_free(orr_name_list *list);

// The exit status of several inputs from that of each (docs/CLI.md, "Exit status"):
// worst = merge(worst, next).
orr_status orr_status_merge(orr_status worst, orr_status next);

#ifdef __cplusplus
}
#endif
#endif
