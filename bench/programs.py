"""The programs that bench/peers and bench/peers-disk set side by side.

Each has a name, what must be installed for it (needs), the verbs it has a figure for, what it flushes to
the disk, and step(), which runs one verb on an archive and says what that took. Archives are directories
below the working directory; `sealed` and `restored` are paths there that do not exist, or that an earlier
verb made.
"""

import contextlib
import os
import pathlib
import shlex
import shutil
import subprocess
import sys
import time

import measure
from measure import Cost

VERBS = ("encrypt", "verify", "decrypt")


class Program:
    needs, verbs, flushes, most_files = None, VERBS, "nothing", None

    def __init__(self, work, jobs):
        self.work, self.jobs = work, jobs
        self.prepare()

    @staticmethod
    def why_not(work):
        """Why it cannot be run in a directory, though it is installed; empty: it can."""
        return ""

    def prepare(self):
        """Makes keys and the like, and sets version."""

    def restored_tree(self, source, restored):
        return pathlib.Path(restored)

    def files(self, tree):
        """Paths of the files below a directory, as they are below it."""
        return [path.relative_to(self.work / tree) for path in measure.files(self.work / tree)]


class Orrery(Program):
    flushes = "each file, before it gets its name"

    def __init__(self, work, jobs, name, words):
        self.name, self.program, self.more = name, words[0], words[1:]
        super().__init__(work, jobs)

    def prepare(self):
        home = self.work / f"keys-{self.name}"
        home.mkdir()
        self.keys = ["-k", home / measure.keyring(self.program, home)[1]]
        self.version = measure.version(self.program)

    def step(self, verb, source, sealed, restored):
        words = {"encrypt": [source, "-o", sealed], "verify": [sealed], "decrypt": [sealed, "-o", restored]}
        return measure.run([self.program, verb, *self.keys, "-j", self.jobs, "-q", *self.more, *words[verb]], self.work)

    def restored_tree(self, source, restored):
        return pathlib.Path(restored) / source


class Age(Program):
    name, needs = "age", "age"

    def prepare(self):
        self.key = f"{self.name}.key"
        measure.run(["age-keygen", "-o", self.key], self.work)
        self.recipient = subprocess.run(["age-keygen", "-y", self.key], cwd=self.work, check=True, capture_output=True,
                                        text=True).stdout.strip()
        self.version = "age " + (measure.first_line(["age", "--version"]) or "")

    def step(self, verb, source, sealed, restored):
        total = Cost()
        for name in self.files(source):
            plain, target, back = (self.work / tree / name for tree in (source, sealed, restored))
            target = target.with_name(target.name + ".age")
            made = {"encrypt": target, "verify": pathlib.Path("/dev/null"), "decrypt": back}[verb]
            made.parent.mkdir(parents=True, exist_ok=True)
            words = ["-r", self.recipient, "-o", made, plain] if verb == "encrypt" else ["-d", "-i", self.key, "-o", made, target]
            total += measure.run(["age", *words], self.work)
        return total


class AgeFlushed(Age):
    """age flushes nothing: so its files are flushed, one after the other, when all are there."""
    name, verbs, flushes = "age + fsync", ("encrypt", "decrypt"), "each file, by us, when all are written"

    def step(self, verb, source, sealed, restored):
        return super().step(verb, source, sealed, restored) + measure.flush(self.work / (sealed if verb == "encrypt" else restored))


class Rclone(Program):
    name, needs = "rclone crypt", "rclone"

    def prepare(self):
        self.secret = subprocess.run(["rclone", "obscure", "-"], input=os.urandom(24).hex(), check=True,
                                     capture_output=True, text=True).stdout.strip()
        self.version = measure.first_line(["rclone", "--version"])

    def step(self, verb, source, sealed, restored):
        settings = {"RCLONE_CONFIG": str(self.work / "no-rclone.conf"), "RCLONE_CRYPT_REMOTE": str(self.work / sealed),
                    "RCLONE_CRYPT_PASSWORD": self.secret}
        words = {"encrypt": ["copy", source, ":crypt:"], "verify": ["cryptcheck", source, ":crypt:"],
                 "decrypt": ["copy", ":crypt:", restored]}
        return measure.run(["rclone", *words[verb], "--transfers", self.jobs, "--checkers", self.jobs], self.work, settings)


class Restic(Program):
    name, needs, flushes = "restic", "restic", "its packs; nothing that it restores"

    def prepare(self):
        secret = self.work / "restic.password"
        secret.touch(mode=0o600)
        secret.write_text(os.urandom(24).hex())
        self.env = {"RESTIC_PASSWORD_FILE": str(secret), "GOMAXPROCS": str(self.jobs)}
        self.version = measure.first_line(["restic", "version"])

    def step(self, verb, source, sealed, restored):
        restic = ["restic", "--no-cache", "-q", "-r", sealed]
        if verb == "encrypt":
            measure.run([*restic, "init"], self.work, self.env) # not counted: done once for an archive
        words = {"encrypt": ["backup", "--compression", "off", source], "verify": ["check", "--read-data"],
                 "decrypt": ["restore", "latest", "--target", restored]}
        return measure.run([*restic, *words[verb]], self.work, self.env)

    def restored_tree(self, source, restored):
        return pathlib.Path(restored) / source


