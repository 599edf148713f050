"""Sources and places that do not hold still: changed, cut or unreadable inputs, outputs that cannot be written, jobs in
each other's way."""
import hashlib
import mmap
import os
import shutil
import struct
import subprocess
import time
import unittest
from pathlib import Path

from support.cli import ORRERY, Case, is_output, partials, run, slowly

MIB = 1 << 20


def wait_for(condition, seconds=120):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return
        time.sleep(0.002)
    raise AssertionError("it did not happen in time")


def write_pages(path):
    """Eight gray pages of four strips, of which each is read by itself; byte 8 is the first pixel."""
    width, rows, strips, pages = 512, 16, 4, 8
    data = os.urandom(width * rows * strips * pages)
    out = struct.pack("<2sHI", b"II", 42, 8 + len(data)) + data
    for page in range(pages):
        lists = len(out) + 2 + 9 * 12 + 4
        tags = ((256, 1, width), (257, 1, rows * strips), (258, 1, 8), (259, 1, 1), (262, 1, 1), (273, strips, lists), (277, 1, 1),
                (278, 1, rows), (279, strips, lists + 4 * strips))
        out += struct.pack("<H", len(tags)) + b"".join(struct.pack("<HHII", tag, 4, count, value) for tag, count, value in tags)
        out += struct.pack("<I", lists + 8 * strips if page + 1 < pages else 0)
        out += struct.pack("<4I", *(8 + (page * strips + n) * width * rows for n in range(strips)))
        out += struct.pack("<4I", *[width * rows] * strips)
    Path(path).write_bytes(out)


def told_of_memory(descriptor, memory):
    """Does a write through mmap to flushed pages change the time?"""
    os.fsync(descriptor)
    before = os.fstat(descriptor).st_mtime_ns
    time.sleep(0.05)
    memory[8] = 1 - memory[8] % 2
    return os.fstat(descriptor).st_mtime_ns != before


