// What the fuzz targets share. A target is one NAME_fuzz.c with LLVMFuzzerTestOneInput: libFuzzer
// drives it in a fuzz build (scripts/fuzz), replay_main.c replays corpus/NAME in the normal tests.
#ifndef ORRERY_TESTS_FUZZ_FUZZ_H
#define ORRERY_TESTS_FUZZ_FUZZ_H

#include <stddef.h>
#include <stdint.h>

#include "host/container/format.h"
#include "host/keys/keyring.h"
#include "host/paper/paper.h"

// Runs one input; returns 0. Whatever breaks a promise of the library ends the process.
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

// Ends the process, with the sentence, unless `ok`.
void fuzz_check(int ok, const char *promise);
// The same for a status that has to be ORR_OK; shows the error.
void fuzz_check_ok(orr_status status, const orr_error *error, const char *promise);

// An input taken apart from its front. Behind its end come zeros.
typedef struct fuzz_input {
    const uint8_t *at;
    size_t left;
} fuzz_input;
uint8_t fuzz_byte(fuzz_input *input);
uint64_t fuzz_number(fuzz_input *input, unsigned bytes); // little-endian, 1..8 bytes
void fuzz_bytes(fuzz_input *input, void *out, size_t bytes);

// A file in memory with this content, at offset 0; the caller closes it.
int fuzz_file(const void *content, size_t bytes);
// "/proc/self/fd/N" into path (32 bytes).
const char *fuzz_path(int fd, char path[32]);
// Its length.
uint64_t fuzz_length(int fd);
// Its whole content, malloc'ed.
uint8_t *fuzz_content(int fd, size_t *bytes);

// Fixed secrets of the tests; nothing real is ever under them.
extern const uint8_t fuzz_master[32];
extern const orr_file_secret fuzz_secret;
extern const uint8_t fuzz_file_id[32];
// Who has fuzz_master: by it, or by its X25519 key.
orr_wrap_key fuzz_reader(orr_wrap_type type);
// orr_master_lookup that knows fuzz_master only.
orr_status fuzz_lookup(void *context, const uint8_t id[ORR_KEY_ID_BYTES], orr_unwrap_key *key,
                       orr_error *error);
// For fuzz_reader, under fuzz_secret. The metadata are the caller's.
orr_paper_request fuzz_paper_request(const char *name, orr_metadata *metadata, uint64_t memory);
// A keyring with fuzz_master (active) and one decoy; freed by the caller.
void fuzz_keyring(orr_keyring *keyring);

#endif
