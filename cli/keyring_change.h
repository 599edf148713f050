// What the commands on keyrings share.
#ifndef ORRERY_CLI_KEYRING_CHANGE_H
#define ORRERY_CLI_KEYRING_CHANGE_H

#include "cli/cli.h"
#include "host/keys/name.h"
#include "host/keys/unlock.h"

#ifdef __cplusplus
extern "C" {
#endif

#define ORR_KEYRING_EXITS \
    (ORR_EXIT(KEY) | ORR_EXIT(IO) | ORR_EXIT(UNSUPPORTED) | ORR_EXIT(NOT_ORRERY))

extern const orr_option orr_option_label, orr_option_yes;
extern const orr_option orr_option_new_passphrase_file, orr_option_new_passphrase_fd;
extern const orr_option orr_option_save_code;
extern const orr_option orr_option_other_passphrase, orr_option_other_code;

// "2026-01-31T12:00:00Z".
void orr_shown_time(int64_t seconds, char out[32]);
// {"message_type":"key"}.
cJSON *orr_key_object(const orr_master_key *key);
// Its ID on stdout, where a script picks it up; or the object.
void orr_print_key(orr_cli *cli, const orr_master_key *key);

// Makes a change in memory alone: would it be done?
orr_status orr_try_change(orr_cli *cli, orr_keyring_change change, void *context,
                          const orr_passphrase *passphrase, orr_error *error);
// Makes it (orr_keyring_update); with --dry-run as above.
orr_status orr_apply_change(orr_cli *cli, orr_keyring_change change, void *context,
                            const orr_passphrase *passphrase, orr_error *error);

#ifdef __cplusplus
}
#endif
#endif
