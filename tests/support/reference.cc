#include "tests/support/reference.h"

#include <algorithm>
#include <numeric>

namespace reference {

namespace {

__extension__ typedef unsigned __int128 Wide;

constexpr int columns = 128;

size_t byte_at(int rows, int k, int i, int j) {
    return static_cast<size_t>((k * rows + i) * columns + j);
}

// Bit column x (0..1023) of row i, channel k.
int bit_at(const Bytes &tile, int rows, int k, int i, int x) {
    return tile[byte_at(rows, k, i, x / 8)] >> (7 - x % 8) & 1;
}

// The tile as symbols in scan order.
std::vector<int> symbols_of(int rows, const Bytes &tile) {
    std::vector<int> symbols;
    for (int x = 0; x < 8 * columns; x++)
        for (int i = 0; i < rows; i++)
            symbols.push_back(4 * bit_at(tile, rows, 0, i, x) + 2 * bit_at(tile, rows, 1, i, x) +
                              bit_at(tile, rows, 2, i, x));
    return symbols;
}

Bytes tile_of(int rows, const std::vector<int> &symbols) {
    Bytes tile(static_cast<size_t>(3 * rows * columns), 0);
    size_t n = 0;
    for (int x = 0; x < 8 * columns; x++)
        for (int i = 0; i < rows; i++, n++)
            for (int k = 0; k < 3; k++)
                if (symbols[n] & (4 >> k)) tile[byte_at(rows, k, i, x / 8)] |= 0x80 >> (x % 8);
    return tile;
}

int symbol_of_planet(uint32_t rule, int planet) {
    const auto &planets = planets_of_rule(rule);
    return static_cast<int>(std::find(planets.begin(), planets.end(), planet) - planets.begin());
}

std::vector<int> order_to_ranks(const std::vector<uint32_t> &keys) {
    std::vector<int> order(keys.size()), rank(keys.size());
    std::iota(order.begin(), order.end(), 0);
    std::sort(order.begin(), order.end(), [&](int x, int y) { return keys[x] < keys[y]; });
    for (size_t n = 0; n < order.size(); n++) rank[order[n]] = static_cast<int>(n);
    return rank;
}

// Ranks and streams that one tile key gives.
struct Schedule {
    std::vector<int> r1[2], r2[2], r3[2];
    Bytes k4, k8;
    Schedule(const std::array<uint64_t, 8> &key, int rows, uint64_t k2)
        : k4(keystream(key[3], true, rows, k2)), k8(keystream(key[7], false, rows, k2)) {
        for (int round = 0; round < 2; round++) {
            r1[round] = ranks(key[4 * round], rows, k2);
            r2[round] = ranks(key[4 * round + 1], columns, k2);
            r3[round] = channel_ranks(key[4 * round + 2], k2);
        }
    }
};

std::vector<int> inverse(const std::vector<int> &permutation) {
    std::vector<int> result(permutation.size());
    for (size_t n = 0; n < permutation.size(); n++) result[permutation[n]] = static_cast<int>(n);
    return result;
}

} // namespace

const std::array<int, 8> &planets_of_rule(uint32_t number) {
    static const std::vector<std::array<int, 8>> all = [] {
        std::vector<std::array<int, 8>> list;
        std::array<int, 8> p = {0, 1, 2, 3, 4, 5, 6, 7};
        do list.push_back(p);
        while (std::next_permutation(p.begin(), p.end()));
        return list;
    }();
    return all.at(number - 1);
}

int distance_rank(int planet) {
    // Mercury, Venus, Earth, Mars, Jupiter, Saturn, Uranus, Neptune by their numbers.
    static const int from_sun[8] = {7, 2, 5, 1, 4, 6, 0, 3};
    return static_cast<int>(std::find(from_sun, from_sun + 8, planet) - from_sun);
}

std::vector<int> vpd_encode(uint32_t rule, const std::vector<int> &s1) {
    const auto &planets = planets_of_rule(rule);
    std::vector<int> s2;
    for (size_t i = 0; i < s1.size(); i++)
        s2.push_back(i == 0 ? s1[0] : symbol_of_planet(rule, planets[s2[i - 1]] ^ planets[s1[i]]));
    return s2;
}

std::vector<int> vpd_decode(uint32_t rule, const std::vector<int> &s2) {
    const auto &planets = planets_of_rule(rule);
    std::vector<int> s1;
    for (size_t i = 0; i < s2.size(); i++)
        s1.push_back(i == 0 ? s2[0] : symbol_of_planet(rule, planets[s2[i - 1]] ^ planets[s2[i]]));
    return s1;
}

uint64_t map_step(uint64_t u, uint64_t k2) {
    const Wide two63 = Wide(1) << 63;
    Wide low = u % (uint64_t(1) << 32);
    Wide square = (Wide(u) * u - low * low) >> 64; // the square less the product of its low halves
    Wide v = k2 * square % (two63 * 2);
    return static_cast<uint64_t>(v >= two63 ? v - two63 : two63 - 1 - v);
}

std::vector<uint32_t> lane_words(uint64_t state, uint64_t lane, size_t words, uint64_t k2) {
    uint64_t z = state + (lane + 1) * 0x9E3779B97F4A7C15ull;
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9ull;
    z = (z ^ z >> 27) * 0x94D049BB133111EBull;
    uint64_t u = (z ^ z >> 31) >> 1;
    u = map_step(map_step(u, k2), k2);
    std::vector<uint32_t> result;
    for (size_t n = 0; n < words; n++) {
        u = map_step(u, k2);
        result.push_back(static_cast<uint32_t>(u / (1 << 20) % (uint64_t(1) << 32)));
    }
    return result;
}

std::vector<std::array<int, 2>> zigzag_walk(int rows, int grid_columns) {
    std::vector<std::array<int, 2>> path;
    int row = 0, column = 0;
    bool up = true;
    while (static_cast<int>(path.size()) < rows * grid_columns) {
        path.push_back({row, column});
        if (up) {
            if (column == grid_columns - 1) {
                row++;
                up = false;
            } else if (row == 0) {
                column++;
                up = false;
            } else {
                row--;
                column++;
            }
        } else {
            if (row == rows - 1) {
                column++;
                up = true;
            } else if (column == 0) {
                row++;
                up = true;
            } else {
                row++;
                column--;
            }
        }
    }
    return path;
}

Bytes keystream(uint64_t state, bool zigzag, int rows, uint64_t k2) {
    std::vector<std::array<int, 2>> cells;
    if (zigzag) {
        cells = zigzag_walk(16, 32);
    } else {
        for (int row = 0; row < 16; row++)
            for (int column = 0; column < 32; column++) cells.push_back({row, column});
    }
    Bytes out(static_cast<size_t>(3 * rows * columns));
    for (size_t lane = 0; lane < cells.size(); lane++) {
        std::vector<uint32_t> words = lane_words(state, lane, 24, k2);
        for (int s = 0; s < 8; s++)
            for (int m = 0; m < 3; m++)
                for (int byte = 0; byte < 4; byte++) {
                    int row = 8 * cells[lane][0] + s, column = 4 * cells[lane][1] + byte;
                    if (row < rows)
                        out[byte_at(rows, m, row, column)] =
                            static_cast<uint8_t>(words[3 * s + m] >> (8 * byte));
                }
    }
    return out;
}

std::vector<int> ranks(uint64_t state, int count, uint64_t k2) {
    std::vector<uint32_t> keys(static_cast<size_t>(count));
    for (int lane = 0; lane < 32; lane++) {
        std::vector<uint32_t> words = lane_words(state, lane, 4, k2);
        for (int step = 0; step < 4; step++)
            if (32 * step + lane < count)
                keys[32 * step + lane] = words[step] / 128 * 128 + 32 * step + lane;
    }
    return order_to_ranks(keys);
}

std::vector<int> channel_ranks(uint64_t state, uint64_t k2) {
    std::vector<uint32_t> keys = lane_words(state, 0, 3, k2);
    for (uint32_t e = 0; e < 3; e++) keys[e] = keys[e] / 4 * 4 + e;
    return order_to_ranks(keys);
}

Bytes vpd(uint32_t rule, int rows, const Bytes &tile) {
    return tile_of(rows, vpd_encode(rule, symbols_of(rows, tile)));
}

Bytes vpd_inverse(uint32_t rule, int rows, const Bytes &tile) {
    return tile_of(rows, vpd_decode(rule, symbols_of(rows, tile)));
}

Bytes intershuffle(const std::vector<int> &r1, const std::vector<int> &r2,
                   const std::vector<int> &r3, const Bytes &tile) {
    int rows = static_cast<int>(r1.size());
    Bytes out(tile.size());
    for (int k = 0; k < 3; k++)
        for (int i = 0; i < rows; i++)
            for (int j = 0; j < columns; j++)
                out[byte_at(rows, k, i, j)] = tile[byte_at(rows, r3[k], r1[i], r2[j])];
    return out;
}

Bytes planet_xor(uint32_t rule, int rows, const Bytes &tile, const Bytes &k8) {
    std::vector<int> symbols = symbols_of(rows, tile), key = symbols_of(rows, k8);
    for (size_t n = 0; n < symbols.size(); n++)
        symbols[n] = distance_rank(planets_of_rule(rule)[symbols[n]]) ^ key[n];
    return tile_of(rows, symbols);
}

Bytes exclusive_or(const Bytes &x, const Bytes &y) {
    Bytes out;
    for (size_t n = 0; n < x.size(); n++) out.push_back(x[n] ^ y[n]);
    return out;
}

Bytes encrypt(uint32_t rule, uint64_t k2, const std::array<uint64_t, 8> &key, int rows,
              const Bytes &tile) {
    Schedule schedule(key, rows, k2);
    Bytes data = tile;
    for (int round = 0; round < 2; round++) {
        data = vpd(rule, rows, data);
        data = intershuffle(schedule.r1[round], schedule.r2[round], schedule.r3[round], data);
        data = exclusive_or(data, schedule.k4);
    }
    return planet_xor(rule, rows, data, schedule.k8);
}

Bytes decrypt(uint32_t rule, uint64_t k2, const std::array<uint64_t, 8> &key, int rows,
              const Bytes &tile) {
    Schedule schedule(key, rows, k2);
    std::vector<int> symbols = symbols_of(rows, exclusive_or(tile, schedule.k8));
    for (int &v : symbols) {
        int rank = v;
        for (int candidate = 0; candidate < 8; candidate++)
            if (distance_rank(planets_of_rule(rule)[candidate]) == rank) v = candidate;
    }
    Bytes data = tile_of(rows, symbols);
    for (int round = 1; round >= 0; round--) {
        data = exclusive_or(data, schedule.k4);
        data = intershuffle(inverse(schedule.r1[round]), inverse(schedule.r2[round]),
                            inverse(schedule.r3[round]), data);
        data = vpd_inverse(rule, rows, data);
    }
    return data;
}

} // namespace reference
