#include "host/job/state.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/directory.h"
#include "base/flush.h"
#include "base/fresh.h"
#include "base/group_flush.h"
#include "base/io.h"
#include "base/text.h"
#include "host/container/crypto.h"

#define NAME ".orrery-state"
#define SHARD_LEAD NAME "-"
#define HEAD "ORRERY STATE 1\n"   // with its zero byte 16 bytes
#define MAX_RECORDS (16ull << 20) // of one file; above, it is taken for a foreign one
#define LABEL "orrery v1 identity of a plain file"

struct orr_state {
    pthread_mutex_t lock;
    orr_identity *entries; // open addressing by the file ID, which is random; all zero: free
    size_t room, count;
    uint64_t outdated; // records in this job's file that a later one replaced
    orr_group_flush *flushes;
    int directory, fd; // fd -1: not opened for writing
    int lost;          // this job's file is there and cannot be used
    int found;         // this job's file was there
    int flushed;       // its name is on the storage
    int error;         // why they are not any more
    int writes;        // records are kept: the file is opened, or made, for the first of them
    char name[48];
};

void orr_identity_fields(const struct stat *st, int inodes, uint8_t text[ORR_IDENTITY_FIELDS]) {
    const uint64_t fields[6] = {(uint64_t)st->st_size,         (uint64_t)st->st_mtim.tv_sec,
                                (uint64_t)st->st_mtim.tv_nsec, (uint64_t)st->st_ctim.tv_sec,
                                (uint64_t)st->st_ctim.tv_nsec, inodes ? st->st_ino : 0};
    for (int i = 0; i < 6; i++) {
        orr_store_be32(text + 8 * i, (uint32_t)(fields[i] >> 32));
        orr_store_be32(text + 8 * i + 4, (uint32_t)fields[i]);
    }
}

orr_status orr_identity_make(const orr_file_secret *secret, const uint8_t file_id[32],
                             const struct stat *st, int inodes, orr_identity *identity) {
    uint8_t key[32], mac[32], text[ORR_IDENTITY_FIELDS];
    orr_identity_fields(st, inodes, text);
    orr_status status = orr_hmac_sha256(secret->seal_root, LABEL, sizeof LABEL - 1, key);
    if (status == ORR_OK) status = orr_hmac_sha256(key, text, sizeof text, mac);
    memcpy(identity->bytes, file_id, 16);
    memcpy(identity->bytes + 16, mac, 16);
    orr_wipe(key, sizeof key);
    return status;
}

int orr_state_is_name(const char *name) {
    unsigned shard, shards;
    return !strcmp(name, NAME) || orr_part_parse(name, SHARD_LEAD, &shard, &shards);
}

static orr_identity *slot_for(orr_identity *entries, size_t room, const orr_identity *wanted) {
    size_t i = (size_t)orr_load_le64(wanted->bytes) & (room - 1);
    while (!orr_all_zero(entries[i].bytes, 16) && memcmp(entries[i].bytes, wanted->bytes, 16))
        i = (i + 1) & (room - 1);
    return &entries[i];
}

// Returns 0 when memory ran out: then the record is as good as lost. *replaced: another one of this
// file ID was there.
static int insert(orr_state *state, const orr_identity *identity, int *replaced) {
    *replaced = 0;
    if (orr_all_zero(identity->bytes, 16)) return 1; // what a power cut leaves of a record
    if (4 * (state->count + 1) > 3 * state->room) {
        size_t room = state->room ? state->room * 2 : 1024;
        orr_identity *grown = calloc(room, sizeof *grown);
        if (!grown) return 0;
        for (size_t i = 0; i < state->room; i++)
            if (!orr_all_zero(state->entries[i].bytes, 16))
                *slot_for(grown, room, &state->entries[i]) = state->entries[i];
        free(state->entries);
        state->entries = grown;
        state->room = room;
    }
    orr_identity *entry = slot_for(state->entries, state->room, identity);
    *replaced = !orr_all_zero(entry->bytes, 16);
    state->count += !*replaced;
    *entry = *identity;
    return 1;
}

