#!/usr/bin/env python3
"""Writes tests/vectors/crypto.txt, container.txt and files/*, from the second writer (orrery_writer.py) and Python's
libraries: nothing here runs the C code that is tested. `--sizes` prints the worked sizes of docs/FORMAT.md instead.

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

import orrery_format as o
import orrery_keyring
import orrery_keys as k
import orrery_metadata
import paper_golden
from orrery_tile import tile_key
from orrery_writer import K2, RULE, Writer, by_master, by_recipient, drawn, raw_wrap


def named(text, length):
    """`length` bytes that stand for a secret or random value of a test."""
    return drawn("", text, length)


MASTER, SECOND = bytes(range(32)), bytes(range(32, 64))  # TEST master keys
FIRST_KEY, SECOND_KEY = k.master_key(MASTER), k.master_key(SECOND)
SECRET = named("seal root", 32) + named("planet secret", 64)
NAME = b"ward 7/scan\n\xff.svs"
PASSPHRASE = b"test passphrase, not a secret"


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
        prk = k.hkdf_extract(salt, ikm)
        yield "hkdf", salt, ikm, info, prk, k.hkdf_expand(prk, info, n)
    yield "# kwp KEK SECRET WRAPPED: RFC 5649, from Python's cryptography"
    for n in (1, 7, 8, 9, 20, 32, 95, 96, 256):
        secret = named(f"kwp {n}", n)
        yield "kwp", MASTER, secret, keywrap.aes_key_wrap_with_padding(MASTER, secret)
    yield "# scrypt PASSPHRASE SALT log2(N) r p KEY: RFC 7914, from the reading in make_container_vectors.py"
    for password, n, r, p in ((b"password", 4, 1, 1), (b"", 1, 2, 3), (b"pleaseletmein", 6, 8, 2)):
        yield "scrypt", password, named("salt", 32), str(n), str(r), str(p), \
            scrypt(password, named("salt", 32), n, r, p)[:32]
    yield "# gcm KEY NONCE AAD PLAIN CIPHER TAG: AES-256 cases 13 to 16 of the GCM specification, then others"
    own = bytes.fromhex("feffe9928665731c6d6a8f9467308308" * 2)
    nonce = bytes.fromhex("cafebabefacedbaddecaf888")
    plain = bytes.fromhex("d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72"
                          "1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b391aafd255")
    aad = bytes.fromhex("feedfacedeadbeef" * 2 + "abaddad2")
    for key, n, a, p in ((bytes(32), bytes(12), b"", b""), (bytes(32), bytes(12), b"", bytes(16)),
                       (own, nonce, b"", plain), (own, nonce, aad, plain[:60]),
                       (MASTER, named("nonce", 12), aad, b""), (MASTER, named("nonce", 12), b"", recipe(1000))):
        sealed = AESGCM(key).encrypt(n, p, a or None)
        yield "gcm", key, n, a, p, sealed[:-16], sealed[-16:]


# ---- container -------------------------------------------------------------------------------

def header(length, metadata_length, *, profile=1, slot_pages=1, parity=(0, 0), **fields):
    """(the header's bytes, its places) of a file whose other lengths follow by formula."""
    archive = profile == o.ARCHIVE
    geometry = o.Geometry(length, metadata_length, slot_pages) if archive else None
    end = geometry.end if archive else fields.pop("end")
    tail = o.Tail(end, slot_pages, metadata_length, *parity)
    given = dict(profile=profile, slot_pages=slot_pages, rule=RULE, k2=K2, file_id=named("file id", 32), length=length,
                 metadata_length=metadata_length, tile_bytes=o.TILE if archive else 0,
                 segment_tiles=o.SEGMENT_TILES if archive else 0, file_length=tail.file_length, pages=1,
                 parity=parity[0], groups=parity[1])
    return o.Header(o.header_bytes(**{**given, **fields}))


def header_lines():
    yield "# header PROFILE RULE K2 FILE-ID LENGTH METADATA FILE-LENGTH PAGES BYTES SLOT-PAGES FEATURES PARITY GROUPS IGNORABLE"
    for h in HEADERS:
        yield ("header", *map(str, (h.profile, h.rule, h.k2)), h.file_id, *map(str, (h.length, h.metadata_length, h.file_length, h.pages)),
               h.raw, *map(str, (h.slot_pages, h.features, h.parity, h.groups, h.ignorable)))


HEADERS = [header(123456789, 1024), header(1000, 69632, profile=2, rule=1, k2=65537, pages=3, end=200704),
           header(123456789, 2048, slot_pages=3, parity=(12, 126), ignorable=2**31 + 1),
           header(1000, 4096, profile=2, slot_pages=16, features=1, pages=65535, end=409600, parity=(1, 1))]


def key_lines():
    yield "# master KEY ID X25519-PRIVATE X25519-PUBLIC"
    for key in (FIRST_KEY, SECOND_KEY):
        yield "master", key.master, key.key_id, key.private, k.public_key(key)
    raw = HEADERS[0].raw
    keys = k.file_keys(SECRET, raw)
    yield "# keys FILE-SECRET HEADER tile-key digest-key metadata-key nonce-key header-mac commitment"
    yield "keys", SECRET, raw, *keys.values()
    yield "# tile PLANET-SECRET N NONCE K1 .. K8 SALT (keys as above; N counts in the file, the salt is its segment's)"
    for n in (0, 1, 127, 128, 129, 2**25 - 1, 2**32 - 1, 2**32, 2**40 + 3):
        salt = named(f"segment salt {n // 128}", 16)
        base, _ = k.segment_nonces(keys, n // 128, salt)
        yield "tile", SECRET[32:], str(n), k.tile_nonce(base, n % 128), *[o.be64(x) for x in tile_key(SECRET[32:], n)], salt
    yield "# digest SEGMENT DIGEST SEALED SALT"
    for n in (0, 1, 2**33):
        digest, salt = named(f"digest {n}", 16), named(f"segment salt {n}", 16)
        yield "digest", str(n), digest, AESGCM(keys["digest key"]).encrypt(k.segment_nonces(keys, n, salt)[1], digest, None), salt
    yield "# sealed SALT RECORDS M BYTES: metadata of M bytes under the keys above"
    for m in (1024, 4096):
        records, salt = metadata_bytes(NAME, 5, named("digest", 16)), named(f"metadata salt {m}", 16)
        yield "sealed", salt, records, str(m), k.seal_metadata(keys, salt, records.ljust(m - 32, b"\0"))
    yield "# wrap TYPE MASTER-ID KEY SEED HEADER SECRET BYTES: KEY is the master key (type 1) or the X25519 private key (2)"
    for key in (FIRST_KEY, SECOND_KEY):
        yield "wrap", "1", key.key_id, key.master, b"", raw, SECRET, k.master_wrap(key, raw, SECRET).encode()
        seed = named("seed " + key.key_id.hex(), 32)
        yield ("wrap", "2", key.key_id, key.private, seed, raw, SECRET,
               k.recipient_wrap(key.key_id, k.public_key(key), seed, raw, SECRET).encode())
    yield "# slot GENERATION COUNT WRAPS BYTES-BEFORE-THE-ZEROS MAC CHECKSUM SLOT-PAGES (keys as above)"
    for generation, slot_pages, count in ((1, 1, 1), (2**40, 1, 25), (7, 16, 256)):
        wraps = [k.master_wrap((FIRST_KEY, SECOND_KEY)[n % 2], raw, SECRET).encode() if n % 3 < 2 else
                 o.Wrap(4 + n, named(f"id {n}", 16), named(f"body {n}", 8 * (n % 5))).encode() for n in range(count)]
        slot = o.encode_slot(generation, wraps, keys["header mac"], slot_pages)
        head = slot[: 24 + len(b"".join(wraps))]
        yield "slot", str(generation), str(count), b"".join(wraps), head, slot[-48:-16], slot[-16:], str(slot_pages)


def metadata_bytes(path, size, digest, sha256=None, paper=None, vault=None, holes=None, regions=None, label=None):
    return orrery_metadata.encode({
        1: path, 2: struct.pack("<Q", size), 3: struct.pack("<qI", -1234567890, 987654321), 4: struct.pack("<I", 0o640), 5: digest,
        6: sha256, 7: b"07-01-2025 12:34:56", 8: paper, 9: struct.pack("<qI", 1736253296, 5), 10: vault, 11: holes, 12: regions,
        13: label})


def metadata_lines():
    yield ("# metadata PATH SIZE DIGEST SHA256 PAPER BYTES VAULT HOLES REGIONS LABEL M (records as they stand before the padding to "
           "M - 32 bytes; mtime -1234567890.987654321, mode 0640, 07-01-2025 12:34:56, written 1736253296.000000005)")
    holes = struct.pack("<4Q", 0, 5, 6, 2**40)
    regions = struct.pack("<10I", 0, 1, 1, 3, 2, 1, 0, 0, 6, 1)
    for path, size, sha256, paper, vault, held, rectangles, label in (
            (b"a", 0, None, None, None, None, None, None),
            (NAME, 2**50, named("sha", 32), None, None, None, None, None),
            (b"x/y" * 1365, 1, None, named("paper", 100), None, None, None, None),
            (NAME, 2**50, named("sha", 32), None, named("vault", 16), holes, None, "Münster 7".encode()),
            (NAME, 7, None, named("paper", 4000), named("vault", 16), None, regions, b"x" * 63)):
        digest = named("digest", 16)
        records = metadata_bytes(path, size, digest, sha256, paper, vault, held, rectangles, label)
        profile = o.PAPER if paper else o.ARCHIVE
        yield ("metadata", path, str(size), digest, sha256 or b"", paper or b"", records, vault or b"", held or b"", rectangles or b"",
               label or b"", str(orrery_metadata.sealed_length(len(records), profile)))


def last_classic(metadata_length, slot_pages):
    """The longest plaintext that still makes a classic TIFF."""
    low, high = 0, 1 << 32
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if o.Geometry(middle, metadata_length, slot_pages).big else (middle, high)
    return low


EDGES = [0, 1, 383, 384, 385, 49151, 49152, 49153, 6291456 - 1, 6291456, 6291456 + 1, 2 * 6291456, 1 << 30,
         1 << 32, 5 << 30, 1 << 40, o.MAX_LENGTH]


def geometry_lines():
    yield "# geometry LENGTH METADATA rows tiles segments big ifd-offset data-offset file-length SLOT-PAGES (no repair data)"
    for metadata, slot_pages in ((1024, 1), (2**20, 16)):
        edge = last_classic(metadata, slot_pages)
        for length in EDGES + [edge, edge + 1]:
            g = o.Geometry(length, metadata, slot_pages)
            yield "geometry", *map(str, (length, metadata, g.rows, g.tiles, g.segments, int(g.big), g.ifd_offset, g.data_offset, g.end,
                                         slot_pages))
    yield "# directory LENGTH METADATA SHA-256 of the bytes from the IFD to the data (one slot page)"
    edge = last_classic(1024, 1)
    for length in (0, 49153, 6291457, edge, edge + 1, 5 << 30):
        yield "directory", str(length), "1024", hashlib.sha256(o.Geometry(length, 1024, 1).directory()).digest()


def tail_lines():
    yield ("# tail BODY-PAGES SLOT-PAGES METADATA TENTHS parity groups rows sum-pages E sums parity sums metadata slot page0 "
           "file-length: TENTHS of a percent; offsets in bytes")
    for body in (1, 2, 3, 27, 242, 243, 255, 509, 510, 511, 1600, 10**6, 402_900_000):
        for slot_pages, metadata in ((1, 1024), (16, 5120)):
            for tenths in (5, 10, 50, 200, 500):
                t = o.Tail(o.PAGE * (1 + 2 * slot_pages + body), slot_pages, metadata, *o.chosen_parity(body, tenths))
                yield "tail", *map(str, (body, slot_pages, metadata, tenths, t.parity, t.groups, t.rows, t.sum_pages, t.end, t.sums[0],
                                         t.parity_offset, t.sums[1], t.metadata, t.slot, t.page0, t.file_length))


# ---- whole files -----------------------------------------------------------------------------

def recipients(*keys):
    return [by_recipient(key.key_id, k.public_key(key)) for key in keys]


BOTH = [by_master(FIRST_KEY), *recipients(SECOND_KEY, FIRST_KEY), raw_wrap(77, bytes(range(16)), bytes(range(40)))]
# Name, length, with SHA-256, rule, K2, master keys, options of the writer. Kept files stand in files/.
FILES = [("empty", 0, False, RULE, K2, (MASTER,), {}), ("one-byte", 1, False, RULE, K2, (SECOND, MASTER), {}),
         ("short", 1000, True, RULE, K2, (MASTER,), {}), ("rule-1", 384, False, 1, 65537, (MASTER,), {}),
         ("two-tiles", 49153, True, RULE, K2, (MASTER,), {}), ("one-segment", 6291456, False, RULE, K2, (MASTER,), {}),
         ("two-segments", 6291456 + 49152 + 5, True, RULE, K2, (MASTER,), {}),
         ("parity", 30000, True, RULE, K2, (MASTER,), {"parity": 50}),
         ("parity-half", 49153, False, RULE, K2, (MASTER,), {"parity": 500, "slot_pages": 2}),
         ("parity-large", 6291456 + 49152 + 5, False, RULE, K2, (MASTER,), {"parity": 50})]
KEPT = {"empty", "one-byte", "short", "rule-1", "parity"}


def file_writer(length, sha256, rule, k2, masters, options):
    plain = recipe(length)
    wraps = [by_master(k.master_key(master)) for master in masters]
    return Writer(plain, wraps, path=NAME, sha256=hashlib.sha256(plain).digest() if sha256 else None, rule=rule, k2=k2, **options)


def special_files():
    """Files of files/ that have no line in container.txt: name -> bytes."""
    plain = recipe(1000)
    pages = list(paper_golden.golden_pages(named))
    source, tables = paper_golden.source(pages)
    table = paper_golden.page_table(pages, tables)
    paper = dict(profile=o.PAPER, table=table, path=NAME, size=len(source), sha256=hashlib.sha256(source).digest())
    volumes, mine = paper_golden.volumes(pages, table), [by_master(FIRST_KEY)]
    records = {10: named("vault", 16), 11: struct.pack("<2Q", 500, 100), 13: "Münster 7".encode(), 0x8000: b"ignored", 0xFFFF: b""}
    holed = plain[:500] + bytes(100) + plain[600:]
    yield "two-pages.tif", source
    yield "recipients.orr.tif", Writer(plain, BOTH, path=NAME, slot_pages=2).file()
    yield "recipient-only.orr.tif", Writer(plain, recipients(FIRST_KEY), path=NAME).file()
    yield "records.orr.tif", Writer(holed, mine, path=NAME, values=records).file()
    yield "two-pages.paper.orr.tif", Writer(volumes, mine, **paper).file()
    yield "two-pages-parity.paper.orr.tif", Writer(volumes, mine, parity=200, **paper).file()
    yield "two-pages-regions.paper.orr.tif", Writer(volumes, mine, regions=REGIONS, **paper).file()


REGIONS = [(0, 1, 1, 3, 2), (0, 4, 1, 3, 4), (1, 0, 0, 6, 1)]


def keyring_lines():
    """(lines, files) of two keyrings with both TEST keys and a destroyed one."""
    gone = k.master_key(named("destroyed", 32))
    records = [orrery_keyring.key_record(FIRST_KEY, 1, 1736253296, b"first"), orrery_keyring.key_record(SECOND_KEY, 2, -1, "zweite ü".encode()),
               orrery_keyring.key_record(gone, 3)]
    code, decoys = named("recovery", 32), [(1, 2, 3), (255 * 2**26, 0, 7)]
    locked = [(orrery_keyring.PASSPHRASE, PASSPHRASE, 10, 8, 1, 1736253296, b"desk"), (orrery_keyring.RECOVERY, code, 0, 0, 0, 5, b"safe")]
    lines = ["# recovery KEY CODE", ("recovery", code, orrery_keyring.recovery_code(code)),
             ("recovery", bytes(32), orrery_keyring.recovery_code(bytes(32))),
             "# keyring NAME PASSPHRASE RECOVERY-KEY: files/NAME holds both master keys above (active, decrypt-only) and a destroyed one",
             ("keyring", "locked.keyring", PASSPHRASE, code), ("keyring", "open.keyring", b"", b"")]
    files = {"locked.keyring": orrery_keyring.write_keyring(records, locked, named, decoys, named("generator", 32)),
             "open.keyring": orrery_keyring.write_keyring(records, [(orrery_keyring.NONE, None, 0, 0, 0, 0, b"")], named, decoys)}
    return lines, files


def file_lines(target):
    yield ("# file NAME LENGTH HAS-SHA256 RULE K2 MASTER-KEYS FILE-LENGTH SHA-256 SLOT-PAGES PARITY GROUPS. Plaintext: byte n is "
           "(n mod 251 + n / 251) mod 256; path as in the second metadata line; mtime, mode, timestamp, time of writing, file ID and "
           "file secret as above; salts: SHAKE-256 of \"orrery test metadata salt\" and \"orrery test segment salt N\"")
    for name, length, sha256, rule, k2, masters, options in FILES:
        writer = file_writer(length, sha256, rule, k2, masters, options)
        whole = writer.file()
        if name in KEPT:
            (target / "files" / f"{name}.orr.tif").write_bytes(whole)
        yield ("file", name, str(length), str(int(sha256)), str(rule), str(k2), b"".join(masters), str(len(whole)),
               hashlib.sha256(whole).digest(), str(writer.slot_pages), str(writer.tail.parity), str(writer.tail.groups))


# ---- worked sizes of docs/FORMAT.md ------------------------------------------------------------

def sizes():
    edge = last_classic(1024, 1)
    names = {6291456: " (6 MiB)", 1 << 30: " (1 GiB)", 1 << 32: " (4 GiB)", 5 << 30: " (5 GiB)", o.MAX_LENGTH: " (the most)"}
    print("| L | rows | tiles | segments | TIFF | D | whole file |\n|---|---|---|---|---|---|---|")
    for length in (0, 1, 384, 385, 49152, 49153, 6291456, 6291457, 1 << 30, edge, edge + 1, 1 << 32, 5 << 30, o.MAX_LENGTH):
        g = o.Geometry(length, 1024, 1)
        print(f"| {length:,}{names.get(length, '')} | {g.rows:,} | {g.tiles:,} | {g.segments:,} | {'BigTIFF' if g.big else 'classic'} | "
              f"{g.data_offset:,} | {g.end:,} |")
    print("\n| L | E | K | k | m | G | c | whole file |\n|---|---|---|---|---|---|---|---|")
    for length in (0, 49153, 6291456, 1 << 30, 5 << 30, o.MAX_LENGTH):
        end = o.Geometry(length, 1024, 1).end
        body = end // o.PAGE - 3
        t = o.Tail(end, 1, 1024, *o.chosen_parity(body, 50))
        print(f"| {length:,}{names.get(length, '')} | {end:,} | {body:,} | {t.rows} | {t.parity} | {t.groups:,} | {t.sum_pages:,} | {t.file_length:,} |")


def write_lines(path, entries):
    with open(path, "w", encoding="ascii") as out:
        out.write("# Written by tests/host/container/make_container_vectors.py; bytes in hexadecimal, '-' for none. TEST keys only.\n")
        for line in entries:
            words = [line] if isinstance(line, str) else [(w.hex() or "-") if isinstance(w, bytes) else w for w in line]
            out.write(" ".join(words) + "\n")


def write(target):
    """Everything, below the directory `target`."""
    (target / "files").mkdir(exist_ok=True)
    keyrings, files = keyring_lines()
    parts = (key_lines, header_lines, metadata_lines, geometry_lines, tail_lines)
    lines = [line for part in parts for line in part()] + keyrings + list(file_lines(target))
    for name, data in [*special_files(), *files.items()]:
        (target / "files" / name).write_bytes(data)
    (target / "files" / "TEST-master-keys.txt").write_text(
        "# TEST master keys of the files here: never use them for anything else.\n" +
        "".join(f"{key.master.hex()}\n" for key in (FIRST_KEY, SECOND_KEY)))
    write_lines(target / "crypto.txt", crypto_lines())
    write_lines(target / "container.txt", lines)


if __name__ == "__main__":
    if sys.argv[1] == "--sizes":
        sizes()
    else:
        write(pathlib.Path(sys.argv[1]))
