// orrery keyring merge | convert: copies of a keyring, and older ones.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/keyring_change.h"

typedef struct merge {
    orr_cli *cli;
    const orr_keyring *other;
    orr_keyring_merged merged;
    orr_master_key *changed; // keys taken, then those destroyed; without their secrets; owned
    size_t changed_count;
    int seen; // a look was taken, and `changed` is what was agreed to
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
    if (!needs && ours->present)
        orr_console_warn(&cli->console, 0,
                         "%s opens without a passphrase, and %s does not: whoever can write there "
                         "may have put keys into it",
                         path, cli->arguments.keyring.file);
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
    status = ways.passphrases ? orr_passphrase_ask(prompt, 0, &secret, error)
                              : orr_code_ask(prompt, 0, &secret, error);
    if (status == ORR_OK) status = orr_keyring_load(other, path, &secret, error);
    orr_passphrase_wipe(&secret);
    return status;
}

// Lists what the merge has changed in `keyring`, of whose keys `was` has the states before.
static orr_status list_changes(merge *m, const orr_keyring *keyring, const orr_key_state *was,
                               orr_error *error) {
    const size_t before = keyring->key_count - m->merged.keys;
    m->changed = calloc(m->merged.keys + m->merged.destroyed + 1, sizeof *m->changed);
    m->changed_count = 0;
    if (!m->changed) return orr_fail(error, ORR_INTERNAL, "memory ran out");
    for (size_t i = before; i < keyring->key_count; i++)
        orr_master_key_copy_public(&m->changed[m->changed_count++], &keyring->keys[i]);
    for (size_t i = 0; i < before; i++)
        if (was[i] != keyring->keys[i].state)
            orr_master_key_copy_public(&m->changed[m->changed_count++], &keyring->keys[i]);
    return ORR_OK;
}

// Is it what was agreed to? Somebody may have changed the keyring meanwhile.
static orr_status check_agreed(const merge *m, const orr_master_key *agreed, size_t count,
                               orr_error *error) {
    int same = m->changed_count == count;
    for (size_t i = 0; same && i < count; i++)
        same = !memcmp(agreed[i].id, m->changed[i].id, ORR_KEY_ID_BYTES) &&
               agreed[i].state == m->changed[i].state;
    if (same) return ORR_OK;
    return orr_fail(error, ORR_KEY,
                    "%s: its keys were changed by somebody else meanwhile; nothing was done: run "
                    "the command again",
                    m->cli->arguments.keyring.file);
}

static orr_status change_merge(orr_keyring *keyring, void *context, orr_error *error) {
    merge *m = context;
    orr_key_state was[ORR_KEYRING_MAX_KEYS];
    orr_master_key *agreed = m->changed;
    const size_t count = m->changed_count;
    for (size_t i = 0; i < keyring->key_count; i++) was[i] = keyring->keys[i].state;
    m->changed = NULL;
    orr_status status = orr_keyring_merge(keyring, m->other, &m->merged, error);
    if (status == ORR_OK) status = list_changes(m, keyring, was, error);
    if (status == ORR_OK && m->seen) status = check_agreed(m, agreed, count, error);
    free(agreed);
    return status;
}

// A key that goes is gone for good, and files under one that comes count as this keyring's own:
// both are said and asked first.
static orr_status confirm_merge(merge *m, orr_error *error) {
    orr_cli *cli = m->cli;
    char id[ORR_SHOWN_ID], question[400], undone[400];
    const size_t keys = m->merged.keys, gone = m->merged.destroyed;
    for (size_t i = 0; i < m->changed_count; i++)
        orr_console_note(&cli->console, "%s key %s", i < keys ? "to be added:" : "to be destroyed:",
                         orr_shown_id(m->changed[i].id, m->changed[i].label, id));
    if (!m->changed_count || cli->arguments.keyring.yes || cli->arguments.dry_run) return ORR_OK;
    snprintf(question, sizeof question,
             "%zu key%s will be added, and files under %s count as this keyring's; %zu will be "
             "destroyed, and files under %s alone will be lost for ever.\nType yes to merge",
             keys, keys == 1 ? "" : "s", keys == 1 ? "it" : "them", gone,
             gone == 1 ? "it" : "them");
    snprintf(undone, sizeof undone, "nothing was merged: %zu key%s to add, %zu to destroy", keys,
             keys == 1 ? "" : "s", gone);
    return orr_cli_confirm(question, undone, error);
}

static void say_merged(orr_cli *cli, const merge *m) {
    const orr_keyring_merged *got = &m->merged;
    for (size_t i = 0; i < got->keys; i++) orr_print_key(cli, &m->changed[i]);
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
}

static orr_status run_merge(orr_cli *cli, orr_error *error) {
    const orr_arguments *a = &cli->arguments;
    orr_passphrase passphrase = {0};
    orr_keyring other = {0};
    merge m = {.cli = cli, .other = &other};
    orr_status status = orr_cli_passphrase(cli, &passphrase, error);
    if (status == ORR_OK) status = load_other(cli, a->operands[0], &passphrase, &other, error);
    if (status == ORR_OK) status = orr_try_change(cli, change_merge, &m, &passphrase, error);
    m.seen = 1;
    if (status == ORR_OK) status = confirm_merge(&m, error);
    if (status == ORR_OK && !a->dry_run)
        status = orr_apply_change(cli, change_merge, &m, &passphrase, error);
    orr_passphrase_wipe(&passphrase);
    orr_keyring_free(&other);
    if (status == ORR_OK) say_merged(cli, &m);
    free(m.changed);
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
               "is. What is destroyed there is destroyed here, but never the active key. The "
               "active key here stays so; OTHER's becomes decrypt-only. Keys to be added or "
               "destroyed are said and asked about first. OTHER is opened with what opened "
               "KEYRING, unless "
               "its own passphrase or code is given. Prints the IDs of the keys taken.",
    .example = "orrery keyring merge -k hospital.keyring /media/usb/hospital.keyring",
    .options = ORR_OPTIONS(&orr_option_keyring, ORR_OPTIONS_UNLOCK, &orr_option_other_passphrase,
                           &orr_option_other_code, &orr_option_yes, &orr_option_dry_run,
                           &orr_option_json, &orr_option_quiet),
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
