// An encrypted file opened for reading: what it is, who can open it, and is it whole.
#include "host/container/format.h"

#include <stdio.h>
#include <string.h>

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

// What the two slot pages, once read, say without a key.
static orr_status read_slots(orr_container *container, const char *name, orr_error *error) {
    memcpy(container->commitment, container->page0 + 224, 32);
    for (int i = 0; i < 2; i++) {
        container->slot_good[i] =
            orr_slot_decode(container->slot_page[i], &container->slot[i]) == ORR_OK;
        if (container->slot_good[i] &&
            (container->active < 0 ||
             container->slot[i].generation > container->slot[container->active].generation)) {
            container->active = i;
        }
    }
    if (container->active < 0) {
        return orr_fail(error, ORR_AUTH, "%s: both wrap slots are damaged", name);
    }
    if (container->header.profile == ORR_PROFILE_ARCHIVE) {
        return orr_geometry_init(&container->geometry, container->header.length,
                                 container->header.metadata_length, error);
    }
    return ORR_OK;
}

int orr_has_magic(int fd) {
    uint8_t magic[ORR_MAGIC_BYTES];
    orr_status status = orr_pread_all(fd, magic, sizeof magic, ORR_MAGIC_OFFSET, "", NULL);
    return status == ORR_IO || (status == ORR_OK && !memcmp(magic, ORR_MAGIC, sizeof magic));
}

orr_status orr_container_read(orr_container *container, int fd, uint64_t actual_length,
                              const char *name, orr_error *error) {
    memset(container, 0, sizeof *container);
    container->active = -1;
    size_t got = actual_length < ORR_PAGE ? (size_t)actual_length : ORR_PAGE;
    orr_status status = orr_pread_all(fd, container->page0, got, 0, name, error);
    if (status == ORR_OK) status = read_header(container, got, actual_length, name, error);
    if (status == ORR_OK) status = check_length(container, actual_length, name, error);
    // The header's lengths were checked: pages 1 and 2 exist.
    if (status == ORR_OK) {
        status = orr_pread_all(fd, container->slot_page, sizeof container->slot_page, ORR_PAGE,
                               name, error);
    }
    return status == ORR_OK ? read_slots(container, name, error) : status;
}

orr_status orr_container_read_damaged(orr_container *container, int fd, const char *name,
                                      orr_error *error) {
    memset(container, 0, sizeof *container);
    container->active = -1;
    orr_status status = orr_pread_all(fd, container->page0, ORR_PAGE, 0, name, error);
    if (status == ORR_OK) status = read_header(container, ORR_PAGE, ORR_PAGE, name, error);
    if (status != ORR_OK) return status;
    for (int i = 0; i < 2; i++) {
        uint8_t *page = container->slot_page[i];
        if (orr_pread_all(fd, page, ORR_PAGE, ORR_PAGE * (1 + (uint64_t)i), name, NULL) != ORR_OK)
            memset(page, 0, ORR_PAGE); // its checksum is wrong then
    }
    return read_slots(container, name, error);
}

int orr_container_stale_slot(const orr_container *container) {
    int spare = 1 - container->active;
    for (int i = 0; i < 2; i++) {
        if (!container->slot_good[i]) return i;
    }
    // The one that does not hold the secret; that which does only when it is the only one.
    if (container->slot_wrong[spare]) return spare;
    if (container->slot_wrong[1 - spare]) return 1 - spare;
    return container->slot[0].generation < container->slot[1].generation ? 0 : 1;
}

// Unwraps with the first wrap whose master key the lookup has.
static orr_status unwrap(const orr_slot *slot, orr_master_lookup lookup, void *context,
                         const char *name, orr_file_secret *secret, orr_error *error) {
    uint8_t key[32], opened[96];
    orr_error inner = {0};
    orr_status status = ORR_KEY;
    for (uint32_t i = 0; i < slot->count && status == ORR_KEY; i++) {
        status = lookup(context, slot->wrap[i].key_id, key, i == 0 ? &inner : NULL);
        if (status != ORR_OK) continue;
        status = orr_kwp_unwrap(key, slot->wrap[i].wrapped, ORR_WRAP_BYTES, opened, sizeof opened);
        if (status == ORR_KEY) {
            char id[2 * ORR_KEY_ID_BYTES + 1];
            orr_hex(slot->wrap[i].key_id, ORR_KEY_ID_BYTES, id);
            status = orr_fail(&inner, ORR_AUTH,
                              "the wrapped secret does not open under master key %s, which the "
                              "slot names; the slot was altered",
                              id);
        }
    }
    if (status == ORR_OK) {
        memcpy(secret->seal_root, opened, sizeof secret->seal_root);
        memcpy(secret->planet_secret, opened + sizeof secret->seal_root,
               sizeof secret->planet_secret);
    } else {
        orr_fail(error, status, "%s: %s", name,
                 inner.text[0] ? inner.text : "the wrapped secret could not be opened");
    }
    orr_wipe(key, sizeof key);
    orr_wipe(opened, sizeof opened);
    return status;
}

