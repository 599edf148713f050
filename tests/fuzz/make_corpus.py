#!/usr/bin/env python3
"""Writes the seeds of the fuzz targets, tests/fuzz/corpus/NAME/seed-*: all made here, nothing copied.

    tests/fuzz/make_corpus.py

Deterministic: running it again changes nothing. Files of other names (reproducers of fixed findings)
are left alone. Needs only the standard library.
"""
import hashlib
import hmac
import json
import pathlib
import struct
import zlib

CORPUS = pathlib.Path(__file__).resolve().parent / "corpus"


def write(target, name, content):
    path = CORPUS / target / f"seed-{name}"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


# ---- keyring (docs/FORMAT.md, "Keyring file")

def hkdf(salt, ikm, info, length):
    prk = hmac.new(salt, ikm, hashlib.sha512).digest()
    return hmac.new(prk, info + b"\x01", hashlib.sha512).digest()[:length]


def key_record(key, state, label, version=2):
    """The X25519 halves are put right by the target (modes 2)."""
    key_id = hkdf(b"orrery v1 master key", key, b"orrery v1 key id", 16)
    kept = bytes(32) if state == 3 else key
    record = key_id + kept + struct.pack("<IIq", state, 0, 1732406400) + label.ljust(64, b"\0")
    return record + (kept + bytes(32) if version == 2 else b"")


def payload(keys, decoys, labels=(b"",)):
    out = struct.pack("<II", len(keys), len(decoys)) + bytes(32) + b"".join(label.ljust(64, b"\0") for label in labels)
    return out + b"".join(keys) + b"".join(struct.pack("<3Q", *d) for d in decoys)


def unlock(kind, cost, number):
    return struct.pack("<HH3I16s32s40sq16x", kind, 0, *cost, bytes([number]) * 16, bytes(32), bytes(40), 1732406400)


def keyring_seeds():
    one = payload([key_record(b"k" * 32, 1, b"first")], [(1, 2, 3)])
    many = payload([key_record(bytes([n]) * 32, 1 + (n > 0) + (n > 2), "schlüssel".encode())
                    for n in range(4)], [(n, 255 << 26, 7) for n in range(20)], [b"night shift"])
    for name, content in (("one", one), ("many", many), ("none", payload([], [])[:40])):
        for mode in (1, 2, 64, 65):
            write("keyring", f"{name}-{mode}", bytes([mode]) + content)
    for name, unlocks in (("scrypt", [(1, (17, 8, 1))]), ("clear", [(3, (0, 0, 0))]), ("code", [(2, (0, 0, 0))]),
                          ("both", [(1, (17, 8, 1)), (2, (0, 0, 0)), (1, (14, 8, 2))])):
        body = payload([key_record(b"k" * 32, 1, b"first")], [(1, 2, 3)], [b"x"] * len(unlocks))
        head = b"ORRKEYRG" + struct.pack("<HHI12s4x32s", 2, len(unlocks), len(body), bytes(12), bytes(32))
        head += b"".join(unlock(kind, cost, n) for n, (kind, cost) in enumerate(unlocks))
        write("keyring", f"file-{name}", b"\0" + head + body + bytes(16))
    old = payload([key_record(b"k" * 32, 1, b"first", 1)], [(1, 2, 3)], [])
    for name, kdf, cost in (("scrypt", 1, (17, 8, 1)), ("clear", 0, (0, 0, 0))):
        head = b"ORRKEYRG" + struct.pack("<HH3I44sI", 1, kdf, *cost, bytes(44), len(old))
        write("keyring", f"file1-{name}", b"\0" + head + old + bytes(16))


