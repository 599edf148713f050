#!/usr/bin/env python3
"""A second reader of Orrery files, written from docs/FORMAT.md and sharing nothing with the C code.

    orrery_reader.py --keys KEYS FILE [-o OUT]
    orrery_reader.py --keyring KEYRING [--passphrase-file F | --recovery-code-file F] FILE [-o OUT]

KEYS holds one master key a line, as 64 hexadecimal digits; '#' starts a comment. Without -o the file
is verified only; in the paper profile OUT gets the pixel volumes, page by page. One JSON object on
stdout says what was found. The exit status is that of FORMAT.md, "Reading a file". Needs the packages
cryptography and numpy; with xxhash it also checks the XXH3 digests (the seals are always checked).
"""
import argparse
import functools
import hashlib
import hmac
import json
import math
import os
import struct
import sys

import numpy as np
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import keywrap
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

import orrery_paper
from orrery_keyring import (AUTH, KEY, NOT_ORRERY, UNSUPPORTED, Refused, hkdf_expand, hkdf_extract, master_key_id, read_code,
                            read_keyring, require)

try:
    import xxhash
except ImportError:
    xxhash = None

PAGE, TILE, SEGMENT_TILES, ROW = 4096, 49152, 128, 384
MAGIC = b"\x89ORRERY\r\n\x1a\n" + bytes(5)
MAX_LENGTH = 384 * (2**32 - 1)
DESCRIPTION = {
    1: b"Orrery encrypted file, format version 1, profile archive. These pixels are ciphertext: open the file with "
       b"`orrery decrypt -k KEYRING FILE -o OUT`. Confidentiality and integrity rest on AES-256-GCM under keys of "
       b"their own; the planet layer (1-DEC map and Virtual Planet Domain) adds no claimed security bits. Programs "
       b"that rewrite TIFF files destroy it.\0",
    2: b"Orrery encrypted file, format version 1, profile paper, for study of a published scheme. Open it with "
       b"`orrery decrypt -k KEYRING FILE -o OUT`. The pixels are NOT sealed: they are enciphered by the planet layer "
       b"alone (1-DEC map and Virtual Planet Domain), which adds no claimed security bits. Only the tags and the "
       b"digest of the original are sealed with AES-256-GCM. Use the archive profile to protect data. Programs that "
       b"rewrite TIFF files destroy it.\0",
}