static orr_status check_mac(const orr_container *container, int slot, const orr_file_keys *keys,
                            const char *name, orr_error *error) {
    orr_status status = orr_slot_verify(container->slot_page[slot], keys->header_mac);
    if (status == ORR_OK) return ORR_OK;
    return orr_fail(error, status,
                    status == ORR_AUTH ? "%s: wrap slot %c was altered (its MAC is wrong)"
                                       : "%s: out of memory for wrap slot %c",
                    name, 'A' + slot);
}

orr_status orr_container_open_slot(const orr_container *container, int slot,
                                   orr_master_lookup lookup, void *context, const char *name,
                                   orr_file_secret *secret, orr_file_keys *keys, orr_error *error) {
    memset(secret, 0, sizeof *secret);
    memset(keys, 0, sizeof *keys);
    orr_status status = unwrap(&container->slot[slot], lookup, context, name, secret, error);
    if (status == ORR_OK) {
        status = orr_file_keys_derive(keys, secret, container->header_bytes, error);
    }
    if (status == ORR_OK &&
        !orr_equal_secret(keys->commitment, container->commitment, sizeof keys->commitment)) {
        status = orr_fail(error, ORR_AUTH,
                          "%s: the key commitment does not match: the header was altered, or "
                          "header and wrap slot come from different files",
                          name);
    }
    if (status == ORR_OK) status = check_mac(container, slot, keys, name, error);
    if (status != ORR_OK) {
        orr_wipe(secret, sizeof *secret);
        orr_wipe(keys, sizeof *keys);
    }
    return status;
}

// Do all wraps of this slot whose master key the lookup has hold that secret?
static int holds_secret(orr_container *container, int slot, orr_master_lookup lookup, void *context,
                        const orr_file_secret *secret) {
    uint8_t key[32], opened[96];
    int holds = 1;
    for (uint32_t i = 0; i < container->slot[slot].count; i++) {
        const orr_wrap *wrap = &container->slot[slot].wrap[i];
        if (lookup(context, wrap->key_id, key, NULL) != ORR_OK) continue;
        if (orr_kwp_unwrap(key, wrap->wrapped, ORR_WRAP_BYTES, opened, sizeof opened) != ORR_OK ||
            !orr_equal_secret(opened, secret->seal_root, sizeof secret->seal_root)) {
            holds = 0;
        } else if (!orr_equal_secret(opened + sizeof secret->seal_root, secret->planet_secret,
                                     sizeof secret->planet_secret)) {
            holds = 0;
            if (slot != container->active) container->planets_differ = 1;
        }
    }
    orr_wipe(key, sizeof key);
    orr_wipe(opened, sizeof opened);
    return holds;
}

orr_status orr_container_unlock(orr_container *container, orr_master_lookup lookup, void *context,
                                const char *name, orr_file_secret *secret, orr_file_keys *keys,
                                orr_error *error) {
    int spare = 1 - container->active;
    container->slot_wrong[0] = container->slot_wrong[1] = container->planets_differ = 0;
    orr_status status = orr_container_open_slot(container, container->active, lookup, context, name,
                                                secret, keys, error);
    if (status == ORR_AUTH && container->slot_good[spare] &&
        orr_container_open_slot(container, spare, lookup, context, name, secret, keys, NULL) ==
            ORR_OK) {
        spare = container->active;
        container->active = 1 - spare;
        status = ORR_OK;
    }
    if (status == ORR_OK && container->slot_good[spare])
        status = check_mac(container, spare, keys, name, error);
    for (int i = 0; i < 2 && status == ORR_OK; i++) {
        container->slot_wrong[i] =
            container->slot_good[i] && !holds_secret(container, i, lookup, context, secret);
    }
    if (status != ORR_OK) {
        orr_wipe(secret, sizeof *secret);
        orr_wipe(keys, sizeof *keys);
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
