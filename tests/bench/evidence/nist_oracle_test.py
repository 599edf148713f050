#!/usr/bin/env python3
"""Every P-value of the SP 800-22 battery on random bits against a plain NumPy and SciPy version of
the document's formulas."""
import json
import math
import os
import subprocess
import sys
import tempfile
from pathlib import Path

source = Path(os.environ.get("SOURCE", Path(__file__).resolve().parents[3]))
packages = source / ".venv/bin/python"
if packages.exists() and Path(sys.prefix) != source / ".venv":
    os.execv(packages, [str(packages), *sys.argv])
try:
    import numpy as np
    from scipy.special import erfc, gammaincc, ndtr
except ImportError as error:
    print(f"skipped: {error}; scripts/deps --tests installs it")
    sys.exit(77)

BITS, SEQUENCES = 1_000_000, 2


def chi_square(counts, chances):
    expected = np.asarray(chances) * sum(counts)
    value = ((np.asarray(counts) - expected) ** 2 / expected).sum()
    return gammaincc((len(counts) - 1) / 2, value / 2)


def windows(bits, length, circular):
    """Value of each run of `length` bits, by its first bit."""
    if circular:
        bits = np.concatenate([bits, bits[: length - 1]])
    count = len(bits) - length + 1
    value = np.zeros(count, dtype=np.int64)
    for i in range(length):
        value = 2 * value + bits[i : i + count]
    return value


def frequency(b):
    return [erfc(abs(2 * b.sum() - len(b)) / math.sqrt(2 * len(b)))]


