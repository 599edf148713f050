#include "cli/job_keys.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "host/keys/writer_key.h"

static orr_status read_recipients(const orr_arguments *a, orr_job_keys *keys, orr_error *error) {
    size_t count = a->job.recipient_count;
    orr_status status = ORR_OK;
    keys->recipients = calloc(count + 1, sizeof *keys->recipients);
    if (!keys->recipients) return orr_fail(error, ORR_INTERNAL, "out of memory");
    for (size_t i = 0; i < count && status == ORR_OK; i++) {
        status = orr_recipient_read(&keys->recipients[i], a->job.recipients[i], error);
        for (size_t k = 0; k < i && status == ORR_OK; k++)
            if (!memcmp(keys->recipients[k].key_id, keys->recipients[i].key_id, ORR_KEY_ID_BYTES))
                status = orr_fail(error, ORR_USAGE, "%s and %s are of the same key",
                                  a->job.recipients[k], a->job.recipients[i]);
    }
    return status;
}

int orr_job_keys_removes(const orr_job_keys *keys, size_t count,
                         const uint8_t id[ORR_KEY_ID_BYTES]) {
    for (size_t i = 0; i < count; i++)
        if (!memcmp(keys->removed[i], id, ORR_KEY_ID_BYTES)) return 1;
    return 0;
}

// A wrap that is added and removed at once would be neither.
static orr_status check_removed(const orr_arguments *a, const orr_job_keys *keys,
                                orr_error *error) {
    for (size_t i = 0; i < a->job.recipient_count; i++)
        if (orr_job_keys_removes(keys, a->job.removed_count, keys->recipients[i].key_id))
            return orr_fail(error, ORR_USAGE, "%s is of a key that --remove names",
                            a->job.recipients[i]);
    return ORR_OK;
}

// Keys of others are known by their whole ID, those of the keyring by their label, too.
static orr_status read_removed(const orr_arguments *a, const orr_keyring *keyring,
                               orr_job_keys *keys, orr_error *error) {
    keys->removed = calloc(a->job.removed_count + 1, sizeof *keys->removed);
    if (!keys->removed) return orr_fail(error, ORR_INTERNAL, "out of memory");
    for (size_t i = 0; i < a->job.removed_count; i++) {
        const char *name = a->job.removed[i];
        const orr_master_key *key = NULL;
        if (strlen(name) == 2 * ORR_KEY_ID_BYTES &&
            orr_value_hex(name, "--remove", keys->removed[i], ORR_KEY_ID_BYTES, NULL) == ORR_OK)
            continue;
        orr_recipient recipient = {0};
        size_t n = strlen(name);
        int is_file = n > 7 && !strcmp(name + n - 7, ".orrpub") && access(name, F_OK) == 0;
        orr_status status = is_file ? orr_recipient_read(&recipient, name, error)
                                    : orr_keyring_find(keyring, name, &key, error);
        if (status != ORR_OK) return status;
        memcpy(keys->removed[i], is_file ? recipient.key_id : key->id, ORR_KEY_ID_BYTES);
    }
    return check_removed(a, keys, error);
}

// Of a key that the keyring has it knows the public half: another one would have files encrypted
// for somebody else under the name of this key. New files are made for keys in use alone.
static orr_status check_recipients(const orr_arguments *a, const orr_keyring *keyring,
                                   const orr_job_keys *keys, orr_error *error) {
    static const uint8_t none[32]; // destroyed before there were public halves
    int makes = a->command->verb != ORR_VERB_REWRAP;
    for (size_t i = 0; i < a->job.recipient_count; i++)
        for (size_t k = 0; k < keyring->key_count; k++) {
            const orr_master_key *key = &keyring->keys[k];
            const orr_recipient *to = &keys->recipients[i];
            const char *name = a->job.recipients[i];
            if (memcmp(to->key_id, key->id, ORR_KEY_ID_BYTES)) continue;
            if (memcmp(to->public_key, key->x25519_public, sizeof none) &&
                memcmp(key->x25519_public, none, sizeof none))
                return orr_fail(error, ORR_KEY,
                                "%s: has the ID of a key of this keyring, and another public key: "
                                "who made it would open what is encrypted for it; export the right "
                                "one (`orrery keyring export`)",
                                name);
            if (makes && key->state != ORR_KEY_ACTIVE)
                return orr_fail(error, ORR_KEY,
                                "%s: its key is %s in this keyring: nothing new is encrypted for "
                                "it; export the active one (`orrery keyring export`)",
                                name, orr_key_state_name(key->state));
        }
    return ORR_OK;
}

void orr_job_keys_free(orr_job_keys *keys) {
    free(keys->recipients);
    free(keys->removed);
}

static orr_status open_writer_key(orr_cli *cli, const orr_job_keys *keys, orr_keyring *keyring,
                                  orr_error *error) {
    const orr_arguments *a = &cli->arguments;
    char place[PATH_MAX], warning[PATH_MAX + 200];
    const char *path = a->job.writer_key ? a->job.writer_key : place;
    orr_status status = a->job.writer_key ? ORR_OK : orr_writer_key_place(place, error);
    if (status != ORR_OK) return status;
    if (orr_file_mode_warning(path, warning, sizeof warning))
        orr_console_warn(&cli->console, 0, "%s", warning);
    return orr_writer_key_load(keyring, path, &keys->recipients[0], !a->dry_run, error);
}

orr_status orr_job_keys_open(orr_cli *cli, orr_job_keys *keys, orr_keyring *keyring,
                             orr_passphrase *passphrase, orr_error *error) {
    const orr_arguments *a = &cli->arguments;
    orr_status status = read_recipients(a, keys, error);
    if (status != ORR_OK) return status;
    if (!a->keyring.file) return open_writer_key(cli, keys, keyring, error);
    status = orr_cli_keyring(cli, keyring, passphrase, error);
    if (status == ORR_OK) status = check_recipients(a, keyring, keys, error);
    return status == ORR_OK ? read_removed(a, keyring, keys, error) : status;
}
