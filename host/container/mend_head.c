// Finding what opens a file that is mended: page 0 and a slot, each from any place that has it.
#include "host/container/mend.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "host/container/heal.h"

// Good slots that somebody without the file's keys made count as damaged from here on.
static orr_status set_aside(const orr_mend *mend, orr_container *c, orr_error *error) {
    for (int i = 0; i < c->slots; i++) {
        if (!c->slot_good[i]) continue;
        orr_status status = orr_slot_verify(&c->slot[i], mend->keys.header_mac);
        if (status != ORR_OK && status != ORR_AUTH) return orr_mend_no_memory(mend, error);
        c->slot_good[i] = status == ORR_OK;
    }
    return ORR_OK;
}

static orr_status unlock(orr_mend *mend, orr_container *c, orr_error *error) {
    const orr_mend_options *o = &mend->options;
    orr_status status = ORR_AUTH;
    int good = 0;
    for (int i = 0; i < c->slots && status != ORR_OK; i++) {
        good |= c->slot_good[i];
        if (c->slot_good[i])
            status = orr_container_open_slot(c, i, o->lookup, o->context, o->name, &mend->secret,
                                             &mend->keys, NULL);
    }
    if (status == ORR_OK && set_aside(mend, c, error) != ORR_OK) return ORR_INTERNAL;
    if (!good) return orr_fail(error, ORR_AUTH, "%s: all its wrap slots are damaged", o->name);
    return orr_container_unlock(c, o->lookup, o->context, o->name, &mend->secret, &mend->keys,
                                error);
}

// Says which slots of the other container are of the file whose keys are known.
static orr_status look_at_slots(const orr_mend *mend, orr_container *c, orr_error *error) {
    orr_file_secret secret;
    orr_file_keys keys;
    orr_status status = set_aside(mend, c, error);
    if (status == ORR_OK &&
        orr_container_unlock(c, mend->options.lookup, mend->options.context, mend->options.name,
                             &secret, &keys, NULL) == ORR_INTERNAL)
        status = orr_mend_no_memory(mend, error);
    orr_wipe(&secret, sizeof secret);
    orr_wipe(&keys, sizeof keys);
    return status;
}

// Does the body belong to this head? A head that was put before another file's body would have all
// of it, and that file's own slots, taken for damage. Of the copy's head nothing but the file's own
// bytes tell.
static orr_status check_body(orr_mend *mend, int copied, orr_error *error) {
    int found = 0;
    orr_status status = orr_mend_find_metadata(mend, 0, &found, error);
    if (status != ORR_OK || (found && !(copied && mend->sealed_copied))) return status;
    found = 0;
    for (int i = 0; i < mend->file.slots && copied; i++) found |= mend->file.slot_good[i];
    if (!found && mend->file.header.profile == ORR_PROFILE_ARCHIVE)
        status = orr_mend_any_tile(mend, &found, error);
    if (status == ORR_OK && !found && mend->repair)
        status = orr_mend_find_metadata(mend, 1, &found, error);
    if (status != ORR_OK || found) return status;
    return orr_fail(error, ORR_AUTH,
                    copied ? "%s: nothing in it is of the file that the copy is of: should it be, "
                             "put that copy in its place"
                           : "%s: nothing in it opens with its head: it is damaged from end to "
                             "end, or the head is another file's",
                    mend->options.name);
}

static void forget(orr_mend *mend) {
    if (mend->metadata) orr_metadata_free(mend->metadata);
    free(mend->metadata);
    free(mend->sealed);
    orr_repair_close(mend->repair);
    mend->metadata = NULL;
    mend->sealed = NULL;
    mend->repair = NULL;
}

