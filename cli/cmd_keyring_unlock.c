// orrery keyring unlock | passwd: the ways into a keyring.
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/text.h"
#include "cli/keyring_change.h"

// What a change of the ways in needs: found out before the keyring is locked, for people are asked.
typedef struct ways {
    orr_cli *cli;
    const orr_passphrase *fresh; // to add; NULL: nothing is added
    char label[ORR_LABEL_BYTES]; // of what is added
    int rekeys, drops;           // a new keyring key; else one goes without that
    size_t gone;                 // the unlock to take away; SIZE_MAX: none
    orr_unlock_key kept[ORR_KEYRING_MAX_UNLOCKS];
    size_t kept_count;
    uint8_t seen[ORR_KEYRING_MAX_UNLOCKS][ORR_KEY_ID_BYTES]; // all that there were
    size_t seen_count, lost;                                 // of others that go too
    orr_unlock added;                                        // for what is said of it
} ways;

static const char *type_text(orr_unlock_type type) {
    return type == ORR_UNLOCK_CODE ? "recovery code" : "passphrase";
}

static void show(const orr_unlock *unlock, char out[4 * ORR_SHOWN_ID]) {
    char id[ORR_SHOWN_ID];
    orr_text_escape(orr_shown_id(unlock->id, unlock->label, id), out, 4 * ORR_SHOWN_ID);
}

static void see(ways *w, const orr_keyring *keyring) {
    w->seen_count = keyring->unlock_count;
    for (size_t i = 0; i < keyring->unlock_count; i++)
        memcpy(w->seen[i], keyring->unlocks[i].id, ORR_KEY_ID_BYTES);
}

static orr_status check_seen(const ways *w, const orr_keyring *keyring, orr_error *error) {
    int same = w->seen_count == keyring->unlock_count;
    for (size_t i = 0; same && i < w->seen_count; i++)
        same = !memcmp(w->seen[i], keyring->unlocks[i].id, ORR_KEY_ID_BYTES);
    if (same) return ORR_OK;
    return orr_fail(
        error, ORR_KEY,
        "%s: its passphrases and codes were changed by somebody else meanwhile; nothing "
        "was done: run the command again",
        w->cli->arguments.keyring.file);
}

static orr_status change_ways(orr_keyring *keyring, void *context, orr_error *error) {
    ways *w = context;
    orr_status status = check_seen(w, keyring, error);
    if (status == ORR_OK && w->rekeys)
        status = orr_keyring_rekey(keyring, w->kept, w->kept_count, error);
    else if (status == ORR_OK && w->drops)
        orr_keyring_drop_unlock(keyring, w->gone);
    if (status == ORR_OK && w->fresh)
        status = orr_keyring_add_unlock(keyring, w->fresh, w->label, error);
    if (status == ORR_OK && w->fresh) w->added = keyring->unlocks[keyring->unlock_count - 1];
    return status;
}

static void wipe(ways *w) {
    orr_wipe(w->kept, sizeof w->kept);
}

// ---- the secrets of the unlocks that are to stay

// Those of the --other files: each is read once, for it may be a pipe.
typedef struct given {
    orr_passphrase secrets[ORR_KEYRING_MAX_UNLOCKS];
    int used[ORR_KEYRING_MAX_UNLOCKS];
    size_t count;
} given;

static orr_status read_given(orr_cli *cli, given *g, orr_error *error) {
    for (size_t n = 0; n < cli->arguments.keyring.other_count; n++) {
        orr_status status = orr_cli_other(cli, n, &g->secrets[n], error);
        if (status != ORR_OK) return status;
        g->count++;
    }
    return ORR_OK;
}

// Is one of them this unlock's?
static int try_given(ways *w, given *g, const orr_keyring *keyring, size_t index) {
    orr_error ignored;
    for (size_t n = 0; n < g->count; n++) {
        if (orr_keyring_try_unlock(keyring, index, &g->secrets[n], &w->kept[w->kept_count],
                                   &ignored) != ORR_OK)
            continue;
        g->used[n] = 1;
        return 1;
    }
    return 0;
}

