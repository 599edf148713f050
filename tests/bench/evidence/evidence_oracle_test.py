#!/usr/bin/env python3
"""tests/vectors/evidence.txt is what NumPy and SciPy say today."""
import pathlib
import subprocess
import sys

TESTS = pathlib.Path(__file__).resolve().parents[2]
VENV = TESTS.parent / ".venv" / "bin" / "python"
python = str(VENV) if VENV.exists() else sys.executable
if subprocess.run([python, "-c", "import numpy, scipy"], capture_output=True).returncode:
    print("skipped: the oracle needs the Python packages numpy and scipy")
    sys.exit(77)
made = subprocess.run([python, str(TESTS / "oracles" / "evidence_oracle.py"), "-"], capture_output=True, text=True, check=True).stdout
kept = (TESTS / "vectors" / "evidence.txt").read_text(encoding="ascii")


def words(text):
    return [line.split() for line in text.splitlines() if not line.startswith("#")]


def same(a, b):
    if a == b:
        return True
    try:
        return abs(float(a) - float(b)) <= 1e-9 * max(1, abs(float(a)))  # versions differ in last digits
    except ValueError:
        return False


wrong = [(a, b) for a, b in zip(words(made), words(kept)) if len(a) != len(b) or not all(map(same, a, b))]
if wrong or len(words(made)) != len(words(kept)):
    print(f"{len(wrong)} lines differ, first: {wrong[:1]}")
    sys.exit(1)
print(f"{len(words(made))} lines agree")
