"""What the benchmark programs share: running a command under measurement, and describing the machine.

Times are in seconds, sizes in bytes, peak memory in bytes. Python standard library only.
"""

import ctypes
import datetime
import json
import mmap
import os
import pathlib
import platform
import re
import resource
import shlex
import shutil
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent


class Cost:
    """What one or several commands took: wall, user and sys (cpu: both), rss (highest of all).

    Linux carries the peak of the process that forked over to the program it runs, so an rss below that of the
    Python interpreter (some 20 MiB) reads as the interpreter's.
    """

    def __init__(self, wall=0.0, user=0.0, sys=0.0, rss=0):
        self.wall, self.user, self.sys, self.rss = wall, user, sys, rss

    @property
    def cpu(self):
        return self.user + self.sys

    def __add__(self, other):
        return Cost(self.wall + other.wall, self.user + other.user, self.sys + other.sys, max(self.rss, other.rss))

    def beside(self, before, after):
        """With what another process took meanwhile, by process() before and after: its memory is there at the same time."""
        return Cost(self.wall, self.user + after.user - before.user, self.sys + after.sys - before.sys, self.rss + after.rss)


def run(command, cwd, env=None, accept=(0,), output=None):
    """Runs a command (a list) in cwd with the variables of env added, and returns its Cost.

    What it says goes to cwd/last.log; standard output to the file `output`, if one is given. Raises
    RuntimeError, with the end of that log, when the exit status is not in accept.
    """
    log = pathlib.Path(cwd) / "last.log"
    with open(log, "wb") as said, open(output or os.devnull, "wb") as out:
        began = time.perf_counter()
        child = subprocess.Popen([str(word) for word in command], cwd=cwd, env={**os.environ, **(env or {})},
                                 stdin=subprocess.DEVNULL, stdout=out if output else said, stderr=said)
        _, status, usage = os.wait4(child.pid, 0)
        wall = time.perf_counter() - began
        child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode not in accept:
        tail = log.read_bytes()[-2000:].decode("utf-8", "replace")
        raise RuntimeError(f"{shown(command)}: exit status {child.returncode}\n{tail}")
    return Cost(wall, usage.ru_utime, usage.ru_stime, usage.ru_maxrss * 1024)


def process(pid):
    """What another process has taken so far, and its peak memory. Its threads are counted, its children not."""
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    peak = next(line.split()[1] for line in open(f"/proc/{pid}/status") if line.startswith("VmHWM"))
    tick = os.sysconf("SC_CLK_TCK")
    return Cost(0.0, int(fields[11]) / tick, int(fields[12]) / tick, int(peak) * 1024)


def shown(command):
    """A command as text, absolute paths by their last part, also in NAME=PATH: results name no directory of the machine."""
    return " ".join(shlex.quote(re.sub(r"(^|=|\s)/(\S*/)?(?=[^\s/])", r"\1", str(word))) for word in command)


# ---- files and the page cache ------------------------------------------------------------------

def files(tree):
    """The files below a directory, sorted."""
    return sorted(path for path in pathlib.Path(tree).rglob("*") if path.is_file())


def warm(directory):
    """Reads every file below a directory, so that all competitors find it in the page cache; its size."""
    total = 0
    for path in files(directory):
        with open(path, "rb", buffering=0) as file:
            while piece := file.read(1 << 22):
                total += len(piece)
    return total


def settle():
    """Waits until dirty pages are on disk, so that one competitor does not pay for another's writes."""
    os.sync()


def flush(tree):
    """Flushes every file below a directory to the disk, and what that took."""
    before, began = resource.getrusage(resource.RUSAGE_SELF), time.perf_counter()
    for path in files(tree):
        fd = os.open(path, os.O_RDONLY)
        os.fsync(fd)
        os.close(fd)
    after = resource.getrusage(resource.RUSAGE_SELF)
    return Cost(time.perf_counter() - began, after.ru_utime - before.ru_utime, after.ru_stime - before.ru_stime)


