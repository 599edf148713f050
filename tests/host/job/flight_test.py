"""Contents that are under way beside the workers when something happens (base/async.h): reads and writes of several segments at
a time, through a ring or by threads, of which one fails, comes short, or is the last (tests/support/preload/fault.c). At every
call with ORRERY_LONG=1."""
import os
import random
import shutil
import signal
import unittest
from pathlib import Path

from support.cli import BUILD, ORRERY, Case, is_output, run
from support.faults import FAULT, SEED, require

SEGMENT = 6 * 1048576
SIZES = {"in/a": 2 * SEGMENT + 70001, "in/b": SEGMENT + 5, "in/c": 70000, "in/d": 400}
VERBS = ("encrypt", "decrypt", "reencrypt")
MEANS = {"ring": (), "threads": (str(BUILD / "tests" / "confine"), "uring", "--")}


def setUpModule():
    require()


class Flights(Case):
    def setUp(self):
        super().setUp()
        self.keyring()
        Path("in").mkdir()
        self.rng = random.Random(SEED)
        self.originals = {name: self.rng.randbytes(size) for name, size in SIZES.items()}
        for name, data in self.originals.items():
            Path(name).write_bytes(data)
        self.done("encrypt", "in", "-o", "sealed")
        self.means = []
        for means in MEANS:
            said = self.start(means, "", "verify", "-v", "sealed")[2]
            if ("past the page cache, through " + ("io_uring" if means == "ring" else "8 threads")) in said:
                self.means.append(means)
            else:
                print(f"SKIPPED: {means}: {said}", flush=True)

    def start(self, means, fault, verb, *words, **environment):
        command = (*MEANS[means], ORRERY, verb, "--direct", "on", "-j", "2", "-k", "keys", *words)
        environment = {**os.environ, "LD_PRELOAD": FAULT, "ORRERY_FAULT": fault, **environment} if fault else None
        return run(*command[1:], program=command[0], env=environment)

    def done(self, verb, *words):
        status, out, err = run(verb, "-q", "-k", "keys", *words)
        self.assertEqual(status, 0, err)
        return out

    def words(self, verb):
        return verb, "-q", "in" if verb == "encrypt" else "sealed", "-o", "out"

    def fresh(self):
        for folder in ("out", "back"):
            shutil.rmtree(folder, ignore_errors=True)

    def assert_same(self, root, some=False):
        for name, data in self.originals.items():
            if not some or Path(root, name).exists():
                self.assertTrue(Path(root, name).read_bytes() == data, name)
        names = {str(p.relative_to(root)) for p in Path(root).rglob("*") if is_output(p) and not p.name.startswith(".orrery-")}
        self.assertLessEqual(names, set(self.originals))

    def assert_complete(self, verb):
        if verb != "decrypt":
            self.done("decrypt", "out", "-o", "back")
        self.assert_same("out" if verb == "decrypt" else "back")

    def assert_no_half_file(self, verb):
        if verb == "decrypt":
            self.assert_same("out", some=True)
        elif list(Path("out").rglob("*.orr.tif")):
            self.done("decrypt", "out", "-o", "back")
            self.assert_same("back", some=True)
            shutil.rmtree("back")

    def assert_goes_on(self, verb):
        """The same command completes what is there."""
        status, _, err = self.start("ring", "", *self.words(verb))
        self.assertEqual(status, 0, err)
        self.assertEqual([str(p) for p in Path("out").rglob(".orrery-*.*")], [])
        self.assert_complete(verb)

    def points(self, means, verb, call, part):
        """The numbers of such calls of an undisturbed run, a few of them without ORRERY_LONG."""
        self.fresh()
        Path("log").unlink(missing_ok=True)
        status, _, err = self.start(means, f"{call}:0:count:{part}", *self.words(verb), ORRERY_FAULT_LOG="log")
        self.assertEqual(status, 0, err)
        numbers = range(1, len(Path("log").read_text().splitlines()) + 1)
        self.assertGreaterEqual(len(numbers), 6)
        return numbers if os.environ.get("ORRERY_LONG") else self.rng.sample(numbers, 1)

    def each(self, calls):
        """(means, verb, call, part of a path, action, number) of each point; calls: a call for each kind, with its actions."""
        for means in self.means:
            for verb in VERBS:
                for call, actions in calls.items():
                    part = self.dir.resolve() / ("out" if call == "pwrite" else self.words(verb)[2])
                    for n in self.points(means, verb, call, part):
                        for action in actions:
                            self.fresh()
                            yield means, verb, f"{call}:{n}:{action}:{part}"

    def test_errors(self):
        said = {"EIO": "Input/output error", "ENOSPC": "No space left on device.*free some space"}
        for means, verb, fault in self.each({"pread": ("EIO",), "pwrite": ("EIO", "ENOSPC")}):
            with self.subTest(means=means, verb=verb, fault=fault, seed=SEED):
                status, _, err = self.start(means, fault, *self.words(verb))
                # A head that cannot be read is taken from elsewhere, with a warning.
                self.assertIn(status, (7,) if "pwrite" in fault or verb == "encrypt" else (0, 7), err)
                self.assertRegex(err, said[fault.split(":")[2]] if status else "")
                self.assertEqual([str(p) for p in Path("out").rglob("*partial*")], [])
                self.assert_no_half_file(verb)
                self.assert_goes_on(verb)

    def test_all_that_is_under_way_fails(self):
        for means in self.means:
            for verb in VERBS:
                for call, error in (("pread", "EIO"), ("pwrite", "EIO"), ("pwrite", "ENOSPC")):
                    part = self.dir.resolve() / ("out" if call == "pwrite" else self.words(verb)[2])
                    n = self.rng.randrange(1, 5)
                    with self.subTest(means=means, verb=verb, call=call, error=error, n=n, seed=SEED):
                        self.fresh()
                        status, _, err = self.start(means, f"{call}:-{n}:{error}:{part}", *self.words(verb))
                        self.assertIn(status, (3, 7), err)
                        self.assertEqual([str(p) for p in Path("out").rglob("*partial*")], [])
                        self.assert_no_half_file(verb)
                        self.assert_goes_on(verb)

    def test_short_and_interrupted_calls_change_nothing(self):
        actions = ("short", "EINTR")
        for means, verb, fault in self.each({"pread": actions, "pwrite": actions}):
            with self.subTest(means=means, verb=verb, fault=fault, seed=SEED):
                status, _, err = self.start(means, fault, *self.words(verb))
                self.assertEqual((status, err), (0, ""))
                self.assert_complete(verb)

    def test_all_calls_are_short(self):
        for means in self.means:
            for verb in VERBS:
                for call in ("pread", "pwrite"):
                    with self.subTest(means=means, verb=verb, call=call):
                        self.fresh()
                        status, _, err = self.start(means, f"{call}:0:short:{self.dir.resolve()}/", *self.words(verb))
                        self.assertEqual((status, err), (0, ""))
                        self.assert_complete(verb)

    def test_odd_counts_are_no_contents(self):
        """A direct read that ends at an odd place is the end of its file, which is then too short; a write finds no room."""
        for means, verb, fault in self.each({"pread": ("odd",), "pwrite": ("odd",)}):
            with self.subTest(means=means, verb=verb, fault=fault, seed=SEED):
                status, _, err = self.start(means, fault, *self.words(verb))
                self.assertIn(status, (0, 4, 7), err)
                self.assert_no_half_file(verb)
                self.assert_goes_on(verb)

    def test_death(self):
        for means, verb, fault in self.each({"pread": ("kill",), "pwrite": ("kill", "tear", "after")}):
            with self.subTest(means=means, verb=verb, fault=fault, seed=SEED):
                status, _, err = self.start(means, fault, *self.words(verb))
                self.assertEqual(status, -signal.SIGKILL, err)
                self.assert_no_half_file(verb)
                self.assert_goes_on(verb)

    def test_a_signal(self):
        for means, verb, fault in self.each({"pread": ("term",), "pwrite": ("term",)}):
            with self.subTest(means=means, verb=verb, fault=fault, seed=SEED):
                status, _, err = self.start(means, fault, *self.words(verb))
                self.assertIn(status, (0, 75), err)  # 0: all of the last file was under way
                self.assertEqual([str(p) for p in Path("out").rglob("*partial*")], [])
                self.assert_no_half_file(verb)
                self.assert_goes_on(verb)

    def test_a_second_signal_leaves_what_is_under_way(self):
        for means in self.means:
            for verb in VERBS:
                with self.subTest(means=means, verb=verb):
                    self.fresh()
                    status, _, err = self.start(means, "pwrite:1:later:.partial", *self.words(verb))
                    self.assertEqual(status, 75, err)
                    self.assert_no_half_file(verb)
                    self.assert_goes_on(verb)

    def test_verify_reports_what_cannot_be_read(self):
        for means in self.means:
            with self.subTest(means=means):
                status, _, err = self.start(means, "pread:0:EIO:sealed/in/a", "verify", "-q", "sealed",
                                            ORRERY_FAULT_BYTES=f"{SEGMENT + 99}-{SEGMENT + 100}")
                self.assertEqual(status, 7, err)
                self.assertRegex(err, "in/a.orr.tif: reading at byte [0-9]+ failed: Input/output error")
                self.assertNotIn("in/b", err)

    def test_bad_sectors_are_mended(self):
        self.done("encrypt", "--parity", "10", "in", "-o", "guarded")
        for means in self.means:
            for verb in ("decrypt", "reencrypt"):
                with self.subTest(means=means, verb=verb):
                    self.fresh()
                    at = self.rng.randrange(20000, SIZES["in/a"])
                    status, _, err = self.start(means, "pread:0:EIO:guarded/in/a", verb, "guarded", "-o", "out",
                                                ORRERY_FAULT_BYTES=f"{at}-{at + 9000}")
                    self.assertEqual(status, 0, err)
                    self.assertRegex(err, "in/a.orr.tif.*repair")
                    self.assert_complete(verb)

    def test_check_cpu_finds_a_flipped_bit(self):
        for means in self.means:
            for at in [4096 * 3 + 1, SEGMENT + 20000, *(self.rng.randrange(16384, SIZES["in/a"]) for _ in range(4))]:
                with self.subTest(means=means, at=at, seed=SEED):
                    self.fresh()
                    status, _, err = self.start(means, "pwrite:0:flip:partial", "encrypt", "-q", "--check", "cpu", "in/a",
                                                "-o", "out", ORRERY_FAULT_AT=str(at))
                    self.assertEqual(status, 13, err)
                    self.assertIn("does not decrypt on the CPU", err)
                    self.assertEqual(list(Path("out").rglob("*.orr.tif")), [])


if __name__ == "__main__":
    unittest.main()
