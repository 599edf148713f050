"""The container of Orrery files, written from docs/FORMAT.md: header, geometry, page 0, directory, slots.

Nothing here needs a key but the MAC of a slot. orrery_reader.py and orrery_writer.py stand on it.
"""
import hmac
import struct

import numpy as np
import xxhash

AUTH, KEY, UNREADABLE, UNSUPPORTED, NOT_ORRERY = 4, 5, 7, 8, 10
PAGE, TILE, SEGMENT_TILES, ROW = 4096, 49152, 128, 384
SEGMENT = TILE * SEGMENT_TILES
ARCHIVE, PAPER = 1, 2
REGIONS = 1  # must-understand feature, bit 0
MAGIC = b"\x89ORRERY\r\n\x1a\n" + bytes(5)
MAX_LENGTH = 384 * (2**32 - 1)
SUMS_IN_PAGE = 510
DESCRIPTION = {
    ARCHIVE: b"Orrery encrypted file, format version 1, profile archive. These pixels are ciphertext: open the file "
             b"with `orrery decrypt -k KEYRING FILE -o OUT`. Confidentiality and integrity rest on AES-256-GCM under "
             b"keys of their own; the planet layer (1-DEC map and Virtual Planet Domain) adds no claimed security bits. "
             b"Programs that rewrite TIFF files destroy it.\0",
    PAPER: b"Orrery encrypted file, format version 1, profile paper, for study of a published scheme. Open it with "
           b"`orrery decrypt -k KEYRING FILE -o OUT`. The pixels are NOT sealed: they are enciphered by the planet layer "
           b"alone (1-DEC map and Virtual Planet Domain), which adds no claimed security bits. Only the tags and the "
           b"digest of the original are sealed with AES-256-GCM. Use the archive profile to protect data. Programs that "
           b"rewrite TIFF files destroy it.\0",
}


class Refused(Exception):
    """A file that a reader must refuse: exit status and a sentence."""

    def __init__(self, status, text):
        super().__init__(text)
        self.status = status


def require(condition, status, text):
    if not condition:
        raise Refused(status, text)


