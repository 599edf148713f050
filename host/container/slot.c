#include "host/container/slot.h"

#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "host/container/content_digest.h"
#include "host/container/crypto.h"
#include "host/container/hpke.h"

#define SLOT_MAGIC "ORRSLOT1"
#define WRAPS_OFFSET 24
#define WRAP_HEAD 8 // type, zero, length
#define MAC_BYTES 32
#define CHECKSUM_BYTES 16
#define FOOT_BYTES (MAC_BYTES + CHECKSUM_BYTES)
#define MAX_WRAP_BYTES (ORR_MAX_SLOT_PAGES * ORR_PAGE - WRAPS_OFFSET - FOOT_BYTES)

#define SECRET_BYTES sizeof(orr_file_secret)
#define MASTER_BODY (SECRET_BYTES + 8)
#define RECIPIENT_BODY (ORR_HPKE_ENC + SECRET_BYTES + ORR_GCM_TAG)

_Static_assert(SECRET_BYTES == 96, "a file's secret has no padding");
_Static_assert(RECIPIENT_BODY > MASTER_BODY, "the longer body");

// Of the wrap types that this release knows; 0: any.
static size_t body_bytes(unsigned type) {
    return type == ORR_WRAP_MASTER ? MASTER_BODY : type == ORR_WRAP_RECIPIENT ? RECIPIENT_BODY : 0;
}

// ---- one wrap

static orr_status wrap_key(const uint8_t master[32], const uint8_t header[ORR_HEADER_BYTES],
                           uint8_t kek[32]) {
    static const char salt[] = "orrery v1 wrap key";
    uint8_t prk[64], hash[64];
    orr_status status = orr_sha512(header, ORR_HEADER_BYTES, NULL, 0, hash);
    if (status == ORR_OK) status = orr_hkdf_extract(salt, sizeof salt - 1, master, 32, prk);
    if (status == ORR_OK) status = orr_hkdf_expand(prk, hash, sizeof hash, kek, 32);
    orr_wipe(prk, sizeof prk);
    return status;
}

static orr_status master_seal(const uint8_t master[32], const orr_file_secret *secret,
                              const uint8_t header[ORR_HEADER_BYTES], uint8_t *body) {
    uint8_t kek[32];
    orr_status status = wrap_key(master, header, kek);
    if (status == ORR_OK) status = orr_kwp_wrap(kek, secret, SECRET_BYTES, body);
    orr_wipe(kek, sizeof kek);
    return status;
}

static orr_status master_open(const orr_wrap *wrap, const uint8_t master[32],
                              const uint8_t header[ORR_HEADER_BYTES], orr_file_secret *secret) {
    uint8_t kek[32];
    orr_status status = wrap_key(master, header, kek);
    if (status == ORR_OK)
        status = orr_kwp_unwrap(kek, wrap->body, wrap->body_bytes, secret, SECRET_BYTES);
    orr_wipe(kek, sizeof kek);
    return status == ORR_KEY ? ORR_AUTH : status;
}

// info = "orrery v1 wrap" || 0x00 || SHA-512(header)
#define INFO "orrery v1 wrap"
#define INFO_BYTES (sizeof INFO + 64)

static orr_status recipient_info(const uint8_t header[ORR_HEADER_BYTES], uint8_t info[INFO_BYTES]) {
    memcpy(info, INFO, sizeof INFO);
    return orr_sha512(header, ORR_HEADER_BYTES, NULL, 0, info + sizeof INFO);
}

static orr_status recipient_seal(const uint8_t seed[32], const uint8_t public_key[32],
                                 const orr_file_secret *secret,
                                 const uint8_t header[ORR_HEADER_BYTES], uint8_t *body) {
    uint8_t info[INFO_BYTES];
    orr_status status = recipient_info(header, info);
    return status == ORR_OK ? orr_hpke_seal(seed, public_key, info, sizeof info, NULL, 0, secret,
                                            SECRET_BYTES, body, body + ORR_HPKE_ENC)
                            : status;
}

