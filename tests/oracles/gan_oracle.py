#!/usr/bin/env python3
"""Writes tests/vectors/gan_training.safetensors: 20 training steps of the PyTorch DCGAN example.

    tests/oracles/gan_oracle.py

Needs PyTorch and NumPy (pip install torch, in an environment of its own: it is no requirement of the tests, which
read the file). The loop is the example's (pytorch/examples, dcgan): both networks in training mode, BCELoss on sigmoids,
Adam(2e-4, 0.5, 0.999). Initial weights, latents and data come from the formulas of gan/philox.h and
tests/gan/gan_pytorch_test.cc, written again here. Prints how far float32 and float64 PyTorch are apart: what rounding alone does.
"""
import json
import struct
from pathlib import Path

import numpy as np
import torch
from torch import nn

SIZE, CHANNELS, LATENT, WIDTH, BATCH, STEPS, SEED, IMAGES = 16, 3, 16, 8, 8, 20, 7, 40
LATENTS, GENERATOR, DISCRIMINATOR, SAMPLE = 1, 3, 4, 5


def philox(seed, stream, step, blocks):
    c = [np.arange(blocks, dtype=np.uint64), np.full(blocks, stream, np.uint64),
         np.full(blocks, step & 0xffffffff, np.uint64), np.full(blocks, step >> 32, np.uint64)]
    k, mask = [seed & 0xffffffff, seed >> 32], np.uint64(0xffffffff)
    for _ in range(10):
        a, b = np.uint64(0xD2511F53) * c[0], np.uint64(0xCD9E8D57) * c[2]
        c = [b >> np.uint64(32) ^ c[1] ^ np.uint64(k[0]), b & mask, a >> np.uint64(32) ^ c[3] ^ np.uint64(k[1]), a & mask]
        k = [k[0] + 0x9E3779B9 & 0xffffffff, k[1] + 0xBB67AE85 & 0xffffffff]
    return np.stack(c, 1)


