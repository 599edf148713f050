// Wrap slots: who can open the file, kept twice so that rewrap survives a crash.
#include "host/container/format.h"

#include <string.h>

#include "base/bytes.h"
#include "host/container/content_digest.h"

#define SLOT_MAGIC "ORRSLOT1"
#define WRAPS_OFFSET 24
#define WRAP_STRIDE (ORR_KEY_ID_BYTES + ORR_WRAP_BYTES)
#define MAC_OFFSET 4048
#define CHECKSUM_OFFSET 4080

static void checksum(const uint8_t page[ORR_PAGE], uint8_t out[16]) {
    orr_content_digest_of(page, CHECKSUM_OFFSET, out);
}

orr_status orr_slot_encode(const orr_slot *slot, const uint8_t header_mac[32],
                           uint8_t page[ORR_PAGE]) {
    if (slot->generation == 0 || slot->count == 0 || slot->count > ORR_MAX_WRAPS) {
        return ORR_INTERNAL;
    }
    memset(page, 0, ORR_PAGE);
    memcpy(page, SLOT_MAGIC, 8);
    orr_store_le64(page + 8, slot->generation);
    orr_store_le32(page + 16, slot->count);
    for (uint32_t i = 0; i < slot->count; i++) {
        uint8_t *wrap = page + WRAPS_OFFSET + i * WRAP_STRIDE;
        memcpy(wrap, slot->wrap[i].key_id, ORR_KEY_ID_BYTES);
        memcpy(wrap + ORR_KEY_ID_BYTES, slot->wrap[i].wrapped, ORR_WRAP_BYTES);
    }
    orr_status status = orr_hmac_sha256(header_mac, page, MAC_OFFSET, page + MAC_OFFSET);
    checksum(page, page + CHECKSUM_OFFSET);
    return status;
}

orr_status orr_slot_decode(const uint8_t page[ORR_PAGE], orr_slot *slot) {
    uint8_t expected[16];
    memset(slot, 0, sizeof *slot);
    checksum(page, expected);
    uint64_t generation = orr_load_le64(page + 8);
    uint32_t count = orr_load_le32(page + 16);
    if (memcmp(expected, page + CHECKSUM_OFFSET, 16) != 0 || memcmp(page, SLOT_MAGIC, 8) != 0 ||
        generation == 0 || count == 0 || count > ORR_MAX_WRAPS || !orr_all_zero(page + 20, 4)) {
        return ORR_AUTH;
    }
    size_t used = WRAPS_OFFSET + (size_t)count * WRAP_STRIDE;
    if (!orr_all_zero(page + used, MAC_OFFSET - used)) return ORR_AUTH;
    slot->generation = generation;
    slot->count = count;
    for (uint32_t i = 0; i < count; i++) {
        const uint8_t *wrap = page + WRAPS_OFFSET + i * WRAP_STRIDE;
        memcpy(slot->wrap[i].key_id, wrap, ORR_KEY_ID_BYTES);
        memcpy(slot->wrap[i].wrapped, wrap + ORR_KEY_ID_BYTES, ORR_WRAP_BYTES);
    }
    return ORR_OK;
}

orr_status orr_slot_verify(const uint8_t page[ORR_PAGE], const uint8_t header_mac[32]) {
    uint8_t mac[32];
    orr_status status = orr_hmac_sha256(header_mac, page, MAC_OFFSET, mac);
    if (status != ORR_OK) return status;
    return orr_equal_secret(mac, page + MAC_OFFSET, sizeof mac) ? ORR_OK : ORR_AUTH;
}
