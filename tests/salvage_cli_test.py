"""decrypt --salvage from outside: what it says, and what it writes and does not write."""
import os
import unittest
from pathlib import Path

from support.cli import Case, run

TILE = 49152


class Salvage(Case):
    def setUp(self):
        super().setUp()
        self.keyring()
        self.plain = os.urandom(3 * TILE + 500)
        Path("scan.bin").write_bytes(self.plain)
        status, _, err = run("encrypt", "-q", "-k", "keys", "scan.bin", "-o", "scan.orr.tif")
        self.assertEqual(status, 0, err)

    def damage(self, at=-1):
        sealed = bytearray(Path("scan.orr.tif").read_bytes())
        sealed[at] ^= 1
        Path("scan.orr.tif").write_bytes(sealed)

    def salvage(self, *options):
        return run("decrypt", "-k", "keys", "scan.orr.tif", "-o", "out", "--salvage", *options)

    def test_what_it_says(self):
        self.damage()
        status, _, err = self.salvage()
        self.assertEqual(status, 4, err)
        self.assertIn(f"{3 * TILE} of {len(self.plain)} bytes were salvaged into out/scan.bin.salvaged", err)
        self.assertIn("what verified of a damaged file is in NAME.salvaged", err)

    def test_json(self):
        self.damage()
        file = next(m for m in self.messages(self.salvage("--json")[1], 4) if m["message_type"] == "file")
        self.assertEqual((file["outcome"], file["salvaged"], file["salvaged_bytes"]), ("failed", "scan.bin.salvaged", 3 * TILE))
        file = next(m for m in self.messages(self.salvage("--json")[1], 4) if m["message_type"] == "file")
        self.assertNotIn("salvaged", file)  # the name is taken

    def test_a_dry_run_writes_nothing(self):
        # A damaged head is found by a dry run already.
        self.damage(4)
        for make in (False, True):
            if make:
                Path("out").mkdir()
            status, _, err = self.salvage("--dry-run")
            self.assertEqual(status, 4, err)
            self.assertEqual(os.listdir("out") if make else os.path.exists("out"), [] if make else False)
            self.assertNotIn("NAME.salvaged", err)
            self.assertNotIn("salvage failed", err)
            self.assertIn("without --dry-run", err)

    def test_a_salvage_that_failed_promises_nothing(self):
        self.damage()
        Path("out").mkdir()
        Path("out/scan.bin.salvaged").write_bytes(b"mine")
        status, _, err = self.salvage()
        self.assertEqual(status, 4, err)
        self.assertIn("salvage failed: out/scan.bin.salvaged: ", err)
        self.assertNotIn("NAME.salvaged", err)
        self.assertIn("restore a damaged file from a copy", err)
        self.assertEqual(os.listdir("out"), ["scan.bin.salvaged"])
        self.assertEqual(Path("out/scan.bin.salvaged").read_bytes(), b"mine")


if __name__ == "__main__":
    unittest.main()
