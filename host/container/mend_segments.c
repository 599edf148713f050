// Archive profile: segments, tile by tile. A tile is right when it opens; whichever of the places
// that it can be read from it comes from, and its tag and salt.
#include "host/container/mend.h"

#include <stdlib.h>
#include <string.h>

#include "host/container/heal.h"

#define TILE_PAGES (ORR_TILE_BYTES / ORR_PAGE)
#define MIXED_PAGES 8u // in which two versions of a tile may differ for all mixtures to be tried

// Where bytes come from. The first that is right is taken: what is stored before all others.
enum { STORED, SOLVED, COPIED, SOURCES };

// How a segment is looked at: as it stands, or solved, with pages counted as damaged by their
// checksums; also those of the tile or head in work; also those of all that is not right.
typedef enum look_kind { AS_IT_STANDS, BY_CHECKSUMS, ONE_IN_DOUBT, ALL_IN_DOUBT } look_kind;

typedef struct segment {
    orr_mend *mend;
    orr_gcm *tile_gcm, *digest_gcm;
    uint8_t *window; // solved pages of tiles first .. first + count - 1 of the segment
    uint32_t window_tiles, first, count;
    uint8_t tile[SOURCES + 1][ORR_TILE_BYTES]; // the last: a mixture
    uint8_t plain[ORR_TILE_BYTES];
    // Of the segment in work.
    uint64_t number, at;
    uint32_t tiles;
    look_kind look;
    int have[SOURCES]; // heads; then tiles as they are read
    orr_segment_head head[SOURCES];
    orr_segment_nonces nonces[SOURCES];
    int salt; // whose salt is known to be right; -1: nobody's
    uint8_t tags[ORR_SEGMENT_TILES][ORR_GCM_TAG];
    int copied; // something of the head is the copy's
    int failed; // a seal could not be tried: memory ran out, which says nothing about it
} segment;

static uint64_t tile_number(const segment *s, uint32_t t) {
    return s->number * ORR_SEGMENT_TILES + t;
}

static size_t tile_bytes(const segment *s, uint32_t t) {
    return (size_t)orr_tile_rows(&s->mend->file.geometry, tile_number(s, t)) * ORR_TILE_ROW_BYTES;
}

static uint64_t pages_in(size_t bytes) {
    return (bytes + ORR_PAGE - 1) / ORR_PAGE;
}

// ---- reading

static orr_status read_solved(const segment *s, uint64_t offset, uint64_t pages, uint8_t *out,
                              orr_error *error) {
    orr_mend *mend = s->mend;
    if (s->look == ONE_IN_DOUBT) orr_mend_doubt(mend, offset, offset + pages * ORR_PAGE);
    if (s->look == ALL_IN_DOUBT) orr_mend_doubt(mend, 0, UINT64_MAX);
    orr_status status = orr_mend_solve(mend, offset, pages, out, NULL, error);
    orr_mend_doubt(mend, 0, 0);
    return status;
}

// Is it of use to ask the repair data? More damaged pages make no group solvable that is not: doubt
// helps where all was solved and did not open. Of a copy's pages some may be wanted with others.
static int is_solved(const segment *s, uint64_t offset, uint64_t pages) {
    const orr_mend *mend = s->mend;
    if (s->look == AS_IT_STANDS) return 0;
    if (s->look == BY_CHECKSUMS && mend->options.copy >= 0) return 1;
    return !orr_mend_is_hopeless(mend, offset, pages);
}

static orr_status read_heads(segment *s, orr_error *error) {
    const orr_mend *mend = s->mend;
    uint8_t bad;
    orr_status status = ORR_OK;
    s->have[STORED] = 1;
    orr_mend_read(mend, s->at, 1, (uint8_t *)&s->head[STORED], &bad);
    s->have[SOLVED] =
        mend->heads && mend->heads[s->number] != ORR_UNIT_RIGHT && is_solved(s, s->at, 1);
    if (s->have[SOLVED]) status = read_solved(s, s->at, 1, (uint8_t *)&s->head[SOLVED], error);
    s->have[COPIED] = mend->options.copy >= 0;
    if (s->have[COPIED])
        orr_read_stored(mend->options.copy, s->at, ORR_PAGE, (uint8_t *)&s->head[COPIED]);
    for (int i = 0; i < SOURCES && status == ORR_OK; i++)
        if (s->have[i] && orr_segment_nonces_derive(&mend->keys, s->number, s->head[i].salt,
                                                    &s->nonces[i]) != ORR_OK)
            status = orr_mend_no_memory(mend, error);
    return status;
}

