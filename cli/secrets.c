// Passphrases and the keyring, as the command line asks for them.
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/fresh.h"
#include "base/io.h"
#include "cli/cli.h"

static void warn_of_mode(orr_cli *cli, const char *path) {
    char text[5000];
    if (orr_file_mode_warning(path, text, sizeof text))
        orr_console_warn(&cli->console, 0, "%s", text);
}

void orr_cli_warn_of_keyring(orr_cli *cli, const char *path) {
    char text[5000];
    warn_of_mode(cli, path);
    if (orr_file_flush_warning(path, text, sizeof text))
        orr_console_warn(&cli->console, 0, "%s", text);
}

// A passphrase or, when `code`, a recovery code: from the source, else from the terminal.
static orr_status read_secret(orr_cli *cli, const orr_passphrase_source *source, int code,
                              const char *prompt, orr_passphrase *secret, orr_error *error) {
    if (source->file) {
        warn_of_mode(cli, source->file);
        return code ? orr_code_from_file(source->file, secret, error)
                    : orr_passphrase_from_file(source->file, secret, error);
    }
    if (source->fd >= 0)
        return code ? orr_code_from_fd(source->fd, secret, error)
                    : orr_passphrase_from_fd(source->fd, secret, error);
    return code ? orr_code_ask(prompt, 0, secret, error)
                : orr_passphrase_ask(prompt, 0, secret, error);
}

static orr_status ask_for_keyring(orr_cli *cli, int old_too, orr_passphrase *passphrase,
                                  orr_error *error) {
    const orr_arguments *a = &cli->arguments;
    const orr_passphrase_source *words = &a->keyring.passphrase, *code = &a->keyring.code;
    orr_keyring_ways ways;
    char shown[512], prompt[600];
    *passphrase = (orr_passphrase){0};
    orr_status status = orr_keyring_ways_of(a->keyring.file, old_too, &ways, error);
    if (status != ORR_OK) return status;
    int gives_code = code->file || code->fd >= 0 || a->keyring.ask_code;
    int gives_words = words->file || words->fd >= 0;
    // One that is given where none is needed is read too: opening the keyring then says that the
    // two do not belong together.
    if (!gives_code && !gives_words && !ways.passphrases && !ways.codes) return ORR_OK;
    int is_code = gives_code || (!gives_words && !ways.passphrases);
    orr_text_escape(a->keyring.file, shown, sizeof shown);
    snprintf(prompt, sizeof prompt, "%s of %s: ", is_code ? "Recovery code" : "Passphrase", shown);
    return read_secret(cli, is_code ? code : words, is_code, prompt, passphrase, error);
}

orr_status orr_cli_passphrase(orr_cli *cli, orr_passphrase *passphrase, orr_error *error) {
    return ask_for_keyring(cli, 0, passphrase, error);
}

orr_status orr_cli_old_passphrase(orr_cli *cli, orr_passphrase *passphrase, orr_error *error) {
    return ask_for_keyring(cli, 1, passphrase, error);
}

orr_status orr_cli_other(orr_cli *cli, size_t n, orr_passphrase *secret, orr_error *error) {
    const orr_arguments *a = &cli->arguments;
    const orr_passphrase_source source = {.file = a->keyring.others[n].file, .fd = -1};
    return read_secret(cli, &source, a->keyring.others[n].is_code, NULL, secret, error);
}

orr_status orr_cli_confirm(const char *question, const char *undone, orr_error *error) {
    orr_passphrase answer = {0};
    char prompt[1300];
    if (!isatty(STDIN_FILENO))
        return orr_fail(error, ORR_USAGE, "%s; without a terminal this needs --yes", undone);
    snprintf(prompt, sizeof prompt, "%s (what you type is not shown): ", question);
    orr_status status = orr_passphrase_ask(prompt, 0, &answer, error);
    int yes = status == ORR_OK && answer.length == 3 && !memcmp(answer.bytes, "yes", 3);
    orr_passphrase_wipe(&answer);
    if (yes || status == ORR_STOPPED) return status;
    return orr_fail(error, ORR_USAGE, "%s: what was typed is not \"yes\"", undone);
}