def recipient_seeds():
    """docs/FORMAT.md, "Recipient file"; mode 1 puts length and checksum right."""
    def file(public, label, decoys, count=None):
        head = b"ORRPUBL1" + struct.pack("<HHI", 1, 0, len(decoys) if count is None else count) + b"i" * 16
        head += public + label.ljust(64, b"\0") + struct.pack("<q", 1732406400)
        return head + b"".join(struct.pack("<3Q", *d) for d in decoys) + bytes(16)
    nine = bytes([9]) + bytes(31)
    prime = bytes([0xed]) + b"\xff" * 30 + b"\x7f"
    for name, content in (("one", file(nine, b"site", [(1, 2, 3)])),
                          ("many", file(nine, "schlüssel".encode(), [(n, 255 << 26, 7) for n in range(20)])),
                          ("full", file(nine, b"x" * 63, [(n, n, n) for n in range(256)])),
                          ("none", file(nine, b"", [])),
                          ("low-order", file(bytes(32), b"", [(1, 2, 3)])),
                          ("not-canonical", file(prime, b"", [(1, 2, 3)])),
                          ("sum", file(nine, b"", [(1, (255 << 26) + 1, 3)])),
                          ("label", file(nine, b"a\0b", [(1, 2, 3)])),
                          ("count", file(nine, b"", [(1, 2, 3)], 1 << 31))):
        for mode in (0, 1):
            write("recipient", f"{name}-{mode}", bytes([mode]) + content)


# ---- command lines and small texts

def cli_seeds():
    lines = [
        "--help", "--version", "keyring --help", "keyring new -o k --decoy a.png b.png --label x",
        "keyring new -o k --no-passphrase --decoy a --decoy b", "keyring add -k k --label new",
        "keyring list -k k --json", "keyring set-state -k k abcd destroyed --yes",
        "keyring passwd -k k --passphrase-fd 3 --new-passphrase-fd 4",
        "encrypt -k k a b c -o out -j 4 --mem 256M --sha256 --names opaque --check cpu",
        "encrypt -k k --profile paper --mu 0.05 --rule 37241 a -o out --dry-run -q",
        "encrypt -k k --files-from list -o out --shard 1/8 --device cuda:1",
        "encrypt -k k --files-from0 - -o out --passphrase-file p --json",
        "decrypt -k k -o out --salvage -- -a", "verify -k k a --subset 1/8 -v",
        "verify -k k a --subset 10%", "rewrap -k k --to abcd a", "reencrypt -k k --to abcd a -o b",
        "inspect a b --json", "keystream --seed 00ff --bytes 1M", "devices --json", "encrypt --jobs",
        "encrypt --no-such", "inspect -xyz", "--json", "encrypt --key=k",
        "keyring export -k k -o site.orrpub label --dry-run",
        "keyring unlock add -k k --new-recovery-code --save-recovery-code c --label x", "keyring unlock list -k k --json",
        "keyring unlock remove -k k 0123 --other-passphrase-file a --other-recovery-code-file b --yes",
        "keyring merge -k k other --recovery-code-fd 3", "keyring convert -k k --passphrase-file p",
    ]
    for n, line in enumerate(lines):
        write("cli", f"{n:02}", line.replace(" ", "\n").encode())


def text_seeds():
    texts = [
        (0, b"a\nb c\n\nlast"), (0, b"a\0b"), (0, b"\n\n"), (1, b"a\0b\nc\0\0d\0"), (1, b"\0"),
        (2, b"secret\nmore"), (2, b"secret\r\n"), (2, b"x" * 1024), (2, b"\n"),
        (3, "größe \u2603 \U0001f600".encode()), (3, b"\xff\xfe\xc0\x80 \xed\xa0\x80 \xf4\x90"),
        (3, b'quote " back \\ tab \t line \n'), (3, b"a/../b"), (4, b"12"), (4, b"64MiB"),
        (4, b"99999999999999999999"), (4, b"1/8"), (4, b"0.0519999999988"), (4, b"1e400"),
        (4, b"0x10"), (4, b"00ffAB"), (2, b"0000000-" * 7 + b"0000000"), (5, bytes(32)), (5, bytes(range(100))),
        (5, b"\x00\x42" * 16 + bytes([2, 3, 6, 15, 16, 31] * 12)),
    ]
    for n, (mode, text) in enumerate(texts):
        write("text", f"{n:02}", bytes([mode]) + text)


