// orrery keyring new | add | list | set-state | passwd
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/text.h"
#include "cli/generator.h"
#include "host/keys/unlock.h"

static void format_time(int64_t seconds, char out[32]) {
    if (!orr_utc(seconds, ORR_UTC_STAMP, out, 32)) snprintf(out, 32, "unknown");
}

static cJSON *key_object(const orr_master_key *key) {
    char created[32];
    format_time(key->created, created);
    cJSON *object = orr_json_message("key");
    orr_json_add_hex(object, "key_id", key->id, sizeof key->id);
    cJSON_AddStringToObject(object, "state", orr_key_state_name(key->state));
    cJSON_AddStringToObject(object, "created", created);
    orr_json_add_bytes(object, "label", key->label);
    return object;
}

// The ID on stdout, where a script picks it up.
static void print_key(orr_cli *cli, const orr_master_key *key) {
    char id[2 * ORR_KEY_ID_BYTES + 1];
    orr_hex(key->id, sizeof key->id, id);
    if (cli->console.json) {
        orr_console_json(&cli->console, key_object(key));
    } else {
        orr_console_data(&cli->console, "%s", id);
    }
}

static orr_status add_decoys(orr_cli *cli, orr_keyring *keyring, orr_error *error) {
    for (size_t i = 0; i < cli->arguments.decoys.image_count; i++) {
        orr_decoy decoy;
        const char *path = cli->arguments.decoys.images[i], *flaw;
        orr_status status = orr_decoy_from_image(path, &decoy, &flaw, error);
        if (status == ORR_OK && flaw)
            orr_console_warn(&cli->console, 0, "%s: taken, though %s", path, flaw);
        if (status == ORR_OK) status = orr_keyring_add_decoy(keyring, &decoy, error);
        orr_wipe(&decoy, sizeof decoy);
        if (status != ORR_OK) return status;
    }
    return ORR_OK;
}

// What can be wrong with --weights and --save-decoys is found before a passphrase is asked for.
static orr_status open_generator(orr_cli *cli, orr_generator *generator, orr_error *error) {
    const orr_arguments *a = &cli->arguments;
    orr_status status = orr_generator_open(cli, a->weights, generator, error);
    if (status == ORR_OK && a->decoys.save)
        status = orr_generator_folder(generator, a->decoys.save, 0, error);
    return status;
}

static orr_status run_new(orr_cli *cli, orr_error *error) {
    const orr_arguments *a = &cli->arguments;
    orr_keyring keyring = {0};
    orr_passphrase passphrase = {0};
    orr_generator generator = {0};
    struct stat info;
    orr_status status = ORR_OK;
    if (lstat(a->output, &info) ==
        0) { // before a passphrase is asked for; the creation itself is exclusive
        return orr_fail(error, ORR_EXISTS, "%s: exists already; a keyring is never overwritten",
                        a->output);
    }
    status = orr_keyring_init(&keyring, a->keyring.label ? a->keyring.label : "master", error);
    if (status == ORR_OK) status = add_decoys(cli, &keyring, error);
    if (status == ORR_OK && a->weights) status = open_generator(cli, &generator, error);
    if (status != ORR_OK) goto end;
    if (a->dry_run) {
        size_t decoys = a->weights ? a->decoys.count : keyring.decoy_count;
        if (!decoys) decoys = ORR_DEFAULT_DECOYS;
        orr_console_note(&cli->console, "would make the keyring %s with %zu decoy%s", a->output,
                         decoys, decoys == 1 ? "" : "s");
        goto end;
    }
    if (!a->keyring.no_passphrase) {
        status = orr_cli_new_passphrase(cli, &a->keyring.passphrase, &passphrase, error);
        if (status != ORR_OK) goto end;
    }
    if (a->weights) { // after the passphrase, for it starts threads
        status = orr_cli_decoy_pool(cli, &generator, &keyring, error);
    }
    if (status == ORR_OK) status = orr_keyring_add_unlock(&keyring, &passphrase, "", error);
    if (status == ORR_OK) status = orr_keyring_create(&keyring, a->output, error);
    if (status != ORR_OK) { // decoys of no keyring are of no use, and can show patients
        if (a->decoys.save) orr_generator_unsave(&generator, a->decoys.save, keyring.decoy_count);
        goto end;
    }
    orr_cli_warn_of_keyring(cli, a->output);
    print_key(cli, &keyring.keys[0]);
    orr_console_note(&cli->console, "made the keyring %s: one active master key, %zu decoy%s, %s",
                     a->output, keyring.decoy_count, keyring.decoy_count == 1 ? "" : "s",
                     a->keyring.no_passphrase ? "no passphrase" : "sealed with the passphrase");
    orr_console_note(&cli->console,
                     "losing it%s loses everything encrypted with it: copy it now to another place",
                     a->keyring.no_passphrase ? "" : " or the passphrase");
    orr_console_note(&cli->console, "away from the archive, for example: cp -p %s /media/safe/",
                     orr_shown_name(a->output, "KEYRING"));
    if (a->keyring.no_passphrase) {
        orr_console_note(&cli->console,
                         "it has no passphrase: whoever can read the file has the keys");
    }
end:
    orr_generator_close(&generator);
    orr_passphrase_wipe(&passphrase);
    orr_keyring_free(&keyring);
    return status;
}

