"""What the tests of the command line share."""
import json
import os
import shutil
import signal
import struct
import subprocess
import tempfile
import unittest
import zlib
from pathlib import Path

SOURCE = Path(os.environ.get("SOURCE", Path(__file__).resolve().parent.parent.parent))
ORRERY = os.environ.get("ORRERY", str(SOURCE / "build" / "orrery"))

for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):  # left ignored, by nohup say, they would not stop what is started here
    if signal.getsignal(number) == signal.SIG_IGN:
        signal.signal(number, signal.SIG_DFL)


def run(*arguments, **options):
    """Runs orrery, or another `program`; returns (exit status, stdout, stderr) with bytes that are not UTF-8 as surrogates."""
    data, program = options.pop("input", None), options.pop("program", ORRERY)
    done = subprocess.run([program, *arguments], input=data, stdin=None if data is not None else subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=300, check=False, **options)
    return done.returncode, done.stdout.decode("utf-8", "surrogateescape"), done.stderr.decode("utf-8", "surrogateescape")


def without_rights():
    """Options of run() under which modes of files count, also for root; None where root cannot become somebody else."""
    if os.geteuid() != 0:
        return {}
    nobody = {"user": 65534, "group": 65534, "extra_groups": []}
    try:
        return nobody if run("--version", **nobody)[0] == 0 else None
    except OSError:
        return None


def slowly(part, call="pread"):
    """The environment in which each `call` (fault.c), a read, on files whose path contains `part` takes a twentieth of a second (FAULT, which ctest
    sets): what is to happen while a job runs happens in time, however quick the machine. With -j 1 a job reads once for
    each 6 MiB."""
    fault = os.environ.get("FAULT")
    return dict(os.environ, LD_PRELOAD=fault, ORRERY_FAULT=f"{call}:0:slow:{part}") if fault else dict(os.environ)


def is_output(path):
    """A file that is no note of a job on its sources (host/job/state.h)."""
    return path.is_file() and not path.name.startswith(".orrery-state")


def partials(root):
    """Outputs below `root` that are not finished: partial files, and unfinished ones, which large files have."""
    return sorted(path for path in Path(root).rglob(".orrery-*") if path.suffix in (".partial", ".unfinished"))


def end_of_tiles(path):
    """Where the last tile of an archive-profile file without repair data ends; zeros follow to a multiple of 4096."""
    data = Path(path).read_bytes()
    rows = max(1, -(-int.from_bytes(data[80:88], "little") // 384))
    return len(data) - -384 * rows % 4096


def memory_directory(room):
    """The directory in memory when it has `room` bytes (that of a container may have 64 MB), or None."""
    try:
        return "/dev/shm" if os.access("/dev/shm", os.W_OK) and shutil.disk_usage("/dev/shm").free >= room else None
    except OSError:
        return None


BUILD = Path(os.environ.get("BUILD", Path(ORRERY).parent))


def confined(what, *arguments):
    """Runs orrery where the system refuses it io_uring ("uring") or to lock memory ("memory")."""
    return run(what, "--", ORRERY, *arguments, program=BUILD / "tests" / "confine")


def has_module(name):
    return (BUILD / f"liborrery_{name}.so").exists()


needs_onednn = unittest.skipUnless(has_module("gan_onednn"), "built without the DCGAN on CPUs (oneDNN)")
needs_evidence = unittest.skipUnless(has_module("evidence"), "built without the evidence suite (MPFR)")


def on_a_device(folder, library="liborrery_gan_cuda.so"):
    """A copy of the program in `folder` that finds a make-believe CUDA device beside it (tests/support/modules/gan_on_cpu.cc, or
    cuda_on_cpu.cc for liborrery_cuda.so), and the DCGAN on CPUs; None when that was not built."""
    library = BUILD / "on-cpu" / library
    if not library.exists():
        return None
    shutil.copy(library, folder)
    if has_module("gan_onednn"):
        shutil.copy(BUILD / "liborrery_gan_onednn.so", folder)
    return shutil.copy(ORRERY, folder)


def png(path, shade):
    """An 8 x 8 RGB image."""
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    rows = b"".join(b"\0" + bytes((shade + x * y) & 255 for x in range(24)) for y in range(8))
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", 8, 8, 8, 2, 0, 0, 0)) +
                     chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))


def write_gray_tiff(path, width, height):
    """One strip of 8-bit gray."""
    pixels = os.urandom(width * height)
    tags = ((256, 4, width), (257, 4, height), (258, 3, 8), (259, 3, 1), (262, 3, 1), (273, 4, 8), (277, 3, 1), (278, 4, height),
            (279, 4, len(pixels)))
    directory = struct.pack("<H", len(tags)) + b"".join(struct.pack("<HHII", tag, kind, 1, value) for tag, kind, value in tags)
    Path(path).write_bytes(struct.pack("<2sHI", b"II", 42, 8 + len(pixels)) + pixels + directory + bytes(4))


class Case(unittest.TestCase):
    maxDiff = None

    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="orrery-cli-")
        self.addCleanup(folder.cleanup)
        self.dir = Path(folder.name)
        before = os.getcwd()
        os.chdir(self.dir)
        self.addCleanup(os.chdir, before)

    def keyring(self, name="keys", *options):
        png(self.dir / "decoy.png", 7)
        status, out, err = run("keyring", "new", "-o", name, "--no-passphrase", *options, "--decoy", "decoy.png")
        self.assertEqual(status, 0, err)
        self.assertRegex(out, r"\A[0-9a-f]{32}\n\Z")
        return out.strip()

    def messages(self, out, status):
        """Parses JSON lines; the last one must be a summary with this exit status."""
        self.assertTrue(out.endswith("\n"), out)
        messages = [json.loads(line) for line in out.splitlines()]
        for message in messages:
            self.assertIn(message["message_type"],
                          {"status", "file", "error", "warning", "key", "recipient", "device", "summary"})
        self.assertEqual([m["message_type"] for m in messages].count("summary"), 1)
        self.assertEqual(messages[-1]["message_type"], "summary")
        self.assertEqual(messages[-1]["exit_status"], status)
        return messages