# ---- images

def tiff(pages, big_endian=False, big=False):
    """pages: (tags, [strip or tile bytes]); tags: {id: (type, values)} without the data arrays."""
    e = ">" if big_endian else "<"
    codes, sizes = {1: "B", 2: "s", 3: "H", 4: "I", 5: "II", 7: "s", 16: "Q"}, {}
    word, offset_type = ("Q", 16) if big else ("I", 4)
    out = bytearray(b"MM" if big_endian else b"II")
    out += struct.pack(e + "HHHQ", 43, 8, 0, 16) if big else struct.pack(e + "HI", 42, 8)
    link = len(out) - (8 if big else 4)
    for tags, chunks in pages:
        offsets = []
        for chunk in chunks:
            offsets.append(len(out))
            out += chunk + b"\0" * (len(chunk) % 2)
        tiled = 322 in tags
        tags = dict(tags)
        tags[324 if tiled else 273] = (offset_type, offsets)
        tags[325 if tiled else 279] = (offset_type, [len(c) for c in chunks])
        entries = []
        for tag in sorted(tags):
            kind, values = tags[tag]
            if kind in (2, 7):
                raw, count = values, len(values)
            elif kind == 5:
                raw = b"".join(struct.pack(e + "II", *v) for v in values)
                count = len(values)
            else:
                raw = struct.pack(f"{e}{len(values)}{codes[kind]}", *values)
                count = len(values)
            if len(raw) <= struct.calcsize(word):
                field = raw.ljust(struct.calcsize(word), b"\0")
            else:
                field = struct.pack(e + word, len(out))
                out += raw + b"\0" * (len(raw) % 2)
            entries.append(struct.pack(e + "HH" + word, tag, kind, count) + field)
        struct.pack_into(e + word, out, link, len(out))
        out += struct.pack(e + ("Q" if big else "H"), len(entries)) + b"".join(entries)
        link = len(out)
        out += bytes(struct.calcsize(word))
    return bytes(out)


def page_tags(width, height, samples, bits, photometric, compression=1, **more):
    tags = {256: (4, [width]), 257: (4, [height]), 258: (3, [bits] * samples),
            259: (3, [compression]), 262: (3, [photometric]), 277: (3, [samples]),
            278: (4, [height])}
    tags.update({int(k[1:]): v for k, v in more.items()})
    return {k: v for k, v in tags.items() if v is not None}


def packbits(raw):
    return b"".join(bytes([len(raw[i:i + 128]) - 1]) + raw[i:i + 128] for i in range(0, len(raw), 128))


def noise(count):
    return (hashlib.shake_128(b"orrery fuzz seeds").digest(count))


