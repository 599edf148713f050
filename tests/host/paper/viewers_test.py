"""Encrypted files open in libtiff, tifffile and Pillow as images of the right geometry, and show nothing of the original."""
import os
import shutil
import subprocess
import sys
import unittest
import warnings
from pathlib import Path

from support.cli import SOURCE, Case, end_of_tiles, run

BUILD = Path(os.environ.get("BUILD", SOURCE / "build"))
TILE = 49152
# What the phantoms' tags say (bench/tools/phantom_tool.c), and words of their file names. Eight bytes or more: in the 40 MB of
# cipher text that are searched, six given bytes stand by chance once in seven million runs.
TEXTS = [b"PATIENT^EXAMPLE", b"EX-0001942", b"1951-04-12", b"Accession = A-77310", b"DR^EXAMPLE", b"scanner-07",
         b"ward-3.example.org", b"Example Imaging", b"Phantom 7", b"CT chest", b"H&E section", b"Ultrasound clip",
         b"Whole slide", b"AppMag = ",
         b"2019:03:07", b"radiology", b"pathology", b"cardiology", b"chest ct", b"slice-0001", b"report.txt"]

try:
    import numpy
    import tifffile
    from PIL import Image
except ImportError as missing:
    print(f"skipped: {missing}; scripts/requirements.txt lists what is needed")
    sys.exit(77)

# Pillow's limit is there for decompression bombs; these pixels are ours and not compressed.
Image.MAX_IMAGE_PIXELS = None


def windows(data, size=16):
    """Aligned windows of a file, all of a small one, and some thousand of a large one. Plain runs are left out: zeros
    stand in our own headers."""
    step = size * (len(data) // 1_000_000 + 1)
    return {data[i:i + size] for i in range(0, len(data) - size + 1, step) if len(set(data[i:i + size])) > 4}


class Viewers(Case):
    def setUp(self):
        super().setUp()
        self.keyring()

    def phantoms(self):
        tool = BUILD / "phantom"
        if not tool.exists():
            self.skipTest("no phantom generator in the build")
        done = subprocess.run([tool, "--out", "in"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
        self.assertEqual(done.returncode, 0, done.stdout)

    def encrypt(self, *options):
        status, out, err = run("encrypt", "-k", "keys", "in", "-o", "vault", "-q", *options)
        self.assertEqual(status, 0, out + err)

    def open_everywhere(self, path, width, height, samples=3, bits=8):
        """The first page of a file, in all viewers."""
        if shutil.which("tiffinfo"):
            # -D reads all the data too.
            done = subprocess.run(["tiffinfo", "-D", path], stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
            self.assertEqual((done.returncode, done.stderr), (0, b""), path)
            self.assertIn(f"Image Width: {width} Image Length: {height}".encode(), done.stdout)
            done = subprocess.run(["tiffdump", path], stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
            self.assertEqual((done.returncode, done.stderr), (0, b""), path)
        with tifffile.TiffFile(path) as tiff:
            page = tiff.pages[0]
            self.assertEqual((page.imagewidth, page.imagelength), (width, height))
            pixels = page.asarray()
            self.assertEqual(pixels.shape[:2], (height, width))
            self.assertEqual(page.samplesperpixel, samples)
            self.assertEqual(pixels.dtype, numpy.dtype(f"uint{bits}"))
        if bits == 8:
            with warnings.catch_warnings():
                warnings.simplefilter("error")
                with Image.open(path) as image:
                    self.assertEqual(image.size, (width, height))
                    self.assertEqual(image.mode, {1: "L", 3: "RGB"}[samples])
                    self.assertTrue((numpy.asarray(image) == pixels).all())
        return pixels

    def check_silent(self, path, original):
        data = Path(path).read_bytes()
        for text in TEXTS:
            self.assertNotIn(text, data, path)
            self.assertNotIn(text.decode().encode("utf-16-le"), data, path)
        # No piece of the original at any place: its aligned windows against all windows here, by their first three
        # bytes first.
        wanted = windows(original)
        array = numpy.frombuffer(data, numpy.uint8).astype(numpy.uint32)
        begins = numpy.zeros(1 << 24, bool)
        begins[[int.from_bytes(w[:3], "little") for w in wanted]] = True
        for at in numpy.flatnonzero(begins[array[:-2] | array[1:-1] << 8 | array[2:] << 16]):
            self.assertNotIn(data[at:at + 16], wanted, f"{path}: bytes of the original at {at}")

    def test_archive(self):
        self.phantoms()
        self.encrypt("--names", "opaque")
        status, _, err = run("decrypt", "-k", "keys", "vault", "-o", "back", "-q")
        self.assertEqual(status, 0, err)
        count = 0
        originals = {p.stat().st_size: p for p in Path("in").rglob("*") if p.is_file()}
        for path in sorted(Path("vault").glob("*.orr.tif")):
            # Which one is it? By size, to the row; the longest candidates are compared all the same.
            length = int.from_bytes(path.read_bytes()[80:88], "little")
            original = originals[length].read_bytes()
            pixels = self.open_everywhere(path, 128, max(1, -(-length // 384)))
            if length > 100_000:
                # Noise: all values, about equally often.
                counts = numpy.bincount(pixels.ravel(), minlength=256)
                expected = pixels.size / 256
                chi = float((((counts - expected) ** 2) / expected).sum())
                self.assertLess(chi, 255 + 8 * (2 * 255) ** 0.5, path)
            self.check_silent(path, original)
            count += 1
        self.assertEqual(count, sum(1 for p in Path("in").rglob("*") if p.is_file()))

    def test_archive_sizes(self):
        Path("in").mkdir()
        sizes = [0, 1, 383, 384, 385, TILE - 1, TILE, TILE + 1, 2 * TILE + 5, 128 * TILE, 128 * TILE + 1, 300 * TILE + 77]
        for size in sizes:
            Path(f"in/{size}").write_bytes(os.urandom(size))
        self.encrypt()
        for size in sizes:
            path = f"vault/in/{size}.orr.tif"
            pixels = self.open_everywhere(path, 128, max(1, -(-size // 384)))
            # What viewers show is the sealed tiles, in order.
            end = end_of_tiles(path)
            self.assertEqual(pixels.tobytes()[-384:], Path(path).read_bytes()[end - 384 : end])

    def test_paper(self):
        self.phantoms()
        Path("in/radiology/chest ct/report.txt").unlink()
        status, out, err = run("encrypt", "-k", "keys", "in", "-o", "vault", "-q", "--profile", "paper")
        self.assertEqual(status, 0, out + err)
        count = 0
        for path in sorted(Path("vault").rglob("*.orr.tif")):
            original = Path("in", *path.parts[2:]).with_name(path.name[:-len(".orr.tif")])
            with tifffile.TiffFile(original) as before, tifffile.TiffFile(path) as after:
                self.assertEqual(len(before.pages), len(after.pages), path)
                for old, new in zip(before.pages, after.pages):
                    self.assertEqual((old.imagewidth, old.imagelength, old.samplesperpixel, old.bitspersample),
                                     (new.imagewidth, new.imagelength, new.samplesperpixel, new.bitspersample))
                first = before.pages[0]
                shape = (first.imagewidth, first.imagelength, first.samplesperpixel, first.bitspersample)
            self.open_everywhere(path, *shape)
            data = path.read_bytes()
            for text in TEXTS:
                self.assertNotIn(text, data, path)
            count += 1
        self.assertGreater(count, 3)


if __name__ == "__main__":
    unittest.main()
