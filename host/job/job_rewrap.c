// rewrap: other keys around the same file secret, in place. Only the slots are written, one after
// the other, each flushed and read back before the next, so that a reader finds a whole slot at
// every moment, also on the disk. It does not revoke copies, backups or snapshots.
#include "host/job/job_rewrap.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/flush.h"
#include "host/job/in_place.h"
#include "host/job/job_key.h"

static int has_id(const orr_wrap *wrap, const uint8_t id[ORR_KEY_ID_BYTES]) {
    return !memcmp(wrap->key_id, id, ORR_KEY_ID_BYTES);
}

static int is_of_known_type(const orr_wrap *wrap) {
    return wrap->type == ORR_WRAP_MASTER || wrap->type == ORR_WRAP_RECIPIENT;
}

// Is it one that the keyring can be expected to open?
static int opens_here(const orr_job_file *file, const orr_wrap *wrap) {
    const orr_master_key *own = is_of_known_type(wrap) ? orr_job_own_key(file->job, wrap) : NULL;
    return own && own->state != ORR_KEY_DESTROYED;
}

// Is this wrap to be replaced by one of its kind for the target key? NULL: none is.
static int is_outdated(const orr_job_file *file, const orr_wrap *wrap, const orr_master_key *key) {
    return key && !has_id(wrap, key->id) && orr_job_own_key(file->job, wrap) &&
           is_of_known_type(wrap);
}

static int is_for(const orr_wrap *wrap, const orr_master_key *key) {
    return key && has_id(wrap, key->id) && is_of_known_type(wrap);
}

static int is_removed(const orr_job_file *file, const orr_wrap *wrap) {
    const orr_job_options *o = file->job->options;
    for (size_t i = 0; i < o->removed_count; i++)
        if (has_id(wrap, o->removed[i])) return 1;
    return 0;
}

static int has_wrap(const orr_slot *slot, orr_wrap_type type, const uint8_t id[ORR_KEY_ID_BYTES]) {
    orr_wrap wrap;
    for (size_t at = 0; orr_slot_next(slot, &at, &wrap);)
        if (wrap.type == type && has_id(&wrap, id)) return 1;
    return 0;
}

// Is nothing to be changed in it?
static int is_wanted(const orr_job_file *file, const orr_slot *slot, const orr_master_key *key) {
    const orr_job_options *o = file->job->options;
    orr_wrap wrap;
    for (size_t at = 0; orr_slot_next(slot, &at, &wrap);)
        if (is_outdated(file, &wrap, key) || is_removed(file, &wrap)) return 0;
    for (size_t i = 0; i < o->recipient_count; i++)
        if (!has_wrap(slot, ORR_WRAP_RECIPIENT, o->recipients[i].key_id)) return 0;
    return 1;
}

// Nothing to do: all slots are good, alike, and wrapped as they are to be.
static int is_wrapped(const orr_job_file *file, const orr_master_key *key) {
    const orr_container *c = &file->from.sealed->container;
    for (int i = 0; i < c->slots; i++)
        if (!c->slot_good[i] || c->slot_wrong[i] ||
            memcmp(c->slot[i].bytes, c->slot[0].bytes, c->slot[0].size))
            return 0;
    return is_wanted(file, &c->slot[0], key);
}

static orr_status add_wrap(const orr_job_file *file, const orr_wrap_key *reader, orr_wraps *wraps,
                           orr_error *error) {
    const orr_sealed *sealed = file->from.sealed;
    uint8_t seed[32];
    orr_status status = orr_random(seed, sizeof seed, error);
    if (status == ORR_OK)
        status = orr_wraps_make(wraps, reader, seed, &sealed->seal.secret,
                                sealed->container.header_bytes, error);
    orr_wipe(seed, sizeof seed);
    return status;
}

// Wraps for the target key of the kinds that are asked for.
static orr_status add_target(const orr_job_file *file, const orr_master_key *key, const int kind[3],
                             orr_wraps *wraps, orr_error *error) {
    orr_wrap_key reader = {.type = ORR_WRAP_MASTER};
    orr_status status = ORR_OK;
    if (!key) return ORR_OK;
    memcpy(reader.key_id, key->id, sizeof reader.key_id);
    memcpy(reader.key, key->key, sizeof reader.key);
    if (kind[ORR_WRAP_MASTER]) status = add_wrap(file, &reader, wraps, error);
    reader.type = ORR_WRAP_RECIPIENT;
    memcpy(reader.key, key->x25519_public, sizeof reader.key);
    if (kind[ORR_WRAP_RECIPIENT] && status == ORR_OK)
        status = add_wrap(file, &reader, wraps, error);
    orr_wipe(&reader, sizeof reader);
    return status;
}

