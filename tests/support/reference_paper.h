// A plain, slow reading of the published text for the paper profile: one bit, one symbol, one key
// byte at a time. It shares no code with kernels/ and takes its cosine coefficients from MPFR.
#ifndef ORRERY_TESTS_REFERENCE_PAPER_H
#define ORRERY_TESTS_REFERENCE_PAPER_H

#include <array>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace reference {

using Bytes = std::vector<uint8_t>;

struct PaperCase {
    uint32_t rule, k2;
    std::array<uint64_t, 8> part;   // K1..K8, y0 = part / 10^15
    size_t channels, rows, columns; // C, M, N
};

Bytes paper_encrypt(const PaperCase &c, const Bytes &plain);
Bytes paper_decrypt(const PaperCase &c, const Bytes &cipher);

// Steps, for vectors and for tests of one step.
std::array<uint8_t, 8> planets_of_rule(uint32_t rule);
std::array<uint8_t, 8> distance_ranks();
int64_t cos15(uint64_t u);
uint64_t arccos15(uint64_t part);
uint64_t map_step(uint64_t u, uint32_t k2);
std::vector<int64_t> sequence(uint64_t part, uint32_t k2, size_t count); // Y_1 .. Y_count
std::vector<size_t> ranks(const std::vector<int64_t> &values);
std::vector<std::pair<size_t, size_t>> zigzag(size_t rows, size_t columns);

// cos(pi u / 2^63) * 10^15 as a real number minus the integer given, by MPFR at 200 bits.
double cos15_error(uint64_t u, int64_t value);

} // namespace reference

#endif