static orr_status recipient_open(const orr_wrap *wrap, const uint8_t private_key[32],
                                 const uint8_t header[ORR_HEADER_BYTES], orr_file_secret *secret) {
    uint8_t info[INFO_BYTES];
    orr_status status = recipient_info(header, info);
    return status == ORR_OK
               ? orr_hpke_open(private_key, wrap->body, info, sizeof info, NULL, 0,
                               wrap->body + ORR_HPKE_ENC, RECIPIENT_BODY - ORR_HPKE_ENC, secret)
               : status;
}

orr_status orr_wrap_open(const orr_wrap *wrap, const orr_unwrap_key *key,
                         const uint8_t header[ORR_HEADER_BYTES], orr_file_secret *secret) {
    switch (wrap->type) {
    case ORR_WRAP_MASTER:
        return master_open(wrap, key->master, header, secret);
    case ORR_WRAP_RECIPIENT:
        return recipient_open(wrap, key->x25519, header, secret);
    default:
        return ORR_UNSUPPORTED;
    }
}

// ---- making

void orr_wraps_free(orr_wraps *wraps) {
    free(wraps->bytes);
    *wraps = (orr_wraps){0};
}

orr_status orr_wraps_add(orr_wraps *wraps, const orr_wrap *wrap, orr_error *error) {
    size_t bytes = WRAP_HEAD + ORR_KEY_ID_BYTES + wrap->body_bytes;
    if (wraps->count == ORR_MAX_WRAPS || bytes > MAX_WRAP_BYTES - wraps->used)
        return orr_fail(
            error, ORR_UNSUPPORTED,
            "too many keys for one file: a wrap slot takes %u wraps, of %u bytes in all",
            ORR_MAX_WRAPS, MAX_WRAP_BYTES);
    if (wraps->used + bytes > wraps->room) {
        size_t room = 2 * (wraps->used + bytes);
        uint8_t *grown = realloc(wraps->bytes, room);
        if (!grown) return orr_fail(error, ORR_INTERNAL, "out of memory");
        wraps->bytes = grown;
        wraps->room = room;
    }
    uint8_t *out = wraps->bytes + wraps->used;
    orr_store_le16(out, (uint16_t)wrap->type);
    orr_store_le16(out + 2, 0);
    orr_store_le32(out + 4, (uint32_t)(ORR_KEY_ID_BYTES + wrap->body_bytes));
    memcpy(out + WRAP_HEAD, wrap->key_id, ORR_KEY_ID_BYTES);
    if (wrap->body_bytes) memcpy(out + WRAP_HEAD + ORR_KEY_ID_BYTES, wrap->body, wrap->body_bytes);
    wraps->used += bytes;
    wraps->count++;
    return ORR_OK;
}

orr_status orr_wraps_make(orr_wraps *wraps, const orr_wrap_key *key, const uint8_t seed[32],
                          const orr_file_secret *secret, const uint8_t header[ORR_HEADER_BYTES],
                          orr_error *error) {
    uint8_t body[RECIPIENT_BODY];
    orr_wrap wrap = {key->type, key->key_id, body, body_bytes(key->type)};
    orr_status status = key->type == ORR_WRAP_MASTER
                            ? master_seal(key->key, secret, header, body)
                            : recipient_seal(seed, key->key, secret, header, body);
    if (status != ORR_OK) return orr_fail(error, status, "OpenSSL could not wrap a file's secret");
    return orr_wraps_add(wraps, &wrap, error);
}

unsigned orr_slot_pages_for(const orr_wrap_key *keys, size_t count) {
    size_t bytes = 0;
    for (size_t i = 0; i < count; i++)
        bytes += WRAP_HEAD + ORR_KEY_ID_BYTES + body_bytes(keys[i].type);
    if (count > ORR_MAX_WRAPS || bytes > MAX_WRAP_BYTES) return 0;
    size_t pages = (WRAPS_OFFSET + 2 * bytes + FOOT_BYTES + ORR_PAGE - 1) / ORR_PAGE;
    return pages < ORR_MAX_SLOT_PAGES ? (unsigned)pages : ORR_MAX_SLOT_PAGES;
}