// Has a power cut left nothing of it but its mark, or the beginning of its head?
static int is_torn(const struct stat *st, const char *head, size_t got) {
    return st->st_size == 0 ||
           ((st->st_mode & ORR_PARTIAL_MARK) &&
            (got < sizeof HEAD || orr_all_zero((const uint8_t *)head, sizeof HEAD)));
}

// Reads a state into memory. Returns its length, 0 when it has to begin anew, -1 when it is none of
// ours.
static off_t load(orr_state *state, int fd) {
    struct stat st;
    orr_identity part[128];
    char head[sizeof HEAD];
    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode) ||
        st.st_size > (off_t)(sizeof head + MAX_RECORDS * sizeof *part))
        return -1;
    size_t head_got = orr_pread_in_full(fd, head, sizeof head, 0);
    if (is_torn(&st, head, head_got)) return 0;
    if (head_got != sizeof head || memcmp(head, HEAD, sizeof head)) return -1;
    for (off_t at = sizeof head; at < st.st_size;) {
        size_t records = orr_pread_in_full(fd, part, sizeof part, (uint64_t)at) / sizeof *part;
        for (size_t i = 0; i < records; i++) {
            int replaced;
            if (!insert(state, &part[i], &replaced)) return -1;
            state->outdated += (uint64_t)replaced;
        }
        if (!records) break; // the end, or a torn record
        at += (off_t)(records * sizeof *part);
    }
    return st.st_size;
}

