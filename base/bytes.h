// Loads and stores of integers in a fixed byte order, at any alignment.
#ifndef ORRERY_BASE_BYTES_H
#define ORRERY_BASE_BYTES_H

#include <stddef.h>
#include <stdint.h>

static inline uint16_t orr_load_le16(const uint8_t *p) {
    return (uint16_t)(p[0] | p[1] << 8);
}

static inline uint32_t orr_load_le32(const uint8_t *p) {
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static inline uint64_t orr_load_le64(const uint8_t *p) {
    return (uint64_t)orr_load_le32(p) | (uint64_t)orr_load_le32(p + 4) << 32;
}

static inline uint32_t orr_load_be32(const uint8_t *p) {
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | (uint32_t)p[3];
}

static inline uint64_t orr_load_be64(const uint8_t *p) {
    return (uint64_t)orr_load_be32(p) << 32 | (uint64_t)orr_load_be32(p + 4);
}

static inline void orr_store_le16(uint8_t *p, uint16_t v) {
    p[0] = (uint8_t)v;
    p[1] = (uint8_t)(v >> 8);
}

static inline void orr_store_le32(uint8_t *p, uint32_t v) {
    orr_store_le16(p, (uint16_t)v);
    orr_store_le16(p + 2, (uint16_t)(v >> 16));
}

static inline void orr_store_le64(uint8_t *p, uint64_t v) {
    orr_store_le32(p, (uint32_t)v);
    orr_store_le32(p + 4, (uint32_t)(v >> 32));
}

static inline void orr_store_be32(uint8_t *p, uint32_t v) {
    p[0] = (uint8_t)(v >> 24);
    p[1] = (uint8_t)(v >> 16);
    p[2] = (uint8_t)(v >> 8);
    p[3] = (uint8_t)v;
}

static inline void orr_store_be64(uint8_t *p, uint64_t v) {
    orr_store_be32(p, (uint32_t)(v >> 32));
    orr_store_be32(p + 4, (uint32_t)v);
}

// Are `bytes` bytes all zero? Not constant time: for public bytes only.
static inline int orr_all_zero(const uint8_t *p, size_t bytes) {
    uint8_t any = 0;
    for (size_t i = 0; i < bytes; i++) any |= p[i];
    return any == 0;
}

#endif
