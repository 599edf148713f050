#!/usr/bin/env python3
"""The second reader on the golden files, on damaged ones, and on what the program writes; and other
people's TIFF readers on an encrypted file."""
import contextlib
import hashlib
import io
import os
import pathlib
import random
import subprocess
import sys
import tempfile
import unittest

TESTS = pathlib.Path(__file__).resolve().parents[2]
FILES = TESTS / "vectors" / "files"
KEYS = FILES / "TEST-master-keys.txt"
ORRERY = os.environ.get("ORRERY", "")

sys.dont_write_bytecode = True
try:
    import make_container_vectors
    import orrery_reader
    import paper_golden
except ImportError as missing:
    print(f"skipped: the second reader needs the Python package {missing.name}")
    sys.exit(77)


def read(*arguments):
    """Exit status and output of the reader."""
    text = io.StringIO()
    with contextlib.redirect_stdout(text), contextlib.redirect_stderr(text):
        status = orrery_reader.main([str(argument) for argument in arguments])
    return status, text.getvalue()


def recipe(length):
    return bytes((n % 251 + n // 251) % 256 for n in range(length))


def golden_volumes():
    """Both pages of two-pages.tif as volumes: 3 channels of 8 bits, 2 of 16 (high byte first)."""
    pixels = [pixels for _, pixels in paper_golden.pages(make_container_vectors.named)]
    first = b"".join(pixels[0][channel::3] for channel in range(3))
    second = b"".join(pixels[1][at + 1 : at + 2] + pixels[1][at : at + 1]
                      for channel in range(2) for at in range(2 * channel, len(pixels[1]), 4))
    return first + second


class Temporary(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.path = pathlib.Path(self.folder.name)


class Golden(Temporary):
    def test_plaintext(self):
        for name, length in (("empty", 0), ("one-byte", 1), ("rule-1", 384), ("short", 1000)):
            status, text = read("--keys", KEYS, FILES / f"{name}.orr.tif", "-o", self.path / name)
            self.assertEqual(status, 0, text)
            self.assertEqual((self.path / name).read_bytes(), recipe(length))

    def test_paper_volumes(self):
        status, text = read("--keys", KEYS, FILES / "two-pages.paper.orr.tif", "-o", self.path / "volumes")
        self.assertEqual(status, 0, text)
        self.assertEqual((self.path / "volumes").read_bytes(), golden_volumes())

    def test_paper_damage(self):
        good = (FILES / "two-pages.paper.orr.tif").read_bytes()
        target = self.path / "damaged"
        first = 16384  # the pixels of page 1: 105 bytes; those of page 2 begin at 20480
        for at in (40, 300, 12300, 13000, first, first + 104, first + 105, first + 4095, len(good) - 1):
            target.write_bytes(good[:at] + bytes([good[at] ^ 1]) + good[at + 1 :])
            self.assertEqual(read("--keys", KEYS, target)[0], 8 if at == 40 else 4, at)

    def test_damage(self):
        good = (FILES / "short.orr.tif").read_bytes()
        target = self.path / "damaged"

        def status(data):
            target.write_bytes(data)
            return read("--keys", KEYS, target)[0]

        def flipped(at):
            return good[:at] + bytes([good[at] ^ 1]) + good[at + 1 :]

        for at, expected in ((0, 4), (16, 10), (32, 8), (37, 8), (50, 4), (60, 4), (200, 8), (230, 4), (300, 4),
                             (4000, 4), (4200, 0), (8200, 0), (12288, 4), (12460, 4), (16000, 4), (16384, 4),
                             (16400, 4), (len(good) - 1, 4)):
            self.assertEqual(status(flipped(at)), expected, at)
        self.assertEqual(status(flipped(4200)[:8200] + flipped(8200)[8200:]), 4)
        self.assertEqual(status(good[:-1]), 4)
        self.assertEqual(status(good + b"\0"), 4)
        self.assertEqual(status(b""), 10)
        self.assertEqual(status(good[:28]), 4)
        other = self.path / "other-keys"
        other.write_text("ff" * 32)
        self.assertEqual(read("--keys", other, FILES / "short.orr.tif")[0], 5)


class OtherTiffReaders(unittest.TestCase):
    def test_pillow(self):
        try:
            from PIL import Image
        except ImportError:
            self.skipTest("no Pillow here")
        with Image.open(FILES / "short.orr.tif") as image:
            image.load()
            self.assertEqual((image.size, image.mode), ((128, 3), "RGB"))
            self.assertIn("Orrery encrypted file", image.tag_v2[270])

    def test_tifffile(self):
        try:
            import tifffile
        except ImportError:
            self.skipTest("no tifffile here")
        data = tifffile.imread(FILES / "short.orr.tif")
        self.assertEqual(data.shape, (3, 128, 3))
        self.assertEqual(data.tobytes(), (FILES / "short.orr.tif").read_bytes()[16384 + 48 :])


@unittest.skipUnless(os.access(ORRERY, os.X_OK), "no program: set ORRERY")
class Program(Temporary):
    """What the program encrypts, this reader decrypts."""

    def orrery(self, *arguments):
        done = subprocess.run([ORRERY, *map(str, arguments)], check=False, capture_output=True, text=True,
                              stdin=subprocess.DEVNULL, errors="backslashreplace")
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def keyring(self, *arguments):
        decoy = self.path / "decoy.tif"
        if not decoy.exists():
            decoy.write_bytes((FILES / "short.orr.tif").read_bytes())  # any RGB TIFF has channel sums
        self.orrery("keyring", "new", "-o", self.path / "keyring", "--decoy", decoy, *arguments)

    def check(self, sources, encrypt_options, reader_options):
        encrypted = self.path / "encrypted"
        self.orrery("encrypt", "-k", self.path / "keyring", *encrypt_options, *sources, "-o", encrypted)
        for source in sources:
            out = self.path / "plain"
            status, text = read("--keyring", self.path / "keyring", *reader_options,
                                encrypted / (source.name + ".orr.tif"), "-o", out)
            self.assertEqual(status, 0, f"{source.name}: {text}")
            self.assertEqual(hashlib.sha256(out.read_bytes()).digest(),
                             hashlib.sha256(source.read_bytes()).digest(), source.name)
            out.unlink()

    def test_sizes(self):
        seed = int(os.environ.get("ORRERY_SEED", "0"), 0) or random.randrange(2**32)
        print(f"ORRERY_SEED={seed}")
        generator = random.Random(seed)
        sources = []
        for size in (0, 1, 383, 384, 385, 49151, 49152, 49153, 100000, 6291456, 6291457 + 49152):
            sources.append(self.path / f"size {size}")
            sources[-1].write_bytes(generator.randbytes(size))
        self.keyring("--no-passphrase")
        self.check(sources, ["--sha256"], [])

    def test_paper_profile(self):
        self.keyring("--no-passphrase")
        self.orrery("encrypt", "-k", self.path / "keyring", "--profile", "paper", FILES / "two-pages.tif", "-o",
                    self.path / "paper.orr.tif")
        status, text = read("--keyring", self.path / "keyring", self.path / "paper.orr.tif", "-o", self.path / "volumes")
        self.assertEqual(status, 0, text)
        self.assertEqual((self.path / "volumes").read_bytes(), golden_volumes())

    def test_passphrase(self):
        passphrase = self.path / "passphrase"
        passphrase.write_text("test passphrase, not a secret\n")
        source = self.path / "scan"
        source.write_bytes(recipe(60000))
        self.keyring("--passphrase-file", passphrase)
        self.check([source], ["--passphrase-file", passphrase], ["--passphrase-file", passphrase])
        self.assertEqual(read("--keyring", self.path / "keyring", "--passphrase-file", KEYS,
                              self.path / "encrypted" / "scan.orr.tif")[0], 5)

    def test_recovery_code(self):
        passphrase, code, source = self.path / "passphrase", self.path / "code", self.path / "scan"
        passphrase.write_text("test passphrase, not a secret\n")
        source.write_bytes(recipe(60000))
        self.keyring("--passphrase-file", passphrase, "--save-recovery-code", code)
        self.check([source], ["--recovery-code-file", code], ["--recovery-code-file", code])
        text = code.read_text().lower().replace("-", " ")
        for written, status in ((text, 0), (("1" if text[0] == "0" else "0") + text[1:], 5), (text[:-2], 5)):
            code.write_text(written)
            self.assertEqual(read("--keyring", self.path / "keyring", "--recovery-code-file", code,
                                  self.path / "encrypted" / "scan.orr.tif")[0], status, written)


if __name__ == "__main__":
    unittest.main()