// ---- changes: the same function on a keyring in memory (--dry-run) or inside a locked update
typedef struct change {
    orr_cli *cli;
    orr_master_key key;          // what was changed, without its secret
    int found;                   // set-state: `key` is the one; its name was looked up before
    int same_label;              // add: another key has this label
    const orr_passphrase *fresh; // passwd: the new one
} change;

static orr_status change_add(orr_keyring *keyring, void *context, orr_error *error) {
    change *c = context;
    const char *label = c->cli->arguments.keyring.label;
    uint8_t id[ORR_KEY_ID_BYTES];
    for (size_t i = 0; label && i < keyring->key_count; i++)
        c->same_label |= !strcmp(keyring->keys[i].label, label);
    orr_status status = orr_keyring_add(keyring, label ? label : "master", id, error);
    if (status != ORR_OK) return status;
    c->key = keyring->keys[keyring->key_count - 1];
    orr_wipe(c->key.key, sizeof c->key.key);
    return ORR_OK;
}

static orr_status change_state(orr_keyring *keyring, void *context, orr_error *error) {
    change *c = context;
    const orr_arguments *a = &c->cli->arguments;
    const orr_master_key *key = NULL;
    char id[2 * ORR_KEY_ID_BYTES + 1];
    orr_hex(c->key.id, sizeof c->key.id, id);
    orr_status status = orr_keyring_find(keyring, c->found ? id : a->operands[0], &key, error);
    if (status == ORR_OK) status = orr_keyring_set_state(keyring, key->id, a->keyring.state, error);
    if (status != ORR_OK) return status;
    c->key = *key;
    orr_wipe(c->key.key, sizeof c->key.key);
    return ORR_OK;
}

// The change in memory alone: would it be done?
static orr_status try_change(orr_cli *cli, orr_keyring_change function, change *c,
                             const orr_passphrase *passphrase, orr_error *error) {
    orr_keyring keyring = {0};
    c->cli = cli;
    orr_status status = orr_keyring_load(&keyring, cli->arguments.keyring.file, passphrase, error);
    if (status == ORR_OK && function) status = function(&keyring, c, error);
    orr_keyring_free(&keyring);
    return status;
}

static orr_status apply(orr_cli *cli, orr_keyring_change function, change *c,
                        const orr_passphrase *passphrase, orr_error *error) {
    const orr_arguments *a = &cli->arguments;
    c->cli = cli;
    if (a->dry_run) return try_change(cli, function, c, passphrase, error);
    orr_status status = orr_keyring_update(a->keyring.file, passphrase, function, c, error);
    if (status == ORR_OK) orr_cli_warn_of_keyring(cli, a->keyring.file);
    return status;
}

