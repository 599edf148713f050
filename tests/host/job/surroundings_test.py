"""What a job runs into: limits of the process, files whose size says little, sources whose times are set back."""
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import unittest
from pathlib import Path

from support.cli import ORRERY, Case, confined, partials, run, slowly

MIB = 1 << 20


class Limits(Case):
    def setUp(self):
        super().setUp()
        self.keyring()
        Path("in").mkdir()
        Path("in/big").write_bytes(os.urandom(60 * MIB))
        Path("in/small").write_bytes(b"small\n")

    def limited(self, limit, *command):
        done = subprocess.run(["prlimit", limit, ORRERY, *command], stdin=subprocess.DEVNULL, capture_output=True, check=False)
        return done.returncode, done.stderr.decode()

    def test_a_limit_of_file_size(self):
        """Its signal would end the job, and leave what it was writing."""
        self.assertEqual(run("encrypt", "-q", "-k", "keys", "in", "-o", "sealed")[0], 0)
        for verb, source, result in (("encrypt", "in", "small.orr.tif"), ("decrypt", "sealed", "small"),
                                     ("reencrypt", "sealed", "small.orr.tif")):
            with self.subTest(verb=verb):
                status, err = self.limited(f"--fsize={8 * MIB}", verb, "-q", "-k", "keys", source, "-o", verb)
                self.assertEqual(status, 7, err)
                self.assertRegex(err, "big.*File too large: the file system, or `ulimit -f`, allows no larger file")
                self.assertEqual([p.name for p in Path(verb, "in").rglob("*")], [result])
                self.assertEqual(run(verb, "-q", "-k", "keys", source, "-o", verb)[0], 0)

    def test_a_limit_of_processor_time(self):
        with subprocess.Popen([ORRERY, "encrypt", "-j", "1", "-k", "keys", "in", "-o", "out"], stdin=subprocess.DEVNULL,
                              stderr=subprocess.PIPE, env=slowly("big")) as process:
            while process.poll() is None and not partials("out"):
                time.sleep(0.002)
            for _ in range(5):  # the kernel sends it each second
                process.send_signal(signal.SIGXCPU)
                time.sleep(0.01)
            err = process.communicate(timeout=60)[1].decode()
        self.assertEqual(process.returncode, 75, err)
        self.assertIn("stopped; run the same command again to resume", err)
        self.assertEqual(partials("out"), [])


class Means(Case):
    """By what contents go past the page cache."""

    def setUp(self):
        super().setUp()
        self.keyring()
        Path("in").write_bytes(os.urandom(20 * MIB))
        err = run("encrypt", "-v", "--direct", "on", "-k", "keys", "in", "-o", "sealed")[2]
        if "contents go past the page cache, through io_uring" not in err:
            self.skipTest("no io_uring, or no O_DIRECT here: " + err)

    def test_what_the_system_refuses_is_said_and_done_otherwise(self):
        for what, means in (("uring", "8 threads (io_uring: Operation not permitted)"),
                            ("memory", "io_uring, its memory not registered: Cannot allocate memory (ulimit -l)")):
            for verb, source, out in (("encrypt", "in", f"{what}.orr.tif"), ("verify", "sealed", ""), ("decrypt", "sealed", what)):
                with self.subTest(what=what, verb=verb):
                    to = ("-o", out) if out else ()
                    status, _, err = confined(what, verb, "-v", "--direct", "on", "-k", "keys", source, *to)
                    self.assertEqual(status, 0, err)
                    self.assertEqual(re.findall("contents go past the page cache, through (.*)", err), [means])
            self.assertEqual(run("decrypt", "-k", "keys", f"{what}.orr.tif", "-o", f"{what} back")[0], 0)
            for name in (Path(what), Path(f"{what} back")):
                restored = next(name.rglob("in")) if name.is_dir() else name
                self.assertTrue(restored.read_bytes() == Path("in").read_bytes())

    def test_it_can_be_left_alone(self):
        status, _, err = run("decrypt", "-v", "--direct", "off", "-k", "keys", "sealed", "-o", "out")
        self.assertEqual(status, 0, err)
        self.assertNotIn("page cache", err)