// Solves a run of bad tiles from t on, as long as the window has room.
static orr_status solve_tiles(segment *s, uint32_t t, orr_error *error) {
    const orr_mend *mend = s->mend;
    const orr_geometry *g = &mend->file.geometry;
    uint64_t pages = 0;
    uint32_t most = s->look == ONE_IN_DOUBT ? 1 : s->window_tiles;
    for (s->first = t, s->count = 0; s->count < most && t + s->count < s->tiles; s->count++) {
        if (mend->tiles[tile_number(s, t + s->count)] == ORR_UNIT_RIGHT) break;
        pages += pages_in(tile_bytes(s, t + s->count));
    }
    return read_solved(s, orr_tile_offset(g, tile_number(s, t)), pages, s->window, error);
}

// Reads a version of tile t. What lies behind a short one is zero, whatever is there.
static orr_status read_tile(segment *s, uint32_t t, int source, orr_error *error) {
    const orr_mend *mend = s->mend;
    uint64_t at = orr_tile_offset(&mend->file.geometry, tile_number(s, t));
    size_t bytes = tile_bytes(s, t), pages = pages_in(bytes);
    uint8_t bad[TILE_PAGES];
    orr_status status = ORR_OK;
    if (source == STORED) {
        orr_mend_read(mend, at, pages, s->tile[STORED], bad);
    } else if (source == COPIED) {
        orr_read_stored(mend->options.copy, at, pages * ORR_PAGE, s->tile[COPIED]);
    } else {
        if (t < s->first || t >= s->first + s->count) status = solve_tiles(s, t, error);
        if (status == ORR_OK)
            memcpy(s->tile[SOLVED], s->window + (size_t)(t - s->first) * ORR_TILE_BYTES,
                   pages * ORR_PAGE);
    }
    memset(s->tile[source] + bytes, 0, pages * ORR_PAGE - bytes);
    return status;
}

// ---- opening

// Does a seal open?
static int judge(segment *s, orr_status status) {
    s->failed |= status != ORR_OK && status != ORR_AUTH;
    return status == ORR_OK;
}

// Does this version of tile t open, with any tag and salt that there are? Then they are known.
static int opens(segment *s, uint32_t t, int version) {
    uint8_t nonce[ORR_GCM_NONCE];
    for (int salt = 0; salt < SOURCES; salt++) {
        if (!s->have[salt] || (s->salt >= 0 && salt != s->salt)) continue;
        if (salt && s->salt < 0 && !memcmp(s->head[salt].salt, s->head[0].salt, ORR_SALT_BYTES))
            continue;
        orr_tile_nonce(&s->nonces[salt], t, nonce);
        for (int i = 0; i < SOURCES; i++) {
            const uint8_t *tag = s->head[i].tags[t];
            if (!s->have[i] || (i && !memcmp(tag, s->head[0].tags[t], ORR_GCM_TAG))) continue;
            if (!judge(s, orr_gcm_open(s->tile_gcm, nonce, NULL, 0, s->tile[version],
                                       tile_bytes(s, t), s->plain, tag)))
                continue;
            s->salt = salt;
            s->copied |= salt == COPIED || i == COPIED;
            memcpy(s->tags[t], tag, ORR_GCM_TAG);
            return 1;
        }
    }
    return 0;
}

// Does a mixture of two versions, page by page, open?
static int mixture_opens(segment *s, uint32_t t, int one, int other) {
    uint8_t differs[TILE_PAGES];
    uint32_t count = 0, pages = (uint32_t)pages_in(tile_bytes(s, t));
    for (uint32_t p = 0; p < pages; p++)
        if (memcmp(s->tile[one] + p * ORR_PAGE, s->tile[other] + p * ORR_PAGE, ORR_PAGE))
            differs[count++] = (uint8_t)p;
    if (count < 2 || count > MIXED_PAGES) return 0;
    for (uint32_t mask = 1; mask + 1 < 1u << count; mask++) {
        memcpy(s->tile[SOURCES], s->tile[one], ORR_TILE_BYTES);
        for (uint32_t i = 0; i < count; i++)
            if (mask >> i & 1)
                memcpy(s->tile[SOURCES] + differs[i] * ORR_PAGE,
                       s->tile[other] + differs[i] * ORR_PAGE, ORR_PAGE);
        if (opens(s, t, SOURCES)) return 1;
    }
    return 0;
}