// One that was given to keep something, and keeps nothing, is a mistake.
static orr_status check_given(const ways *w, const given *g, orr_error *error) {
    for (size_t n = 0; n < g->count; n++)
        if (!g->used[n])
            return orr_fail(error, ORR_KEY,
                            "%s: opens none of the unlocks that are to stay; nothing was changed",
                            w->cli->arguments.keyring.others[n].file);
    return ORR_OK;
}

static orr_status ask_for(ways *w, const orr_keyring *keyring, size_t index, int *found,
                          orr_error *error) {
    const orr_unlock *unlock = &keyring->unlocks[index];
    char shown[4 * ORR_SHOWN_ID], prompt[1024];
    orr_passphrase secret = {0};
    show(unlock, shown);
    snprintf(prompt, sizeof prompt, "%s of unlock %s (nothing: it goes too): ",
             unlock->type == ORR_UNLOCK_CODE ? "Recovery code" : "Passphrase", shown);
    orr_status status = unlock->type == ORR_UNLOCK_CODE
                            ? orr_code_ask(prompt, 1, &secret, error)
                            : orr_passphrase_ask_if_any(prompt, &secret, error);
    if (status == ORR_OK && secret.present) {
        status = orr_keyring_try_unlock(keyring, index, &secret, &w->kept[w->kept_count], error);
        *found = status == ORR_OK;
    }
    orr_passphrase_wipe(&secret);
    return status;
}

// Those that were not given go too: who uses them has to know.
static orr_status confirm_loss(ways *w, const char *names, orr_error *error) {
    const orr_arguments *a = &w->cli->arguments;
    char question[1200], undone[1200];
    if (!w->lost || a->keyring.yes) return ORR_OK;
    snprintf(question, sizeof question,
             "These will open the keyring no more: %s.\nType yes to let them go", names);
    snprintf(undone, sizeof undone,
             a->keyring.no_passphrase
                 ? "nothing was changed, for nothing stands beside no passphrase, and these go: %s"
                 : "nothing was changed, for what is to stay has to be given "
                   "(--other-passphrase-file, --other-recovery-code-file) and was not: %s",
             names);
    return orr_cli_confirm(question, undone, error);
}

static void add_name(char names[800], const orr_unlock *unlock) {
    char shown[4 * ORR_SHOWN_ID];
    size_t used = strlen(names);
    show(unlock, shown);
    snprintf(names + used, 800 - used, "%s%s %s", used ? ", " : "", type_text(unlock->type), shown);
}

// Nothing can stand beside none: all go, and who opened the keyring speaks for that one way alone.
static orr_status lose_others(ways *w, const orr_keyring *keyring, orr_error *error) {
    char names[800] = "";
    w->lost = keyring->unlock_count - 1;
    for (size_t i = 0; i < keyring->unlock_count; i++)
        if (i != keyring->opened) add_name(names, &keyring->unlocks[i]);
    return confirm_loss(w, names, error);
}

// The key of one unlock that is to stay: of the one that opened the keyring, from a file, or asked
// for.
static orr_status keep_one(ways *w, given *g, const orr_keyring *keyring, size_t index, int *found,
                           orr_error *error) {
    if (index == keyring->opened) {
        memcpy(w->kept[w->kept_count].id, keyring->unlocks[index].id, ORR_KEY_ID_BYTES);
        memcpy(w->kept[w->kept_count].key, keyring->opened_key, sizeof keyring->opened_key);
        *found = 1;
        return ORR_OK;
    }
    *found = try_given(w, g, keyring, index);
    if (*found || !isatty(STDIN_FILENO) || w->cli->arguments.keyring.yes) return ORR_OK;
    return ask_for(w, keyring, index, found, error);
}

static orr_status keep_with(ways *w, given *g, const orr_keyring *keyring, orr_error *error) {
    char names[800] = "";
    for (size_t i = 0; i < keyring->unlock_count; i++) {
        int found = 0;
        if (i == w->gone) continue;
        orr_status status = keep_one(w, g, keyring, i, &found, error);
        if (status != ORR_OK) return status;
        w->kept_count += (size_t)found;
        w->lost += !found;
        if (!found) add_name(names, &keyring->unlocks[i]);
    }
    orr_status status = check_given(w, g, error);
    if (status != ORR_OK) return status;
    if (!w->kept_count && !w->fresh)
        return orr_fail(error, ORR_USAGE,
                        "nothing would open the keyring any more; nothing was changed");
    return confirm_loss(w, names, error);
}

