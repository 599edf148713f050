"""decrypt --unauthenticated: altered pixels of the paper profile come out under another name, with a warning, and the file
stays refused; nothing else is released."""
import os
import stat
import struct
import unittest
from pathlib import Path

from support.cli import Case, run, write_gray_tiff

WIDTH, HEIGHT = 160, 120


def pixels(path):
    """Of an uncompressed classic TIFF in one strip."""
    data = Path(path).read_bytes()
    at = struct.unpack_from("<I", data, 4)[0]
    tags = {}
    for n in range(struct.unpack_from("<H", data, at)[0]):
        tag, kind, _, value = struct.unpack_from("<HHII", data, at + 2 + 12 * n)
        tags[tag] = value & 0xffff if kind == 3 else value
    assert (tags[256], tags[257], tags[259]) == (WIDTH, HEIGHT, 1), tags
    return data[tags[273]:tags[273] + WIDTH * HEIGHT]


class Unauthenticated(Case):
    def setUp(self):
        super().setUp()
        self.keyring()
        write_gray_tiff("scan.tif", WIDTH, HEIGHT)
        status, _, err = run("encrypt", "-k", "keys", "--profile", "paper", "scan.tif", "-o", "good.orr.tif")
        self.assertEqual(status, 0, err)
        self.assertIn("pixels are not sealed", err)
        self.assertIn("a checksum alone tells", err)
        self.good = Path("good.orr.tif").read_bytes()
        self.begin = len(self.good) - WIDTH * HEIGHT  # of the pixels, which end the file

    def altered(self, *changes):
        data = bytearray(self.good)
        for at, value in changes:
            data[at:at + len(value)] = value
        Path("bad.orr.tif").write_bytes(data)

    def decrypt(self, *options):
        return run("decrypt", "-k", "keys", "bad.orr.tif", "-o", "out", *options)

    def left(self):
        return sorted(p.name for p in Path("out").rglob("*") if p.is_file()) if Path("out").exists() else []

    def test_another_copy_of_a_restored_file_is_skipped(self):
        for name in ("a", "b"):
            Path(f"{name}.orr.tif").write_bytes(self.good)
        status, _, err = run("decrypt", "-k", "keys", "a.orr.tif", "b.orr.tif", "-o", "out", "--unauthenticated")
        self.assertEqual(status, 0, err)
        self.assertIn("another copy of this very file was restored", err)
        self.assertEqual(self.left(), ["scan.tif"])

    def test_noise_and_cropping(self):
        for what, change, least in (("noise", [(self.begin + n * 997, b"\x55") for n in range(19)], 0.97),
                                    ("cropping", [(self.begin, bytes(WIDTH * HEIGHT // 4))], 0.3)):
            with self.subTest(what):
                self.altered(*change)
                status, _, err = self.decrypt()
                self.assertEqual(status, 4, err)
                self.assertIn("the pixels do not have the sealed digest", err)
                self.assertIn("`orrery decrypt --unauthenticated`", err)
                self.assertNotIn("--salvage", err)
                self.assertEqual(self.left(), [])
                status, _, err = self.decrypt("-q", "--unauthenticated")
                self.assertEqual(status, 4, err)
                self.assertEqual(self.left(), ["scan.tif.unauthenticated.tif"])
                made = Path("out/scan.tif.unauthenticated.tif")
                self.assertEqual(stat.S_IMODE(made.stat().st_mode), 0o600)
                old, new = pixels("scan.tif"), pixels(made)
                share = sum(a == b for a, b in zip(old, new)) / len(old)
                self.assertTrue(least < share < 1, share)
                made.unlink()

    def test_what_it_says(self):
        self.altered((self.begin, b"other"))
        status, out, err = self.decrypt("--unauthenticated", "--json")
        self.assertEqual(status, 4, err)
        messages = self.messages(out, 4)
        file = next(m for m in messages if m["message_type"] == "file")
        self.assertEqual((file["outcome"], file["unauthenticated"]), ("failed", "scan.tif.unauthenticated.tif"))
        self.assertTrue(any("nothing vouches for them" in m["text"] for m in messages if m["message_type"] == "warning"))
        before = Path("out/scan.tif.unauthenticated.tif").read_bytes()
        status, _, err = self.decrypt("--unauthenticated")  # the name is taken
        self.assertEqual(status, 4, err)
        self.assertIn("its pixels were not written: out/scan.tif.unauthenticated.tif exists: move it away", err)
        self.assertEqual(Path("out/scan.tif.unauthenticated.tif").read_bytes(), before)
        self.assertEqual(self.left(), ["scan.tif.unauthenticated.tif"])
        status, _, err = run("verify", "-k", "keys", "bad.orr.tif")
        self.assertEqual(status, 4, err)
        self.assertIn("`orrery decrypt --unauthenticated`", err)
        self.assertNotIn("--salvage", err)
        err = self.decrypt("--salvage")[2]
        self.assertIn("no tiles to salvage; --unauthenticated writes altered pixels", err)

    def test_what_is_at_the_name(self):
        """Whatever has the name of the restored image does not keep altered pixels from theirs, and stays."""
        for what, there in (("restored", Path("scan.tif").read_bytes()), ("another", b"another file")):
            with self.subTest(what):
                Path("out").mkdir(exist_ok=True)
                Path("out/scan.tif").write_bytes(there)
                self.altered((self.begin, b"other"))
                status, _, err = self.decrypt("--unauthenticated")
                self.assertEqual(status, 4, err)
                self.assertIn("its pixels are in out/scan.tif.unauthenticated.tif", err)
                self.assertEqual(self.left(), ["scan.tif", "scan.tif.unauthenticated.tif"])
                self.assertEqual(Path("out/scan.tif").read_bytes(), there)
                Path("out/scan.tif.unauthenticated.tif").unlink()
                self.altered()  # a sound one goes by what is at its name, as ever
                status, out, err = self.decrypt("--unauthenticated", "--json")
                self.assertEqual(status, 0 if what == "restored" else 6, err)
                file = next(m for m in self.messages(out, status) if m["message_type"] == "file")
                self.assertEqual(file["outcome"], "present" if what == "restored" else "failed")
                self.assertEqual(self.left(), ["scan.tif"])
                self.assertEqual(Path("out/scan.tif").read_bytes(), there)

    def test_names_too_long(self):
        name = "n" * 243 + ".tif"
        write_gray_tiff(name, WIDTH, HEIGHT)
        status, _, err = run("encrypt", "-k", "keys", "--profile", "paper", name, "-o", "long.orr.tif")
        self.assertEqual(status, 0, err)
        data = bytearray(Path("long.orr.tif").read_bytes())
        data[-1] ^= 1
        Path("bad.orr.tif").write_bytes(data)
        status, _, err = self.decrypt("--unauthenticated")
        self.assertEqual(status, 4, err)
        self.assertIn("this name is longer than its file system takes: give -o a file with a shorter name", err)
        self.assertNotIn("opaque", err)
        self.assertEqual(self.left(), [])
        status, _, err = run("decrypt", "-k", "keys", "bad.orr.tif", "-o", "short.tif", "--unauthenticated")
        self.assertEqual(status, 4, err)
        self.assertTrue(Path("short.tif.unauthenticated.tif").exists(), err)

    def test_the_directory(self):
        """What is around the pixels is not needed to find them."""
        at = self.good.index(struct.pack("<HHII", 257, 4, 1, HEIGHT))
        self.altered((at + 8, b"\x01"))
        self.assertEqual(self.decrypt()[0], 4)
        self.assertEqual(self.left(), [])
        status, _, err = self.decrypt("--unauthenticated")
        self.assertEqual(status, 4, err)
        self.assertIn("the TIFF directory was altered", err)
        self.assertEqual(pixels("out/scan.tif.unauthenticated.tif"), pixels("scan.tif"))

    def test_nothing_else_is_released(self):
        for what, at in (("metadata", 12300), ("header", 40), ("slots", 4100)):
            with self.subTest(what):
                self.altered((at, b"\xff\x00\xff"), *([(8200, b"\xff\x00\xff")] if what == "slots" else []))
                status, _, err = self.decrypt("--unauthenticated")
                self.assertIn(status, (4, 8), err)
                self.assertEqual(self.left(), [])
        Path("bad.orr.tif").write_bytes(self.good[:-1])
        self.assertEqual(self.decrypt("--unauthenticated")[0], 4)
        self.assertEqual(run("encrypt", "-k", "keys", "scan.tif", "-o", "archive.orr.tif")[0], 0)
        data = bytearray(Path("archive.orr.tif").read_bytes())
        data[-1] ^= 1
        Path("bad.orr.tif").write_bytes(data)
        status, _, err = self.decrypt("--unauthenticated")
        self.assertEqual(status, 4, err)
        self.assertEqual(self.left(), [])
        self.altered((self.begin, b"other"))
        self.assertEqual(run("reencrypt", "-k", "keys", "bad.orr.tif", "-o", "again")[0], 4)

    def test_not_to_a_pipe(self):
        self.altered((self.begin, b"other"))
        status, out, err = run("decrypt", "-k", "keys", "bad.orr.tif", "-o", "-", "--unauthenticated")
        self.assertEqual((status, out), (2, ""), err)
        self.assertIn("does not go with --unauthenticated", err)
        status, out, err = run("decrypt", "-k", "keys", "bad.orr.tif", "-o", "-")
        self.assertEqual((status, out), (4, ""), err)

    def test_a_sound_file(self):
        self.altered()
        status, _, err = self.decrypt("--unauthenticated")
        self.assertEqual(status, 0, err)
        self.assertEqual(self.left(), ["scan.tif"])
        self.assertEqual(os.stat("out/scan.tif").st_mtime_ns, os.stat("scan.tif").st_mtime_ns)


if __name__ == "__main__":
    unittest.main()