// Keeps the wraps of a slot that are not to change. kind[type]: one of that type is to be made for
// the target key. *ours: a key of the keyring opens one that is kept.
static orr_status keep_wraps(const orr_job_file *file, const orr_slot *slot,
                             const orr_master_key *key, int kind[3], int *ours, orr_wraps *wraps,
                             orr_error *error) {
    // Whoever has the public key alone can write a master key's wrap, too, which does not open: no
    // right one takes its place, or rewrap would give a forged file a known origin.
    int is_known = file->from.sealed->container.known_origin;
    orr_wrap wrap;
    orr_status status = ORR_OK;
    for (size_t at = 0; status == ORR_OK && orr_slot_next(slot, &at, &wrap);) {
        if (is_outdated(file, &wrap, key) || is_for(&wrap, key)) {
            kind[is_known ? wrap.type : ORR_WRAP_RECIPIENT] = 1;
            continue;
        }
        if (is_removed(file, &wrap)) continue;
        *ours |= opens_here(file, &wrap);
        status = orr_wraps_add(wraps, &wrap, error);
    }
    return status;
}

static orr_status add_recipients(const orr_job_file *file, const orr_slot *slot, int *ours,
                                 orr_wraps *wraps, orr_error *error) {
    const orr_job_options *o = file->job->options;
    orr_wrap_key reader;
    orr_status status = ORR_OK;
    for (size_t i = 0; i < o->recipient_count && status == ORR_OK; i++) {
        if (has_wrap(slot, ORR_WRAP_RECIPIENT, o->recipients[i].key_id)) continue;
        orr_recipient_reader(&o->recipients[i], &reader);
        *ours |= opens_here(file, &(orr_wrap){reader.type, reader.key_id, NULL, 0});
        status = add_wrap(file, &reader, wraps, error);
    }
    return status;
}

// The wraps of a slot, with one for `key` (NULL: none) in place of each kind that is outdated, and
// those for the recipients. The others stay.
static orr_status edit_wraps(const orr_job_file *file, const orr_slot *slot,
                             const orr_master_key *key, orr_wraps *wraps, orr_error *error) {
    int kind[3] = {0}, ours = 0;
    orr_status status = keep_wraps(file, slot, key, kind, &ours, wraps, error);
    if (status == ORR_OK) status = add_target(file, key, kind, wraps, error);
    if (status == ORR_OK) status = add_recipients(file, slot, &ours, wraps, error);
    if (status == ORR_OK && !ours && !kind[ORR_WRAP_MASTER] && !kind[ORR_WRAP_RECIPIENT])
        status =
            orr_fail(error, ORR_KEY, "%s: with that removed no key of this keyring would open it",
                     file->source);
    return status;
}

static orr_status flush(int fd, const char *name, orr_error *error) {
    if (orr_flush(fd) >= 0) return ORR_OK;
    return orr_fail_errno(error, errno, "%s: cannot flush this file: %s", name, strerror(errno));
}

static orr_status write_slot(const orr_job_file *file, int fd, int slot, const uint8_t *bytes,
                             orr_error *error) {
    const orr_header *header = &file->from.sealed->container.header;
    const char *name = file->source;
    int hold;
    orr_status status = orr_job_hold_key(file->job, name, &hold, error);
    if (status == ORR_OK)
        status = orr_pwrite_all(fd, bytes, orr_slot_size(header), orr_slot_offset(header, slot),
                                name, error);
    orr_job_let_key_go(&hold);
    return status == ORR_OK ? flush(fd, name, error) : status;
}

// Reads a slot back as any reader will: unless it opens to the same secret, the others, which do,
// must not be overwritten. What a disk does later is not seen, what memory did is.
static orr_status check_slot(const orr_job_file *file, int fd, int slot, const uint8_t *bytes,
                             orr_error *error) {
    orr_file_secret secret = {0};
    orr_file_keys keys = {0};
    orr_error inner = {0};
    orr_container *c = calloc(1, sizeof *c);
    if (!c) return orr_file_no_memory(file, error);
    orr_status status =
        orr_container_read(c, fd, (uint64_t)file->from.st.st_size, file->source, &inner);
    if (status == ORR_OK &&
        (!c->slot_good[slot] || memcmp(c->slot[slot].bytes, bytes, c->slot[slot].size)))
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
    orr_container_free(c);
    free(c);
    return status == ORR_OK ? ORR_OK : ORR_IO;
}

