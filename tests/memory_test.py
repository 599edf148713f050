"""A short run of scripts/memory-test: the ceiling holds on one large file and on many small ones."""
import os
import subprocess
import sys
from pathlib import Path

SOURCE = Path(os.environ.get("SOURCE", Path(__file__).resolve().parent.parent))
command = [sys.executable, str(SOURCE / "scripts" / "memory-test"), "--bytes", "200M", "--files", "2000"]
if os.access("/dev/shm", os.W_OK):
    command += ["--dir", "/dev/shm"]
sys.exit(subprocess.run(command, check=False).returncode)
