// The key of a machine that encrypts for recipients and has no keyring. It opens nothing: it is
// what the machine knows its own records by, of which files it has encrypted (host/job/state.h).
#ifndef ORRERY_HOST_KEYS_WRITER_KEY_H
#define ORRERY_HOST_KEYS_WRITER_KEY_H

#include <limits.h>

#include "host/keys/recipient.h"

#ifdef __cplusplus
extern "C" {
#endif

// Where it is when nobody says: $XDG_STATE_HOME/orrery/writer.key, or
// ~/.local/state/orrery/writer.key. ORR_USAGE: neither is known.
orr_status orr_writer_key_place(char path[PATH_MAX], orr_error *error);

// Reads it from `path`; makes it, and its directories, where there is none. What a job
// needs is then in *keyring: this key as its only one, which nothing is wrapped under, and the
// decoys of `recipient`. The caller frees it. With `make` 0 nothing is written: where there is none
// it is one that is drawn and forgotten. ORR_KEY: what is there is none. ORR_IO, ORR_INTERNAL.
orr_status orr_writer_key_load(orr_keyring *keyring, const char *path,
                               const orr_recipient *recipient, int make, orr_error *error);

// What stands for the secret of a file that this machine cannot open any more: bound to its path
// and ID. For orr_identity_make alone.
orr_status orr_writer_key_secret(const orr_keyring *keyring, const uint8_t *path, size_t bytes,
                                 const uint8_t file_id[32], orr_file_secret *secret);

#ifdef __cplusplus
}
#endif
#endif