// The version of tile t that opens, -1: none. *copied: it is the copy's, at least in part.
static orr_status find_version(segment *s, uint32_t t, int *version, int *copied,
                               orr_error *error) {
    uint64_t at = orr_tile_offset(&s->mend->file.geometry, tile_number(s, t));
    const int have[SOURCES] = {1, is_solved(s, at, pages_in(tile_bytes(s, t))),
                               s->mend->options.copy >= 0};
    orr_status status = ORR_OK;
    *version = -1;
    for (int i = 0; i < SOURCES; i++) {
        if (!have[i]) continue;
        status = read_tile(s, t, i, error);
        if (status != ORR_OK) return status;
        if (!opens(s, t, i)) continue;
        *version = i;
        *copied = i == COPIED;
        return ORR_OK;
    }
    for (int i = 0; i < SOURCES && *version < 0; i++)
        for (int j = i + 1; j < SOURCES && *version < 0; j++)
            if (have[i] && have[j] && mixture_opens(s, t, i, j)) {
                *version = SOURCES;
                *copied = j == COPIED;
            }
    return ORR_OK;
}

static orr_status settle_tile(segment *s, uint32_t t, int *progress, orr_error *error) {
    orr_mend *mend = s->mend;
    const orr_geometry *g = &mend->file.geometry;
    uint64_t n = tile_number(s, t);
    size_t bytes = tile_bytes(s, t);
    int version, copied = 0;
    memcpy(s->tags[t], s->head[STORED].tags[t], ORR_GCM_TAG);
    if (mend->tiles[n] == ORR_UNIT_RIGHT) return ORR_OK;
    orr_status status = find_version(s, t, &version, &copied, error);
    if (status == ORR_OK && s->failed) status = orr_mend_no_memory(mend, error);
    if (status != ORR_OK) return status;
    mend->tiles[n] = version < 0 ? ORR_UNIT_BAD : ORR_UNIT_RIGHT;
    // What repair data gave by the checksums alone makes no other group solvable.
    *progress |= version >= 0 && !(version == SOLVED && s->look == BY_CHECKSUMS);
    // Of one that stands, what lies behind it is perhaps to be zero.
    if (version < 0 || (version == STORED && bytes % ORR_PAGE == 0)) return ORR_OK;
    return orr_mend_put(mend, orr_tile_offset(g, n), pages_in(bytes), s->tile[version], copied,
                        error);
}

// ---- heads

// Does any tile open just as it is stored, with the tag and salt that are stored?
static int any_stands(segment *s, orr_error *error) {
    uint8_t nonce[ORR_GCM_NONCE];
    for (uint32_t t = 0; t < s->tiles; t++) {
        (void)read_tile(s, t, STORED, error);
        orr_tile_nonce(&s->nonces[STORED], t, nonce);
        if (judge(s, orr_gcm_open(s->tile_gcm, nonce, NULL, 0, s->tile[STORED], tile_bytes(s, t),
                                  s->plain, s->head[STORED].tags[t])))
            return 1;
    }
    return 0;
}

static int digest_opens(segment *s, int head, int salt) {
    uint8_t digest[ORR_DIGEST_BYTES];
    return s->have[head] && s->have[salt] &&
           judge(s, orr_digest_open(s->digest_gcm, &s->nonces[salt], s->head[head].sealed_digest,
                                    digest));
}

// Whose salt is right: the stored one, when anything opens with it; then that of a head whose
// digest opens.
static void find_salt(segment *s, orr_error *error) {
    s->salt = -1;
    if (digest_opens(s, STORED, STORED) || any_stands(s, error)) s->salt = STORED;
    for (int i = 1; i < SOURCES && s->salt < 0; i++)
        if (digest_opens(s, i, i)) s->salt = i;
    s->copied = s->salt == COPIED;
}