// Fills w->kept with the keys of all unlocks but w->gone.
static orr_status keep_others(ways *w, const orr_keyring *keyring, orr_error *error) {
    given g = {.count = 0};
    orr_status status = read_given(w->cli, &g, error);
    if (status == ORR_OK) status = keep_with(w, &g, keyring, error);
    orr_wipe(&g, sizeof g);
    return status;
}

static void say_lost(const ways *w) {
    if (w->lost)
        orr_console_warn(&w->cli->console, 0,
                         "%zu other way%s in %s too: tell those who use %s, and see `orrery "
                         "keyring unlock list`",
                         w->lost, w->lost == 1 ? "" : "s",
                         w->cli->arguments.dry_run ? "would go" : "went",
                         w->lost == 1 ? "it" : "them");
}

// ---- unlock

// Adds `fresh`. A code is told before the keyring has it: were it the only way in, and the program
// killed in between, nobody would have it.
static orr_status add_secret(ways *w, const orr_passphrase *opener, orr_error *error) {
    orr_cli *cli = w->cli;
    const char *path = cli->arguments.keyring.file;
    int tells = w->fresh->is_code && !cli->arguments.dry_run;
    orr_error other;
    orr_keyring now = {0};
    orr_status status = tells ? orr_cli_code_save(cli, w->fresh, error) : ORR_OK;
    if (status == ORR_OK && tells) status = orr_cli_code_show(cli, path, w->fresh, error);
    if (status != ORR_OK) return status;
    status = orr_apply_change(cli, change_ways, w, opener, error);
    if (status == ORR_OK || !tells) return status;
    if (orr_keyring_load(&now, path, w->fresh, &other) == ORR_KEY) {
        orr_cli_code_unsave(cli);
        orr_console_hint(&cli->console, "the new recovery code was not added: throw it away");
    }
    orr_keyring_free(&now);
    return status;
}

static orr_status add(orr_cli *cli, const orr_passphrase *opener, orr_error *error) {
    const orr_arguments *a = &cli->arguments;
    orr_passphrase fresh = {0};
    orr_keyring keyring = {0};
    ways w = {.cli = cli, .fresh = &fresh, .gone = SIZE_MAX};
    char id[ORR_SHOWN_ID];
    if (a->keyring.label) memcpy(w.label, a->keyring.label, strlen(a->keyring.label));
    orr_status status = orr_keyring_load(&keyring, a->keyring.file, opener, error);
    int was_open = status == ORR_OK && keyring.unlocks[0].type == ORR_UNLOCK_NONE;
    see(&w, &keyring);
    orr_keyring_free(&keyring);
    if (status == ORR_OK && a->keyring.new_code)
        status = orr_code_draw(&fresh, error);
    else if (status == ORR_OK)
        status = orr_cli_new_passphrase(cli, &a->keyring.new_passphrase, &fresh, error);
    if (status == ORR_OK) status = add_secret(&w, opener, error);
    orr_passphrase_wipe(&fresh);
    if (status != ORR_OK) return status;
    orr_console_note(&cli->console, "%s a %s: %s; copies of the keyring made earlier lack it",
                     a->dry_run ? "would add" : "added", type_text(w.added.type),
                     a->dry_run ? "its ID is drawn then"
                                : orr_shown_id(w.added.id, w.added.label, id));
    if (was_open)
        orr_console_note(&cli->console,
                         "the keyring opened without a passphrase until now: who has "
                         "a copy from then has its keys");
    return ORR_OK;
}

