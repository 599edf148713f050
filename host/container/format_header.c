// The immutable header and the keys that are bound to it.
#include "host/container/format.h"

#include <string.h>

#include "base/bytes.h"

#define VERSION ORR_FORMAT_VERSION
#define SUITE ORR_FORMAT_SUITE
#define FEATURE_REGIONS 1u

void orr_header_encode(const orr_header *header, uint8_t out[ORR_HEADER_BYTES]) {
    int archive = header->profile == ORR_PROFILE_ARCHIVE;
    memset(out, 0, ORR_HEADER_BYTES);
    orr_store_le16(out, header->version);
    orr_store_le16(out + 2, header->suite);
    out[4] = (uint8_t)header->profile;
    out[5] = (uint8_t)header->slot_pages;
    orr_store_le16(out + 6, header->rule);
    orr_store_le32(out + 8, header->k2);
    memcpy(out + 16, header->file_id, sizeof header->file_id);
    orr_store_le64(out + 48, header->length);
    orr_store_le64(out + 56, header->metadata_length);
    orr_store_le32(out + 64, archive ? ORR_TILE_BYTES : 0);
    orr_store_le32(out + 68, archive ? ORR_SEGMENT_TILES : 0);
    orr_store_le64(out + 72, header->file_length);
    orr_store_le32(out + 80, header->pages);
    orr_store_le16(out + 84, (uint16_t)header->repair_pages);
    orr_store_le32(out + 88, header->groups);
    orr_store_le32(out + 92, header->features_ignorable);
}

static orr_status check_kind(const uint8_t in[ORR_HEADER_BYTES], orr_error *error) {
    unsigned version = orr_load_le16(in), suite = orr_load_le16(in + 2), profile = in[4];
    if (version != VERSION) {
        return orr_fail(error, ORR_UNSUPPORTED,
                        "format version %u is unknown (this program reads version %d); use a newer "
                        "release",
                        version, VERSION);
    }
    if (suite != SUITE) {
        return orr_fail(error, ORR_UNSUPPORTED, "cipher suite %u is unknown (known: %d)", suite,
                        SUITE);
    }
    if (profile != ORR_PROFILE_ARCHIVE && profile != ORR_PROFILE_PAPER) {
        return orr_fail(error, ORR_UNSUPPORTED, "profile %u is unknown (known: 1 archive, 2 paper)",
                        profile);
    }
    uint32_t features = orr_load_le32(in + 12);
    if (features & FEATURE_REGIONS)
        return orr_fail(error, ORR_UNSUPPORTED,
                        "only regions of its pages are enciphered, which this program does not "
                        "read; use a newer release");
    if (features)
        return orr_fail(error, ORR_UNSUPPORTED,
                        "feature %08x must be understood and is unknown; use a newer release",
                        features);
    if (!orr_all_zero(in + 86, 2) || !orr_all_zero(in + 96, ORR_HEADER_BYTES - 96))
        return orr_fail(error, ORR_UNSUPPORTED, "reserved bytes of the header are not zero");
    return ORR_OK;
}

static orr_status check_archive(const uint8_t in[ORR_HEADER_BYTES], const orr_header *header,
                                orr_error *error) {
    orr_geometry geometry;
    orr_status status = orr_geometry_init(&geometry, header, error);
    if (status != ORR_OK) return status;
    if (orr_load_le32(in + 64) != ORR_TILE_BYTES || orr_load_le32(in + 68) != ORR_SEGMENT_TILES ||
        header->pages != 1) {
        return orr_fail(error, ORR_UNSUPPORTED,
                        "tiles of %u bytes, segments of %u tiles and %u pages are not supported in "
                        "the archive profile (only 49152, 128 and 1)",
                        orr_load_le32(in + 64), orr_load_le32(in + 68), header->pages);
    }
    if (header->file_length != geometry.file_length) {
        return orr_fail(error, ORR_AUTH,
                        "the header contradicts itself: its lengths give a file of %llu bytes, it "
                        "says %llu; it was altered or damaged",
                        (unsigned long long)geometry.file_length,
                        (unsigned long long)header->file_length);
    }
    return ORR_OK;
}

