#!/usr/bin/env python3
"""Paper profile on one volume, from docs/FORMAT.md alone, in exact Python integers.

Writes the golden vectors: volume_oracle.py DIRECTORY writes trig.txt, volume.txt and paper.txt there.
Needs nothing but the standard library.
"""
import hashlib
import itertools
import sys

TEN15 = 10**15
COSINE = [0x8000000000000000, 0x9DE9E64DF22EF2D2, 0x20783E1036B58767, 0x2ABA78FC797FF40,
          0x1E1F506891BABB, 0xD368F9510254, 0x3F3A7146EC8, 0xDB7127A26, 0x2418C586, 0x4A8316,
          0x7BDC, 0xA9]
PLANETS = ["Uranus", "Mars", "Venus", "Neptune", "Jupiter", "Earth", "Saturn", "Mercury"]
FROM_SUN = ["Mercury", "Venus", "Earth", "Mars", "Jupiter", "Saturn", "Uranus", "Neptune"]


def cos63(w):
    if w == 2**62:
        return 0
    z = w * w >> 60
    c = COSINE[11]
    for coefficient in COSINE[10:0:-1]:
        c = coefficient - (c * z >> 64)
    return max(0, COSINE[0] - (c * z >> 64))


def cos15(u):
    w = min(u, 2**63 - u)
    size = cos63(w) * TEN15 >> 63
    return size if w == u else -size


def arccos15(part):
    low, high = 0, 2**62
    while high - low > 1:
        middle = (low + high) // 2
        if cos63(middle) * TEN15 > part << 63:
            low = middle
        else:
            high = middle
    return high


def step(u, k2):
    h, l = u >> 32, u & 0xFFFFFFFF
    v = k2 * (h * h + (h * l >> 31)) % 2**64
    return v - 2**63 if v >= 2**63 else 2**63 - 1 - v


def sequence(part, k2, count):
    u, out = arccos15(part), []
    for _ in range(count):
        u = step(u, k2)
        out.append(cos15(u))
    return out


def ranks(values):
    order = sorted(range(len(values)), key=lambda n: (values[n], n))
    result = [0] * len(values)
    for place, n in enumerate(order):
        result[n] = place
    return result


def rule_tables(number):
    planet = next(itertools.islice(itertools.permutations(range(8)), number - 1, None))
    symbol = [planet.index(p) for p in range(8)]
    distance = [FROM_SUN.index(PLANETS[p]) for p in planet]
    return planet, symbol, distance


def symbols(data):
    bits = "".join(f"{byte:08b}" for byte in data)
    whole = len(bits) // 3 * 3
    return [int(bits[n:n + 3], 2) for n in range(0, whole, 3)], bits[whole:]


def joined(values, rest):
    bits = "".join(f"{v:03b}" for v in values) + rest
    return bytes(int(bits[n:n + 8], 2) for n in range(0, len(bits), 8))


def vpd(data, planet, symbol):
    values, rest = symbols(data)
    out, last = [], 0
    for v in values:
        last ^= planet[v]
        out.append(symbol[last])
    return joined(out, rest)


def zigzag(rows, columns):
    cells = [(i, j) for i in range(rows) for j in range(columns)]
    return sorted(cells, key=lambda c: (sum(c), c[0] if sum(c) % 2 else -c[0]))


def encrypt(rule, k2, parts, shape, data):
    channels, rows, columns = shape
    planet, symbol, distance = rule_tables(rule)
    mask = {}
    for cell, y in zip(zigzag(rows, columns), sequence(parts[3], k2, rows * columns)):
        mask[cell] = abs(y) % 256
    for first in (0, 4):
        data = vpd(data, planet, symbol)
        r1, r2, r3 = (ranks(sequence(parts[first + a], k2, n))
                      for a, n in enumerate((rows, columns, channels)))
        data = bytes(data[(r3[k] * rows + r1[i]) * columns + r2[j]] ^ mask[i, j]
                     for k in range(channels) for i in range(rows) for j in range(columns))
    values, rest = symbols(data)
    data = joined([distance[v] for v in values], rest)
    return bytes(b ^ abs(y) % 256 for b, y in zip(data, sequence(parts[7], k2, len(data))))


