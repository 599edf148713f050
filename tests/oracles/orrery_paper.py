"""Paper-profile half of the second reader (orrery_reader.py): directories, volumes, pixel digest.

Written from docs/FORMAT.md; the volume cipher's parts come from volume_oracle.py, which shares nothing
with the C code either. Plain Python: for small images.
"""
import hashlib
import struct

import numpy as np

import volume_oracle as oracle
from orrery_format import AUTH, DESCRIPTION, PAGE, PAPER, align, require

DIRECTORY = 0x8000
TYPE_BYTES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8}


def need(condition, text):
    require(condition, AUTH, text)


# ---- page table and tags (metadata record 8) ---------------------------------------------------

def decode_tags(data, at, count, level):
    tags = []
    for _ in range(count):
        need(len(data) - at >= 12, "page table: cut tag")
        tag, kind, number, length = struct.unpack_from("<HHII", data, at)
        at += 12
        value = data[at : at + length]
        need(len(value) == length, "page table: cut tag")
        at += length
        if kind & DIRECTORY:
            need(level < 2 and TYPE_BYTES.get(kind & ~DIRECTORY, 0) >= 4 and number > 0, "page table: directory")
            need(decode_tags(value, 0, number, level + 1)[1] == length, "page table: directory")
        else:
            need(kind in TYPE_BYTES and number * TYPE_BYTES[kind] == length, "page table: tag length")
        tags.append((tag, kind, number, value))
    return tags, at