// The head of what is known: salt, digest, tags of tiles that open. What is not stays as it is.
static orr_status settle_head(segment *s, int *progress, orr_error *error) {
    orr_mend *mend = s->mend;
    orr_segment_head head = s->head[STORED];
    int known = 0, was_right = mend->heads[s->number] == ORR_UNIT_RIGHT;
    mend->heads[s->number] = ORR_UNIT_BAD;
    if (s->salt < 0) return ORR_OK;
    memset(head.tags, 0, sizeof head.tags);
    memset(head.zero, 0, sizeof head.zero);
    memcpy(head.tags, s->tags, s->tiles * sizeof *head.tags);
    memcpy(head.salt, s->head[s->salt].salt, sizeof head.salt);
    for (int i = 0; i < SOURCES && !known; i++) {
        known = digest_opens(s, i, s->salt);
        if (!known) continue;
        memcpy(head.sealed_digest, s->head[i].sealed_digest, sizeof head.sealed_digest);
        s->copied |= i == COPIED;
    }
    if (s->failed) return orr_mend_no_memory(mend, error);
    int right = known;
    for (uint32_t t = 0; t < s->tiles; t++)
        right = right && mend->tiles[tile_number(s, t)] == ORR_UNIT_RIGHT;
    mend->heads[s->number] = right ? ORR_UNIT_RIGHT : ORR_UNIT_BAD;
    *progress |= right && !was_right && s->look != BY_CHECKSUMS;
    return orr_mend_put(mend, s->at, 1, (const uint8_t *)&head, s->copied, error);
}

// ---- segments

static int is_settled(const orr_mend *mend, uint64_t number) {
    uint32_t tiles = orr_segment_tiles(&mend->file.geometry, number);
    int right = mend->heads[number] == ORR_UNIT_RIGHT;
    for (uint32_t t = 0; t < tiles && right; t++)
        right = mend->tiles[number * ORR_SEGMENT_TILES + t] == ORR_UNIT_RIGHT;
    return right;
}

static orr_status begin(segment *s, uint64_t number, look_kind look, orr_error *error) {
    const orr_geometry *g = &s->mend->file.geometry;
    s->number = number;
    s->look = look;
    s->at = orr_segment_offset(g, number);
    s->tiles = orr_segment_tiles(g, number);
    s->count = 0;
    if (orr_stopped(s->mend->options.stop))
        return orr_fail(error, ORR_STOPPED, "%s: stopped before it was finished",
                        s->mend->options.name);
    return read_heads(s, error);
}

static orr_status settle(segment *s, uint64_t number, look_kind look, int *progress,
                         orr_error *error) {
    orr_status status = begin(s, number, look, error);
    if (status == ORR_OK) find_salt(s, error);
    if (status == ORR_OK && s->failed) status = orr_mend_no_memory(s->mend, error);
    for (uint32_t t = 0; t < s->tiles && status == ORR_OK; t++)
        status = settle_tile(s, t, progress, error);
    return status == ORR_OK ? settle_head(s, progress, error) : status;
}

static segment *open_segments(orr_mend *mend) {
    segment *s = calloc(1, sizeof *s);
    if (!s) return NULL;
    uint64_t tiles = mend->options.memory / 8 / ORR_TILE_BYTES;
    s->mend = mend;
    s->window_tiles = tiles < 1                   ? 1
                      : tiles < ORR_SEGMENT_TILES ? (uint32_t)tiles
                                                  : ORR_SEGMENT_TILES;
    s->tile_gcm = orr_gcm_new(mend->keys.tile_key);
    s->digest_gcm = orr_gcm_new(mend->keys.digest_key);
    if (mend->repair) s->window = malloc((size_t)s->window_tiles * ORR_TILE_BYTES);
    return s;
}

static int is_open(const segment *s) {
    return s && s->tile_gcm && s->digest_gcm && (s->window || !s->mend->repair);
}

static void close_segments(segment *s) {
    if (!s) return;
    orr_gcm_free(s->tile_gcm);
    orr_gcm_free(s->digest_gcm);
    free(s->window);
    orr_wipe(s, sizeof *s);
    free(s);
}

orr_status orr_mend_any_tile(orr_mend *mend, int *found, orr_error *error) {
    const orr_geometry *g = &mend->file.geometry;
    segment *s = open_segments(mend);
    orr_status status = is_open(s) ? ORR_OK : orr_mend_no_memory(mend, error);
    for (uint64_t n = 0; n < g->segments && status == ORR_OK && !*found; n++) {
        status = begin(s, n, AS_IT_STANDS, error);
        if (status == ORR_OK) *found = any_stands(s, error);
        if (s->failed) status = orr_mend_no_memory(mend, error);
    }
    close_segments(s);
    return status;
}

