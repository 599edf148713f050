"""Weights between Orrery and PyTorch, both ways. Skipped (exit status 77) without PyTorch, which is no requirement of the tests.

PyTorch's state dictionary of the DCGAN example loads in `orrery generate` and gives the same images; the weights that
`orrery train` writes load in PyTorch (strictly) and give the same images.
"""
import json
import struct
import sys
import tempfile
import unittest
from pathlib import Path

try:
    import numpy as np
    import torch
    from torch import nn
except ImportError:
    print("SKIPPED: PyTorch is not installed (pip install torch, in an environment of its own)")
    sys.exit(77)

from support.cli import needs_onednn, png, run
from support.generators import png_pixels

TYPES = {torch.float32: "F32", torch.float16: "F16", torch.bfloat16: "BF16", torch.int64: "I64"}


def save(state, path):
    """What safetensors.torch.save_file writes."""
    header, data = {}, b""
    for name, v in sorted(state.items(), key=lambda t: (t[1].dtype != torch.int64, t[0])):
        raw = v.contiguous().view(torch.uint8 if v.dim() else v.dtype).numpy().tobytes()
        header[name] = {"dtype": TYPES[v.dtype], "shape": list(v.shape), "data_offsets": [len(data), len(data) + len(raw)]}
        data += raw
    text = json.dumps(header).encode()
    Path(path).write_bytes(struct.pack("<Q", len(text)) + text + data)


def load(path):
    raw = Path(path).read_bytes()
    length, = struct.unpack("<Q", raw[:8])
    header, out = json.loads(raw[8:8 + length]), {}
    for name, info in header.items():
        if name != "__metadata__":
            begin, end = (8 + length + n for n in info["data_offsets"])
            kind = {"F32": "<f4", "F16": "<f2", "I64": "<i8"}[info["dtype"]]
            out[name] = torch.from_numpy(np.frombuffer(raw[begin:end], kind).reshape(info["shape"]).copy())
    return out


class Generator(nn.Module):
    def __init__(self, size=64, channels=3, latent=100, width=64):
        super().__init__()
        steps, layers, wide = size.bit_length() - 3, [], latent
        for i in range(steps):
            out = width << (steps - 1 - i)
            layers += [nn.ConvTranspose2d(wide, out, 4, 2 if i else 1, 1 if i else 0, bias=False), nn.BatchNorm2d(out),
                       nn.ReLU(True)]
            wide = out
        self.main = nn.Sequential(*layers, nn.ConvTranspose2d(wide, channels, 4, 2, 1, bias=False), nn.Tanh())

    def forward(self, x):
        return self.main(x)


class Discriminator(nn.Module):
    def __init__(self, size=64, channels=3, width=64):
        super().__init__()
        layers, wide = [nn.Conv2d(channels, width, 4, 2, 1, bias=False), nn.LeakyReLU(0.2, True)], width
        while size > 8:
            layers += [nn.Conv2d(wide, 2 * wide, 4, 2, 1, bias=False), nn.BatchNorm2d(2 * wide), nn.LeakyReLU(0.2, True)]
            wide, size = 2 * wide, size // 2
        self.main = nn.Sequential(*layers, nn.Conv2d(wide, 1, 4, 1, 0, bias=False), nn.Sigmoid())


@needs_onednn
class BothWays(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="orrery-torch-")
        self.addCleanup(folder.cleanup)
        self.dir = Path(folder.name)
        torch.manual_seed(3)

    def same_images(self, net, weights, latent, name, allowed=0.51):
        """Our images of a weights file against PyTorch's, at the same latents."""
        z = np.random.default_rng(4).standard_normal((6, latent)).astype(np.float32)
        np.save(self.dir / "z.npy", z)
        out = self.dir / name
        status, lines, err = run("generate", "--weights", str(weights), "--latents", str(self.dir / "z.npy"), "-o", str(out),
                                 "--json")
        self.assertEqual(status, 0, err)
        net.eval()
        with torch.no_grad():
            values = (net(torch.from_numpy(z).view(6, latent, 1, 1)).permute(0, 2, 3, 1).numpy() + 1) * 127.5
        worst = 0
        for i in range(6):
            width, height, rows = png_pixels(out / f"{i:05}.png")
            ours = np.frombuffer(b"".join(rows), np.uint8).reshape(values[i].shape)
            worst = max(worst, np.abs(ours - values[i]).max())
            sums = json.loads(lines.splitlines()[i])["channel_sums"]
            self.assertEqual(sums, ours.sum((0, 1), dtype=np.int64).tolist())
            self.assertLess(np.abs(np.array(sums) - np.round(values[i]).sum((0, 1))).max(), 20)
        print(f"{name}: largest difference {worst:.4f} of a grey level (0.5 is rounding)")
        self.assertLess(worst, allowed)

    def test_a_pytorch_state_dictionary_loads_here(self):
        for size, channels, latent, width in ((64, 3, 100, 64), (32, 1, 20, 8), (128, 3, 100, 4)):
            net = Generator(size, channels, latent, width)
            for module in net.main:  # as after some training: statistics that matter
                if isinstance(module, nn.BatchNorm2d):
                    nn.init.normal_(module.weight, 1, 0.2)
                    nn.init.normal_(module.bias, 0, 0.2)
            net.train()
            with torch.no_grad():
                for _ in range(3):
                    net(torch.randn(8, latent, 1, 1))
            save(net.state_dict(), self.dir / "w.safetensors")
            self.same_images(net, self.dir / "w.safetensors", latent, f"pytorch-{size}")
            half = {k: v.half() if v.is_floating_point() else v for k, v in net.state_dict().items()}
            save(half, self.dir / "h.safetensors")
            net.load_state_dict(half)
            self.same_images(net, self.dir / "h.safetensors", latent, f"pytorch-{size}-half")

    def test_ours_load_in_pytorch(self):
        (self.dir / "images").mkdir()
        for i in range(24):
            png(self.dir / "images" / f"{i}.png", 10 * i)
        status, _, err = run("train", "--data", str(self.dir / "images"), "-o", str(self.dir / "run"), "--epochs", "2", "--batch",
                             "8", "--image", "32", "--width", "8", "--latent", "20", "--device", "cpu", "-q")
        self.assertEqual(status, 0, err)
        net, judge = Generator(32, 3, 20, 8), Discriminator(32, 3, 8)
        net.load_state_dict(load(self.dir / "run/generator.safetensors"), strict=True)
        judge.load_state_dict(load(self.dir / "run/discriminator.safetensors"), strict=True)
        self.assertEqual(int(net.main[1].num_batches_tracked), 6)
        self.assertEqual(int(judge.main[3].num_batches_tracked), 18)
        self.same_images(net, self.dir / "run/generator.safetensors", 20, "ours")


if __name__ == "__main__":
    unittest.main()