static orr_status run_add(orr_cli *cli, orr_error *error) {
    orr_passphrase passphrase;
    change c = {0};
    orr_status status = orr_cli_passphrase(cli, &passphrase, error);
    if (status == ORR_OK) status = apply(cli, change_add, &c, &passphrase, error);
    orr_passphrase_wipe(&passphrase);
    if (status != ORR_OK) return status;
    if (cli->arguments.dry_run) {
        orr_console_note(&cli->console, "would add a master key to %s",
                         cli->arguments.keyring.file);
        return ORR_OK;
    }
    print_key(cli, &c.key);
    if (c.same_label)
        orr_console_warn(&cli->console, 0,
                         "another key has the label \"%s\" too: only their IDs tell them apart",
                         c.key.label);
    orr_console_note(&cli->console,
                     "added; copies of the keyring made earlier lack this key: copy it anew");
    orr_console_note(&cli->console,
                     "to use it: orrery keyring set-state -k %s %.2x%.2x%.2x%.2x active",
                     orr_shown_name(cli->arguments.keyring.file, "KEYRING"), c.key.id[0],
                     c.key.id[1], c.key.id[2], c.key.id[3]);
    return ORR_OK;
}

// Asks before a key goes for good: after the passphrase and a look at the key, so that nothing else
// can be expected than this question, and without echo, should a passphrase be typed all the same.
// --yes answers beforehand; without a terminal it is required.
static orr_status confirm_destruction(orr_cli *cli, change *c, const orr_passphrase *passphrase,
                                      orr_error *error) {
    orr_passphrase answer;
    char id[2 * ORR_KEY_ID_BYTES + 1], label[4 * ORR_LABEL_BYTES], prompt[512];
    orr_status status = try_change(cli, change_state, c, passphrase, error);
    if (status != ORR_OK) return status;
    c->found = 1;
    if (!isatty(STDIN_FILENO))
        return orr_fail(error, ORR_USAGE, "destroying a key needs --yes without a terminal");
    orr_hex(c->key.id, sizeof c->key.id, id);
    orr_text_escape(c->key.label, label, sizeof label);
    snprintf(prompt, sizeof prompt,
             "Files wrapped only under key %s (%s) will be lost for ever.\n"
             "Type yes to destroy it (what you type is not shown): ",
             id, label);
    status = orr_passphrase_ask(prompt, 0, &answer, error);
    int yes = status == ORR_OK && answer.length == 3 && !memcmp(answer.bytes, "yes", 3);
    orr_passphrase_wipe(&answer);
    if (yes || status == ORR_STOPPED) return status;
    return orr_fail(error, ORR_USAGE, "key %s was not destroyed: what was typed is not \"yes\"",
                    id);
}

static orr_status run_set_state(orr_cli *cli, orr_error *error) {
    const orr_arguments *a = &cli->arguments;
    orr_passphrase passphrase = {0};
    change c = {0};
    int asks = a->keyring.state == ORR_KEY_DESTROYED && !a->keyring.yes && !a->dry_run;
    orr_status status = orr_cli_passphrase(cli, &passphrase, error);
    if (status == ORR_OK && asks) status = confirm_destruction(cli, &c, &passphrase, error);
    if (status == ORR_OK) status = apply(cli, change_state, &c, &passphrase, error);
    orr_passphrase_wipe(&passphrase);
    if (status != ORR_OK) return status;
    if (cli->console.json) orr_console_json(&cli->console, key_object(&c.key));
    char id[2 * ORR_KEY_ID_BYTES + 1];
    orr_hex(c.key.id, sizeof c.key.id, id);
    orr_console_note(&cli->console, "%s %s is %s", a->dry_run ? "would be so: key" : "key", id,
                     orr_key_state_name(c.key.state));
    if (a->keyring.state == ORR_KEY_ACTIVE) {
        orr_console_note(&cli->console,
                         "files encrypted earlier stay under their key until `orrery rewrap`");
    }
    return ORR_OK;
}

static orr_status change_passphrase(orr_keyring *keyring, void *context, orr_error *error) {
    change *c = context;
    orr_status status = orr_keyring_rekey(keyring, NULL, 0, error);
    return status == ORR_OK ? orr_keyring_add_unlock(keyring, c->fresh, "", error) : status;
}

static orr_status run_passwd(orr_cli *cli, orr_error *error) {
    const orr_arguments *a = &cli->arguments;
    orr_passphrase old = {0}, fresh = {0};
    change c = {.fresh = &fresh};
    orr_status status = orr_cli_passphrase(cli, &old, error);
    if (status == ORR_OK && !a->keyring.no_passphrase) {
        status = orr_cli_new_passphrase(cli, &a->keyring.new_passphrase, &fresh, error);
    }
    if (status == ORR_OK) status = apply(cli, change_passphrase, &c, &old, error);
    orr_passphrase_wipe(&old);
    orr_passphrase_wipe(&fresh);
    if (status != ORR_OK) return status;
    orr_console_note(&cli->console, "%s the passphrase of %s; copies made earlier keep the old one",
                     a->dry_run                 ? "would change"
                     : a->keyring.no_passphrase ? "removed"
                                                : "changed",
                     a->keyring.file);
    return ORR_OK;
}