class Sources(Case):
    def setUp(self):
        super().setUp()
        self.keyring()

    @unittest.skipUnless(os.access("/proc/version", os.R_OK), "needs /proc")
    def test_more_bytes_than_the_size_says(self):
        self.assertEqual(os.stat("/proc/version").st_size, 0)
        for options in ((), ("--sha256",)):
            status, _, err = run("encrypt", "-q", "-k", "keys", *options, "/proc/version", "-o", "out")
            self.assertEqual(status, 8, err)
            self.assertIn("/proc/version: holds more than the 0 bytes that its size says: a virtual file?", err)
            self.assertEqual([p.name for p in Path("out").iterdir()], [".orrery-journal"])

    def changed(self, change):
        """Changes a file of 20 segments when the first ones have been read. Returns the status and what was said."""
        with open("big", "wb") as big:
            big.truncate(120 * MIB)  # sparse
        with subprocess.Popen([ORRERY, "encrypt", "-q", "-j", "1", "-k", "keys", "big", "-o", "out"], stdin=subprocess.DEVNULL,
                              stderr=subprocess.PIPE, env=slowly("big")) as process:
            while process.poll() is None and not partials("out"):
                time.sleep(0.002)
            self.assertIsNone(process.poll(), "the job was over too soon")
            change()
            return process.wait(300), process.stderr.read().decode()

    def test_written_while_read_and_the_time_set_back(self):
        def write(at):
            before = os.stat("big")
            with open("big", "r+b") as big:
                big.seek(at)
                big.write(b"other")
            os.utime("big", ns=(before.st_atime_ns, before.st_mtime_ns))
        status, err = self.changed(lambda: write(0))  # read already
        self.assertEqual(status, 7, err)
        self.assertIn("big: was changed while being read", err)
        self.assertFalse(Path("out/big.orr.tif").exists())
        # Not read yet: what is sealed is what is there.
        status, err = self.changed(lambda: write(119 * MIB))
        self.assertEqual(status, 0, err)
        self.assertEqual(run("decrypt", "-q", "-k", "keys", "out", "-o", "back")[0], 0)
        self.assertEqual(subprocess.run(["cmp", "big", "back/big"], check=False).returncode, 0)

    def test_another_name_or_mode_while_read(self):
        for n, change in enumerate((lambda: os.chmod("big", 0o640), lambda: os.link("big", "link"),
                                    lambda: os.rename("big", "renamed"))):
            status, err = self.changed(change)
            self.assertEqual(status, 0, f"{n}: {err}")
            os.unlink("out/big.orr.tif")


    def test_the_memory_of_reading_again(self):
        """Every worker may compare a source at once: that stays within what --mem leaves for workers."""
        if not os.environ.get("FAULT"):
            self.skipTest("no FAULT library: run by ctest")
        Path("in").mkdir()
        for n in range(32):
            Path(f"in/{n}").write_bytes(b"x" * 1000)

        def peak(out, change):
            with subprocess.Popen([ORRERY, "encrypt", "-q", "-j", "16", "--mem", "64M", "-k", "keys", "in", "-o", out],
                                  stdin=subprocess.DEVNULL, env=slowly("in/")) as process:
                while os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
                    change()
                    time.sleep(0.002)
                _, status, usage = os.wait4(process.pid, 0)
                process.returncode = os.waitstatus_to_exitcode(status)
            self.assertEqual(process.returncode, 0)
            return usage.ru_maxrss << 10

        def touch():
            for n in range(32):
                os.chmod(f"in/{n}", 0o640)
        before = peak("out", lambda: None)
        self.assertLess(peak("again", touch), before + 30 * MIB)


