"""A short run of scripts/crash-test: kill -9 and polite signals at random moments of every verb."""
import os
import subprocess
import sys
from pathlib import Path

from support.cli import memory_directory

SOURCE = Path(os.environ.get("SOURCE", Path(__file__).resolve().parents[3]))
COMMON = [sys.executable, str(SOURCE / "scripts" / "crash-test"), "--files", "60", "--mebibytes", "24"]
if MEMORY := memory_directory(1 << 30):  # of which it takes some 110 MB
    COMMON += ["--dir", MEMORY]

for options in (["--rounds", "20"], ["--rounds", "6", "--signal", "POLITE"],
                ["--rounds", "6", "--profile", "paper", "--files", "20", "--mebibytes", "4"]):
    print(" ".join(options), flush=True)
    status = subprocess.run(COMMON + options, check=False).returncode
    if status:
        sys.exit(status)
