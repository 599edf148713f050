// rewrap: a new master key around the same file secret, in place. Only the two slot pages are
// written, one after the other, each flushed and read back before the next, so that a reader finds
// a whole slot at every moment, also on the disk. It does not revoke copies, backups or snapshots.
#include "host/job/job_rewrap.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/flush.h"
#include "host/job/job_key.h"

// Nothing to do: both slots are good, of one generation, and wrap under the target key alone.
static int is_wrapped(const orr_container *c, const orr_master_key *key) {
    for (int i = 0; i < 2; i++)
        if (!c->slot_good[i] || c->slot_wrong[i] || c->slot[i].count != 1 ||
            memcmp(c->slot[i].wrap[0].key_id, key->id, ORR_KEY_ID_BYTES) ||
            c->slot[i].generation != c->slot[0].generation)
            return 0;
    return 1;
}

static orr_status flush(int fd, const char *name, orr_error *error) {
    if (orr_flush(fd) >= 0) return ORR_OK;
    return orr_fail_errno(error, errno, "%s: cannot flush this file: %s", name, strerror(errno));
}

static orr_status write_slot(const orr_job_file *file, int fd, int slot,
                             const uint8_t page[ORR_PAGE], orr_error *error) {
    const char *name = file->source;
    int hold;
    orr_status status = orr_job_hold_key(file->job, name, &hold, error);
    if (status == ORR_OK)
        status = orr_pwrite_all(fd, page, ORR_PAGE, ORR_PAGE * (1 + (uint64_t)slot), name, error);
    orr_job_let_key_go(&hold);
    return status == ORR_OK ? flush(fd, name, error) : status;
}

// Reads a slot back as any reader will: unless it opens to the same secret, the other one, which
// does, must not be overwritten. What a disk does later is not seen, what memory did is.
static orr_status check_slot(const orr_job_file *file, int fd, int slot,
                             const uint8_t page[ORR_PAGE], orr_error *error) {
    orr_file_secret secret = {0};
    orr_file_keys keys = {0};
    orr_error inner = {0};
    orr_container *c = malloc(sizeof *c);
    if (!c) return orr_file_no_memory(file, error);
    orr_status status =
        orr_container_read(c, fd, (uint64_t)file->from.st.st_size, file->source, &inner);
    if (status == ORR_OK && (!c->slot_good[slot] || memcmp(c->slot_page[slot], page, ORR_PAGE)))
        status = ORR_IO;
    if (status == ORR_OK)
        status = orr_container_open_slot(c, slot, orr_keyring_lookup,
                                         (void *)file->job->options->keyring, file->source, &secret,
                                         &keys, &inner);
    if (status == ORR_OK &&
        !orr_equal_secret(&secret, &file->from.sealed->seal.secret, sizeof secret))
        status = ORR_IO;
    if (status != ORR_OK)
        orr_fail(error, ORR_IO,
                 "%s: wrap slot %c does not read back as it was written (%s): memory or storage "
                 "failed; the file still opens with its other slot; try again, on another machine "
                 "if need be",
                 file->source, 'A' + slot, inner.text[0] ? inner.text : "other bytes");
    orr_wipe(&secret, sizeof secret);
    orr_wipe(&keys, sizeof keys);
    free(c);
    return status == ORR_OK ? ORR_OK : ORR_IO;
}

static orr_status replace_slot(const orr_job_file *file, int fd, int slot,
                               const uint8_t page[ORR_PAGE], orr_error *error) {
    orr_status status = write_slot(file, fd, slot, page, error);
    return status == ORR_OK ? check_slot(file, fd, slot, page, error) : status;
}

static orr_status replace_slots(orr_job_file *file, int fd, const orr_master_key *key,
                                orr_error *error) {
    const orr_container *c = &file->from.sealed->container;
    uint8_t page[ORR_PAGE];
    orr_slot slot = {.count = 1};
    int first = orr_container_stale_slot(c);
    for (int i = 0; i < 2; i++)
        if (c->slot_good[i] && c->slot[i].generation > slot.generation)
            slot.generation = c->slot[i].generation;
    // A killed run may have written the slot that was just read from memory: it must be on the disk
    // before the other one is overwritten, or one cut could take both.
    orr_status status = flush(fd, file->source, error);
    if (status != ORR_OK) return status;
    // After a kill between the two writes only the other page is left to do, with the same content.
    int half_done = c->slot[c->active].count == 1 && !c->slot_wrong[c->active] &&
                    !memcmp(c->slot[c->active].wrap[0].key_id, key->id, ORR_KEY_ID_BYTES);
    if (half_done) return replace_slot(file, fd, 1 - c->active, c->slot_page[c->active], error);
    if (++slot.generation == 0)
        return orr_fail(error, ORR_UNSUPPORTED, "%s: rewrapped too often", file->source);
    status = orr_wrap_make(key, &file->from.sealed->seal.secret, &slot.wrap[0], error);
    if (status == ORR_OK &&
        orr_slot_encode(&slot, file->from.sealed->seal.keys.header_mac, page) != ORR_OK)
        status = orr_fail(error, ORR_INTERNAL, "%s: the wrap slot cannot be encoded", file->source);
    if (status == ORR_OK) status = replace_slot(file, fd, first, page, error);
    if (status == ORR_OK) status = replace_slot(file, fd, 1 - first, page, error);
    return status;
}

// Opens the same file again for writing, through its descriptor, so that a renamed path cannot swap
// it, and locks it against a second rewrap.
static int reopen(const orr_job_file *file, orr_error *error) {
    char path[64];
    snprintf(path, sizeof path, "/proc/self/fd/%d", file->from.fd);
    int fd = open(path, O_RDWR | O_CLOEXEC);
    if (fd < 0) {
        orr_fail_errno(error, errno, "%s: cannot open for writing: %s", file->source,
                       strerror(errno));
    } else if (flock(fd, LOCK_EX) != 0) {
        orr_fail(error, ORR_IO, "%s: cannot lock: %s", file->source, strerror(errno));
        close(fd);
        fd = -1;
    }
    return fd;
}

void orr_rewrap(orr_job_file *file) {
    orr_error error = {0};
    const orr_master_key *key;
    int fd = reopen(file, &error);
    orr_status status = fd < 0 ? error.status : orr_job_target_key(file->job, &key, &error);
    if (status == ORR_OK) status = orr_source_unseal(file, &error);
    // What does not decipher the data is not wrapped anew, nor called finished.
    if (status == ORR_OK) status = orr_sealed_check_secret(file->from.sealed, &error);
    if (status == ORR_OK && is_wrapped(&file->from.sealed->container, key))
        file->outcome = ORR_OUT_PRESENT;
    else if (status == ORR_OK && file->job->options->dry_run)
        file->outcome = ORR_OUT_PLANNED;
    else if (status == ORR_OK)
        status = replace_slots(file, fd, key, &error);
    if (status != ORR_OK) orr_file_fail(file, &error);
    if (fd >= 0) close(fd);
    atomic_fetch_add(&file->job->progress->done_bytes, (uint64_t)file->from.st.st_size);
}