static orr_status check_paper(const uint8_t in[ORR_HEADER_BYTES], const orr_header *header,
                              orr_error *error) {
    if (orr_load_le32(in + 64) != 0 || orr_load_le32(in + 68) != 0 || header->pages == 0 ||
        header->pages > ORR_MAX_PAGES) {
        return orr_fail(error, ORR_UNSUPPORTED,
                        "%u pages, tiles of %u bytes and segments of %u tiles are not supported in "
                        "the paper profile (only 1 to %u pages, no tiles)",
                        header->pages, orr_load_le32(in + 64), orr_load_le32(in + 68),
                        ORR_MAX_PAGES);
    }
    if (header->metadata_length > ORR_MAX_METADATA_PAPER) {
        return orr_fail(error, ORR_UNSUPPORTED, "%llu bytes of metadata are over the limit of %u",
                        (unsigned long long)header->metadata_length, ORR_MAX_METADATA_PAPER);
    }
    uint64_t head = orr_ifd_offset(header);
    if (header->file_length % ORR_PAGE || header->file_length < head ||
        header->length > header->file_length - head) {
        return orr_fail(error, ORR_AUTH,
                        "the header contradicts itself: %llu bytes of pixels do not fit in a file "
                        "of %llu; it was altered or damaged",
                        (unsigned long long)header->length,
                        (unsigned long long)header->file_length);
    }
    return ORR_OK;
}

// The fields that say how much room slots, metadata and repair data take.
static orr_status check_room(const orr_header *header, orr_error *error) {
    unsigned unit = header->profile == ORR_PROFILE_ARCHIVE ? 1024 : ORR_PAGE;
    if (header->slot_pages == 0 || header->slot_pages > ORR_MAX_SLOT_PAGES)
        return orr_fail(error, ORR_UNSUPPORTED, "wrap slots of %u pages do not exist (1 to %u)",
                        header->slot_pages, ORR_MAX_SLOT_PAGES);
    if (header->metadata_length == 0 || header->metadata_length % unit)
        return orr_fail(error, ORR_UNSUPPORTED, "%llu bytes of metadata are no multiple of %u",
                        (unsigned long long)header->metadata_length, unit);
    if (!header->repair_pages != !header->groups || header->repair_pages >= ORR_MAX_GROUP_PAGES)
        return orr_fail(error, ORR_UNSUPPORTED,
                        "%lu groups with %u repair pages each are no repair data",
                        (unsigned long)header->groups, header->repair_pages);
    return ORR_OK;
}

orr_status orr_header_decode(const uint8_t in[ORR_HEADER_BYTES], orr_header *header,
                             orr_error *error) {
    memset(header, 0, sizeof *header);
    orr_status status = check_kind(in, error);
    if (status != ORR_OK) return status;
    header->version = orr_load_le16(in);
    header->suite = orr_load_le16(in + 2);
    header->profile = (orr_profile)in[4];
    header->rule = orr_load_le16(in + 6);
    header->k2 = orr_load_le32(in + 8);
    memcpy(header->file_id, in + 16, sizeof header->file_id);
    header->length = orr_load_le64(in + 48);
    header->metadata_length = orr_load_le64(in + 56);
    header->file_length = orr_load_le64(in + 72);
    header->pages = orr_load_le32(in + 80);
    header->slot_pages = in[5];
    header->repair_pages = orr_load_le16(in + 84);
    header->groups = orr_load_le32(in + 88);
    header->features_ignorable = orr_load_le32(in + 92);
    if (header->rule == 0 || header->rule > ORR_RULE_COUNT) {
        return orr_fail(error, ORR_UNSUPPORTED, "VPD rule %u does not exist (1 to %u)",
                        header->rule, ORR_RULE_COUNT);
    }
    if (header->k2 % 2 == 0) {
        return orr_fail(error, ORR_UNSUPPORTED, "map constant %u is even; it must be odd",
                        header->k2);
    }
    status = check_room(header, error);
    if (status != ORR_OK) return status;
    return header->profile == ORR_PROFILE_ARCHIVE ? check_archive(in, header, error)
                                                  : check_paper(in, header, error);
}

// info = "orrery v1 " || label || 0x00 || SHA-512(immutable header)
static orr_status derive(const uint8_t prk[64], const char *label, const uint8_t hash[64],
                         uint8_t *out, size_t bytes) {
    static const char prefix[] = "orrery v1 ";
    uint8_t info[128];
    size_t used = sizeof prefix - 1, label_bytes = strlen(label) + 1; // with its zero byte
    memcpy(info, prefix, used);
    memcpy(info + used, label, label_bytes);
    used += label_bytes;
    memcpy(info + used, hash, 64);
    return orr_hkdf_expand(prk, info, used + 64, out, bytes);
}

