"""Hostile Orrery files with the status that docs/FORMAT.md asks for, made by someone who holds the keys, or who has
a public key only. The tests of the second reader and of the program go through the same table.

cases(wraps) yields (name, bytes of the file, status). Each file is right but for what its name says.
"""
import hashlib
import hmac
import struct

import orrery_format as o
import orrery_keys as k
import paper_golden
from orrery_metadata import record
from orrery_writer import Writer, by_master, by_recipient, drawn, flip, put, raw_wrap

PLAIN = bytes(n % 251 for n in range(1000))
KEY, OTHER, STRANGER = (k.master_key(key) for key in (bytes(range(32)), bytes(range(32, 64)), drawn("", "stranger", 32)))  # TEST keys
LOW_ORDER = [bytes(32), b"\1" + bytes(31), bytes.fromhex("e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800"),
             bytes.fromhex("5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157"), b"\xec" + b"\xff" * 30 + b"\x7f",
             b"\xed" + b"\xff" * 30 + b"\x7f", b"\xee" + b"\xff" * 30 + b"\x7f"]


HOLDER = [by_master(KEY)]
RECIPIENT = [by_recipient(KEY.key_id, k.public_key(KEY))]


# ---- header ----------------------------------------------------------------------------------

HEADER = [  # field, values, status: an archive file of 1,000 bytes, K = 3 body pages
    ("version", (0, 2, 65535), 8), ("suite", (0, 1, 3, 65535), 8), ("profile", (0, 2, 3, 255), 8), ("slot_pages", (0, 17, 255), 8),
    ("slot_pages", (2, 16), 4), ("rule", (0, 40321, 65535), 8), ("k2", (0, 2825054456, 2**32 - 2), 8),
    ("features", (1, 2, 2**31, 2**32 - 1), 8), ("ignorable", (1, 2**32 - 1), 0), ("length", (1001, 0, 100000), 4),
    ("length", (o.MAX_LENGTH + 1, 2**63, 2**64 - 1), 8), ("metadata_length", (0, 1, 1000, 1025, 2**20 + 1024, 2**63, 2**64 - 1024), 8),
    ("metadata_length", (2048, 2**20), 4), ("tile_bytes", (0, 49151, 49153, 2**32 - 1), 8), ("segment_tiles", (0, 127, 129, 2**32 - 1), 8),
    ("file_length", (0, 4096, 24575, 24577, 28672, 2**63, 2**64 - 1), 4), ("pages", (0, 2, 2**32 - 1), 8), ("zero", (1, 65535), 8),
    ("parity", (1, 255, 65535), 8), ("groups", (1, 2**32 - 1), 8), ("rule", (1,), 4), ("k2", (2825054459,), 4)]
REPAIR_FIELDS = [((254, 1), 8), ((253, 1), 8), ((252, 1), 4), ((1, 4), 8), ((1, 3), 4), ((65535, 1), 8), ((1, 2**32 - 1), 8), ((254, 2**32 - 1), 8)]


def header_cases(wraps):
    for field, values, status in HEADER:
        for value in values:
            yield f"header {field} {value}", Writer(PLAIN, wraps, fields={field: value}).file(), status
    for (parity, groups), status in REPAIR_FIELDS:
        yield f"header repair {parity} {groups}", Writer(PLAIN, wraps, fields={"parity": parity, "groups": groups}).file(), status
    for at in (0, 47, 95):
        yield f"header reserved {at}", Writer(PLAIN, wraps, fields={"reserved": bytes(at) + b"\1"}).file(), 8
    for at in (16, 20, 31):
        yield f"magic {at}", Writer(PLAIN, wraps, edit={"page0": flip(at)}).file(), 10
    for at in (0, 2, 4, 8, 224, 255, 256, 400, 900, 4095):
        yield f"page 0 {at}", Writer(PLAIN, wraps, edit={"page0": flip(at)}).file(), 4


# ---- slots -----------------------------------------------------------------------------------

def sealed_slot(writer, head):
    """A slot with these bytes before the zeros, with a right MAC and checksum."""
    slot = head.ljust(o.PAGE * writer.slot_pages - 48, b"\0")
    slot += hmac.digest(writer.keys["header mac"], slot, "sha256")
    return slot + o.xxh3(slot)


def with_slots(wraps, change, letters="AB", **options):
    """A file whose slots have the bytes that `change` makes of the right ones before the zeros."""
    writer = Writer(PLAIN, wraps, **options)
    head = b"ORRSLOT1" + struct.pack("<QII", 1, len(writer.wraps), 0) + b"".join(wrap.encode() for wrap in writer.wraps)
    for letter in letters:
        writer.edits[f"slot {letter}"] = lambda _: sealed_slot(writer, change(head))
    return writer.file()


