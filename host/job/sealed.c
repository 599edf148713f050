#include "host/job/sealed.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

static orr_status unlock(orr_sealed *sealed, orr_error *error) {
    orr_container *c = &sealed->container;
    orr_seal *seal = &sealed->seal;
    orr_status status = orr_container_unlock(c, orr_keyring_lookup, (void *)sealed->keyring,
                                             sealed->name, &seal->secret, &seal->keys, error);
    seal->geometry = c->geometry;
    return status == ORR_OK ? orr_cipher_init(&seal->cipher, c->header.rule, c->header.k2, error)
                            : status;
}

// Are there tags too many for what it may take? They are held sealed, and out of the seal.
static orr_status check_tags(const orr_sealed *sealed, orr_error *error) {
    const orr_header *header = &sealed->container.header;
    if (header->profile != ORR_PROFILE_PAPER || 2 * header->metadata_length <= sealed->means.memory)
        return ORR_OK;
    return orr_fail(error, ORR_UNSUPPORTED,
                    "%s: its tags need %llu MiB of memory; --mem divided by -j gives %llu MiB: "
                    "raise --mem, or lower -j",
                    sealed->name, (unsigned long long)(2 * header->metadata_length >> 20) + 1,
                    (unsigned long long)(sealed->means.memory >> 20));
}

// With all checks, of bytes as they are stored.
static orr_status open_strictly(orr_sealed *sealed, orr_metadata *metadata, orr_error *error) {
    orr_container *c = &sealed->container;
    orr_status status = orr_container_read(c, sealed->fd, sealed->bytes, sealed->name, error);
    if (status == ORR_OK) status = unlock(sealed, error);
    if (status == ORR_OK) status = check_tags(sealed, error);
    if (status == ORR_OK)
        status = orr_container_metadata(c, sealed->fd, &sealed->seal.keys, sealed->name, metadata,
                                        error);
    return status;
}

// The head, from either copy of page 0 and any slot, whatever the file's length.
static orr_status open_head(orr_sealed *sealed, orr_error *error) {
    const uint64_t second = sealed->bytes < 2 * ORR_PAGE ? 0 : sealed->bytes - ORR_PAGE;
    orr_container *c = &sealed->container;
    orr_error inner = {0};
    orr_status status = orr_container_read_damaged(c, sealed->fd, 0, sealed->name, error);
    if (status == ORR_OK) status = unlock(sealed, error);
    // The other head has the same slots.
    if (status == ORR_OK || (status == ORR_KEY && c->header.groups) || !second) return status;
    orr_status other = orr_container_read_damaged(c, sealed->fd, second, sealed->name, &inner);
    if (c->header.groups && c->header.file_length > sealed->bytes && status == ORR_NOT_ORRERY)
        return orr_fail(error, ORR_AUTH,
                        "%s: its beginning was cut off: it has %llu bytes, its header at the end "
                        "says %llu; restore a copy",
                        sealed->name, (unsigned long long)sealed->bytes,
                        (unsigned long long)c->header.file_length);
    if (other == ORR_OK && c->header.groups) other = unlock(sealed, &inner);
    // No key for what can be read of it is the answer, whatever the rest is.
    if ((other != ORR_OK && other != ORR_KEY) || !c->header.groups) return status;
    if (error) *error = inner;
    return other;
}

orr_status orr_sealed_heal(orr_sealed *sealed, orr_error *error) {
    static pthread_mutex_t opening = PTHREAD_MUTEX_INITIALIZER;
    const orr_header *header = &sealed->container.header;
    if (!header->groups)
        return orr_fail(error, ORR_UNSUPPORTED, "%s: has no repair data", sealed->name);
    pthread_mutex_lock(&opening);
    orr_status status = sealed->healer
                            ? ORR_OK
                            : orr_healer_open(&sealed->healer, header, sealed->fd, sealed->bytes,
                                              sealed->name, sealed->means.stop, error);
    pthread_mutex_unlock(&opening);
    return status;
}

