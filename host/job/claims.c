#include "host/job/claims.h"

#include <stdlib.h>
#include <string.h>

#include <xxhash.h>

typedef struct orr_claim_entry {
    XXH128_hash_t path;
    uint64_t identity;
    int64_t seconds;
    uint32_t nanoseconds;
    uint8_t known_origin, used, marked;
    char *name; // owned, or NULL
} claim_entry;

static claim_entry *slot_for(claim_entry *entries, size_t room, XXH128_hash_t path) {
    size_t i = (size_t)path.low64 & (room - 1);
    while (entries[i].used && !XXH128_isEqual(entries[i].path, path)) i = (i + 1) & (room - 1);
    return &entries[i];
}

static int grow(orr_claims *claims) {
    size_t room = claims->room ? claims->room * 2 : 256;
    claim_entry *grown = calloc(room, sizeof *grown);
    if (!grown) return 0;
    for (size_t i = 0; i < claims->room; i++)
        if (claims->entries[i].used)
            *slot_for(grown, room, claims->entries[i].path) = claims->entries[i];
    free(claims->entries);
    claims->entries = grown;
    claims->room = room;
    return 1;
}

int orr_rank_compare(orr_rank a, orr_rank b) {
    if (a.known_origin != b.known_origin) return a.known_origin ? 1 : -1;
    if (a.seconds != b.seconds) return a.seconds > b.seconds ? 1 : -1;
    return (a.nanoseconds > b.nanoseconds) - (a.nanoseconds < b.nanoseconds);
}

static void set_owner(claim_entry *entry, uint64_t who, orr_rank rank) {
    entry->identity = who;
    entry->seconds = rank.seconds;
    entry->nanoseconds = rank.nanoseconds;
    entry->known_origin = rank.known_origin != 0;
}

orr_claim_result orr_claim_latest(orr_claims *claims, const void *path, size_t path_bytes,
                                  const void *identity, size_t identity_bytes, orr_rank rank) {
    // At most two thirds full, so that searching stays short.
    if (3 * (claims->count + 1) > 2 * claims->room && !grow(claims)) return ORR_CLAIM_MEMORY;
    XXH128_hash_t hash = XXH3_128bits(path, path_bytes);
    uint64_t who = XXH3_64bits(identity, identity_bytes);
    claim_entry *entry = slot_for(claims->entries, claims->room, hash);
    if (entry->used) {
        if (entry->identity == who) return ORR_CLAIM_SAME;
        const orr_rank had = {entry->known_origin, entry->seconds, entry->nanoseconds};
        int order = orr_rank_compare(rank, had), origin = rank.known_origin != had.known_origin;
        if (order == 0) return ORR_CLAIM_TAKEN;
        if (order < 0) return origin ? ORR_CLAIM_UNKNOWN : ORR_CLAIM_OLDER;
        set_owner(entry, who, rank);
        return origin ? ORR_CLAIM_KNOWN : ORR_CLAIM_NEWER;
    }
    *entry = (claim_entry){.path = hash, .used = 1};
    set_owner(entry, who, rank);
    claims->count++;
    return ORR_CLAIM_NEW;
}

orr_claim_result orr_claim(orr_claims *claims, const void *path, size_t path_bytes,
                           const void *identity, size_t identity_bytes) {
    return orr_claim_latest(claims, path, path_bytes, identity, identity_bytes, (orr_rank){0});
}

static claim_entry *find(const orr_claims *claims, const void *path, size_t path_bytes) {
    if (!claims->room) return NULL;
    claim_entry *entry = slot_for(claims->entries, claims->room, XXH3_128bits(path, path_bytes));
    return entry->used ? entry : NULL;
}

int orr_claim_set_name(orr_claims *claims, const void *path, size_t path_bytes, const char *name) {
    claim_entry *entry = find(claims, path, path_bytes);
    if (!entry) return 1;
    free(entry->name);
    entry->name = name ? strdup(name) : NULL;
    return entry->name || !name;
}

const char *orr_claim_name(const orr_claims *claims, const void *path, size_t path_bytes) {
    const claim_entry *entry = find(claims, path, path_bytes);
    return entry ? entry->name : NULL;
}

void orr_claim_mark(orr_claims *claims, const void *path, size_t path_bytes) {
    claim_entry *entry = find(claims, path, path_bytes);
    if (entry) entry->marked = 1;
}

int orr_claim_is_marked(const orr_claims *claims, const void *path, size_t path_bytes) {
    const claim_entry *entry = find(claims, path, path_bytes);
    return entry && entry->marked;
}

void orr_claims_free(orr_claims *claims) {
    for (size_t i = 0; i < claims->room; i++) free(claims->entries[i].name);
    free(claims->entries);
    *claims = (orr_claims){0};
}
