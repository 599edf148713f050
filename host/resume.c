#include "host/resume.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <xxhash.h>

#include "host/text.h"

typedef struct entry {
    XXH128_hash_t path;
    uint64_t size;
    int64_t seconds;
    uint32_t nanoseconds;
    orr_profile profile;
    uint8_t key_id[ORR_KEY_ID_BYTES];
    uint8_t file_id[32];
    int used;
} entry;

struct orr_resume_map {
    entry *entries; // open addressing
    size_t room, count;
};

static entry *slot_for(entry *entries, size_t room, XXH128_hash_t path) {
    size_t i = (size_t)path.low64 & (room - 1);
    while (entries[i].used && !XXH128_isEqual(entries[i].path, path)) i = (i + 1) & (room - 1);
    return &entries[i];
}

static int insert(orr_resume_map *map, const entry *new_entry) {
    if (2 * (map->count + 1) > map->room) {
        size_t room = map->room ? map->room * 2 : 1024;
        entry *grown = calloc(room, sizeof *grown);
        if (!grown) return 0;
        for (size_t i = 0; i < map->room; i++)
            if (map->entries[i].used)
                *slot_for(grown, room, map->entries[i].path) = map->entries[i];
        free(map->entries);
        map->entries = grown;
        map->room = room;
    }
    entry *e = slot_for(map->entries, map->room, new_entry->path);
    if (!e->used) map->count++;
    *e = *new_entry;
    e->used = 1;
    return 1;
}

// Reads one output's sealed metadata. Returns 0 when it is not readable with the keys at hand.
static int read_entry(int fd, const char *name, orr_master_lookup lookup, void *context, entry *e) {
    struct stat st;
    orr_container *container = malloc(sizeof *container);
    orr_metadata *metadata = calloc(1, sizeof *metadata);
    orr_file_secret secret;
    orr_file_keys keys;
    int found = 0;
    if (container && metadata && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) &&
        orr_container_read(container, fd, (uint64_t)st.st_size, name, NULL) == ORR_OK &&
        orr_container_unlock(container, lookup, context, name, &secret, &keys, NULL) == ORR_OK) {
        if (orr_container_metadata(container, fd, &keys, name, metadata, NULL) == ORR_OK) {
            *e = (entry){.path = XXH3_128bits(metadata->path, metadata->path_length),
                         .size = metadata->size,
                         .seconds = metadata->mtime_seconds,
                         .nanoseconds = metadata->mtime_nanoseconds,
                         .profile = container->header.profile};
            memcpy(e->key_id, container->slot[container->active].wrap[0].key_id, sizeof e->key_id);
            memcpy(e->file_id, container->header.file_id, sizeof e->file_id);
            found = 1;
        }
        orr_wipe(&secret, sizeof secret);
        orr_wipe(&keys, sizeof keys);
    }
    if (metadata) orr_metadata_free(metadata);
    free(metadata);
    free(container);
    return found;
}

static int ends_with(const char *text, const char *end) {
    size_t n = strlen(text), m = strlen(end);
    return n >= m && !strcmp(text + n - m, end);
}

orr_resume_map *orr_resume_scan(int directory, orr_master_lookup lookup, void *context) {
    orr_resume_map *map = calloc(1, sizeof *map);
    int copy = openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *listing = copy >= 0 ? fdopendir(copy) : NULL;
    struct dirent *d;
    if (!listing && copy >= 0) close(copy);
    while (map && listing && (d = readdir(listing))) {
        entry e;
        if (!ends_with(d->d_name, ORR_SUFFIX)) continue;
        int fd = openat(directory, d->d_name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
        if (fd < 0) continue;
        int ok = !read_entry(fd, d->d_name, lookup, context, &e) || insert(map, &e);
        close(fd);
        if (!ok) {
            orr_resume_free(map);
            map = NULL;
        }
    }
    if (listing) closedir(listing);
    return map;
}

int orr_resume_find(const orr_resume_map *map, const orr_metadata *expected,
                    const uint8_t key_id[ORR_KEY_ID_BYTES], orr_profile profile, int *finished,
                    char **name) {
    if (!map->room) return 0;
    const entry *e =
        slot_for(map->entries, map->room, XXH3_128bits(expected->path, expected->path_length));
    if (!e->used) return 0;
    *finished = e->size == expected->size && e->seconds == expected->mtime_seconds &&
                e->nanoseconds == expected->mtime_nanoseconds && e->profile == profile &&
                !memcmp(e->key_id, key_id, ORR_KEY_ID_BYTES);
    *name = malloc(2 * sizeof e->file_id + sizeof ORR_SUFFIX);
    if (*name) {
        orr_hex(e->file_id, sizeof e->file_id, *name);
        memcpy(*name + 2 * sizeof e->file_id, ORR_SUFFIX, sizeof ORR_SUFFIX);
    }
    return 1;
}

void orr_resume_free(orr_resume_map *map) {
    if (!map) return;
    free(map->entries);
    free(map);
}