def block_frequency(b, m=128):
    share = b[: len(b) // m * m].reshape(-1, m).mean(axis=1)
    return [gammaincc(len(share) / 2, 2 * m * ((share - 0.5) ** 2).sum())]


def runs(b):
    n, pi = len(b), b.mean()
    seen = 1 + (b[1:] != b[:-1]).sum()
    return [erfc(abs(seen - 2 * n * pi * (1 - pi)) / (2 * math.sqrt(2 * n) * pi * (1 - pi)))]


def longest_chances(m, first, classes):
    """P(longest run <= k) from the number of compositions, in exact fractions of 2^m."""
    up_to = []
    for k in range(first, first + classes - 1):
        ways = [1]  # strings of n bits without a run of more than k ones
        for n in range(1, m + 1):
            ways.append(2 * ways[-1] - (ways[n - k - 2] if n >= k + 2 else 1 if n == k + 1 else 0))
        up_to.append(ways[m] / 2**m)
    return np.diff([0, *up_to, 1])


def longest_run(b, m=10_000, first=10, classes=7):
    counts = [0] * classes
    for block in b[: len(b) // m * m].reshape(-1, m):
        longest = max(map(len, "".join(map(str, block)).split("0")))
        counts[min(max(longest - first, 0), classes - 1)] += 1
    return [chi_square(counts, longest_chances(m, first, classes))]


def rank_of(rows):
    rank = 0
    while rows:
        pivot = rows.pop()
        if pivot:
            rank += 1
            low = pivot & -pivot
            rows = [r ^ pivot if r & low else r for r in rows]
    return rank


def rank(b, m=32):
    rows = np.packbits(b[: len(b) // m // m * m * m]).view(">u4").reshape(-1, m)
    missing = [m - rank_of([int(r) for r in matrix]) for matrix in rows]
    full = math.prod(1 - 2.0**-i for i in range(1, m + 1))
    less = full * 2 * (1 - 2.0**-m) ** 2 / (1 - 2.0 ** -m) / (1 - 2.0**-1) / 2
    counts = [missing.count(0), missing.count(1), sum(x > 1 for x in missing)]
    return [chi_square(counts, [full, less, 1 - full - less])]


def spectral(b):
    n = len(b)
    below = (np.abs(np.fft.rfft(2.0 * b - 1))[: n // 2] < math.sqrt(n * math.log(20))).sum()
    return [erfc(abs(below - 0.95 * n / 2) / math.sqrt(n * 0.95 * 0.05 / 3.8) / math.sqrt(2))]


def non_overlapping(b, m=9, blocks=8):
    size = len(b) // blocks
    mean, variance = (size - m + 1) / 2**m, size * (2.0**-m - (2 * m - 1) * 4.0**-m)
    texts = ["".join(map(str, b[i * size : (i + 1) * size])) for i in range(blocks)]
    result = []
    for t in range(2**m):
        word = f"{t:0{m}b}"
        if any(word[k:] == word[:-k] for k in range(1, m)):
            continue
        value = sum((text.count(word) - mean) ** 2 / variance for text in texts)  # without overlap
        result.append(gammaincc(blocks / 2, value / 2))
    return result


def overlapping(b, m=9, size=1032):
    hits = windows(b, m, False) == 2**m - 1
    counts = [0] * 6
    for i in range(len(b) // size):
        counts[min(int(hits[i * size : (i + 1) * size - m + 1].sum()), 5)] += 1
    return [chi_square(counts, [0.364091, 0.185659, 0.139381, 0.100571, 0.0704323, 0.139865])]


def universal(b, length=7, warm_up=1280):
    value = b[: len(b) // length * length].reshape(-1, length) @ (2 ** np.arange(length)[::-1])
    last, total = {}, 0.0
    for i, v in enumerate(value.tolist(), 1):
        if i > warm_up:
            total += math.log2(i - last.get(v, 0))
        last[v] = i
    k = len(value) - warm_up
    c = 0.7 - 0.8 / length + (4 + 32 / length) * k ** (-3 / length) / 15
    return [erfc(abs(total / k - 6.1962507) / (math.sqrt(2 * 3.125 / k) * c))]


def complexity_of(bits):
    """Berlekamp and Massey with polynomials as integers."""
    c = b = 1
    length, last, seen = 0, -1, 0  # seen: bit i is bit n - i of the sequence
    for n, bit in enumerate(bits):
        seen = seen << 1 | bit
        if bin(c & seen).count("1") & 1:
            c, old = c ^ b << (n - last), c
            if 2 * length <= n:
                length, last, b = n + 1 - length, n, old
    return length


def linear_complexity(b, m=500):
    counts = [0] * 7
    mean = m / 2 + (9 + (-1) ** (m + 1)) / 36 - (m / 3 + 2 / 9) / 2.0**m
    for block in b[: len(b) // m * m].reshape(-1, m).tolist():
        t = (-1) ** m * (complexity_of(block) - mean) + 2 / 9
        counts[sum(t > limit for limit in (-2.5, -1.5, -0.5, 0.5, 1.5, 2.5))] += 1
    return [chi_square(counts, [1 / 96, 1 / 32, 1 / 8, 1 / 2, 1 / 4, 1 / 16, 1 / 48])]


def serial(b, m=16):
    psi = []
    for length in (m, m - 1, m - 2):
        counts = np.bincount(windows(b, length, True), minlength=2**length).astype(float)
        psi.append(2**length / len(b) * (counts**2).sum() - len(b))
    return [
        gammaincc(2 ** (m - 2), (psi[0] - psi[1]) / 2),
        gammaincc(2 ** (m - 3), (psi[0] - 2 * psi[1] + psi[2]) / 2),
    ]


def approximate_entropy(b, m=10):
    def phi(length):
        share = np.bincount(windows(b, length, True)) / len(b)
        share = share[share > 0]
        return (share * np.log(share)).sum()

    value = 2 * len(b) * (math.log(2) - (phi(m) - phi(m + 1)))
    return [gammaincc(2 ** (m - 1), value / 2)]


def cumulative_sums(b):
    result = []
    for x in (2 * b - 1, (2 * b - 1)[::-1]):
        n, z = len(b), int(np.abs(np.cumsum(x)).max())
        p, root = 1.0, math.sqrt(n)
        for k in range(int((-n / z + 1) / 4), int((n / z - 1) / 4) + 1):
            p -= ndtr((4 * k + 1) * z / root) - ndtr((4 * k - 1) * z / root)
        for k in range(int((-n / z - 3) / 4), int((n / z - 1) / 4) + 1):
            p += ndtr((4 * k + 3) * z / root) - ndtr((4 * k + 1) * z / root)
        result.append(p)
    return result


def excursions(b):
    """P-values of both tests; None for both when there are too few cycles."""
    s = np.concatenate([np.cumsum(2 * b - 1), [0]])
    if s[-2] == 0:
        s = s[:-1]
    ends = np.flatnonzero(s == 0)
    cycles = len(ends)
    if cycles < max(0.005 * math.sqrt(len(b)), 500):
        return [None] * 8, [None] * 18
    first = []
    for x in (-4, -3, -2, -1, 1, 2, 3, 4):
        visits = np.bincount(np.searchsorted(ends, np.flatnonzero(s == x)), minlength=cycles)
        counts = np.bincount(np.minimum(visits, 5), minlength=6)
        miss = 1 - 1 / (2 * abs(x))
        chances = [miss] + [(1 - miss) ** 2 * miss ** (k - 1) for k in range(1, 5)]
        first.append(chi_square(counts, [*chances, (1 - miss) * miss**4]))
    variant = [
        erfc(abs((s == x).sum() - cycles) / math.sqrt(2 * cycles * (4 * abs(x) - 2)))
        for x in [*range(-9, 0), *range(1, 10)]
    ]
    return first, variant


ORACLES = {
    "frequency": frequency,
    "block-frequency": block_frequency,
    "runs": runs,
    "longest-run": longest_run,
    "rank": rank,
    "spectral": spectral,
    "non-overlapping-template": non_overlapping,
    "overlapping-template": overlapping,
    "universal": universal,
    "linear-complexity": linear_complexity,
    "serial": serial,
    "approximate-entropy": approximate_entropy,
    "cumulative-sums": cumulative_sums,
    "random-excursions": lambda b: excursions(b)[0],
    "random-excursions-variant": lambda b: excursions(b)[1],
}


def main():
    seed = int(os.environ.get("ORRERY_SEED", "0"), 0) or int.from_bytes(os.urandom(4), "big")
    print(f"ORRERY_SEED={seed}")
    data = np.random.default_rng(seed).bytes(BITS * SEQUENCES // 8)
    program = Path(os.environ.get("BUILD", source / "build")) / "nist"
    if not program.exists():
        print("skipped: built without the evidence suite (MPFR)")
        sys.exit(77)
    with tempfile.TemporaryDirectory() as directory:
        bits, report = Path(directory, "bits"), Path(directory, "report.json")
        bits.write_bytes(data)
        command = [program, "-j", "2", "--p-values", "--json", report, bits]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        result = json.loads(report.read_text())
    assert [t["test"] for t in result["tests"]] == list(ORACLES)
    compared = 0
    for number in range(SEQUENCES):
        b = np.unpackbits(np.frombuffer(data, np.uint8))[number * BITS : (number + 1) * BITS]
        b = b.astype(np.int64)
        for test in result["tests"]:
            want = ORACLES[test["test"]](b)
            got = [part["p_values"][number] for part in test["parts"]]
            assert len(want) == len(got), test["test"]
            # The report has six digits; the chances of overlapping templates above have six too.
            close = 1e-4 if test["test"] == "overlapping-template" else 2e-6
            for part, w, g in zip(test["parts"], want, got):
                what = f"{test['test']} {part['label']}: {g}, not {w}"
                assert (w is None) == (g is None), what
                assert w is None or abs(w - g) <= close, what
                compared += 1
    print(f"{compared} P-values agree")


main()
