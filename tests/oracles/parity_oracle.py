#!/usr/bin/env python3
"""Repair data from docs/FORMAT.md alone, in Python: parity_oracle.py DIRECTORY writes parity.txt there.

Needs xxhash beside the standard library. Pages of the body are made of a recipe that the C test repeats.
"""
import hashlib
import struct
import sys

import xxhash

PAGE, SUMS = 4096, 510

EXP, LOG = [0] * 255, [0] * 256
power = 1
for exponent in range(255):
    EXP[exponent], LOG[power] = power, exponent
    power = power << 1 ^ (0x11D if power & 0x80 else 0)


def product(a, b):
    return EXP[(LOG[a] + LOG[b]) % 255] if a and b else 0


def inverse(a):
    return EXP[-LOG[a] % 255]


def scaled(coefficient, page):
    """A page times a coefficient, as one large number."""
    return int.from_bytes(page.translate(bytes(product(coefficient, x) for x in range(256))), "big")


def up(a, b):
    return -(-a // b)


def choose(body, tenths):
    groups = up(body, 255000 // (1000 + tenths))
    return max(1, up(up(body, groups) * tenths, 1000)), groups


def recipe(page):
    """The bytes of a body page of the vectors."""
    return bytes((page * 2654435761 + i * 40503 + (i >> 5) * (page + 7)) >> 8 & 255 for i in range(PAGE))


def repair_pages(body, parity, groups):
    rows = up(len(body), groups)
    pages = []
    for q in range(parity * groups):
        group, p = (len(body) + q) % groups, q // groups
        total = 0
        for row in range(rows):
            page = row * groups + group
            if page < len(body):
                total ^= scaled(inverse(rows + p ^ row), body[page])
        pages.append(total.to_bytes(PAGE, "big"))
    return pages


def sum_pages(file_id, pages):
    sums = [xxhash.xxh3_64_intdigest(page, seed=j) for j, page in enumerate(pages)]
    for i in range(up(len(pages), SUMS)):
        part = sums[i * SUMS:(i + 1) * SUMS]
        page = struct.pack(f"<{SUMS}Q", *part, *[0] * (SUMS - len(part)))
        yield page + xxhash.xxh3_128_digest(file_id + struct.pack("<Q", i) + page)


def layout(first, body, parity, groups, sealed, slots):
    """Offsets: repair pages, second checksum pages, second metadata, slot C, page 0, end."""
    sums = up(body + parity * groups, SUMS)
    ends = [(first + body) * PAGE]
    for pages in (sums, parity * groups, sums, up(sealed, PAGE), slots, 1):
        ends.append(ends[-1] + pages * PAGE)
    return ends[1:]


def vectors(file):
    print("# choose K TENTHS m G", file=file)
    for tenths in (5, 7, 10, 50, 123, 200, 333, 500):
        for body in (1, 2, 3, 50, 169, 170, 171, 242, 243, 253, 254, 1000, 262144, 403_000_000):
            print("choose", body, tenths, *choose(body, tenths), file=file)
    print("# layout FIRST K m G SEALED SLOTS, then six offsets", file=file)
    for case in ((3, 1, 1, 1, 100, 1), (5, 1000, 13, 5, 4096, 2), (33, 403_000_000, *choose(403_000_000, 10), 4097, 16),
                 (3, 508, 2, 4, 0, 1)):
        print("layout", *case, *layout(*case), file=file)
    print("# parity FIRST K m G FILE_ID, SHA-256 of the bytes from the end of the body to those of the second "
          "metadata, first 8 bytes of each repair page", file=file)
    for body, parity, groups in ((1, 1, 1), (2, 1, 2), (7, 2, 3), (10, 3, 4), (12, 2, 4), (40, 5, 3), (250, 5, 1),
                                 (128, 127, 1), (1, 254, 1), (520, 7, 9)):
        file_id = hashlib.sha256(b"parity %d" % body).digest()
        data = [recipe(page) for page in range(body)]
        repair = repair_pages(data, parity, groups)
        sums = b"".join(sum_pages(file_id, data + repair))
        print("parity", 3, body, parity, groups, file_id.hex(),
              hashlib.sha256(sums + b"".join(repair) + sums).hexdigest(), *(page[:8].hex() for page in repair), file=file)


if __name__ == "__main__":
    with open(sys.argv[1] + "/parity.txt", "w", encoding="ascii") as out:
        vectors(out)
