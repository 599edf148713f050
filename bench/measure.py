"""What the benchmark programs share: running a command under measurement, and describing the machine.

Times are in seconds, sizes in bytes, peak memory in bytes. Python standard library only.
"""

import datetime
import json
import os
import pathlib
import platform
import shutil
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent


class Cost:
    """What one or several commands took: wall, cpu (user + system), rss (highest of all).

    Linux carries the peak of the process that forked over to the program it runs, so an rss below that of the
    Python interpreter (some 20 MiB) reads as the interpreter's.
    """

    def __init__(self, wall=0.0, cpu=0.0, rss=0):
        self.wall, self.cpu, self.rss = wall, cpu, rss

    def __add__(self, other):
        return Cost(self.wall + other.wall, self.cpu + other.cpu, max(self.rss, other.rss))


def run(command, cwd, env=None, accept=(0,)):
    """Runs a command (a list) in cwd with the variables of env added, and returns its Cost.

    Its output goes to cwd/last.log. Raises RuntimeError, with the end of that log, when the exit status is
    not in accept.
    """
    log = pathlib.Path(cwd) / "last.log"
    with open(log, "wb") as out:
        began = time.perf_counter()
        child = subprocess.Popen([str(word) for word in command], cwd=cwd, env={**os.environ, **(env or {})},
                                 stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT)
        _, status, usage = os.wait4(child.pid, 0)
        wall = time.perf_counter() - began
        child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode not in accept:
        tail = log.read_bytes()[-2000:].decode("utf-8", "replace")
        raise RuntimeError(f"{shown(command)}: exit status {child.returncode}\n{tail}")
    return Cost(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024)


def shown(command):
    """A command as text, absolute paths by their last part: results name no directory of the machine."""
    words = [str(word) for word in command]
    return " ".join(pathlib.Path(word).name if word.startswith("/") else word for word in words)


def warm(directory):
    """Reads every file below a directory, so that all competitors find it in the page cache; its size."""
    total = 0
    for path in sorted(pathlib.Path(directory).rglob("*")):
        if path.is_file():
            with open(path, "rb", buffering=0) as file:
                while piece := file.read(1 << 22):
                    total += len(piece)
    return total


def settle():
    """Waits until dirty pages are on disk, so that one competitor does not pay for another's writes."""
    os.sync()


def remove(path):
    shutil.rmtree(path, ignore_errors=True)


def median(values):
    ordered = sorted(values)
    middle = len(ordered) // 2
    return ordered[middle] if len(ordered) % 2 else (ordered[middle - 1] + ordered[middle]) / 2


def spread(values, digits=4):
    """Median, lowest, highest and number of measurements, for JSON."""
    return {"median": round(median(values), digits), "min": round(min(values), digits),
            "max": round(max(values), digits), "runs": len(values)}


def first_line(command):
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
        return (done.stdout or done.stderr).strip().splitlines()[0]
    except (OSError, IndexError, subprocess.TimeoutExpired):
        return None


def processor():
    for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith(("model name", "Model")):
            return line.split(":", 1)[1].strip()
    return platform.machine()


def filesystem(path):
    return first_line(["stat", "-f", "-c", "%T", str(path)])


def conditions(work):
    """Commit, machine and versions: what every record says beside its figures. To be asked for at the start,
    before the tree changes under a long run."""
    def git(*words):
        return first_line(["git", "-C", str(ROOT), *words])

    memory = next((line.split()[1] for line in open("/proc/meminfo") if line.startswith("MemTotal")), "0")
    return {
        "date": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d %H:%M UTC"),
        "commit": git("rev-parse", "--short=12", "HEAD"),
        "uncommitted_changes": bool(git("status", "--porcelain", "--untracked-files=no")),
        "cpu": processor(),
        "cores": len(os.sched_getaffinity(0)),
        "memory_bytes": int(memory) * 1024,
        "load_average": [round(load, 1) for load in os.getloadavg()],
        "kernel": platform.release(),
        "filesystem": filesystem(work),
        "openssl": first_line(["openssl", "version"]),
        "compiler": first_line(["cc", "--version"]),
    }


def orrery_program(given):
    """The program under test: the given path or build/orrery. Ends the benchmark when it is not there."""
    path = pathlib.Path(given).resolve() if given else ROOT / "build" / "orrery"
    for needed in (path, path.parent / "phantom"):
        if not os.access(needed, os.X_OK):
            sys.exit(f"{needed} is not there: run scripts/build first")
    return path


def phantom(orrery, cwd, *options):
    """Draws sample files with the phantom generator beside the program."""
    run([orrery.parent / "phantom", *options], cwd)


def keyring(orrery, cwd):
    """Makes keyring bench.keyring in cwd from phantom decoys, without a passphrase; its -k options."""
    phantom(orrery, cwd, "--out", "decoys", "--kind", "decoys")
    decoys = sorted(str(path.relative_to(cwd)) for path in (pathlib.Path(cwd) / "decoys").iterdir())
    run([orrery, "keyring", "new", "-o", "bench.keyring", "--no-passphrase", "--decoy", *decoys], cwd)
    return ["-k", "bench.keyring"]


def save(path, record):
    with open(path, "w", encoding="utf-8") as file:
        json.dump(record, file, indent=1)
        file.write("\n")


def size_argument(text):
    """Bytes from a number with an optional K, M, G or T (powers of 1024)."""
    unit = {"K": 10, "M": 20, "G": 30, "T": 40}.get(text[-1:].upper())
    return int(float(text[:-1]) * (1 << unit)) if unit else int(text)
