"""What the paper profile restores opens in tifffile and Pillow, or the file is refused with status 8: made-up files, and real
ones where ../shared/data (or $ORRERY_DATA) is."""
import logging
import os
import struct
import sys
import unittest
import warnings
from pathlib import Path

from support.cli import SOURCE, Case, run

try:
    import tifffile
    from PIL import Image
except ImportError as missing:
    print(f"skipped: {missing}; scripts/requirements.txt lists what is needed")
    sys.exit(77)

Image.MAX_IMAGE_PIXELS = None
logging.getLogger("tifffile").setLevel(logging.CRITICAL)
DATA = Path(os.environ.get("ORRERY_DATA", SOURCE.parent / "shared" / "data"))
# Sound files that Pillow 13 has no mode for.
NOT_PILLOW = {"commons__BigTIFFMotorola.tif", "imagetiff__geo-5b.tif", "rasterio__RGBA.uint16.tif", "twelvemonkeys__house.tif"}
# What tifffile needs another package for.
NEEDS = ("requires the 'imagecodecs' package", "No module named 'compression'")


def rgb(path, changes=(), count=1, strip=None):
    """16 x 8 RGB in `count` strips. `changes`: tag -> (type, values), or None to leave it out."""
    width, height, rows = 16, 8, 8 // count
    strip = [width * rows * 3] * count if strip is None else strip
    tags = {256: (4, [width]), 257: (4, [height]), 258: (3, [8, 8, 8]), 259: (3, [1]), 262: (3, [2]), 273: (4, [0] * count),
            277: (3, [3]), 278: (4, [rows]), 279: (4, strip), 284: (3, [1])}
    tags.update(changes)
    tags = {tag: value for tag, value in sorted(tags.items()) if value}
    behind = 8 + 2 + 12 * len(tags) + 4
    room = sum(len(v) * (2 if k == 3 else 4) for k, v in tags.values())
    tags[273] = (4, [behind + room + n * width * rows * 3 for n in range(len(tags[273][1]))])
    entries, values = b"", b""
    for tag, (kind, numbers) in tags.items():
        raw = struct.pack(f"<{len(numbers)}{'H' if kind == 3 else 'I'}", *numbers)
        entries += struct.pack("<HHI", tag, kind, len(numbers))
        entries += raw.ljust(4, b"\0") if len(raw) <= 4 else struct.pack("<I", behind + len(values))
        values += raw if len(raw) > 4 else b""
    Path(path).write_bytes(struct.pack("<2sHIH", b"II", 42, 8, len(tags)) + entries + bytes(4) +
                           values.ljust(room, b"\0") + os.urandom(width * height * 3))


class Restored(Case):
    def setUp(self):
        super().setUp()
        self.keyring()

    def opens(self, path, pillow=True):
        with tifffile.TiffFile(path) as tiff:
            for page in tiff.pages:
                try:
                    page.asarray()
                except (ValueError, ModuleNotFoundError) as error:
                    if not any(need in str(error) for need in NEEDS):
                        raise
        if pillow:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                with Image.open(path) as image:
                    for page in range(getattr(image, "n_frames", 1)):
                        image.seek(page)
                        image.load()

    def restore(self, source, out):
        """The exit status of encrypting, and what it says; what was encrypted is restored and opened."""
        status, _, err = run("encrypt", "-q", "-k", "keys", "--profile", "paper", "--mem", "512M", source, "-o", f"{out}.orr.tif")
        if status == 0:
            done, _, said = run("decrypt", "-q", "-k", "keys", f"{out}.orr.tif", "-o", out)
            self.assertEqual(done, 0, said)
        return status, err

    def test_tags_beside_other_pixels(self):
        for name, changes in (("subsampling", {530: (3, [2, 2])}), ("all of YCbCr", {530: (3, [2, 1]), 531: (3, [1])}),
                              ("predictor without a scheme", {317: (3, [2])})):
            with self.subTest(name):
                rgb("a.tif", changes)
                status, err = self.restore("a.tif", f"{name}.tif")
                self.assertEqual(status, 0, err)
                self.opens(f"{name}.tif")
                with tifffile.TiffFile(f"{name}.tif") as after:
                    self.assertFalse(set(changes) & set(after.pages[0].tags.keys()))
                    self.assertEqual(after.pages[0].asarray().tobytes(), Path("a.tif").read_bytes()[-384:])

    def test_refused(self):
        for name, changes, more, said in (
                ("empty strip", {}, {"count": 2, "strip": [0, 192]}, "strip 1 is empty"),
                ("short strip", {}, {"count": 2, "strip": [100, 192]}, "strip 1 holds 100 bytes in place of 192"),
                ("no such list", {273: (4, [0])}, {"count": 2}, "strip 2 is nowhere in the file"),
                ("tiles beside strips", {322: (4, [16]), 323: (4, [16])}, {}, "a.tif: "),
                ("width twice", {256: (4, [16, 16])}, {}, "a.tif: "),
                ("compression twice", {259: (3, [1, 1])}, {}, "a.tif: "),
                ("more extra samples than samples", {338: (3, [0, 0])}, {}, "contradicts itself in its tags (ExtraSamples)")):
            with self.subTest(name):
                rgb("a.tif", changes, **more)
                status, err = self.restore("a.tif", f"{name}.tif")
                self.assertEqual(status, 8, err)
                self.assertIn(said, err)
                self.assertNotIn("4294967295", err)

    def test_real_files(self):
        folders = [DATA / name for name in ("scans", "tiff-valid", "tiff-broken")]
        if not all(folder.is_dir() for folder in folders):
            self.skipTest(f"no {DATA}")
        files = sorted(path for folder in folders for path in folder.iterdir() if path.suffix in (".tif", ".tiff", ".svs", ".dng"))
        taken = set()
        for path in files:
            with self.subTest(path.name):
                status, err = self.restore(str(path), path.name)
                self.assertIn(status, (0, 8), err)
                self.assertNotIn("4294967295", err)
                if status == 0:
                    taken.add(path.name)
                    self.opens(path.name, path.name not in NOT_PILLOW)
                    Path(path.name).unlink()
                    Path(f"{path.name}.orr.tif").unlink()
        self.assertGreater(len(taken), 40)
        for name in ("derived__value-count-huge-bigtiff.tif", "pillow__tiff_overflow_rows_per_strip.tif"):
            self.assertNotIn(name, taken)
        self.assertIn("libvips__CMU-1-Small-Region.svs", taken)


if __name__ == "__main__":
    unittest.main()
