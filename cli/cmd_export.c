// orrery keyring export
#include <sys/stat.h>

#include "cli/cli.h"

static orr_status find_key(orr_cli *cli, const orr_keyring *keyring, const orr_master_key **key,
                           orr_error *error) {
    const orr_arguments *a = &cli->arguments;
    return a->operand_count ? orr_keyring_find(keyring, a->operands[0], key, error)
                            : orr_keyring_active(keyring, key, error);
}

static orr_status export_to(orr_cli *cli, const char *path, const orr_recipient *recipient,
                            orr_error *error) {
    char warning[4608];
    orr_console *out = &cli->console;
    orr_status status = orr_recipient_write(recipient, path, error);
    if (status == ORR_OK) status = orr_cli_show_recipient(cli, path, recipient, error);
    if (status != ORR_OK) return status;
    if (orr_file_flush_warning(path, warning, sizeof warning))
        orr_console_warn(out, 0, "%s", warning);
    orr_console_note(out, "who has this file can encrypt for the key; it holds no secret");
    orr_console_note(out,
                     "tell its user the fingerprint by another way: `orrery inspect` shows it");
    return ORR_OK;
}

static orr_status run(orr_cli *cli, orr_error *error) {
    const char *path = cli->arguments.output;
    const orr_master_key *key = NULL;
    orr_keyring keyring;
    orr_passphrase passphrase;
    orr_recipient recipient;
    struct stat info;
    orr_key_state state = ORR_KEY_ACTIVE;
    if (lstat(path, &info) == 0) // before a passphrase is asked for; the writing itself decides
        return orr_fail(error, ORR_EXISTS,
                        "%s: exists already; a recipient file is never overwritten", path);
    orr_status status = orr_cli_keyring(cli, &keyring, &passphrase, error);
    orr_passphrase_wipe(&passphrase);
    if (status != ORR_OK) return status;
    status = find_key(cli, &keyring, &key, error);
    if (status == ORR_OK) status = orr_recipient_make(&recipient, &keyring, key, error);
    if (status == ORR_OK) state = key->state;
    orr_keyring_free(&keyring);
    if (status != ORR_OK) return status;
    if (state != ORR_KEY_ACTIVE)
        orr_console_warn(&cli->console, 0,
                         "the key is %s: what is encrypted with this file will be for a key that "
                         "is not the active one",
                         orr_key_state_name(state));
    if (!cli->arguments.dry_run) return export_to(cli, path, &recipient, error);
    orr_console_note(&cli->console, "would write the recipient file %s", path);
    return ORR_OK;
}

static const orr_option output = {.letter = 'o',
                                  .name = "output",
                                  .argument = "FILE",
                                  .help = "the new recipient file; never overwrites",
                                  ORR_TAKES(FILE, output)};

const orr_command orr_cmd_keyring_export = {
    .name = "keyring export",
    .synopsis = "-k KEYRING -o FILE [OPTION]... [KEY]",
    .summary = "write what others need to encrypt for a key",
    .details = "Writes a recipient file: the public part of a key (the active one, or KEY: a key's "
               "label or ID, or 4 or more of its first digits), with decoys. Whoever has it can "
               "encrypt for that key and open nothing. It is no secret, but another one in its "
               "place would have files encrypted for somebody else: compare the fingerprint, "
               "which this command and inspect show, by another way.",
    .example = "orrery keyring export -k hospital.keyring -o hospital.orrpub",
    .options = ORR_OPTIONS(&orr_option_keyring, &output, ORR_OPTIONS_UNLOCK, &orr_option_dry_run,
                           &orr_option_json, &orr_option_quiet),
    .required = {&orr_option_keyring, &output},
    .operands = {{"KEY", ORR_VALUE_TEXT, NULL}},
    .most = 1,
    .operands_needed = "KEY",
    .exit_statuses = ORR_EXIT(KEY) | ORR_EXIT(EXISTS) | ORR_EXIT(IO) | ORR_EXIT(UNSUPPORTED) |
                     ORR_EXIT(NOT_ORRERY),
    .run = run,
};
