#include "host/keys/fields.h"

#include <string.h>

#include "base/bytes.h"

void orr_decoys_store(const orr_decoy *decoys, size_t count, uint8_t *out) {
    for (size_t i = 0; i < count; i++, out += ORR_DECOY_RECORD)
        for (size_t c = 0; c < 3; c++) orr_store_le64(out + 8 * c, decoys[i].sum[c]);
}

int orr_decoys_load(orr_decoy *decoys, size_t count, const uint8_t *in) {
    int ok = 1;
    for (size_t i = 0; i < count; i++, in += ORR_DECOY_RECORD)
        for (size_t c = 0; c < 3; c++) {
            decoys[i].sum[c] = orr_load_le64(in + 8 * c);
            ok &= decoys[i].sum[c] <= ORR_DECOY_MAX_SUM;
        }
    return ok;
}

void orr_label_store(const char *label, uint8_t out[ORR_LABEL_BYTES]) {
    memset(out, 0, ORR_LABEL_BYTES);
    memcpy(out, label, strnlen(label, ORR_LABEL_BYTES - 1));
}

int orr_label_load(char label[ORR_LABEL_BYTES], const uint8_t in[ORR_LABEL_BYTES]) {
    memcpy(label, in, ORR_LABEL_BYTES);
    if (!orr_label_is_valid(label)) return 0;
    size_t length = strlen(label);
    return orr_all_zero(in + length, ORR_LABEL_BYTES - length);
}