static void list_people(orr_cli *cli, const orr_keyring *keyring, int has_generator,
                        const char *generator) {
    for (size_t i = 0; i < keyring->key_count; i++) {
        const orr_master_key *key = &keyring->keys[i];
        char id[2 * ORR_KEY_ID_BYTES + 1], created[32];
        orr_hex(key->id, sizeof key->id, id);
        format_time(key->created, created);
        orr_console_data(&cli->console, "%s  %-12s  %s  %s", id, orr_key_state_name(key->state),
                         created, key->label);
    }
    orr_console_data(&cli->console, "%zu decoy%s, %s%s", keyring->decoy_count,
                     keyring->decoy_count == 1 ? "" : "s",
                     has_generator ? "from generator " : "from images",
                     has_generator ? generator : "");
}

static orr_status run_list(orr_cli *cli, orr_error *error) {
    orr_keyring keyring;
    orr_passphrase passphrase;
    orr_status status = orr_cli_keyring(cli, &keyring, &passphrase, error);
    orr_passphrase_wipe(&passphrase);
    if (status != ORR_OK) return status;
    static const uint8_t none[32];
    int has_generator = memcmp(keyring.generator_hash, none, sizeof none) != 0;
    char generator[65];
    orr_hex(keyring.generator_hash, sizeof keyring.generator_hash, generator);
    if (cli->console.json) {
        for (size_t i = 0; i < keyring.key_count; i++)
            orr_console_json(&cli->console, key_object(&keyring.keys[i]));
        cli->summary = orr_json_message("summary");
        cJSON_AddNumberToObject(cli->summary, "keys", (double)keyring.key_count);
        cJSON_AddNumberToObject(cli->summary, "decoys", (double)keyring.decoy_count);
        cJSON_AddBoolToObject(cli->summary, "has_passphrase",
                              keyring.unlocks[0].type != ORR_UNLOCK_NONE);
        if (has_generator) cJSON_AddStringToObject(cli->summary, "generator_sha256", generator);
    } else {
        list_people(cli, &keyring, has_generator, generator);
    }
    orr_keyring_free(&keyring);
    return ORR_OK;
}

// ---- what the commands take
static orr_status set_label(orr_arguments *a, const char *value, orr_error *error) {
    size_t length = strlen(value);
    if (length == 0 || length >= ORR_LABEL_BYTES || !orr_utf8_valid(value)) {
        return orr_fail(error, ORR_USAGE, "--label takes 1 to %d bytes of UTF-8 text",
                        ORR_LABEL_BYTES - 1);
    }
    a->keyring.label = value;
    return ORR_OK;
}

static orr_status set_decoy(orr_arguments *a, const char *value, orr_error *error) {
    if (!*value) return orr_fail(error, ORR_USAGE, "--decoy must not be empty");
    a->decoys.images[a->decoys.image_count++] = (char *)value; // room for argc of them
    return ORR_OK;
}

static const orr_option new_output = {.letter = 'o',
                                      .name = "output",
                                      .argument = "KEYRING",
                                      .help = "the new keyring file; never overwrites",
                                      ORR_TAKES(FILE, output)};
static const orr_option weights = {.name = "weights",
                                   .argument = "FILE",
                                   .help = "a generator whose images are the decoys, or skin64",
                                   ORR_TAKES(FILE, weights)};
static const orr_option decoys = {.name = "decoys",
                                  .argument = "N",
                                  .help = "how many decoys the generator makes [256]",
                                  ORR_TAKES(COUNT, decoys.count),
                                  .least = 1,
                                  .most = ORR_KEYRING_MAX_DECOYS};
static const orr_option save_decoys = {.name = "save-decoys",
                                       .argument = "DIR",
                                       .help = "keep the generator's decoys, as PNG files",
                                       ORR_TAKES(DIRECTORY, decoys.save)};