def deviates(stream, step, count, seed=SEED):
    w = philox(seed, stream, step, (count + 3) // 4).astype(np.float64)
    out = np.empty((len(w), 4))
    for i in (0, 2):
        r, t = np.sqrt(-2 * np.log((w[:, i] + 1) / 2**32)), 2 * np.pi * w[:, i + 1] / 2**32
        out[:, i], out[:, i + 1] = r * np.cos(t), r * np.sin(t)
    return out.ravel()[:count].astype(np.float32)


class Generator(nn.Module):
    def __init__(self):
        super().__init__()
        self.main = nn.Sequential(
            nn.ConvTranspose2d(LATENT, WIDTH * 2, 4, 1, 0, bias=False), nn.BatchNorm2d(WIDTH * 2), nn.ReLU(True),
            nn.ConvTranspose2d(WIDTH * 2, WIDTH, 4, 2, 1, bias=False), nn.BatchNorm2d(WIDTH), nn.ReLU(True),
            nn.ConvTranspose2d(WIDTH, CHANNELS, 4, 2, 1, bias=False), nn.Tanh())

    def forward(self, x):
        return self.main(x)


class Discriminator(nn.Module):
    def __init__(self):
        super().__init__()
        self.main = nn.Sequential(
            nn.Conv2d(CHANNELS, WIDTH, 4, 2, 1, bias=False), nn.LeakyReLU(0.2, True),
            nn.Conv2d(WIDTH, WIDTH * 2, 4, 2, 1, bias=False), nn.BatchNorm2d(WIDTH * 2), nn.LeakyReLU(0.2, True),
            nn.Conv2d(WIDTH * 2, 1, 4, 1, 0, bias=False), nn.Sigmoid())

    def forward(self, x):
        return self.main(x).view(-1)


def initialise(net, stream):
    parameters = list(net.named_parameters())
    z, at = deviates(stream, 0, sum(p.numel() for _, p in parameters)), 0
    for name, p in parameters:
        v = z[at:at + p.numel()].reshape(p.shape)
        at += p.numel()
        v = v * np.float32(0.02) if p.dim() == 4 else np.zeros_like(v) if name.endswith("bias") else 1 + np.float32(0.02) * v
        p.data = torch.from_numpy(v.astype(np.float32)).to(p.dtype)


def batch_of(step, dtype):
    count = SIZE * SIZE * CHANNELS
    data = (np.arange(IMAGES * count, dtype=np.uint64) * np.uint64(2654435761) >> np.uint64(24)).astype(np.uint8)
    index = (np.arange(BATCH) * 7 + step) % IMAGES
    images = data.reshape(IMAGES, SIZE, SIZE, CHANNELS)[index].transpose(0, 3, 1, 2)
    return torch.from_numpy((images / 127.5 - 1).astype(np.float32)).to(dtype)


def train(dtype):
    g, d, losses = Generator().to(dtype), Discriminator().to(dtype), []
    initialise(g, GENERATOR)
    initialise(d, DISCRIMINATOR)
    start = {f"{n}.{k}": v.detach().clone() for n, net in (("generator", g), ("discriminator", d))
             for k, v in net.state_dict().items()}
    criterion = nn.BCELoss()
    adam_d = torch.optim.Adam(d.parameters(), lr=2e-4, betas=(0.5, 0.999))
    adam_g = torch.optim.Adam(g.parameters(), lr=2e-4, betas=(0.5, 0.999))
    one, zero = torch.ones(BATCH, dtype=dtype), torch.zeros(BATCH, dtype=dtype)
    for step in range(STEPS):
        d.zero_grad()
        real = d(batch_of(step, dtype))
        loss_real = criterion(real, one)
        loss_real.backward()
        z = torch.from_numpy(deviates(LATENTS, step, BATCH * LATENT)).to(dtype).view(BATCH, LATENT, 1, 1)
        fake = g(z)
        judged = d(fake.detach())
        loss_fake = criterion(judged, zero)
        loss_fake.backward()
        adam_d.step()
        g.zero_grad()
        again = d(fake)
        loss_g = criterion(again, one)
        loss_g.backward()
        adam_g.step()
        losses.append([(loss_real + loss_fake).item(), loss_g.item(), real.mean().item(), judged.mean().item(),
                       again.mean().item()])
    g.eval()
    with torch.no_grad():
        z = torch.from_numpy(deviates(SAMPLE, 0, BATCH * LATENT)).to(dtype).view(BATCH, LATENT, 1, 1)
        images = g(z).permute(0, 2, 3, 1).contiguous()
    out = {f"{n}.{k}": v for n, net in (("generator", g), ("discriminator", d)) for k, v in net.state_dict().items()}
    out["losses"], out["images"] = torch.tensor(losses, dtype=torch.float64), images
    return start, out


def safetensors(tensors):
    header, data = {}, b""
    for name, v in sorted(tensors.items(), key=lambda t: (t[1].dtype != np.int64, t[0])):
        header[name] = {"dtype": {"float32": "F32", "int64": "I64"}[str(v.dtype)], "shape": list(v.shape),
                        "data_offsets": [len(data), len(data) + v.nbytes]}
        data += v.tobytes()
    header["__metadata__"] = {"made_by": "tests/oracles/gan_oracle.py", "torch": torch.__version__}
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text + data


def main():
    torch.manual_seed(0)
    torch.set_num_threads(1)
    start, single = train(torch.float32)
    _, double = train(torch.float64)
    for name in single:
        if single[name].dtype == torch.int64:
            continue
        apart = (single[name].double() - double[name].double()).norm()
        moved = (double[name].double() - start[name].double()).norm() if name in start else double[name].double().norm()
        print(f"{name:36} float32 and float64 apart by {apart / moved:.2e} of {'the way moved' if name in start else 'its size'}")
    tensors = {k: v.numpy() if v.dtype == torch.int64 else v.float().numpy() for k, v in single.items()}
    path = Path(__file__).resolve().parents[1] / "vectors" / "gan_training.safetensors"
    path.write_bytes(safetensors(tensors))
    print(path, path.stat().st_size, "bytes")


if __name__ == "__main__":
    main()
