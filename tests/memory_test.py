"""A short run of scripts/memory-test: the ceiling holds on one large file and on many small ones."""
import os
import subprocess
import sys
from pathlib import Path

from support.cli import memory_directory

SOURCE = Path(os.environ.get("SOURCE", Path(__file__).resolve().parent.parent))
command = [sys.executable, str(SOURCE / "scripts" / "memory-test"), "--bytes", "200M", "--files", "2000"]
if memory := memory_directory(1 << 30):  # of which it takes some 400 MB
    command += ["--dir", memory]
sys.exit(subprocess.run(command, check=False).returncode)
