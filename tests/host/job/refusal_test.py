"""Damaged and hostile files through the program: exit status, little memory, no output and nothing left over."""
import os
import resource
import subprocess
import unittest
from pathlib import Path

from support.cli import ORRERY, Case, end_of_tiles, png, run

LIMIT = 512 << 20  # of address space; buffers are told to stay below 64 MiB


def limit():
    resource.setrlimit(resource.RLIMIT_AS, (LIMIT, LIMIT))


class Refusals(Case):
    def setUp(self):
        super().setUp()
        self.keyring()
        self.plain = os.urandom(7_000_000)
        Path("scan.tif").write_bytes(self.plain)
        status, _, err = run("encrypt", "-k", "keys", "scan.tif", "-o", "good.orr.tif")
        self.assertEqual(status, 0, err)
        self.good = Path("good.orr.tif").read_bytes()

    def refused(self, what, data, status, keyring="keys"):
        Path("bad.orr.tif").write_bytes(data)
        for verb, more in (("verify", []), ("decrypt", ["-o", "out"]), ("reencrypt", ["-o", "out2"]), ("rewrap", [])):
            if verb == "rewrap" and status == 4 and what.startswith("data"):
                continue  # rewrap reads and changes the head only
            with self.subTest(what=what, verb=verb):
                memory = ["--mem", "64M"] if verb != "rewrap" else []
                # Two threads on any machine: the stacks of sixty fill the limit.
                done = subprocess.run([ORRERY, verb, "-k", keyring, "-j", "2", *memory, "bad.orr.tif", *more],
                                      stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                      preexec_fn=limit, timeout=60, check=False)
                self.assertEqual(done.returncode, status, done.stderr)
                self.assertIn(b"bad.orr.tif", done.stderr)
                self.assertEqual(Path("bad.orr.tif").read_bytes(), data, "the input was changed")
                for out in ("out", "out2"):
                    left = [p for p in Path(out).rglob("*") if p.name != ".orrery-journal"] if Path(out).exists() else []
                    self.assertEqual(left, [])

    def flip(self, at):
        data = bytearray(self.good)
        data[at] ^= 0x10
        return bytes(data)

    def put(self, at, value):
        return self.good[:at] + value + self.good[at + len(value):]

    def test_head(self):
        self.refused("TIFF header", self.flip(4), 4)
        self.refused("magic", self.flip(20), 10)
        self.refused("version", self.put(32, b"\x02\0"), 8)
        self.refused("suite", self.put(34, b"\x09\0"), 8)
        self.refused("profile", self.put(36, b"\x07"), 8)
        self.refused("slot pages", self.put(37, b"\x11"), 8)
        self.refused("regions", self.put(44, b"\x01"), 8)
        self.refused("feature", self.put(47, b"\x80"), 8)
        self.refused("file ID", self.flip(50), 4)
        self.refused("commitment", self.flip(230), 4)
        self.refused("description", self.flip(300), 4)
        self.refused("metadata", self.flip(12290), 4)

    def test_lengths(self):
        for at, name in ((80, "plaintext length"), (88, "metadata length"), (104, "file length")):
            for value in (1 << 40, (1 << 64) - 1, (1 << 63) + 5):
                data = self.put(at, value.to_bytes(8, "little"))
                Path("bad.orr.tif").write_bytes(data)
                status = run("verify", "-k", "keys", "bad.orr.tif")[0]
                self.assertIn(status, (4, 8), name)
                self.refused(name, data, status)

    def test_data(self):
        self.refused("data: first tile", self.flip(len(self.good) - 6_900_000), 4)
        self.refused("data: last byte", self.flip(end_of_tiles("good.orr.tif") - 1), 4)
        self.refused("data: padding", self.flip(len(self.good) - 1), 4)
        self.refused("data: head of a segment", self.flip(16384 + 2040), 4)
        self.refused("cut", self.good[:-1], 4)
        self.refused("cut in half", self.good[:len(self.good) // 2], 4)
        self.refused("head only", self.good[:16384], 4)
        self.refused("empty", b"", 10)
        self.refused("grown", self.good + b"\0" * 4096, 4)
        self.refused("another kind of file", b"II*\0" + os.urandom(9000), 10)

    def test_keys(self):
        self.keyring("others")
        self.refused("wrong keyring", self.good, 5, "others")
        Path("pass").write_text("right")
        Path("wrong").write_text("wrong")
        png(self.dir / "d.png", 9)
        status, _, err = run("keyring", "new", "-o", "locked", "--passphrase-file", "pass", "--decoy", "d.png")
        self.assertEqual(status, 0, err)
        self.assertEqual(run("encrypt", "-k", "locked", "--passphrase-file", "pass", "scan.tif", "-o", "sealed.tif")[0], 0)
        for options in (["--passphrase-file", "wrong"], []):
            for verb in (["verify"], ["decrypt", "-o", "out"], ["reencrypt", "-o", "out"], ["rewrap"]):
                self.assertEqual(run(*verb, "-k", "locked", *options, "sealed.tif")[0], 5, verb)
        self.assertFalse(Path("out").exists() and list(Path("out").iterdir()))
        for name, data in (("empty", b""), ("junk", os.urandom(500))):
            Path(name).write_bytes(data)
            self.assertIn(run("verify", "-k", name, "sealed.tif")[0], (5, 10), name)
        self.assertEqual(run("verify", "-k", "missing", "sealed.tif")[0], 5)

    def test_one_slot_is_spared(self):
        for at in (4096 + 60, 8192 + 60):
            Path("bad.orr.tif").write_bytes(self.flip(at))
            status, out, err = run("verify", "-k", "keys", "bad.orr.tif")
            self.assertEqual(status, 0, err)
            self.assertIn("is damaged; the file opens with another one; `orrery rewrap` repairs it", err)
            status, out, err = run("decrypt", "-k", "keys", "bad.orr.tif", "-o", f"out{at}")
            self.assertEqual(status, 0, err)
            self.assertIn("wrap slot", out + err)
            self.assertEqual(Path(f"out{at}/scan.tif").read_bytes(), self.plain)

    def test_salvage(self):
        Path("bad.orr.tif").write_bytes(self.flip(end_of_tiles("good.orr.tif") - 1))
        status, out, err = run("decrypt", "-k", "keys", "bad.orr.tif", "-o", "out", "--salvage")
        self.assertEqual(status, 4, err)
        self.assertFalse(Path("out/scan.tif").exists())
        saved = Path("out/scan.tif.salvaged").read_bytes()
        last = len(self.plain) // 49152 * 49152
        self.assertEqual(saved[:last], self.plain[:last])
        self.assertEqual(saved[last:], bytes(len(self.plain) - last))
        self.assertIn("scan.tif.salvaged", out + err)


if __name__ == "__main__":
    unittest.main()
