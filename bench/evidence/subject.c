#include "bench/evidence/subject.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "host/container/format.h"
#include "kernels/backend.h"
#include "kernels/map.h"

const char *orr_subject_key(orr_subject subject) {
    static const char *const keys[ORR_SUBJECTS] = {
        "archive", "planet-layer", "paper", "control-hash", "control-logistic", "control-fixed"};
    return keys[subject];
}

const char *orr_subject_name(orr_subject subject) {
    static const char *const names[ORR_SUBJECTS] = {
        "archive profile",    "planet layer alone",    "paper profile",
        "control: no secret", "control: logistic map", "control: one keystream"};
    return names[subject];
}

const char *orr_subject_text(orr_subject subject) {
    static const char *const texts[ORR_SUBJECTS] = {
        "what the strips of an encrypted file hold: the planet layer on tiles of 48 KiB, sealed "
        "with "
        "AES-256-GCM under keys of their own",
        "the same tiles before the seal: the planet layer of the archive profile by itself",
        "the published scheme on the whole image; its pixels are not sealed",
        "AES-256 in counter mode keyed with the plaintext's own hash, which stands beside the "
        "ciphertext: anybody can decrypt it",
        "XOR with bytes of the logistic map (r = 3.99) computed in doubles, the form that many "
        "published schemes use",
        "XOR with one keystream that never changes: two ciphertexts give away the XOR of their "
        "plaintexts"};
    return texts[subject];
}

static orr_status cipher_of(orr_cipher *cipher, orr_error *error) {
    return orr_cipher_init(cipher, ORR_RULE_DEFAULT, ORR_MAP_K2_DEFAULT, error);
}

static size_t volume_bytes(orr_volume_shape shape) {
    return (size_t)shape.channels * shape.rows * shape.columns;
}

void orr_subject_paper_key(const uint8_t key[64], orr_volume_key *volume_key) {
    orr_volume_key_from_hash(volume_key, key);
}

orr_status orr_subject_tile_key(const uint8_t key[64], uint64_t tile, orr_tile_key *tile_key) {
    orr_file_secret secret = {{0}, {0}};
    memcpy(secret.planet_secret, key, 64);
    return orr_tile_key_derive(&secret, tile, tile_key);
}

// ---- tiles

typedef struct sealer {
    orr_gcm *gcm; // NULL: no seal
    orr_file_keys keys;
} sealer;

static orr_status sealer_open(sealer *s, const uint8_t key[64], orr_error *error) {
    static const char label[] = "evidence seal";
    orr_file_secret secret;
    uint8_t hash[64], header_bytes[ORR_HEADER_BYTES];
    orr_header header = {.version = ORR_FORMAT_VERSION,
                         .suite = ORR_FORMAT_SUITE,
                         .profile = ORR_PROFILE_ARCHIVE,
                         .slot_pages = 1,
                         .rule = ORR_RULE_DEFAULT,
                         .k2 = ORR_MAP_K2_DEFAULT};
    orr_status status = orr_sha512(label, sizeof label, key, 64, hash);
    if (status != ORR_OK) return orr_fail(error, status, "SHA-512 failed");
    memcpy(secret.seal_root, hash, 32);
    memcpy(header.file_id, hash + 32, 32);
    memcpy(secret.planet_secret, key, 64);
    orr_header_encode(&header, header_bytes);
    status = orr_file_keys_derive(&s->keys, &secret, header_bytes, error);
    if (status != ORR_OK) return status;
    s->gcm = orr_gcm_new(s->keys.tile_key);
    return s->gcm ? ORR_OK : orr_fail(error, ORR_INTERNAL, "memory ran out");
}

// GCM enciphers by XOR with a key stream, so that sealing twice gives the tile back: this serves
// both directions.
static orr_status seal_tile(const sealer *s, uint64_t tile, size_t bytes, uint8_t *data,
                            orr_error *error) {
    static const uint8_t salt[ORR_SALT_BYTES]; // the key is drawn for one use
    uint8_t nonce[ORR_GCM_NONCE], tag[ORR_GCM_TAG];
    orr_segment_nonces nonces;
    if (!s->gcm) return ORR_OK;
    orr_status status =
        orr_segment_nonces_derive(&s->keys, tile / ORR_SEGMENT_TILES, salt, &nonces);
    if (status != ORR_OK) return orr_fail(error, status, "HKDF failed");
    orr_tile_nonce(&nonces, (uint32_t)(tile % ORR_SEGMENT_TILES), nonce);
    status = orr_gcm_seal(s->gcm, nonce, NULL, 0, data, bytes, data, tag);
    return status == ORR_OK ? ORR_OK : orr_fail(error, status, "AES-256-GCM failed");
}