static orr_status take_away(orr_cli *cli, const orr_passphrase *opener, orr_error *error) {
    const orr_arguments *a = &cli->arguments;
    orr_keyring keyring = {0};
    ways w = {.cli = cli, .rekeys = 1};
    char id[ORR_SHOWN_ID] = "";
    orr_status status = orr_keyring_load(&keyring, a->keyring.file, opener, error);
    if (status == ORR_OK)
        status = orr_keyring_find_unlock(&keyring, a->operands[1], &w.gone, error);
    if (status == ORR_OK && keyring.unlock_count == 1)
        status = orr_fail(error, ORR_USAGE,
                          "that is the last way into the keyring, and stays: add another first "
                          "(keyring unlock add), or see keyring passwd --no-passphrase");
    if (status == ORR_OK) {
        see(&w, &keyring);
        orr_shown_id(keyring.unlocks[w.gone].id, keyring.unlocks[w.gone].label, id);
        status = keep_others(&w, &keyring, error);
    }
    orr_keyring_free(&keyring);
    if (status == ORR_OK) status = orr_apply_change(cli, change_ways, &w, opener, error);
    wipe(&w);
    if (status != ORR_OK) return status;
    say_lost(&w);
    orr_console_note(
        &cli->console,
        "%s unlock %s; copies of the keyring made earlier still open with it, and have "
        "the keys of their time",
        a->dry_run ? "would remove" : "removed", id);
    return ORR_OK;
}

static void print_unlock(orr_cli *cli, const orr_unlock *unlock) {
    char id[2 * ORR_KEY_ID_BYTES + 1], created[32];
    orr_hex(unlock->id, sizeof unlock->id, id);
    orr_shown_time(unlock->created, created);
    if (!cli->console.json) {
        orr_console_data(&cli->console, "%s  %-13s  %s  %s", id, orr_unlock_type_name(unlock->type),
                         created, unlock->label);
        return;
    }
    cJSON *object = orr_json_message("unlock");
    cJSON_AddStringToObject(object, "unlock_id", id);
    cJSON_AddStringToObject(object, "type", orr_unlock_type_name(unlock->type));
    cJSON_AddStringToObject(object, "created", created);
    orr_json_add_bytes(object, "label", unlock->label);
    orr_console_json(&cli->console, object);
}

static orr_status list(orr_cli *cli, const orr_passphrase *opener, orr_error *error) {
    orr_keyring keyring;
    orr_status status = orr_keyring_load(&keyring, cli->arguments.keyring.file, opener, error);
    if (status != ORR_OK) return status;
    for (size_t i = 0; i < keyring.unlock_count; i++) print_unlock(cli, &keyring.unlocks[i]);
    orr_keyring_free(&keyring);
    return ORR_OK;
}

static orr_status run_unlock(orr_cli *cli, orr_error *error) {
    orr_passphrase opener = {0};
    orr_status status = orr_cli_passphrase(cli, &opener, error);
    if (status == ORR_OK) switch (cli->arguments.keyring.action) {
        case ORR_UNLOCK_ADD:
            status = add(cli, &opener, error);
            break;
        case ORR_UNLOCK_REMOVE:
            status = take_away(cli, &opener, error);
            break;
        case ORR_UNLOCK_LIST:
            status = list(cli, &opener, error);
            break;
        }
    orr_passphrase_wipe(&opener);
    return status;
}

// ---- passwd

// Which unlock does the new passphrase take the place of? The one that the keyring was opened with;
// opened by a recovery code, its only passphrase, for that is the lost one.
static orr_status find_replaced(ways *w, const orr_keyring *keyring, orr_error *error) {
    size_t passphrases = 0;
    w->gone = keyring->opened;
    if (keyring->unlocks[keyring->opened].type != ORR_UNLOCK_CODE) return ORR_OK;
    w->gone = SIZE_MAX;
    for (size_t i = 0; i < keyring->unlock_count; i++) {
        if (keyring->unlocks[i].type != ORR_UNLOCK_PASSPHRASE) continue;
        w->gone = i;
        passphrases++;
    }
    if (passphrases <= 1) return ORR_OK;
    return orr_fail(error, ORR_USAGE,
                    "the keyring has %zu passphrases, and was opened with a recovery code: use "
                    "keyring unlock add, and keyring unlock remove for the lost one",
                    passphrases);
}

