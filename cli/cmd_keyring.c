// orrery keyring new | add | list | set-state
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/text.h"
#include "cli/generator.h"
#include "cli/keyring_change.h"
#include "cli/stop.h"
#include "host/job/key_use.h"

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

// Seals what is in memory under a passphrase and a recovery code, and writes it. Decoys that a
// generator makes come in between: after the passphrase, for that starts threads.
static orr_status write_new(orr_cli *cli, orr_generator *generator, orr_keyring *keyring,
                            orr_passphrase *code, orr_error *error) {
    const orr_arguments *a = &cli->arguments;
    orr_passphrase passphrase = {0};
    orr_status status = ORR_OK;
    int with_code = !a->keyring.no_passphrase && !a->keyring.no_code &&
                    (!cli->console.json || a->keyring.save_code);
    if (!a->keyring.no_passphrase)
        status = orr_cli_new_passphrase(cli, &a->keyring.passphrase, &passphrase, error);
    if (status == ORR_OK && a->weights) status = orr_cli_decoy_pool(cli, generator, keyring, error);
    if (status == ORR_OK) status = orr_keyring_add_unlock(keyring, &passphrase, "", error);
    orr_passphrase_wipe(&passphrase);
    if (status == ORR_OK && with_code) status = orr_code_draw(code, error);
    if (status == ORR_OK && with_code) status = orr_keyring_add_unlock(keyring, code, "", error);
    if (status == ORR_OK && with_code) status = orr_cli_code_save(cli, code, error);
    if (status != ORR_OK) return status;
    status = orr_keyring_create(keyring, a->output, error);
    if (status != ORR_OK && with_code) orr_cli_code_unsave(cli);
    return status;
}

static orr_status say_new(orr_cli *cli, const orr_keyring *keyring, const orr_passphrase *code,
                          orr_error *error) {
    const orr_arguments *a = &cli->arguments;
    orr_status status = ORR_OK;
    orr_cli_warn_of_keyring(cli, a->output);
    orr_print_key(cli, &keyring->keys[0]);
    if (code->present) status = orr_cli_code_show(cli, a->output, code, error);
    orr_console_note(&cli->console, "made the keyring %s: one active master key, %zu decoy%s, %s",
                     a->output, keyring->decoy_count, keyring->decoy_count == 1 ? "" : "s",
                     a->keyring.no_passphrase ? "no passphrase"
                     : code->present          ? "sealed with the passphrase and a recovery code"
                                              : "sealed with the passphrase");
    orr_console_note(&cli->console,
                     "losing it%s loses everything encrypted with it: copy it now to another place",
                     a->keyring.no_passphrase ? ""
                     : code->present          ? " or all that opens it"
                                              : " or the passphrase");
    orr_console_note(&cli->console, "away from the archive, for example: cp -p %s /media/safe/",
                     orr_shown_name(a->output, "KEYRING"));
    if (a->keyring.no_passphrase) {
        orr_console_note(&cli->console,
                         "it has no passphrase: whoever can read the file has the keys");
    }
    return status;
}

static orr_status run_new(orr_cli *cli, orr_error *error) {
    const orr_arguments *a = &cli->arguments;
    orr_keyring keyring = {0};
    orr_passphrase code = {0};
    orr_generator generator = {0};
    struct stat info;
    if (lstat(a->output, &info) ==
        0) { // before a passphrase is asked for; the creation itself is exclusive
        return orr_fail(error, ORR_EXISTS, "%s: exists already; a keyring is never overwritten",
                        a->output);
    }
    orr_status status =
        orr_keyring_init(&keyring, a->keyring.label ? a->keyring.label : "master", error);
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
    status = write_new(cli, &generator, &keyring, &code, error);
    if (status == ORR_OK)
        status = say_new(cli, &keyring, &code, error);
    else if (a->decoys.save) // decoys of no keyring are of no use, and can show patients
        orr_generator_unsave(&generator, a->decoys.save, keyring.decoy_count);
end:
    orr_generator_close(&generator);
    orr_passphrase_wipe(&code);
    orr_keyring_free(&keyring);
    return status;
}

