#include "host/job/sealed.h"

#include <stdlib.h>

#include "host/container/tile_read.h"

// Does this secret decipher the data? 1: yes, 0: no, -1: that cannot be told, -2: out of memory.
static int fits(const orr_sealed *sealed, const orr_file_secret *secret,
                const orr_metadata *metadata) {
    const orr_container *c = &sealed->container;
    orr_error error = {0};
    if (c->header.profile != ORR_PROFILE_PAPER)
        return orr_container_fits(sealed->fd, &c->geometry, secret, &sealed->seal.keys,
                                  &sealed->seal.cipher, c->header.length, sealed->name);
    orr_status status = orr_paper_decrypt(c, secret, metadata, &sealed->means, sealed->fd, -1,
                                          sealed->name, &error);
    return status == ORR_OK ? 1 : status == ORR_AUTH ? 0 : status == ORR_INTERNAL ? -2 : -1;
}

static orr_status fail_secret(const orr_sealed *sealed, orr_error *error) {
    return orr_fail(error, ORR_AUTH,
                    "%s: authenticates, but the secret in its wrap slots does not decipher it: a "
                    "hardware fault when it was written: restore a copy",
                    sealed->name);
}

orr_status orr_sealed_check_secret(const orr_sealed *sealed, orr_error *error) {
    if (sealed->container.header.profile == ORR_PROFILE_PAPER) return ORR_OK;
    switch (fits(sealed, &sealed->seal.secret, NULL)) {
    case 0:
        return fail_secret(sealed, error);
    case -2:
        return orr_fail(error, ORR_INTERNAL, "%s: out of memory", sealed->name);
    default: // a damaged file may be wrapped anew
        return ORR_OK;
    }
}

// Where the slots hold two secrets of one seal_root, takes the one that fits the data. ORR_AUTH
// when neither does.
static orr_status choose_secret(orr_sealed *sealed, const orr_metadata *metadata,
                                orr_error *error) {
    orr_container *c = &sealed->container;
    orr_file_secret secret;
    orr_file_keys keys;
    int spare = 1 - c->active, first, second = -1;
    if (!c->planets_differ || (first = fits(sealed, &sealed->seal.secret, metadata)) == 1)
        return ORR_OK;
    orr_status status = orr_container_open_slot(
        c, spare, orr_keyring_lookup, (void *)sealed->keyring, sealed->name, &secret, &keys, error);
    if (status == ORR_OK) second = fits(sealed, &secret, metadata);
    if (status == ORR_OK && second != 1 && orr_stopped(sealed->means.stop))
        status = orr_fail(error, ORR_STOPPED, "%s: stopped before it was finished", sealed->name);
    else if (status == ORR_OK && (first == -2 || second == -2))
        status = orr_fail(error, ORR_INTERNAL, "%s: out of memory", sealed->name);
    else if (status == ORR_OK && second != 1)
        status = first < 0 || second < 0
                     ? orr_fail(error, ORR_AUTH,
                                "%s: its wrap slots hold two secrets, and nothing else is whole or "
                                "small enough to tell which one is right: restore a copy",
                                sealed->name)
                     : fail_secret(sealed, error);
    if (status == ORR_OK) {
        sealed->seal.secret = secret;
        c->slot_wrong[c->active] = 1;
        c->slot_wrong[spare] = 0;
        c->active = spare;
    }
    orr_wipe(&secret, sizeof secret);
    orr_wipe(&keys, sizeof keys);
    return status;
}

static orr_status unlock(orr_sealed *sealed, orr_error *error) {
    orr_container *c = &sealed->container;
    orr_seal *seal = &sealed->seal;
    orr_status status = orr_container_unlock(c, orr_keyring_lookup, (void *)sealed->keyring,
                                             sealed->name, &seal->secret, &seal->keys, error);
    seal->geometry = c->geometry;
    return status == ORR_OK ? orr_cipher_init(&seal->cipher, c->header.rule, c->header.k2, error)
                            : status;
}

orr_status orr_sealed_open(orr_sealed *sealed, uint64_t bytes, orr_metadata **metadata,
                           orr_error *error) {
    orr_container *c = &sealed->container;
    orr_metadata *m = calloc(1, sizeof *m);
    orr_status status = m ? orr_container_read(c, sealed->fd, bytes, sealed->name, error)
                          : orr_fail(error, ORR_INTERNAL, "%s: out of memory", sealed->name);
    if (status == ORR_OK) status = unlock(sealed, error);
    if (status == ORR_OK && c->header.profile == ORR_PROFILE_PAPER &&
        2 * c->header.metadata_length > sealed->means.memory) // sealed, and what was in the seal
        status =
            orr_fail(error, ORR_UNSUPPORTED,
                     "%s: its tags need %llu MiB of memory; --mem divided by -j gives %llu MiB: "
                     "raise --mem, or lower -j",
                     sealed->name, (unsigned long long)(2 * c->header.metadata_length >> 20) + 1,
                     (unsigned long long)(sealed->means.memory >> 20));
    if (status == ORR_OK)
        status = orr_container_metadata(c, sealed->fd, &sealed->seal.keys, sealed->name, m, error);
    if (status != ORR_OK) {
        free(m);
        return status;
    }
    *metadata = m;
    return choose_secret(sealed, m, error);
}

orr_status orr_sealed_open_damaged(orr_sealed *sealed, orr_error *error) {
    orr_container *c = &sealed->container;
    orr_status status = orr_container_read_damaged(c, sealed->fd, sealed->name, error);
    if (status == ORR_OK && c->header.profile != ORR_PROFILE_ARCHIVE)
        status = orr_fail(error, ORR_UNSUPPORTED,
                          "the paper profile has no tiles to salvage; --unauthenticated "
                          "writes altered pixels");
    if (status == ORR_OK) status = unlock(sealed, error);
    return status == ORR_OK ? choose_secret(sealed, NULL, error) : status;
}

int orr_sealed_damaged_slot(const orr_sealed *sealed) {
    const orr_container *c = &sealed->container;
    for (int i = 0; i < 2; i++)
        if (!c->slot_good[i] || c->slot_wrong[i]) return i;
    return -1;
}
