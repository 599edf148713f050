// The keys of a job, as the command line names them.
#ifndef ORRERY_CLI_JOB_KEYS_H
#define ORRERY_CLI_JOB_KEYS_H

#include "cli/cli.h"

typedef struct orr_job_keys {
    orr_recipient *recipients;            // of --to or --add
    uint8_t (*removed)[ORR_KEY_ID_BYTES]; // of --remove
} orr_job_keys;

// Reads recipient files and the keyring or, without one, what a writer for recipients has in its
// place (host/keys/writer_key.h). The caller frees keys and keyring and wipes the passphrase in
// every case.
orr_status orr_job_keys_open(orr_cli *cli, orr_job_keys *keys, orr_keyring *keyring,
                             orr_passphrase *passphrase, orr_error *error);
// Is this key one of the `count` whose wraps are to go?
int orr_job_keys_removes(const orr_job_keys *keys, size_t count,
                         const uint8_t id[ORR_KEY_ID_BYTES]);
void orr_job_keys_free(orr_job_keys *keys);

#endif