class Storage(Case):
    def setUp(self):
        super().setUp()
        self.keyring()

    def blocks_read(self, *command):
        """Blocks that a command read from a disk."""
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        self.assertEqual(process.returncode, 0)
        return usage.ru_inblock

    def test_verify_reads_the_disk(self):
        """Just after it was written or copied a file is in memory: reading that would say nothing of the disk."""
        Path("big").write_bytes(os.urandom(8 * MIB))
        self.assertEqual(run("encrypt", "-q", "-k", "keys", "big", "-o", "sealed")[0], 0)
        drop = "import os; f = os.open('big', os.O_RDONLY); os.fsync(f); os.posix_fadvise(f, 0, 0, os.POSIX_FADV_DONTNEED); os.read(f, 1 << 20)"
        if self.blocks_read(sys.executable, "-c", drop) * 512 < MIB:
            self.skipTest("this file system is in memory")
        for _ in range(2):
            self.assertGreaterEqual(self.blocks_read(ORRERY, "verify", "-q", "-k", "keys", "sealed") * 512, 8 * MIB)
        shutil.copytree("sealed", "copy")
        self.assertGreaterEqual(self.blocks_read(ORRERY, "verify", "-q", "-k", "keys", "copy") * 512, 8 * MIB)

    def test_what_did_not_reach_the_disk(self):
        if not os.environ.get("FAULT"):
            self.skipTest("no FAULT library: run by ctest")
        for name in ("a", "b"):
            Path(name).write_bytes(b"data")
        self.assertEqual(run("encrypt", "-q", "-k", "keys", "a", "b", "-o", "sealed")[0], 0)
        environment = dict(os.environ, LD_PRELOAD=os.environ["FAULT"], ORRERY_FAULT="sync:1:EIO:.orr.tif")
        status, _, err = run("verify", "-v", "-k", "keys", "sealed", env=environment)
        self.assertEqual(status, 7, err)
        self.assertIn("sealed/a.orr.tif: what was written here did not reach its storage: Input/output error", err)
        self.assertIn("verified sealed/b.orr.tif", err)
        status, _, err = run("verify", "-q", "-k", "keys", "sealed", env=dict(environment, ORRERY_FAULT="sync:0:EINVAL:.orr.tif"))
        self.assertEqual(status, 0, err)  # a file system that knows no such thing

    def test_names_that_a_file_system_does_not_tell_apart(self):
        """One of two files of one size and time is not the other because its name leads there."""
        if not os.environ.get("FAULT"):
            self.skipTest("no FAULT library: run by ctest")
        Path("in").mkdir()
        for name in ("Scan.tif", "scan.tif", "other"):
            Path("in", name).write_bytes(name.encode())
            os.utime(Path("in", name), ns=(0, 1_400_000_000_000_000_000))
        os.truncate("in/other", 8)
        os.utime("in/other", ns=(0, 1_400_000_000_000_000_000))
        self.assertEqual(run("encrypt", "-q", "-k", "keys", "in", "-o", "sealed")[0], 0)
        folding = dict(os.environ, LD_PRELOAD=os.environ["FAULT"], ORRERY_FOLD="1")
        self.assertEqual(run("decrypt", "-q", "-k", "keys", "sealed/in/Scan.tif.orr.tif", "-o", "back")[0], 0)
        for _ in range(2):
            status, _, err = run("decrypt", "-k", "keys", "sealed", "-o", "back", env=folding)
            self.assertEqual(status, 3, err)
            self.assertIn("back/in/scan.tif: this file system gives the name to another file of this job", err)
            self.assertEqual(Path("back/in/Scan.tif").read_bytes(), b"Scan.tif")
        self.assertEqual(run("decrypt", "-q", "-k", "keys", "sealed", "-o", "back")[0], 0)
        self.assertEqual(Path("back/in/scan.tif").read_bytes(), b"scan.tif")
        # Two names of one file are no such thing: its contents decide.
        os.unlink("back/in/scan.tif")
        os.link("back/in/Scan.tif", "back/in/scan.tif")
        status, _, err = run("decrypt", "-k", "keys", "sealed", "-o", "back", env=folding)
        self.assertEqual(status, 3, err)
        self.assertIn("back/in/scan.tif exists and is not what would be restored (its contents differ)", err)
        self.assertIn("2 already finished", err)


if __name__ == "__main__":
    unittest.main()