def tiff_seeds():
    gray, rgb, deep = noise(16 * 8), noise(16 * 8 * 3), noise(16 * 8 * 2)
    text = b"PatientName^Nobody\0"
    half = len(gray) // 2
    seeds = {
        "gray8": tiff([(page_tags(16, 8, 1, 8, 1), [gray])]),
        "gray8-be-strips": tiff([(page_tags(16, 8, 1, 8, 0, _278=(4, [4])), [gray[:half], gray[half:]])],
                                big_endian=True),
        "gray16": tiff([(page_tags(16, 8, 1, 16, 1), [deep])]),
        "gray16-be-signed": tiff([(page_tags(16, 8, 1, 16, 1, _339=(3, [2])), [deep])], True),
        "rgb8-tags": tiff([(page_tags(16, 8, 3, 8, 2, _270=(2, text), _282=(5, [(72, 1)]),
                                      _700=(1, list(noise(40))), _65000=(7, noise(9))), [rgb])]),
        "rgb8-planar": tiff([(page_tags(16, 8, 3, 8, 2, _284=(3, [2])),
                              [rgb[:128], rgb[128:256], rgb[256:]])]),
        "rgba": tiff([(page_tags(8, 8, 4, 8, 2, _338=(3, [2])), [noise(256)])]),
        "deflate": tiff([(page_tags(16, 8, 3, 8, 2, 8), [zlib.compress(rgb)])]),
        "deflate-predictor": tiff([(page_tags(16, 8, 1, 16, 1, 8, _317=(3, [2])),
                                    [zlib.compress(deep)])]),
        "packbits": tiff([(page_tags(16, 8, 1, 8, 1, 32773), [packbits(gray)])]),
        "lzw-empty": tiff([(page_tags(16, 8, 1, 8, 1, 5), [b"\x80\x0b\x60\x50\x22\x0c\x0c\x85\x01"])]),
        "tiled": tiff([(page_tags(20, 20, 1, 8, 1, _278=None, _322=(4, [16]), _323=(4, [16])),
                        [noise(256)] * 4)]),
        "bigtiff-pages": tiff([(page_tags(16, 8, 1, 8, 1), [gray]),
                               (page_tags(4, 2, 3, 8, 2), [noise(24)])], big=True),
        "pages": tiff([(page_tags(16, 8, 1, 8, 1), [gray])] * 3),
        "palette": tiff([(page_tags(16, 8, 1, 8, 3, _320=(3, [7] * 768)), [gray])]),
        "bilevel": tiff([(page_tags(16, 8, 1, 1, 1), [gray[:16]])]),
        "float": tiff([(page_tags(4, 4, 1, 32, 1, _339=(3, [3])), [noise(64)])]),
        "cmyk": tiff([(page_tags(4, 4, 4, 8, 5), [noise(64)])]),
        "subifd": tiff([(page_tags(4, 4, 1, 8, 1, _330=(4, [8])), [noise(16)])]),
        "exif": tiff([(page_tags(4, 4, 1, 8, 1, _34665=(4, [8])), [noise(16)])]),
        "jpeg": tiff([(page_tags(8, 8, 1, 8, 1, 7), [jpeg(8, 8, 1)])]),
        "jpeg-ycbcr": tiff([(page_tags(8, 8, 3, 8, 6, 7), [jpeg(8, 8, 3)])]),
        "huge": tiff([(page_tags(1 << 20, 1 << 20, 1, 8, 1), [gray])]),
    }
    for name, content in seeds.items():
        write("tiff", name, content)
        if name not in ("subifd", "exif", "cmyk", "bilevel"):
            write("decoy", f"tiff-{name}", content)


def png(width, height, color, bits, raw, palette=None, interlace=0):
    def chunk(kind, body):
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
    head = struct.pack(">IIBBBBB", width, height, bits, color, 0, 0, interlace)
    out = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head)
    if palette:
        out += chunk(b"PLTE", palette) + chunk(b"tRNS", b"\x80")
    return out + chunk(b"IDAT", zlib.compress(raw)) + chunk(b"IEND", b"")


