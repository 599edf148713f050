"""Small data sets and runs of `orrery train`."""
import hashlib
import json
import os
import random
import struct
import zlib
from pathlib import Path

from support.cli import Case, needs_onednn, run

SEED = int(os.environ.get("ORRERY_SEED", random.randrange(1 << 32)))
IMAGES = 40
SMALL = ["--image", "32", "--width", "4", "--latent", "8", "--batch", "8", "--device", "cpu", "--threads", "1"]


def picture(path, draw, side=24):
    """A gradient of random colours with a spot: something with edges to learn."""
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    base = [draw.randrange(60, 200) for _ in range(3)]
    x0, y0 = draw.randrange(side), draw.randrange(side)
    rows = b"".join(b"\0" + bytes(v for x in range(side) for v in
                                  ((255, 0, 0) if abs(x - x0) + abs(y - y0) < 5 else [b + x for b in base]))
                    for y in range(side))
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)) +
                     chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))


@needs_onednn
class TrainCase(Case):
    def setUp(self):
        super().setUp()
        draw = random.Random(SEED)
        Path("data/sub").mkdir(parents=True)
        for i in range(IMAGES):
            picture(Path(f"data/{'sub/' if i % 3 else ''}{i:03}.png"), draw)
        Path("data/notes.txt").write_text("not an image")
        os.symlink("/etc/hostname", "data/link.png")

    def train(self, where, *options, epochs="4", **rest):
        return run("train", "--data", "data", "-o", where, *SMALL, "--epochs", epochs, *options, **rest)

    def done(self, where, *options, **rest):
        status, out, err = self.train(where, *options, **rest)
        self.assertEqual(status, 0, f"ORRERY_SEED={SEED}\n{err}")
        return out, err

    def states(self, where):
        return {p.parent.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in self.files(where)}

    def files(self, where):
        return list(Path(where, "checkpoints").glob("step-*/state"))

    def lines(self, where):
        return [json.loads(line) for line in Path(where, "statistics.jsonl").read_text().splitlines()]