orr_status orr_file_keys_derive(orr_file_keys *keys, const orr_file_secret *secret,
                                const uint8_t header[ORR_HEADER_BYTES], orr_error *error) {
    uint8_t prk[64], hash[64];
    orr_status status = orr_sha512(header, ORR_HEADER_BYTES, NULL, 0, hash);
    memset(keys, 0, sizeof *keys);
    if (status == ORR_OK) status = orr_hkdf_extract(header + 16, 32, secret, sizeof *secret, prk);
    struct {
        const char *label;
        uint8_t *out;
        size_t bytes;
    } wanted[] = {
        {"tile key", keys->tile_key, sizeof keys->tile_key},
        {"digest key", keys->digest_key, sizeof keys->digest_key},
        {"metadata key", keys->metadata_key, sizeof keys->metadata_key},
        {"nonce key", keys->nonce_key, sizeof keys->nonce_key},
        {"header mac", keys->header_mac, sizeof keys->header_mac},
        {"commitment", keys->commitment, sizeof keys->commitment},
    };
    for (size_t i = 0; i < sizeof wanted / sizeof wanted[0] && status == ORR_OK; i++) {
        status = derive(prk, wanted[i].label, hash, wanted[i].out, wanted[i].bytes);
    }
    orr_wipe(prk, sizeof prk);
    if (status != ORR_OK) {
        orr_wipe(keys, sizeof *keys);
        return orr_fail(error, status, "the file's keys could not be derived (OpenSSL failed)");
    }
    return ORR_OK;
}

// info = "segment" || 0x00 || be64(segment) || salt
orr_status orr_segment_nonces_derive(const orr_file_keys *keys, uint64_t segment,
                                     const uint8_t salt[ORR_SALT_BYTES],
                                     orr_segment_nonces *nonces) {
    uint8_t info[8 + 8 + ORR_SALT_BYTES] = "segment";
    orr_store_be64(info + 8, segment);
    memcpy(info + 16, salt, ORR_SALT_BYTES);
    return orr_hkdf_expand(keys->nonce_key, info, sizeof info, nonces, sizeof *nonces);
}

void orr_tile_nonce(const orr_segment_nonces *nonces, uint32_t t, uint8_t nonce[ORR_GCM_NONCE]) {
    memcpy(nonce, nonces->tile, ORR_GCM_NONCE);
    nonce[ORR_GCM_NONCE - 1] = (uint8_t)((nonce[ORR_GCM_NONCE - 1] & 0x80) | t);
}

orr_status orr_tile_key_derive(const orr_file_secret *secret, uint64_t tile, orr_tile_key *key) {
    uint8_t number[8], hash[64];
    orr_store_be64(number, tile);
    orr_status status = orr_sha512(secret->planet_secret, sizeof secret->planet_secret, number,
                                   sizeof number, hash);
    for (int i = 0; i < 8; i++) key->state[i] = status == ORR_OK ? orr_load_be64(hash + 8 * i) : 0;
    orr_wipe(hash, sizeof hash);
    return status;
}

orr_status orr_digest_seal(orr_gcm *gcm, const orr_segment_nonces *nonces, const uint8_t digest[16],
                           uint8_t sealed[32]) {
    return orr_gcm_seal(gcm, nonces->digest, NULL, 0, digest, ORR_DIGEST_BYTES, sealed,
                        sealed + ORR_DIGEST_BYTES);
}

orr_status orr_digest_open(orr_gcm *gcm, const orr_segment_nonces *nonces, const uint8_t sealed[32],
                           uint8_t digest[16]) {
    return orr_gcm_open(gcm, nonces->digest, NULL, 0, sealed, ORR_DIGEST_BYTES, digest,
                        sealed + ORR_DIGEST_BYTES);
}

int orr_segment_head_is_clean(const orr_segment_head *head, uint32_t tiles) {
    return orr_all_zero((const uint8_t *)head->tags[0] + (size_t)tiles * ORR_GCM_TAG,
                        (ORR_SEGMENT_TILES - (size_t)tiles) * ORR_GCM_TAG) &&
           orr_all_zero(head->zero, sizeof head->zero);
}

orr_status orr_segment_open(orr_gcm *gcm, const orr_file_keys *keys, const orr_geometry *geometry,
                            uint64_t segment, const orr_segment_head *head, uint8_t *tiles,
                            uint8_t digest[ORR_DIGEST_BYTES], uint32_t *failed) {
    const uint32_t count = orr_segment_tiles(geometry, segment);
    orr_segment_nonces nonces;
    uint8_t nonce[ORR_GCM_NONCE];
    orr_status status = orr_segment_nonces_derive(keys, segment, head->salt, &nonces);
    *failed = count;
    if (status == ORR_OK) status = orr_gcm_rekey(gcm, keys->tile_key);
    for (uint32_t t = 0; status == ORR_OK && t < count; t++) {
        size_t bytes =
            (size_t)orr_tile_rows(geometry, segment * ORR_SEGMENT_TILES + t) * ORR_TILE_ROW_BYTES;
        orr_tile_nonce(&nonces, t, nonce);
        status = orr_gcm_open(gcm, nonce, NULL, 0, tiles, bytes, tiles, head->tags[t]);
        if (status != ORR_OK) *failed = t;
        tiles += bytes;
    }
    if (status == ORR_OK) status = orr_gcm_rekey(gcm, keys->digest_key);
    return status == ORR_OK ? orr_digest_open(gcm, &nonces, head->sealed_digest, digest) : status;
}
