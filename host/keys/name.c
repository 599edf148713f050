#include "host/keys/name.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/text.h"
#include "host/container/format.h"

// Is `name` the first digits of this ID?
static int starts_id(const uint8_t id[ORR_KEY_ID_BYTES], const char *name) {
    size_t length = strlen(name);
    if (length < 4 || length > 2 * ORR_KEY_ID_BYTES ||
        strspn(name, "0123456789abcdefABCDEF") != length)
        return 0;
    char hex[2 * ORR_KEY_ID_BYTES + 1];
    orr_hex(id, ORR_KEY_ID_BYTES, hex);
    return !strncasecmp(hex, name, length);
}

static int is_called(const orr_named *one, const char *name) {
    return starts_id(one->id, name) || (*name && strcmp(one->label, name) == 0);
}

static orr_status fail_several(const orr_named *all, size_t count, const char *name,
                               const char *what, orr_error *error) {
    char list[2048] = "", hex[2 * ORR_KEY_ID_BYTES + 1];
    size_t used = 0;
    for (size_t i = 0; i < count && used < sizeof list; i++) {
        if (!is_called(&all[i], name)) continue;
        orr_hex(all[i].id, ORR_KEY_ID_BYTES, hex);
        used += (size_t)snprintf(list + used, sizeof list - used, "%s%s (%s, %s)", used ? ", " : "",
                                 hex, all[i].label, all[i].more);
    }
    return orr_fail(error, ORR_KEY, "\"%s\" names several %ss: give more digits of an ID: %s", name,
                    what, list);
}

orr_status orr_name_find(const orr_named *all, size_t count, const char *name, const char *what,
                         const char *lister, size_t *index, orr_error *error) {
    size_t found = 0;
    if (strlen(name) == 2 * ORR_KEY_ID_BYTES)
        for (size_t i = 0; i < count; i++)
            if (starts_id(all[i].id, name)) {
                *index = i;
                return ORR_OK;
            }
    for (size_t i = 0; i < count; i++) {
        if (!is_called(&all[i], name)) continue;
        *index = i;
        if (++found > 1) return fail_several(all, count, name, what, error);
    }
    if (found) return ORR_OK;
    return orr_fail(error, ORR_KEY,
                    "the keyring has no %s \"%s\" (an ID, 4 or more of its first digits, or a "
                    "label); `orrery %s` shows its %ss",
                    what, name, lister, what);
}

const char *orr_shown_id(const uint8_t *id, const char *label, char out[ORR_SHOWN_ID]) {
    char hex[2 * ORR_KEY_ID_BYTES + 1];
    orr_hex(id, ORR_KEY_ID_BYTES, hex);
    snprintf(out, ORR_SHOWN_ID, *label ? "%s (%s)" : "%s", hex, label);
    return out;
}
