"""Short runs of scripts/memory-test: the ceiling holds on one large file and on many small ones, with many threads too."""
import os
import subprocess
import sys
from pathlib import Path

from support.cli import memory_directory

SOURCE = Path(os.environ.get("SOURCE", Path(__file__).resolve().parents[3]))
command = [sys.executable, str(SOURCE / "scripts" / "memory-test"), "--bytes", "200M"]
if memory := memory_directory(1 << 30):  # of which it takes some 400 MB
    command += ["--dir", memory]
for options in (["--files", "2000"], ["--files", "300", "--jobs", "1024"]):
    status = subprocess.run([*command, *options], check=False).returncode
    if status:
        sys.exit(status)
