#!/usr/bin/env python3
"""The measures of bench/evidence/ computed with NumPy and SciPy alone.

Writes the golden vectors: evidence_oracle.py FILE ("-": standard output).
"""
import sys

import numpy as np
from scipy import stats

MASK = (1 << 64) - 1


def splitmix(seed, count):
    """`count` bytes: the top byte of each output of splitmix64."""
    out, state = bytearray(), seed
    for _ in range(count):
        state = (state + 0x9E3779B97F4A7C15) & MASK
        z = state
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
        out.append((z ^ (z >> 31)) >> 56)
    return np.frombuffer(bytes(out), np.uint8)


def picture(seed, channels, rows, columns, bits):
    """A slope with noise, as bytes of a volume: sample = (3i + 5j + 40k + noise) of 8 or 16 bits."""
    i = np.arange(rows).reshape(1, -1, 1)
    j = np.arange(columns).reshape(1, 1, -1)
    k = np.arange(channels).reshape(-1, 1, 1)
    noise = splitmix(seed, channels * rows * columns).reshape(channels, rows, columns).astype(int)
    if bits == 8:
        return ((3 * i + 5 * j + 40 * k + noise // 8) % 256).astype(">u1")
    return ((3 * i + 5 * j + 40 * k) * 61 + noise * 7).astype(">u2")


def number(x):
    return repr(float(x))


def entropy_of(data):
    counts = np.bincount(data, minlength=256)
    return stats.entropy(counts, base=2), stats.chisquare(counts)[0]


def correlation(x, channel, direction):
    part = x if channel < 0 else x[channel:channel + 1]
    down, right = direction != 0, direction != 1
    a = part[:, :part.shape[1] - down, :part.shape[2] - right].astype(float).ravel()
    b = part[:, down:, right:].astype(float).ravel()
    return np.corrcoef(a, b)[0, 1]


def measures(lines):
    for seed, channels, rows, columns, bits in [(1, 1, 64, 48, 8), (2, 3, 33, 47, 8), (3, 1, 40, 52, 16),
                                                (4, 3, 21, 64, 16)]:
        a = picture(seed, channels, rows, columns, bits)
        b = picture(seed + 100, channels, rows, columns, bits)
        shape = f"{seed} {channels} {rows} {columns} {bits}"
        data = np.frombuffer(a.tobytes(), np.uint8)
        entropy, chi = entropy_of(data)
        lines.append(f"histogram {shape} {number(entropy)} {number(chi)}")
        for channel in (-1, channels - 1):
            for direction in range(3):
                lines.append(f"correlation {shape} {channel} {direction} "
                             f"{number(correlation(a, channel, direction))}")
        x, y = a.astype(np.int64), b.astype(np.int64)
        full = 2**bits - 1
        mse = ((x - y) ** 2).mean()
        psnr = 10 * np.log10(full**2 / mse)
        npcr, uaci = (x != y).mean(), (abs(x - y) / full).mean()
        lines.append(f"pair {shape} {number(mse)} {number(psnr)} {number(npcr)} {number(uaci)}")


def critical(lines):
    for p in (0.05, 0.025, 0.01, 0.005, 0.001, 0.0005, 0.3):
        lines.append(f"normal {number(p)} {number(stats.norm.isf(p))}")
    for x, degrees in ((0.5, 1), (255, 255), (293.2478, 255), (330.5, 255), (180.0, 255), (12.0, 9)):
        lines.append(f"chi2 {number(x)} {degrees} {number(stats.chi2.sf(x, degrees))}")
    for p in (0.05, 0.01, 0.001):
        lines.append(f"chi2isf {number(p)} 255 {number(stats.chi2.isf(p, 255))}")
    for n, p, k in ((200, 0.95, 190), (200, 0.95, 181), (200, 0.95, 199), (200, 0.949, 200),
                    (50, 0.99, 46)):
        lines.append(f"binomtest {n} {p} {k} {number(stats.binomtest(k, n, p).pvalue)}")
    for n, p, k in ((262144, 1 / 65536, 7), (262144, 1 / 256, 1080), (65536, 1 / 256, 282), (100, 0.5, 50)):
        lines.append(f"binomcdf {n} {number(p)} {k} {number(stats.binom.cdf(k, n, p))}")
    # Wu, Noonan and Agaian from their definitions: the moments of |X - Y| / F over all pairs of
    # values, and the normal approximation of the mean of `samples` of them.
    for bits in (8, 16):
        full = 2**bits - 1
        distance = np.arange(2**bits, dtype=object)
        pairs = np.array([2 * (full + 1 - int(d)) if d else full + 1 for d in distance], dtype=object)
        total = (full + 1) ** 2
        mean = int((pairs * distance).sum()) / total / full
        square = int((pairs * distance**2).sum()) / total / full**2
        different = full / (full + 1)
        for samples in (64 * 64, 256 * 256, 512 * 512, 1024 * 1024, 3 * 512 * 512):
            for alpha in (0.05, 0.01, 0.001):
                npcr = stats.norm.ppf(alpha, different, np.sqrt(different * (1 - different) / samples))
                low, high = stats.norm.interval(1 - alpha, mean, np.sqrt((square - mean**2) / samples))
                lines.append(f"critical {samples} {bits} {alpha} {number(npcr)} {number(low)} {number(high)}")


def main():
    lines = ["# Made by tests/oracles/evidence_oracle.py",
             "# histogram SEED C M N BITS entropy chi2; correlation SEED C M N BITS channel direction r",
             "# pair SEED C M N BITS mse psnr npcr uaci (of the pictures SEED and SEED + 100)",
             "# normal p x; chi2 x df sf; chi2isf p df x; binomtest n p k P; binomcdf n p k P",
             "# critical samples bits alpha npcr uaci-low uaci-high"]
    measures(lines)
    critical(lines)
    text = "\n".join(lines) + "\n"
    if sys.argv[1] == "-":
        sys.stdout.write(text)
    else:
        open(sys.argv[1], "w", encoding="ascii").write(text)


if __name__ == "__main__":
    main()
