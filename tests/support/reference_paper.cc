#include "tests/support/reference_paper.h"

#include <algorithm>
#include <numeric>

#include <mpfr.h>

namespace reference {

namespace {

using Wide = unsigned __int128;
const uint64_t kTen15 = 1000000000000000u;

// round((pi/2)^2k / (2k)! * 2^63), k = 0..11
std::vector<uint64_t> cosine_coefficients() {
    std::vector<uint64_t> result;
    mpfr_t half_pi, term;
    mpfr_init2(half_pi, 300);
    mpfr_init2(term, 300);
    mpfr_const_pi(half_pi, MPFR_RNDN);
    mpfr_div_ui(half_pi, half_pi, 2, MPFR_RNDN);
    for (unsigned k = 0; k < 12; k++) {
        mpfr_pow_ui(term, half_pi, 2 * k, MPFR_RNDN);
        for (unsigned f = 2; f <= 2 * k; f++) mpfr_div_ui(term, term, f, MPFR_RNDN);
        mpfr_mul_2ui(term, term, 63, MPFR_RNDN);
        mpfr_round(term, term);
        result.push_back(mpfr_get_uj(term, MPFR_RNDN));
    }
    mpfr_clear(half_pi);
    mpfr_clear(term);
    return result;
}

// cos of a first-quadrant angle, units of 2^-63
uint64_t cosine(uint64_t w) {
    static const std::vector<uint64_t> coefficient = cosine_coefficients();
    if (w == uint64_t(1) << 62) return 0;
    Wide z = Wide(w) * w / (Wide(1) << 60);
    uint64_t sum = coefficient[11];
    for (int k = 10; k >= 1; k--) sum = coefficient[k] - uint64_t((sum * z) >> 64);
    uint64_t last = uint64_t((sum * z) >> 64);
    return coefficient[0] > last ? coefficient[0] - last : 0;
}

using Bits = std::vector<uint8_t>;

Bits to_bits(const Bytes &bytes) {
    Bits bits;
    for (uint8_t byte : bytes)
        for (int b = 7; b >= 0; b--) bits.push_back(byte >> b & 1);
    return bits;
}

Bytes to_bytes(const Bits &bits) {
    Bytes bytes(bits.size() / 8);
    for (size_t t = 0; t < bits.size(); t++) bytes[t / 8] = uint8_t(bytes[t / 8] * 2 + bits[t]);
    return bytes;
}

int symbol_at(const Bits &bits, size_t n) {
    return bits[3 * n] * 4 + bits[3 * n + 1] * 2 + bits[3 * n + 2];
}

void put_symbol(Bits &bits, size_t n, int value) {
    bits[3 * n] = value / 4;
    bits[3 * n + 1] = value / 2 % 2;
    bits[3 * n + 2] = value % 2;
}

struct Rule {
    std::array<uint8_t, 8> planet, symbol, distance, nearest;
    explicit Rule(uint32_t number) : planet(planets_of_rule(number)) {
        std::array<uint8_t, 8> order = distance_ranks();
        for (int v = 0; v < 8; v++) {
            symbol[planet[v]] = v;
            distance[v] = order[planet[v]];
            nearest[distance[v]] = v;
        }
    }
};

Bytes vpd(const Rule &rule, const Bytes &plain) {
    Bits bits = to_bits(plain);
    int before = -1;
    for (size_t n = 0; n < bits.size() / 3; n++) {
        int here = symbol_at(bits, n);
        if (before >= 0) here = rule.symbol[rule.planet[before] ^ rule.planet[here]];
        put_symbol(bits, n, here);
        before = here;
    }
    return to_bytes(bits);
}

Bytes vpd_back(const Rule &rule, const Bytes &coded) {
    Bits in = to_bits(coded), out = in;
    for (size_t n = 1; n < in.size() / 3; n++) {
        int a = rule.planet[symbol_at(in, n - 1)], b = rule.planet[symbol_at(in, n)];
        put_symbol(out, n, rule.symbol[a ^ b]);
    }
    return to_bytes(out);
}

struct Shuffle {
    std::vector<size_t> row, column, channel;
    Shuffle(const PaperCase &c, int first)
        : row(ranks(sequence(c.part[first], c.k2, c.rows))),
          column(ranks(sequence(c.part[first + 1], c.k2, c.columns))),
          channel(ranks(sequence(c.part[first + 2], c.k2, c.channels))) {}
};

size_t place(const PaperCase &c, size_t i, size_t j, size_t k) {
    return (k * c.rows + i) * c.columns + j;
}

Bytes shuffle(const PaperCase &c, const Shuffle &s, const Bytes &in, bool back) {
    Bytes out(in.size());
    for (size_t k = 0; k < c.channels; k++) {
        for (size_t i = 0; i < c.rows; i++) {
            for (size_t j = 0; j < c.columns; j++) {
                size_t here = place(c, i, j, k);
                size_t there = place(c, s.row[i], s.column[j], s.channel[k]);
                if (back)
                    out[there] = in[here];
                else
                    out[here] = in[there];
            }
        }
    }
    return out;
}

void zigzag_xor(const PaperCase &c, Bytes &bytes) {
    std::vector<int64_t> key = sequence(c.part[3], c.k2, c.rows * c.columns);
    auto path = zigzag(c.rows, c.columns);
    for (size_t n = 0; n < path.size(); n++)
        for (size_t k = 0; k < c.channels; k++)
            bytes[place(c, path[n].first, path[n].second, k)] ^= std::abs(key[n]) % 256;
}

Bytes planet_xor(const PaperCase &c, const std::array<uint8_t, 8> &table, const Bytes &in,
                 bool back) {
    Bytes key;
    for (int64_t y : sequence(c.part[7], c.k2, in.size())) key.push_back(std::abs(y) % 256);
    Bits bits = to_bits(in), key_bits = to_bits(key);
    size_t whole = bits.size() / 3;
    for (size_t n = 0; n < whole; n++) {
        int mask = symbol_at(key_bits, n), value = symbol_at(bits, n);
        put_symbol(bits, n, back ? table[value ^ mask] : table[value] ^ mask);
    }
    for (size_t t = 3 * whole; t < bits.size(); t++) bits[t] ^= key_bits[t];
    return to_bytes(bits);
}

} // namespace

std::array<uint8_t, 8> planets_of_rule(uint32_t rule) {
    std::array<uint8_t, 8> planet;
    std::iota(planet.begin(), planet.end(), 0);
    while (--rule) std::next_permutation(planet.begin(), planet.end());
    return planet;
}

// Mean distances in AU of Uranus, Mars, Venus, Neptune, Jupiter, Earth, Saturn, Mercury.
std::array<uint8_t, 8> distance_ranks() {
    const double au[8] = {19.19, 1.524, 0.723, 30.07, 5.203, 1.0, 9.537, 0.387};
    std::array<uint8_t, 8> rank;
    for (int p = 0; p < 8; p++)
        rank[p] = uint8_t(std::count_if(au, au + 8, [&](double d) { return d < au[p]; }));
    return rank;
}

int64_t cos15(uint64_t u) {
    const uint64_t half = uint64_t(1) << 62;
    uint64_t w = u <= half ? u : 2 * half - u;
    int64_t size = int64_t((Wide(cosine(w)) * kTen15) / (Wide(1) << 63));
    return u <= half ? size : -size;
}

uint64_t arccos15(uint64_t part) {
    uint64_t low = 0, high = uint64_t(1) << 62;
    while (high - low > 1) {
        uint64_t middle = (low + high) / 2;
        if (Wide(cosine(middle)) * kTen15 > Wide(part) * (Wide(1) << 63))
            low = middle;
        else
            high = middle;
    }
    return high;
}

uint64_t map_step(uint64_t u, uint32_t k2) {
    const uint64_t one = uint64_t(1) << 63;
    uint64_t h = u / 4294967296, l = u % 4294967296;
    uint64_t square = h * h + h * l / 2147483648;
    uint64_t turned = uint64_t(Wide(k2) * square); // mod 2^64: modulo 2 in units of 2^-63
    return turned >= one ? turned - one : one - 1 - turned;
}

std::vector<int64_t> sequence(uint64_t part, uint32_t k2, size_t count) {
    std::vector<int64_t> values;
    uint64_t u = arccos15(part);
    while (values.size() < count) {
        u = map_step(u, k2);
        values.push_back(cos15(u));
    }
    return values;
}

std::vector<size_t> ranks(const std::vector<int64_t> &values) {
    std::vector<size_t> order(values.size()), rank(values.size());
    std::iota(order.begin(), order.end(), 0);
    std::stable_sort(order.begin(), order.end(),
                     [&](size_t a, size_t b) { return values[a] < values[b]; });
    for (size_t n = 0; n < order.size(); n++) rank[order[n]] = n;
    return rank;
}

std::vector<std::pair<size_t, size_t>> zigzag(size_t rows, size_t columns) {
    std::vector<std::pair<size_t, size_t>> path;
    size_t i = 0, j = 0;
    bool up = true;
    while (path.size() < rows * columns) {
        path.emplace_back(i, j);
        if (up) {
            if (j + 1 == columns)
                i++, up = false;
            else if (i == 0)
                j++, up = false;
            else
                i--, j++;
        } else {
            if (i + 1 == rows)
                j++, up = true;
            else if (j == 0)
                i++, up = true;
            else
                i++, j--;
        }
    }
    return path;
}

double cos15_error(uint64_t u, int64_t value) {
    mpfr_t angle, pi;
    mpfr_init2(angle, 200);
    mpfr_init2(pi, 200);
    mpfr_const_pi(pi, MPFR_RNDN);
    mpfr_set_uj(angle, u, MPFR_RNDN);
    mpfr_div_2ui(angle, angle, 63, MPFR_RNDN);
    mpfr_mul(angle, angle, pi, MPFR_RNDN);
    mpfr_cos(angle, angle, MPFR_RNDN);
    mpfr_mul_ui(angle, angle, kTen15, MPFR_RNDN);
    mpfr_sub_si(angle, angle, value, MPFR_RNDN);
    double error = mpfr_get_d(angle, MPFR_RNDN);
    mpfr_clear(angle);
    mpfr_clear(pi);
    return error;
}

Bytes paper_encrypt(const PaperCase &c, const Bytes &plain) {
    Rule rule(c.rule);
    Bytes bytes = plain;
    for (int first : {0, 4}) {
        bytes = vpd(rule, bytes);
        bytes = shuffle(c, Shuffle(c, first), bytes, false);
        zigzag_xor(c, bytes);
    }
    return planet_xor(c, rule.distance, bytes, false);
}

Bytes paper_decrypt(const PaperCase &c, const Bytes &cipher) {
    Rule rule(c.rule);
    Bytes bytes = planet_xor(c, rule.nearest, cipher, true);
    for (int first : {4, 0}) {
        zigzag_xor(c, bytes);
        bytes = shuffle(c, Shuffle(c, first), bytes, true);
        bytes = vpd_back(rule, bytes);
    }
    return bytes;
}

} // namespace reference