SLOT_CHANGES = [
    ("magic", put(0, b"X")), ("generation 0", put(8, bytes(8))), ("no wrap", put(16, bytes(4))), ("count 2", put(16, b"\2")),
    ("count 257", put(16, b"\1\1")), ("count 2^32-1", put(16, b"\xff" * 4)), ("zero", put(20, b"\1")), ("zero 23", put(23, b"\1")),
    ("wrap type 0", put(24, bytes(2))), ("wrap zero", put(26, b"\1")), ("wrap length 0", put(28, bytes(4))),
    ("wrap length 8", put(28, b"\x08\0\0\0")), ("wrap length 112", put(28, b"\x70\0\0\0")), ("wrap length 128", put(28, b"\x80\0\0\0")),
    ("wrap length 121", put(28, b"\x79\0\0\0")), ("wrap length 4096", put(28, b"\0\x10\0\0")), ("wrap length 2^32-8", put(28, b"\xf8\xff\xff\xff")),
    ("behind the wraps", lambda head: head.ljust(4047, b"\0") + b"\1")]


def slot_cases(wraps):
    for name, change in SLOT_CHANGES:
        yield f"slots {name}", with_slots(wraps, change), 4
        yield f"slot A {name}", with_slots(wraps, change, "A"), 0
        yield f"slot B {name}", with_slots(wraps, change, "B"), 0
    for letters, status in (("A", 0), ("B", 0), ("AB", 4)):
        yield f"checksum {letters}", Writer(PLAIN, wraps, edit={f"slot {letter}": flip(4095) for letter in letters}).file(), status
    mend = lambda slot: (slot[:-16]) + o.xxh3(slot[:-16])
    for letters in ("A", "B", "AB"):
        forged = {f"slot {letter}": lambda slot: mend(flip(4050)(slot)) for letter in letters}
        yield f"MAC {letters}", Writer(PLAIN, wraps, edit=forged).file(), 4
    yield "generation 2^64-1", with_slots(wraps, put(8, b"\xff" * 8)), 0
    yield "MAC of a high generation", Writer(PLAIN, wraps, edit={"slot B": lambda slot: mend(put(8, b"\x09")(slot))}).file(), 4


def wrap_cases(wraps):
    """Wraps beside, or instead of, those that open."""
    junk = lambda kind, length: raw_wrap(kind, KEY.key_id, drawn("", f"junk {kind}", length))
    for kind in (1, 2):
        body = {1: 104, 2: 144}[kind]
        yield f"only junk of type {kind}", Writer(PLAIN, [junk(kind, body)]).file(), 4
        yield f"junk of type {kind} first", Writer(PLAIN, [junk(kind, body), *wraps]).file(), 0
        yield f"junk of type {kind} last", Writer(PLAIN, [*wraps, junk(kind, body)]).file(), 0
    yield "255 junk wraps", Writer(PLAIN, [junk(1, 104)] * 255 + wraps, slot_pages=16).file(), 0
    yield "255 junk wraps of type 2", Writer(PLAIN, [junk(2, 144)] * 255 + wraps, slot_pages=16).file(), 0
    for kind in (3, 4, 65535):
        yield f"only type {kind}", Writer(PLAIN, [raw_wrap(kind, KEY.key_id, bytes(32))]).file(), 5
        yield f"type {kind} beside", Writer(PLAIN, [raw_wrap(kind, KEY.key_id, b""), *wraps]).file(), 0
    yield "a stranger's wrap", Writer(PLAIN, [by_master(STRANGER)]).file(), 5
    yield "a stranger's recipient wrap", Writer(PLAIN, [by_recipient(STRANGER.key_id, k.public_key(STRANGER))]).file(), 5
    yield "a recipient wrap under another ID", Writer(PLAIN, [by_recipient(OTHER.key_id, k.public_key(KEY))]).file(), 4
    for number, point in enumerate(LOW_ORDER):
        yield f"low order {number}", Writer(PLAIN, [raw_wrap(2, KEY.key_id, point + drawn("", "cipher", 112))]).file(), 4
    elsewhere = Writer(PLAIN, wraps, seed="elsewhere")
    moved = [raw_wrap(wrap.kind, wrap.key_id, wrap.body) for wrap in elsewhere.wraps]
    yield "a wrap of another file", Writer(PLAIN, moved).file(), 4
    yield "a wrap of another file with the same secret", Writer(PLAIN, moved, secret=elsewhere.secret).file(), 4
    for name, secret in (("short", lambda s: s[:95]), ("planet", lambda s: s[:32] + flip(5)(s[32:])), ("seal", flip(0))):
        wrong = lambda writer, number, secret=secret: k.master_wrap(KEY, writer.header, secret(writer.secret))
        yield f"a wrap of a wrong secret: {name}", Writer(PLAIN, [wrong]).file(), 4


