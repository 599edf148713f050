// Passphrases and the keyring, as the command line asks for them.
#include <stdio.h>
#include <string.h>
#include "host/cli/cli.h"

static void warn_of_mode(orr_cli *cli, const char *path) {
    char text[5000];
    if (orr_file_mode_warning(path, text, sizeof text))
        orr_console_warn(&cli->console, 0, "%s", text);
}

orr_status orr_cli_passphrase(orr_cli *cli, orr_passphrase *passphrase, orr_error *error) {
    const orr_arguments *a = &cli->arguments;
    int needs = 0;
    *passphrase = (orr_passphrase){0};
    orr_status status = orr_keyring_needs_passphrase(a->keyring, &needs, error);
    if (status != ORR_OK) return status;
    if (a->passphrase_file) warn_of_mode(cli, a->passphrase_file);
    if (!needs) {
        if (a->passphrase_file || a->passphrase_fd >= 0) {
            orr_console_warn(&cli->console, 0, "%s has no passphrase; the one given is not used",
                             a->keyring);
        }
        return ORR_OK;
    }
    if (a->passphrase_file) return orr_passphrase_from_file(a->passphrase_file, passphrase, error);
    if (a->passphrase_fd >= 0) return orr_passphrase_from_fd(a->passphrase_fd, passphrase, error);
    char shown[512], prompt[600];
    orr_text_escape(a->keyring, shown, sizeof shown);
    snprintf(prompt, sizeof prompt, "Passphrase of %s: ", shown);
    return orr_passphrase_ask(prompt, 0, passphrase, error);
}

orr_status orr_cli_new_passphrase(orr_cli *cli, const char *file, int fd,
                                  orr_passphrase *passphrase, orr_error *error) {
    *passphrase = (orr_passphrase){0};
    if (file) {
        warn_of_mode(cli, file);
        return orr_passphrase_from_file(file, passphrase, error);
    }
    if (fd >= 0) return orr_passphrase_from_fd(fd, passphrase, error);
    return orr_passphrase_ask("New passphrase: ", 1, passphrase, error);
}

orr_status orr_cli_keyring(orr_cli *cli, orr_keyring *keyring, orr_error *error) {
    orr_passphrase passphrase;
    *keyring = (orr_keyring){0};
    orr_status status = orr_cli_passphrase(cli, &passphrase, error);
    if (status == ORR_OK) {
        warn_of_mode(cli, cli->arguments.keyring);
        status = orr_keyring_load(keyring, cli->arguments.keyring, &passphrase, error);
    }
    orr_passphrase_wipe(&passphrase);
    return status;
}