orr_status orr_cli_code_save(orr_cli *cli, const orr_passphrase *code, orr_error *error) {
    const char *path = cli->arguments.keyring.save_code;
    char text[ORR_CODE_TEXT + 1];
    orr_fresh fresh = ORR_FRESH_NONE;
    if (!path) return ORR_OK;
    orr_status status = orr_code_text(code, text, error);
    if (status != ORR_OK) return status;
    size_t length = strlen(text);
    text[length++] = '\n';
    if (orr_fresh_begin(&fresh, path) != 0 || orr_fresh_set_mode(&fresh, 0600) != 0 ||
        orr_write_in_full(fresh.fd, text, length) != length ||
        orr_fresh_commit(&fresh, ORR_FRESH_NEW) != 0)
        status = errno == EEXIST
                     ? orr_fail(error, ORR_EXISTS, "%s: exists already; nothing was done", path)
                     : orr_fail(error, ORR_IO, "%s: cannot save the recovery code: %s", path,
                                strerror(errno));
    orr_fresh_end(&fresh);
    orr_wipe(text, sizeof text);
    return status;
}

void orr_cli_code_unsave(orr_cli *cli) {
    if (cli->arguments.keyring.save_code) (void)unlink(cli->arguments.keyring.save_code);
}

orr_status orr_cli_code_show(orr_cli *cli, const char *keyring, const orr_passphrase *code,
                             orr_error *error) {
    char text[ORR_CODE_TEXT];
    if (cli->arguments.keyring.save_code) {
        orr_console_note(&cli->console,
                         "its recovery code is in %s: print it, keep the print apart, and delete "
                         "the file",
                         cli->arguments.keyring.save_code);
        return ORR_OK;
    }
    orr_status status = orr_code_text(code, text, error);
    if (status != ORR_OK) return status;
    orr_console_data(&cli->console,
                     "Recovery code of %s. It opens the keyring when the passphrase is lost; it is "
                     "shown this once. Print it, and keep it apart from the keyring:",
                     keyring);
    orr_console_secret(&cli->console, text);
    orr_wipe(text, sizeof text);
    if (!cli->console.output_lost) return ORR_OK;
    return orr_fail(error, ORR_IO,
                    "standard output: the recovery code could not be shown: %s; `keyring unlock` "
                    "makes another",
                    strerror(cli->console.output_lost));
}

orr_status orr_cli_new_passphrase(orr_cli *cli, const orr_passphrase_source *source,
                                  orr_passphrase *passphrase, orr_error *error) {
    orr_status status;
    *passphrase = (orr_passphrase){0};
    if (source->file) warn_of_mode(cli, source->file);
    if (source->file)
        status = orr_passphrase_from_file(source->file, passphrase, error);
    else if (source->fd >= 0)
        status = orr_passphrase_from_fd(source->fd, passphrase, error);
    else
        status = orr_passphrase_ask("New passphrase: ", 1, passphrase, error);
    if (status == ORR_OK && orr_passphrase_is_weak(passphrase))
        orr_console_warn(&cli->console, 0,
                         "the new passphrase has fewer than %d characters: who gets hold of the "
                         "keyring may guess it; seven words drawn at random are better",
                         ORR_PASSPHRASE_LEAST);
    return status;
}

orr_status orr_cli_keyring(orr_cli *cli, orr_keyring *keyring, orr_passphrase *passphrase,
                           orr_error *error) {
    *keyring = (orr_keyring){0};
    orr_status status = orr_cli_passphrase(cli, passphrase, error);
    if (status == ORR_OK) {
        warn_of_mode(cli, cli->arguments.keyring.file);
        status = orr_keyring_load(keyring, cli->arguments.keyring.file, passphrase, error);
    }
    return status;
}