static orr_status plan_passwd(ways *w, const orr_passphrase *opener, orr_error *error) {
    const orr_arguments *a = &w->cli->arguments;
    orr_keyring keyring = {0};
    orr_status status = orr_keyring_load(&keyring, a->keyring.file, opener, error);
    if (status == ORR_OK && a->keyring.same_key && keyring.unlocks[0].type == ORR_UNLOCK_NONE)
        status = orr_fail(error, ORR_USAGE,
                          "--same-key: the keyring opens without a passphrase, and every copy of "
                          "it would open the new one too: leave it out; nothing was changed");
    if (status == ORR_OK) status = find_replaced(w, &keyring, error);
    if (status == ORR_OK) {
        see(w, &keyring);
        w->rekeys = !a->keyring.same_key;
        w->drops = w->gone != SIZE_MAX;
        if (w->drops) memcpy(w->label, keyring.unlocks[w->gone].label, sizeof w->label);
        if (a->keyring.no_passphrase)
            status = lose_others(w, &keyring, error);
        else if (w->rekeys)
            status = keep_others(w, &keyring, error);
    }
    orr_keyring_free(&keyring);
    return status;
}

static orr_status run_passwd(orr_cli *cli, orr_error *error) {
    const orr_arguments *a = &cli->arguments;
    orr_passphrase old = {0}, fresh = {0};
    ways w = {.cli = cli, .fresh = &fresh};
    orr_status status = orr_cli_passphrase(cli, &old, error);
    if (status == ORR_OK) status = plan_passwd(&w, &old, error);
    if (status == ORR_OK && !a->keyring.no_passphrase)
        status = orr_cli_new_passphrase(cli, &a->keyring.new_passphrase, &fresh, error);
    if (status == ORR_OK) status = orr_apply_change(cli, change_ways, &w, &old, error);
    orr_passphrase_wipe(&old);
    orr_passphrase_wipe(&fresh);
    wipe(&w);
    if (status != ORR_OK) return status;
    say_lost(&w);
    orr_console_note(&cli->console, "%s the passphrase of %s; copies made earlier keep the old one",
                     a->dry_run                 ? "would change"
                     : a->keyring.no_passphrase ? "removed"
                                                : "changed",
                     a->keyring.file);
    return ORR_OK;
}

// ---- what the commands take

static const orr_option no_passphrase = {.name = "no-passphrase",
                                         .help = "none: whoever reads the file has the keys",
                                         ORR_TAKES(NONE, keyring.no_passphrase)};
static const orr_option same_key = {.name = "same-key",
                                    .help = "keep the others unasked; see above",
                                    ORR_TAKES(NONE, keyring.same_key)};
static const orr_option new_code = {.name = "new-recovery-code",
                                    .help = "add a recovery code, not a passphrase",
                                    ORR_TAKES(NONE, keyring.new_code)};
static const orr_option unlock_label = {.name = "label",
                                        .argument = "TEXT",
                                        .help = "name of what is added",
                                        ORR_TAKES(TEXT, keyring.label)};

static const orr_choice actions[] = {
    {"add", "one more passphrase, or recovery code", ORR_UNLOCK_ADD},
    {"remove", "take UNLOCK away, by its ID or label", ORR_UNLOCK_REMOVE},
    {"list", "IDs, types, when they were made, labels", ORR_UNLOCK_LIST},
    {.name = NULL}};

// Options that only one of the actions has a use for.
static const struct {
    const char *option;
    orr_unlock_action action;
} only[] = {
    {"label", ORR_UNLOCK_ADD},
    {"new-passphrase-file", ORR_UNLOCK_ADD},
    {"new-passphrase-fd", ORR_UNLOCK_ADD},
    {"new-recovery-code", ORR_UNLOCK_ADD},
    {"save-recovery-code", ORR_UNLOCK_ADD},
    {"other-passphrase-file", ORR_UNLOCK_REMOVE},
    {"other-recovery-code-file", ORR_UNLOCK_REMOVE},
    {"yes", ORR_UNLOCK_REMOVE},
};

