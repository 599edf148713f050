#!/usr/bin/env python3
"""A second reader of Orrery files, written from docs/FORMAT.md and sharing nothing with the C code.

    orrery_reader.py --keys KEYS FILE [-o OUT]
    orrery_reader.py --keyring KEYRING [--passphrase-file F | --recovery-code-file F] FILE [-o OUT]

KEYS holds one master key a line, as 64 hexadecimal digits, behind it perhaps an X25519 private key; '#' starts
a comment. Without -o the file is verified only; in the paper profile OUT gets the pixel volumes, page by page.
`--repair` writes the corrected file to OUT instead, `--salvage` what opens of a damaged one. One JSON object
on stdout says what was found. The exit status is that of FORMAT.md, "Reading a file".

Its parts: orrery_format.py (header, geometry, slots), orrery_keys.py (keys, wraps), hpke_oracle.py,
orrery_metadata.py, orrery_tile.py, orrery_paper.py, orrery_repair.py (the code) and orrery_heal.py (reading
past damage), orrery_keyring.py. Needs the packages cryptography, numpy and xxhash.
"""
import argparse
import hashlib
import json
import mmap
import os
import sys

import orrery_heal
import orrery_keys as k
import orrery_metadata
import xxhash
from orrery_format import (ARCHIVE, AUTH, NOT_ORRERY, PAGE, PAPER, SEGMENT, SEGMENT_TILES, TILE, Refused, header_of,
                           require, xxh3)
from orrery_keyring import read_keyring, read_keys, recovery_key
from orrery_paper import Paper
from orrery_tile import TileCipher, tile_key


class Head:
    """Steps 1 to 9 with the page 0 at `offset`."""

    def __init__(self, image, offset, keys, any_length=False):
        page0 = image.raw(offset, max(0, min(PAGE, image.length - offset)))
        self.warnings = []
        self.header = header = header_of(page0, image.length)
        self.check_length(image.length, offset, any_length)
        size = PAGE * header.slot_pages
        places = [PAGE, PAGE + size] + ([header.tail.slot] if header.parity else [])
        self.unlocked = k.Unlocked(header, page0[224:256], [image.raw(place, size) for place in places], keys)
        self.page0 = header.page0(page0[224:256])
        for name, state in zip("ABC", self.unlocked.states):
            if state != "good":
                self.warnings.append(f"wrap slot {name} is {state}")
        if len({generation for generation in self.unlocked.generations if generation}) > 1:
            self.warnings.append("the wrap slots have different generations")

    def check_length(self, length, offset, any_length):
        wanted = self.header.file_length
        if length == wanted and offset in (0, self.header.file_length - PAGE):
            return
        text = f"{'truncated' if length < wanted else 'grown'}: {length} bytes, not {wanted}"
        require((self.header.parity or any_length) and offset == 0, AUTH, text)
        self.warnings.append(text)


def open_head(image, keys, any_length):
    """The head by the first page 0 or, where that fails, by the second."""
    try:
        return Head(image, 0, keys, any_length)
    except Refused as refused:
        last = image.length - PAGE
        if last < PAGE or image.length % PAGE:
            raise
        try:
            head = Head(image, last, keys)
            require(head.header.parity, AUTH, "a second page 0 without repair data")
        except Refused as second:
            raise (second if refused.status == NOT_ORRERY else refused) from None
        head.warnings.append(f"page 0 is damaged: {refused}")
        return head


