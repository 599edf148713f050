"""Which files a job takes: none at all, renamed ones, its own outputs beside their sources, and what other jobs have there."""
import os
import shutil
import signal
import subprocess
import time
import unittest
from pathlib import Path

from support.cli import ORRERY, Case, is_output, run, slowly


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
        return sorted(str(p.relative_to(root)) for p in Path(root).rglob("*") if is_output(p))

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
        # A part of an archive may have no file.
        self.done("encrypt", "-q", "-k", "keys", "in/a", "-o", "sealed/")
        for n in (1, 2, 3):
            self.done("verify", "-q", "-k", "keys", "--subset", f"{n}/3", "sealed")

    def test_nothing_to_encrypt(self):
        """An empty source is what a disk that is not mounted looks like, also where others are not empty and where a vault
        from its better days is there already."""
        Path("empty/sub").mkdir(parents=True)
        Path("links").mkdir()
        os.symlink("../in/a", "links/a")
        for place in ("empty", "links"):
            for options in ([], ["--dry-run"], ["--shard", "1/2"]):
                with self.subTest(place=place, options=options):
                    status, _, err = run("encrypt", "-q", *options, "-k", "keys", place, "-o", "out")
                    self.assertEqual(status, 10, err)
                    self.assertIn("there is nothing to encrypt", err)
            self.done("encrypt", "-q", "-k", "keys", "--allow-empty", place, "-o", "fine")
        self.done("encrypt", "-q", "-k", "keys", "in", "-o", "vault")
        os.rename("in", "gone")
        Path("in").mkdir()
        self.assertEqual(run("encrypt", "-q", "-k", "keys", "in", "-o", "vault")[0], 10)
        self.assertEqual(self.files("vault"), ["in/a.orr.tif", "in/sub/b.orr.tif"])
        status, _, err = run("encrypt", "-q", "-k", "keys", "gone", "in", "-o", "both")
        self.assertEqual(status, 3, err)
        self.assertIn("in: there is no regular file in it: is its disk mounted?", err)
        self.assertEqual(self.files("both"), [".orrery-journal", "gone/a.orr.tif", "gone/sub/b.orr.tif"])
        self.done("encrypt", "-q", "-k", "keys", "--allow-empty", "gone", "in", "-o", "both")
        self.assertIn("empty: there is no encrypted file in it", self.done("verify", "-k", "keys", "vault", "empty")[1])

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
        status, _, err = run("encrypt", "-k", "keys", "flat/c.orr.tif", "-o", "flat")
        self.assertEqual(status, 10, err)
        self.assertIn("there is nothing to encrypt: what was found was skipped", err)
        for _ in range(3):
            self.done("encrypt", "-q", "-k", "keys", "--nested", "--names", "opaque", "flat/c", *sorted(map(str, Path("flat").glob("*[0-9a-f]*.orr.tif"))),
                      "-o", "flat")
            count = len(self.files("flat"))
            self.assertLessEqual(count, 4)  # c.orr.tif has no name that --names opaque gives: a source
        # Encrypting a vault again is more likely a mistake for reencrypt.
        status, _, err = run("encrypt", "-q", "-k", "keys", "in", "-o", "out")
        self.assertEqual(status, 3, err)
        self.assertIn("in/a.orr.tif: is encrypted already: `orrery reencrypt` gives it new secrets", err)
        self.done("encrypt", "-q", "-k", "keys", "--nested", "in", "-o", "out")
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
        self.assertGreaterEqual(len(list(Path("in").glob(".orrery-*.partial"))), 1)
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
        said = "a job has not finished what it was to write here, or still runs: run it again before any original is deleted"
        os.mkfifo("in/pipe")  # reported, and no failure
        self.done("encrypt", "-q", "-k", "keys", "in", "-o", "sealed")
        self.assertNotIn(said, self.done("verify", "-k", "keys", "sealed")[1])
        os.symlink("nowhere", "missing")
        self.assertEqual(run("encrypt", "-q", "-k", "keys", "in", "missing", "-o", "sealed")[0], 7)
        journal = str(self.dir.resolve() / "sealed/.orrery-journal")
        # Whichever part is verified, and wherever in the archive it lies.
        for part in (["sealed"], ["-q", "sealed"], ["sealed/in"], ["sealed/in/sub"], ["sealed/in/a.orr.tif", "sealed/in/sub"],
                     *(["--subset", f"{n}/3", "sealed"] for n in (1, 2, 3))):
            with self.subTest(part=part):
                status, _, err = run("verify", "-k", "keys", *part)
                self.assertEqual(status, 9, err)
                self.assertEqual(err.count(said), 1, err)
                self.assertIn("sealed/.orrery-journal" if "sealed" in part else journal, err)
        # One file that is asked for by its name is what it is; still it is said.
        self.assertIn(said, self.done("verify", "-q", "-k", "keys", "sealed/in/a.orr.tif")[1])
        out = run("verify", "--json", "-k", "keys", "sealed")[1]
        self.assertEqual(self.messages(out, 9)[-1]["unfinished_jobs"], 1)
        # A damaged file is worse; another archive above this one is not this one's.
        damaged = bytearray(Path("sealed/in/a.orr.tif").read_bytes())
        damaged[-1] ^= 1
        whole = Path("sealed/in/a.orr.tif").read_bytes()
        Path("sealed/in/a.orr.tif").write_bytes(damaged)
        self.assertEqual(run("verify", "-q", "-k", "keys", "sealed")[0], 4)
        Path("sealed/in/a.orr.tif").write_bytes(whole)
        self.done("encrypt", "-q", "-k", "keys", "in", "-o", "sealed/other")
        self.assertNotIn(said, self.done("verify", "-q", "-k", "keys", "sealed/other/in")[1])
        shutil.rmtree("sealed/other")
        # Another job that finishes is not the one that has not.
        Path("more").mkdir()
        Path("more/c").write_bytes(b"third\n")
        self.done("encrypt", "-q", "-k", "keys", "more", "-o", "sealed")
        self.assertEqual(run("verify", "-q", "-k", "keys", "sealed")[0], 9)
        Path("missing").unlink()
        Path("missing").write_bytes(b"found\n")
        self.done("encrypt", "-q", "-k", "keys", "more", "missing", "in", "-o", "sealed")  # it does all that was left, and more
        self.assertNotIn(said, self.done("verify", "-k", "keys", "sealed")[1])
        Path("missing").unlink()
        os.symlink("nowhere", "missing")
        self.assertEqual(run("encrypt", "-q", "-k", "keys", "in", "missing", "-o", "sealed")[0], 7)
        Path("missing").unlink()
        shutil.rmtree("more")
        Path("missing").write_bytes(b"found\n")
        self.done("encrypt", "-q", "-k", "keys", "in", "missing", "-o", "sealed")
        self.assertNotIn(said, self.done("verify", "-k", "keys", "sealed")[1])
        # The journals of shards count too; what is only like one is a file.
        for name in ("1-of-2", "01-of-2", "+1-of-2", "1-of-2x", "1-of--2", " 1-of-2"):
            Path(f"sealed/.orrery-journal-{name}").write_bytes(b"")
        out = run("verify", "--json", "-k", "keys", "sealed")[1]
        self.assertEqual(self.messages(out, 9)[-1]["unfinished_jobs"], 1)
        self.assertEqual(self.messages(out, 9)[-1]["skipped"], 5)

    def test_a_journal_that_a_power_cut_tore(self):
        """Of its first line only a part: its job had not begun, and nothing is unfinished once another has ended."""
        Path("sealed").mkdir()
        journal, line = Path("sealed/.orrery-journal"), b'{"event":"start","time":"2026-12-01T16:19:05Z","verb":"encrypt","inputs":{"ba9c8e6c75'
        for left in (b"", line, line + bytes(600), bytes(512) + b'3f","4a"]}}\n', bytes(3)):
            with self.subTest(left=left):
                journal.write_bytes(left)
                self.done("encrypt", "-q", "-k", "keys", "in", "-o", "sealed")
                self.done("verify", "-q", "-k", "keys", "sealed")
                self.assertFalse(journal.exists())
                # A run that is stopped after that is known again, and none but that one.
                journal.write_bytes(left)
                shutil.rmtree("sealed/in")
                run("encrypt", "-q", "-k", "keys", "in", "missing", "-o", "sealed")
                if journal.exists():
                    self.assertEqual(journal.read_bytes().count(b'\n{"event":"start"'), 1 if left else 0)
                    Path("missing").write_bytes(b"found")
                    self.done("encrypt", "-q", "-k", "keys", "in", "missing", "-o", "sealed")
                    self.assertFalse(journal.exists())
                    Path("missing").unlink()
        journal.write_bytes(line.replace(b"ba9c", b"0000") + b'":[]}}\n')  # a whole one, of another job
        self.done("encrypt", "-q", "-k", "keys", "in", "-o", "sealed")
        self.assertTrue(journal.exists())

    def test_a_journal_that_nobody_reads(self):
        """A pipe in its place must not hold up the job."""
        Path("sealed").mkdir()
        os.mkfifo("sealed/.orrery-journal")
        done = subprocess.run([ORRERY, "encrypt", "-q", "-k", "keys", "in", "-o", "sealed"], stdin=subprocess.DEVNULL, timeout=60, check=False)
        self.assertEqual(done.returncode, 0)


if __name__ == "__main__":
    unittest.main()
