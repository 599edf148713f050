// The public part of a master key in a file of its own (docs/FORMAT.md, "Recipient file"): who has
// it can encrypt for that key, and open nothing.
#ifndef ORRERY_HOST_KEYS_RECIPIENT_H
#define ORRERY_HOST_KEYS_RECIPIENT_H

#include <stddef.h>
#include <stdint.h>

#include "host/keys/fields.h"

#ifdef __cplusplus
extern "C" {
#endif

#define ORR_RECIPIENT_MAX_DECOYS 256
#define ORR_RECIPIENT_HEAD 136
#define ORR_RECIPIENT_SUM 16
#define ORR_RECIPIENT_MAX_FILE \
    (ORR_RECIPIENT_HEAD + ORR_RECIPIENT_MAX_DECOYS * ORR_DECOY_RECORD + ORR_RECIPIENT_SUM)
#define ORR_FINGERPRINT_TEXT 50 // 10 groups of 4 digits, a space between them, a NUL

typedef struct orr_recipient {
    uint8_t key_id[ORR_KEY_ID_BYTES]; // of the master key
    uint8_t public_key[32];           // X25519
    char label[ORR_LABEL_BYTES];
    int64_t created; // the master key; Unix seconds
    size_t decoy_count;
    orr_decoy decoys[ORR_RECIPIENT_MAX_DECOYS];
} orr_recipient;

// The public part of one of the keyring's keys, with the decoys of the pool, or 256 of them drawn
// at random. ORR_KEY: the key is destroyed, or there are no decoys.
orr_status orr_recipient_make(orr_recipient *recipient, const orr_keyring *keyring,
                              const orr_master_key *key, orr_error *error);
// Its file, *bytes long.
void orr_recipient_encode(const orr_recipient *recipient, uint8_t file[ORR_RECIPIENT_MAX_FILE],
                          size_t *bytes);
// Decodes and checks the bytes of a whole file; `name` is for messages. ORR_NOT_ORRERY: no
// recipient file. ORR_UNSUPPORTED: another version, or a field that this program would not have
// written, such as a public key that gives everybody the same secret. ORR_AUTH: damaged.
orr_status orr_recipient_decode(orr_recipient *recipient, const uint8_t *file, size_t bytes,
                                const char *name, orr_error *error);

// What people compare, over the telephone: 160 bits of a SHA-256 over all that the file says.
orr_status orr_recipient_fingerprint(const orr_recipient *recipient,
                                     char text[ORR_FINGERPRINT_TEXT], orr_error *error);

// Does what is open here begin like a recipient file? Leaves the position.
int orr_recipient_is_here(int fd);
// Reads a regular file that is open at any position. ORR_IO; else as orr_recipient_decode.
orr_status orr_recipient_read_from(orr_recipient *recipient, int fd, const char *name,
                                   orr_error *error);
// The same by its path. ORR_KEY: there is no such file.
orr_status orr_recipient_read(orr_recipient *recipient, const char *path, orr_error *error);
// Writes a new file durably, with the usual permissions: it holds no secret. ORR_EXISTS: nothing is
// replaced. ORR_USAGE: the path names a directory. ORR_IO.
orr_status orr_recipient_write(const orr_recipient *recipient, const char *path, orr_error *error);

#ifdef __cplusplus
}
#endif
#endif
