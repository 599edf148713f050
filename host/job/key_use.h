// Which files of a directory would open no more without a master key: what is said before the key
// is destroyed.
#ifndef ORRERY_HOST_JOB_KEY_USE_H
#define ORRERY_HOST_JOB_KEY_USE_H

#include "host/keys/keyring.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct orr_key_use {
    uint64_t files;  // encrypted ones
    uint64_t need;   // of these: under the key, and under no other that the keyring has
    uint64_t unread; // and files that could not be looked at: damaged ones, say, also
                     // what is only called like an encrypted one
} orr_key_use;

// Walks `directory` and reads wrap slots, those of a file with repair data past damage too; needs
// no key and authenticates nothing. ORR_KEY: there is nothing at this path. ORR_NOT_ORRERY: no
// encrypted file is there (a disk that is not mounted, say). ORR_STOPPED. ORR_INTERNAL.
orr_status orr_key_use_count(const char *directory, const orr_keyring *keyring,
                             const uint8_t id[ORR_KEY_ID_BYTES], orr_stop_flag *stop,
                             orr_key_use *use, orr_error *error);

#ifdef __cplusplus
}
#endif
#endif