static const orr_option decoy = {.name = "decoy",
                                 .argument = "IMAGE...",
                                 .help = "PNG, JPEG, TIFF images that take part in the keys",
                                 ORR_TAKES(FILE, decoys.images),
                                 .set = set_decoy,
                                 .repeats = 1};
static const orr_option label = {.name = "label",
                                 .argument = "TEXT",
                                 .help = "name of the new master key [master]",
                                 ORR_TAKES(TEXT, keyring.label),
                                 .set = set_label};
static const orr_option new_passphrase_file = {.name = "new-passphrase-file",
                                               .argument = "FILE",
                                               .help = "the new one is FILE's first line",
                                               ORR_TAKES(FILE, keyring.new_passphrase.file)};
static const orr_option new_passphrase_fd = {.name = "new-passphrase-fd",
                                             .argument = "N",
                                             .help = "the new one from descriptor N",
                                             ORR_TAKES(COUNT, keyring.new_passphrase.fd),
                                             .most = 65535};
static const orr_option no_passphrase = {.name = "no-passphrase",
                                         .help = "none: whoever reads the file has the keys",
                                         ORR_TAKES(NONE, keyring.no_passphrase)};
static const orr_option yes = {
    .name = "yes", .help = "do not ask before destroying a key", ORR_TAKES(NONE, keyring.yes)};

static const orr_choice states[] = {
    {"active", "wraps new files; the key that was active becomes decrypt-only", ORR_KEY_ACTIVE},
    {"decrypt-only", "old files still open", ORR_KEY_DECRYPT_ONLY},
    {"destroyed", "gone for ever, with every file wrapped only under it", ORR_KEY_DESTROYED},
    {.name = NULL}};

#define KEYRING_EXITS (ORR_EXIT(KEY) | ORR_EXIT(IO) | ORR_EXIT(UNSUPPORTED) | ORR_EXIT(NOT_ORRERY))

static orr_status check_new(orr_arguments *a, orr_error *error) {
    const orr_passphrase_source *passphrase = &a->keyring.passphrase;
    if (a->keyring.no_passphrase && (passphrase->file || passphrase->fd >= 0)) {
        return orr_fail(error, ORR_USAGE,
                        "--no-passphrase excludes --passphrase-file and --passphrase-fd");
    }
    if (a->weights && a->decoys.image_count) {
        return orr_fail(error, ORR_USAGE, "--weights and --decoy exclude each other");
    }
    if (!a->weights && (a->decoys.count || a->decoys.save)) {
        return orr_fail(error, ORR_USAGE, "--%s needs --weights",
                        a->decoys.count ? "decoys" : "save-decoys");
    }
    if (!a->weights && strcmp(a->device, "auto") != 0) {
        return orr_fail(error, ORR_USAGE, "--device needs --weights");
    }
    if (a->weights && a->operand_count) {
        return orr_fail(error, ORR_USAGE, "keyring new does not take \"%s\"", a->operands[0]);
    }
    if (a->weights) return ORR_OK;
    if (a->decoys.image_count == 0) {
        if (a->operand_count) {
            return orr_fail(error, ORR_USAGE,
                            "keyring new does not take \"%s\"; images follow --decoy",
                            a->operands[0]);
        }
        return orr_fail(
            error, ORR_USAGE,
            "keyring new needs --weights FILE, or --decoy IMAGE...: at least one picture");
    }
    // --decoy A B C: getopt hands over A; B and C are operands.
    for (size_t i = 0; i < a->operand_count; i++)
        a->decoys.images[a->decoys.image_count++] = a->operands[i];
    if (a->decoys.image_count > ORR_KEYRING_MAX_DECOYS) {
        return orr_fail(error, ORR_USAGE, "a keyring holds at most %d decoys",
                        ORR_KEYRING_MAX_DECOYS);
    }
    return ORR_OK;
}

static orr_status check_set_state(orr_arguments *a, orr_error *error) {
    a->keyring.state = (orr_key_state)orr_choice_find(states, a->operands[1])->value;
    if (a->keyring.yes && a->keyring.state != ORR_KEY_DESTROYED) {
        return orr_fail(error, ORR_USAGE, "--yes only goes with the state destroyed");
    }
    return ORR_OK;
}