def align(value, to):
    return -(-value // to) * to


def be64(n):
    return struct.pack(">Q", n)


def xxh3(data):
    return xxhash.xxh3_128(data).digest() if xxhash else None


# ---- the cipher of the archive profile -------------------------------------------------------

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


# ---- keys ------------------------------------------------------------------------------------

def file_keys(seal_root, header):
    prk = hkdf_extract(header[16:48], seal_root)
    sizes = {"tile key": 32, "tile nonce": 12, "digest key": 32, "metadata key": 32,
             "header mac": 32, "commitment": 32}
    bound = hashlib.sha512(header).digest()
    return {label: hkdf_expand(prk, b"orrery v1 " + label.encode() + b"\0" + bound, size)
            for label, size in sizes.items()}


def tile_nonce(base, tile):
    return base[:4] + be64(int.from_bytes(base[4:], "big") ^ tile)


# ---- the container ---------------------------------------------------------------------------

class Header:
    def __init__(self, raw):
        self.raw = raw
        (self.version, self.suite, self.profile, flags, self.rule, self.k2, zero) = \
            struct.unpack_from("<HHBBHII", raw)
        self.file_id = raw[16:48]
        (self.length, self.metadata_length, tile_bytes, segment_tiles, self.file_length,
         self.pages) = struct.unpack_from("<QQIIQI", raw, 48)
        require(self.version == 1, UNSUPPORTED, f"unknown version {self.version}")
        require(self.suite == 1, UNSUPPORTED, f"unknown suite {self.suite}")
        require(self.profile in (1, 2), UNSUPPORTED, f"unknown profile {self.profile}")
        require(flags == 0, UNSUPPORTED, f"unknown flag {flags:02x}")
        require(zero == 0 and not any(raw[84:]), UNSUPPORTED, "reserved header bytes are not zero")
        require(1 <= self.rule <= 40320, UNSUPPORTED, f"no rule {self.rule}")
        require(self.k2 % 2 == 1, UNSUPPORTED, f"even map constant {self.k2}")
        self.ifd_offset = align(12288 + self.metadata_length + 16, 16)
        if self.profile == 1:
            require(self.metadata_length <= 65536, UNSUPPORTED, "too much metadata")
            require((tile_bytes, segment_tiles, self.pages) == (TILE, SEGMENT_TILES, 1), UNSUPPORTED, "unsupported tile geometry")
            require(self.length <= MAX_LENGTH, UNSUPPORTED, "too long")
            require(self.geometry() == self.file_length, AUTH, "the header contradicts itself")
        else:
            require(self.metadata_length <= 67108864, UNSUPPORTED, "too much metadata")
            require((tile_bytes, segment_tiles) == (0, 0) and 1 <= self.pages <= 65535, UNSUPPORTED, "unsupported page geometry")
            require(self.ifd_offset + self.length <= self.file_length, AUTH, "the header contradicts itself")

    def geometry(self):
        """Sets what follows from the two lengths; returns the length of the whole file."""
        self.rows = max(1, -(-self.length // ROW))
        self.tiles = -(-self.rows // 128)
        self.segments = -(-self.tiles // SEGMENT_TILES)
        data = ROW * self.rows + 16 * self.tiles + 32 * self.segments
        for self.big in (False, True):
            self.data_offset = align(self.ifd_offset + self.directory_bytes(), PAGE)
            if self.data_offset + data < 2**32:
                break
        return self.data_offset + data

    def directory_bytes(self):
        end = 8 + 11 * 20 + 8 if self.big else align(2 + 11 * 12 + 4, 8) + 6
        entry = 8 if self.big else 4
        for value in (entry, 4):
            if self.tiles * value > entry:
                end = align(end, 8) + self.tiles * value
        return end

    def segment_offset(self, segment):
        return self.data_offset + segment * (SEGMENT_TILES * (16 + TILE) + 32)

    def directory(self):
        """The bytes from the IFD to the data."""
        first = np.arange(self.tiles, dtype=np.uint64)
        segment = first // np.uint64(SEGMENT_TILES)
        in_segment = np.minimum(SEGMENT_TILES, self.tiles - segment.astype(np.int64) * SEGMENT_TILES)
        offsets = (np.uint64(self.data_offset) + first * np.uint64(TILE) +
                   segment * np.uint64(SEGMENT_TILES * 16 + 32) +
                   in_segment.astype(np.uint64) * np.uint64(16) + np.uint64(32))
        counts = np.full(self.tiles, TILE, "<u4")
        counts[-1] = ROW * (self.rows - 128 * (self.tiles - 1))
        # tag, type, count, value (bytes) or the offset of a value that stands elsewhere (int)
        entries = [
            (256, 4, 1, struct.pack("<I", 128)), (257, 4, 1, struct.pack("<I", self.rows)),
            (258, 3, 3, struct.pack("<HHH", 8, 8, 8)), (259, 3, 1, struct.pack("<H", 1)),
            (262, 3, 1, struct.pack("<H", 2)), (270, 2, len(DESCRIPTION[self.profile]), 256),
            (273, 16 if self.big else 4, self.tiles,
             offsets.astype("<u8" if self.big else "<u4").tobytes()),
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
                rest += bytes(-(at + len(rest)) % 8)
                place = self.ifd_offset + at + len(rest)
                rest += value
                value = struct.pack(number, place)
            ifd += struct.pack("<HH", tag, kind) + struct.pack(number, count) + value.ljust(field, b"\0")
        whole = ifd + bytes(field) + rest
        return whole.ljust(self.data_offset - self.ifd_offset, b"\0")

    def page0(self, commitment, big):
        tiff = struct.pack("<2sHHHQ", b"II", 43, 8, 0, self.ifd_offset) if big else \
            struct.pack("<2sHI", b"II", 42, self.ifd_offset).ljust(16, b"\0")
        return (tiff + MAGIC + self.raw + commitment + DESCRIPTION[self.profile]).ljust(PAGE, b"\0")


def decode_slot(page):
    """(generation, wraps) or None when damaged."""
    generation, count, zero = struct.unpack_from("<QII", page, 8)
    if page[:8] != b"ORRSLOT1" or not 1 <= count <= 4 or zero or generation == 0:
        return None
    if any(page[24 + 120 * count : 4048]) or (xxhash and xxh3(page[:4080]) != page[4080:]):
        return None
    wraps = [page[24 + 120 * i : 144 + 120 * i] for i in range(count)]
    return generation, [(wrap[:16], wrap[16:]) for wrap in wraps]


def unwrap(slot, keys):
    """seal_root, planet_secret of the first wrap whose master key we have."""
    for key_id, wrapped in slot[1]:
        if key_id not in keys:
            continue
        try:
            secret = keywrap.aes_key_unwrap_with_padding(keys[key_id], wrapped)
        except keywrap.InvalidUnwrap:
            raise Refused(AUTH, "the wrap does not open under the key it names") from None
        require(len(secret) == 96, AUTH, "the wrapped secret has a wrong length")
        return secret[:32], secret[32:]
    raise Refused(KEY, "no master key for " + ", ".join(i.hex() for i, _ in slot[1]))


def unlock(header, page0, pages, slots, keys):
    """The secret of the active slot or, where that fails, of the other one, and the file's keys."""
    good = sorted((i for i in (0, 1) if slots[i]), key=lambda i: -slots[i][0])  # the first of equals
    require(good, AUTH, "both wrap slots are damaged")
    found, failures = [], []
    for i in good:
        try:
            secret = unwrap(slots[i], keys)
            derived = file_keys(secret[0], header.raw)
            require(hmac.compare_digest(derived["commitment"], page0[224:256]), AUTH, "the key commitment does not match")
            found.append((secret, derived))
        except Refused as refused:
            failures.append(refused)
            if refused.status == KEY:  # of the active slot that decides, of the other it says nothing
                break
    if not found:
        raise failures[0]
    for i in good:
        mac = hmac.digest(found[0][1]["header mac"], pages[i][:4048], "sha256")
        require(hmac.compare_digest(mac, pages[i][4048:4080]), AUTH, "slot MAC")
    # Which of two is right only the data could tell: this reader does not ask them.
    require(all(secret == found[0][0] for secret, _ in found), AUTH, "the wrap slots hold two secrets")
    return found[0]


def safe_path(path):
    return (1 <= len(path) <= 4096 and b"\0" not in path and
            all(part not in (b"", b".", b"..") for part in path.split(b"/")))


def decode_metadata(data):
    records, at, last = {}, 0, 0
    while at < len(data):
        require(len(data) - at >= 8, AUTH, "metadata: cut record")
        tag, zero, length = struct.unpack_from("<HHI", data, at)
        require(tag > last and tag <= 8 and zero == 0 and length <= len(data) - at - 8, AUTH, f"metadata: bad record {tag}")
        records[tag] = data[at + 8 : at + 8 + length]
        at, last = at + 8 + length, tag
    require({1, 2, 3, 4, 5, 7} <= records.keys(), AUTH, "metadata: a record is missing")
    for tag, length in ((2, 8), (3, 12), (4, 4), (5, 16), (6, 32), (7, 19)):
        require(tag not in records or len(records[tag]) == length, AUTH, f"metadata: record {tag}")
    require(safe_path(records[1]), AUTH, "metadata: unsafe path")
    seconds, nanoseconds = struct.unpack("<qI", records[3])
    mode = struct.unpack("<I", records[4])[0]
    require(nanoseconds < 10**9 and mode <= 0o7777, AUTH, "metadata: time or mode")
    shape = "".join("0" if chr(c) in "0123456789" else chr(c) for c in records[7])
    require(shape == "00-00-0000 00:00:00", AUTH, "metadata: timestamp")
    return {"path": records[1], "size": struct.unpack("<Q", records[2])[0], "mtime": seconds,
            "mtime_ns": nanoseconds, "mode": mode, "digest": records[5],
            "sha256": records.get(6), "timestamp": records[7].decode(), "paper": records.get(8)}


def gcm_open(key, nonce, sealed_then_tag, what):
    try:
        return AESGCM(key).decrypt(nonce, sealed_then_tag, None)
    except InvalidTag:
        raise Refused(AUTH, f"{what} was altered or damaged") from None


class OrreryFile:
    """An encrypted file whose head has been checked."""

    def __init__(self, stream, keys):
        self.stream = stream
        actual = os.fstat(stream.fileno()).st_size
        page0 = stream.read(PAGE)
        cut = len(page0) < 32 and page0[16:24] == MAGIC[:8]
        require(cut or page0[16:32] == MAGIC, NOT_ORRERY, "no magic")
        require(len(page0) >= 224, AUTH, "truncated inside the header")
        self.header = header = Header(page0[32:224])
        require(actual == header.file_length, AUTH,
                f"{'truncated' if actual < header.file_length else 'grown'}: {actual} bytes, "
                f"not {header.file_length}")
        pages = [stream.read(PAGE) for _ in range(2)]
        self.slots = [decode_slot(page) for page in pages]
        (self.seal_root, self.planet_secret), self.keys = unlock(header, page0, pages, self.slots, keys)
        sealed = stream.read(header.metadata_length + 16)
        self.metadata = decode_metadata(
            gcm_open(self.keys["metadata key"], bytes(12), sealed, "the metadata"))
        big = header.big if header.profile == 1 else header.file_length >= 2**32
        require(page0 == header.page0(page0[224:256], big), AUTH, "page 0 was altered")
        gap = stream.read(header.ifd_offset - stream.tell())
        require(not any(gap), AUTH, "nonzero padding")
        if header.profile == 1:
            require(self.metadata["size"] == header.length and self.metadata["paper"] is None, AUTH, "metadata and header disagree")
            require(stream.read(header.data_offset - header.ifd_offset) == header.directory(), AUTH, "the TIFF directory was altered")

    def pages(self):
        """Decrypted volumes of a paper-profile file, page by page; -o writes them one after the other."""
        header = self.header
        try:
            pages = orrery_paper.decode_table(self.metadata["paper"] or b"")
            offsets = orrery_paper.check_directories(self.stream, header, pages, len(DESCRIPTION[2]))
        except orrery_paper.Malformed as malformed:
            raise Refused(AUTH, str(malformed)) from None
        digest = xxhash.xxh3_128() if xxhash else None
        for volume in orrery_paper.volumes(self.stream, header, self.planet_secret, pages, offsets):
            if digest:
                digest.update(volume)
            yield volume
        require(not digest or digest.digest() == self.metadata["digest"], AUTH, "pixel digest")

    def segments(self):
        """Plaintext of an archive-profile file, segment by segment."""
        header, digests = self.header, b""
        cipher, gcm = TileCipher(header.rule, header.k2), AESGCM(self.keys["tile key"])
        for segment in range(header.segments):
            first = segment * SEGMENT_TILES
            tiles = min(SEGMENT_TILES, header.tiles - first)
            self.stream.seek(header.segment_offset(segment))
            tags = self.stream.read(16 * tiles)
            digest = gcm_open(self.keys["digest key"], bytes(4) + be64(segment),
                              self.stream.read(32), f"digest {segment}")
            plain = b""
            for i in range(tiles):
                rows = min(128, header.rows - 128 * (first + i))
                nonce = tile_nonce(self.keys["tile nonce"], first + i)
                try:
                    planets = gcm.decrypt(nonce, self.stream.read(ROW * rows) + tags[16 * i:][:16],
                                          None)
                except InvalidTag:
                    raise Refused(AUTH, f"tile {first + i} was altered or damaged") from None
                plain += cipher.decrypt(tile_key(self.planet_secret, first + i), planets)
            kept = min(len(plain), header.length - first * TILE)
            require(not any(plain[kept:]), AUTH, "nonzero padding in the last tile")
            plain = plain[:kept]
            require(xxh3(plain) in (None, digest), AUTH, f"digest of segment {segment}")
            digests += digest
            yield plain
        require(xxh3(digests) in (None, self.metadata["digest"]), AUTH, "file digest")


def read_keys(path):
    keys = {}
    with open(path, encoding="ascii") as lines:
        for line in lines:
            text = line.split("#")[0].strip()
            if text:
                key = bytes.fromhex(text)
                require(len(key) == 32, KEY, f"{path}: a master key has 64 hexadecimal digits")
                keys[master_key_id(key)] = key
    return keys


def first_line(path):
    if path is None:
        return None
    with open(path, "rb") as stream:
        return stream.readline().rstrip(b"\n")


def report(opened, sha256):
    header, metadata = opened.header, opened.metadata
    return {"profile": {1: "archive", 2: "paper"}[header.profile], "length": header.length,
            "path": metadata["path"].decode(errors="backslashreplace"), "mode": metadata["mode"],
            "mtime": metadata["mtime"], "timestamp": metadata["timestamp"], "sha256": sha256,
            "pixels_sealed": header.profile == 1,
            "slots_good": [slot is not None for slot in opened.slots], "digests_checked": xxhash is not None}


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("file")
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--keys", help="master keys in hexadecimal")
    source.add_argument("--keyring")
    parser.add_argument("--passphrase-file")
    parser.add_argument("--recovery-code-file")
    parser.add_argument("-o", "--output", help="write the plaintext here (must not exist)")
    options = parser.parse_args(arguments)
    partial = options.output + ".partial" if options.output else os.devnull
    try:
        if options.keys:
            keys = read_keys(options.keys)
        else:
            code = first_line(options.recovery_code_file)
            keys = read_keyring(options.keyring, first_line(options.passphrase_file), code and read_code(code))
        with open(options.file, "rb") as stream:
            opened = OrreryFile(stream, keys)
            archive = opened.header.profile == 1
            total = hashlib.sha256()
            with open(partial, "wb") as out:
                for plain in opened.segments() if archive else opened.pages():
                    total.update(plain)
                    out.write(plain)
        require(not archive or opened.metadata["sha256"] in (None, total.digest()), AUTH, "SHA-256 of the file")
        if options.output:
            os.link(partial, options.output)
    except Refused as refused:
        print(f"{options.file}: {refused}", file=sys.stderr)
        return refused.status
    finally:
        if options.output and os.path.exists(partial):
            os.unlink(partial)
    print(json.dumps(report(opened, total.hexdigest())))
    return 0


if __name__ == "__main__":
    sys.exit(main())
