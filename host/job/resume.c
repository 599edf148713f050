#include "host/job/resume.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <xxhash.h>

#include "base/directory.h"
#include "base/text.h"
#include "host/job/claims.h"

typedef struct entry {
    XXH128_hash_t path;
    orr_rank rank;
    uint8_t file_id[32];
    char *name; // NULL: the opaque one, which follows from the ID
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
    // Of copies of one path that of the highest rank counts, or the one with the opaque name.
    int order = e->used ? orr_rank_compare(e->rank, new_entry->rank) : -1;
    if (order > 0 || (order == 0 && !e->name)) {
        free(new_entry->name);
        return 1;
    }
    if (!e->used) map->count++;
    free(e->name);
    *e = *new_entry;
    e->used = 1;
    return 1;
}

// Reads one output's sealed metadata. *found is 0 when it is none that these keys open.
static orr_status read_entry(int fd, const char *name, orr_master_lookup lookup, void *context,
                             entry *e, int *found, orr_error *error) {
    struct stat st;
    orr_container *container = calloc(1, sizeof *container);
    orr_metadata *metadata = calloc(1, sizeof *metadata);
    orr_file_secret secret = {0};
    orr_file_keys keys = {0};
    orr_status status = ORR_OK;
    *found = 0;
    if (!container || !metadata)
        status = orr_fail(error, ORR_INTERNAL, "%s: out of memory", name);
    else if (fstat(fd, &st) != 0)
        status = orr_fail(error, ORR_IO, "%s: %s", name, strerror(errno));
    if (status != ORR_OK || !S_ISREG(st.st_mode)) goto end;
    status = orr_container_read(container, fd, (uint64_t)st.st_size, name, error);
    if (status == ORR_OK)
        status = orr_container_unlock(container, lookup, context, name, &secret, &keys, error);
    if (status == ORR_OK)
        status = orr_container_metadata(container, fd, &keys, name, metadata, error);
    if (status == ORR_OK) {
        *e = (entry){.path = XXH3_128bits(metadata->path, metadata->path_length),
                     .rank = {container->known_origin, metadata->written_seconds,
                              metadata->written_nanoseconds}};
        memcpy(e->file_id, container->header.file_id, sizeof e->file_id);
        char id[65];
        orr_hex(e->file_id, sizeof e->file_id, id);
        if ((strncmp(name, id, 64) || strcmp(name + 64, ORR_SUFFIX)) && !(e->name = strdup(name)))
            status = orr_fail(error, ORR_INTERNAL, "%s: out of memory", name);
        *found = 1;
    } else if (status != ORR_IO && status != ORR_INTERNAL) {
        status = ORR_OK;
    }
    orr_wipe(&secret, sizeof secret);
    orr_wipe(&keys, sizeof keys);
end:
    if (metadata) orr_metadata_free(metadata);
    free(metadata);
    if (container) orr_container_free(container);
    free(container);
    return status;
}

static int ends_with(const char *text, const char *end) {
    size_t n = strlen(text), m = strlen(end);
    return n >= m && !strcmp(text + n - m, end);
}

static orr_status scan_one(orr_resume_map *map, int directory, const char *name, const char *shown,
                           orr_master_lookup lookup, void *context, orr_error *error) {
    entry e;
    int found = 0;
    int fd = openat(directory, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    // Gone since it was listed, a symlink, a socket or device: no output.
    if (fd < 0 && (errno == ENOENT || errno == ELOOP || errno == ENXIO)) return ORR_OK;
    orr_status status =
        fd < 0 ? orr_fail(error, ORR_IO,
                          "%s/%s: cannot be read (%s), so nobody can tell which source it holds: "
                          "check permissions, or move it away",
                          shown, name, strerror(errno))
               : read_entry(fd, name, lookup, context, &e, &found, error);
    if (status == ORR_OK && found && !insert(map, &e)) {
        free(e.name);
        status = orr_fail(error, ORR_INTERNAL, "out of memory reading %s", shown);
    }
    if (fd >= 0) close(fd);
    return status;
}

orr_status orr_resume_scan(orr_resume_map **map, int directory, const char *shown,
                           orr_master_lookup lookup, void *context, orr_error *error) {
    struct dirent *d = NULL;
    *map = calloc(1, sizeof **map);
    if (!*map) return orr_fail(error, ORR_INTERNAL, "out of memory reading %s", shown);
    DIR *listing = orr_directory_list(directory);
    int failed = listing ? 0 : errno;
    orr_status status = ORR_OK;
    while (listing && status == ORR_OK) {
        errno = 0;
        d = readdir(listing);
        if (!d) failed = errno;
        if (!d) break;
        if (ends_with(d->d_name, ORR_SUFFIX))
            status = scan_one(*map, directory, d->d_name, shown, lookup, context, error);
    }
    if (listing) closedir(listing);
    if (failed)
        status = orr_fail(error, ORR_IO, "%s: cannot read this output directory: %s", shown,
                          strerror(failed));
    if (status != ORR_OK) {
        orr_resume_free(*map);
        *map = NULL;
    }
    return status;
}

int orr_resume_find(const orr_resume_map *map, const orr_metadata *expected, char **name) {
    if (!map->room) return 0;
    const entry *e =
        slot_for(map->entries, map->room, XXH3_128bits(expected->path, expected->path_length));
    if (!e->used) return 0;
    if (e->name) {
        *name = strdup(e->name);
        return 1;
    }
    *name = malloc(2 * sizeof e->file_id + sizeof ORR_SUFFIX);
    if (*name) {
        orr_hex(e->file_id, sizeof e->file_id, *name);
        memcpy(*name + 2 * sizeof e->file_id, ORR_SUFFIX, sizeof ORR_SUFFIX);
    }
    return 1;
}

void orr_resume_free(orr_resume_map *map) {
    if (!map) return;
    for (size_t i = 0; i < map->room; i++) free(map->entries[i].name);
    free(map->entries);
    free(map);
}