// Those of other jobs; this one's is read last.
static void load_others(orr_state *state) {
    DIR *listing = orr_directory_list(state->directory);
    struct dirent *d;
    while (listing && (d = readdir(listing))) {
        if (!orr_state_is_name(d->d_name) || !strcmp(d->d_name, state->name)) continue;
        int fd =
            openat(state->directory, d->d_name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
        if (fd < 0) continue;
        load(state, fd);
        close(fd);
    }
    if (listing) closedir(listing);
    state->outdated = 0;
}

static int write_whole(int fd, const void *bytes, size_t count) {
    return orr_write_in_full(fd, bytes, count) == count;
}

orr_state *orr_state_open(int directory, unsigned shard, unsigned shards, int write) {
    orr_state *state = calloc(1, sizeof *state);
    if (!state) return NULL;
    pthread_mutex_init(&state->lock, NULL);
    state->flushes = orr_group_flush_new();
    state->fd = state->directory = -1;
    if (!state->flushes) {
        orr_state_close(state);
        return NULL;
    }
    state->directory = fcntl(directory, F_DUPFD_CLOEXEC, 0);
    if (shards)
        snprintf(state->name, sizeof state->name, SHARD_LEAD "%u-of-%u", shard, shards);
    else
        memcpy(state->name, NAME, sizeof NAME);
    if (state->directory < 0) return state;
    load_others(state);
    int fd = openat(state->directory, state->name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    state->found = fd >= 0;
    int missing = fd < 0 && errno == ENOENT;
    int good = fd >= 0 && load(state, fd) >= 0;
    state->lost = !missing && !good;
    state->writes = write && !state->lost;
    if (fd >= 0) close(fd);
    return state;
}

const char *orr_state_lost(const orr_state *state) {
    return state->lost ? state->name : NULL;
}

// Opens this job's file, which was empty, absent or ours when the job began, to add to it.
static int open_to_write(orr_state *state) {
    static const uint8_t zeros[ORR_IDENTITY_BYTES];
    struct stat st;
    const int flags = O_RDWR | O_CREAT | O_APPEND | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC;
    int fd = openat(state->directory, state->name, flags, 0600 | ORR_PARTIAL_MARK);
    if (fd < 0 && errno != ENOSPC) fd = openat(state->directory, state->name, flags, 0600);
    if (fd < 0) return 0;
    char head[sizeof HEAD];
    int whole = fstat(fd, &st) == 0 && S_ISREG(st.st_mode);
    if (whole && is_torn(&st, head, orr_pread_in_full(fd, head, sizeof head, 0))) {
        whole = ftruncate(fd, 0) == 0 && write_whole(fd, HEAD, sizeof HEAD);
        st.st_size = sizeof HEAD;
    }
    size_t torn = whole && st.st_size > (off_t)sizeof HEAD
                      ? (size_t)(st.st_size - (off_t)sizeof HEAD) % sizeof zeros
                      : 0;
    if (torn) whole = write_whole(fd, zeros, sizeof zeros - torn);
    if (whole) state->fd = fd;
    if (!whole) close(fd);
    return whole;
}

static int knows(const orr_state *state, const orr_identity *identity) {
    if (!state->room) return 0;
    const orr_identity *entry = slot_for(state->entries, state->room, identity);
    return !memcmp(entry, identity, sizeof *entry);
}

int orr_state_knows(orr_state *state, const orr_identity *identity) {
    if (!state) return 0;
    pthread_mutex_lock(&state->lock);
    int known = knows(state, identity);
    pthread_mutex_unlock(&state->lock);
    return known;
}

int orr_state_find(orr_state *state, orr_identity *identity) {
    int found = 0;
    if (!state) return 0;
    pthread_mutex_lock(&state->lock);
    if (state->room) {
        const orr_identity *entry = slot_for(state->entries, state->room, identity);
        found = !orr_all_zero(entry->bytes, 16);
        if (found) *identity = *entry;
    }
    pthread_mutex_unlock(&state->lock);
    return found;
}

int orr_state_record(orr_state *state, const orr_identity *identity) {
    int replaced, kept = 1;
    if (!state) return 0;
    pthread_mutex_lock(&state->lock);
    if (!knows(state, identity)) {
        int tried = state->writes;
        errno = 0;
        kept = tried && (state->fd >= 0 || open_to_write(state)) &&
               write_whole(state->fd, identity, sizeof *identity);
        if (tried && !kept) state->error = errno ? errno : EIO;
        if (kept && insert(state, identity, &replaced)) state->outdated += (uint64_t)replaced;
        // One that cannot be had is asked for once; a short write would put all later records out
        // of step.
        state->writes = kept;
    }
    int number = state->error;
    pthread_mutex_unlock(&state->lock);
    if (!kept) errno = number;
    return kept;
}

int orr_state_flush(orr_state *state) {
    pthread_mutex_lock(&state->lock);
    int fd = state->fd, named = state->flushed;
    pthread_mutex_unlock(&state->lock);
    if (fd < 0) return 0; // nothing was recorded
    if (!named && orr_group_fsync(state->flushes, state->directory) < 0) return -1;
    pthread_mutex_lock(&state->lock);
    state->flushed = 1;
    pthread_mutex_unlock(&state->lock);
    return orr_flush_note(orr_group_fsync(state->flushes, fd)) < 0 ? -1 : 0;
}

// Writes what counts under a name of its own, then puts it in the old one's place.
static void write_anew(const orr_state *state) {
    orr_fresh fresh;
    int whole = orr_fresh_begin_at(&fresh, state->directory, state->name) == 0 &&
                write_whole(fresh.fd, HEAD, sizeof HEAD);
    for (size_t i = 0; whole && i < state->room; i++)
        if (!orr_all_zero(state->entries[i].bytes, 16))
            whole = write_whole(fresh.fd, &state->entries[i], sizeof *state->entries);
    if (whole && orr_fresh_flush(&fresh) == 0 &&
        orr_is_same_file(state->directory, state->name, state->fd))
        (void)orr_fresh_name(&fresh, 1); // it keeps its mark
    orr_fresh_end(&fresh);
}

void orr_state_remove(orr_state *state) {
    if (!state) return;
    pthread_mutex_lock(&state->lock);
    // One that an earlier run left, with nothing added by this one, is opened only to know it
    // again.
    if (state->fd < 0 && state->found && state->writes) open_to_write(state);
    if (state->fd >= 0) {
        if (orr_is_same_file(state->directory, state->name, state->fd) &&
            unlinkat(state->directory, state->name, 0) == 0)
            (void)orr_fsync(state->directory); // or it may be back after a power cut
        close(state->fd);
        state->fd = -1;
    }
    state->writes = 0;
    pthread_mutex_unlock(&state->lock);
}

void orr_state_close(orr_state *state) {
    if (!state) return;
    if (state->fd >= 0 && state->outdated > state->count + 1024) write_anew(state);
    if (state->fd >= 0) close(state->fd);
    if (state->directory >= 0) close(state->directory);
    free(state->entries);
    orr_group_flush_free(state->flushes);
    pthread_mutex_destroy(&state->lock);
    free(state);
}