# ---- metadata --------------------------------------------------------------------------------

PATHS = [b"", b"/", b"/etc/passwd", b"a/", b"a//b", b".", b"..", b"a/..", b"../a", b"a/./b", b"a\0b", b"x" * 4097]
VALUES = [  # tag, value (None: left out), status
    *[(tag, None, 4) for tag in (1, 2, 3, 4, 5, 7, 9)], *[(1, path, 4) for path in PATHS], (1, b"...", 0), (1, b"a\n\xff/-rf", 0),
    (2, struct.pack("<Q", 999), 4), (2, struct.pack("<Q", 2**64 - 1), 4), (2, bytes(7), 4), (2, bytes(9), 4),
    (3, struct.pack("<qI", 0, 10**9), 4), (3, struct.pack("<qI", 0, 2**32 - 1), 4), (3, struct.pack("<qI", 2**63 - 1, 0), 0),
    (3, struct.pack("<qI", -2**63, 999999999), 0), (3, bytes(11), 4), (4, struct.pack("<I", 0o7777), 0), (4, struct.pack("<I", 0o10000), 4),
    (4, b"\xff" * 4, 4), (4, bytes(3), 4), (5, bytes(16), 4), (5, bytes(15), 4), (6, bytes(32), 4), (6, bytes(31), 4),
    (6, hashlib.sha256(PLAIN).digest(), 0), (7, b"07-01-2025 12:34:5x", 4), (7, b"07/01/2025 12:34:56", 4), (7, b"07-01-2025 12:34", 4),
    (8, b"", 4), (8, bytes(8), 4), (9, struct.pack("<qI", 0, 10**9), 4), (9, bytes(13), 4), (10, bytes(16), 0), (10, bytes(15), 4),
    (11, b"", 4), (11, bytes(8), 4), (11, struct.pack("<QQ", 0, 0), 4), (11, struct.pack("<QQ", 1000, 1), 4),
    (11, struct.pack("<QQ", 2**64 - 1, 2), 4), (11, struct.pack("<QQ", 5, 2**64 - 1), 4), (11, struct.pack("<4Q", 0, 1, 1, 1), 4),
    (11, struct.pack("<4Q", 251, 1, 0, 1), 4), (11, struct.pack("<4Q", 0, 1, 251, 1), 0),
    (12, struct.pack("<5I", 0, 0, 0, 1, 1), 4), (13, b"", 4), (13, b"a", 0), (13, b"x" * 63, 0), (13, b"x" * 64, 4), (13, b"a\nb", 4),
    (13, b"\x7f", 4), (13, b"\xc2\x85", 4), (13, b"\xff", 4), (13, b"\xed\xa0\x80", 4), (14, b"", 8), (14, b"x", 8), (0x7FFF, b"", 8),
    (0x8000, b"", 0), (0xFFFF, b"anything", 0)]


def record_edits():
    yield "cut", lambda records: records[:-20], 4
    yield "cut to nothing", lambda records: b"", 4
    yield "a record twice", lambda records: records + records[-20:], 4
    yield "a lower tag behind", lambda records: records + record(3, bytes(12)), 4
    yield "tag 0", lambda records: records + record(0, b"x"), 4
    yield "zero field", lambda records: records + record(10, bytes(16), zero=1), 4
    yield "length beyond the end", lambda records: records + struct.pack("<HHI", 0x8000, 0, 2000), 4
    yield "length 2^32-1", lambda records: records + struct.pack("<HHI", 0x8000, 0, 2**32 - 1), 4
    yield "a record to the end", lambda records: records + record(0x8000, bytes(1024 - 32 - 8 - len(records))), 0
    yield "a tag in the last bytes", lambda records: records + record(0x8000, bytes(1024 - 32 - 11 - len(records))) + b"\0\0\1", 4
    yield "three zero bytes at the end", lambda records: records + record(0x8000, bytes(1024 - 32 - 11 - len(records))), 0


