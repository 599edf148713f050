"""Repair data of Orrery files, written from docs/FORMAT.md ("Repair data"): Reed-Solomon over pages.

Nothing here has a key: what comes out MUST be authenticated by the caller (orrery_heal.py).
"""
import struct

import numpy as np
import xxhash

from orrery_format import PAGE, SUMS_IN_PAGE, xxh3

# GF(2^8) modulo x^8 + x^4 + x^3 + x^2 + 1; 2 generates its multiplicative group.
EXP, LOG = [1], [0] * 256
for power in range(1, 510):
    value = EXP[-1] << 1
    EXP.append(value ^ 0x11D if value & 0x100 else value)
for power in range(255):
    LOG[EXP[power]] = power


def gf_mul(a, b):
    return EXP[LOG[a] + LOG[b]] if a and b else 0


def gf_inverse(a):
    return EXP[255 - LOG[a]]


MULTIPLES = np.array([[gf_mul(a, b) for b in range(256)] for a in range(256)], np.uint8)


def coefficient(rows, p, r):
    """What row r contributes to parity row p in a group of `rows` rows."""
    return gf_inverse((rows + p) ^ r)


def encode(body, tail):
    """Repair pages of the body, both as arrays [page][byte], in file order."""
    padded = np.zeros((tail.rows * tail.groups, PAGE), np.uint8)
    padded[: len(body)] = body
    rows = padded.reshape(tail.rows, tail.groups, PAGE)
    parity = np.zeros((tail.parity, tail.groups, PAGE), np.uint8)
    for p in range(tail.parity):
        for r in range(tail.rows):
            parity[p] ^= MULTIPLES[coefficient(tail.rows, p, r)][rows[r]]
    number = np.arange(tail.parity_pages)
    return parity[number // tail.groups, (tail.body_pages + number) % tail.groups]


def page_sums(pages):
    """XXH3-64 of each page of the sequence, seeded with its number."""
    return [xxhash.xxh3_64_intdigest(page, seed=number) for number, page in enumerate(pages)]


def seal_sums(file_id, number, sums):
    """Checksum page `number` of at most 510 sums."""
    data = struct.pack(f"<{len(sums)}Q", *sums).ljust(8 * SUMS_IN_PAGE, b"\0")
    return data + xxh3(file_id + struct.pack("<Q", number) + data)


def sum_pages(file_id, sums):
    return b"".join(seal_sums(file_id, number, sums[SUMS_IN_PAGE * number :][:SUMS_IN_PAGE])
                    for number in range(-(-len(sums) // SUMS_IN_PAGE)))


def open_sums(file_id, number, page, used):
    """The first `used` sums of a checksum page, or None when it is damaged."""
    data = page[: 8 * SUMS_IN_PAGE]
    if page != data + xxh3(file_id + struct.pack("<Q", number) + data) or any(data[8 * used :]):
        return None
    return list(struct.unpack_from(f"<{used}Q", data))


def solve(rows, present, parity, missing):
    """Missing rows of one group.

    `present`: row number -> bytes as an array, of every row that is there (rows of zeros may be left out);
    `parity`: parity row number -> array, at least as many as `missing` numbers. Returns number -> array."""
    matrix, right = [], []
    for p in sorted(parity)[: len(missing)]:
        syndrome = parity[p].copy()
        for r, data in present.items():
            syndrome ^= MULTIPLES[coefficient(rows, p, r)][data]
        matrix.append([coefficient(rows, p, r) for r in missing])
        right.append(syndrome)
    for column in range(len(missing)):  # every square part of a Cauchy matrix has an inverse
        pivot = next(i for i in range(column, len(missing)) if matrix[i][column])
        matrix[column], matrix[pivot] = matrix[pivot], matrix[column]
        right[column], right[pivot] = right[pivot], right[column]
        scale = gf_inverse(matrix[column][column])
        matrix[column] = [gf_mul(scale, value) for value in matrix[column]]
        right[column] = MULTIPLES[scale][right[column]]
        for i in range(len(missing)):
            factor = matrix[i][column]
            if i != column and factor:
                matrix[i] = [value ^ gf_mul(factor, own) for value, own in zip(matrix[i], matrix[column])]
                right[i] = right[i] ^ MULTIPLES[factor][right[column]]
    return dict(zip(missing, right))


class Damage:
    """Checksums and repair pages of a file as they stand.

    `read(offset, length)` gives the file's bytes, zeros behind its end. `suspect` holds the numbers of the pages whose
    checksum is wrong or not known."""

    def __init__(self, tail, file_id, read):
        self.tail, self.read = tail, read
        self.sums_good = True
        self.sums = []
        for number in range(tail.sum_pages):
            self.sums += self.sums_of_page(number, file_id)
        self.suspect = {number for number, known in enumerate(self.sums)
                        if known != xxhash.xxh3_64_intdigest(self.page(number), seed=number)}

    def sums_of_page(self, number, file_id):
        total = self.tail.body_pages + self.tail.parity_pages
        used = min(SUMS_IN_PAGE, total - SUMS_IN_PAGE * number)
        copies = [open_sums(file_id, number, self.read(at + PAGE * number, PAGE), used) for at in self.tail.sums]
        self.sums_good = self.sums_good and copies[0] is not None and copies[0] == copies[1]
        return copies[0] or copies[1] or [None] * used

    def page(self, number):
        return self.read(self.tail.page_offset(number), PAGE)

    def solved(self, missing):
        """Body pages that the code gives for the page numbers `missing` (of body and repair pages), by number."""
        tail, groups = self.tail, {}
        for number in missing:
            groups.setdefault(number % tail.groups, set()).add(number)
        out = {}
        for group, lost in groups.items():
            if any(number < tail.body_pages for number in lost) and len(lost) <= tail.parity:
                out.update(self.solved_group(group, lost))
        return out

    def solved_group(self, group, lost):
        tail = self.tail
        array = lambda number: np.frombuffer(self.page(number), np.uint8)
        rows = range(group, tail.body_pages, tail.groups)
        present = {number // tail.groups: array(number) for number in rows if number not in lost}
        missing = [number // tail.groups for number in rows if number in lost]
        parity = {}
        for q in range((group - tail.body_pages) % tail.groups, tail.parity_pages, tail.groups):
            if tail.body_pages + q not in lost:
                parity[q // tail.groups] = array(tail.body_pages + q)
        return {group + r * tail.groups: data.tobytes() for r, data in solve(tail.rows, present, parity, missing).items()}