// ---- changes: the same function on a keyring in memory (--dry-run) or inside a locked update
typedef struct change {
    orr_cli *cli;
    orr_master_key key; // what was changed, without its secret
    orr_key_use use;    // set-state destroyed --vault
    int found;          // set-state: `key` is the one; its name was looked up before
    int same_label;     // add: another key has this label
} change;

static orr_status change_add(orr_keyring *keyring, void *context, orr_error *error) {
    change *c = context;
    const char *label = c->cli->arguments.keyring.label;
    uint8_t id[ORR_KEY_ID_BYTES];
    for (size_t i = 0; label && i < keyring->key_count; i++)
        c->same_label |= !strcmp(keyring->keys[i].label, label);
    orr_status status = orr_keyring_add(keyring, label ? label : "master", id, error);
    if (status != ORR_OK) return status;
    orr_master_key_copy_public(&c->key, &keyring->keys[keyring->key_count - 1]);
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
    orr_master_key_copy_public(&c->key, key);
    return ORR_OK;
}

static orr_status run_add(orr_cli *cli, orr_error *error) {
    orr_passphrase passphrase;
    change c = {.cli = cli};
    orr_status status = orr_cli_passphrase(cli, &passphrase, error);
    if (status == ORR_OK) status = orr_apply_change(cli, change_add, &c, &passphrase, error);
    orr_passphrase_wipe(&passphrase);
    if (status != ORR_OK) return status;
    if (cli->arguments.dry_run) {
        orr_console_note(&cli->console, "would add a master key to %s",
                         cli->arguments.keyring.file);
        return ORR_OK;
    }
    orr_print_key(cli, &c.key);
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
static orr_status confirm_destruction(orr_cli *cli, const change *c, orr_error *error) {
    char id[ORR_SHOWN_ID], shown[4 * ORR_SHOWN_ID], question[1024], undone[512], more[200] = "";
    orr_text_escape(orr_shown_id(c->key.id, c->key.label, id), shown, sizeof shown);
    if (cli->arguments.keyring.vault)
        snprintf(more, sizeof more, " (of that vault: %" PRIu64 ")", c->use.need);
    snprintf(question, sizeof question,
             "Files wrapped only under key %s will be lost for ever%s.\n"
             "Type yes to destroy it",
             shown, more);
    snprintf(undone, sizeof undone, "key %s was not destroyed", id);
    return orr_cli_confirm(question, undone, error);
}

// What of --vault still needs the key: said before anything is asked or done.
static orr_status count_use(orr_cli *cli, change *c, const orr_passphrase *passphrase,
                            orr_error *error) {
    const char *vault = cli->arguments.keyring.vault;
    orr_keyring keyring = {0};
    orr_status status = orr_keyring_load(&keyring, cli->arguments.keyring.file, passphrase, error);
    if (status == ORR_OK)
        status = orr_key_use_count(vault, &keyring, c->key.id, &orr_stop_requested, &c->use, error);
    orr_keyring_free(&keyring);
    if (status != ORR_OK) return status;
    orr_console_note(&cli->console,
                     "%s: %" PRIu64 " of %" PRIu64 " encrypted files still need the key%s", vault,
                     c->use.need, c->use.files,
                     c->use.need ? ": `orrery rewrap` puts them under the active one" : "");
    if (!c->use.unread) return ORR_OK;
    if (!cli->arguments.keyring.ignore_unread)
        return orr_fail(error, ORR_IO,
                        "%s: %" PRIu64 " files could not be looked at, and may need the key too; "
                        "nothing was changed: see `orrery verify`, or give --ignore-unread",
                        vault, c->use.unread);
    orr_console_warn(&cli->console, 0,
                     "%s: %" PRIu64 " files could not be looked at: they may need it too", vault,
                     c->use.unread);
    return ORR_OK;
}

static orr_status look_before_destroying(orr_cli *cli, change *c, const orr_passphrase *passphrase,
                                         orr_error *error) {
    const orr_arguments *a = &cli->arguments;
    orr_status status = orr_try_change(cli, change_state, c, passphrase, error);
    if (status != ORR_OK) return status;
    c->found = 1;
    if (a->keyring.vault) status = count_use(cli, c, passphrase, error);
    if (status != ORR_OK || a->keyring.yes || a->dry_run) return status;
    return confirm_destruction(cli, c, error);
}

static orr_status run_set_state(orr_cli *cli, orr_error *error) {
    const orr_arguments *a = &cli->arguments;
    orr_passphrase passphrase = {0};
    change c = {.cli = cli};
    char id[ORR_SHOWN_ID];
    orr_status status = orr_cli_passphrase(cli, &passphrase, error);
    if (status == ORR_OK && a->keyring.state == ORR_KEY_DESTROYED)
        status = look_before_destroying(cli, &c, &passphrase, error);
    if (status == ORR_OK) status = orr_apply_change(cli, change_state, &c, &passphrase, error);
    orr_passphrase_wipe(&passphrase);
    if (status != ORR_OK) return status;
    if (cli->console.json) {
        orr_console_json(&cli->console, orr_key_object(&c.key));
        if (a->keyring.vault) {
            cli->summary = orr_json_message("summary");
            cJSON_AddNumberToObject(cli->summary, "files", (double)c.use.files);
            cJSON_AddNumberToObject(cli->summary, "need_key", (double)c.use.need);
            cJSON_AddNumberToObject(cli->summary, "unread", (double)c.use.unread);
        }
    }
    orr_console_note(&cli->console, "%s %s is %s", a->dry_run ? "would be so: key" : "key",
                     orr_shown_id(c.key.id, c.key.label, id), orr_key_state_name(c.key.state));
    if (a->keyring.state == ORR_KEY_ACTIVE) {
        orr_console_note(&cli->console,
                         "files encrypted earlier stay under their key until `orrery rewrap`");
    }
    return ORR_OK;
}

static void list_ways(orr_cli *cli, const orr_keyring *keyring) {
    size_t codes = 0, passphrases = 0;
    for (size_t i = 0; i < keyring->unlock_count; i++) {
        codes += keyring->unlocks[i].type == ORR_UNLOCK_CODE;
        passphrases += keyring->unlocks[i].type == ORR_UNLOCK_PASSPHRASE;
    }
    if (codes || passphrases)
        orr_console_data(&cli->console, "opens with %zu passphrase%s and %zu recovery code%s",
                         passphrases, passphrases == 1 ? "" : "s", codes, codes == 1 ? "" : "s");
    else
        orr_console_data(&cli->console, "opens without a passphrase");
}

static void list_people(orr_cli *cli, const orr_keyring *keyring, int has_generator,
                        const char *generator) {
    for (size_t i = 0; i < keyring->key_count; i++) {
        const orr_master_key *key = &keyring->keys[i];
        char id[2 * ORR_KEY_ID_BYTES + 1], created[32];
        orr_hex(key->id, sizeof key->id, id);
        orr_shown_time(key->created, created);
        orr_console_data(&cli->console, "%s  %-12s  %s  %s", id, orr_key_state_name(key->state),
                         created, key->label);
    }
    list_ways(cli, keyring);
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
            orr_console_json(&cli->console, orr_key_object(&keyring.keys[i]));
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
static const orr_option no_passphrase = {.name = "no-passphrase",
                                         .help = "none: whoever reads the file has the keys",
                                         ORR_TAKES(NONE, keyring.no_passphrase)};
static const orr_option no_code = {
    .name = "no-recovery-code", .help = "make no recovery code", ORR_TAKES(NONE, keyring.no_code)};
static const orr_option vault = {.name = "vault",
                                 .argument = "DIR",
                                 .help = "say how many files in it still need the key",
                                 ORR_TAKES(DIRECTORY, keyring.vault)};
static const orr_option ignore_unread = {.name = "ignore-unread",
                                         .help = "destroy it though files could not be looked at",
                                         ORR_TAKES(NONE, keyring.ignore_unread)};

static const orr_choice states[] = {
    {"active", "wraps new files; the key that was active becomes decrypt-only", ORR_KEY_ACTIVE},
    {"decrypt-only", "old files still open", ORR_KEY_DECRYPT_ONLY},
    {"destroyed", "gone for ever, with every file wrapped only under it", ORR_KEY_DESTROYED},
    {.name = NULL}};

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
    if ((a->keyring.yes || a->keyring.vault) && a->keyring.state != ORR_KEY_DESTROYED) {
        return orr_fail(error, ORR_USAGE, "--%s only goes with the state destroyed",
                        a->keyring.yes ? "yes" : "vault");
    }
    if (a->keyring.ignore_unread && !a->keyring.vault)
        return orr_fail(error, ORR_USAGE, "--ignore-unread needs --vault");
    return ORR_OK;
}

const orr_command orr_cmd_keyring_new = {
    .name = "keyring new",
    .synopsis = "-o KEYRING (--weights W|--decoy IMAGE...) [OPTION]...",
    .summary = "make a keyring: a master key and the decoys",
    .details = "Makes a keyring with one active master key and the channel sums of the decoy "
               "images: images that a generator makes now, from latent vectors of the system's "
               "random numbers, or images given. The images are not kept. Losing the keyring "
               "loses everything encrypted with it: keep a copy away from the archive. Beside "
               "the passphrase a recovery code is made that opens it too, and shown once; with "
               "--json only with --save-recovery-code.",
    .example = "orrery keyring new -o hospital.keyring --weights generator.safetensors",
    .options = ORR_OPTIONS(&new_output, &weights, &decoys, &save_decoys, &decoy, &orr_option_label,
                           &orr_option_device, ORR_OPTIONS_PASSPHRASE, &no_passphrase, &no_code,
                           &orr_option_save_code, &orr_option_dry_run, &orr_option_json,
                           &orr_option_quiet, &orr_option_verbose_devices),
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
    .options = ORR_OPTIONS(&orr_option_keyring, &orr_option_label, ORR_OPTIONS_UNLOCK,
                           &orr_option_dry_run, &orr_option_json, &orr_option_quiet),
    .required = {&orr_option_keyring},
    .exit_statuses = ORR_KEYRING_EXITS,
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
    .exit_statuses = ORR_KEYRING_EXITS,
    .run = run_list,
};

const orr_command orr_cmd_keyring_set_state = {
    .name = "keyring set-state",
    .synopsis = "-k KEYRING [OPTION]... KEY STATE",
    .summary = "make a key active, retire it, or destroy it",
    .details = "KEY is a key's label or ID, or 4 or more of its first digits. Before a key is "
               "destroyed the terminal is asked, and with --vault its files are counted that "
               "would not open any more: one that cannot be looked at stops it.",
    .example = "orrery keyring set-state -k hospital.keyring 3f8a active",
    .options =
        ORR_OPTIONS(&orr_option_keyring, ORR_OPTIONS_UNLOCK, &orr_option_yes, &vault,
                    &ignore_unread, &orr_option_dry_run, &orr_option_json, &orr_option_quiet),
    .required = {&orr_option_keyring},
    .operands = {{"KEY", ORR_VALUE_TEXT, NULL}, {"STATE", ORR_VALUE_CHOICE, states}},
    .least = 2,
    .most = 2,
    .operands_needed = "KEY and STATE",
    .exit_statuses = ORR_KEYRING_EXITS,
    .check = check_set_state,
    .run = run_set_state,
};
