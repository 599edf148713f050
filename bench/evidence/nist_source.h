// Bits of a subject (subject.h) for the battery: what an adversary sees of a plaintext of zeros.
#ifndef ORRERY_BENCH_EVIDENCE_NIST_SOURCE_H
#define ORRERY_BENCH_EVIDENCE_NIST_SOURCE_H

#include "bench/evidence/sp800_22/sp800_22.h"
#include "bench/evidence/subject.h"

#ifdef __cplusplus
extern "C" {
#endif

// Endless ciphertext of a plaintext of zeros that only counts its pieces: piece n, of 3 x 512 x 512
// bytes, begins with n as eight big-endian bytes and is encrypted under the 64 bytes
// SHA-512(seed || "nist" || n big-endian). So every piece has a key of its own, as every file has.
typedef struct orr_nist_subject orr_nist_subject;
// NULL when memory runs out. The source is used by one thread at a time, as orr_nist_run does.
orr_nist_subject *orr_nist_subject_new(orr_subject subject, uint64_t seed);
orr_nist_source orr_nist_subject_source(orr_nist_subject *source);
void orr_nist_subject_free(orr_nist_subject *source);

// The same for the raw key bytes K4 and K8 of tile after tile, as `orrery keystream` writes them.
orr_nist_subject *orr_nist_keystream_new(uint64_t seed);

#ifdef __cplusplus
}
#endif

#endif
