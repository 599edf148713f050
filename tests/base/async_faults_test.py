"""What base/async.h promises when calls under it fail, come short or are the last (tests/support/preload/fault.c), and that the
libraries which break and record calls see those of a ring: by a program that copies a file (support/programs/async_copy.c)."""
import os
import random
import signal
import unittest
from pathlib import Path

from support.cli import BUILD, Case, run
from support.faults import FAULT, SEED, require
from support.powercut import RECORD, WAYS, Disk, is_killed

COPY = BUILD / "tests" / "async_copy"
PIECE, SIZE = 65536, 20 * 65536 + 5000
PIECES = SIZE // PIECE + 1


def setUpModule():
    require()
    if not COPY.exists():
        raise unittest.SkipTest("async_copy was not built")


class AsyncFaults(Case):
    def setUp(self):
        super().setUp()
        self.data = random.Random(SEED).randbytes(SIZE)
        Path("in").write_bytes(self.data)
        self.ways = []
        for means in ("ring", "threads"):
            for path in ("cached", "direct"):
                status, said, how = self.copy(means, path)
                if status or (means == "ring") != how.startswith("io_uring"):
                    print(f"SKIPPED: {means}, {path}: {said}{how or 'O_DIRECT is refused'}", flush=True)
                else:
                    self.ways.append((means, path))
                    self.assert_whole()

    def copy(self, means, path, fault="", **environment):
        Path("out").unlink(missing_ok=True)
        environment = {**os.environ, "LD_PRELOAD": FAULT, "ORRERY_FAULT": fault, **environment} if fault else None
        return run(means, path, str(PIECE), "in", "out", program=COPY, env=environment)

    def assert_whole(self):
        self.assertTrue(Path("out").read_bytes() == self.data, "the copy is another")

    def each(self, *faults):
        return [(way, fault) for way in self.ways for fault in faults]

    def test_interrupted_and_short_calls_change_nothing(self):
        actions = [f"{call}:{n}:{action}:/" for call in ("pread", "pwrite") for action in ("short", "EINTR", "EAGAIN")
                   for n in (1, 4, PIECES - 1)]
        for way, fault in self.each(*actions, "pread:0:short:/", "pwrite:0:short:/"):
            with self.subTest(way=way, fault=fault, seed=SEED):
                status, said, _ = self.copy(*way, fault)
                self.assertEqual((status, said), (0, ""))
                self.assert_whole()

    def test_each_call_is_seen(self):
        for way, fault in self.each("pread:0:count:/in", "pwrite:0:count:/out"):
            with self.subTest(way=way, fault=fault, seed=SEED):
                Path("log").unlink(missing_ok=True)
                self.assertEqual(self.copy(*way, fault, ORRERY_FAULT_LOG="log")[0], 0)
                self.assertGreaterEqual(len(Path("log").read_text().splitlines()), PIECES)

    def test_errors_say_where(self):
        errors = {"EIO": "Input/output error", "ENOSPC": "No space left on device"}
        for way, fault in self.each(*(f"p{call}:{n}:{error}:/" for call in ("read", "write") for n in (1, 7) for error in errors)):
            with self.subTest(way=way, fault=fault, seed=SEED):
                status, said, _ = self.copy(*way, fault)
                self.assertEqual(status, 1)
                call, _, error, _ = fault[1:].split(":")
                self.assertRegex(said, f"^{call} [0-9]+: 0 {errors[error]}\n$")
                self.assertFalse(Path("out").exists())

    def test_a_bad_sector_spoils_the_read_that_touches_it(self):
        place = 3 * PIECE + 9000
        for way, fault in self.each("pread:0:EIO:/in"):
            with self.subTest(way=way, fault=fault, seed=SEED):
                status, said, _ = self.copy(*way, fault, ORRERY_FAULT_BYTES=f"{place}-{place + 1}")
                self.assertEqual((status, said), (1, f"read {3 * PIECE}: 0 Input/output error\n"))

    def test_odd_counts(self):
        """A direct read that ends at an odd place ends with the file, and a direct write there finds no room; through the page
        cache both go on."""
        for way, fault in self.each("pread:1:odd:/in", "pwrite:1:odd:/out"):
            with self.subTest(way=way, fault=fault, seed=SEED):
                status, said, _ = self.copy(*way, fault)
                if way[1] == "direct" and fault.startswith("pread"):
                    self.assertEqual(status, 0)
                    self.assertLess(Path("out").stat().st_size, SIZE)
                elif status:
                    self.assertEqual(way[1], "direct")
                    self.assertRegex(said, f"^write [0-9]+: {PIECE - 1000} No space left on device\n$")
                else:
                    self.assert_whole()

    def test_death(self):
        actions = [f"{call}:{n}:{action}:/" for call in ("pread", "pwrite") for action in ("kill", "tear", "after")
                   for n in (1, 9, PIECES)]
        for way, fault in self.each(*actions):
            with self.subTest(way=way, fault=fault, seed=SEED):
                self.assertEqual(self.copy(*way, fault)[0], -signal.SIGKILL)
                self.assertFalse(Path("out").exists())
        for way, fault in self.each("pread:3:term:/in", "pwrite:3:twice:/out"):
            with self.subTest(way=way, fault=fault, seed=SEED):
                self.assertEqual(self.copy(*way, fault)[0], -signal.SIGTERM)

    def test_a_flipped_bit(self):
        for way, fault in self.each("pwrite:0:flip:/out"):
            with self.subTest(way=way, fault=fault, seed=SEED):
                self.assertEqual(self.copy(*way, fault, ORRERY_FAULT_AT=str(SIZE - 3))[0], 0)
                self.assertEqual(Path("out").read_bytes(), self.data[:-3] + bytes((self.data[-3] ^ 4,)) + self.data[-2:])

    def test_power_cuts(self):
        rng = random.Random(SEED)
        for n, way in enumerate(self.ways):
            def run_on(disk, kill=0):
                return disk.run(*way, str(PIECE), str(self.dir / "in"), "out", program=COPY, kill=kill)
            root = self.dir / f"disk-{n}"
            root.mkdir()
            disk = Disk(root, rng)
            status, said = run_on(disk)
            self.assertEqual(status, 0, said)
            self.assert_model(disk)
            calls = disk.names_of_calls()
            self.assertEqual("flight" in calls, way[0] == "ring")
            self.assertGreaterEqual(calls.count("write"), PIECES)
            torn = 0
            for image in range(60):
                moment = rng.randint(1, disk.calls)
                root = disk.cut(moment, rng.choice(WAYS), self.dir / f"image-{n}-{image}")
                if (root / "out").exists():
                    self.assertTrue((root / "out").read_bytes() == self.data, (SEED, moment))
                torn += (root / "out.part").exists() and (root / "out.part").read_bytes() not in self.data
            self.assertGreater(torn, 0)
            for kill in (5, 20, disk.calls - 4):
                disk = Disk(disk.root, rng)
                (disk.root / "out").unlink(missing_ok=True)
                disk = Disk(disk.root, rng)
                self.assertTrue(is_killed(run_on(disk, kill)[0]))
                self.assertEqual(run_on(disk)[0], 0)
                self.assert_model(disk)

    def assert_model(self, disk):
        """What the model holds for written is what is there."""
        self.assertTrue(disk.top.now[b"out"].now == (disk.root / "out").read_bytes() == self.data)


if __name__ == "__main__":
    unittest.main()
