#!/usr/bin/env python3
"""No key and nonce seals two things: every seal of whole jobs is recorded, also of those that are killed or do work again."""
import os
import random
import subprocess
import time
import unittest
from pathlib import Path

from support import seals
from support.cli import BUILD, ORRERY, Case, is_output, run, write_gray_tiff

FAULT = os.environ.get("FAULT")
TILE, SEGMENT = 49152, 128 * 49152
LINE = 64 + 1 + 24 + 1 + 64 + 1  # of the record
HOOKED = BUILD / "nonce_hooked_test"


def in_archive(length):
    """How many seals a file of the archive profile takes: tiles, digests of segments, metadata."""
    return max(1, -(-length // TILE)) + max(1, -(-length // SEGMENT)) + 1


@unittest.skipUnless(seals.LIBRARY, "SKIPPED: SEALS, the library that records seals, is not set (ctest sets it)")
class Nonces(Case):
    def setUp(self):
        super().setUp()
        self.seed = int(os.environ.get("ORRERY_SEED", random.randrange(2**32)))
        self.random = random.Random(self.seed)
        self.log, self.known = self.dir / "seals", 0
        os.environ["XDG_STATE_HOME"] = str(self.dir / "state")
        self.addCleanup(os.environ.pop, "XDG_STATE_HOME")
        self.ok("keyring", "new", "-o", "keys", "--no-passphrase", "--decoy", self.decoy())
        Path("in/deep").mkdir(parents=True)
        Path("images").mkdir()
        self.sizes = [0, 1, TILE, TILE + 1, SEGMENT, 2 * SEGMENT + 12345] + [self.random.randrange(3000) for _ in range(60)]
        for number, size in enumerate(self.sizes):
            Path("in", "deep" if number % 2 else "", f"f{number}").write_bytes(os.urandom(size))
        for number in range(4):
            write_gray_tiff(f"images/{number}.tif", 700 + number, 900)

    def tearDown(self):
        made = seals.read(self.log)
        self.assertEqual(seals.with_two_texts(made), set(), f"ORRERY_SEED={self.seed}: of {len(made)} seals")
        self.assertEqual(seals.twice(made), set(), f"ORRERY_SEED={self.seed}: of {len(made)} seals, the same text")

    @staticmethod
    def decoy():
        write_gray_tiff("decoy.tif", 8, 8)
        return "decoy.tif"

    def ok(self, *arguments, status=0, **fault):
        """Runs the program and returns how many seals it made."""
        environment = seals.environment(self.log, *([FAULT] if fault else []))
        environment.update(fault)
        found, _, err = run(*arguments, env=environment)
        self.assertEqual(found, status, f"ORRERY_SEED={self.seed} {arguments}: {err}")
        return self.new()

    def new(self):
        before, self.known = self.known, len(seals.read(self.log))
        return self.known - before

    def encrypt(self, *more, source="in", out="out", status=0, **fault):
        return self.ok("encrypt", "-q", "-k", "keys", *more, source, "-o", out, status=status, **fault)

    def verify(self, out="out", files=None):
        self.assertEqual(self.ok("verify", "-q", "-k", "keys", out), 0, "a reader sealed something")
        if files is not None:
            self.assertEqual(sum(map(is_output, Path(out).rglob("*.orr.tif"))), files)

    def all_of_them(self):
        return sum(map(in_archive, self.sizes))

    def test_whole_jobs(self):
        self.assertEqual(self.encrypt("-j", "4"), self.all_of_them())
        self.assertEqual(self.encrypt("-j", "4"), 0)  # finished already
        self.assertEqual(self.encrypt("-j", "1", "--parity", "5", "--sha256", out="parity"), self.all_of_them())
        self.assertEqual(self.encrypt("--check", "cpu", "--names", "opaque", out="opaque"), self.all_of_them())
        self.assertEqual(self.encrypt("-j", "3", "--profile", "paper", source="images", out="paper"), 4)
        self.assertEqual(self.ok("reencrypt", "-q", "-k", "keys", "-j", "3", "out", "-o", "anew"), self.all_of_them())
        self.assertEqual(self.ok("reencrypt", "-q", "-k", "keys", "paper", "-o", "paper-anew"), 4)
        for out in ("out", "parity", "opaque", "anew"):
            self.verify(out, len(self.sizes))
        self.verify("paper-anew", 4)

    def test_readers(self):
        files = len(self.sizes)
        for name in ("escrow", "other"):
            self.ok("keyring", "new", "-o", name, "--no-passphrase", "--decoy", self.decoy())
            self.ok("keyring", "export", "-q", "-k", name, "-o", f"{name}.orrpub")
        self.new()
        both = ("--to", "escrow.orrpub", "--to", "other.orrpub")
        self.assertEqual(self.encrypt(*both), self.all_of_them() + 2 * files)
        self.assertEqual(self.ok("encrypt", "-q", *both, "in", "-o", "writer"), self.all_of_them() + 2 * files)
        self.assertEqual(self.ok("encrypt", "-q", *both, "--profile", "paper", "images", "-o", "paper"), 4 + 8)
        plain = self.encrypt(out="plain")
        self.assertEqual(plain, self.all_of_them())
        self.assertEqual(self.ok("rewrap", "-q", "-k", "keys", "--add", "escrow.orrpub", "plain"), files)
        self.assertEqual(self.ok("rewrap", "-q", "-k", "keys", "--add", "other.orrpub", "plain"), files)
        self.assertEqual(self.ok("reencrypt", "-q", "-k", "keys", "--add", "escrow.orrpub", "out", "-o", "anew"),
                         self.all_of_them() + files)
        self.verify("plain", files)

    @unittest.skipUnless(FAULT, "SKIPPED: FAULT is not set (ctest sets it)")
    def test_rewrap_killed(self):
        """Slots that a rewrap left half written are written by the next one, under other ephemeral keys."""
        self.ok("keyring", "new", "-o", "escrow", "--no-passphrase", "--decoy", self.decoy())
        self.ok("keyring", "export", "-q", "-k", "escrow", "-o", "escrow.orrpub")
        self.encrypt()
        for number in (1, 2, 5, 40):
            self.ok("rewrap", "-q", "-k", "keys", "--add", "escrow.orrpub", "out", status=-9, ORRERY_FAULT=f"pwrite:{number}:tear")
        self.ok("rewrap", "-q", "-k", "keys", "--add", "escrow.orrpub", "out")
        self.verify("out", len(self.sizes))

    def kill(self, count, *arguments):
        """Kills it once it has made so many seals; returns its exit status."""
        end = os.path.getsize(self.log) + count * LINE
        with subprocess.Popen([ORRERY, *arguments], env=seals.environment(self.log), stderr=subprocess.DEVNULL) as process:
            while process.poll() is None and os.path.getsize(self.log) < end:
                time.sleep(0.0005)
            process.kill()
        return process.returncode

    def test_killed_at_any_moment(self):
        """Sources that are not encrypted yet are other ones whenever the command runs again; images and sealed files stay."""
        for command, source, *more in (("encrypt", "in", "--parity", "5"), ("reencrypt", "in-sealed"),
                                       ("encrypt", "images", "--profile", "paper")):
            if command == "reencrypt":
                self.encrypt(out=source)
            once = self.ok(command, "-q", "-k", "keys", *more, source, "-o", f"{source}-once")
            arguments = [command, "-q", "-k", "keys", "-j", "3", *more, source, "-o", f"{source}-out"]
            status = self.kill(once // 4, *arguments)
            if source != "images":  # they may be over before they are killed
                self.assertEqual(status, -9)
            recorded = self.new()
            for _ in range(8):
                self.change_unfinished(source, f"{source}-out")
                self.kill(self.random.randrange(max(1, once // 2)), *arguments)
                recorded += self.new()
            recorded += self.ok(*arguments)
            self.assertGreaterEqual(recorded, once)
            self.verify(f"{source}-out", 4 if source == "images" else len(self.sizes))

    def test_going_on_inside_a_file(self):
        """What a killed run sealed is kept, or sealed again under another salt; of a source that changed, under other keys."""
        size, source = (72 << 20) + 1000, Path("large/file")
        source.parent.mkdir()
        source.write_bytes(os.urandom(size))
        time.sleep(0.05)
        once = in_archive(size)
        for verb, folder, out in (("encrypt", "large", "out"), ("reencrypt", "ready", "anew")):
            if verb == "reencrypt":
                self.encrypt(source="large", out="ready")
            arguments = [verb, "-q", "-k", "keys", "-j", "2", folder, "-o", out]
            went_on = 0
            for _ in range(6):
                killed = self.kill(self.random.randrange(once // 4, once), *arguments)
                self.new()
                if killed != -9:
                    break
                for path in Path(out).rglob("*.unfinished"):
                    self.alter(path, size)
                made = self.kill(once, *arguments) == 0 and self.new()
                went_on += 0 < made < once
                if verb == "encrypt":
                    self.change_source(source)
                for path in Path(out).rglob("*.orr.tif"):
                    path.unlink()
            self.ok(*arguments)
            self.assertGreater(went_on, 0, f"ORRERY_SEED={self.seed}")
            self.verify(out, 1)

    def alter(self, path, size):
        """Here and there a bit, so that some of what was sealed is sealed again."""
        with open(path, "r+b") as file:
            for _ in range(2):
                at = 200_000 + self.random.randrange(size - 400_000)
                byte = os.pread(file.fileno(), 1, at)
                if byte not in (b"", b"\0"):
                    os.pwrite(file.fileno(), bytes([byte[0] ^ 4]), at)

    @staticmethod
    def change_source(source):
        before = source.stat()
        with open(source, "r+b") as file:
            file.write(os.urandom(30 << 20))
        os.utime(source, ns=(before.st_atime_ns, before.st_mtime_ns))
        time.sleep(0.05)

    @staticmethod
    def change_unfinished(source, out):
        """Other bytes of the same number in the sources that have no output yet, their times set back."""
        for path in Path(source).rglob("f*"):
            if path.name.endswith(".orr.tif") or Path(out, f"{path}.orr.tif").exists() or not path.is_file():
                continue
            before = path.stat()
            path.write_bytes(os.urandom(before.st_size))
            os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))

    @unittest.skipUnless(FAULT, "SKIPPED: FAULT is not set (ctest sets it)")
    def test_failures_and_kills_at_a_write(self):
        """A write, flush or rename that fails, or is the last; then the same command. The file is begun anew."""
        for number, fault in enumerate(("pwrite:3:ENOSPC", "pwrite:40:EIO", "fsync:1:EIO", "rename:1:EIO", "pwrite:25:kill", "pwrite:60:tear",
                                        "rename:2:after", "change:70:kill", "pwrite:11:term", "pread:2:EIO")):
            out = f"out{number}"
            run("encrypt", "-q", "-k", "keys", "-j", "2", "in", "-o", out, env=seals.environment(self.log, FAULT) | {"ORRERY_FAULT": fault})
            self.change_unfinished("in", out)
            recorded = self.new() + self.encrypt(out=out)
            self.assertGreaterEqual(recorded, self.all_of_them())
            self.verify(out, len(self.sizes))

    @unittest.skipUnless(FAULT, "SKIPPED: FAULT is not set (ctest sets it)")
    def test_source_that_changes(self):
        """What was read once is sealed and thrown away; the same command reads again, other bytes."""
        Path("in/big").write_bytes(os.urandom(8 * SEGMENT))
        arguments = ("encrypt", "-q", "-k", "keys", "-j", "1", "in/big", "-o", "changed/")
        slow = seals.environment(self.log, FAULT) | {"ORRERY_FAULT": "pwrite:0:slow:changed/"}  # after the first seal there is time
        for _ in range(3):
            with subprocess.Popen([ORRERY, *arguments], env=slow, stderr=subprocess.PIPE, text=True) as process:
                before = os.path.getsize(self.log)
                while process.poll() is None and os.path.getsize(self.log) == before:
                    time.sleep(0.002)
                for at in (0, 8 * SEGMENT - 1000):
                    with open("in/big", "r+b") as source:
                        source.seek(at)
                        source.write(os.urandom(1000))
                err = process.communicate()[1]
            self.assertEqual(process.returncode, 7, err)
            self.assertIn("was changed while being read", err)
            self.assertGreater(self.new(), 0)
        self.assertEqual(self.ok(*arguments), in_archive(8 * SEGMENT))
        self.verify("changed", 1)

    def test_damaged_outputs_are_redone(self):
        self.encrypt()
        large = [number for number, size in enumerate(self.sizes) if size >= TILE]
        for number in large:
            source = Path("in", "deep" if number % 2 else "", f"f{number}")
            path, before = Path("out", f"{source}.orr.tif"), source.stat()
            data = bytearray(path.read_bytes())
            data[self.random.randrange(24576, 24576 + TILE // 2)] ^= 8
            path.write_bytes(data)
            source.write_bytes(os.urandom(before.st_size))
            os.utime(source, ns=(before.st_atime_ns, before.st_mtime_ns))
        self.assertEqual(self.encrypt("--redo-damaged"), sum(in_archive(self.sizes[number]) for number in large))
        self.verify("out")

    def test_keyrings(self):
        """Each write of a keyring is one seal, of a payload that changed or under another unlock."""
        Path("pass").write_text("a passphrase\n", encoding="ascii")
        Path("new").write_text("another one\n", encoding="ascii")
        for command in (("keyring", "add", "-k", "keys", "--label", "second"),
                        ("keyring", "set-state", "-k", "keys", "second", "active"),
                        ("keyring", "unlock", "add", "-k", "keys", "--new-passphrase-file", "pass"),
                        ("keyring", "unlock", "add", "-k", "keys", "--passphrase-file", "pass", "--new-recovery-code",
                         "--save-recovery-code", "code"),
                        ("keyring", "add", "-k", "keys", "--recovery-code-file", "code", "--label", "third"),
                        ("keyring", "passwd", "-k", "keys", "--passphrase-file", "pass", "--new-passphrase-file", "new",
                         "--other-recovery-code-file", "code")):
            with self.subTest(command=command):
                self.assertGreaterEqual(self.ok(*command), 1)

    def hooked(self, test):
        done = subprocess.run([HOOKED, f"--gtest_filter={test}"], env=seals.environment(self.log), capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertIn("[  PASSED  ]", done.stdout)
        return self.new()

    @unittest.skipUnless(HOOKED.exists(), "SKIPPED: nonce_hooked_test is not built")
    def test_devices_that_fail(self):
        once = sum(map(in_archive, (100, TILE, 2 * SEGMENT + 77)))
        self.assertEqual(self.hooked("Nonces.DevicesThatFail"), 5 * once)
        self.assertGreaterEqual(self.hooked("Nonces.ADeviceWithoutFallback"), once)

    @unittest.skipUnless(HOOKED.exists(), "SKIPPED: nonce_hooked_test is not built")
    def test_that_it_would_be_found(self):
        """A program whose randomness is fixed seals other contents under the same keys and nonces."""
        once = sum(map(in_archive, (100, TILE, 2 * SEGMENT + 77)))
        self.assertEqual(self.hooked("Nonces.FixedRandomnessRepeatsThem"), 2 * once)
        found = seals.with_two_texts(seals.read(self.log))
        self.assertEqual(len(found), once)
        self.log = self.dir / "none"  # it was to be found


if __name__ == "__main__":
    unittest.main()
