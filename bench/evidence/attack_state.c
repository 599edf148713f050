#include "bench/evidence/attack_state.h"

#include <pthread.h>
#include <string.h>

#include "base/clock.h"
#include "bench/evidence/parallel.h"
#include "kernels/map.h"

#define STATE_BITS 63
#define TOP_BITS 11 // above the word's 32 bits
#define LOW_BITS 20 // below them

typedef struct state_pool {
    const orr_state_search *search;
    orr_state_result *result;
    pthread_mutex_t lock;
} state_pool;

static int fits_all(const orr_state_search *search, uint64_t state) {
    for (size_t set = 0; set < search->set_count; set++) {
        const uint32_t *words = search->words + set * search->word_count;
        uint64_t u = state;
        size_t n = 0;
        for (; n < search->word_count && orr_map_word(u) == words[n]; n++)
            u = orr_map_step(u, search->k2);
        if (n == search->word_count) return 1;
    }
    return 0;
}

// The different second words of the guesses, filled up to four with the first; returns 0 when there
// are more.
static int second_words(const orr_state_search *search, uint32_t second[4]) {
    size_t count = 0;
    for (size_t set = 0; set < search->set_count; set++) {
        uint32_t word = search->words[set * search->word_count + 1];
        size_t n = 0;
        while (n < count && second[n] != word) n++;
        if (n < count) continue;
        if (count == 4) return 0;
        second[count++] = word;
    }
    for (; count < 4; count++) second[count] = second[0];
    return 1;
}

// All 2^20 states with one value of the upper 11 bits.
static orr_status search_top(void *context, size_t index, orr_error *error) {
    state_pool *pool = context;
    const orr_state_search *search = pool->search;
    unsigned free_bits = TOP_BITS - search->known_bits;
    uint64_t top = (uint64_t)search->known_top << free_bits | index;
    uint64_t base = top << (STATE_BITS - TOP_BITS) | (uint64_t)search->words[0] << LOW_BITS;
    uint32_t second[4], k2 = search->k2;
    if (!second_words(search, second))
        return orr_fail(error, ORR_INTERNAL, "more than four second words");
    for (uint64_t low = 0; low < 1u << LOW_BITS; low++) {
        uint32_t word = orr_map_word(orr_map_step(base | low, k2));
        if ((word != second[0]) & (word != second[1]) & (word != second[2]) & (word != second[3]))
            continue;
        int all = fits_all(search, base | low);
        pthread_mutex_lock(&pool->lock);
        pool->result->two_word_hits++;
        if (all && pool->result->count < ORR_STATE_CANDIDATES)
            pool->result->state[pool->result->count++] = base | low;
        pthread_mutex_unlock(&pool->lock);
    }
    return ORR_OK;
}

orr_status orr_attack_state(const orr_state_search *search, orr_state_result *result,
                            orr_error *error) {
    state_pool pool = {.search = search, .result = result};
    size_t tops = (size_t)1 << (TOP_BITS - search->known_bits);
    memset(result, 0, sizeof *result);
    pthread_mutex_init(&pool.lock, NULL);
    double start = orr_seconds();
    orr_status status = orr_parallel(search->threads, tops, search_top, &pool, error);
    result->seconds = orr_seconds() - start;
    result->tried = (uint64_t)tops << LOW_BITS;
    pthread_mutex_destroy(&pool.lock);
    return status;
}

// ---- backwards

// Inverse of an odd number modulo 2^64 by Newton's iteration.
static uint64_t inverse_odd(uint64_t odd) {
    uint64_t x = odd;
    for (int n = 0; n < 6; n++) x *= 2 - odd * x;
    return x;
}

static uint64_t square_of(uint64_t u) { // as in orr_map_step: u^2 in units of 2^-62
    uint64_t high = u >> 32, low = u & 0xffffffffu;
    return high * high + ((high * low) >> 31);
}

// The first u with square_of(u) >= square; the squares rise with u.
static uint64_t first_root(uint64_t square) {
    uint64_t low = 0, high = UINT64_C(1) << STATE_BITS;
    while (low < high) {
        uint64_t middle = low + (high - low) / 2;
        if (square_of(middle) < square)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

// orr_mix64 backwards: each step is a bijection.
static uint64_t unmix(uint64_t z) {
    z ^= z >> 31 ^ z >> 62;
    z *= inverse_odd(UINT64_C(0x94d049bb133111eb));
    z ^= z >> 27 ^ z >> 54;
    z *= inverse_odd(UINT64_C(0xbf58476d1ce4e5b9));
    return z ^ z >> 30 ^ z >> 60;
}

// What is wanted of a walk back: the initial states of one lane.
typedef struct origins_of {
    uint32_t lane;
    uint64_t inverse; // of K2 modulo 2^64
    uint64_t *origins;
    size_t room, made;
} origins_of;

// All states that `steps` steps take to `state`, depth first: a small state has millions of
// neighbours with its square, which no list of one step's states would hold. K2 is odd, so a step's
// multiplication has an inverse; its fold has two.
static void walk_back(origins_of *o, uint64_t state, int steps) {
    if (steps == 0) {
        for (uint64_t bit = 0; bit < 2 && o->made < o->room; bit++)
            o->origins[o->made++] =
                unmix(state << 1 | bit) - ((uint64_t)o->lane + 1) * UINT64_C(0x9e3779b97f4a7c15);
        return;
    }
    const uint64_t fold = UINT64_C(1) << STATE_BITS;
    const uint64_t folded[2] = {state | fold, ~state & (fold - 1)};
    for (int n = 0; n < 2; n++) {
        uint64_t square = folded[n] * o->inverse;
        for (uint64_t u = first_root(square);
             u < fold && square_of(u) == square && o->made < o->room; u++)
            walk_back(o, u, steps - 1);
    }
}

size_t orr_lane_origins(uint64_t state, uint32_t lane, uint32_t k2, uint64_t *origins,
                        size_t room) {
    origins_of o = {lane, inverse_odd(k2), origins, room, 0};
    walk_back(&o, state, ORR_LANE_DROP + 1);
    return o.made;
}