static void checksum(const uint8_t *slot, size_t size, uint8_t out[CHECKSUM_BYTES]) {
    orr_content_digest_of(slot, size - CHECKSUM_BYTES, out);
}

orr_status orr_slot_encode(const orr_wraps *wraps, uint64_t generation,
                           const uint8_t header_mac[32], uint8_t *slot, size_t size) {
    if (generation == 0 || wraps->count == 0 || WRAPS_OFFSET + wraps->used + FOOT_BYTES > size)
        return ORR_INTERNAL;
    memset(slot, 0, size);
    memcpy(slot, SLOT_MAGIC, 8);
    orr_store_le64(slot + 8, generation);
    orr_store_le32(slot + 16, wraps->count);
    memcpy(slot + WRAPS_OFFSET, wraps->bytes, wraps->used);
    orr_status status =
        orr_hmac_sha256(header_mac, slot, size - FOOT_BYTES, slot + size - FOOT_BYTES);
    checksum(slot, size, slot + size - CHECKSUM_BYTES);
    return status;
}

// ---- reading

// Reads the wrap at *at. 0: what stands there is none.
static int read_wrap(const uint8_t *slot, size_t size, size_t *at, orr_wrap *wrap) {
    size_t end = size - FOOT_BYTES;
    if (end - *at < WRAP_HEAD + ORR_KEY_ID_BYTES) return 0;
    const uint8_t *head = slot + *at;
    size_t length = orr_load_le32(head + 4);
    if (length < ORR_KEY_ID_BYTES || length % 8 || length > end - *at - WRAP_HEAD ||
        !orr_all_zero(head + 2, 2))
        return 0;
    *wrap = (orr_wrap){orr_load_le16(head), head + WRAP_HEAD, head + WRAP_HEAD + ORR_KEY_ID_BYTES,
                       length - ORR_KEY_ID_BYTES};
    *at += WRAP_HEAD + length;
    return wrap->type && (!body_bytes(wrap->type) || wrap->body_bytes == body_bytes(wrap->type));
}

orr_status orr_slot_decode(const uint8_t *bytes, size_t size, orr_slot *slot) {
    uint8_t expected[CHECKSUM_BYTES];
    orr_wrap wrap;
    *slot = (orr_slot){bytes, size, orr_load_le64(bytes + 8), orr_load_le32(bytes + 16)};
    checksum(bytes, size, expected);
    if (memcmp(expected, bytes + size - CHECKSUM_BYTES, sizeof expected) ||
        memcmp(bytes, SLOT_MAGIC, 8) || slot->generation == 0 || slot->count == 0 ||
        slot->count > ORR_MAX_WRAPS || !orr_all_zero(bytes + 20, 4))
        return ORR_AUTH;
    size_t at = WRAPS_OFFSET;
    for (uint32_t i = 0; i < slot->count; i++)
        if (!read_wrap(bytes, size, &at, &wrap)) return ORR_AUTH;
    return orr_all_zero(bytes + at, size - FOOT_BYTES - at) ? ORR_OK : ORR_AUTH;
}

orr_status orr_slot_verify(const orr_slot *slot, const uint8_t header_mac[32]) {
    uint8_t mac[MAC_BYTES];
    size_t end = slot->size - FOOT_BYTES;
    orr_status status = orr_hmac_sha256(header_mac, slot->bytes, end, mac);
    if (status != ORR_OK) return status;
    return orr_equal_secret(mac, slot->bytes + end, sizeof mac) ? ORR_OK : ORR_AUTH;
}

int orr_slot_next(const orr_slot *slot, size_t *at, orr_wrap *wrap) {
    if (*at == 0) *at = WRAPS_OFFSET;
    // Behind the last wrap everything is zero: no type.
    return read_wrap(slot->bytes, slot->size, at, wrap);
}