def metadata_cases(wraps):
    for number, (tag, value, status) in enumerate(VALUES):
        yield f"metadata {number}: record {tag} {value and value[:20]}", Writer(PLAIN, wraps, values={tag: value}).file(), status
    for name, change, status in record_edits():
        yield f"metadata {name}", Writer(PLAIN, wraps, edit={"records": change}).file(), status
    yield "a hole that is not zero", Writer(PLAIN, wraps, values={11: struct.pack("<QQ", 1, 1)}).file(), 4
    yield "metadata padding", Writer(PLAIN, wraps, edit={"metadata": flip(991)}).file(), 4
    yield "metadata in two steps of 1,024", Writer(PLAIN, wraps, values={1: b"/".join([b"x" * 200] * 5)}).file(), 0
    for at in (0, 15, 16, 1007, 1008, 1023):
        yield f"sealed metadata {at}", Writer(PLAIN, wraps, edit={"sealed": flip(at)}).file(), 4


# ---- data ------------------------------------------------------------------------------------

def data_cases(wraps):
    for at in (0, 16, 2047, 2048, 2079, 2080, 2095, 2096, 4095):
        yield f"head {at}", Writer(PLAIN, wraps, edit={"head 0": flip(at)}).file(), 4
    yield "segment digest", Writer(PLAIN, wraps, edit={"digest 0": flip(0)}).file(), 4
    yield "padding in the tile", Writer(PLAIN, wraps, edit={"tile 0": flip(1151)}).file(), 4
    yield "plaintext", Writer(PLAIN, wraps, edit={"tile 0": flip(0)}).file(), 4
    right = Writer(PLAIN, wraps)
    for at in (0, 1, 2, 20, 149, 150, 3071):
        yield f"directory {at}", Writer(PLAIN, wraps, edit={"directory": flip(at)}).file(), 4
    for name, at in (("ciphertext", 20480), ("ciphertext's end", 20480 + 1151), ("behind the tile", 20480 + 1152), ("last byte", 24575)):
        yield name, Writer(PLAIN, wraps, edit={"file": flip(at)}).file(), 4
    whole = right.file()
    for name, data in (("cut", whole[:-1]), ("a page cut", whole[:-4096]), ("grown", whole + b"\0"), ("a page grown", whole + bytes(4096)),
                       ("a header only", whole[:224]), ("half a header", whole[:100]), ("a magic only", whole[:32]), ("half a magic", whole[:24])):
        yield name, data, 4
    yield "less than half a magic", whole[:23], 10
    two = Writer(bytes(n % 256 for n in range(98304)), wraps)
    start, tile = two.geometry.data_offset, o.TILE
    swapped = lambda data: data[: start + 4096] + data[start + 4096 + tile :][:tile] + data[start + 4096 :][:tile] + data[start + 4096 + 2 * tile :]
    tags = lambda data: data[:start] + data[start + 16 : start + 32] + data[start : start + 16] + data[start + 32 :]
    yield "tiles swapped", swapped(two.file()), 4
    yield "tiles and tags swapped", tags(swapped(two.file())), 4
    other = Writer(two.plain, wraps, seed="other").file()
    yield "a segment of another file", two.file()[:start] + other[start:], 4
    yield "slots of another file", two.file()[:4096] + other[4096:12288] + two.file()[12288:], 4
    yield "metadata of another file", two.file()[:12288] + other[12288:13312] + two.file()[13312:], 4


def repair_cases(wraps):
    """Of a file whose data are right the repair data may say what they want."""
    options = {"parity": 200}
    garbage = lambda data: drawn("", "garbage", len(data))
    for stage in ("sums", "parity", "tail"):
        for name, change in (("zero", lambda data: bytes(len(data))), ("garbage", garbage)):
            yield f"repair {stage} {name}", Writer(PLAIN, wraps, edit={stage: change}, **options).file(), 0
    other = Writer(PLAIN, wraps, seed="other", **options).file()
    right = Writer(PLAIN, wraps, **options)
    end = right.tail.end
    yield "repair tail of another file", right.file()[:end] + other[end:], 4  # its slot C
    yield "repair head of another file", other[:end] + right.file()[end:], 4
    forged = lambda slot: put(4050, b"forged")(slot)[:-16]
    yield "repair slot C forged", Writer(PLAIN, wraps, edit={"slot C": lambda slot: forged(slot) + o.xxh3(forged(slot))}, **options).file(), 4
    yield "repair slot C damaged", Writer(PLAIN, wraps, edit={"slot C": flip(30)}, **options).file(), 0
    for at in (12288, 13400, 16384, 20480, 20480 + 1151, 20480 + 1152):
        yield f"repair damage {at}", flip(at)(right.file()), 0
    for name, places in (("page 0 twice", (230, right.tail.page0 + 230)), ("slots", (4100, 8200, right.tail.slot + 4))):
        broken = right.file()
        for at in places:
            broken = flip(at, 7)(broken)
        yield f"repair {name}", broken, 4
    both = lambda data: flip(right.tail.page0 + 20)(flip(20)(data))
    yield "repair magic twice", both(right.file()), 10
    vouched = Writer(PLAIN, wraps, edit={"body": flip(20480 - 12288)}, **options).file()
    yield "repair data that vouch for damage", vouched, 4


