"""One system call that goes wrong (preload/fault.c, whose path ctest gives as FAULT)."""
import os
import random
import unittest
from pathlib import Path

from support.cli import run

FAULT = os.environ.get("FAULT")
SEED = int(os.environ.get("ORRERY_SEED", "0")) or random.SystemRandom().randrange(1, 1 << 32)


def require():
    """For setUpModule."""
    if not FAULT or not Path(FAULT).exists():
        raise unittest.SkipTest("no FAULT library: run by ctest")
    print(f"seed {SEED}", flush=True)
    if "libasan" in Path("/proc/self/maps").read_text():
        raise unittest.SkipTest("not under AddressSanitizer")


def broken(fault, *arguments, log=None):
    """Runs a command while one call goes wrong."""
    environment = {**os.environ, "LD_PRELOAD": FAULT, "ORRERY_FAULT": fault}
    if log:
        environment["ORRERY_FAULT_LOG"] = log
    return run(*arguments, env=environment)
