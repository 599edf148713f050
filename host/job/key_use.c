#include "host/job/key_use.h"

#include <string.h>
#include <unistd.h>

#include "base/partial.h"
#include "base/walk.h"

// Does another key of the keyring open what this wrap wraps?
static int opens_otherwise(const orr_keyring *keyring, const orr_wrap *wrap,
                           const uint8_t id[ORR_KEY_ID_BYTES]) {
    if (!memcmp(wrap->key_id, id, ORR_KEY_ID_BYTES)) return 0;
    if (wrap->type != ORR_WRAP_MASTER && wrap->type != ORR_WRAP_RECIPIENT) return 0;
    for (size_t i = 0; i < keyring->key_count; i++)
        if (keyring->keys[i].state != ORR_KEY_DESTROYED &&
            !memcmp(keyring->keys[i].id, wrap->key_id, ORR_KEY_ID_BYTES))
            return 1;
    return 0;
}

static int needs(const orr_container *container, const orr_keyring *keyring,
                 const uint8_t id[ORR_KEY_ID_BYTES]) {
    orr_wrap wrap;
    int is_there = 0;
    for (size_t at = 0; orr_slot_next(&container->slot[container->active], &at, &wrap);) {
        if (opens_otherwise(keyring, &wrap, id)) return 0;
        is_there |= !memcmp(wrap.key_id, id, ORR_KEY_ID_BYTES);
    }
    return is_there;
}

// From the front; of a file with repair data also past damage, from either copy of page 0.
static orr_status read_file(orr_container *container, int fd, uint64_t bytes, const char *name) {
    const uint64_t pages[2] = {0, bytes < 2 * ORR_PAGE ? 0 : bytes - ORR_PAGE};
    orr_error ignored;
    orr_status status = orr_container_read(container, fd, bytes, name, &ignored);
    for (int i = 0; i < 2 && status != ORR_OK; i++)
        if (orr_container_read_damaged(container, fd, pages[i], name, &ignored) == ORR_OK &&
            container->header.groups)
            status = ORR_OK;
    return status;
}

static int has_suffix(const char *name) {
    const size_t length = strlen(name), suffix = strlen(ORR_SUFFIX);
    return length > suffix && !strcmp(name + length - suffix, ORR_SUFFIX);
}

// Of a file that its job has not finished nothing is lost with a key: its source is there.
static int is_left(const orr_walk_item *item) {
    const char *slash = strrchr(item->source, '/');
    return orr_partial_is_left(slash ? slash + 1 : item->source, &item->st);
}

static void look(const orr_walk_item *item, const orr_keyring *keyring,
                 const uint8_t id[ORR_KEY_ID_BYTES], orr_key_use *use) {
    orr_container container = {.slots = 0};
    if (item->kind == ORR_WALK_ERROR) use->unread++;
    if (item->kind != ORR_WALK_FILE || is_left(item)) return;
    if (!orr_has_magic(item->fd) && !has_suffix(item->source)) return;
    orr_status status = read_file(&container, item->fd, (uint64_t)item->st.st_size, item->source);
    use->files++;
    if (status != ORR_OK)
        use->unread++;
    else
        use->need += needs(&container, keyring, id);
    orr_container_free(&container);
}

orr_status orr_key_use_count(const char *directory, const orr_keyring *keyring,
                             const uint8_t id[ORR_KEY_ID_BYTES], orr_stop_flag *stop,
                             orr_key_use *use, orr_error *error) {
    char *paths[1] = {(char *)(uintptr_t)directory}; // only read
    const orr_inputs inputs = {.paths = paths, .count = 1};
    orr_walk_item item;
    memset(use, 0, sizeof *use);
    if (access(directory, F_OK) != 0)
        return orr_fail(error, ORR_KEY, "%s: there is no such directory; nothing was changed",
                        directory);
    orr_walk *walk = orr_walk_open(&inputs, 0, 0, 1);
    if (!walk) return orr_fail(error, ORR_INTERNAL, "memory ran out");
    while (!orr_stopped(stop) && orr_walk_next(walk, &item)) {
        look(&item, keyring, id, use);
        orr_walk_item_free(&item);
    }
    orr_walk_close(walk);
    if (orr_stopped(stop)) return orr_fail(error, ORR_STOPPED, "stopped by a signal");
    if (use->files || use->unread) return ORR_OK;
    return orr_fail(error, ORR_NOT_ORRERY,
                    "%s: holds no encrypted file: is its disk mounted? Nothing was changed",
                    directory);
}
