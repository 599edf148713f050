// An encrypted file opened for reading: what it is, who can open it, and is it whole.
#include "host/container/format.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

// Checks magic and header of the first `got` bytes.
static orr_status read_header(orr_container *container, size_t got, uint64_t actual_length,
                              const char *name, orr_error *error) {
    // Eight bytes of the magic are enough to call a very short file one of ours, cut.
    size_t magic = got < ORR_MAGIC_OFFSET + ORR_MAGIC_BYTES ? 8 : ORR_MAGIC_BYTES;
    if (got < ORR_MAGIC_OFFSET + magic ||
        memcmp(container->page0 + ORR_MAGIC_OFFSET, ORR_MAGIC, magic) != 0) {
        return orr_fail(error, ORR_NOT_ORRERY, "%s: not an Orrery file (no magic at byte %d)", name,
                        ORR_MAGIC_OFFSET);
    }
    if (got < 32 + ORR_HEADER_BYTES) {
        return orr_fail(error, ORR_AUTH, "%s: truncated inside its header, at byte %llu", name,
                        (unsigned long long)actual_length);
    }
    orr_error inner = {0};
    memcpy(container->header_bytes, container->page0 + 32, ORR_HEADER_BYTES);
    orr_status status = orr_header_decode(container->header_bytes, &container->header, &inner);
    return status == ORR_OK ? ORR_OK : orr_fail(error, status, "%s: %s", name, inner.text);
}

static orr_status check_length(const orr_container *container, uint64_t actual_length,
                               const char *name, orr_error *error) {
    if (actual_length != container->header.file_length) {
        return orr_fail(error, ORR_AUTH, "%s: %s: it has %llu bytes, its header says %llu", name,
                        actual_length < container->header.file_length ? "truncated" : "grown",
                        (unsigned long long)actual_length,
                        (unsigned long long)container->header.file_length);
    }
    return ORR_OK;
}

void orr_container_free(orr_container *container) {
    free(container->slot_bytes);
    *container = (orr_container){.active = -1};
}

// Reads the slots; with `damaged` one that cannot be read is a damaged one. Then what they say
// without a key.
static orr_status read_slots(orr_container *container, int fd, int damaged, const char *name,
                             orr_error *error) {
    const orr_header *header = &container->header;
    size_t size = orr_slot_size(header);
    orr_status status = header->profile == ORR_PROFILE_ARCHIVE
                            ? orr_geometry_init(&container->geometry, header, error)
                            : ORR_OK;
    if (status != ORR_OK) return status;
    memcpy(container->commitment, container->page0 + 224, 32);
    container->slots = header->groups ? 3 : 2;
    container->slot_bytes = calloc((size_t)container->slots, size);
    if (!container->slot_bytes) return orr_fail(error, ORR_INTERNAL, "%s: out of memory", name);
    for (int i = 0; i < container->slots; i++) {
        uint8_t *bytes = container->slot_bytes + (size_t)i * size;
        status = orr_pread_all(fd, bytes, size, orr_slot_offset(header, i), name,
                               damaged ? NULL : error);
        if (status != ORR_OK && !damaged) return status;
        container->slot_good[i] =
            status == ORR_OK && orr_slot_decode(bytes, size, &container->slot[i]) == ORR_OK;
        if (container->slot_good[i] &&
            (container->active < 0 ||
             container->slot[i].generation > container->slot[container->active].generation)) {
            container->active = i;
        }
    }
    if (container->active < 0)
        return orr_fail(error, ORR_AUTH, "%s: all its wrap slots are damaged", name);
    return ORR_OK;
}

// Is it there in the page at `offset`, or can that not be read?
static int has_magic_at(int fd, uint64_t offset) {
    uint8_t magic[ORR_MAGIC_BYTES];
    orr_status status = orr_pread_all(fd, magic, sizeof magic, offset + ORR_MAGIC_OFFSET, "", NULL);
    return status == ORR_IO || (status == ORR_OK && !memcmp(magic, ORR_MAGIC, sizeof magic));
}

