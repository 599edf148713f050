#include "bench/evidence/nist_source.h"

#include <stdlib.h>
#include <string.h>

#include "host/container/crypto.h"
#include "kernels/backend.h"
#include "kernels/map.h"

#define SIDE 512
#define PIECE_BYTES ((size_t)3 * SIDE * SIDE)
#define PIECE_TILES (PIECE_BYTES / ((size_t)2 * ORR_TILE_BYTES)) // of key bytes K4 and K8

struct orr_nist_subject {
    int keystream;
    orr_subject subject;
    uint64_t seed, piece; // the piece to be made next
    size_t used;          // bytes of the present one
    uint8_t bytes[PIECE_BYTES];
};

static void put_be64(uint8_t *to, uint64_t value) {
    for (int i = 0; i < 8; i++) to[i] = (uint8_t)(value >> (56 - 8 * i));
}

static orr_status make_piece(orr_nist_subject *s, orr_error *error) {
    uint8_t seed[12], number[8], key[64];
    put_be64(seed, s->seed);
    memcpy(seed + 8, "nist", 4);
    put_be64(number, s->piece++);
    orr_status status = orr_sha512(seed, sizeof seed, number, sizeof number, key);
    if (status != ORR_OK) return orr_fail(error, status, "a key cannot be derived");
    s->used = 0;
    if (!s->keystream) {
        memset(s->bytes, 0, PIECE_BYTES);
        memcpy(s->bytes, number, sizeof number);
        orr_volume_shape shape = {3, SIDE, SIDE};
        return orr_subject_encrypt(s->subject, key, shape, s->bytes, s->bytes, error);
    }
    orr_tile_key keys[PIECE_TILES];
    for (size_t n = 0; n < PIECE_TILES && status == ORR_OK; n++) {
        status = orr_subject_tile_key(key, n, &keys[n]);
    }
    if (status != ORR_OK) return orr_fail(error, status, "a key cannot be derived");
    return orr_cpu_keystream(ORR_SIMD_BEST, keys, PIECE_TILES, ORR_MAP_K2_DEFAULT, s->bytes, error);
}

static orr_status read_piece(void *context, uint8_t *bytes, size_t count, size_t *got,
                             orr_error *error) {
    orr_nist_subject *s = context;
    if (s->used == PIECE_BYTES) {
        orr_status status = make_piece(s, error);
        if (status != ORR_OK) return status;
    }
    *got = PIECE_BYTES - s->used < count ? PIECE_BYTES - s->used : count;
    memcpy(bytes, s->bytes + s->used, *got);
    s->used += *got;
    return ORR_OK;
}

orr_nist_subject *orr_nist_subject_new(orr_subject subject, uint64_t seed) {
    orr_nist_subject *s = calloc(1, sizeof *s);
    if (!s) return NULL;
    s->subject = subject;
    s->seed = seed;
    s->used = PIECE_BYTES;
    return s;
}

orr_nist_subject *orr_nist_keystream_new(uint64_t seed) {
    orr_nist_subject *s = orr_nist_subject_new(ORR_SUBJECT_PLANET, seed);
    if (s) s->keystream = 1;
    return s;
}

orr_nist_source orr_nist_subject_source(orr_nist_subject *source) {
    return (orr_nist_source){.read = read_piece, .context = source};
}

void orr_nist_subject_free(orr_nist_subject *source) {
    free(source);
}