def jpeg(width, height, components, progressive=False):
    """Gray blocks only: every DC difference is zero and every block ends at once."""
    def segment(marker, body):
        return struct.pack(">BBH", 0xFF, marker, len(body) + 2) + body
    out = b"\xff\xd8" + segment(0xDB, b"\0" + b"\x01" * 64)
    frame = struct.pack(">BHHB", 8, height, width, components)
    frame += b"".join(bytes([n + 1, 0x11, 0]) for n in range(components))
    out += segment(0xC2 if progressive else 0xC0, frame)
    for table in (0x00, 0x10):  # one code of one bit for symbol 0: no difference, end of block
        out += segment(0xC4, bytes([table, 1] + [0] * 15 + [0]))
    scan = bytes([components]) + b"".join(bytes([n + 1, 0]) for n in range(components))
    scan += bytes([0, 0 if progressive else 63, 0])
    blocks = -(-width // 8) * -(-height // 8) * components
    bits = "0" * blocks * (1 if progressive else 2)
    bits += "1" * (-len(bits) % 8)
    data = bytes(int(bits[i:i + 8], 2) for i in range(0, len(bits), 8)).replace(b"\xff", b"\xff\0")
    return out + segment(0xDA, scan) + data + b"\xff\xd9"


def decoy_seeds():
    def rows(width, height, bytes_per_row):
        body = noise(height * bytes_per_row)
        return b"".join(bytes([n % 5]) + body[n * bytes_per_row:(n + 1) * bytes_per_row]
                        for n in range(height))
    for name, color, bits, per_row in (("gray8", 0, 8, 8), ("gray1", 0, 1, 1), ("gray16", 0, 16, 16),
                                       ("rgb8", 2, 8, 24), ("rgb16", 2, 16, 48), ("ga8", 4, 8, 16),
                                       ("rgba8", 6, 8, 32), ("rgba16", 6, 16, 64)):
        write("decoy", f"png-{name}", png(8, 5, color, bits, rows(8, 5, per_row)))
    write("decoy", "png-palette", png(8, 2, 3, 4, rows(8, 2, 4), noise(48)))
    write("decoy", "png-interlaced", png(1, 1, 2, 8, rows(1, 1, 3), interlace=1))
    write("decoy", "jpeg-gray", jpeg(17, 9, 1))
    write("decoy", "jpeg-rgb", jpeg(17, 9, 3))
    write("decoy", "jpeg-cmyk", jpeg(8, 8, 4))
    write("decoy", "jpeg-progressive", jpeg(17, 9, 1, progressive=True))



# ---- inside the seal, and containers

def tag(number, kind, count, value):
    return struct.pack("<HHII", number, kind, count, len(value)) + value


def page_entry(width, height, tags=(), samples=1, bits=8, photometric=1, planar=1, compression=1,
               predictor=1, tiled=0, chunk=None):
    columns, rows = chunk or (width, height)
    return struct.pack("<IIHHHHHHHHHHIIII", width, height, samples, bits, 1, photometric, planar,
                       compression, predictor, 1, 0, tiled, columns, rows, 0,
                       len(tags)) + b"".join(tags)


def page_table(pages, flags=0):
    return struct.pack("<HHI", 1, flags, len(pages)) + b"".join(pages)


def metadata(path, more=()):
    """Records of an archive's metadata; more: (tag, value) of others."""
    records = {1: path, 2: struct.pack("<Q", 10), 3: struct.pack("<qI", -5, 9), 4: struct.pack("<I", 0o640),
               5: b"d" * 16, 7: b"02-01-2025 03:04:05", 9: struct.pack("<qI", 1735787046, 7), **dict(more)}
    return b"".join(struct.pack("<HHI", kind, 0, len(value)) + value for kind, value in sorted(records.items()))


def record_seeds():
    size = [tag(256, 4, 1, struct.pack("<I", 8)), tag(257, 4, 1, struct.pack("<I", 4))]
    inner = tag(37510, 7, 3, b"abc") + tag(36864, 7, 4, b"0230")
    exif = tag(34665, 0x8004, 2, inner)
    pages = {
        "plain": [page_entry(8, 4, size)],
        "rgb": [page_entry(8, 4, size + [tag(270, 2, 5, b"text\0")], samples=3, photometric=2)],
        "planar16": [page_entry(8, 4, size, samples=3, bits=16, photometric=2, planar=2)],
        "tiled-lzw": [page_entry(20, 20, (), compression=5, predictor=2, tiled=1, chunk=(16, 16))],
        "deflate": [page_entry(8, 4, size, compression=8)],
        "zstd": [page_entry(8, 4, size, compression=50000)],
        "exif": [page_entry(8, 4, size + [exif])],
        "pages": [page_entry(8, 4, size), page_entry(2, 2)],
    }
    for name, entries in pages.items():
        write("record", f"pages-{name}", b"\1" + page_table(entries))
    write("record", "pages-big-endian", b"\1" + page_table(pages["rgb"], 3))
    write("record", "metadata", b"\0" + metadata(b"a/b.tif"))
    write("record", "metadata-sha256", b"\0" + metadata(b"name", [(6, b"s" * 32)]))
    write("record", "metadata-padded", b"\0" + metadata(b"name") + bytes(100))
    write("record", "metadata-vault", b"\0" + metadata(b"name", [(10, b"v" * 16), (13, "Münster".encode())]))
    write("record", "metadata-holes", b"\0" + metadata(b"name", [(11, struct.pack("<4Q", 0, 3, 5, 5))]))
    write("record", "metadata-regions", b"\0" + metadata(b"name", [(12, struct.pack("<5I", 0, 0, 0, 1, 1))]))
    write("record", "metadata-later", b"\0" + metadata(b"name", [(14, b"later")]))
    write("record", "metadata-ignored", b"\0" + metadata(b"name", [(0x8000, b"later"), (0xFFFF, b"")]) + bytes(9))


def container_seeds():
    for base in range(8):
        write("container", f"base{base}", bytes([2 * base, 0, 0]))
        # fixes; how often; region, number of changes; kind, place, value
        write("container", f"base{base}-header", bytes([2 * base, 31, 1, 0, 0, 0, 6, 0, 0, 1]))
        write("container", f"base{base}-ignorable", bytes([2 * base, 31, 1, 0, 0, 0, 92, 0, 0, 1]))
        write("container", f"base{base}-slots", bytes([2 * base, 31, 1, 0, 0, 0, 5, 0, 0, 3]))
        write("container", f"base{base}-repair", bytes([2 * base, 31, 1, 0, 1, 0, 84, 0, 0, 1, 0, 88, 0, 0, 1]))
        write("container", f"base{base}-length", bytes([2 * base, 31, 1, 0, 1, 0, 48, 0, 0, 1, 0, 72, 0, 0, 1]))
        write("container", f"base{base}-slot", bytes([2 * base, 6, 1, 2, 0, 0, 8, 0, 0, 1]))
        write("container", f"base{base}-slot-sum", bytes([2 * base, 4, 1, 2, 0, 0, 8, 0, 0, 1]))
        write("container", f"base{base}-wrap", bytes([2 * base, 6, 1, 2, 0, 0, 60, 0, 0, 1]))
        write("container", f"base{base}-wrap-type", bytes([2 * base, 6, 1, 2, 0, 0, 24, 0, 0, 4]))
        write("container", f"base{base}-page0", bytes([2 * base, 0, 1, 1, 0, 0]) + struct.pack("<I", 2000)[:3] + b"\1")
        # in the zeros between directory and data
        gap = {4: 20000, 6: 24000}.get(base, 16000)
        write("container", f"base{base}-gap", bytes([2 * base, 0, 1, 5, 0, 0]) + struct.pack("<I", gap)[:3] + b"\1")
        write("container", f"base{base}-metadata", bytes([2 * base, 8, 0, 0, 0, 2, 0, 0, 1]))
        write("container", f"base{base}-salt", bytes([2 * base, 0, 1, 4, 0, 0, 3, 0, 0, 1]))
        write("container", f"base{base}-data", bytes([2 * base, 0, 1, 5, 0, 0, 0, 64, 0, 1]))
        write("container", f"base{base}-cut", bytes([2 * base, 32, 0, 9, 0]))
    # slot C and repair data of the one that has them
    for name, at in (("slot-c", 53348), ("repair-page", 30000)):
        write("container", f"base5-{name}", bytes([10, 0, 1, 5, 0, 0]) + struct.pack("<I", at)[:3] + b"\1")
    # a paper file whose sealed page table says a height of 2^30 (behind 121 bytes of other records)
    write("container", "base4-tall", bytes([8, 8, 0, 0, 1]) + struct.pack("<I", 121 + 8 + 8 + 7)[:3] + b"\x40")
    head = bytearray(4096)
    head[:8] = struct.pack("<2sHI", b"II", 42, 13312)
    head[16:32] = b"\x89ORRERY\r\n\x1a\n" + bytes(5)
    struct.pack_into("<HHBBHI", head, 32, 1, 2, 1, 1, 37241, 2825054457)
    struct.pack_into("<QQIIQI", head, 80, 0, 1024, 49152, 128, 24576, 1)
    write("container", "file", b"\1" + bytes(head) + b"ORRSLOT1" + bytes(600))
    write("container", "file-length", b"\3" + bytes(head) + b"ORRSLOT1" + bytes(600))


def roundtrip_seeds():
    for n, (size, options) in enumerate([(0, 0), (1, 1), (384, 2), (49152, 7), (49153, 12),
                                         (100000, 31), (5000, 64), (70000, 128), (300, 255)]):
        write("roundtrip", f"{n}", struct.pack("<BIHBB", options, size, 37241 * (n + 1) % 40320, n, 7 * n)
              + noise(64))


# ---- weights of the DCGAN and latent vectors

def safetensors(tensors, metadata=None, pad=0):
    """tensors: (name, dtype, element bytes, shape); data is noise."""
    header, at = {}, 0
    if metadata is not None:
        header["__metadata__"] = metadata
    for name, dtype, size, shape in tensors:
        length = size
        for n in shape:
            length *= n
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [at, at + length]}
        at += length
    text = json.dumps(header, separators=(",", ":")).encode() + b" " * pad
    return struct.pack("<Q", len(text)) + text + bytes(n & 0x3b for n in noise(at))