int orr_has_magic(int fd) {
    struct stat st;
    if (has_magic_at(fd, 0)) return 1;
    return fstat(fd, &st) == 0 && st.st_size >= 2 * ORR_PAGE &&
           has_magic_at(fd, (uint64_t)st.st_size - ORR_PAGE);
}

orr_status orr_container_read(orr_container *container, int fd, uint64_t actual_length,
                              const char *name, orr_error *error) {
    orr_container_free(container);
    size_t got = actual_length < ORR_PAGE ? (size_t)actual_length : ORR_PAGE;
    orr_status status = orr_pread_all(fd, container->page0, got, 0, name, error);
    if (status == ORR_OK) status = read_header(container, got, actual_length, name, error);
    if (status == ORR_OK) status = check_length(container, actual_length, name, error);
    // The header's lengths were checked: the slots exist.
    return status == ORR_OK ? read_slots(container, fd, 0, name, error) : status;
}

orr_status orr_container_read_page0(orr_container *container, const uint8_t page0[ORR_PAGE], int fd,
                                    const char *name, orr_error *error) {
    orr_container_free(container);
    memcpy(container->page0, page0, ORR_PAGE);
    orr_status status = read_header(container, ORR_PAGE, ORR_PAGE, name, error);
    return status == ORR_OK ? read_slots(container, fd, 1, name, error) : status;
}

orr_status orr_container_read_damaged(orr_container *container, int fd, uint64_t offset,
                                      const char *name, orr_error *error) {
    uint8_t page[ORR_PAGE];
    orr_container_free(container);
    orr_status status = orr_pread_all(fd, page, ORR_PAGE, offset, name, error);
    return status == ORR_OK ? orr_container_read_page0(container, page, fd, name, error) : status;
}

int orr_container_stale_slot(const orr_container *container) {
    int stale = -1;
    for (int i = 0; i < container->slots; i++)
        if (!container->slot_good[i]) return i;
    // One that does not hold the secret; that which does only when it is the only one.
    for (int i = 0; i < container->slots; i++)
        if (container->slot_wrong[i] && i != container->active) return i;
    if (container->slot_wrong[container->active]) return container->active;
    for (int i = 0; i < container->slots; i++)
        if (stale < 0 || container->slot[i].generation <= container->slot[stale].generation)
            stale = i;
    return stale;
}

// ---- the secret

typedef struct opening {
    const orr_container *container;
    orr_master_lookup lookup;
    void *context;
    const char *name;
    const uint8_t *opened_by; // the key ID in the wrap that opened last
} opening;

// Does this wrap's secret give the file's keys?
static orr_status try_wrap(const opening *o, const orr_wrap *wrap, const orr_unwrap_key *key,
                           orr_file_secret *secret, orr_file_keys *keys, orr_error *error) {
    char id[2 * ORR_KEY_ID_BYTES + 1];
    orr_status status = orr_wrap_open(wrap, key, o->container->header_bytes, secret);
    if (status == ORR_AUTH) {
        orr_hex(wrap->key_id, ORR_KEY_ID_BYTES, id);
        return orr_fail(error, ORR_AUTH,
                        "the wrapped secret does not open under master key %s, which the slot "
                        "names: the header or the slot was altered, or they come from different "
                        "files",
                        id);
    }
    if (status == ORR_OK)
        status = orr_file_keys_derive(keys, secret, o->container->header_bytes, error);
    else
        orr_fail(error, status, "a wrapped secret could not be opened (OpenSSL)");
    if (status == ORR_OK &&
        !orr_equal_secret(keys->commitment, o->container->commitment, sizeof keys->commitment))
        status = orr_fail(error, ORR_AUTH,
                          "the key commitment does not match: the header was altered, or header "
                          "and wrap slot come from different files");
    return status;
}

