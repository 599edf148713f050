// A growing run of bytes, wiped when it is let go.

#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "host/container/crypto.h"
#include "host/paper/image_parts.h"

uint8_t *orr_buffer_add(orr_buffer *buffer, const void *from, size_t bytes) {
    if (buffer->failed) return NULL;
    if (bytes > buffer->room - buffer->bytes) {
        size_t room = buffer->room < 1024 ? 1024 : buffer->room;
        while (room - buffer->bytes < bytes && room < SIZE_MAX / 4) room *= 2;
        uint8_t *data = room - buffer->bytes < bytes ? NULL : malloc(room);
        if (!data) {
            buffer->failed = 1;
            return NULL;
        }
        if (buffer->bytes) {
            memcpy(data, buffer->data, buffer->bytes);
            orr_wipe(buffer->data, buffer->bytes);
        }
        free(buffer->data);
        buffer->data = data;
        buffer->room = room;
    }
    uint8_t *at = buffer->data + buffer->bytes;
    if (from && bytes)
        memcpy(at, from, bytes);
    else
        memset(at, 0, bytes);
    buffer->bytes += bytes;
    return at;
}

void orr_buffer_le16(orr_buffer *buffer, uint16_t value) {
    uint8_t bytes[2];
    orr_store_le16(bytes, value);
    orr_buffer_add(buffer, bytes, sizeof bytes);
}

void orr_buffer_le32(orr_buffer *buffer, uint32_t value) {
    uint8_t bytes[4];
    orr_store_le32(bytes, value);
    orr_buffer_add(buffer, bytes, sizeof bytes);
}

void orr_buffer_free(orr_buffer *buffer) {
    if (buffer->data) orr_wipe(buffer->data, buffer->bytes);
    free(buffer->data);
    *buffer = (orr_buffer){0};
}

void orr_buffer_reserve(orr_buffer *buffer, size_t bytes) {
    if (buffer->data || buffer->failed) return;
    buffer->data = malloc(bytes + 1);
    buffer->room = buffer->data ? bytes + 1 : 0;
    buffer->failed = !buffer->data;
}
