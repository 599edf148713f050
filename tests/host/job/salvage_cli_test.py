"""decrypt --salvage from outside: what it says, and what it writes and does not write."""
import json
import os
import shutil
import unittest
from pathlib import Path

from support.cli import Case, end_of_tiles, run

TILE = 49152
FAULT = os.environ.get("FAULT")
injected = unittest.skipUnless(FAULT and Path(FAULT).exists() and "libasan" not in Path("/proc/self/maps").read_text(),
                               "no FAULT library, or AddressSanitizer: run by ctest of a usual build")


class Salvage(Case):
    def setUp(self):
        super().setUp()
        self.keyring()
        self.plain = os.urandom(3 * TILE + 500)
        Path("scan.bin").write_bytes(self.plain)
        status, _, err = run("encrypt", "-q", "-k", "keys", "scan.bin", "-o", "scan.orr.tif")
        self.assertEqual(status, 0, err)

    def damage(self, at=None):
        """By default the last tile's last byte."""
        sealed = bytearray(Path("scan.orr.tif").read_bytes())
        sealed[end_of_tiles("scan.orr.tif") - 1 if at is None else at] ^= 1
        Path("scan.orr.tif").write_bytes(sealed)

    def salvage(self, *options):
        return run("decrypt", "-k", "keys", "scan.orr.tif", "-o", "out", "--salvage", *options)

    def on_bad_sectors(self, first, last=None, *options, verb="decrypt"):
        """Runs while bytes [first, last) of the source cannot be read."""
        fault = {"LD_PRELOAD": FAULT, "ORRERY_FAULT": "pread:0:EIO:scan.orr.tif", "ORRERY_FAULT_BYTES": f"{first}-{last or first + 1}"}
        where = ["-o", "out", "--salvage"] if verb == "decrypt" else []
        return run(verb, "-k", "keys", "scan.orr.tif", *where, *options, env={**os.environ, **fault})

    @injected
    def test_bad_sectors(self):
        end = end_of_tiles("scan.orr.tif")
        tail = self.plain[3 * TILE:]
        padded = (len(tail) + 383) // 384 * 384  # the last tile's rows
        first = end - padded - 3 * TILE          # where tile 0 starts
        cases = {"tile 1": ((first + TILE + 4096, first + TILE + 8192), {1}),
                 "tiles 1 and 2": ((first + 2 * TILE - 512, first + 2 * TILE + 512), {1, 2}),
                 "the last tile": ((end - 1, end), {3}),
                 "slot A": ((4096, 8192), set()), "slot B": ((8192, 12288), set()), "metadata": ((12288, 12289), set())}
        for what, ((start, stop), lost) in cases.items():
            with self.subTest(what):
                shutil.rmtree("out", ignore_errors=True)
                status, _, err = self.on_bad_sectors(start, stop)
                self.assertEqual(status, 7, err)
                name = "scan" if what == "metadata" else "scan.bin"
                self.assertEqual(sorted(os.listdir("out")), [f"{name}.salvaged", f"{name}.salvaged.json"], err)
                expected = b"".join(bytes(len(tile)) if n in lost else tile for n, tile in
                                    enumerate(self.plain[at:at + TILE] for at in range(0, len(self.plain), TILE)))
                self.assertTrue(Path(f"out/{name}.salvaged").read_bytes() == expected)
                report = json.loads(Path(f"out/{name}.salvaged.json").read_text())
                self.assertIn("Input/output error", report["reason"])
                self.assertEqual(report["lost"], [[min(lost) * TILE, min((max(lost) + 1) * TILE, len(self.plain))]] if lost else [])
                self.assertIn("what verified of a damaged file is in NAME.salvaged", err)

    @injected
    def test_nothing_to_salvage_of_a_lost_header_or_a_full_disk(self):
        status, _, err = self.on_bad_sectors(0, 512)
        self.assertEqual(status, 7, err)
        self.assertIn("nothing to salvage: scan.orr.tif: reading at byte 0 failed: Input/output error", err)
        self.assertEqual(os.listdir("out"), [])
        fault = {"LD_PRELOAD": FAULT, "ORRERY_FAULT": "pwrite:0:EIO:out"}
        status, _, err = run("decrypt", "-k", "keys", "scan.orr.tif", "-o", "out", "--salvage", env={**os.environ, **fault})
        self.assertEqual(status, 7, err)
        self.assertNotIn("alvage", err)
        self.assertEqual(os.listdir("out"), [])

    @injected
    def test_verify_points_to_salvage(self):
        status, _, err = self.on_bad_sectors(os.path.getsize("scan.orr.tif") - 1, verb="verify")
        self.assertEqual(status, 7, err)
        self.assertIn("try `orrery decrypt --salvage`", err)

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

    def test_a_copy_that_waits_for_the_other_one_is_no_damaged_file(self):
        for name in ("a", "b"):
            shutil.copy("scan.orr.tif", f"{name}.orr.tif")
        status, _, err = run("decrypt", "-k", "keys", "a.orr.tif", "b.orr.tif", "-o", "out", "--salvage")
        self.assertEqual(status, 0, err)
        self.assertNotIn("salvage", err)
        self.assertEqual(os.listdir("out"), ["scan.bin"])

    def test_a_salvage_that_failed_promises_nothing(self):
        self.damage()
        Path("out").mkdir()
        for taken in ("scan.bin.salvaged", "scan.bin.salvaged.json"):
            with self.subTest(taken):
                Path("out", taken).write_bytes(b"mine")
                status, _, err = self.salvage()
                self.assertEqual(status, 4, err)
                self.assertIn(f"salvage failed: out/{taken} exists already: move it away, or choose another output", err)
                self.assertNotIn("NAME.salvaged", err)
                self.assertIn("restore a damaged file from a copy", err)
                self.assertEqual(os.listdir("out"), [taken])
                self.assertEqual(Path("out", taken).read_bytes(), b"mine")
                os.remove(f"out/{taken}")

    @injected
    def test_data_never_stands_without_its_report(self):
        # Its gaps read as zero: without the report it would pass for whole.
        self.damage()
        for rename in (1, 2, 3):
            with self.subTest(rename):
                fault = {"LD_PRELOAD": FAULT, "ORRERY_FAULT": f"rename:{rename}:EIO"}
                status, _, err = run("decrypt", "-k", "keys", "scan.orr.tif", "-o", "out", "--salvage", env={**os.environ, **fault})
                self.assertEqual(status, 4, err)
                self.assertIn("salvage failed: out/scan.bin.salvaged", err)
                self.assertEqual(os.listdir("out"), [])

    @injected
    def test_a_directory_that_cannot_be_flushed_costs_no_report(self):
        # Then the data has its name already: each call that flushes, in turn.
        self.damage()
        for flush in range(1, 7):
            with self.subTest(flush):
                shutil.rmtree("out", ignore_errors=True)
                fault = {"LD_PRELOAD": FAULT, "ORRERY_FAULT": f"fsync:{flush}:EIO:out"}
                status, _, err = run("decrypt", "-k", "keys", "scan.orr.tif", "-o", "out", "--salvage", env={**os.environ, **fault})
                self.assertEqual(status, 4, err)
                self.assertIn("salvage failed: out/scan.bin.salvaged", err)
                left = os.listdir("out")
                if "scan.bin.salvaged" in left:
                    self.assertIn("scan.bin.salvaged.json", left)


if __name__ == "__main__":
    unittest.main()
