// What the jobs that wrote into a directory know of the plain files that they read or restored:
// OUT/.orrery-state (a shard's, .orrery-state-I-of-N).
//
// A file that an earlier run encrypted counts as unchanged, without being read again, only when it
// has the sealed size and time and is the very file with the very ctime that was read then. Those
// two cannot be sealed with it (metadata is sealed once), and anybody may write to a vault: so they
// are kept here as a MAC under a key of the encrypted file, which only a holder of its master key
// can make or even compare. A record is true for ever; one that is lost, or made for an output that
// is gone, costs a reading and nothing else. So the file is not flushed, and a damaged or foreign
// one is as good as none. A machine without a keyring has nothing else to go by (writer.h): its
// records are under a key of its own, and flushed.
//
// The file (mode 0600 with the sticky bit, as what a power cut left of one is told by): 16 bytes
// "ORRERY STATE 1\n\0", then records of 32 bytes, the last one of an ID counts.
#ifndef ORRERY_HOST_JOB_STATE_H
#define ORRERY_HOST_JOB_STATE_H

#include <sys/stat.h>

#include "host/container/format.h"

#ifdef __cplusplus
extern "C" {
#endif

#define ORR_IDENTITY_BYTES 32
#define ORR_IDENTITY_FIELDS 48

// A plain file beside its encrypted one: 16 bytes of the file ID, 16 of HMAC-SHA-256.
typedef struct orr_identity {
    uint8_t bytes[ORR_IDENTITY_BYTES];
} orr_identity;

// Of the file that `st` is of, encrypted as `file_id` under `secret`: size, mtime, ctime and,
// unless `inodes` is 0 (a file system gives them other numbers each time), its inode. The device is
// left out: its number changes when a machine starts again. ORR_INTERNAL when OpenSSL fails.
orr_status orr_identity_make(const orr_file_secret *secret, const uint8_t file_id[32],
                             const struct stat *st, int inodes, orr_identity *identity);

// What goes into one of the file itself.
void orr_identity_fields(const struct stat *st, int inodes, uint8_t fields[ORR_IDENTITY_FIELDS]);

typedef struct orr_state orr_state;

// Reads the states in a directory and, with `write`, opens this job's for more (made when missing).
// NULL when memory runs out; a state that cannot be read or written is left alone. Close it.
orr_state *orr_state_open(int directory, unsigned shard, unsigned shards, int write);
// The name of this job's file when it is there and cannot be used, else NULL.
const char *orr_state_lost(const orr_state *state);
// Is this identity the recorded one of its file? Any thread.
int orr_state_knows(orr_state *state, const orr_identity *identity);
// The record of the ID in the first half of *identity: 0, there is none; 1, its second half is set.
// Any thread.
int orr_state_find(orr_state *state, orr_identity *identity);
// Adds a record, unless it is there. 0: it could not be written (errno). Any thread.
int orr_state_record(orr_state *state, const orr_identity *identity);
// Has the storage take what was recorded. Returns 0, or -1 with errno. Any thread.
int orr_state_flush(orr_state *state);
// This job's file goes, and nothing is recorded from here on. NULL is fine.
void orr_state_remove(orr_state *state);
// Closes a state (NULL is fine); a file with too many outdated records is written anew.
void orr_state_close(orr_state *state);
// Is this the name of a state?
int orr_state_is_name(const char *name);

#ifdef __cplusplus
}
#endif
#endif
