"""Signals that come in the middle of long work, raised by tests/support/preload/fault.c at a chosen call: the job ends there,
nothing half done has a final name, and the same command finishes the rest. One that comes when all is done changes nothing."""
import os
import shutil
import struct
import time
import unittest
from pathlib import Path

from support.cli import Case, run

FAULT = os.environ.get("FAULT")


def setUpModule():
    if not FAULT or not Path(FAULT).exists():
        raise unittest.SkipTest("no FAULT library: run by ctest")
    if "libasan" in Path("/proc/self/maps").read_text():
        raise unittest.SkipTest("not under AddressSanitizer")


def write_pages(path, width, height, pages):
    """A TIFF of 8-bit gray pages, each one strip of its own noise."""
    size, data, directories = width * height, b"", b""
    start = 8 + pages * size
    for n in range(pages):
        tags = ((256, 4, width), (257, 4, height), (258, 3, 8), (259, 3, 1), (262, 3, 1), (273, 4, 8 + n * size), (277, 3, 1),
                (278, 4, height), (279, 4, size))
        directory = struct.pack("<H", len(tags)) + b"".join(struct.pack("<HHII", tag, kind, 1, value) for tag, kind, value in tags)
        following = start + (n + 1) * (len(directory) + 4) if n + 1 < pages else 0
        data, directories = data + os.urandom(size), directories + directory + struct.pack("<I", following)
    Path(path).write_bytes(struct.pack("<2sHI", b"II", 42, start) + data + directories)