// With the page 0 that is at `offset` of `fd`.
static orr_status try_page0(orr_mend *mend, int fd, uint64_t offset, orr_error *error) {
    const orr_mend_options *o = &mend->options;
    uint8_t page[ORR_PAGE];
    orr_read_stored(fd, offset, ORR_PAGE, page);
    orr_status status = orr_container_read_page0(&mend->file, page, o->fd, o->name, error);
    if (status == ORR_INTERNAL || (status != ORR_OK && !mend->file.slots)) return status;
    if (o->copy >= 0)
        (void)orr_container_read_page0(&mend->copy, page, o->copy, o->copy_name, NULL);
    status = unlock(mend, &mend->file, error);
    if (status == ORR_OK) {
        if (o->copy >= 0) status = look_at_slots(mend, &mend->copy, error);
    } else if (o->copy >= 0 && unlock(mend, &mend->copy, NULL) == ORR_OK) {
        status = look_at_slots(mend, &mend->file, error);
    }
    if (status == ORR_OK) status = orr_mend_open_repair(mend, error);
    if (status == ORR_OK) status = check_body(mend, fd != o->fd, error);
    if (status != ORR_OK) forget(mend);
    return status;
}

static uint64_t length_of(int fd) {
    off_t length = lseek(fd, 0, SEEK_END);
    return length < 0 ? 0 : (uint64_t)length;
}

// Both places of page 0 in a file. *error is what is said of the first that has a header.
static orr_status try_file(orr_mend *mend, int fd, orr_error *error) {
    uint64_t length = length_of(fd), places[3] = {0};
    orr_status status = ORR_NOT_ORRERY;
    for (int i = 0; i < 3 && status != ORR_OK; i++) {
        orr_error inner = {0};
        if (i && (places[i] < ORR_PAGE || places[i] > length - ORR_PAGE)) continue;
        orr_status one = try_page0(mend, fd, places[i], &inner);
        if (status == ORR_NOT_ORRERY) {
            status = one;
            *error = inner;
        } else if (one == ORR_OK) {
            status = one;
        }
        if (i == 0 && length >= ORR_PAGE) places[1] = length - ORR_PAGE;
        // Perhaps the first is damaged in another place, and the file has grown.
        if (i == 0 && mend->file.slots) places[2] = mend->file.header.file_length - ORR_PAGE;
    }
    return status;
}

orr_status orr_mend_find_head(orr_mend *mend, orr_error *error) {
    const orr_mend_options *o = &mend->options;
    orr_error first = {0}, second = {0};
    orr_status status = try_file(mend, o->fd, &first);
    if (status != ORR_OK && o->copy >= 0 && try_file(mend, o->copy, &second) == ORR_OK) {
        mend->head_copied = 1;
        status = ORR_OK;
    }
    if (status != ORR_OK && error) *error = first;
    return status;
}

// Another file's copy opens by itself, or names a key that is not there; one that is damaged in its
// header does neither.
static orr_status check_copy(const orr_mend *mend, orr_error *error) {
    const orr_mend_options *o = &mend->options;
    uint64_t length = length_of(o->copy);
    const uint64_t places[2] = {0, length < 2 * ORR_PAGE ? 0 : length - ORR_PAGE};
    int other = 0;
    for (int i = 0; i < 2; i++) {
        orr_container c = {.active = -1};
        orr_file_secret secret;
        orr_file_keys keys;
        orr_status status = orr_container_read_damaged(&c, o->copy, places[i], o->copy_name, NULL);
        int same = c.slots && !memcmp(c.header_bytes, mend->file.header_bytes, ORR_HEADER_BYTES);
        if (status == ORR_OK && !same) {
            status =
                orr_container_unlock(&c, o->lookup, o->context, o->copy_name, &secret, &keys, NULL);
            other |= status == ORR_OK || status == ORR_KEY;
        }
        orr_container_free(&c);
        orr_wipe(&secret, sizeof secret);
        orr_wipe(&keys, sizeof keys);
        if (same) return ORR_OK;
    }
    if (!other) return ORR_OK;
    return orr_fail(error, ORR_AUTH, "%s: %s is no copy of it: its header is another file's",
                    o->name, o->copy_name);
}

orr_status orr_mend_check_copy(const orr_mend *mend, orr_error *error) {
    return mend->head_copied || mend->options.copy < 0 ? ORR_OK : check_copy(mend, error);
}
