// Fields that keyring and recipient files share (docs/FORMAT.md, "Keyring file").
#ifndef ORRERY_HOST_KEYS_FIELDS_H
#define ORRERY_HOST_KEYS_FIELDS_H

#include <stddef.h>
#include <stdint.h>

#include "host/keys/keyring.h"

#ifdef __cplusplus
extern "C" {
#endif

#define ORR_DECOY_RECORD 24
// A sum above this cannot come from an image that orr_decoy_from_image or the generator accepts.
#define ORR_DECOY_MAX_SUM (255ull << 26)

// `count` records of ORR_DECOY_RECORD bytes each.
void orr_decoys_store(const orr_decoy *decoys, size_t count, uint8_t *out);
// The reverse; 0 when a sum is above its limit.
int orr_decoys_load(orr_decoy *decoys, size_t count, const uint8_t *in);

// A valid label, then zero bytes.
void orr_label_store(const char *label, uint8_t out[ORR_LABEL_BYTES]);
// The reverse; 0 when it is not valid, or other bytes follow it.
int orr_label_load(char label[ORR_LABEL_BYTES], const uint8_t in[ORR_LABEL_BYTES]);

#ifdef __cplusplus
}
#endif
#endif
