#include "training/events.h"

#include <string.h>

#include "base/bytes.h"

#define MAX_TAG 100
#define MAX_SCALARS 16
#define MAX_RECORD (64 + MAX_SCALARS * (MAX_TAG + 16))

uint32_t orr_crc32c(const void *bytes, size_t count) {
    const uint8_t *at = bytes;
    uint32_t crc = 0xffffffffu;
    while (count--) {
        crc ^= *at++;
        for (int bit = 0; bit < 8; bit++) crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78u : 0);
    }
    return ~crc;
}

static uint8_t *put_varint(uint8_t *at, uint64_t value) {
    for (; value > 127; value >>= 7) *at++ = (uint8_t)(value | 128);
    *at++ = (uint8_t)value;
    return at;
}

static uint8_t *put_field(uint8_t *at, unsigned field, unsigned wire) {
    return put_varint(at, field << 3 | wire);
}

static uint8_t *put_double(uint8_t *at, unsigned field, double value) {
    uint64_t bits;
    memcpy(&bits, &value, 8);
    at = put_field(at, field, 1);
    orr_store_le64(at, bits);
    return at + 8;
}

static uint8_t *put_bytes(uint8_t *at, unsigned field, const void *bytes, size_t count) {
    at = put_varint(put_field(at, field, 2), count);
    memcpy(at, bytes, count);
    return at + count;
}

static void put_record(orr_sink *sink, const uint8_t *record, size_t count) {
    uint8_t frame[12], tail[4];
    orr_store_le64(frame, count);
    uint32_t crc = orr_crc32c(frame, 8);
    orr_store_le32(frame + 8, (crc >> 15 | crc << 17) + 0xa282ead8u);
    crc = orr_crc32c(record, count);
    orr_store_le32(tail, (crc >> 15 | crc << 17) + 0xa282ead8u);
    orr_sink_put(sink, (const char *)frame, sizeof frame);
    orr_sink_put(sink, (const char *)record, count);
    orr_sink_put(sink, (const char *)tail, sizeof tail);
}

void orr_events_begin(orr_sink *sink, double wall_time) {
    static const char version[] = "brain.Event:2";
    uint8_t record[64], *at = put_double(record, 1, wall_time);
    at = put_bytes(at, 3, version, sizeof version - 1);
    put_record(sink, record, (size_t)(at - record));
}

void orr_events_scalars(orr_sink *sink, double wall_time, uint64_t step,
                        const orr_event_scalar *scalars, size_t count) {
    uint8_t summary[MAX_RECORD], record[MAX_RECORD + 64], *end = summary;
    for (size_t i = 0; i < count && i < MAX_SCALARS; i++) {
        uint8_t value[MAX_TAG + 16];
        float single = (float)scalars[i].value;
        uint32_t bits;
        memcpy(&bits, &single, 4);
        uint8_t *at = put_bytes(value, 1, scalars[i].tag, strnlen(scalars[i].tag, MAX_TAG));
        at = put_field(at, 2, 5);
        orr_store_le32(at, bits);
        end = put_bytes(end, 1, value, (size_t)(at + 4 - value));
    }
    uint8_t *at = put_double(record, 1, wall_time);
    at = put_varint(put_field(at, 2, 0), step);
    at = put_bytes(at, 5, summary, (size_t)(end - summary));
    put_record(sink, record, (size_t)(at - record));
}
