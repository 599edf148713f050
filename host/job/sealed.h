// An encrypted file that opens with a keyring: what decrypt, verify, reencrypt, rewrap and salvage
// read. Knows of no job.
#ifndef ORRERY_HOST_JOB_SEALED_H
#define ORRERY_HOST_JOB_SEALED_H

#include "host/container/format.h"
#include "host/keys/keyring.h"
#include "host/paper/paper.h"

// What opens, or makes, one encrypted file.
typedef struct orr_seal {
    orr_file_secret secret;
    orr_file_keys keys;
    orr_geometry geometry; // archive profile only
    orr_cipher cipher;
} orr_seal;

typedef struct orr_sealed {
    // The caller's; what they point to outlives it.
    int fd;
    const char *name; // for messages
    const orr_keyring *keyring;
    orr_paper_means means; // for its pages, in the paper profile
    // Set when it is opened.
    orr_container container;
    orr_seal seal;
} orr_sealed;

// Reads, unlocks and authenticates the head of a file of `bytes` bytes. *metadata is set as soon as
// it is authenticated, also when the file is refused after that; the caller frees it and what is in
// it. Where the two wrap slots hold two secrets of one seal_root, the one that fits the data is
// taken; container.slot_wrong tells. ORR_NOT_ORRERY, ORR_KEY, ORR_AUTH, ORR_UNSUPPORTED (also when
// its tags are too many for means.memory), ORR_IO, ORR_INTERNAL, ORR_STOPPED.
orr_status orr_sealed_open(orr_sealed *sealed, uint64_t bytes, orr_metadata **metadata,
                           orr_error *error);
// The same of what a damaged file of the archive profile still offers, whatever its length:
// header, a slot, keys. Also for one that orr_sealed_open has refused.
orr_status orr_sealed_open_damaged(orr_sealed *sealed, orr_error *error);
// Does the secret decipher the data? The commitment covers its seal_root alone. ORR_AUTH when it
// does not; a damaged file passes. Looks at a tile, or a segment; of the paper profile, where it
// would have to be all pages, at nothing.
orr_status orr_sealed_check_secret(const orr_sealed *sealed, orr_error *error);
// Of an opened one: the slot, 0 or 1, that is damaged or does not hold the file's secret; -1: none.
int orr_sealed_damaged_slot(const orr_sealed *sealed);

#endif