static orr_status replace_slot(const orr_job_file *file, int fd, int slot, const uint8_t *bytes,
                               orr_error *error) {
    orr_status status = write_slot(file, fd, slot, bytes, error);
    return status == ORR_OK ? check_slot(file, fd, slot, bytes, error) : status;
}

// Writes `bytes` into every slot but `kept` (-1: none), beginning with `first`.
static orr_status write_slots(const orr_job_file *file, int fd, int first, int kept,
                              const uint8_t *bytes, orr_error *error) {
    const orr_container *c = &file->from.sealed->container;
    orr_status status = first == kept ? ORR_OK : replace_slot(file, fd, first, bytes, error);
    for (int i = 0; i < c->slots && status == ORR_OK; i++)
        if (i != first && i != kept) status = replace_slot(file, fd, i, bytes, error);
    return status;
}

// A slot of the next generation, with other wraps than the one that was opened.
static orr_status make_slot(const orr_job_file *file, const orr_master_key *key, uint8_t *bytes,
                            orr_error *error) {
    const orr_sealed *sealed = file->from.sealed;
    const orr_container *c = &sealed->container;
    orr_wraps wraps = {0};
    uint64_t generation = 0;
    for (int i = 0; i < c->slots; i++)
        if (c->slot_good[i] && c->slot[i].generation > generation)
            generation = c->slot[i].generation;
    if (++generation == 0)
        return orr_fail(error, ORR_UNSUPPORTED, "%s: rewrapped too often", file->source);
    orr_status status = edit_wraps(file, &c->slot[c->active], key, &wraps, error);
    if (status == ORR_OK && orr_slot_encode(&wraps, generation, sealed->seal.keys.header_mac, bytes,
                                            orr_slot_size(&c->header)) != ORR_OK)
        status =
            orr_fail(error, ORR_UNSUPPORTED,
                     "%s: its wrap slots of %zu bytes have no room for %u wraps: re-encrypt it",
                     file->source, orr_slot_size(&c->header), wraps.count);
    orr_wraps_free(&wraps);
    return status;
}

static orr_status replace_slots(orr_job_file *file, int fd, const orr_master_key *key,
                                orr_error *error) {
    const orr_container *c = &file->from.sealed->container;
    const orr_slot *active = &c->slot[c->active];
    int first = orr_container_stale_slot(c);
    // A killed run may have written the slot that was just read from memory: it must be on the disk
    // before another one is overwritten, or one cut could take all.
    orr_status status = flush(fd, file->source, error);
    if (status != ORR_OK) return status;
    // After a kill between two writes only the other slots are left to do, with the same content.
    if (is_wanted(file, active, key) && !c->slot_wrong[c->active])
        return write_slots(file, fd, first, c->active, active->bytes, error);
    uint8_t *bytes = malloc(active->size);
    if (!bytes) return orr_file_no_memory(file, error);
    status = make_slot(file, key, bytes, error);
    if (status == ORR_OK) status = write_slots(file, fd, first, -1, bytes, error);
    orr_slot made;
    if (status == ORR_OK && orr_slot_decode(bytes, active->size, &made) == ORR_OK)
        file->from.sealed->container.slot[c->active].generation = made.generation; // is told
    free(bytes);
    return status;
}

// What rewrap refuses before it writes anything.
static orr_status check_change(const orr_job_file *file, orr_error *error) {
    const orr_sealed *sealed = file->from.sealed;
    if (atomic_load(&sealed->damaged))
        return orr_fail(error, ORR_AUTH, "%s: is damaged: `orrery repair` first", file->source);
    return ORR_OK;
}

void orr_rewrap(orr_job_file *file) {
    orr_error error = {0};
    const orr_job_options *o = file->job->options;
    const orr_master_key *key = NULL;
    int fd = orr_in_place_open(file, &error), edits = o->recipient_count || o->removed_count;
    orr_status status = fd < 0                ? error.status
                        : edits && !o->has_to ? ORR_OK // the wraps of the keyring stay
                                              : orr_job_target_key(file->job, &key, &error);
    if (status == ORR_OK) status = orr_source_unseal(file, &error);
    if (status == ORR_OK) status = check_change(file, &error);
    if (status == ORR_OK && is_wrapped(file, key))
        file->outcome = ORR_OUT_PRESENT;
    else if (status == ORR_OK && file->job->options->dry_run)
        file->outcome = ORR_OUT_PLANNED;
    else if (status == ORR_OK)
        status = replace_slots(file, fd, key, &error);
    if (status != ORR_OK) orr_file_fail(file, &error);
    if (fd >= 0) close(fd);
    atomic_fetch_add(&file->job->progress->done_bytes, (uint64_t)file->from.st.st_size);
}