// Looks for pages of the copy that are right, by their checksums, in what is not.
static orr_status find_hints(orr_mend *mend, orr_error *error) {
    const orr_geometry *g = &mend->file.geometry;
    orr_status status = ORR_OK;
    for (uint64_t n = 0; n < g->segments && status == ORR_OK; n++)
        if (mend->heads[n] != ORR_UNIT_RIGHT)
            status = orr_mend_hint(mend, orr_segment_offset(g, n), 1, error);
    for (uint64_t n = 0; n < g->tiles && status == ORR_OK; n++)
        if (mend->tiles[n] != ORR_UNIT_RIGHT)
            status =
                orr_mend_hint(mend, orr_tile_offset(g, n),
                              pages_in((size_t)orr_tile_rows(g, n) * ORR_TILE_ROW_BYTES), error);
    return status;
}

// What repair data can restore, from what is known to be right: each unit that is found makes more
// groups solvable, until nothing changes any more.
static orr_status solve_all(segment *s, orr_error *error) {
    orr_mend *mend = s->mend;
    const orr_geometry *g = &mend->file.geometry;
    orr_status status = mend->options.copy >= 0 ? find_hints(mend, error) : ORR_OK;
    int progress = 1, settled = mend->sealed != NULL;
    for (uint64_t n = 0; n < g->segments && settled; n++) settled = is_settled(mend, n);
    if (settled) return status;
    if (status == ORR_OK) status = orr_mend_solve_all(mend, error);
    while (progress && status == ORR_OK) {
        int found = 0, left = !mend->sealed;
        progress = 0;
        if (!mend->sealed) status = orr_mend_find_metadata(mend, 1, &found, error);
        if (found && status == ORR_OK) status = orr_mend_front(mend, NULL, error);
        progress = found;
        for (look_kind look = BY_CHECKSUMS; look <= ALL_IN_DOUBT; look++)
            for (uint64_t n = 0; n < g->segments && status == ORR_OK; n++) {
                if (is_settled(mend, n)) continue;
                left = 1;
                status = settle(s, n, look, &progress, error);
            }
        if (!left) break;
        if (progress) orr_mend_solve_anew(mend);
    }
    return status;
}

static void count_lost(orr_mend *mend) {
    const orr_geometry *g = &mend->file.geometry;
    orr_mend_report *r = &mend->report;
    uint64_t length = mend->file.header.length;
    for (uint64_t n = 0; n < g->tiles; n++) {
        if (mend->tiles[n] == ORR_UNIT_RIGHT) continue;
        uint64_t at = n * ORR_TILE_BYTES;
        r->lost_tiles++;
        r->lost_bytes += at >= length                   ? 0
                         : length - at < ORR_TILE_BYTES ? length - at
                                                        : ORR_TILE_BYTES;
    }
    for (uint64_t n = 0; n < g->segments; n++) {
        int tiles = 1;
        for (uint32_t t = 0; t < orr_segment_tiles(g, n); t++)
            tiles = tiles && mend->tiles[n * ORR_SEGMENT_TILES + t] == ORR_UNIT_RIGHT;
        r->lost_digests += tiles && mend->heads[n] != ORR_UNIT_RIGHT;
    }
    r->lost_metadata = !mend->sealed;
}

orr_status orr_mend_segments(orr_mend *mend, orr_error *error) {
    const orr_geometry *g = &mend->file.geometry;
    int found;
    segment *s = NULL;
    mend->heads = calloc(g->segments, 1);
    mend->tiles = calloc(g->tiles, 1);
    orr_status status = mend->heads && mend->tiles ? orr_mend_find_metadata(mend, 0, &found, error)
                                                   : orr_mend_no_memory(mend, error);
    if (status == ORR_OK) status = orr_mend_front(mend, NULL, error);
    if (status == ORR_OK && !is_open(s = open_segments(mend)))
        status = orr_mend_no_memory(mend, error);
    for (uint64_t n = 0; n < g->segments && status == ORR_OK; n++)
        status = settle(s, n, AS_IT_STANDS, &found, error);
    if (status == ORR_OK && mend->repair) status = solve_all(s, error);
    if (status == ORR_OK) count_lost(mend);
    close_segments(s);
    return status;
}