class Gocryptfs(Program):
    """A file system (FUSE), mounted anew for each verb: files are copied in and flushed, read, copied out and flushed."""
    name, needs, flushes = "gocryptfs", "gocryptfs", "each file, by us, when all are written"

    def prepare(self):
        (self.work / "gocryptfs.password").write_text(os.urandom(24).hex())
        self.version = measure.first_line(["gocryptfs", "--version"])

    @staticmethod
    def why_not(work):
        if not os.access("/dev/fuse", os.R_OK | os.W_OK):
            return "/dev/fuse cannot be used here"
        return "" if shutil.which("fusermount3") or shutil.which("fusermount") else "no fusermount (Debian package fuse3)"

    @contextlib.contextmanager
    def mounted(self, sealed):
        """Mounts `sealed`: the place, and the process that serves it."""
        place = self.work / f"{sealed}-mounted"
        place.mkdir(exist_ok=True)
        with open(self.work / "gocryptfs.log", "wb") as log:
            daemon = subprocess.Popen(["gocryptfs", "-fg", "-q", "-passfile", "gocryptfs.password", sealed, place], cwd=self.work,
                                      stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        try:
            until = time.monotonic() + 30
            while not os.path.ismount(place):
                if daemon.poll() is not None or time.monotonic() > until:
                    raise RuntimeError(f"gocryptfs: {sealed} was not mounted:\n{(self.work / 'gocryptfs.log').read_text()}")
                time.sleep(0.01)
            yield place, daemon.pid
        finally:
            if os.path.ismount(place):
                subprocess.run([shutil.which("fusermount3") or "fusermount", "-u", place], check=False)
            else:
                daemon.terminate()
            daemon.wait()

    def step(self, verb, source, sealed, restored):
        if verb == "encrypt":
            (self.work / sealed).mkdir(parents=True)
            measure.run(["gocryptfs", "-init", "-q", "-scryptn", "10", "-passfile", "gocryptfs.password", sealed], self.work)
        with self.mounted(sealed) as (place, daemon):
            before = measure.process(daemon)
            if verb == "verify":
                cost = measure.run(["find", place, "-type", "f", "-exec", "cat", "{}", "+"], self.work, output=os.devnull)
            else:
                out = place if verb == "encrypt" else self.work / restored
                out.mkdir(parents=True, exist_ok=True)
                cost = measure.run(["cp", "-r", f"{source if verb == 'encrypt' else place}/.", out], self.work)
                cost += measure.flush(out)
            return cost.beside(before, measure.process(daemon))


def why_not_direct(work):
    """Why files of a directory cannot be read and written past the page cache; empty: they can."""
    try:
        os.close(os.open(work / "direct", os.O_RDWR | os.O_CREAT | os.O_DIRECT, 0o600))
    except OSError as error:
        return f"its file system does not read and write past the page cache: {error.strerror}"
    return ""


class Dd(Program):
    """A plain copy past the page cache, one piece after the other; verifying is reading."""
    name, needs, flushes, most_files = "dd, direct", "dd", "the file", 16
    why_not = staticmethod(why_not_direct)

    def prepare(self):
        self.version = measure.first_line(["dd", "--version"])

    def step(self, verb, source, sealed, restored):
        start, end = {"encrypt": (source, sealed), "verify": (sealed, None), "decrypt": (sealed, restored)}[verb]
        total = Cost()
        for name in self.files(start):
            words = [f"if={start}/{name}", "bs=1M", "iflag=direct", "status=none"]
            if end:
                (self.work / end / name).parent.mkdir(parents=True, exist_ok=True)
                words += [f"of={end}/{name}", "oflag=direct", "conv=fsync"]
            total += measure.run(["dd", *words], self.work, output=None if end else os.devnull)
        return total


class DirectCopy(Program):
    """What the disk can do: several threads that read and write past the page cache; verifying is reading."""
    name, flushes = "parallel direct copy", "each file"
    why_not = staticmethod(why_not_direct)

    def prepare(self):
        self.tool = measure.tool("diskcopy")
        self.version = "bench/tools/diskcopy_tool.c"

    def step(self, verb, source, sealed, restored):
        start, end = {"encrypt": (source, sealed), "verify": (sealed, "-"), "decrypt": (sealed, restored)}[verb]
        threads = 8 if len(self.files(start)) == 1 else 32 # as many pieces, or files, are on their way
        return measure.run([self.tool, start, end, threads], self.work)


def orrery_argument(text):
    """[NAME=]PATH [OPTION...] as (name, [path, option, ...]); the name is the file's when there is none."""
    first, *more = shlex.split(text) or [""]
    name, _, path = first.rpartition("=")
    return name or pathlib.Path(path).name, [measure.orrery_program(path), *more]


def orreries(given, work, jobs):
    """The Orrerys to be measured: of arguments as above, or build/orrery."""
    chosen = given or [("orrery", [measure.orrery_program(None)])]
    if len({name for name, _ in chosen}) < len(chosen):
        sys.exit("two programs have one name: give them others, as in old=PATH")
    return [Orrery(work, jobs, name, words) for name, words in chosen]


def peers(kinds, only, work, jobs):
    """Those of the kinds that are installed, and why others are not there: (programs, {name: reason}). `only`: commands that
    are wanted, None for all."""
    found, missing = [], {}
    for kind in kinds:
        if only is not None and kind.needs and kind.needs not in only:
            continue
        installed = not kind.needs or shutil.which(kind.needs)
        if why := kind.why_not(work) if installed else f"{kind.needs} is not installed":
            missing[kind.name] = why
        else:
            found.append(kind(work, jobs))
    return found, missing


def turned(competitors, number):
    """The order of round `number`: each starts one later than the last."""
    start = number % len(competitors)
    return competitors[start:] + competitors[:start]


def same(work, source, tree):
    """Do two trees hold the same bytes?"""
    return subprocess.run(["diff", "-rq", source, str(tree)], cwd=work, stdout=subprocess.DEVNULL,
                          check=False).returncode == 0