class Sources(Case):
    def setUp(self):
        super().setUp()
        self.keyring()
        Path("in").mkdir()
        Path("in/a").write_bytes(b"first\n")
        Path("in/z").write_bytes(b"last\n")

    def under_way(self, *command):
        """Starts a job on a large file and returns once an output has been begun: seconds before its end."""
        process = subprocess.Popen([ORRERY, *command, "-j", "1"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                   stderr=subprocess.PIPE, env=slowly("big"))
        self.addCleanup(process.stderr.close)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        wait_for(lambda: partials("out") or process.poll() is not None)
        self.assertIsNone(process.poll(), "the job was over too soon")
        return process

    def end(self, process, status):
        err = process.communicate(timeout=300)[1].decode()
        self.assertEqual(process.returncode, status, err)
        return err

    def change_while_read(self, change, message):
        with open("in/big", "wb") as big:
            big.truncate(300 * MIB)  # sparse
        process = self.under_way("encrypt", "-q", "-k", "keys", "in", "-o", "out")
        change()
        err = self.end(process, 7)
        self.assertRegex(err, message)
        self.assertEqual(sorted(str(p) for p in Path("out").rglob("*") if is_output(p)),
                         ["out/.orrery-journal", "out/in/a.orr.tif", "out/in/z.orr.tif"])
        os.truncate("in/big", 20 * MIB)
        status, _, err = run("encrypt", "-q", "-k", "keys", "in", "-o", "out")
        self.assertEqual(status, 0, err)
        self.assertEqual(run("verify", "-q", "-k", "keys", "out")[0], 0)
        self.assertFalse(Path("out/.orrery-journal").exists())

    def test_truncated_while_read(self):
        self.change_while_read(lambda: os.truncate("in/big", 1000), "in/big: .*changed while being read")

    def test_grown_while_read(self):
        def grow():
            with open("in/big", "ab") as big:
                big.write(b"more")
        self.change_while_read(grow, "in/big: was changed while being read: run the same command again when it rests")

    def test_written_while_read(self):
        def write():
            with open("in/big", "r+b") as big:
                big.write(b"other")
        self.change_while_read(write, "in/big: was changed while being read")

    def test_paper_written_while_read(self):
        """The first page is overwritten in place, and the time set back, when it was read and the last ones were not."""
        for options in ((), ("--sha256",)):
            with self.subTest(options=options):
                write_pages("in/big")
                before = os.stat("in/big")
                process = self.under_way("encrypt", "-q", "-k", "keys", "--profile", "paper", "in/big", "-o", "out/", *options)
                wait_for(lambda: process.poll() is not None or any(p.stat().st_size for p in partials("out")))
                self.assertIsNone(process.poll(), "the job was over too soon")
                with open("in/big", "r+b") as big:
                    big.seek(8)
                    big.write(b"other")
                os.utime("in/big", ns=(before.st_atime_ns, before.st_mtime_ns))
                self.assertRegex(self.end(process, 7), "in/big: was changed while being read")
                self.assertFalse(Path("out/big.orr.tif").exists())

    def test_paper_touched_while_read(self):
        write_pages("in/big")
        process = self.under_way("encrypt", "-q", "-k", "keys", "--profile", "paper", "--sha256", "in/big", "-o", "out/")
        os.chmod("in/big", 0o640)
        self.end(process, 0)
        self.assertEqual(run("verify", "-q", "-k", "keys", "out")[0], 0)

    def test_written_through_memory_while_read(self):
        """Pages that are dirty already change no time when they are written again through mmap, unless they were flushed."""
        for profile in ("archive", "paper"):
            with self.subTest(profile=profile):
                shutil.rmtree("out", ignore_errors=True)
                if profile == "paper":
                    write_pages("in/big")
                else:
                    with open("in/big", "wb") as big:
                        big.truncate(300 * MIB)  # sparse
                with open("in/big", "r+b") as big, mmap.mmap(big.fileno(), 0) as memory:
                    memory[8] = 1
                    if not told_of_memory(big.fileno(), memory):
                        self.skipTest("this file system changes no time when memory is written")
                    memory[8] = 2  # dirty when the job begins
                    process = self.under_way("encrypt", "-q", "-k", "keys", "--profile", profile, "in/big", "-o", "out/")
                    memory[8] = 3
                    self.assertRegex(self.end(process, 7), "in/big: was changed while being read")
                self.assertFalse(Path("out/big.orr.tif").exists())

    def test_removed_while_read(self):
        """A file that loses its name while it is read is still all there: it is encrypted as it was opened."""
        with open("in/big", "wb") as big:
            big.truncate(300 * MIB)
        process = self.under_way("encrypt", "-q", "-k", "keys", "in", "-o", "out")
        os.unlink("in/big")
        self.end(process, 0)
        self.assertEqual(run("verify", "-q", "-k", "keys", "out")[0], 0)
        self.assertTrue(Path("out/in/big.orr.tif").exists())

    def test_encrypted_source_cut_while_read(self):
        with open("in/big", "wb") as big:
            big.truncate(300 * MIB)
        self.assertEqual(run("encrypt", "-q", "-k", "keys", "in", "-o", "sealed")[0], 0)
        for verb in ("decrypt", "reencrypt"):
            with self.subTest(verb=verb):
                shutil.rmtree("out", ignore_errors=True)
                shutil.copy2("sealed/in/big.orr.tif", "big.orr.tif")
                process = self.under_way(verb, "-q", "-k", "keys", "big.orr.tif", "-o", "out")
                os.truncate("big.orr.tif", 20 * MIB)
                self.assertIn(process.wait(300), (4, 7))
                self.assertEqual([p for p in Path("out").rglob("*") if is_output(p) and "journal" not in p.name], [])

    def test_a_missing_input(self):
        status, _, err = run("encrypt", "-q", "-k", "keys", "in", "nowhere", "-o", "out")
        self.assertEqual(status, 7, err)
        self.assertIn("nowhere: cannot look at this: No such file or directory", err)
        self.assertTrue(Path("out/in/z.orr.tif").exists())  # the rest is done all the same
        self.assertEqual(run("encrypt", "-q", "-k", "keys", "nowhere", "-o", "out")[0], 7)


@unittest.skipUnless(os.geteuid() == 0 and shutil.which("setpriv"), "needs root, to become nobody")
class Unprivileged(Case):
    def setUp(self):
        super().setUp()
        self.keyring()
        os.chmod(self.dir, 0o755)
        # Where nobody can reach it, whatever lies above the build directory.
        shutil.copy(ORRERY, "program")
        Path("in/closed").mkdir(parents=True)
        for name in ("in/a", "in/b", "in/closed/c", "in/z"):
            Path(name).write_bytes(name.encode())
        Path("out").mkdir()
        for path in (Path("keys"), Path("out"), Path("in"), *Path("in").rglob("*")):
            os.chown(path, 65534, 65534)

    def as_nobody(self, *arguments):
        done = subprocess.run(["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "./program", *arguments],
                              stdin=subprocess.DEVNULL, capture_output=True, check=False)
        return done.returncode, done.stderr.decode()

    def test_unreadable_inputs(self):
        os.chmod("in/b", 0)
        os.chmod("in/closed", 0)
        command = ("encrypt", "-q", "-k", "keys", "in", "-o", "out")
        status, err = self.as_nobody(*command)
        self.assertEqual(status, 7, err)
        self.assertIn("in/b: cannot open this: Permission denied", err)
        self.assertRegex(err, "in/closed: cannot .*: Permission denied")
        self.assertTrue(Path("out/in/a.orr.tif").exists() and Path("out/in/z.orr.tif").exists())
        os.chmod("in/b", 0o600)
        os.chmod("in/closed", 0o700)
        status, err = self.as_nobody(*command)
        self.assertEqual(status, 0, err)
        self.assertTrue(Path("out/in/closed/c.orr.tif").exists() and Path("out/in/b.orr.tif").exists())
        # A read-only source is fine for all verbs but rewrap, which writes into it.
        os.chmod("out/in/b.orr.tif", 0o444)
        os.chmod("in/a", 0o444)
        status, err = self.as_nobody("decrypt", "-q", "-k", "keys", "out", "-o", "out/back")
        self.assertEqual(status, 0, err)
        self.assertEqual(Path("out/back/in/b").read_bytes(), b"in/b")
        second = run("keyring", "add", "-q", "-k", "keys")[1].strip()
        status, err = self.as_nobody("rewrap", "-q", "-k", "keys", "--to", second, "out")
        self.assertEqual(status, 7, err)
        self.assertIn("b.orr.tif: cannot open for writing: Permission denied", err)

    def test_outputs_that_cannot_be_written(self):
        os.chmod("out", 0o500)
        status, err = self.as_nobody("encrypt", "-q", "-k", "keys", "in", "-o", "out")
        self.assertEqual(status, 7, err)
        self.assertIn("Permission denied: check permissions", err)
        self.assertEqual(list(Path("out").iterdir()), [])
        status, err = self.as_nobody("encrypt", "-q", "-k", "keys", "in", "-o", "out/below/it")
        self.assertEqual(status, 7, err)
        self.assertIn("out/below/it: cannot create this directory: Permission denied", err)
        os.chmod("out", 0o700)
        self.assertEqual(self.as_nobody("encrypt", "-q", "-k", "keys", "in", "-o", "out")[0], 0)
        # One directory of the output closed: the rest is done.
        Path("out/in/a.orr.tif").unlink()
        Path("out/in/closed/c.orr.tif").unlink()
        os.chmod("out/in/closed", 0o500)
        status, err = self.as_nobody("encrypt", "-q", "-k", "keys", "in", "-o", "out")
        self.assertEqual(status, 7, err)
        self.assertTrue(Path("out/in/a.orr.tif").exists())

    def test_a_keyring_of_somebody_else(self):
        os.chown("keys", 0, 0)
        status, err = self.as_nobody("encrypt", "-q", "-k", "keys", "in", "-o", "out")
        self.assertEqual(status, 7, err)
        self.assertIn("keys: cannot open the keyring: Permission denied", err)


class InEachOthersWay(Case):
    def setUp(self):
        super().setUp()
        self.keyring()
        Path("in/sub").mkdir(parents=True)
        Path("in/a").write_bytes(b"first\n")
        Path("in/sub/b").write_bytes(b"second\n")

    def state(self, *roots):
        return {str(p): (hashlib.sha256(p.read_bytes()).hexdigest(), p.stat().st_mtime_ns)
                for root in roots for p in Path(root).rglob("*") if is_output(p)}

    def test_two_jobs_on_one_output(self):
        shutil.rmtree("in")  # one file alone: its partial file is there from its first write to the end
        Path("in").mkdir()
        with open("in/big", "wb") as big:
            big.truncate(600 * MIB)
        command = ("encrypt", "-q", "-j", "1", "-k", "keys", "in", "-o", "out")
        with subprocess.Popen([ORRERY, *command], stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, env=slowly("big")) as first:
            wait_for(lambda: partials("out"))
            for second in (command, ("decrypt", "-q", "-k", "keys", "in", "-o", "out"), ("reencrypt", "-k", "keys", "in", "-o", "out")):
                status, _, err = run(*second)
                self.assertEqual(status, 7, err)
                self.assertIn("another orrery job is writing here: wait until it ends", err)
            self.assertTrue(partials("out"), "the second job took the first one's file")
            err = first.communicate(timeout=300)[1].decode()
            self.assertEqual(first.returncode, 0, err)
        self.assertEqual(run("verify", "-q", "-k", "keys", "out")[0], 0)
        self.assertEqual(run(*command)[0], 0)  # the lock is gone

    def test_two_rewraps_of_one_tree(self):
        for i in range(100):
            Path(f"in/{i}").write_bytes(b"%d" % i)
        self.assertEqual(run("encrypt", "-q", "-k", "keys", "in", "-o", "out")[0], 0)
        second = run("keyring", "add", "-q", "-k", "keys")[1].strip()
        command = [ORRERY, "rewrap", "-q", "-k", "keys", "--to", second, "out"]
        jobs = [subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE) for _ in range(3)]
        for job in jobs:
            err = job.communicate(timeout=300)[1].decode()
            self.assertEqual(job.returncode, 0, err)
        self.assertEqual(run("verify", "-q", "-k", "keys", "out")[0], 0)

    def test_output_inside_input(self):
        command = ("encrypt", "-q", "-k", "keys", "in", "-o", "in/out")
        for _ in range(2):  # the second run must not take the first one's outputs for sources
            status, _, err = run(*command)
            self.assertEqual(status, 0, err)
            self.assertEqual(sorted(str(p) for p in Path("in").rglob("*") if is_output(p)),
                             ["in/a", "in/out/in/a.orr.tif", "in/out/in/sub/b.orr.tif", "in/sub/b"])
        os.symlink("in", "alias")  # another way to say the same
        self.assertEqual(run("encrypt", "-q", "-k", "keys", "alias/", "-o", "in/out")[0], 0)
        self.assertFalse([p for p in Path("in/out").rglob("*") if is_output(p) and "out" in str(p.relative_to("in/out"))])
        status, _, err = run("decrypt", "-q", "-k", "keys", "in/out", "-o", "in/out/back")
        self.assertEqual(status, 0, err)
        self.assertEqual(Path("in/out/back/in/sub/b").read_bytes(), b"second\n")
        status, _, err = run("reencrypt", "-q", "-k", "keys", "in", "-o", "in/out/again")
        self.assertEqual(status, 0, err)
        self.assertEqual(run("verify", "-q", "-k", "keys", "in/out")[0], 0)

    def test_output_is_input(self):
        self.assertEqual(run("encrypt", "-q", "-k", "keys", "in", "-o", "sealed")[0], 0)
        before = self.state("in", "sealed")
        for verb, place in (("encrypt", "in"), ("decrypt", "sealed"), ("reencrypt", "sealed")):
            for inputs in ([place], [f"{place}/."], [f"../{self.dir.name}/{place}"]):
                with self.subTest(verb=verb, inputs=inputs):
                    status, _, err = run(verb, "-q", "-k", "keys", *inputs, "-o", place)
                    self.assertEqual(status, 2, err)
                    self.assertIn("input and output are the same directory", err)
                    self.assertEqual(self.state("in", "sealed"), before)

    def test_a_file_onto_itself(self):
        self.assertEqual(run("encrypt", "-q", "-k", "keys", "in", "-o", "sealed")[0], 0)
        before = self.state("in", "sealed")
        for verb, path in (("encrypt", "in/a"), ("decrypt", "sealed/in/a.orr.tif"), ("reencrypt", "sealed/in/a.orr.tif")):
            with self.subTest(verb=verb):
                status, _, err = run(verb, "-q", "-k", "keys", path, "-o", path)
                self.assertEqual(status, 6, err)
                self.assertEqual(self.state("in", "sealed"), before)

    def test_outputs_of_one_name(self):
        """Two sources that would become one output: one is written, the other is refused."""
        Path("other/in").mkdir(parents=True)
        Path("other/in/a").write_bytes(b"not the first\n")
        status, _, err = run("encrypt", "-q", "-k", "keys", "in", "other/in", "-o", "out")
        self.assertIn(status, (3, 6), err)
        self.assertIn("other/in/a: another file of this job has the same path", err)
        self.assertEqual(run("decrypt", "-q", "-k", "keys", "out", "-o", "back")[0], 0)
        self.assertEqual(Path("back/in/a").read_bytes(), b"first\n")

    def test_few_descriptors(self):
        """A hard limit of 128 open files must not fail a job over many small files."""
        for i in range(600):
            Path(f"in/{i}").write_bytes(b"%d" % i)
        for verb, place, out in (("encrypt", "in", "out"), ("decrypt", "out", "back"), ("reencrypt", "out", "again")):
            done = subprocess.run(["prlimit", "--nofile=128:128", ORRERY, verb, "-q", "-k", "keys", place, "-o", out],
                                  stdin=subprocess.DEVNULL, capture_output=True, check=False)
            self.assertEqual(done.returncode, 0, done.stderr.decode()[-500:])


if __name__ == "__main__":
    unittest.main()
