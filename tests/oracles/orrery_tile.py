"""The tile cipher of the archive profile, written from docs/FORMAT.md ("The planet layer", "The tile cipher")."""
import functools
import hashlib
import math
import struct

import numpy as np

from orrery_format import ROW, be64

MASK63 = np.uint64(2**63 - 1)
# Places by distance from the Sun of Uranus, Mars, Venus, Neptune, Jupiter, Earth, Saturn, Mercury.
SUN = [6, 3, 1, 7, 4, 2, 5, 0]


def map_step(u, k2):
    high, low = u >> np.uint64(32), u & np.uint64(0xFFFFFFFF)
    square = high * high + ((high * low) >> np.uint64(31))
    v = np.uint64(k2) * square
    return np.where(v >> np.uint64(63) == 1, v, ~v) & MASK63


def map_word(u):
    return (u >> np.uint64(20)).astype(np.uint32)


def lanes_start(x, lanes, k2):
    z = np.uint64(x) + (lanes.astype(np.uint64) + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    u = (z ^ (z >> np.uint64(31))) >> np.uint64(1)
    return map_step(map_step(u, k2), k2)


def lane_words(x, lanes, steps, k2):
    """words[step][lane]"""
    u, words = lanes_start(x, lanes, k2), []
    for _ in range(steps):
        u = map_step(u, k2)
        words.append(map_word(u))
    return np.stack(words)


@functools.lru_cache
def zigzag_numbers(rows, columns):
    """number[r][c]: place of a cell in JPEG zigzag order, the first move going right."""
    number, n = np.zeros((rows, columns), np.uint64), 0
    for diagonal in range(rows + columns - 1):
        cells = [(r, diagonal - r) for r in range(rows) if 0 <= diagonal - r < columns]
        for r, c in cells if diagonal % 2 else reversed(cells):
            number[r, c] = n
            n += 1
    return number


def tile_keystream(x, zigzag, rows, k2):
    """Key bytes as an array [channel][row][column]."""
    lanes = zigzag_numbers(16, 32).reshape(-1) if zigzag else np.arange(512, dtype=np.uint64)
    words = lane_words(x, lanes, 24, k2)  # step 3 s + m serves row s of the cell in channel m
    words = words.reshape(8, 3, 16, 32).transpose(1, 2, 0, 3)  # channel, cell row, row, cell column
    data = np.ascontiguousarray(words).astype("<u4").view(np.uint8)
    return data.reshape(3, 128, 128)[:, :rows]


def ranks(keys):
    order = np.argsort(keys, kind="stable")
    rank = np.empty(len(keys), np.int64)
    rank[order] = np.arange(len(keys))
    return rank


def tile_ranks(x, count, k2):
    keys = lane_words(x, np.arange(32), 4, k2).reshape(-1)  # key 32 step + lane
    keys = (keys & np.uint32(0xFFFFFF80)) | np.arange(128, dtype=np.uint32)
    return ranks(keys[:count])


def channel_ranks(x, k2):
    keys = lane_words(x, np.arange(1), 3, k2).reshape(-1)
    return ranks((keys & np.uint32(0xFFFFFFFC)) | np.arange(3, dtype=np.uint32))


def rule_planets(number):
    """planet[v] of rule 1..40320: the number-th permutation in lexicographic order."""
    left, number, planets = list(range(8)), number - 1, []
    for i in range(8, 0, -1):
        place, number = divmod(number, math.factorial(i - 1))
        planets.append(left.pop(place))
    return np.array(planets, np.uint8)


def symbols_of(tile):
    """Symbols in scan order: bit column by bit column, inside one row by row; R is the first bit."""
    bits = np.unpackbits(tile, axis=2)  # [channel][row][bit column], most significant bit first
    return (bits[0] * 4 + bits[1] * 2 + bits[2]).T.reshape(-1)


def tile_of(symbols, rows):
    symbols = symbols.reshape(1024, rows).T
    bits = np.stack([symbols >> 2, symbols >> 1 & 1, symbols & 1])
    return np.packbits(bits, axis=2)


class TileCipher:
    def __init__(self, rule, k2):
        self.k2 = k2
        self.planet = rule_planets(rule)
        self.symbol = np.argsort(self.planet).astype(np.uint8)
        self.rank = np.array([SUN[p] for p in self.planet], np.uint8)
        self.unrank = np.argsort(self.rank).astype(np.uint8)

    def vpd(self, tile):
        planets = self.planet[symbols_of(tile)]
        return tile_of(self.symbol[np.bitwise_xor.accumulate(planets)], tile.shape[1])

    def vpd_inverse(self, tile):
        planets = self.planet[symbols_of(tile)]
        planets[1:] ^= planets[:-1].copy()
        return tile_of(self.symbol[planets], tile.shape[1])

    def orders(self, key, turn, rows):
        a, b, c = key[4 * turn : 4 * turn + 3]
        return (channel_ranks(c, self.k2)[:, None, None],
                tile_ranks(a, rows, self.k2)[None, :, None],
                tile_ranks(b, 128, self.k2)[None, None, :])

    def encrypt(self, key, data):
        rows = len(data) // ROW
        tile = np.frombuffer(data, np.uint8).reshape(3, rows, 128)
        for turn in (0, 1):
            tile = self.vpd(tile)[self.orders(key, turn, rows)]
            tile = tile ^ tile_keystream(key[3], True, rows, self.k2)
        tile = tile_of(self.rank[symbols_of(tile)], rows)
        return (tile ^ tile_keystream(key[7], False, rows, self.k2)).tobytes()

    def decrypt(self, key, data):
        rows = len(data) // ROW
        tile = np.frombuffer(data, np.uint8).reshape(3, rows, 128)
        tile = tile ^ tile_keystream(key[7], False, rows, self.k2)
        tile = tile_of(self.unrank[symbols_of(tile)], rows)
        for turn in (1, 0):
            tile = tile ^ tile_keystream(key[3], True, rows, self.k2)
            plain = np.empty_like(tile)
            plain[self.orders(key, turn, rows)] = tile
            tile = self.vpd_inverse(plain)
        return tile.tobytes()


def tile_key(planet_secret, tile):
    return struct.unpack(">8Q", hashlib.sha512(planet_secret + be64(tile)).digest())
