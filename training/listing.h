// The names in a directory, and names as text.
#ifndef ORRERY_TRAINING_LISTING_H
#define ORRERY_TRAINING_LISTING_H

#include <stddef.h>

#include "media/sink.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct orr_listing {
    char **names; // without "." and "..", in byte order; owned
    size_t count;
} orr_listing;

// Lists an open directory, whose own position stays. -1 with errno (ENOMEM too), and an empty
// listing, when it cannot be read to the end. Free with orr_listing_free.
int orr_listing_read(int directory, orr_listing *listing);
void orr_listing_free(orr_listing *listing); // a zeroed one is fine

// Appends a name that may have any bytes, as part of one line: control characters and \ as \xHH.
void orr_put_name(orr_sink *sink, const char *name);

#ifdef __cplusplus
}
#endif
#endif
