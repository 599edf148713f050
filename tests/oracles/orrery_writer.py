"""A second writer of Orrery files, written from docs/FORMAT.md: both profiles, every option, and hostile files.

    file = Writer(b"plaintext", wraps=[by_master(KEY)], parity=50).file()

Everything random comes from `seed`, so that vectors stay the same. `edit` maps the name of a stage to a function from
bytes to bytes; what comes later is made over the altered bytes, so a hostile file is right but for what was altered.
Stages, in the order in which they are called:

    records         the metadata records, before they are padded
    header          the 192 bytes that every key depends on
    metadata        the padded plaintext of the metadata
    sealed          the sealed metadata, of both copies
    tile N          the padded plaintext of a tile (archive)
    digest N        the digest of a segment
    head N          the head page of a segment (archive)
    directory       the bytes from I to D
    body            the bytes from M to E, before repair data are made of them
    slot A, B, C    a whole slot; the list `wraps` is before its MAC
    parity          all repair pages, before they are summed
    sums            the checksum pages, of both copies
    page0           page 0, of both copies
    tail            everything behind E
    file            the whole file

Someone who has a public key only makes files whose wraps are by_recipient() alone, or raw Wrap objects.
"""
import hashlib
import struct

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

import numpy as np
import orrery_keys as k
import orrery_metadata as m
import orrery_paper
import orrery_repair
import volume_oracle
from orrery_format import (ARCHIVE, PAGE, PAPER, REGIONS, ROW, SEGMENT, SEGMENT_TILES, TILE, DESCRIPTION, Geometry, Tail, Wrap, align,
                           chosen_parity, encode_slot, header_bytes, xxh3)
from orrery_tile import TileCipher, tile_key

RULE, K2 = 37241, 2825054457


def drawn(seed, name, length):
    """`length` bytes that stand for a secret or random value."""
    return hashlib.shake_256(f"orrery test {seed}{name}".encode()).digest(length)


# ---- wraps: functions (writer, number) -> Wrap -------------------------------------------------

def by_master(key):
    return lambda writer, number: k.master_wrap(key, writer.header, writer.secret)


def by_recipient(key_id, public):
    return lambda writer, number: k.recipient_wrap(key_id, public, writer.draw(f"seed {number}", 32), writer.header,
                                                   writer.secret)


def raw_wrap(kind, key_id, body):
    return lambda writer, number: Wrap(kind, key_id, body)