// Opens the first wrap of this type that opens. ORR_KEY: none is for a key of the lookup. The first
// failure of those that are is the one that is told.
static orr_status open_type(opening *o, const orr_slot *slot, orr_wrap_type type,
                            orr_file_secret *secret, orr_file_keys *keys, orr_error *error) {
    orr_unwrap_key key;
    orr_wrap wrap;
    orr_status status = ORR_KEY;
    for (size_t at = 0; status != ORR_OK && orr_slot_next(slot, &at, &wrap);) {
        if (wrap.type != type) continue;
        orr_error inner = {0};
        orr_status one = o->lookup(o->context, wrap.key_id, &key, &inner);
        if (one == ORR_OK) one = try_wrap(o, &wrap, &key, secret, keys, &inner);
        if (one == ORR_OK) o->opened_by = wrap.key_id;
        if (one == ORR_OK || (status == ORR_KEY && (one != ORR_KEY || !error->text[0]))) {
            status = one;
            *error = inner;
        }
    }
    orr_wipe(&key, sizeof key);
    return status;
}

static orr_status check_mac(const opening *o, int slot, const orr_file_keys *keys,
                            orr_error *error) {
    orr_status status = orr_slot_verify(&o->container->slot[slot], keys->header_mac);
    if (status == ORR_OK) return ORR_OK;
    return orr_fail(error, status,
                    status == ORR_AUTH ? "%s: wrap slot %c was altered (its MAC is wrong)"
                                       : "%s: out of memory for wrap slot %c",
                    o->name, 'A' + slot);
}

static orr_status open_slot(opening *o, int slot, orr_file_secret *secret, orr_file_keys *keys,
                            int *known_origin, orr_error *error) {
    const orr_slot *wraps = &o->container->slot[slot];
    orr_error inner = {0}, other = {0};
    memset(secret, 0, sizeof *secret);
    memset(keys, 0, sizeof *keys);
    orr_status status = open_type(o, wraps, ORR_WRAP_MASTER, secret, keys, &inner);
    *known_origin = status == ORR_OK;
    if (status == ORR_KEY || status == ORR_AUTH) {
        orr_status recipient = open_type(o, wraps, ORR_WRAP_RECIPIENT, secret, keys, &other);
        if (recipient == ORR_OK ||
            (status == ORR_KEY && (recipient != ORR_KEY || !inner.text[0]))) {
            status = recipient;
            inner = other;
        }
    }
    if (status != ORR_OK)
        orr_fail(error, status, "%s: %s", o->name,
                 inner.text[0] ? inner.text : "no wrap in it is of a kind that this program opens");
    else
        status = check_mac(o, slot, keys, error);
    if (status != ORR_OK) {
        orr_wipe(secret, sizeof *secret);
        orr_wipe(keys, sizeof *keys);
    }
    return status;
}

orr_status orr_container_open_slot(const orr_container *container, int slot,
                                   orr_master_lookup lookup, void *context, const char *name,
                                   orr_file_secret *secret, orr_file_keys *keys, orr_error *error) {
    opening o = {container, lookup, context, name, NULL};
    int known_origin;
    return open_slot(&o, slot, secret, keys, &known_origin, error);
}

// Is there a master key's wrap for this ID in the slot?
static int has_master_wrap(const orr_slot *slot, const uint8_t key_id[ORR_KEY_ID_BYTES]) {
    orr_wrap wrap;
    for (size_t at = 0; orr_slot_next(slot, &at, &wrap);)
        if (wrap.type == ORR_WRAP_MASTER && !memcmp(wrap.key_id, key_id, ORR_KEY_ID_BYTES))
            return 1;
    return 0;
}

