#include "cli/keyring_change.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"

static orr_status set_label(orr_arguments *a, const char *value, orr_error *error) {
    size_t length = strlen(value);
    if (length == 0 || length >= ORR_LABEL_BYTES || !orr_utf8_valid(value)) {
        return orr_fail(error, ORR_USAGE, "--label takes 1 to %d bytes of UTF-8 text",
                        ORR_LABEL_BYTES - 1);
    }
    a->keyring.label = value;
    return ORR_OK;
}

static orr_status add_other(orr_arguments *a, const char *value, int is_code, orr_error *error) {
    size_t n = a->keyring.other_count;
    if (!*value) return orr_fail(error, ORR_USAGE, "a name is empty");
    if (n == ORR_KEYRING_MAX_UNLOCKS)
        return orr_fail(error, ORR_USAGE, "no keyring has more than %d passphrases and codes",
                        ORR_KEYRING_MAX_UNLOCKS);
    a->keyring.others[n].file = value;
    a->keyring.others[n].is_code = is_code;
    a->keyring.other_count++;
    return ORR_OK;
}

static orr_status add_other_passphrase(orr_arguments *a, const char *value, orr_error *error) {
    return add_other(a, value, 0, error);
}

static orr_status add_other_code(orr_arguments *a, const char *value, orr_error *error) {
    return add_other(a, value, 1, error);
}

const orr_option orr_option_label = {.name = "label",
                                     .argument = "TEXT",
                                     .help = "name of the new master key [master]",
                                     ORR_TAKES(TEXT, keyring.label),
                                     .set = set_label};
const orr_option orr_option_yes = {
    .name = "yes", .help = "answer the question beforehand", ORR_TAKES(NONE, keyring.yes)};
const orr_option orr_option_new_passphrase_file = {.name = "new-passphrase-file",
                                                   .argument = "FILE",
                                                   .help = "the new one is FILE's first line",
                                                   ORR_TAKES(FILE, keyring.new_passphrase.file)};
const orr_option orr_option_new_passphrase_fd = {.name = "new-passphrase-fd",
                                                 .argument = "N",
                                                 .help = "the new one from descriptor N",
                                                 ORR_TAKES(COUNT, keyring.new_passphrase.fd),
                                                 .most = 65535};
const orr_option orr_option_save_code = {.name = "save-recovery-code",
                                         .argument = "FILE",
                                         .help = "write the recovery code there; do not show it",
                                         ORR_TAKES(FILE, keyring.save_code)};
const orr_option orr_option_other_passphrase = {.name = "other-passphrase-file",
                                                .argument = "FILE",
                                                .help =
                                                    "a passphrase of another way in; repeatable",
                                                ORR_TAKES(FILE, keyring.others),
                                                .set = add_other_passphrase,
                                                .repeats = 1};
const orr_option orr_option_other_code = {.name = "other-recovery-code-file",
                                          .argument = "FILE",
                                          .help = "the same with a recovery code",
                                          ORR_TAKES(FILE, keyring.others),
                                          .set = add_other_code,
                                          .repeats = 1};

void orr_shown_time(int64_t seconds, char out[32]) {
    if (!orr_utc(seconds, ORR_UTC_STAMP, out, 32)) snprintf(out, 32, "unknown");
}

cJSON *orr_key_object(const orr_master_key *key) {
    char created[32];
    orr_shown_time(key->created, created);
    cJSON *object = orr_json_message("key");
    orr_json_add_hex(object, "key_id", key->id, sizeof key->id);
    cJSON_AddStringToObject(object, "state", orr_key_state_name(key->state));
    cJSON_AddStringToObject(object, "created", created);
    orr_json_add_bytes(object, "label", key->label);
    return object;
}

void orr_print_key(orr_cli *cli, const orr_master_key *key) {
    char id[2 * ORR_KEY_ID_BYTES + 1];
    orr_hex(key->id, sizeof key->id, id);
    if (cli->console.json) {
        orr_console_json(&cli->console, orr_key_object(key));
    } else {
        orr_console_data(&cli->console, "%s", id);
    }
}

orr_status orr_try_change(orr_cli *cli, orr_keyring_change change, void *context,
                          const orr_passphrase *passphrase, orr_error *error) {
    orr_keyring keyring = {0};
    orr_status status = orr_keyring_load(&keyring, cli->arguments.keyring.file, passphrase, error);
    if (status == ORR_OK) status = change(&keyring, context, error);
    orr_keyring_free(&keyring);
    return status;
}

orr_status orr_apply_change(orr_cli *cli, orr_keyring_change change, void *context,
                            const orr_passphrase *passphrase, orr_error *error) {
    const char *path = cli->arguments.keyring.file;
    if (cli->arguments.dry_run) return orr_try_change(cli, change, context, passphrase, error);
    orr_status status = orr_keyring_update(path, passphrase, change, context, error);
    if (status == ORR_OK) orr_cli_warn_of_keyring(cli, path);
    return status;
}