class Writer:
    """One file. `parity` is tenths of a percent, or (pages in a group, groups), or None. `values` are more or other
    metadata records, tag -> bytes, or None for one that is left out. `fields` are header fields over the right ones.
    For the paper profile `table` is record 8 and `plain` the list of the pages' volumes."""

    def __init__(self, plain, wraps, *, profile=ARCHIVE, seed="", rule=RULE, k2=K2, slot_pages=1, parity=None, generation=1,
                 path=b"scan.svs", size=None, mtime=(-1234567890, 987654321), mode=0o640, timestamp=b"07-01-2025 12:34:56",
                 written=(1736253296, 5), sha256=None, regions=None, table=None, values=(), fields=(), metadata_length=None,
                 secret=None, edit=()):
        self.plain, self.profile, self.seed, self.rule, self.k2 = plain, profile, seed, rule, k2
        self.slot_pages, self.generation, self.table, self.regions = slot_pages, generation, table, regions
        self.edits, self.fields = dict(edit), dict(fields)
        self.secret = secret or self.draw("seal root", 32) + self.draw("planet secret", 64)
        self.planet_secret = self.secret[32:]
        self.records = self.edited("records", m.encode({
            1: path, 2: struct.pack("<Q", self.length() if size is None else size), 3: struct.pack("<qI", *mtime),
            4: struct.pack("<I", mode), 5: self.digest(), 6: sha256, 7: timestamp, 8: table,
            9: struct.pack("<qI", *written),
            12: None if regions is None else b"".join(struct.pack("<5I", *region) for region in regions), **dict(values)}))
        self.metadata_length = metadata_length or m.sealed_length(len(self.records), profile)
        self.layout(parity)
        self.header = self.edited("header", self.header_now())
        self.keys = k.file_keys(self.secret, self.header)
        self.wraps = [wrap(self, number) for number, wrap in enumerate(wraps)]

    def draw(self, name, length):
        return drawn(self.seed, name, length)

    def edited(self, stage, data):
        return self.edits[stage](data) if stage in self.edits else data

    def length(self):
        return len(self.plain) if self.profile == ARCHIVE else sum(map(len, self.plain))

    def digest(self):
        if self.profile == PAPER:
            return xxh3(b"".join(self.plain))
        return xxh3(b"".join(xxh3(self.plain[at : at + SEGMENT]) for at in range(0, max(1, len(self.plain)), SEGMENT)))

    def layout(self, parity):
        """Every place, from the lengths."""
        self.ifd_offset = PAGE * (1 + 2 * self.slot_pages) + self.metadata_length
        if self.profile == ARCHIVE:
            self.geometry = Geometry(len(self.plain), self.metadata_length, self.slot_pages)
            self.directory, end = self.geometry.directory(), self.geometry.end
        else:
            self.pages = orrery_paper.decode_table(self.table)
            self.directory, self.offsets, end = orrery_paper.layout(self.pages, self.ifd_offset)
        body_pages = end // PAGE - 1 - 2 * self.slot_pages
        if parity is None:
            parity = 0, 0
        elif isinstance(parity, int):
            parity = chosen_parity(body_pages, parity)
        self.tail = Tail(end, self.slot_pages, self.metadata_length, *parity)

    def header_now(self):
        archive = self.profile == ARCHIVE
        right = dict(profile=self.profile, slot_pages=self.slot_pages, rule=self.rule, k2=self.k2,
                     features=0 if self.regions is None else REGIONS, file_id=self.draw("file id", 32), length=self.length(),
                     metadata_length=self.metadata_length, tile_bytes=TILE if archive else 0,
                     segment_tiles=SEGMENT_TILES if archive else 0, file_length=self.tail.file_length,
                     pages=1 if archive else len(self.pages), parity=self.tail.parity, groups=self.tail.groups)
        return header_bytes(**{**right, **self.fields})

    # ---- the parts

    def slot(self, letter):
        wraps = [wrap.encode() if isinstance(wrap, Wrap) else wrap for wrap in self.wraps]
        return self.edited(f"slot {letter}", encode_slot(self.generation, wraps, self.keys["header mac"], self.slot_pages))

    def page0(self):
        big = self.tail.end >= 2**32
        tiff = struct.pack("<2sHHHQ", b"II", 43, 8, 0, self.ifd_offset) if big else \
            struct.pack("<2sHI8x", b"II", 42, self.ifd_offset)
        head = tiff + b"\x89ORRERY\r\n\x1a\n" + bytes(5) + self.header + self.keys["commitment"] + DESCRIPTION[self.profile]
        return self.edited("page0", head.ljust(PAGE, b"\0"))

    def sealed(self):
        plain = self.edited("metadata", self.records.ljust(self.metadata_length - 32, b"\0"))
        return self.edited("sealed", k.seal_metadata(self.keys, self.draw("metadata salt", 16), plain))

    def segment(self, number, cipher):
        """Head page and tiles of a segment, zeros to a page behind them."""
        salt, geometry = self.draw(f"segment salt {number}", 16), self.geometry
        base, nonce = k.segment_nonces(self.keys, number, salt)
        padded = self.plain.ljust(ROW * geometry.rows, b"\0")
        tags = data = b""
        for i in range(geometry.segment_tiles(number)):
            tile = SEGMENT_TILES * number + i
            plain = self.edited(f"tile {tile}", padded[TILE * tile :][:TILE])
            planets = cipher.encrypt(tile_key(self.planet_secret, tile), plain)
            sealed = AESGCM(self.keys["tile key"]).encrypt(k.tile_nonce(base, i), planets, None)
            tags, data = tags + sealed[-16:], data + sealed[:-16]
        digest = self.edited(f"digest {number}", xxh3(self.plain[SEGMENT * number :][:SEGMENT]))
        head = tags.ljust(2048, b"\0") + AESGCM(self.keys["digest key"]).encrypt(nonce, digest, None) + salt
        return self.edited(f"head {number}", head.ljust(PAGE, b"\0")) + data.ljust(align(len(data), PAGE), b"\0")

    def data(self):
        """Everything from D to E."""
        if self.profile == ARCHIVE:
            cipher = TileCipher(self.rule, self.k2)
            return b"".join(self.segment(number, cipher) for number in range(self.geometry.segments))
        out = b""
        for number, (page, volume) in enumerate(zip(self.pages, self.plain)):
            done = orrery_paper.transform_page(page, number, volume, self.regions, volume_oracle.encrypt, self, self.planet_secret)
            pixels = orrery_paper.pixels_of(page, done)
            out += pixels.ljust(align(len(pixels), PAGE), b"\0")
        return out

    @property
    def features(self):
        return self.regions is not None

    def tail_bytes(self, body, sealed):
        """Everything behind E."""
        if not self.tail.parity:
            return b""
        file_id, pages = self.header[16:48], np.frombuffer(body, np.uint8).reshape(-1, PAGE)
        parity = self.edited("parity", orrery_repair.encode(pages, self.tail).tobytes())
        sequence = [*pages, *np.frombuffer(parity, np.uint8).reshape(-1, PAGE)]
        sums = self.edited("sums", orrery_repair.sum_pages(file_id, orrery_repair.page_sums(sequence)))
        return sums + parity + sums + sealed.ljust(PAGE * self.tail.metadata_pages, b"\0") + self.slot("C") + self.page0()

    def file(self):
        sealed = self.sealed()
        body = self.edited("body", sealed + self.edited("directory", self.directory) + self.data())
        head = self.page0() + self.slot("A") + self.slot("B")
        return self.edited("file", head + body + self.edited("tail", self.tail_bytes(body, sealed)))


def put(offset, data):
    """An edit: `data` over what stands at `offset`."""
    return lambda old: old[:offset] + data + old[offset + len(data) :]


def flip(offset, bit=0):
    """An edit: one bit turned."""
    return lambda old: old[:offset] + bytes([old[offset] ^ 1 << bit]) + old[offset + 1 :]