static orr_status check_unlock(orr_arguments *a, orr_error *error) {
    const orr_choice *action = orr_choice_find(actions, a->operands[0]);
    a->keyring.action = (orr_unlock_action)action->value;
    for (size_t i = 0; i < sizeof only / sizeof *only; i++)
        if (only[i].action != a->keyring.action && orr_arguments_has(a, only[i].option))
            return orr_fail(error, ORR_USAGE, "--%s has no use with keyring unlock %s",
                            only[i].option, action->name);
    int names = a->keyring.action == ORR_UNLOCK_REMOVE;
    if (a->operand_count != 1 + (size_t)names)
        return orr_fail(error, ORR_USAGE,
                        names ? "keyring unlock remove needs UNLOCK, an ID or label"
                              : "keyring unlock %s takes no UNLOCK",
                        action->name);
    if (a->keyring.save_code && !a->keyring.new_code)
        return orr_fail(error, ORR_USAGE, "--save-recovery-code needs --new-recovery-code");
    if (a->json && a->keyring.new_code && !a->keyring.save_code)
        return orr_fail(error, ORR_USAGE,
                        "with --json a recovery code is not shown: --save-recovery-code FILE");
    if (a->keyring.label && !orr_label_is_valid(a->keyring.label))
        return orr_fail(error, ORR_USAGE, "--label takes 1 to %d bytes of UTF-8 text",
                        ORR_LABEL_BYTES - 1);
    return ORR_OK;
}

const orr_command orr_cmd_keyring_unlock = {
    .name = "keyring unlock",
    .synopsis = "ACTION -k KEYRING [OPTION]... [UNLOCK]",
    .summary = "passphrases and recovery codes that open it",
    .details = "A keyring opens with any of its unlocks, at most 8. Removing one seals the keyring "
               "anew, so that who had it cannot open what is written from then on: the passphrase "
               "or code of each that is to stay is asked for, or read from the --other files. "
               "Those not given go too, after a question or with --yes. Adding one to a keyring "
               "without a passphrase gives it one.",
    .example = "orrery keyring unlock add -k hospital.keyring --label \"night shift\"",
    .options =
        ORR_OPTIONS(&orr_option_keyring, &unlock_label, &orr_option_new_passphrase_file,
                    &orr_option_new_passphrase_fd, &new_code, &orr_option_save_code,
                    &orr_option_other_passphrase, &orr_option_other_code, &orr_option_yes,
                    ORR_OPTIONS_UNLOCK, &orr_option_dry_run, &orr_option_json, &orr_option_quiet),
    .required = {&orr_option_keyring},
    .operands = {{"ACTION", ORR_VALUE_CHOICE, actions}, {"UNLOCK", ORR_VALUE_TEXT, NULL}},
    .least = 1,
    .most = 2,
    .operands_needed = "add, remove or list",
    .exit_statuses = ORR_KEYRING_EXITS | ORR_EXIT(EXISTS),
    .check = check_unlock,
    .run = run_unlock,
};

const orr_command orr_cmd_keyring_passwd = {
    .name = "keyring passwd",
    .synopsis = "-k KEYRING [OPTION]...",
    .summary = "change or remove the passphrase",
    .details = "Seals the keyring under a new passphrase, in the place of the one given; opened "
               "with a recovery code, in the place of its only one. Copies made earlier keep the "
               "old one. Other passphrases and codes are asked for, as by keyring unlock remove. "
               "With --same-key they stay unasked: then who has a copy and the old passphrase can "
               "also open what is written later.",
    .example = "orrery keyring passwd -k hospital.keyring",
    .options = ORR_OPTIONS(&orr_option_keyring, ORR_OPTIONS_UNLOCK, &orr_option_new_passphrase_file,
                           &orr_option_new_passphrase_fd, &no_passphrase,
                           &orr_option_other_passphrase, &orr_option_other_code, &orr_option_yes,
                           &same_key, &orr_option_dry_run, &orr_option_json, &orr_option_quiet),
    .required = {&orr_option_keyring},
    .exit_statuses = ORR_KEYRING_EXITS,
    .run = run_passwd,
};