// Do all wraps of this slot whose key the lookup has hold that secret? Those of recipients are
// asked where nothing quicker can be. ORR_INTERNAL when that cannot be told.
static orr_status holds_secret(const opening *o, const orr_slot *slot,
                               const orr_file_secret *secret, int *holds, orr_error *error) {
    orr_unwrap_key key;
    orr_file_secret opened;
    orr_wrap wrap;
    orr_status result = ORR_OK;
    *holds = 1;
    for (size_t at = 0; orr_slot_next(slot, &at, &wrap);) {
        if (wrap.type == ORR_WRAP_RECIPIENT && has_master_wrap(slot, wrap.key_id)) continue;
        if (o->lookup(o->context, wrap.key_id, &key, NULL) != ORR_OK) continue;
        orr_status status = orr_wrap_open(&wrap, &key, o->container->header_bytes, &opened);
        if (status == ORR_UNSUPPORTED) continue;
        if (status != ORR_OK && status != ORR_AUTH)
            result = orr_fail(error, ORR_INTERNAL, "%s: out of memory", o->name);
        if (status != ORR_OK || !orr_equal_secret(&opened, secret, sizeof opened)) *holds = 0;
    }
    orr_wipe(&key, sizeof key);
    orr_wipe(&opened, sizeof opened);
    return result;
}

// The good slot to try after `last` (-1: the first one): the highest generation below, or the same
// one further on. -1 when there is none.
static int slot_after(const orr_container *c, int last) {
    int next = -1;
    for (int i = 0; i < c->slots; i++) {
        if (!c->slot_good[i]) continue;
        uint64_t generation = c->slot[i].generation;
        if (last >= 0 && (generation > c->slot[last].generation ||
                          (generation == c->slot[last].generation && i <= last)))
            continue;
        if (next < 0 || generation > c->slot[next].generation) next = i;
    }
    return next;
}

// Are two slots the same bytes?
static int same_slot(const orr_slot *a, const orr_slot *b) {
    return !memcmp(a->bytes, b->bytes, a->size);
}

orr_status orr_container_unlock(orr_container *container, orr_master_lookup lookup, void *context,
                                const char *name, orr_file_secret *secret, orr_file_keys *keys,
                                orr_error *error) {
    opening o = {container, lookup, context, name, NULL};
    orr_status status = ORR_KEY;
    for (int slot = slot_after(container, -1); slot >= 0 && status != ORR_OK;
         slot = slot_after(container, slot)) {
        orr_error inner = {0};
        orr_status one = open_slot(&o, slot, secret, keys, &container->known_origin, &inner);
        if (one == ORR_OK) {
            container->active = slot;
            memcpy(container->opened_by, o.opened_by, ORR_KEY_ID_BYTES);
        }
        if (one != ORR_OK && status == ORR_KEY && error && (one != ORR_KEY || !error->text[0]))
            *error = inner;
        if (one == ORR_OK || status == ORR_KEY) status = one;
        if (status != ORR_OK && status != ORR_KEY && status != ORR_AUTH) break;
    }
    for (int i = 0; i < container->slots && status == ORR_OK; i++)
        if (container->slot_good[i] && i != container->active)
            status = check_mac(&o, i, keys, error);
    for (int i = 0; i < container->slots && status == ORR_OK; i++) {
        container->slot_wrong[i] = 0;
        if (!container->slot_good[i]) continue;
        int twin =
            i && container->slot_good[0] && same_slot(&container->slot[0], &container->slot[i]);
        int holds = twin && !container->slot_wrong[0];
        if (!twin) status = holds_secret(&o, &container->slot[i], secret, &holds, error);
        container->slot_wrong[i] = !holds;
    }
    if (status != ORR_OK) {
        orr_wipe(secret, sizeof *secret);
        orr_wipe(keys, sizeof *keys);
    } else if (error) {
        *error = (orr_error){0};
    }
    return status;
}

orr_status orr_container_metadata(const orr_container *container, int fd, const orr_file_keys *keys,
                                  const char *name, orr_metadata *metadata, orr_error *error) {
    orr_status status = orr_container_read_metadata(container, fd, keys, name, metadata, error);
    if (status != ORR_OK) return status;
    status = orr_container_check_head(container, fd, name, error);
    if (status != ORR_OK) orr_metadata_free(metadata);
    return status;
}