const orr_command orr_cmd_keyring_new = {
    .name = "keyring new",
    .synopsis = "-o KEYRING (--weights W|--decoy IMAGE...) [OPTION]...",
    .summary = "make a keyring: a master key and the decoys",
    .details = "Makes a keyring with one active master key and the channel sums of the decoy "
               "images: images that a generator makes now, from latent vectors of the system's "
               "random numbers, or images given. The images are not kept. Losing the keyring, "
               "or its passphrase, loses everything encrypted with it: keep a copy away from "
               "the archive.",
    .example = "orrery keyring new -o hospital.keyring --weights generator.safetensors",
    .options =
        ORR_OPTIONS(&new_output, &weights, &decoys, &save_decoys, &decoy, &label,
                    &orr_option_device, ORR_OPTIONS_PASSPHRASE, &no_passphrase, &orr_option_dry_run,
                    &orr_option_json, &orr_option_quiet, &orr_option_verbose_devices),
    .required = {&new_output},
    .operands = {{"IMAGE", ORR_VALUE_FILE, NULL}},
    .most = SIZE_MAX,
    .operands_needed = "images",
    .exit_statuses = ORR_EXIT(KEY) | ORR_EXIT(EXISTS) | ORR_EXIT(IO) | ORR_EXIT(UNSUPPORTED),
    .check = check_new,
    .run = run_new,
};

const orr_command orr_cmd_keyring_add = {
    .name = "keyring add",
    .synopsis = "-k KEYRING [OPTION]...",
    .summary = "add a master key, for rotation",
    .details = "Adds a new master key in the state decrypt-only and prints its ID. To rotate: "
               "make it active with keyring set-state, then rewrap the archive.",
    .example = "orrery keyring add -k hospital.keyring --label 2027",
    .options = ORR_OPTIONS(&orr_option_keyring, &label, ORR_OPTIONS_UNLOCK, &orr_option_dry_run,
                           &orr_option_json, &orr_option_quiet),
    .required = {&orr_option_keyring},
    .exit_statuses = KEYRING_EXITS,
    .run = run_add,
};

const orr_command orr_cmd_keyring_list = {
    .name = "keyring list",
    .synopsis = "-k KEYRING [OPTION]...",
    .summary = "show the master keys and their states",
    .details = "Shows the ID, state, time of making and label of each master key, and the "
               "number of decoys. No key is printed.",
    .example = "orrery keyring list -k hospital.keyring",
    .options =
        ORR_OPTIONS(&orr_option_keyring, ORR_OPTIONS_UNLOCK, &orr_option_json, &orr_option_quiet),
    .required = {&orr_option_keyring},
    .exit_statuses = KEYRING_EXITS,
    .run = run_list,
};

const orr_command orr_cmd_keyring_set_state = {
    .name = "keyring set-state",
    .synopsis = "-k KEYRING [OPTION]... KEY STATE",
    .summary = "make a key active, retire it, or destroy it",
    .details = "KEY is a key's label or ID, or 4 or more of its first digits.",
    .example = "orrery keyring set-state -k hospital.keyring 3f8a active",
    .options = ORR_OPTIONS(&orr_option_keyring, ORR_OPTIONS_UNLOCK, &yes, &orr_option_dry_run,
                           &orr_option_json, &orr_option_quiet),
    .required = {&orr_option_keyring},
    .operands = {{"KEY", ORR_VALUE_TEXT, NULL}, {"STATE", ORR_VALUE_CHOICE, states}},
    .least = 2,
    .most = 2,
    .operands_needed = "KEY and STATE",
    .exit_statuses = KEYRING_EXITS,
    .check = check_set_state,
    .run = run_set_state,
};

const orr_command orr_cmd_keyring_passwd = {
    .name = "keyring passwd",
    .synopsis = "-k KEYRING [OPTION]...",
    .summary = "change or remove the passphrase",
    .details = "Seals the keyring under a new passphrase. Copies made earlier keep the old "
               "one.",
    .example = "orrery keyring passwd -k hospital.keyring",
    .options = ORR_OPTIONS(&orr_option_keyring, ORR_OPTIONS_UNLOCK, &new_passphrase_file,
                           &new_passphrase_fd, &no_passphrase, &orr_option_dry_run,
                           &orr_option_json, &orr_option_quiet),
    .required = {&orr_option_keyring},
    .exit_statuses = KEYRING_EXITS,
    .run = run_passwd,
};