def dcgan(modules, size, dtype):
    """The smallest networks: (module, first, second, has a norm)."""
    tensors = []
    for module, a, b, norm in modules:
        tensors.append((f"main.{module}.weight", dtype, size, [a, b, 4, 4]))
        if norm:
            tensors += [(f"main.{module + 1}.{name}", dtype, size, [norm])
                        for name in ("weight", "bias", "running_mean", "running_var")]
    tensors.sort(key=lambda t: -t[2])
    return [(f"main.{m + 1}.num_batches_tracked", "I64", 8, []) for m, _, _, norm in modules if norm] + tensors


def weights_seeds():
    generator = [(0, 1, 2, 2), (3, 2, 1, 1), (6, 1, 1, 0)]
    discriminator = [(0, 1, 1, 0), (2, 2, 1, 2), (5, 1, 2, 0)]
    for name, modules in (("generator", generator), ("discriminator", discriminator)):
        for dtype, size in (("F32", 4), ("F16", 2), ("BF16", 2)):
            write("safetensors", f"{name}-{dtype}", safetensors(dcgan(modules, size, dtype), {"format": "pt"}))
    write("safetensors", "any", safetensors([("d", "F64", 8, [1, 2]), ("u", "U16", 2, []), ("b", "BOOL", 1, [3]),
                                             ("empty", "U8", 1, [0])], {}, 5))
    write("safetensors", "none", safetensors([]))
    for n, (kind, size, shape, version) in enumerate([("<f4", 4, (2, 3), 1), ("<f8", 8, (1, 3), 2),
                                                      ("<f4", 4, (2, 3, 1, 1), 3), ("<f4", 4, (6,), 1)]):
        count = 1
        for length in shape:
            count *= length
        text = f"{{'descr': '{kind}', 'fortran_order': False, 'shape': {shape}, }}".encode().ljust(117) + b"\n"
        head = b"\x93NUMPY" + bytes([version, 0]) + struct.pack("<H" if version == 1 else "<I", len(text))
        write("npy", f"{n}", b"\x03" + head + text + bytes(b & 0x3b for b in noise(size * count)))


keyring_seeds()
recipient_seeds()
cli_seeds()
text_seeds()
tiff_seeds()
decoy_seeds()
record_seeds()
container_seeds()
roundtrip_seeds()
weights_seeds()