class OrreryFile:
    """An encrypted file whose head has been checked: steps 1 to 11 have passed. `warnings` are sentences."""

    def __init__(self, data, keys, salvage=False):
        self.image = image = orrery_heal.Image(data)
        head = open_head(image, keys, salvage)
        self.header, self.unlocked, self.page0, self.warnings = head.header, head.unlocked, head.page0, head.warnings
        self.keys, self.planet_secret = self.unlocked.keys, self.unlocked.secret[32:]
        self.healer = orrery_heal.Healer(image, self.header, self.keys) if self.header.parity else None
        if salvage:
            return
        if not self.healer:
            require(image.raw(0, PAGE) == self.page0, AUTH, "page 0 was altered")
        self.open_metadata()
        self.paper = None
        if self.header.profile == PAPER:
            self.paper = Paper(self.header, self.metadata)
            directories = self.paper.directories
        else:
            require(self.metadata["size"] == self.header.length, AUTH, "metadata and header disagree")
            directories = self.header.geometry.directory()
        if self.healer:
            self.healer.determined(self.header.tail.body_offset, self.sealed + directories)
        elif self.paper:
            self.paper.check(image.read)
        else:
            require(image.read(self.header.ifd_offset, len(directories)) == directories, AUTH, "the TIFF directory was altered")

    def open_metadata(self):
        header, image = self.header, self.image
        for at in [header.tail.body_offset] + ([header.tail.metadata] if header.parity else []):
            self.sealed = image.raw(at, header.metadata_length)
            plain = k.open_metadata(self.keys, self.sealed)
            if plain is not None:
                break
        else:
            self.sealed = self.healer and self.healer.metadata()
            require(self.sealed, AUTH, "the metadata were altered or damaged")
            plain = k.open_metadata(self.keys, self.sealed)
        self.metadata = orrery_metadata.decode(plain, header)

    def heal(self):
        """Repairs what is damaged in the image; step 13. Nothing without repair data."""
        if not self.healer:
            return
        image, header = self.image, self.header
        self.warnings += orrery_heal.check_tail(header, image, self.unlocked, self.page0, self.sealed, self.healer.damage)
        if self.paper:
            self.healer.paper(self.paper, self.pixels_right)
        else:
            self.healer.archive()
        if image.raw(0, PAGE) != self.page0 or image.pages:
            self.warnings.append("damaged: read with the repair data; the file needs repair")

    def whole(self):
        """The corrected file; heal() came before."""
        return orrery_heal.whole_file(self.image, self.header, self.unlocked, self.page0, self.sealed)

    def plaintext(self):
        return self.pages() if self.paper else self.segments()

    # ---- paper profile

    def pixels_right(self):
        digest = xxhash.xxh3_128()
        for volume in self.paper.volumes(self.image.read, self.planet_secret):
            digest.update(volume)
        return digest.digest() == self.metadata["digest"]

    def pages(self):
        """Decrypted volumes of a paper-profile file, page by page; -o writes them one after the other."""
        digest = xxhash.xxh3_128()
        for volume in self.paper.volumes(self.image.read, self.planet_secret):
            digest.update(volume)
            yield volume
        require(digest.digest() == self.metadata["digest"], AUTH, "pixel digest")

    # ---- archive profile

    def segments(self):
        """Plaintext of an archive-profile file, segment by segment; step 12."""
        header, geometry, digests = self.header, self.header.geometry, b""
        for segment in range(geometry.segments):
            head = self.image.read(geometry.segment_offset(segment), PAGE)
            tiles = geometry.segment_tiles(segment)
            require(not any(head[16 * tiles : 2048]) and not any(head[2096:]), AUTH, f"head of segment {segment} was altered")
            nonce = k.segment_nonces(self.keys, segment, head[2080:2096])[1]
            digest = k.gcm_open(self.keys["digest key"], nonce, head[2048:2080])
            require(digest is not None, AUTH, f"digest {segment} was altered or damaged")
            plain = b""
            for tile, data in self.tiles_of(segment, head):
                require(data is not None, AUTH, f"tile {tile} was altered or damaged")
                plain += data
            kept = min(len(plain), header.length - segment * SEGMENT)
            require(not any(plain[kept:]), AUTH, "nonzero padding in the last tile")
            plain = plain[:kept]
            require(xxh3(plain) == digest, AUTH, f"digest of segment {segment}")
            self.check_holes(segment * SEGMENT, plain)
            digests += digest
            yield plain
        end = geometry.tile_offset(geometry.tiles - 1) + geometry.tile_bytes(geometry.tiles - 1)
        require(not any(self.image.read(end, geometry.end - end)), AUTH, "nonzero padding behind the last tile")
        require(xxh3(digests) == self.metadata["digest"], AUTH, "file digest")

    def check_holes(self, at, plain):
        """Record 11 says that these bytes are zeros."""
        for offset, length in self.metadata["holes"]:
            require(not any(plain[max(0, offset - at) : max(0, offset + length - at)]), AUTH, "a hole that is not zero")

    def tiles_of(self, segment, head):
        """(number, plaintext or None) of each tile of a segment."""
        geometry, cipher = self.header.geometry, TileCipher(self.header.rule, self.header.k2)
        base = k.segment_nonces(self.keys, segment, head[2080:2096])[0]
        for i in range(geometry.segment_tiles(segment)):
            tile = SEGMENT_TILES * segment + i
            sealed = self.image.read(geometry.tile_offset(tile), geometry.tile_bytes(tile)) + head[16 * i : 16 * i + 16]
            planets = k.gcm_open(self.keys["tile key"], k.tile_nonce(base, i), sealed)
            yield tile, None if planets is None else cipher.decrypt(tile_key(self.planet_secret, tile), planets)

    def salvaged(self):
        """Every tile that opens in its place, zeros for the others; `lost` counts these."""
        self.lost, geometry, left = 0, self.header.geometry, self.header.length
        for segment in range(geometry.segments):
            head = self.image.read(geometry.segment_offset(segment), PAGE)
            for tile, data in self.tiles_of(segment, head):
                if data is None:
                    self.lost += 1
                    data = bytes(geometry.tile_bytes(tile))
                yield data[: min(left, TILE)]
                left -= min(left, len(data))


