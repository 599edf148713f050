// The archive profile as the published text and docs/FORMAT.md say it, one bit at a time: slow,
// plain, and without a line of kernels/. The kernels are tested against it.
#ifndef ORRERY_TESTS_SUPPORT_REFERENCE_H
#define ORRERY_TESTS_SUPPORT_REFERENCE_H

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace reference {

using Bytes = std::vector<uint8_t>;

constexpr uint32_t default_rule = 37241;
constexpr uint32_t default_k2 = 2825054457u;

// Planets of symbols 0..7 under rule `number` (1..40320): element number - 1 of the list of all
// permutations in lexicographic order.
const std::array<int, 8> &planets_of_rule(uint32_t number);
// Place of each planet (Uranus, Mars, Venus, Neptune, Jupiter, Earth, Saturn, Mercury) by distance.
int distance_rank(int planet);

// S2 from S1: S2[0] = S1[0], S2[i] = the symbol of planet(S2[i-1]) xor planet(S1[i]).
std::vector<int> vpd_encode(uint32_t rule, const std::vector<int> &s1);
std::vector<int> vpd_decode(uint32_t rule, const std::vector<int> &s2);

uint64_t map_step(uint64_t u, uint64_t k2);
// The first `words` words of lane `lane`.
std::vector<uint32_t> lane_words(uint64_t state, uint64_t lane, size_t words, uint64_t k2);

// Cells (row, column) of a grid in the order of the JPEG walk.
std::vector<std::array<int, 2>> zigzag_walk(int rows, int columns);

// Key bytes of K4 (zigzag) and K8 in tile byte order.
Bytes keystream(uint64_t state, bool zigzag, int rows, uint64_t k2);
// Ranks of the first `count` keys of K1, K2, K5, K6.
std::vector<int> ranks(uint64_t state, int count, uint64_t k2);
// Ranks of the three keys of K3, K7.
std::vector<int> channel_ranks(uint64_t state, uint64_t k2);

// Steps of the cipher on a tile of 3 channels x rows x 128 columns.
Bytes vpd(uint32_t rule, int rows, const Bytes &tile);
Bytes vpd_inverse(uint32_t rule, int rows, const Bytes &tile);
Bytes intershuffle(const std::vector<int> &r1, const std::vector<int> &r2,
                   const std::vector<int> &r3, const Bytes &tile);
Bytes planet_xor(uint32_t rule, int rows, const Bytes &tile, const Bytes &k8);
Bytes exclusive_or(const Bytes &x, const Bytes &y);

Bytes encrypt(uint32_t rule, uint64_t k2, const std::array<uint64_t, 8> &key, int rows,
              const Bytes &tile);
Bytes decrypt(uint32_t rule, uint64_t k2, const std::array<uint64_t, 8> &key, int rows,
              const Bytes &tile);

} // namespace reference
#endif