// Sealed metadata as stored (0), from the second copy (1), or corrected (2).
static orr_status read_metadata(orr_sealed *sealed, int way, orr_metadata *metadata,
                                orr_error *error) {
    const orr_header *header = &sealed->container.header;
    size_t length = (size_t)header->metadata_length;
    uint8_t *bytes = malloc(length);
    if (!bytes) return orr_fail(error, ORR_INTERNAL, "%s: out of memory", sealed->name);
    orr_status status = way < 2 ? orr_pread_all(sealed->fd, bytes, length,
                                                way ? orr_second_metadata_offset(header)
                                                    : orr_metadata_offset(header),
                                                sealed->name, error)
                                : orr_healer_read_bytes(sealed->healer, orr_metadata_offset(header),
                                                        length, bytes, error);
    if (status == ORR_OK) // takes them over
        return orr_metadata_open(header, &sealed->seal.keys, bytes, sealed->name, metadata, error);
    free(bytes);
    return status;
}

// What strict opening has refused, from second copies and repair data.
static orr_status open_past_damage(orr_sealed *sealed, orr_metadata *metadata, orr_error *error) {
    orr_status status = open_head(sealed, error);
    if (status == ORR_OK) status = check_tags(sealed, error);
    if (status == ORR_OK) status = orr_sealed_heal(sealed, error);
    if (status != ORR_OK) return status;
    status = ORR_AUTH;
    for (int way = 0; way < 3 && (status == ORR_AUTH || status == ORR_IO); way++)
        status = read_metadata(sealed, way, metadata, error);
    return status;
}

orr_status orr_sealed_open(orr_sealed *sealed, uint64_t bytes, orr_metadata **metadata,
                           orr_error *error) {
    orr_error inner = {0};
    orr_metadata *m = calloc(1, sizeof *m);
    if (!m) return orr_fail(error, ORR_INTERNAL, "%s: out of memory", sealed->name);
    sealed->bytes = bytes;
    orr_status status = open_strictly(sealed, m, error);
    int damaged = status == ORR_AUTH || status == ORR_NOT_ORRERY || status == ORR_UNSUPPORTED ||
                  status == ORR_IO;
    orr_status past = damaged ? open_past_damage(sealed, m, &inner) : status;
    if (damaged && past == ORR_OK) {
        status = ORR_OK;
        atomic_store(&sealed->damaged, 1);
        if (error) *error = (orr_error){0};
    } else if (damaged && (past == ORR_KEY || (past == ORR_AUTH && status == ORR_NOT_ORRERY)) &&
               sealed->container.header.groups) {
        status = past;
        if (error) *error = inner;
    }
    if (status == ORR_OK)
        *metadata = m;
    else
        free(m);
    return status;
}

orr_status orr_sealed_open_damaged(orr_sealed *sealed, uint64_t bytes, orr_error *error) {
    const orr_container *c = &sealed->container;
    sealed->bytes = bytes;
    orr_status status = open_head(sealed, error);
    if (status == ORR_OK && c->header.groups) (void)orr_sealed_heal(sealed, NULL);
    if (status == ORR_OK && c->header.profile != ORR_PROFILE_ARCHIVE)
        return orr_fail(error, ORR_UNSUPPORTED,
                        "the paper profile has no tiles to salvage; --unauthenticated "
                        "writes altered pixels");
    return status;
}

int orr_sealed_damaged_slot(const orr_sealed *sealed) {
    const orr_container *c = &sealed->container;
    for (int i = 0; i < c->slots; i++)
        if (!c->slot_good[i] || c->slot_wrong[i]) return i;
    return -1;
}

int orr_sealed_unlike_slot(const orr_sealed *sealed) {
    const orr_container *c = &sealed->container;
    const orr_slot *active = &c->slot[c->active];
    for (int i = 0; i < c->slots; i++)
        if (c->slot_good[i] && !c->slot_wrong[i] &&
            memcmp(c->slot[i].bytes, active->bytes, active->size))
            return i;
    return -1;
}

void orr_sealed_close(orr_sealed *sealed) {
    orr_healer_close(sealed->healer);
    sealed->healer = NULL;
    orr_container_free(&sealed->container);
    orr_wipe(&sealed->seal, sizeof sealed->seal);
}
