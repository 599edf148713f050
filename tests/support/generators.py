"""Small generators as safetensors files, what they draw written out, and the pixels of a PNG."""
import json
import math
import random
import struct
import zlib
from pathlib import Path

LATENT, SIZE = 3, 16
LAYERS = [(LATENT, 4, 1), (4, 2, 2), (2, 3, 2)]  # in, out, stride: a generator of 16 pixels and width 2


def safetensors(tensors):
    header, data = {}, b""
    for name, (dtype, shape, raw) in sorted(tensors.items(), key=lambda t: t[1][0] != "I64"):
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [len(data), len(data) + len(raw)]}
        data += raw
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


def floats(values):
    return struct.pack(f"<{len(values)}f", *values)


def single(x):
    return struct.unpack("<f", struct.pack("<f", x))[0]


def generator(seed=1, latent=LATENT, layers=None, constant=False):
    """Random weights: the file's tensors, and the same as lists."""
    draw = random.Random(seed)
    tensors, plain = {}, []
    layers = layers or LAYERS
    for i, (ins, outs, _) in enumerate(layers):
        w = [0.0 if constant else single(draw.gauss(0, 0.3)) for _ in range(ins * outs * 16)]
        tensors[f"main.{3 * i}.weight"] = ("F32", [ins, outs, 4, 4], floats(w))
        norm = None
        if i < len(layers) - 1:
            norm = [[single(draw.uniform(0.5, 1.5)) for _ in range(outs)] for _ in range(4)]
            for name, values in zip(("weight", "bias", "running_mean", "running_var"), norm):
                tensors[f"main.{3 * i + 1}.{name}"] = ("F32", [outs], floats(values))
            tensors[f"main.{3 * i + 1}.num_batches_tracked"] = ("I64", [], struct.pack("<q", 7))
        plain.append((w, norm))
    return tensors, plain


def evaluate(plain, z):
    """The generator in evaluation mode, written out: [channel][row][column] in [-1, 1]."""
    x, size = [[[v]] for v in z], 1
    for (ins, outs, stride), (w, norm) in zip(LAYERS, plain):
        padding, new = (0, 4) if stride == 1 else (1, 2 * size)
        y = [[[0.0] * new for _ in range(new)] for _ in range(outs)]
        for i in range(ins):
            for o in range(outs):
                for r in range(size):
                    for c in range(size):
                        for k in range(16):
                            row, column = r * stride - padding + k // 4, c * stride - padding + k % 4
                            if 0 <= row < new and 0 <= column < new:
                                y[o][row][column] += x[i][r][c] * w[(i * outs + o) * 16 + k]
        for o in range(outs):
            for r in range(new):
                for c in range(new):
                    v = y[o][r][c]
                    if norm:
                        gamma, beta, mean, variance = (n[o] for n in norm)
                        v = max((v - mean) / math.sqrt(variance + 1e-5) * gamma + beta, 0)
                    else:
                        v = math.tanh(v)
                    y[o][r][c] = v
        x, size = y, new
    return x


def png_pixels(path):
    """8-bit pixels of a PNG of gray or RGB: width, height, rows of bytes."""
    data = Path(path).read_bytes()
    width, height, depth, kind = struct.unpack(">IIBB", data[16:26])
    assert depth == 8
    at, raw = 8, b""
    while at < len(data):
        length, tag = struct.unpack(">I4s", data[at:at + 8])
        if tag == b"IDAT":
            raw += data[at + 8:at + 8 + length]
        at += 12 + length
    raw, step, rows, before = zlib.decompress(raw), {0: 1, 2: 3}[kind], [], None
    for y in range(height):
        line = bytearray(raw[y * (width * step + 1) + 1:(y + 1) * (width * step + 1)])
        method = raw[y * (width * step + 1)]
        for i in range(len(line)):
            a = line[i - step] if i >= step else 0
            b = before[i] if before else 0
            c = before[i - step] if before and i >= step else 0
            p = a + b - c
            paeth = a if abs(p - a) <= abs(p - b) and abs(p - a) <= abs(p - c) else b if abs(p - b) <= abs(p - c) else c
            line[i] = line[i] + [0, a, b, (a + b) // 2, paeth][method] & 255
        rows.append(bytes(line))
        before = line
    return width, height, rows


def npy(latents, kind="<f4"):
    text = f"{{'descr': '{kind}', 'fortran_order': False, 'shape': ({len(latents)}, {len(latents[0])}), }}\n".encode()
    code = "f" if kind == "<f4" else "d"
    return (b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text
            + b"".join(struct.pack(f"<{len(z)}{code}", *z) for z in latents))
