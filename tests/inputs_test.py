"""Which files a job takes: none at all, renamed ones, its own outputs beside their sources, and what other jobs have there."""
import os
import signal
import subprocess
import time
import unittest
from pathlib import Path

from support.cli import ORRERY, Case, run, slowly


class Inputs(Case):
    def setUp(self):
        super().setUp()
        self.key = self.keyring()
        Path("in/sub").mkdir(parents=True)
        Path("in/a").write_bytes(b"first\n")
        Path("in/sub/b").write_bytes(b"second\n")

    def done(self, *command):
        status, out, err = run(*command)
        self.assertEqual(status, 0, f"{command}: {err}")
        return out, err

    def files(self, root):
        return sorted(str(p.relative_to(root)) for p in Path(root).rglob("*") if p.is_file())

    def test_an_archive_without_a_file(self):
        """A wrong place, or a disk that is not mounted: nothing was verified, so nothing may pass for verified."""
        Path("empty").mkdir()
        Path("other").mkdir()
        Path("other/scan.tif").write_bytes(b"II*\0 not encrypted")
        for place in ("empty", "other", "in"):
            for command in (["verify"], ["rewrap"], ["decrypt", "-o", "out"], ["reencrypt", "-o", "out"], ["verify", "--subset", "1/3"],
                            ["decrypt", "--dry-run", "-o", "out"]):
                with self.subTest(place=place, command=command):
                    status, _, err = run(*command, "-q", "-k", "keys", place)
                    self.assertEqual(status, 10, err)
                    self.assertIn("there is no encrypted file in what was named: is it the archive, and is its disk mounted?", err)
        status, out, _ = run("verify", "--json", "-k", "keys", "empty")
        messages = self.messages(out, 10)
        self.assertEqual([(m["message_type"], m["status"]) for m in messages if m["message_type"] != "status"],
                         [("error", "not-orrery"), ("summary", "not-orrery")])
        # A part of an archive may have no file; and nothing to encrypt is no mistake.
        self.done("encrypt", "-q", "-k", "keys", "in/a", "-o", "sealed/")
        for n in (1, 2, 3):
            self.done("verify", "-q", "-k", "keys", "--subset", f"{n}/3", "sealed")
        self.done("encrypt", "-q", "-k", "keys", "empty", "-o", "out")

    def test_a_part_without_a_file(self):
        """A part of an archive may be empty also where every file was renamed; of an empty place no part is fine."""
        self.done("encrypt", "-q", "-k", "keys", "in/a", "-o", "sealed/")
        os.rename("sealed/a.orr.tif", "sealed/a.tif")
        for n in (1, 2, 3):
            self.done("verify", "-q", "-k", "keys", "--subset", f"{n}/3", "sealed")
            self.done("decrypt", "-q", "-k", "keys", "--shard", f"{n}/3", "sealed", "-o", "back")
        self.assertEqual(self.files("back"), ["a"])
        Path("other").mkdir()
        Path("other/scan.tif").write_bytes(b"II*\0 not encrypted")
        for n in (1, 2, 3):
            self.assertEqual(run("verify", "-q", "-k", "keys", "--subset", f"{n}/3", "other")[0], 10)

    def test_renamed_files(self):
        """Names decide nothing: a renamed file is verified, and goes with the others to another key."""
        self.done("encrypt", "-q", "-k", "keys", "in", "-o", "sealed")
        os.rename("sealed/in/a.orr.tif", "sealed/in/a.ORR.TIF")
        second = run("keyring", "add", "-q", "-k", "keys")[1].strip()
        out, _ = self.done("verify", "--json", "-k", "keys", "sealed")
        self.assertEqual(self.messages(out, 0)[-1]["done"], 2)
        self.done("rewrap", "-q", "-k", "keys", "--to", second, "sealed")
        self.done("keyring", "set-state", "-k", "keys", second, "active")
        self.done("keyring", "set-state", "-q", "-k", "keys", "--yes", self.key, "destroyed")
        self.done("verify", "-q", "-k", "keys", "sealed")
        self.done("decrypt", "-q", "-k", "keys", "sealed", "-o", "back")
        self.assertEqual(self.files("back"), ["in/a", "in/sub/b"])
        data = bytearray(Path("sealed/in/a.ORR.TIF").read_bytes())
        data[-1] ^= 1
        Path("sealed/in/a.ORR.TIF").write_bytes(data)
        self.assertEqual(run("verify", "-q", "-k", "keys", "sealed")[0], 4)

    def test_outputs_beside_their_sources(self):
        """`encrypt scans -o .`: the same command again finds nothing to do, also after a kill."""
        expected = ["a", "a.orr.tif", "sub/b", "sub/b.orr.tif"]
        for _ in range(3):
            self.done("encrypt", "-q", "-k", "keys", "in", "-o", ".")
            self.assertEqual(self.files("in"), expected)
        Path("flat").mkdir()
        Path("flat/c").write_bytes(b"third\n")
        for _ in range(3):
            self.done("encrypt", "-q", "-k", "keys", *sorted(map(str, Path("flat").glob("*"))), "-o", "flat")
            self.assertEqual(self.files("flat"), ["c", "c.orr.tif"])
        self.assertIn("there was nothing to encrypt: what was found was skipped",
                      self.done("encrypt", "-k", "keys", "flat/c.orr.tif", "-o", "flat")[1])
        for _ in range(3):
            self.done("encrypt", "-q", "-k", "keys", "--names", "opaque", "flat/c", *sorted(map(str, Path("flat").glob("*[0-9a-f]*.orr.tif"))),
                      "-o", "flat")
            count = len(self.files("flat"))
            self.assertLessEqual(count, 4)  # c.orr.tif has no name that --names opaque gives: a source
        # Encrypting encrypted files into another place is a wish like any other.
        self.done("encrypt", "-q", "-k", "keys", "in", "-o", "out")
        self.assertEqual(self.files("out/in"), [f"{name}.orr.tif" for name in expected])
        # A file with such a name that is no encrypted one is a source.
        Path("in/c.orr.tif").write_bytes(b"no")
        self.done("encrypt", "-q", "-k", "keys", "in", "-o", ".")
        self.assertEqual(self.files("in"), ["a", "a.orr.tif", "c.orr.tif", "c.orr.tif.orr.tif", "sub/b", "sub/b.orr.tif"])

    def test_a_killed_job_beside_its_sources(self):
        for name in ("+first", "big"):  # before and behind a partial file, in the order of names
            with open(f"in/{name}", "wb") as file:
                file.truncate(30 << 20)
        with subprocess.Popen([ORRERY, "encrypt", "-q", "-j", "1", "-k", "keys", "in", "-o", "."], stdin=subprocess.DEVNULL,
                              env=slowly("in/")) as process:
            while process.poll() is None and not list(Path("in").glob(".orrery-*.partial")):
                time.sleep(0.002)
            process.send_signal(signal.SIGKILL)
        self.assertEqual(len(list(Path("in").glob(".orrery-*.partial"))), 1)
        self.done("encrypt", "-q", "-k", "keys", "in", "-o", ".")
        self.assertEqual(self.files("in"), ["+first", "+first.orr.tif", "a", "a.orr.tif", "big", "big.orr.tif", "sub/b", "sub/b.orr.tif"])

    def test_partial_files_that_vanish(self):
        """An archive is verified while another job writes into it: what that one finishes meanwhile is no error."""
        with open("in/+first", "wb") as file:
            file.truncate(60 << 20)
        self.done("encrypt", "-q", "-k", "keys", "in", "-o", "sealed")
        for name in (".orrery-0123456789abcdef.partial", ".orrery-journal"):
            Path("sealed/in", name).write_bytes(b"")
        environment = dict(slowly("first"), ORRERY_FAULT_LOG="log")
        if "ORRERY_FAULT" not in environment:
            self.skipTest("no FAULT library: run by ctest")
        with subprocess.Popen([ORRERY, "verify", "-q", "-j", "1", "-k", "keys", "sealed"], stdin=subprocess.DEVNULL,
                              stderr=subprocess.PIPE, env=environment) as process:
            while process.poll() is None and not Path("log").exists():
                time.sleep(0.002)
            for path in Path("sealed/in").glob(".orrery-*"):
                path.unlink()
            self.assertIsNone(process.poll(), "the job was over too soon")
            err = process.communicate(timeout=300)[1].decode()
        self.assertEqual(process.returncode, 0, err)

    def test_a_job_that_has_not_finished(self):
        """verify says so: what it finds may be whole, and still not be all."""
        said = "a job has not finished what it was to write here (.orrery-journal): run it again before any original is deleted"
        os.mkfifo("in/pipe")  # reported, and no failure
        self.done("encrypt", "-q", "-k", "keys", "in", "-o", "sealed")
        self.assertNotIn(said, self.done("verify", "-k", "keys", "sealed")[1])
        os.symlink("nowhere", "missing")
        self.assertEqual(run("encrypt", "-q", "-k", "keys", "in", "missing", "-o", "sealed")[0], 7)
        for options in ([], ["-q"]):
            self.assertIn(said, self.done("verify", *options, "-k", "keys", "sealed")[1])
        out, _ = self.done("verify", "--json", "-k", "keys", "sealed")
        self.assertEqual(self.messages(out, 0)[-1]["unfinished_jobs"], 1)
        for n in (1, 2, 3):  # whichever part is verified
            self.assertIn(said, self.done("verify", "-q", "-k", "keys", "--subset", f"{n}/3", "sealed")[1])
        self.done("encrypt", "-q", "-k", "keys", "in", "-o", "sealed")
        self.assertNotIn(said, self.done("verify", "-k", "keys", "sealed")[1])
        # The journals of shards count too; what is only like one is a file.
        for name in ("1-of-2", "01-of-2", "+1-of-2", "1-of-2x", "1-of--2", " 1-of-2"):
            Path(f"sealed/.orrery-journal-{name}").write_bytes(b"")
        out, err = self.done("verify", "--json", "-k", "keys", "sealed")
        self.assertEqual(self.messages(out, 0)[-1]["unfinished_jobs"], 1)
        self.assertEqual(self.messages(out, 0)[-1]["skipped"], 5)

    def test_a_journal_that_nobody_reads(self):
        """A pipe in its place must not hold up the job."""
        Path("sealed").mkdir()
        os.mkfifo("sealed/.orrery-journal")
        done = subprocess.run([ORRERY, "encrypt", "-q", "-k", "keys", "in", "-o", "sealed"], stdin=subprocess.DEVNULL, timeout=60, check=False)
        self.assertEqual(done.returncode, 0)


if __name__ == "__main__":
    unittest.main()
