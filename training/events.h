// Scalars for TensorBoard: a file of TFRecords, each a protobuf `Event`, as TensorFlow writes them.
//
// TFRecord: length (8 bytes, little-endian), masked CRC-32C of those 8, the record, its masked
// CRC-32C; masked(c) = (c rotated right by 15) + 0xa282ead8. Event: 1 wall_time (double), 2 step
// (int64), 3 file_version (string, of the first record: "brain.Event:2"), 5 summary; Summary: 1
// value, repeated; Value: 1 tag (string), 2 simple_value (float).
#ifndef ORRERY_TRAINING_EVENTS_H
#define ORRERY_TRAINING_EVENTS_H

#include <stddef.h>
#include <stdint.h>

#include "media/sink.h"

#ifdef __cplusplus
extern "C" {
#endif

// The record that such a file begins with.
void orr_events_begin(orr_sink *sink, double wall_time);
typedef struct orr_event_scalar {
    const char *tag; // at most 100 bytes
    double value;    // stored as float32
} orr_event_scalar;
// One record with up to 16 scalars of one step.
void orr_events_scalars(orr_sink *sink, double wall_time, uint64_t step,
                        const orr_event_scalar *scalars, size_t count);
// CRC-32C (Castagnoli, RFC 3720 appendix B.4), unmasked.
uint32_t orr_crc32c(const void *bytes, size_t count);

#ifdef __cplusplus
}
#endif
#endif
