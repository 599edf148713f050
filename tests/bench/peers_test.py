"""bench/peers and bench/peers-disk on tiny archives: every program that is installed gets its rows, nothing that differs or fails
gets a figure, and input is cold where that is promised. No time is asserted."""
import json
import os
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path
from unittest import mock

from support.cli import BUILD, ORRERY, SOURCE, memory_directory

sys.dont_write_bytecode = True
sys.path.insert(0, str(SOURCE / "bench"))
import measure  # noqa: E402
import programs  # noqa: E402

MEMORY = memory_directory(64 << 20)
ON_DISK = measure.filesystem(BUILD) not in ("tmpfs", "ramfs")
needs_disk = unittest.skipUnless(ON_DISK, "the build directory lies in memory: there is no disk to measure")
needs_memory = unittest.skipUnless(MEMORY, "no /dev/shm")


class Peers(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(dir=BUILD)
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.record = self.folder / "record.json"

    def bench(self, name, *arguments):
        done = subprocess.run([SOURCE / "bench" / name, *map(str, arguments)], capture_output=True, text=True, check=False,
                              env={**os.environ, "BUILD": str(BUILD), "PYTHONDONTWRITEBYTECODE": "1"})
        return done.returncode, done.stdout, done.stderr

    def disk(self, *arguments):
        return self.bench("peers-disk", self.folder, "--size", "2M", "--files", 4, "--bytes", 20000, "-o", self.record, *arguments)

    def broken(self, line):
        """An orrery after which a line of shell runs; $1 is the verb."""
        path = self.folder / "broken"
        path.write_text(f'#!/bin/sh\n"{ORRERY}" "$@" || exit\n{line}\n')
        path.chmod(0o755)
        return path

    @needs_disk
    def test_every_program_gets_its_rows_and_nothing_is_left(self):
        status, said, err = self.disk("--rounds", 1)
        self.assertEqual(status, 0, err)
        record = json.loads(self.record.read_text())
        verbs = {(row["program"], row["archive"]): set() for row in record["rows"]}
        for row in record["rows"]:
            verbs[row["program"], row["archive"]].add(row["verb"])
        kinds = (programs.Age, programs.AgeFlushed, programs.Rclone, programs.Restic, programs.Gocryptfs, programs.Dd, programs.DirectCopy)
        missing = [kind.name for kind in kinds if kind.name not in record["versions"]]
        self.assertEqual(sorted(record["not_compared"]), sorted(missing))
        for kind in (programs.Orrery, *kinds):
            name = getattr(kind, "name", "orrery")
            if name not in missing:
                self.assertIn(name, record["flushes"])
                for archive in ("2M", "small"):
                    self.assertEqual(verbs[name, archive], set(kind.verbs), (name, archive))
        self.assertEqual((record["wrong_bytes"], sorted(record["archives"])), ([], ["2M", "small"]))
        self.assertEqual({path.name for path in self.folder.iterdir()}, {"record.json"})
        copies = [row for row in record["rows"] if row["program"] == programs.DirectCopy.name]
        for row in copies:
            self.assertEqual((row["speed_of_copy"]["median"], row["input_cached_mib"]["max"], row["output_cached_mib"]["max"]), (1, 0, 0), row)
        for name in missing:
            self.assertIn(f"{name} is left out: {record['not_compared'][name]}", said)
        if missing:
            self.skipTest("not installed, so not tried: " + ", ".join(missing))

    @needs_disk
    def test_several_orreries_with_options_of_their_own(self):
        status, _, err = self.disk("--orrery", f"one={ORRERY}", "--orrery", f"two={ORRERY} --mem 96M", "--rounds", 2, "--only")
        self.assertEqual(status, 0, err)
        rows = json.loads(self.record.read_text())["rows"]
        self.assertEqual({row["program"] for row in rows}, {"one", "two", programs.DirectCopy.name})
        self.assertEqual({row["wall_s"]["runs"] for row in rows}, {2})
        status, _, err = self.disk("--orrery", ORRERY, "--orrery", ORRERY)
        self.assertEqual((status, "have one name" in err), (1, True), err)

    @needs_disk
    def test_a_program_that_fails_or_restores_other_bytes_gets_no_figure(self):
        for line, said in (('[ "$1" != verify ] || exit 4', "exit status 4"),
                           ('[ "$1" != decrypt ] || find out -path "*restored*" -type f -exec sh -c "echo more >>{}" \\;', "differ from the originals")):
            status, _, err = self.disk("--orrery", self.broken(line), "--rounds", 1, "--only")
            self.assertEqual((status, said in err, self.record.exists()), (1, True, False), err)

    @needs_memory
    def test_memory_is_no_disk(self):
        status, _, err = self.bench("peers-disk", MEMORY)
        if measure.filesystem(MEMORY) == "tmpfs":
            self.assertEqual((status, "lies in memory" in err), (1, True), err)
        status, _, err = self.bench("peers-disk", self.folder / "nowhere")
        self.assertEqual((status, "is no directory" in err), (1, True), err)

    @needs_memory
    def test_in_memory_two_programs_are_set_side_by_side(self):
        status, said, err = self.bench("peers", "--program", f"old={ORRERY}", "--program", f"new={ORRERY}", "--only", "--work", MEMORY, "--rounds", 2,
                                       "--small-count", 4, "--big-size", "2M", "--json", self.record)
        self.assertEqual(status, 0, err)
        rows = json.loads(self.record.read_text())["rows"]
        self.assertEqual([row["program"] for row in rows], ["old", "new"] * 6)
        self.assertTrue(all(row["orrery_faster_wall"]["runs"] == 2 for row in rows))
        self.assertIn("as fast as the program old is", said)

    @needs_disk
    def test_what_is_evicted_is_not_cached(self):
        (self.folder / "tree").mkdir()
        for name, size in (("empty", 0), ("odd", 5000), ("long", 1 << 20)):
            (self.folder / "tree" / name).write_bytes(bytes(size))
        measure.settle()
        self.assertEqual(measure.cached(self.folder / "tree"), 8192 + (1 << 20))
        measure.evict(self.folder / "tree")
        self.assertEqual(measure.cached(self.folder / "tree"), 0)
        measure.empty(self.folder / "tree")
        self.assertEqual([path.stat().st_size for path in measure.files(self.folder / "tree")], [0, 0, 0])

    @needs_memory
    def test_what_lies_in_memory_cannot_be_evicted(self):
        with tempfile.TemporaryDirectory(dir=MEMORY) as folder, mock.patch("time.sleep"), mock.patch.object(measure, "settle"):
            Path(folder, "file").write_bytes(bytes(5000))
            with self.assertRaisesRegex(RuntimeError, "8192 bytes stay in the page cache"):
                measure.evict(folder)

    def test_commands_are_shown_without_places(self):
        self.assertEqual(measure.shown(["bench/peers", "/dev/shm", "old=/a/b/orrery --direct off", "--size", 5, "a b"]),
                         "bench/peers shm 'old=orrery --direct off' --size 5 'a b'")

    def test_what_is_not_there_is_said(self):
        with mock.patch.object(programs.shutil, "which", return_value="gocryptfs"), mock.patch.object(programs.os, "access", return_value=False):
            found, missing = programs.peers((programs.Gocryptfs,), None, self.folder, 1)
        self.assertEqual((found, missing), ([], {"gocryptfs": "/dev/fuse cannot be used here"}))
        with mock.patch.object(programs.os, "open", side_effect=OSError(22, "Invalid argument")):
            found, missing = programs.peers((programs.Dd, programs.DirectCopy), None, self.folder, 1)
        self.assertEqual((found, list(missing)), ([], ["dd, direct", "parallel direct copy"]))
        self.assertIn("past the page cache: Invalid argument", missing["dd, direct"])
        with mock.patch.object(programs.shutil, "which", return_value=None):
            self.assertEqual(programs.peers((programs.Age, programs.Dd), ["age"], self.folder, 1), ([], {"age": "age is not installed"}))


class DiskCopy(unittest.TestCase):
    @needs_disk
    def test_copies_are_the_same_bytes(self):
        with tempfile.TemporaryDirectory(dir=BUILD) as folder:
            tree = Path(folder, "from")
            (tree / "below" / "it").mkdir(parents=True)
            for number, size in enumerate((0, 1, 4095, 4096, (1 << 20) - 1, 1 << 20, (3 << 20) + 777)):
                (tree / ("below/it" if number % 2 else ".") / str(number)).write_bytes(os.urandom(size))
            tool = BUILD / "diskcopy"
            for source in (tree, tree / "6"):
                target = Path(folder, f"copy of {source.name}")
                for words in ((source, "-"), (source, target, "3")):
                    subprocess.run([tool, *words], check=True)
                subprocess.run(["diff", "-r", source, target], check=True)
            done = subprocess.run([tool, tree, target.parent / "copy of from"], capture_output=True, text=True, check=False)
            self.assertEqual((done.returncode, "cannot be made: File exists" in done.stderr), (1, True), done.stderr)


if __name__ == "__main__":
    unittest.main()
