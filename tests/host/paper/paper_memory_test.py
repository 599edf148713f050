"""--mem bounds the paper profile: what a file asks for is compared with it before memory is taken (status 8), also when
the file is verified, decrypted or re-encrypted, and many pages cost little. Nothing is timed; bounds are generous."""
import os
import struct
import subprocess
import sys
import unittest
import zlib
from pathlib import Path

from support.cli import ORRERY, Case, write_gray_tiff

MIB = 1 << 20
SMALL = 16 * MIB
ABOVE = 32 * MIB  # for what a C library and an allocator may do
MEASURE = """
import resource, subprocess, sys
status = subprocess.call(sys.argv[1:], stdout=subprocess.DEVNULL)
print(status, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
"""


def tiff(path, pages):
    """Classic, little-endian. Each page is a list of (tag, type, values), these numbers or bytes, and its data, whose offset
    is the value that is None."""
    sizes, packs = {1: 1, 3: 2, 4: 4}, {1: "B", 3: "H", 4: "I"}
    with open(path, "wb") as out:
        out.write(struct.pack("<2sHI", b"II", 42, 8))
        for number, (tags, data) in enumerate(pages):
            behind = at = out.tell() + 2 + 12 * len(tags) + 4
            entries, values = [], b""
            for tag, kind, value in sorted(tags):
                raw = value if isinstance(value, bytes) or value is None else struct.pack(f"<{len(value)}{packs[kind]}", *value)
                entries.append([tag, kind, raw, at])
                at += len(raw) if raw and len(raw) > 4 else 0
            for entry in entries:
                entry[2] = entry[2] or struct.pack("<I", at)  # the data's offset
                values += entry[2] if len(entry[2]) > 4 else b""
            entries = b"".join(struct.pack("<HHI", tag, kind, len(raw) // sizes[kind]) +
                               (raw.ljust(4, b"\0") if len(raw) <= 4 else struct.pack("<I", place))
                               for tag, kind, raw, place in entries)
            end = behind + len(values) + len(data)
            end += end % 2
            out.write(struct.pack("<H", len(tags)) + entries + struct.pack("<I", 0 if number + 1 == len(pages) else end))
            out.write(values + data)
            out.write(bytes(end - out.tell()))


def gray(width, height, data, *more, compression=1):
    known = {256: (4, [width]), 257: (4, [height]), 258: (3, [8]), 259: (3, [compression]), 262: (3, [1]), 277: (3, [1]),
             273: (4, None), 278: (4, [height]), 279: (4, [len(data)])}
    for tag, kind, value in more:
        known[tag] = (kind, value)
    return [(tag, kind, value) for tag, (kind, value) in known.items()], data


class Memory(Case):
    def setUp(self):
        super().setUp()
        self.keyring()

    def peak(self, *arguments):
        """Exit status, messages and peak of resident memory in bytes: measured by a small process, whose own the child's
        begins with."""
        done = subprocess.run([sys.executable, "-c", MEASURE, ORRERY, *arguments], stdin=subprocess.DEVNULL,
                              capture_output=True, check=True)
        status, peak = done.stdout.split()[-2:]
        return int(status), done.stderr.decode(), int(peak) << 10

    def expect(self, status, mem, *arguments, above=ABOVE):
        got, err, peak = self.peak(*arguments, "-q", "-k", "keys", "-j", "1", "--mem", f"{mem}M")
        self.assertEqual(got, status, (arguments, err))
        self.assertLess(peak, mem * MIB + above, arguments)
        return err

    def refused_everywhere(self, source, part):
        """A file that was encrypted with much memory, where there is little."""
        err = self.expect(8, 64, "encrypt", "--profile", "paper", source, "-o", "little.orr.tif")
        self.assertIn(source, err)
        self.expect(0, 1024, "encrypt", "--profile", "paper", source, "-o", "much.orr.tif")
        for verb, more in (("verify", []), ("decrypt", ["-o", "back.tif"]), ("reencrypt", ["-o", "again.orr.tif"])):
            err = self.expect(8, 64, verb, "much.orr.tif", *more)
            self.assertRegex(err, r"much\.orr\.tif: .*" + part)
            self.assertIn("raise --mem", err)
        self.assertFalse(Path("back.tif").exists() or Path("again.orr.tif").exists() or Path("little.orr.tif").exists())
        self.expect(0, 1024, "decrypt", "much.orr.tif", "-o", "back.tif")

    def test_large_page(self):
        write_gray_tiff("large.tif", 6000, 5000)
        self.refused_everywhere("large.tif", "(its largest page|and needs) 1[0-9]{2} MiB")

    def test_declared_tile(self):
        side = 8192  # a tile of 64 MiB for an image of one pixel
        data = zlib.compress(bytes(side * side))
        tags, data = gray(1, 1, data, (322, 4, [side]), (323, 4, [side]), (324, 4, None), (325, 4, [len(data)]), compression=8)
        tiff("tile.tif", [([tag for tag in tags if tag[0] not in (273, 278, 279)], data)])
        self.refused_everywhere("tile.tif", "(its largest page|and needs) 12[89] MiB")

    def test_large_tag(self):
        tiff("tag.tif", [gray(16, 16, bytes(256), (65000, 1, os.urandom(55 * MIB)))])
        self.refused_everywhere("tag.tif", "its tags need 111 MiB|its tags and tables need")

    def test_copies_of_a_tag(self):
        """libtiff's copies count as well, where a file is read and where what was restored is read again."""
        for size, little, enough in ((60, 80, 256), (30, 64, 160)):
            with self.subTest(size=size):
                tiff("tag.tif", [gray(16, 16, bytes(256), (65000, 1, os.urandom(size * MIB)))])
                self.expect(8, little, "encrypt", "--profile", "paper", "tag.tif", "-o", f"{size}.orr.tif", above=SMALL)
                self.expect(0, 4 * enough, "encrypt", "--profile", "paper", "tag.tif", "-o", f"{size}.orr.tif")
                self.expect(8, little, "decrypt", f"{size}.orr.tif", "-o", f"{size}.tif", above=SMALL)
                self.expect(0, enough, "decrypt", f"{size}.orr.tif", "-o", f"{size}.tif", above=SMALL)

    def test_a_tag_that_fits_once(self):
        tiff("tag.tif", [gray(16, 16, bytes(256), (65000, 1, os.urandom(12_000_000)))])
        self.expect(8, 64, "encrypt", "--profile", "paper", "tag.tif", "-o", "tag.orr.tif", above=0)
        self.expect(0, 96, "encrypt", "--profile", "paper", "tag.tif", "-o", "tag.orr.tif", above=0)

    def test_many_pages(self):
        more = [(60000 + n, 3, [n]) for n in range(8)]
        tiff("pages.tif", [gray(2, 2, b"abcd", *more)] * 40000)
        self.expect(0, 64, "encrypt", "--profile", "paper", "pages.tif", "-o", "pages.orr.tif", above=16 * MIB)
        self.expect(0, 64, "verify", "pages.orr.tif", above=0)

    def test_shared_among_workers(self):
        write_gray_tiff("large.tif", 4000, 4000)
        for name in "abcd":
            Path("in").mkdir(exist_ok=True)
            os.link("large.tif", f"in/{name}.tif")
        self.expect(0, 512, "encrypt", "--profile", "paper", "in", "-o", "out")
        status, err, peak = self.peak("verify", "-q", "-k", "keys", "-j", "4", "--mem", "128M", "out")
        self.assertEqual(status, 3, err)
        self.assertLess(peak, 128 * MIB + ABOVE)
        self.assertEqual(err.count("--mem divided by -j gives 28 MiB: raise --mem, or lower -j"), 4, err)
        self.assertEqual(self.peak("verify", "-q", "-k", "keys", "-j", "1", "--mem", "128M", "out")[0], 0)


if __name__ == "__main__":
    unittest.main()
