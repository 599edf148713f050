// Whole files: a directory, a keyring and a device of their own, for encrypting, damaging and
// decrypting what the program itself would write.
#ifndef ORRERY_BENCH_EVIDENCE_WORKSHOP_H
#define ORRERY_BENCH_EVIDENCE_WORKSHOP_H

#include "host/job/job.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct orr_workshop {
    char directory[4300]; // everything lies below; removed at the end
    orr_keyring keyring;
    orr_backend *backend;
    unsigned jobs; // so far: each gets a directory of its own
    const volatile sig_atomic_t *stop;
} orr_workshop;

// Makes a directory inside `parent`, a keyring in memory with drawn decoys, a CPU backend.
// ORR_IO, ORR_INTERNAL. Close it in every case.
orr_status orr_workshop_open(orr_workshop *shop, const char *parent, unsigned threads,
                             const volatile sig_atomic_t *stop, orr_error *error);
void orr_workshop_close(orr_workshop *shop);

// Encrypts one file of `bytes` bytes (archive profile); the container is *file, malloc'ed.
orr_status orr_workshop_encrypt(orr_workshop *shop, const uint8_t *plain, size_t bytes,
                                uint8_t **file, size_t *file_bytes, orr_error *error);
// Decrypts a container. Returns the status that the program would exit with; *plain (malloc'ed,
// NULL when nothing came out) is the file, or with `salvage` what could be saved of a refused one.
orr_status orr_workshop_decrypt(orr_workshop *shop, const uint8_t *file, size_t file_bytes,
                                int salvage, uint8_t **plain, size_t *bytes, orr_error *error);
// Where the tiles of a one-segment container lie: offset and length. ORR_UNSUPPORTED for larger
// ones.
orr_status orr_workshop_tiles(const uint8_t *file, size_t file_bytes, orr_workshop *shop,
                              size_t *offset, size_t *length, orr_error *error);

// An oracle (attack_reuse.h) whose texts are whole files; context: an orr_whole_files.
typedef struct orr_whole_files {
    orr_workshop *shop;
    size_t bytes; // of a text: at most one tile
} orr_whole_files;
orr_status orr_whole_files_encrypt(void *context, size_t count, const uint8_t *plain,
                                   uint8_t *cipher, orr_error *error);

#ifdef __cplusplus
}
#endif
#endif
