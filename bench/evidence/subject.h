// What is measured: the ciphers of both profiles, and the negative controls beside them.
//
// Every subject enciphers a volume of bytes under 64 key bytes and gives as many bytes back. The
// controls hide nothing, or nearly nothing, and are there to show which measures notice.
#ifndef ORRERY_BENCH_EVIDENCE_SUBJECT_H
#define ORRERY_BENCH_EVIDENCE_SUBJECT_H

#include "kernels/volume.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum orr_subject {
    ORR_SUBJECT_ARCHIVE,  // planet layer, then AES-256-GCM: what the strips of a file hold
    ORR_SUBJECT_PLANET,   // the planet layer of the archive profile alone
    ORR_SUBJECT_PAPER,    // the published scheme on the whole image
    ORR_CONTROL_HASH,     // AES-256 in counter mode under the plaintext's own hash: no secret
    ORR_CONTROL_LOGISTIC, // XOR with the logistic map in doubles
    ORR_CONTROL_FIXED,    // XOR with one keystream, the same for every image
    ORR_SUBJECTS
} orr_subject;
#define ORR_CIPHERS 3 // the subjects before the controls

// Key for JSON ("archive"), name for people, and one sentence on what it is; static.
const char *orr_subject_key(orr_subject subject);
const char *orr_subject_name(orr_subject subject);
const char *orr_subject_text(orr_subject subject);

// out = encryption of `in` (channels x rows x columns bytes each; may be the same buffer) with the
// default rule and map constant. The archive subjects read the bytes as those of a file: tiles of
// 48 KiB, the last one padded; what the padding becomes is left out. ORR_INTERNAL.
orr_status orr_subject_encrypt(orr_subject subject, const uint8_t key[64], orr_volume_shape shape,
                               const uint8_t *in, uint8_t *out, orr_error *error);
// The inverse, for the subjects that have one without the plaintext: not ORR_CONTROL_HASH
// (ORR_INTERNAL). Of ORR_SUBJECT_ARCHIVE only the planet layer and the key stream of the seal are
// undone: without tags there is nothing to authenticate.
orr_status orr_subject_decrypt(orr_subject subject, const uint8_t key[64], orr_volume_shape shape,
                               const uint8_t *in, uint8_t *out, orr_error *error);

// The eight initial values of the paper profile that 64 key bytes mean.
void orr_subject_paper_key(const uint8_t key[64], orr_volume_key *volume_key);
// The eight initial states of tile `tile` of the planet layer. ORR_INTERNAL.
orr_status orr_subject_tile_key(const uint8_t key[64], uint64_t tile, orr_tile_key *tile_key);

#ifdef __cplusplus
}
#endif
#endif
