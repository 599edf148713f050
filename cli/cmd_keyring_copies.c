// orrery keyring merge | convert: copies of a keyring, and older ones.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/keyring_change.h"

typedef struct merge {
    orr_cli *cli;
    const orr_keyring *other;
    orr_keyring_merged merged;
    size_t keys_before;
    int had_active, has_active;
    orr_master_key *taken; // without their secrets; owned
} merge;

// ---- merge

// The other keyring opens with a secret given for it, else with ours, for it is most likely a copy.
static orr_status load_other(orr_cli *cli, const char *path, const orr_passphrase *ours,
                             orr_keyring *other, orr_error *error) {
    orr_keyring_ways ways;
    char shown[512], prompt[600];
    orr_passphrase secret = {0};
    orr_status status = orr_keyring_ways_of(path, 0, &ways, error);
    if (status != ORR_OK) return status;
    int needs = ways.passphrases || ways.codes;
    size_t given = cli->arguments.keyring.other_count;
    if (!needs && !given) return orr_keyring_load(other, path, NULL, error);
    status = ORR_KEY;
    for (size_t n = 0; n < given && status == ORR_KEY; n++) {
        status = orr_cli_other(cli, n, &secret, error);
        if (status == ORR_OK) status = orr_keyring_load(other, path, &secret, error);
        orr_passphrase_wipe(&secret);
    }
    if (given) return status;
    if (ours->present && orr_keyring_load(other, path, ours, error) == ORR_OK) return ORR_OK;
    orr_text_escape(path, shown, sizeof shown);
    snprintf(prompt, sizeof prompt, "%s of %s: ", ways.passphrases ? "Passphrase" : "Recovery code",
             shown);
    status = orr_passphrase_ask(prompt, 0, &secret, error);
    if (status == ORR_OK && !ways.passphrases) status = orr_code_take(&secret, "terminal", error);
    if (status == ORR_OK) status = orr_keyring_load(other, path, &secret, error);
    orr_passphrase_wipe(&secret);
    return status;
}

static orr_status change_merge(orr_keyring *keyring, void *context, orr_error *error) {
    merge *m = context;
    const orr_master_key *active;
    m->keys_before = keyring->key_count;
    m->had_active = orr_keyring_active(keyring, &active, NULL) == ORR_OK;
    orr_status status = orr_keyring_merge(keyring, m->other, &m->merged, error);
    if (status != ORR_OK) return status;
    m->has_active = orr_keyring_active(keyring, &active, NULL) == ORR_OK;
    m->taken = calloc(m->merged.keys + 1, sizeof *m->taken);
    if (!m->taken) return orr_fail(error, ORR_INTERNAL, "memory ran out");
    for (size_t i = 0; i < m->merged.keys; i++)
        orr_master_key_copy_public(&m->taken[i], &keyring->keys[m->keys_before + i]);
    return ORR_OK;
}

static void say_merged(orr_cli *cli, const merge *m) {
    const orr_keyring_merged *got = &m->merged;
    for (size_t i = 0; i < got->keys; i++) orr_print_key(cli, &m->taken[i]);
    if (cli->console.json) {
        cli->summary = orr_json_message("summary");
        cJSON_AddNumberToObject(cli->summary, "keys", (double)got->keys);
        cJSON_AddNumberToObject(cli->summary, "destroyed", (double)got->destroyed);
        cJSON_AddNumberToObject(cli->summary, "decoys", (double)got->decoys);
    }
    orr_console_note(&cli->console, "%s %zu key%s and %zu decoy%s; %zu key%s destroyed as there",
                     cli->arguments.dry_run ? "would take" : "took", got->keys,
                     got->keys == 1 ? "" : "s", got->decoys, got->decoys == 1 ? "" : "s",
                     got->destroyed, got->destroyed == 1 ? " is" : "s are");
    if (got->decoys_left_out)
        orr_console_warn(&cli->console, 0, "%zu decoys were left out: a keyring holds at most %d",
                         got->decoys_left_out, ORR_KEYRING_MAX_DECOYS);
    if (m->had_active && !m->has_active)
        orr_console_warn(&cli->console, 0,
                         "the active key was destroyed in the other keyring: make another one "
                         "active with `orrery keyring set-state`");
}

