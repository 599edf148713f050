// An encrypted file that opens with a keyring: what decrypt, verify, reencrypt, rewrap and salvage
// read. Knows of no job.
#ifndef ORRERY_HOST_JOB_SEALED_H
#define ORRERY_HOST_JOB_SEALED_H

#include <stdatomic.h>

#include "host/container/format.h"
#include "host/container/heal.h"
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
    uint64_t bytes;     // of the file as it is
    atomic_int damaged; // something of it was read past damage, from its repair data
    orr_healer *healer; // of a file with repair data, once it is damaged; else NULL
    orr_container container;
    orr_seal seal;
    int unlike; // found at opening: the slot of orr_sealed_unlike_slot + 1, 0: none
} orr_sealed;

// Reads, unlocks and authenticates the head of a file of `bytes` bytes. *metadata is set as soon as
// it is authenticated; the caller frees it and what is in it. A file with repair data is opened
// past damage (sealed->damaged). ORR_NOT_ORRERY, ORR_KEY, ORR_AUTH, ORR_UNSUPPORTED (also when its
// tags are too many for means.memory), ORR_IO, ORR_INTERNAL.
orr_status orr_sealed_open(orr_sealed *sealed, uint64_t bytes, orr_metadata **metadata,
                           orr_error *error);
// The same of what a damaged file of the archive profile still offers, whatever its length: header,
// a slot, keys, and a healer where it has repair data. Also for one that orr_sealed_open has
// refused.
orr_status orr_sealed_open_damaged(orr_sealed *sealed, uint64_t bytes, orr_error *error);
// Sets sealed->healer of an opened file. ORR_UNSUPPORTED: it has no repair data, or nothing here
// can use them. Else as orr_healer_open. Any thread.
orr_status orr_sealed_heal(orr_sealed *sealed, orr_error *error);
// Of an opened one: the slot, 0 (A) to 2 (C), that is damaged or does not hold the file's secret;
// -1: none.
int orr_sealed_damaged_slot(const orr_sealed *sealed);
// Of an opened one: a good slot whose bytes are not those of the slot in use, 0 to 2; -1: none.
int orr_sealed_unlike_slot(const orr_sealed *sealed);
// Wipes the keys and frees what opening took; also of one that was refused.
void orr_sealed_close(orr_sealed *sealed);

#endif