def parts_of(hash64):
    return [int.from_bytes(hash64[8 * n:8 * n + 8], "big") % TEN15 for n in range(8)]


def write_trig(file):
    print("# cos U Y: orr_cos15(U) = Y; arccos PART U; sequence K2 PART Y_1 .. Y_6", file=file)
    for u in (0, 1, 2**32, 2**61, 2**62 - 2**20, 2**62 - 1, 2**62, 2**62 + 1, 3 * 2**61, 2**63 - 1):
        print(f"cos {u:016x} {cos15(u)}", file=file)
    for n in range(12):
        u = int.from_bytes(hashlib.sha512(b"cos %d" % n).digest()[:8], "big") >> 1
        print(f"cos {u:016x} {cos15(u)}", file=file)
    given = [0, 1, 2, 1000, 5 * 10**14, 707106781186547, TEN15 - 2, TEN15 - 1]
    for n in range(8):
        given.append(int.from_bytes(hashlib.sha512(b"arccos %d" % n).digest()[:8], "big") % TEN15)
    for part in given:
        print(f"arccos {part} {arccos15(part):016x}", file=file)
    for k2, part in ((2825054457, 123456789012345), (2825054457, 0), (65537, 5), (4294967295, 999)):
        print("sequence", k2, part, *sequence(part, k2, 6), file=file)


def write_volume(file):
    print("# hash HEX PART1 .. PART8: eight values of a SHA-512 hash", file=file)
    print("# volume RULE K2 C M N HASH PLAIN CIPHER (hexadecimal bytes)", file=file)
    for text in (b"", b"abc"):
        digest = hashlib.sha512(text).digest()
        print("hash", digest.hex(), *parts_of(digest), file=file)
    shapes = [(1, 1, 1), (1, 1, 2), (2, 1, 1), (1, 3, 1), (3, 1, 1), (3, 2, 2), (1, 5, 7), (3, 4, 5),
              (4, 8, 3), (1, 16, 16), (2, 7, 9)]
    for n, shape in enumerate(shapes):
        size = shape[0] * shape[1] * shape[2]
        rule = (37241, 1, 40320, 20161, 5041)[n % 5]
        k2 = (2825054457, 2825054457, 65537)[n % 3]
        digest = hashlib.sha512(b"volume %d" % n).digest()
        plain = hashlib.shake_128(b"plain %d" % n).digest(size) if n % 2 else bytes(size)
        cipher = encrypt(rule, k2, parts_of(digest), shape, plain)
        print("volume", rule, k2, *shape, digest.hex(), plain.hex(), cipher.hex(), file=file)


def write_paper(file):
    print("# page N PLANET_SECRET C M N VOLUME CIPHER: rule 37241, default map, pages of one file", file=file)
    secret = hashlib.sha512(b"planet secret of the vectors").digest()
    for n, shape in enumerate([(3, 5, 7), (1, 6, 8), (2, 4, 6)]):
        size = shape[0] * shape[1] * shape[2]
        plain = hashlib.shake_128(b"page %d" % n).digest(size)
        value = secret if n == 0 else hashlib.sha512(secret + n.to_bytes(8, "big")).digest()
        cipher = encrypt(37241, 2825054457, parts_of(value), shape, plain)
        print("page", n, secret.hex(), *shape, plain.hex(), cipher.hex(), file=file)


if __name__ == "__main__":
    with open(sys.argv[1] + "/trig.txt", "w", encoding="ascii") as trig:
        write_trig(trig)
    with open(sys.argv[1] + "/volume.txt", "w", encoding="ascii") as volume:
        write_volume(volume)
    with open(sys.argv[1] + "/paper.txt", "w", encoding="ascii") as paper:
        write_paper(paper)