static orr_status run_merge(orr_cli *cli, orr_error *error) {
    const orr_arguments *a = &cli->arguments;
    orr_passphrase passphrase = {0};
    orr_keyring other = {0};
    merge m = {.cli = cli, .other = &other};
    orr_status status = orr_cli_passphrase(cli, &passphrase, error);
    if (status == ORR_OK) status = load_other(cli, a->operands[0], &passphrase, &other, error);
    if (status == ORR_OK) status = orr_apply_change(cli, change_merge, &m, &passphrase, error);
    orr_passphrase_wipe(&passphrase);
    orr_keyring_free(&other);
    if (status == ORR_OK) say_merged(cli, &m);
    free(m.taken);
    return status;
}

// ---- convert

static orr_status run_convert(orr_cli *cli, orr_error *error) {
    const char *path = cli->arguments.keyring.file;
    orr_keyring_ways ways;
    orr_passphrase passphrase = {0};
    orr_status status = orr_keyring_ways_of(path, 1, &ways, error);
    if (status == ORR_OK && ways.version != 1)
        status = orr_fail(error, ORR_USAGE, "%s: is a keyring of version 2 already", path);
    if (status == ORR_OK) status = orr_cli_old_passphrase(cli, &passphrase, error);
    if (status == ORR_OK) status = orr_keyring_convert(path, &passphrase, error);
    orr_passphrase_wipe(&passphrase);
    if (status != ORR_OK) return status;
    orr_cli_warn_of_keyring(cli, path);
    orr_console_note(&cli->console,
                     "%s is of version 2 now; the old file is %s.v1: destroy it, and other copies, "
                     "once the new one has opened the archive",
                     path, path);
    if (ways.passphrases)
        orr_console_note(&cli->console,
                         "it has no recovery code yet: orrery keyring unlock add -k %s "
                         "--new-recovery-code",
                         orr_shown_name(path, "KEYRING"));
    return ORR_OK;
}

const orr_command orr_cmd_keyring_merge = {
    .name = "keyring merge",
    .synopsis = "-k KEYRING [OPTION]... OTHER",
    .summary = "take the keys of a copy that went its own way",
    .details = "Takes the master keys and decoys of OTHER that KEYRING lacks; OTHER stays as it "
               "is. What is destroyed in one is destroyed in both. The active key here stays so; "
               "OTHER's becomes decrypt-only. OTHER is opened with what opened KEYRING, unless "
               "its own passphrase or code is given. Prints the IDs of the keys taken.",
    .example = "orrery keyring merge -k hospital.keyring /media/usb/hospital.keyring",
    .options = ORR_OPTIONS(&orr_option_keyring, ORR_OPTIONS_UNLOCK, &orr_option_other_passphrase,
                           &orr_option_other_code, &orr_option_dry_run, &orr_option_json,
                           &orr_option_quiet),
    .required = {&orr_option_keyring},
    .operands = {{"OTHER", ORR_VALUE_FILE, NULL}},
    .least = 1,
    .most = 1,
    .operands_needed = "OTHER, a keyring",
    .exit_statuses = ORR_KEYRING_EXITS,
    .run = run_merge,
};

const orr_command orr_cmd_keyring_convert = {
    .name = "keyring convert",
    .synopsis = "-k KEYRING [OPTION]...",
    .summary = "make a keyring of version 1 one of version 2",
    .details = "Keys, decoys and passphrase stay. The new file takes the place of the old one in "
               "one step; the old one stays as KEYRING.v1.",
    .example = "orrery keyring convert -k hospital.keyring",
    .options = ORR_OPTIONS(&orr_option_keyring, ORR_OPTIONS_PASSPHRASE, &orr_option_json,
                           &orr_option_quiet),
    .required = {&orr_option_keyring},
    .exit_statuses = ORR_KEYRING_EXITS | ORR_EXIT(EXISTS),
    .run = run_convert,
};