def map_file(path):
    with open(path, "rb") as stream:
        if os.fstat(stream.fileno()).st_size == 0:
            return b""
        return mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ)


def first_line(path):
    if path is None:
        return None
    with open(path, "rb") as stream:
        return stream.readline().rstrip(b"\n")


def keys_of(options):
    if options.keys:
        return read_keys(options.keys)
    code = first_line(options.recovery_code_file)
    return read_keyring(options.keyring, first_line(options.passphrase_file),
                        None if code is None else recovery_key(code.decode("ascii", "replace")))


def report(opened, sha256):
    header, metadata, unlocked = opened.header, opened.metadata, opened.unlocked
    return {"profile": {ARCHIVE: "archive", PAPER: "paper"}[header.profile], "length": header.length,
            "path": metadata["path"].decode(errors="backslashreplace"), "mode": metadata["mode"],
            "mtime": metadata["mtime"], "timestamp": metadata["timestamp"], "written": metadata["written"],
            "vault": metadata["vault"] and metadata["vault"].hex(), "label": metadata["label"] and metadata["label"].decode(),
            "holes": metadata["holes"], "regions": metadata["regions"], "sha256": sha256,
            "pixels_sealed": header.profile == ARCHIVE, "known_origin": unlocked.known_origin,
            "wraps": [[wrap.kind, wrap.key_id.hex()] for wrap in unlocked.wraps],
            "slots_good": [state == "good" for state in unlocked.states],
            "slot_pages": header.slot_pages, "repair": [header.parity, header.groups], "warnings": opened.warnings}


def read_file(data, options, keys, out):
    """What is reported; the plaintext, or the corrected file, goes to `out`."""
    opened = OrreryFile(data, keys)
    require(opened.unlocked.known_origin or not options.require_origin, AUTH, "of unknown origin: no wrap of type 1 opened it")
    opened.heal()
    total = hashlib.sha256()
    for plain in opened.plaintext():
        total.update(plain)
        if not options.repair:
            out.write(plain)
    require(opened.paper or opened.metadata["sha256"] in (None, total.digest()), AUTH, "SHA-256 of the file")
    if options.repair:
        out.write(opened.whole())
    return report(opened, total.hexdigest())


def salvage_file(data, keys, out):
    opened = OrreryFile(data, keys, salvage=True)
    require(opened.header.profile == ARCHIVE, AUTH, "only files of the archive profile are salvaged")
    if opened.healer:
        opened.healer.archive()
    for plain in opened.salvaged():
        out.write(plain)
    return {"profile": "archive", "length": opened.header.length, "tiles": opened.header.geometry.tiles, "tiles_lost": opened.lost}


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("file")
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--keys", help="master keys in hexadecimal")
    source.add_argument("--keyring")
    parser.add_argument("--passphrase-file")
    parser.add_argument("--recovery-code-file")
    parser.add_argument("--require-origin", action="store_true", help="refuse a file that only a wrap of type 2 opens")
    parser.add_argument("--repair", action="store_true", help="write the corrected encrypted file to OUT")
    parser.add_argument("--salvage", action="store_true", help="write every tile that opens to OUT")
    parser.add_argument("-o", "--output", help="write the plaintext here (must not exist)")
    options = parser.parse_args(arguments)
    partial = options.output + ".partial" if options.output else os.devnull
    try:
        keys = keys_of(options)
        data = map_file(options.file)
        with open(partial, "wb") as out:
            found = salvage_file(data, keys, out) if options.salvage else read_file(data, options, keys, out)
        if options.output:
            os.link(partial, options.output)
    except Refused as refused:
        print(f"{options.file}: {refused}", file=sys.stderr)
        return refused.status
    finally:
        if options.output and os.path.exists(partial):
            os.unlink(partial)
    print(json.dumps(found))
    return 0


if __name__ == "__main__":
    sys.exit(main())