static orr_status run_tiles(int sealed, int encrypt, const uint8_t key[64], size_t bytes,
                            const uint8_t *in, uint8_t *out, orr_error *error) {
    orr_cipher cipher;
    sealer seal = {0};
    uint8_t *tile = calloc(1, ORR_TILE_BYTES);
    orr_status status =
        tile ? cipher_of(&cipher, error) : orr_fail(error, ORR_INTERNAL, "memory ran out");
    if (status == ORR_OK && sealed) status = sealer_open(&seal, key, error);
    orr_status (*run)(orr_simd, const orr_cipher *, const orr_tile_key *, uint32_t, const uint8_t *,
                      uint8_t *) = encrypt ? orr_cpu_tile_encrypt : orr_cpu_tile_decrypt;
    for (size_t at = 0, n = 0; at < bytes && status == ORR_OK; at += ORR_TILE_BYTES, n++) {
        size_t part = bytes - at < ORR_TILE_BYTES ? bytes - at : ORR_TILE_BYTES;
        uint32_t rows = (uint32_t)((part + ORR_TILE_ROW_BYTES - 1) / ORR_TILE_ROW_BYTES);
        size_t whole = (size_t)rows * ORR_TILE_ROW_BYTES;
        orr_tile_key tile_key;
        memcpy(tile, in + at, part);
        memset(tile + part, 0, whole - part);
        status = orr_subject_tile_key(key, n, &tile_key);
        if (status == ORR_OK && !encrypt) status = seal_tile(&seal, n, whole, tile, error);
        if (status == ORR_OK && run(ORR_SIMD_BEST, &cipher, &tile_key, rows, tile, tile) != ORR_OK)
            status = orr_fail(error, ORR_INTERNAL, "memory ran out");
        if (status == ORR_OK && encrypt) status = seal_tile(&seal, n, whole, tile, error);
        memcpy(out + at, tile, part);
    }
    if (seal.gcm) orr_gcm_free(seal.gcm);
    free(tile);
    return status;
}

// ---- the paper profile

static orr_status run_paper(int encrypt, const uint8_t key[64], orr_volume_shape shape,
                            const uint8_t *in, uint8_t *out, orr_error *error) {
    orr_cipher cipher;
    orr_volume_key volume_key;
    orr_status status = cipher_of(&cipher, error);
    if (status != ORR_OK) return status;
    if (out != in) memcpy(out, in, volume_bytes(shape));
    orr_subject_paper_key(key, &volume_key);
    return encrypt ? orr_volume_encrypt(&cipher, &volume_key, shape, out, error)
                   : orr_volume_decrypt(&cipher, &volume_key, shape, out, error);
}

// ---- controls

// XOR with the key stream of AES-256-GCM under `secret` and a nonce of zeros.
static orr_status xor_aes(const uint8_t secret[32], size_t bytes, const uint8_t *in, uint8_t *out,
                          orr_error *error) {
    static const uint8_t nonce[12];
    uint8_t tag[16];
    orr_gcm *gcm = orr_gcm_new(secret);
    if (!gcm) return orr_fail(error, ORR_INTERNAL, "memory ran out");
    orr_status status = orr_gcm_seal(gcm, nonce, NULL, 0, in, bytes, out, tag);
    orr_gcm_free(gcm);
    return status == ORR_OK ? ORR_OK : orr_fail(error, status, "AES-256-GCM failed");
}

static orr_status run_hash(size_t bytes, const uint8_t *in, uint8_t *out, orr_error *error) {
    uint8_t hash[64];
    orr_status status = orr_sha512(in, bytes, NULL, 0, hash);
    if (status != ORR_OK) return orr_fail(error, status, "SHA-512 failed");
    return xor_aes(hash, bytes, in, out, error);
}

static void run_logistic(const uint8_t key[64], size_t bytes, const uint8_t *in, uint8_t *out) {
    uint64_t start;
    memcpy(&start, key, sizeof start);
    double x = 0.1 + 0.8 * ((double)(start >> 11) * 0x1p-53);
    for (size_t n = 0; n < bytes; n++) {
        x = 3.99 * x * (1 - x);
        out[n] = in[n] ^ (uint8_t)(uint64_t)floor(x * 1e14);
    }
}

static orr_status run(int encrypt, orr_subject subject, const uint8_t key[64],
                      orr_volume_shape shape, const uint8_t *in, uint8_t *out, orr_error *error) {
    static const uint8_t always[32] = "the same for every image";
    size_t bytes = volume_bytes(shape);
    switch (subject) {
    case ORR_SUBJECT_ARCHIVE:
    case ORR_SUBJECT_PLANET:
        return run_tiles(subject == ORR_SUBJECT_ARCHIVE, encrypt, key, bytes, in, out, error);
    case ORR_SUBJECT_PAPER:
        return run_paper(encrypt, key, shape, in, out, error);
    case ORR_CONTROL_HASH:
        if (!encrypt) return orr_fail(error, ORR_INTERNAL, "this control needs its plaintext");
        return run_hash(bytes, in, out, error);
    case ORR_CONTROL_LOGISTIC:
        run_logistic(key, bytes, in, out);
        return ORR_OK;
    default:
        return xor_aes(always, bytes, in, out, error);
    }
}

orr_status orr_subject_encrypt(orr_subject subject, const uint8_t key[64], orr_volume_shape shape,
                               const uint8_t *in, uint8_t *out, orr_error *error) {
    return run(1, subject, key, shape, in, out, error);
}

orr_status orr_subject_decrypt(orr_subject subject, const uint8_t key[64], orr_volume_shape shape,
                               const uint8_t *in, uint8_t *out, orr_error *error) {
    return run(0, subject, key, shape, in, out, error);
}
