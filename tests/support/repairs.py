"""What the tests of `repair` share. ORRERY_SEED=N repeats a run."""
import os
import random
import shutil
import sys
import tempfile
import unittest
from pathlib import Path

from support.cli import Case, memory_directory, run, write_gray_tiff

sys.dont_write_bytecode = True
try:
    import orrery_format
    import orrery_reader
except ImportError as missing:
    orrery_reader, MISSING = None, missing.name

SEED = int(os.environ.get("ORRERY_SEED") or random.SystemRandom().getrandbits(32))
TIMES = int(os.environ.get("ORRERY_REPAIR_TIMES") or 1)  # so many times as many random cases
PAGE = 4096


def set_up():
    if orrery_reader is None:
        raise unittest.SkipTest(f"the second reader needs the Python package {MISSING}")
    tempfile.tempdir = memory_directory(600 << 20)
    print(f"seed {SEED}", flush=True)


class Tail:
    """Where everything is in a file with repair data."""

    def __init__(self, data):
        self.header = orrery_format.header_of(data[:PAGE], len(data))
        self.tail = tail = self.header.tail
        self.body = range(tail.body_offset // PAGE, tail.end // PAGE)
        self.pages = len(data) // PAGE
        self.sums = [range(at // PAGE, at // PAGE + tail.sum_pages) for at in tail.sums]
        self.repair = range(tail.page_offset(tail.body_pages) // PAGE,
                            tail.page_offset(tail.body_pages) // PAGE + tail.parity_pages)

    def group(self, page):
        """Of a page of the file, in body or repair data."""
        if page in self.body:
            return (page - self.body.start) % self.tail.groups
        return (self.tail.body_pages + page - self.repair.start) % self.tail.groups

    def units(self):
        """Lists of pages of the file that stand or fall together: heads and tiles."""
        geometry = self.header.geometry
        for segment in range(geometry.segments):
            at = geometry.segment_offset(segment) // PAGE
            yield [at]
            for tile in range(128 * segment, 128 * segment + geometry.segment_tiles(segment)):
                first = geometry.tile_offset(tile) // PAGE
                yield list(range(first, first + -(-geometry.tile_bytes(tile) // PAGE)))


class Repairs(Case):
    def setUp(self):
        super().setUp()
        self.rng = random.Random(SEED)
        self.keyring()
        self.count = 0

    def sealed(self, size, *options, name="file"):
        """Bytes of a new encrypted file of `size` random bytes."""
        self.count += 1
        where = self.dir / f"source-{self.count}"
        where.mkdir()
        (where / name).write_bytes(self.rng.randbytes(size))
        return self.encrypted(where, *options)

    def paper(self, width, height, *options):
        self.count += 1
        where = self.dir / f"source-{self.count}"
        where.mkdir()
        write_gray_tiff(where / "scan.tif", width, height)
        return self.encrypted(where, "--profile", "paper", *options)

    def encrypted(self, where, *options):
        out = self.dir / f"{where.name}-sealed"
        status, _, err = run("encrypt", "-q", "-k", "keys", str(where), "-o", str(out), *options)
        self.assertEqual(status, 0, err)
        return next(out.rglob("*.orr.tif")).read_bytes()

    def repair(self, files, *options, status=None, before=None, **environment):
        """Repairs files given by their bytes, in one run: outcome, bytes and message of each."""
        self.count += 1
        where = self.dir / f"vault-{self.count}"
        where.mkdir()
        for name, data in files.items():
            (where / f"{name}.orr.tif").write_bytes(data)
        if before:
            before(where)
        got, out, err = run("repair", "--json", "-k", "keys", str(where), *options, **environment)
        if status is not None:
            self.assertEqual(got, status, out[-3000:] + err)
        said = {Path(m["file"]).name[: -len(".orr.tif")]: m for m in self.messages(out, got) if m["message_type"] == "file"}
        result = {name: (said[name], (where / f"{name}.orr.tif").read_bytes()) for name in files}
        shutil.rmtree(where)
        return result

    def assert_mended(self, good, files, *options, **more):
        for name, (said, data) in self.repair(files, *options, **more).items():
            self.assertEqual(said["outcome"], "done", (name, said, SEED))
            self.assertEqual(said["exit_status"], 0)
            self.assertTrue(data == good, (name, self.pages_that_differ(good, data), SEED))
            self.assertGreaterEqual(said["repaired_pages"], 1 if len(files[name]) == len(good) else 0)
            self.assertEqual(said["lost_bytes"], 0)

    @staticmethod
    def pages_that_differ(one, other):
        if len(one) != len(other):
            return f"{len(one)} and {len(other)} bytes"
        return [at // PAGE for at in range(0, len(one), PAGE) if one[at : at + PAGE] != other[at : at + PAGE]]

    def spoil(self, data, pages, how=None):
        """The bytes with these pages of the file damaged."""
        data = bytearray(data)
        for page in pages:
            way = how or self.rng.choice(("noise", "bit", "zero"))
            at = PAGE * page
            if way == "noise":
                data[at : at + PAGE] = self.rng.randbytes(PAGE)
            elif way == "zero" and any(data[at : at + PAGE]):
                data[at : at + PAGE] = bytes(PAGE)
            else:
                data[at + self.rng.randrange(PAGE)] ^= 1 << self.rng.randrange(8)
        return bytes(data)

    def assert_nothing_else_written(self, good, damaged, data):
        """Each byte is as it was or as it was damaged."""
        self.assertEqual(len(data), len(good))
        damaged = damaged[: len(good)].ljust(len(good), b"\0")
        for at in range(0, len(good), PAGE):
            if data[at : at + PAGE] in (good[at : at + PAGE], damaged[at : at + PAGE]):
                continue
            for i in range(at, at + PAGE):
                self.assertIn(data[i], (good[i], damaged[i]), (i, SEED))