def ceil(value, by):
    return -(-value // by)


def align(value, to):
    return ceil(value, to) * to


def be64(n):
    return struct.pack(">Q", n)


def xxh3(data):
    return xxhash.xxh3_128(data).digest()


# ---- geometry --------------------------------------------------------------------------------

class Tail:
    """Repair data behind E: `parity` pages in each of `groups`; both 0 without. Offsets in bytes."""

    def __init__(self, end, slot_pages, metadata_length, parity, groups):
        self.end, self.slot_pages, self.parity, self.groups = end, slot_pages, parity, groups
        self.body_offset = PAGE * (1 + 2 * slot_pages)
        self.body_pages = (end - self.body_offset) // PAGE
        self.metadata_pages = ceil(metadata_length, PAGE)
        if not parity:
            self.file_length = end
            return
        self.rows = ceil(self.body_pages, groups)
        self.parity_pages = parity * groups
        self.sum_pages = ceil(self.body_pages + self.parity_pages, SUMS_IN_PAGE)
        self.sums = [end, end + PAGE * (self.sum_pages + self.parity_pages)]
        self.parity_offset = end + PAGE * self.sum_pages
        self.metadata = self.sums[1] + PAGE * self.sum_pages
        self.slot = self.metadata + PAGE * self.metadata_pages
        self.page0 = self.slot + PAGE * slot_pages
        self.file_length = self.page0 + PAGE

    def within_limits(self):
        return not self.parity or (1 <= self.groups <= self.body_pages and self.rows + self.parity <= 255)

    def page_offset(self, number):
        """Where the page with this number in the sequence of body and repair pages stands."""
        if number < self.body_pages:
            return self.body_offset + PAGE * number
        return self.parity_offset + PAGE * (number - self.body_pages)


def chosen_parity(body_pages, tenths):
    """(repair pages in a group, groups) that a writer takes for `tenths` of a percent."""
    most = 255000 // (1000 + tenths)
    groups = ceil(body_pages, most)
    return max(1, ceil(ceil(body_pages, groups) * tenths, 1000)), groups


def tail_of_length(file_length, slot_pages, metadata_length, parity, groups):
    """The Tail of a file of this length, or None when no E gives it."""
    if not parity:
        return Tail(file_length, slot_pages, metadata_length, 0, 0)
    low, high = 0, file_length // PAGE
    while low < high:
        middle = (low + high + 1) // 2
        tail = Tail(PAGE * (1 + 2 * slot_pages + middle), slot_pages, metadata_length, parity, groups)
        low, high = (middle, high) if tail.file_length <= file_length else (low, middle - 1)
    tail = Tail(PAGE * (1 + 2 * slot_pages + low), slot_pages, metadata_length, parity, groups)
    return tail if tail.file_length == file_length else None


class Geometry:
    """Places of an archive-profile file up to E."""

    def __init__(self, length, metadata_length, slot_pages):
        self.length = length
        self.rows = max(1, ceil(length, ROW))
        self.tiles = ceil(self.rows, 128)
        self.segments = ceil(self.tiles, SEGMENT_TILES)
        self.ifd_offset = PAGE * (1 + 2 * slot_pages) + metadata_length
        for self.big in (False, True):
            self.data_offset = align(self.ifd_offset + self.directory_bytes(), PAGE)
            self.end = self.data_offset + PAGE * self.segments + align(ROW * self.rows, PAGE)
            if self.end < 2**32:
                break

    def directory_bytes(self):
        field = 8 if self.big else 4
        end = (8 if self.big else 2) + 11 * (4 + 2 * field) + field
        for value in ([6] if not self.big else []) + [field * self.tiles, 4 * self.tiles]:
            if value > field:
                end = align(end, 8) + value
        return end

    def segment_offset(self, segment):
        return self.data_offset + segment * (PAGE + SEGMENT)

    def segment_tiles(self, segment):
        return min(SEGMENT_TILES, self.tiles - segment * SEGMENT_TILES)

    def tile_offset(self, tile):
        return self.segment_offset(tile // SEGMENT_TILES) + PAGE + TILE * (tile % SEGMENT_TILES)

    def tile_bytes(self, tile):
        return ROW * min(128, self.rows - 128 * tile)

    def directory(self):
        """The bytes from the IFD to the data."""
        tile = np.arange(self.tiles, dtype=np.uint64)
        segment = tile // np.uint64(SEGMENT_TILES)
        offsets = np.uint64(self.data_offset) + tile * np.uint64(TILE) + (segment + np.uint64(1)) * np.uint64(PAGE)
        counts = np.full(self.tiles, TILE, "<u4")
        counts[-1] = self.tile_bytes(self.tiles - 1)
        # tag, type, count, value (bytes) or the offset of a value that stands elsewhere (int)
        entries = [
            (256, 4, 1, struct.pack("<I", 128)), (257, 4, 1, struct.pack("<I", self.rows)),
            (258, 3, 3, struct.pack("<HHH", 8, 8, 8)), (259, 3, 1, struct.pack("<H", 1)),
            (262, 3, 1, struct.pack("<H", 2)), (270, 2, len(DESCRIPTION[ARCHIVE]), 256),
            (273, 16 if self.big else 4, self.tiles, offsets.astype("<u8" if self.big else "<u4").tobytes()),
            (277, 3, 1, struct.pack("<H", 3)), (278, 4, 1, struct.pack("<I", 128)),
            (279, 4, self.tiles, counts.tobytes()), (284, 3, 1, struct.pack("<H", 1)),
        ]
        field, number = (8, "<Q") if self.big else (4, "<I")
        ifd = struct.pack(number if self.big else "<H", len(entries))
        rest, at = b"", len(ifd) + len(entries) * (4 + 2 * field) + field
        for tag, kind, count, value in entries:
            if isinstance(value, int):
                value = struct.pack(number, value)
            elif len(value) > field:
                rest += bytes(-(self.ifd_offset + at + len(rest)) % 8)
                place = self.ifd_offset + at + len(rest)
                rest += value
                value = struct.pack(number, place)
            ifd += struct.pack("<HH", tag, kind) + struct.pack(number, count) + value.ljust(field, b"\0")
        whole = ifd + bytes(field) + rest
        return whole.ljust(self.data_offset - self.ifd_offset, b"\0")


# ---- header and page 0 -----------------------------------------------------------------------

HEADER = struct.Struct("<HHBBHII32sQQIIQIHHII96s")
HEADER_FIELDS = ("version", "suite", "profile", "slot_pages", "rule", "k2", "features", "file_id", "length",
                 "metadata_length", "tile_bytes", "segment_tiles", "file_length", "pages", "parity", "zero", "groups",
                 "ignorable", "reserved")


def header_bytes(**fields):
    """192 bytes; what is not given is 0, version 1, suite 2."""
    given = {**dict.fromkeys(HEADER_FIELDS, 0), "version": 1, "suite": 2, "file_id": b"", "reserved": b"", **fields}
    return HEADER.pack(*(given[name] for name in HEADER_FIELDS))


class Header:
    """The immutable header, checked (steps 3 and 4 of "Reading a file")."""

    def __init__(self, raw):
        self.raw = raw
        for name, value in zip(HEADER_FIELDS, HEADER.unpack(raw)):
            setattr(self, name, value)
        self.check_fields()
        self.ifd_offset = PAGE * (1 + 2 * self.slot_pages) + self.metadata_length
        places = self.slot_pages, self.metadata_length, self.parity, self.groups
        if self.profile == ARCHIVE:
            self.geometry = Geometry(self.length, self.metadata_length, self.slot_pages)
            self.tail = Tail(self.geometry.end, *places)
            require(self.tail.within_limits(), UNSUPPORTED, "repair data beyond the limits")
            require(self.tail.file_length == self.file_length, AUTH, "the header contradicts itself")
        else:
            require(self.file_length % PAGE == 0, AUTH, "the file length is no multiple of a page")
            self.tail = tail_of_length(self.file_length, *places)
            require(self.tail, AUTH, "the header contradicts itself")
            require(self.tail.within_limits(), UNSUPPORTED, "repair data beyond the limits")
            require(self.ifd_offset + self.length <= self.tail.end, AUTH, "the header contradicts itself")
        self.big = self.tail.end >= 2**32

    def check_fields(self):
        for name, known in (("version", (1,)), ("suite", (2,)), ("profile", (ARCHIVE, PAPER))):
            require(getattr(self, name) in known, UNSUPPORTED, f"unknown {name} {getattr(self, name)}")
        archive = self.profile == ARCHIVE
        require(self.features & ~(0 if archive else REGIONS) == 0, UNSUPPORTED, f"unknown feature {self.features:08x}")
        require(self.zero == 0 and not any(self.reserved), UNSUPPORTED, "reserved header bytes are not zero")
        require(1 <= self.slot_pages <= 16, UNSUPPORTED, f"{self.slot_pages} slot pages")
        require(1 <= self.rule <= 40320, UNSUPPORTED, f"no rule {self.rule}")
        require(self.k2 % 2 == 1, UNSUPPORTED, f"even map constant {self.k2}")
        unit, most = (1024, 2**20) if archive else (4096, 2**26)
        require(0 < self.metadata_length <= most and self.metadata_length % unit == 0, UNSUPPORTED, "length of the metadata")
        require((self.tile_bytes, self.segment_tiles) == ((TILE, SEGMENT_TILES) if archive else (0, 0)), UNSUPPORTED,
                "unsupported tile geometry")
        require(self.pages == 1 if archive else 1 <= self.pages <= 65535, UNSUPPORTED, f"{self.pages} pages")
        require(not archive or self.length <= MAX_LENGTH, UNSUPPORTED, "too long")
        require(self.parity <= 254 and (self.parity == 0) == (self.groups == 0), UNSUPPORTED, "fields of repair data")

    def page0(self, commitment):
        tiff = struct.pack("<2sHHHQ", b"II", 43, 8, 0, self.ifd_offset) if self.big else \
            struct.pack("<2sHI", b"II", 42, self.ifd_offset).ljust(16, b"\0")
        return (tiff + MAGIC + self.raw + commitment + DESCRIPTION[self.profile]).ljust(PAGE, b"\0")


def header_of(page0, length):
    """Steps 1 to 3 on the page 0 of a file of `length` bytes."""
    cut = length < 32 and page0[16:24] == MAGIC[:8]
    require(cut or page0[16:32] == MAGIC, NOT_ORRERY, "no magic")
    require(len(page0) >= 224, AUTH, "truncated inside the header")
    return Header(page0[32:224])


# ---- slots -----------------------------------------------------------------------------------

WRAP_LENGTHS = {1: 120, 2: 160}


class Wrap:
    def __init__(self, kind, key_id, body):
        self.kind, self.key_id, self.body = kind, key_id, body

    def encode(self):
        return struct.pack("<HHI", self.kind, 0, 16 + len(self.body)) + self.key_id + self.body


def decode_slot(data):
    """(generation, wraps) or None when damaged."""
    if len(data) < PAGE or data[:8] != b"ORRSLOT1" or xxh3(data[:-16]) != data[-16:]:
        return None
    generation, count, zero = struct.unpack_from("<QII", data, 8)
    if generation == 0 or not 1 <= count <= 256 or zero:
        return None
    wraps, at, end = [], 24, len(data) - 48
    for _ in range(count):
        if end - at < 8:
            return None
        kind, zero, length = struct.unpack_from("<HHI", data, at)
        if kind == 0 or zero or length < 16 or length % 8 or length > end - at - 8 or length != WRAP_LENGTHS.get(kind, length):
            return None
        wraps.append(Wrap(kind, data[at + 8 : at + 24], data[at + 24 : at + 8 + length]))
        at += 8 + length
    return None if any(data[at:end]) else (generation, wraps)


def encode_slot(generation, wraps, mac_key, slot_pages, count=None, zero=0):
    """A wrap slot; `wraps` as bytes one after the other. Overlong ones are an error of the caller."""
    head = b"ORRSLOT1" + struct.pack("<QII", generation, len(wraps) if count is None else count, zero) + b"".join(wraps)
    assert len(head) <= PAGE * slot_pages - 48, "the wraps need more slot pages"
    slot = head.ljust(PAGE * slot_pages - 48, b"\0")
    slot += hmac.digest(mac_key, slot, "sha256")
    return slot + xxh3(slot)