def cached(tree):
    """Bytes of the files below a directory that are in the page cache, as mincore(2) says."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.mmap.restype = ctypes.c_void_p
    libc.mmap.argtypes = (ctypes.c_void_p, ctypes.c_size_t, *[ctypes.c_int] * 3, ctypes.c_long)
    libc.mincore.argtypes, libc.munmap.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_void_p), (ctypes.c_void_p, ctypes.c_size_t)
    total = 0
    for path in files(tree):
        with open(path, "rb") as file:
            size = os.fstat(file.fileno()).st_size
            if size == 0:
                continue
            pages = (ctypes.c_ubyte * -(-size // mmap.PAGESIZE))()
            at = libc.mmap(None, size, mmap.PROT_READ, mmap.MAP_SHARED, file.fileno(), 0)
            if at == ctypes.c_void_p(-1).value or libc.mincore(at, size, pages) != 0:
                raise OSError(ctypes.get_errno(), f"{path}: the page cache cannot be looked at")
            libc.munmap(at, size)
            total += bytes(pages).count(1) * mmap.PAGESIZE
    return total


def evict(tree):
    """Takes the files below a directory out of the page cache, and looks whether they are: RuntimeError when some stay. They
    must be flushed already (settle)."""
    for attempt in range(20):
        for path in files(tree):
            fd = os.open(path, os.O_RDONLY)
            os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
            os.close(fd)
        if cached(tree) == 0:
            return
        time.sleep(0.05 * attempt)
        settle()
    raise RuntimeError(f"{tree}: {cached(tree)} bytes stay in the page cache: another program uses these files, or they lie in memory")


def empty(tree):
    """Gives back the space of the files below a directory. They stay: ext4 without a journal is slow to make files while
    others were unlinked a minute ago."""
    for path in files(tree):
        path.chmod(0o600)
        os.truncate(path, 0)


def remove(path):
    shutil.rmtree(path, ignore_errors=True)


# ---- figures -----------------------------------------------------------------------------------

def median(values):
    ordered = sorted(values)
    middle = len(ordered) // 2
    return ordered[middle] if len(ordered) % 2 else (ordered[middle - 1] + ordered[middle]) / 2


def spread(values, digits=4):
    """Median, lowest, highest and number of measurements, for JSON."""
    return {"median": round(median(values), digits), "min": round(min(values), digits),
            "max": round(max(values), digits), "runs": len(values)}


# ---- the machine -------------------------------------------------------------------------------

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


def mounted(path):
    """Device, type and options of the file system that a path lies on."""
    return first_line(["findmnt", "-n", "-o", "SOURCE,FSTYPE,OPTIONS", "-T", str(path)])


def write_cache(path):
    """"write back" when the disk under a path has a cache that a flush empties, else "write through"; None: unknown."""
    device = os.stat(path).st_dev
    for queue in ("queue", "../queue"): # of a disk, of a partition
        file = pathlib.Path(f"/sys/dev/block/{os.major(device)}:{os.minor(device)}", queue, "write_cache")
        if file.exists():
            return file.read_text().strip()
    return None


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


# ---- programs of the tree ----------------------------------------------------------------------

def orrery_program(given):
    """The program under test: the given path or build/orrery. Ends the benchmark when it is not there."""
    path = pathlib.Path(given).resolve() if given else ROOT / "build" / "orrery"
    if not os.access(path, os.X_OK):
        sys.exit(f"{path} is not there: run scripts/build first")
    return path


def version(orrery):
    """Version and commit of an orrery."""
    said = subprocess.run([orrery, "--version"], capture_output=True, text=True, check=False).stdout.splitlines()
    return ", ".join(said[:2])


def tool(name, orrery=None):
    """A tool of bench/tools: beside the program, or in build/. Ends the benchmark when it is not there."""
    for folder in ([orrery.parent] if orrery else []) + [pathlib.Path(os.environ.get("BUILD", ROOT / "build"))]:
        if os.access(folder / name, os.X_OK):
            return folder / name
    return sys.exit(f"build/{name} is not there: run cmake --build build --target {name}")


def phantom(orrery, cwd, *options):
    """Draws sample files with the phantom generator."""
    run([tool("phantom", orrery), *options], cwd)


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