# ---- paper -----------------------------------------------------------------------------------

def paper_parts():
    pages = list(paper_golden.golden_pages(lambda name, length: drawn("", name, length)))
    _, tables = paper_golden.source(pages)
    table = paper_golden.page_table(pages, tables)
    return table, paper_golden.volumes(pages, table)


TABLE_CHANGES = [("version", put(0, b"\2")), ("flags", put(2, b"\4")), ("no page", put(4, bytes(4))), ("a page more", put(4, b"\3")),
                 ("a page less", put(4, b"\1")), ("width 0", put(8, bytes(4))), ("width 8", put(8, b"\x08")), ("height 0", put(12, bytes(4))),
                 ("width 2^31", put(8, b"\0\0\0\x80")), ("samples 0", put(16, bytes(2))), ("samples 2", put(16, b"\2")), ("bits 7", put(18, b"\7")),
                 ("bits 16", put(18, b"\x10")), ("format 3", put(20, b"\3")), ("photometric 3", put(22, b"\3")), ("planar 3", put(24, b"\3")),
                 ("converted 2", put(32, b"\2")), ("tiled 2", put(34, b"\2")), ("zero", put(44, b"\1")), ("tags 65536", put(48, b"\0\0\1\0")),
                 ("tags one less", put(48, b"\x0a")), ("cut", lambda table: table[:-1]), ("behind", lambda table: table + b"\0"), ("empty", lambda table: b"")]
REGIONS = [("none", [], 4), ("overlap", [(0, 0, 0, 3, 3), (0, 2, 2, 2, 2)], 4), ("order", [(0, 0, 3, 1, 1), (0, 0, 0, 1, 1)], 4),
           ("twice", [(0, 0, 0, 1, 1)] * 2, 4), ("no width", [(0, 0, 0, 0, 1)], 4), ("no height", [(0, 0, 0, 1, 0)], 4),
           ("outside", [(0, 5, 0, 3, 1)], 4), ("below", [(0, 0, 5, 1, 1)], 4), ("page 2", [(2, 0, 0, 1, 1)], 4),
           ("wide", [(0, 1, 0, 2**32 - 1, 1)], 4), ("good", [(0, 0, 0, 3, 3), (0, 3, 0, 4, 5), (1, 1, 1, 1, 1)], 0)]


def paper_cases(wraps):
    table, volumes = paper_parts()

    def paper(**options):
        return Writer(volumes, wraps, profile=o.PAPER, table=table, size=560, **options).file()

    for field, values, status in (("tile_bytes", (1, 49152), 8), ("segment_tiles", (1, 128), 8), ("pages", (0, 65536), 8), ("pages", (1, 3), 4),
                                  ("features", (2, 4, 2**31), 8), ("features", (1,), 4), ("metadata_length", (1024, 5120, 2**26 + 4096), 8),
                                  ("length", (0, 200, 202, 2**63), 4), ("file_length", (28671, 24576, 2**64 - 4096), 4)):
        for value in values:
            yield f"paper {field} {value}", paper(fields={field: value}), status
    for name, change in TABLE_CHANGES:
        yield f"paper table {name}", paper(values={8: change(table)}), 4
    yield "paper without record 8", paper(values={8: None}), 4
    yield "paper with holes", paper(values={11: struct.pack("<QQ", 0, 1)}), 4
    yield "paper regions without the feature", paper(values={12: struct.pack("<5I", 0, 0, 0, 1, 1)}), 4
    for name, regions, status in REGIONS:
        value = b"".join(struct.pack("<5I", *region) for region in regions)
        yield f"paper regions {name}", paper(regions=regions if status == 0 else [(0, 0, 0, 1, 1)], values={12: value}), status
    yield "paper digest", paper(values={5: bytes(16)}), 4
    for at in (0, 300, 16384 - 12288 + 200):
        yield f"paper body {at}", paper(edit={"body": flip(at)}), 4


def cases(wraps):
    """Everything, under these wraps: HOLDER or RECIPIENT."""
    for part in (header_cases, slot_cases, wrap_cases, metadata_cases, data_cases, repair_cases, paper_cases):
        yield from part(wraps)
