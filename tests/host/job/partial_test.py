"""Partial files: what a killed run left goes, what anybody restored or keeps stays."""
import fcntl
import os
import re
import shutil
import signal
import subprocess
import time
import unittest
from pathlib import Path

from support.cli import ORRERY, Case, is_output, run

NAME = re.compile(r"\.orrery-[0-9a-f]{16}\.(partial|unfinished)")
MARK = 0o1600


def partials(root):
    return sorted(p.name for p in Path(root).rglob("*") if NAME.fullmatch(p.name))


class Partials(Case):
    def setUp(self):
        super().setUp()
        self.keyring()
        Path("in").mkdir()

    def done(self, *arguments):
        status, _, err = run(*arguments)
        self.assertEqual(status, 0, f"{arguments}: {err}")

    def contents(self, root):
        return {os.fsencode(p.relative_to(root)): p.read_bytes() for p in Path(root).rglob("*") if is_output(p)}

    def round_trip(self, *options):
        """in -> vault -> back; every file must be there, after a second run too."""
        want = self.contents("in")
        for folder in ("vault", "back"):
            shutil.rmtree(folder, ignore_errors=True)
        self.done("encrypt", "-q", "-k", "keys", "in/.", "-o", "vault", *options)
        for _ in range(2):
            self.done("decrypt", "-q", "-k", "keys", "vault", "-o", "back", *options[:2])
            self.assertEqual(self.contents("back"), want)

    def test_files_with_the_name_of_partial_ones(self):
        """A tree of pairs where the second would be the first while it is incomplete, by any rule that looks at the name alone."""
        for count, options in ((200, ["-j", "8"]), (20, ["-j", "1"]), (20, ["-j", "4", "--names", "opaque"])):
            shutil.rmtree("in")
            Path("in").mkdir()
            for i in range(count):
                Path(f"in/f{i}").write_bytes(b"%d" % i)
                Path(f"in/f{i}.orrery-partial").write_bytes(b"user's %d" % i)
                Path(f"in/.orrery-{i % 20:016x}.partial").write_bytes(b"restored %d" % i)
            with self.subTest(options=options):
                self.round_trip(*options)

    def test_long_names(self):
        for first in "ab":
            Path("in", first * 247).write_bytes(b"the longest with a suffix")
            Path("in", first * 255).write_bytes(b"the longest")
        self.done("encrypt", "-q", "-k", "keys", "in/.", "-o", "opaque", "--names", "opaque")
        self.done("decrypt", "-q", "-k", "keys", "opaque", "-o", "back")
        self.assertEqual(self.contents("back"), self.contents("in"))
        status, _, err = run("encrypt", "-q", "-k", "keys", "in/.", "-o", "vault")
        self.assertEqual(status, 3, err)
        self.assertIn("use --names opaque", err)
        self.assertEqual(run("encrypt", "-q", "-k", "keys", "in/" + "a" * 255, "-o", "single/")[0], 8)
        self.assertEqual(sorted(n for n in os.listdir("vault") if n[0] != "."), [c * 247 + ".orr.tif" for c in "ab"])

    def killed(self, *command, root="out"):
        """Kills a job that has begun an output; returns the names of what it left."""
        with subprocess.Popen([ORRERY, *command], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as job:
            end = time.monotonic() + 120
            while not (Path(root).exists() and partials(root)) and job.poll() is None and time.monotonic() < end:
                time.sleep(0.002)
            job.send_signal(signal.SIGKILL)
            self.assertEqual(job.wait(60), -signal.SIGKILL)
        left = partials(root)
        self.assertTrue(left)
        for path in Path(root).rglob(".orrery-*.*"):
            self.assertEqual(path.stat().st_mode & 0o7777, MARK)
        return left

    def test_what_a_killed_job_left(self):
        with open("in/big", "wb") as big:
            big.truncate(300 << 20)
        Path("in/small").write_bytes(b"small")
        self.done("encrypt", "-q", "-k", "keys", "in", "-o", "vault")
        for verb, source, options in (("encrypt", "in", []), ("encrypt", "in", ["--names", "opaque"]), ("decrypt", "vault", []),
                                      ("reencrypt", "vault", []), ("reencrypt", "vault", ["--names", "opaque"])):
            with self.subTest(verb=verb, options=options):
                shutil.rmtree("out", ignore_errors=True)
                command = (verb, "-q", "-j", "1", "-k", "keys", source, "-o", "out", *options)
                self.killed(*command)
                self.done(*command, "--dry-run")
                self.assertTrue(partials("out"))  # a dry run changes nothing
                self.done(*command)
                self.assertEqual(len([p for p in Path("out").rglob("*") if is_output(p)]), 2)
                self.assertEqual([p for p in Path("out").rglob("*") if is_output(p) and p.stat().st_mode & 0o7000], [])
        # Another job over other files clears it too: else plaintext of a source that is gone would stay for ever.
        shutil.rmtree("out")
        self.killed("decrypt", "-q", "-j", "1", "-k", "keys", "vault", "-o", "out")
        Path("vault/in/big.orr.tif").unlink()
        Path("out/in/small").unlink(missing_ok=True)
        self.done("decrypt", "-q", "-k", "keys", "vault", "-o", "out")
        self.assertEqual(self.contents("out"), {b"in/small": b"small"})

    def test_a_left_over_file_that_was_archived(self):
        """Once archived and restored it is data like any other, also in the directory where it was left."""
        with open("in/big", "wb") as big:
            big.truncate(300 << 20)
        self.done("encrypt", "-q", "-k", "keys", "in/big", "-o", "vault")
        left = self.killed("decrypt", "-q", "-j", "1", "-k", "keys", "vault", "-o", "out")
        self.assertEqual(len(left), 1)
        os.truncate(Path("out", left[0]), 1000)
        Path("out/big").write_bytes(b"now small")
        Path("out/a").write_bytes(b"a")
        want = self.contents("out")
        self.done("encrypt", "-q", "-k", "keys", "out/.", "-o", "vault2")
        for jobs in ("1", "4"):
            for path in Path("out").iterdir():  # the same directory, with its device and inode
                path.unlink()
            for _ in range(2):
                self.done("decrypt", "-q", "-j", jobs, "-k", "keys", "vault2", "-o", "out")
                self.assertEqual(self.contents("out"), want)
            Path("out/a").unlink()
            self.done("decrypt", "-q", "-j", jobs, "-k", "keys", "vault2", "-o", "out")
            self.assertEqual(self.contents("out"), want)

    def test_only_marked_ones_without_a_writer_go(self):
        Path("in/a").write_bytes(b"a")
        Path("in/sub").mkdir()
        Path("in/sub/b").write_bytes(b"b")
        self.done("encrypt", "-q", "-k", "keys", "in", "-o", "vault")
        for name, mode in (("stale", MARK), ("readable", 0o1444), ("mine", 0o600), ("held", MARK)):
            digits = name.encode().hex().zfill(16)
            for folder in ("out/in", "out/in/sub"):
                Path(folder).mkdir(parents=True, exist_ok=True)
                Path(folder, f".orrery-{digits}.partial").write_bytes(b"x")
                Path(folder, f".orrery-{digits}.partial").chmod(mode)
        digits = {n: n.encode().hex().zfill(16) for n in ("stale", "readable", "mine", "held")}
        for name in (".orrery-0.partial", ".orrery-000000000000000G.partial", "x.orrery-partial", ".orrery-journal"):
            Path("out/in", name).write_bytes(b"")
            Path("out/in", name).chmod(MARK)
        os.mkfifo("out/in/.orrery-00000000000000ff.partial", 0o600)
        Path("out/in/.orrery-00000000000000ff.partial").chmod(MARK)
        Path("out/in/.orrery-00000000000000fe.partial").mkdir()
        os.symlink("x.orrery-partial", "out/in/.orrery-00000000000000fd.partial")
        held = [open(Path(folder, f".orrery-{digits['held']}.partial"), "rb") for folder in ("out/in", "out/in/sub")]
        for file in held:
            self.addCleanup(file.close)
            fcntl.flock(file, fcntl.LOCK_EX)
        before = {p.name for p in Path("out/in").iterdir()}
        self.done("decrypt", "-q", "-k", "keys", "vault", "-o", "out")
        gone = {f".orrery-{digits[n]}.partial" for n in ("stale", "readable")}
        self.assertEqual({p.name for p in Path("out/in").iterdir()}, before - gone | {"a", "sub"})
        self.assertEqual({p.name for p in Path("out/in/sub").iterdir()},
                         {"b", *(f".orrery-{digits[n]}.partial" for n in ("mine", "held"))})


if __name__ == "__main__":
    unittest.main()