class Page:
    FIELDS = ("width", "height", "samples", "bits", "sample_format", "photometric", "planar", "compression",
              "predictor", "fill_order", "converted", "tiled", "chunk_columns", "chunk_rows", "zero", "tag_count")

    def __init__(self, data, at):
        need(len(data) - at >= 44, "page table: cut page")
        for name, value in zip(self.FIELDS, struct.unpack_from("<II10HIIII", data, at)):
            setattr(self, name, value)
        need(0 < self.width < 2**31 and 0 < self.height < 2**31 and self.photometric <= 2 and self.bits in (8, 16) and
             self.samples >= self.colours() and self.sample_format in (1, 2) and self.planar in (1, 2) and not self.zero and
             self.converted <= 1 and self.tiled <= 1 and self.tag_count <= 65535, "page table: page")
        self.tags, self.end = decode_tags(data, at + 44, self.tag_count, 0)

    def colours(self):
        return 3 if self.photometric == 2 else 1

    def row_bytes(self):
        return self.width * self.samples * self.bits // 8

    def bytes(self):
        return self.row_bytes() * self.height

    def shape(self):
        return self.samples, self.height, self.width * self.bits // 8

    def strip_rows(self):
        return min(self.height, max(1, 2**20 // self.row_bytes()))

    def extra_samples(self):
        """ExtraSamples of the cipher image: those of the original as far as they are 0, 1 or 2, else 0."""
        out = [0] * (self.samples - self.colours())
        for tag, kind, number, value in self.tags:
            if tag == 338:
                size = {1: 1, 3: 2, 4: 4, 16: 8}.get(kind)
                for n in range(min(number, len(out)) if size else 0):
                    meaning = int.from_bytes(value[n * size : (n + 1) * size], "little")
                    out[n] = meaning if meaning <= 2 else 0
                break
        return out


def decode_table(data):
    need(len(data) >= 8, "page table: cut")
    version, flags, count = struct.unpack_from("<HHI", data)
    need(version == 1 and flags < 4 and 1 <= count <= 65535, "page table: version, flags or count")
    pages, at = [], 8
    for _ in range(count):
        pages.append(Page(data, at))
        at = pages[-1].end
    need(at == len(data), "page table: bytes behind it")
    return pages


# ---- directories -------------------------------------------------------------------------------

def directory(page, start, data_at, big, first, last):
    """One IFD at file offset `start`, with its values; pixels at data_at."""
    rows, total = page.strip_rows(), page.bytes()
    full = rows * page.row_bytes()
    starts = list(range(0, total, full))
    numbers = {3: "H", 4: "I", 16: "Q"}
    entries = [(256, 4, [page.width]), (257, 4, [page.height]), (258, 3, [page.bits] * page.samples), (259, 3, [1]),
               (262, 3, [page.photometric])]
    if first:
        entries.append((270, 2, None))
    entries += [(273, 16 if big else 4, [data_at + s for s in starts]), (277, 3, [page.samples]), (278, 4, [rows]),
                (279, 4, [min(full, total - s) for s in starts]), (284, 3, [1])]
    if page.extra_samples():
        entries.append((338, 3, page.extra_samples()))
    entries.append((339, 3, [page.sample_format] * page.samples))
    word, inside = ("<Q", 8) if big else ("<I", 4)
    head = struct.pack("<Q" if big else "<H", len(entries))
    rest_at = start + len(head) + len(entries) * (4 + 2 * inside) + inside
    rest = b""
    for tag, kind, values in entries:
        if values is None:
            count, value = len(DESCRIPTION[PAPER]), struct.pack(word, 256)
        else:
            count, value = len(values), struct.pack(f"<{len(values)}{numbers[kind]}", *values)
        if len(value) > inside:
            rest += bytes(-(rest_at + len(rest)) % 8)
            place, rest = rest_at + len(rest), rest + value
            value = struct.pack(word, place)
        head += struct.pack("<HH", tag, kind) + struct.pack(word, count) + value.ljust(inside, b"\0")
    end = rest_at + len(rest)
    return head + struct.pack(word, 0 if last else align(end, 8)) + rest


def directories_at(pages, ifd_offset, offsets, big):
    out = b""
    for n, (page, offset) in enumerate(zip(pages, offsets)):
        out += bytes(-len(out) % 8)
        out += directory(page, ifd_offset + len(out), offset, big, n == 0, n == len(pages) - 1)
    return out


def layout(pages, ifd_offset):
    """(bytes from the first IFD to the pixels, offsets of the pages, E)"""
    for big in (False, True):
        measured = directories_at(pages, ifd_offset, [0] * len(pages), big)
        data_at = align(ifd_offset + len(measured), PAGE)
        offsets = [data_at]
        for page in pages:
            offsets.append(align(offsets[-1] + page.bytes(), PAGE))
        if offsets[-1] < 2**32:
            break
    out = directories_at(pages, ifd_offset, offsets[:-1], big)
    return out.ljust(data_at - ifd_offset, b"\0"), offsets[:-1], offsets[-1]


# ---- volumes -----------------------------------------------------------------------------------

def vpd_inverse(data, planet, symbol):
    values, rest = oracle.symbols(data)
    out, last = [], 0
    for v in values:
        out.append(symbol[planet[v] ^ last])
        last = planet[v]
    return oracle.joined(out, rest)


def decrypt(rule, k2, parts, shape, data):
    channels, rows, columns = shape
    planet, symbol, distance = oracle.rule_tables(rule)
    mask = np.zeros((rows, columns), np.uint8)
    for cell, y in zip(oracle.zigzag(rows, columns), oracle.sequence(parts[3], k2, rows * columns)):
        mask[cell] = abs(y) % 256
    data = bytes(b ^ abs(y) % 256 for b, y in zip(data, oracle.sequence(parts[7], k2, len(data))))
    values, rest = oracle.symbols(data)
    data = oracle.joined([distance.index(v) for v in values], rest)
    for first in (4, 0):
        volume = np.frombuffer(data, np.uint8).reshape(shape) ^ mask
        r1, r2, r3 = (oracle.ranks(oracle.sequence(parts[first + a], k2, n))
                      for a, n in enumerate((rows, columns, channels)))
        before = np.empty_like(volume)
        before[np.ix_(r3, r1, r2)] = volume
        data = vpd_inverse(before.tobytes(), planet, symbol)
    return data


def volume_of(page, pixels):
    """Channels one after the other, 16-bit samples most significant byte first."""
    samples = np.frombuffer(pixels, "<u2" if page.bits == 16 else np.uint8)
    planes = samples.reshape(page.height, page.width, page.samples).transpose(2, 0, 1)
    return planes.astype(">u2" if page.bits == 16 else np.uint8).tobytes()


def page_parts(planet_secret, number):
    """Initial values of a page: of the planet secret itself for the first, hashed with its number for others."""
    hashed = planet_secret if number == 0 else hashlib.sha512(planet_secret + struct.pack(">Q", number)).digest()
    return oracle.parts_of(hashed)


def pixels_of(page, volume):
    """The inverse of volume_of."""
    kind = ">u2" if page.bits == 16 else np.uint8
    planes = np.frombuffer(volume, kind).reshape(page.samples, page.height, page.width)
    return planes.transpose(1, 2, 0).astype("<u2" if page.bits == 16 else np.uint8).tobytes()


def check_regions(regions, pages):
    for number, x, y, width, height in regions:
        need(number < len(pages) and x + width <= pages[number].width and y + height <= pages[number].height,
             "a region outside its page")


def transform_page(page, number, volume, regions, cipher, header, planet_secret):
    """A page's volume with `cipher` (decrypt, or volume_oracle.encrypt) done to all of it or to its regions."""
    if not header.features:
        return cipher(header.rule, header.k2, page_parts(planet_secret, number), page.shape(), volume)
    array, scale = np.frombuffer(volume, np.uint8).reshape(page.shape()).copy(), page.bits // 8
    for index, (of_page, x, y, width, height) in enumerate(regions):
        if of_page == number:
            part = array[:, y : y + height, scale * x : scale * (x + width)]
            done = cipher(header.rule, header.k2, page_parts(planet_secret, index), part.shape, part.tobytes())
            part[:] = np.frombuffer(done, np.uint8).reshape(part.shape)
    return array.tobytes()


class Paper:
    """Places of a paper-profile file, from record 8 and the header; step 11."""

    def __init__(self, header, metadata):
        self.header, self.regions = header, metadata["regions"]
        self.pages = decode_table(metadata["paper"])
        check_regions(self.regions, self.pages)
        need(sum(page.bytes() for page in self.pages) == header.length and len(self.pages) == header.pages,
             "page table and header disagree")
        self.directories, self.offsets, end = layout(self.pages, header.ifd_offset)
        need(end == header.tail.end, "page table and header disagree")

    def gaps(self):
        """(offset, length) of the zero bytes behind each page."""
        for page, offset in zip(self.pages, self.offsets):
            end = offset + page.bytes()
            yield end, align(end, PAGE) - end

    def check(self, read):
        need(read(self.header.ifd_offset, len(self.directories)) == self.directories, "the TIFF directory was altered")
        for offset, length in self.gaps():
            need(not any(read(offset, length)), "a gap between pages was altered")

    def volumes(self, read, planet_secret):
        """Decrypted volumes, page by page."""
        for number, (page, offset) in enumerate(zip(self.pages, self.offsets)):
            volume = volume_of(page, read(offset, page.bytes()))
            yield transform_page(page, number, volume, self.regions, decrypt, self.header, planet_secret)
