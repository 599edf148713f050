// What a person names on a command line: by its ID in hex, whole or its first digits, or its label.
#ifndef ORRERY_HOST_KEYS_NAME_H
#define ORRERY_HOST_KEYS_NAME_H

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct orr_named {
    const uint8_t *id; // ORR_KEY_ID_BYTES
    const char *label;
    const char *more; // what else tells it from others of its name
} orr_named;

// The one of `count` that `name` means: a whole ID names that one alone, whatever labels say; else
// at least 4 digits, or a label. ORR_KEY when there is none (`lister` is the command that shows
// them), or when the name is that of several: they are listed. `what` they are is for messages.
orr_status orr_name_find(const orr_named *all, size_t count, const char *name, const char *what,
                         const char *lister, size_t *index, orr_error *error);

// "0123...ef (label)", or the ID alone: how messages name one; not escaped. Returns `out`.
#define ORR_SHOWN_ID 112
const char *orr_shown_id(const uint8_t *id, const char *label, char out[ORR_SHOWN_ID]);

#ifdef __cplusplus
}
#endif
#endif