class Stops(Case):
    def setUp(self):
        super().setUp()
        self.keyring()

    def command(self, verb, *options):
        return run(verb, "-k", "keys", "-j", "1", *options)

    def signalled(self, fault, *arguments):
        return run(arguments[0], "-k", "keys", "-j", "1", *arguments[1:],
                   env={**os.environ, "LD_PRELOAD": FAULT, "ORRERY_FAULT": fault})

    def assert_stopped(self, result, out="out"):
        status, _, err = result
        self.assertEqual(status, 75, err)
        self.assertRegex(err, "run the same command again to resume|the same command verifies all of it anew")
        self.assertEqual([str(p) for p in Path(out).rglob("*") if p.is_file() and not p.name.startswith((".orrery-journal", ".orrery-state"))], [], err)

    def test_paper_profile(self):
        write_pages("scan.tif", 700, 500, 6)
        paper = ("encrypt", "scan.tif", "--profile", "paper", "-o", "sealed.orr.tif")
        # While the first page is read, and inside the only page that a file has.
        self.assert_stopped(self.signalled("pread:20:term:scan.tif", *paper[:-1], "out"))
        write_pages("one.tif", 2500, 2000, 1)
        time.sleep(0.1)  # a source that was written just now is read twice
        calls = self.calls("pread", "one.tif", "encrypt", "one.tif", "--profile", "paper", "-o", "count.orr.tif")
        calls -= 1  # the last one looks for bytes behind the size, when the pages are done
        self.assert_stopped(self.signalled(f"pread:{calls}:term:one.tif", "encrypt", "one.tif", "--profile", "paper", "-o", "out"))
        self.assertEqual(self.command(*paper)[0], 0)
        self.assert_stopped(self.signalled("pread:15:term:sealed", "decrypt", "sealed.orr.tif", "-o", "out"))
        self.assert_stopped(self.signalled("pread:15:term:sealed", "reencrypt", "sealed.orr.tif", "-o", "out"))
        self.assert_stopped(self.signalled("pwrite:2:term:out", "decrypt", "sealed.orr.tif", "-o", "out"))
        self.assert_stopped(self.signalled("pwrite:2:term:out", "reencrypt", "sealed.orr.tif", "-o", "out"))
        self.assert_stopped(self.signalled("pread:15:term:sealed", "verify", "sealed.orr.tif"))
        self.assert_stopped(self.signalled("pread:2:term:partial", *paper[:-1], "out", "--check", "cpu"))
        for verb in ("decrypt", "reencrypt"):  # and the same command does it
            self.assertEqual(self.command(verb, "sealed.orr.tif", "-o", verb)[0], 0)

    def calls(self, call, part, *arguments):
        """How many such calls an undisturbed run makes."""
        environment = {**os.environ, "LD_PRELOAD": FAULT, "ORRERY_FAULT": f"{call}:0:count:{part}", "ORRERY_FAULT_LOG": "log"}
        Path("log").unlink(missing_ok=True)
        status, _, err = run(arguments[0], "-k", "keys", "-j", "1", *arguments[1:], env=environment)
        self.assertEqual(status, 0, err)
        return len(Path("log").read_text().splitlines())

    def test_check_cpu(self):
        Path("big").write_bytes(os.urandom(3 << 20))
        # The first reads are of the head; the check goes through 64 tiles after that.
        self.assert_stopped(self.signalled("pread:20:term:partial", "encrypt", "big", "-o", "out", "--check", "cpu"))
        self.assertEqual(self.command("encrypt", "big", "-o", "out", "--check", "cpu")[0], 0)

    def test_salvage(self):
        Path("big").write_bytes(os.urandom(3 << 20))
        self.assertEqual(self.command("encrypt", "big", "-o", "big.orr.tif")[0], 0)
        sealed = bytearray(Path("big.orr.tif").read_bytes())
        sealed[-1] ^= 1
        Path("big.orr.tif").write_bytes(sealed)
        salvage = ("decrypt", "big.orr.tif", "-o", "out", "--salvage")
        self.assert_stopped(self.signalled("pwrite:3:term:partial", *salvage))
        self.assertEqual(self.command(*salvage)[0], 4)
        self.assertEqual(sorted(os.listdir("out")), ["big.salvaged", "big.salvaged.json"])

    def test_signals_that_come_together(self):
        """`timeout` signals twice at once; a second one means impatience only when it comes later."""
        Path("big").write_bytes(os.urandom(30 << 20))
        encrypt, decrypt = ("encrypt", "big", "-o", "out", "--mem", "64M"), ("decrypt", "out", "-o", "restored", "--mem", "64M")
        for fault in ("usr1", "usr2", "twice"):
            with self.subTest(fault):
                self.assert_stopped(self.signalled(f"pwrite:2:{fault}:partial", *encrypt))
        self.assertEqual(self.command(*encrypt)[0], 0)
        self.assert_stopped(self.signalled("pwrite:1:twice:partial", *decrypt), "restored")
        status, _, err = self.signalled("pwrite:1:later:partial", *decrypt)
        self.assertEqual(status, 75, err)
        self.assertNotIn("again", err)  # it left at once, without another word,
        self.assertEqual(len(list(Path("restored").glob(".*.partial"))), 1)  # and without tidying up
        self.assertEqual(self.command(*decrypt)[0], 0)
        self.assertEqual(os.listdir("restored"), ["big"])

    def test_a_signal_when_all_is_done(self):
        Path("in/sub").mkdir(parents=True)
        for name in ("a", "sub/z"):
            Path("in", name).write_bytes(os.urandom(1000))
        os.symlink("a", "in/zz")  # behind the last file, and no work
        write_pages("scan.tif", 40, 30, 2)
        for arguments, last in ((("encrypt", "in", "-o", "out"), 2), (("encrypt", "in/a", "-o", "out"), 1),
                                (("encrypt", "scan.tif", "--profile", "paper", "-o", "out"), 1)):
            with self.subTest(arguments):
                shutil.rmtree("out", ignore_errors=True)
                status, _, err = self.signalled(f"rename:{last}:term:partial", *arguments)
                self.assertEqual(status, 0, err)
                self.assertNotIn("again", err)
                self.assertEqual(len([p for p in Path("out").rglob("*.orr.tif")]), last)
                self.assertFalse(Path("out/.orrery-journal").exists())
        shutil.rmtree("out")
        status, _, err = self.signalled("sync:1:term:in/a", "encrypt", "in", "-o", "out")  # one is left: the first look at a file
        self.assertEqual(status, 75, err)
        self.assertEqual(self.command("encrypt", "in", "-o", "out")[0], 0)
        self.assertEqual(len([p for p in Path("out").rglob("*.orr.tif")]), 2)


if __name__ == "__main__":
    unittest.main()
