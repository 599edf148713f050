#!/usr/bin/env python3
"""Writes tests/vectors/crypto.txt, container.txt and files/*.orr.tif, from the second reader's own
arithmetic (orrery_reader.py) and Python's libraries: nothing here runs the C code that is tested.

Every key in these files is a TEST key: it stands here in clear.

    make_container_vectors.py DIRECTORY       (tests/vectors of the source tree)
"""
import hashlib
import hmac
import pathlib
import struct
import sys

from cryptography.hazmat.primitives import keywrap
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

import orrery_reader as o
import paper_golden

RULE, K2 = 37241, 2825054457
MASTER = bytes(range(32))  # TEST master key
SECOND = bytes(range(32, 64))
NAME = b"ward 7/scan\n\xff.svs"


def named(text, length):
    """`length` bytes that stand for a secret or random value of a test."""
    return hashlib.shake_256(b"orrery test " + text.encode()).digest(length)


def recipe(length):
    """Plaintext of the golden files: byte n is (n mod 251 + n / 251) mod 256."""
    return bytes((n % 251 + n // 251) % 256 for n in range(length))


# ---- primitives ------------------------------------------------------------------------------

def scrypt(password, salt, log2_n, r, p):
    """RFC 7914 from its text, for small costs; checked against its own vector below."""
    def salsa(block):
        x = list(struct.unpack("<16I", block))
        start = x[:]
        rounds = [(4, 0, 12, 7), (8, 4, 0, 9), (12, 8, 4, 13), (0, 12, 8, 18)]
        for _ in range(4):
            for column in range(4):
                for a, b, c, s in rounds:
                    a, b, c = [(v + 5 * column) % 16 for v in (a, b, c)]
                    t = (x[b] + x[c]) & 0xFFFFFFFF
                    x[a] ^= (t << s | t >> (32 - s)) & 0xFFFFFFFF
            for row in range(4):
                for a, b, c, s in [(1, 0, 3, 7), (2, 1, 0, 9), (3, 2, 1, 13), (0, 3, 2, 18)]:
                    a, b, c = [4 * row + (v + row) % 4 for v in (a, b, c)]
                    t = (x[b] + x[c]) & 0xFFFFFFFF
                    x[a] ^= (t << s | t >> (32 - s)) & 0xFFFFFFFF
        return struct.pack("<16I", *[(a + b) & 0xFFFFFFFF for a, b in zip(x, start)])

    def xor(a, b):
        return bytes(x ^ y for x, y in zip(a, b))

    def mix(block):
        x, out = block[-64:], []
        for i in range(0, len(block), 64):
            x = salsa(xor(x, block[i : i + 64]))
            out.append(x)
        return b"".join(out[0::2] + out[1::2])

    def rom(block):
        seen, n = [], 1 << log2_n
        for _ in range(n):
            seen.append(block)
            block = mix(block)
        for _ in range(n):
            j = struct.unpack("<Q", block[-64:-56])[0] % n
            block = mix(xor(block, seen[j]))
        return block

    blocks = hashlib.pbkdf2_hmac("sha256", password, salt, 1, p * 128 * r)
    mixed = b"".join(rom(blocks[i : i + 128 * r]) for i in range(0, len(blocks), 128 * r))
    return hashlib.pbkdf2_hmac("sha256", password, mixed, 1, 64)


assert scrypt(b"", b"", 4, 1, 1).hex().startswith("77d6576238657b203b19ca42c18a0497f16b4844e3074ae8")


def crypto_lines():
    yield "# sha512 A B SHA-512(A || B); the first two are of FIPS 180-4"
    for a, b in ((b"abc", b""), (b"", b""), (b"a", b"bc"), (recipe(200), recipe(77))):
        yield "sha512", a, b, hashlib.sha512(a + b).digest()
    yield "# hmac KEY DATA MAC: HMAC-SHA-256; RFC 4231 cases 1 to 4, their keys padded with zeros as HMAC does"
    for key, data in ((b"\x0b" * 20, b"Hi There"), (b"Jefe", b"what do ya want for nothing?"),
                      (b"\xaa" * 20, b"\xdd" * 50), (bytes(range(1, 26)), b"\xcd" * 50)):
        yield "hmac", key.ljust(32, b"\0"), data, hmac.digest(key, data, "sha256")
    yield "# hkdf SALT IKM INFO PRK OKM: the inputs of RFC 5869 A.1 to A.3 with SHA-512, from Python's hmac"
    for salt, ikm, info, n in ((bytes(range(13)), b"\x0b" * 22, bytes(range(0xF0, 0xFA)), 42),
                               (bytes(range(0x60, 0xB0)), bytes(range(80)), bytes(range(0xB0, 256)), 82),
                               (b"", b"\x0b" * 22, b"", 42), (named("salt", 32), named("ikm", 32), b"x", 200)):
        prk = o.hkdf_extract(salt, ikm)
        yield "hkdf", salt, ikm, info, prk, o.hkdf_expand(prk, info, n)
    yield "# kwp KEK SECRET WRAPPED: RFC 5649, from Python's cryptography"
    for n in (1, 7, 8, 9, 20, 32, 95, 96, 256):
        secret = named(f"kwp {n}", n)
        yield "kwp", MASTER, secret, keywrap.aes_key_wrap_with_padding(MASTER, secret)
    yield "# scrypt PASSPHRASE SALT log2(N) r p KEY: RFC 7914, from the reading in make_container_vectors.py"
    for password, n, r, p in ((b"password", 4, 1, 1), (b"", 1, 2, 3), (b"pleaseletmein", 6, 8, 2)):
        yield "scrypt", password, named("salt", 32), str(n), str(r), str(p), \
            scrypt(password, named("salt", 32), n, r, p)[:32]
    yield "# gcm KEY NONCE AAD PLAIN CIPHER TAG: AES-256 cases 13 to 16 of the GCM specification, then others"
    key = bytes.fromhex("feffe9928665731c6d6a8f9467308308" * 2)
    nonce = bytes.fromhex("cafebabefacedbaddecaf888")
    plain = bytes.fromhex("d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72"
                          "1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b391aafd255")
    aad = bytes.fromhex("feedfacedeadbeef" * 2 + "abaddad2")
    for k, n, a, p in ((bytes(32), bytes(12), b"", b""), (bytes(32), bytes(12), b"", bytes(16)),
                       (key, nonce, b"", plain), (key, nonce, aad, plain[:60]),
                       (MASTER, named("nonce", 12), aad, b""), (MASTER, named("nonce", 12), b"", recipe(1000))):
        sealed = AESGCM(k).encrypt(n, p, a or None)
        yield "gcm", k, n, a, p, sealed[:-16], sealed[-16:]


# ---- container -------------------------------------------------------------------------------

def record(tag, value):
    return struct.pack("<HHI", tag, 0, len(value)) + value


def metadata_bytes(path, size, digest, sha256=None, paper=None):
    records = [(1, path), (2, struct.pack("<Q", size)), (3, struct.pack("<qI", -1234567890, 987654321)),
               (4, struct.pack("<I", 0o640)), (5, digest), (6, sha256), (7, b"07-01-2025 12:34:56"), (8, paper)]
    return b"".join(record(tag, value) for tag, value in records if value is not None)


def header_bytes(length, metadata_length, file_length, profile=1, rule=RULE, k2=K2, pages=1):
    tiles = (o.TILE, o.SEGMENT_TILES) if profile == 1 else (0, 0)
    return struct.pack("<HHBBHII32sQQIIQI", 1, 1, profile, 0, rule, k2, 0, named("file id", 32), length,
                       metadata_length, *tiles, file_length, pages).ljust(192, b"\0")


def archive_header(length, metadata_length, rule, k2):
    """The header, and its fields as the reader sees them, of a file whose length is found by formula."""
    fields = o.Header.__new__(o.Header)
    fields.length, fields.metadata_length, fields.profile = length, metadata_length, 1
    fields.ifd_offset = o.align(12288 + metadata_length + 16, 16)
    whole = fields.geometry()
    return o.Header(header_bytes(length, metadata_length, whole, rule=rule, k2=k2))


def wrap(master, secret):
    return o.master_key_id(master) + keywrap.aes_key_wrap_with_padding(master, secret)


def slot_page(generation, wraps, mac_key):
    page = (b"ORRSLOT1" + struct.pack("<QII", generation, len(wraps), 0) + b"".join(wraps)).ljust(4048, b"\0")
    page += hmac.digest(mac_key, page, "sha256")
    return page + o.xxh3(page)


def archive_file(length, sha256=False, rule=RULE, k2=K2, wraps=(MASTER,)):
    plain = recipe(length)
    pieces = [plain[i : i + 6291456] for i in range(0, max(length, 1), 6291456)]
    digests = [o.xxh3(piece) for piece in pieces]
    metadata = metadata_bytes(NAME, length, o.xxh3(b"".join(digests)),
                              hashlib.sha256(plain).digest() if sha256 else None)
    header = archive_header(length, len(metadata), rule, k2)
    seal_root, planet = named("seal root", 32), named("planet secret", 64)
    keys = o.file_keys(seal_root, header.raw)
    slot = slot_page(1, [wrap(master, seal_root + planet) for master in wraps], keys["header mac"])
    out = header.page0(keys["commitment"], header.big) + slot + slot
    out += AESGCM(keys["metadata key"]).encrypt(bytes(12), metadata, None)
    out = out.ljust(header.ifd_offset, b"\0") + header.directory()
    cipher, seal = o.TileCipher(rule, k2), AESGCM(keys["tile key"])
    padded = plain.ljust(384 * header.rows, b"\0")
    for segment, digest in enumerate(digests):
        tags = data = b""
        for tile in range(128 * segment, min(128 * segment + 128, header.tiles)):
            piece = cipher.encrypt(o.tile_key(planet, tile), padded[o.TILE * tile :][: o.TILE])
            sealed = seal.encrypt(o.tile_nonce(keys["tile nonce"], tile), piece, None)
            tags, data = tags + sealed[-16:], data + sealed[:-16]
        digest = AESGCM(keys["digest key"]).encrypt(bytes(4) + o.be64(segment), digest, None)
        out += tags + digest + data
    assert len(out) == header.file_length
    return out


def paper_file():
    """The source TIFF and its paper-profile file."""
    source, tables = paper_golden.source(named)
    table = paper_golden.page_table(named, tables)
    volumes = paper_golden.volumes(named, table)
    metadata = metadata_bytes(NAME, len(source), o.xxh3(b"".join(volumes)), hashlib.sha256(source).digest(), table)
    ifd_offset = o.align(12288 + len(metadata) + 16, 16)
    body = paper_golden.encrypt(table, volumes, named("planet secret", 64), RULE, K2, ifd_offset)
    raw = header_bytes(sum(map(len, volumes)), len(metadata), ifd_offset + len(body), profile=2, pages=len(volumes))
    header = o.Header(raw)
    keys = o.file_keys(named("seal root", 32), raw)
    slot = slot_page(1, [wrap(MASTER, named("seal root", 32) + named("planet secret", 64))], keys["header mac"])
    out = header.page0(keys["commitment"], False) + slot + slot
    out += AESGCM(keys["metadata key"]).encrypt(bytes(12), metadata, None)
    return source, out.ljust(ifd_offset, b"\0") + body


def last_classic(metadata_length):
    """The longest plaintext that still makes a classic TIFF."""
    low, high = 0, 1 << 32
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if archive_header(middle, metadata_length, RULE, K2).big else (middle, high)
    return low


EDGES = [0, 1, 383, 384, 385, 49151, 49152, 49153, 6291456 - 1, 6291456, 6291456 + 1, 2 * 6291456, 1 << 30,
         1 << 32, 5 << 30, 1 << 40, o.MAX_LENGTH]


def container_lines():
    yield "# master KEY ID"
    for key in (MASTER, SECOND):
        yield "master", key, o.master_key_id(key)
    header = archive_header(123456789, 300, RULE, K2)
    paper = header_bytes(1000, 70000, 200000, profile=2, rule=1, k2=65537, pages=3)
    yield "# header PROFILE RULE K2 FILE-ID LENGTH METADATA FILE-LENGTH PAGES BYTES"
    for profile, rule, k2, length, metadata, whole, pages, raw in (
            (1, RULE, K2, 123456789, 300, header.file_length, 1, header.raw), (2, 1, 65537, 1000, 70000, 200000, 3, paper)):
        yield "header", str(profile), str(rule), str(k2), named("file id", 32), str(length), str(metadata), \
            str(whole), str(pages), raw
    seal_root, planet = named("seal root", 32), named("planet secret", 64)
    keys = o.file_keys(seal_root, header.raw)
    yield "# keys SEAL-ROOT HEADER tile-key tile-nonce digest-key metadata-key header-mac commitment"
    yield "keys", seal_root, header.raw, *keys.values()
    yield "# tile PLANET-SECRET N NONCE K1 .. K8 (of the keys above)"
    for n in (0, 1, 127, 128, 2**32 - 1, 2**32, 2**40 + 3):
        yield "tile", planet, str(n), o.tile_nonce(keys["tile nonce"], n), *[o.be64(k) for k in o.tile_key(planet, n)]
    yield "# digest SEGMENT DIGEST SEALED"
    for n in (0, 1, 2**33):
        digest = named(f"digest {n}", 16)
        yield "digest", str(n), digest, AESGCM(keys["digest key"]).encrypt(bytes(4) + o.be64(n), digest, None)
    yield "# slot GENERATION COUNT WRAPS FIRST-504-BYTES MAC CHECKSUM"
    for generation, masters in ((1, (MASTER,)), (2**40, (SECOND, MASTER)), (7, (MASTER, SECOND, MASTER, SECOND))):
        wraps = [wrap(master, seal_root + planet) for master in masters]
        page = slot_page(generation, wraps, keys["header mac"])
        yield "slot", str(generation), str(len(wraps)), b"".join(wraps), page[:504], page[4048:4080], page[4080:]
    yield "# metadata PATH SIZE DIGEST SHA256 PAPER BYTES (mtime -1234567890.987654321, mode 0640, 07-01-2025 12:34:56)"
    for path, size, sha256, record8 in ((b"a", 0, None, None), (NAME, 2**50, named("sha", 32), None),
                                        (b"x/y" * 1365, 1, None, named("paper", 100))):
        digest = named("digest", 16)
        yield "metadata", path, str(size), digest, sha256 or b"", record8 or b"", \
            metadata_bytes(path, size, digest, sha256, record8)
    yield "# geometry LENGTH METADATA rows tiles segments big ifd-offset data-offset file-length"
    for metadata in (120, 65536):
        edge = last_classic(metadata)
        for length in EDGES + [edge, edge + 1]:
            h = archive_header(length, metadata, RULE, K2)
            yield "geometry", *map(str, (length, metadata, h.rows, h.tiles, h.segments, int(h.big), h.ifd_offset,
                                         h.data_offset, h.file_length))


def directory_lines():
    yield "# directory LENGTH METADATA SHA-256 of the bytes from the IFD to the data"
    metadata = len(metadata_bytes(NAME, 0, bytes(16)))
    edge = last_classic(metadata)
    for length in (0, 49153, 6291457, edge, edge + 1, 5 << 30):
        directory = archive_header(length, metadata, RULE, K2).directory()
        yield "directory", str(length), str(metadata), hashlib.sha256(directory).digest()


# Whole files: name, length, with SHA-256, rule, K2, master keys.
FILES = [("empty", 0, False, RULE, K2, (MASTER,)), ("one-byte", 1, False, RULE, K2, (SECOND, MASTER)),
         ("short", 1000, True, RULE, K2, (MASTER,)), ("rule-1", 384, False, 1, 65537, (MASTER,)),
         ("two-tiles", 49153, True, RULE, K2, (MASTER,)), ("one-segment", 6291456, False, RULE, K2, (MASTER,)),
         ("two-segments", 6291456 + 49152 + 5, True, RULE, K2, (MASTER,))]
KEPT = {"empty", "one-byte", "short", "rule-1"}


def main():
    target = pathlib.Path(sys.argv[1])
    (target / "files").mkdir(exist_ok=True)
    lines = list(container_lines()) + list(directory_lines())
    lines += ["# file NAME LENGTH HAS-SHA256 RULE K2 MASTER-KEYS FILE-LENGTH SHA-256 of the encrypted file. Plaintext: byte n is "
              "(n mod 251 + n / 251) mod 256; path, mtime, mode, timestamp as above; file ID, seal root and planet "
              "secret as above"]
    for name, length, sha256, rule, k2, masters in FILES:
        whole = archive_file(length, sha256, rule, k2, masters)
        if name in KEPT:
            (target / "files" / f"{name}.orr.tif").write_bytes(whole)
        lines.append(("file", name, str(length), str(int(sha256)), str(rule), str(k2), b"".join(masters),
                      str(len(whole)), hashlib.sha256(whole).digest()))
    source, encrypted = paper_file()
    (target / "files" / "two-pages.tif").write_bytes(source)
    (target / "files" / "two-pages.paper.orr.tif").write_bytes(encrypted)
    (target / "files" / "TEST-master-keys.txt").write_text(
        f"# TEST master keys of the files here: never use them for anything else.\n{MASTER.hex()}\n{SECOND.hex()}\n")
    for name, entries in (("crypto.txt", crypto_lines()), ("container.txt", lines)):
        with open(target / name, "w", encoding="ascii") as out:
            out.write("# Written by tests/host/container/make_container_vectors.py; bytes in hexadecimal, '-' for none. TEST keys only.\n")
            for line in entries:
                words = [line] if isinstance(line, str) else [(w.hex() or "-") if isinstance(w, bytes) else w for w in line]
                out.write(" ".join(words) + "\n")


if __name__ == "__main__":
    main()
