"""What is taken for finished, and why: contents and identity, not names, sizes and times that any other file may have too."""
import json
import os
import shutil
import subprocess
import time
import unittest
from pathlib import Path

from support.cli import ORRERY, Case, run, write_gray_tiff

WHEN = 1_700_000_000_123_456_789


class Finished(Case):
    def setUp(self):
        super().setUp()
        self.key = self.keyring()

    def go(self, *command, status=0):
        found, out, err = run(*command)
        self.assertEqual(found, status, f"{command}: {err}")
        return out + err

    def fill(self, folder, count=3, bytes_each=7_000_000):
        Path(folder).mkdir(parents=True)
        for n in range(count):
            path = Path(folder, f"IM{n}.tif")
            path.write_bytes(os.urandom(bytes_each))
            os.utime(path, ns=(WHEN, WHEN))

    def reads(self, *command):
        """Runs a command; returns how many reads of sources (files with "IM" in their paths) it made."""
        log = self.dir / "log"
        log.unlink(missing_ok=True)
        environment = dict(os.environ, LD_PRELOAD=os.environ["FAULT"], ORRERY_FAULT="pread:1000000:EIO:/in/IM", ORRERY_FAULT_LOG=str(log))
        status, _, err = run(*command, env=environment)
        self.assertEqual(status, 0, err)
        return len(log.read_text().splitlines()) if log.exists() else 0

    def test_another_patients_file(self):
        """Exports normalise times, and slices have one size: the same name, size and time are not the same file."""
        for options in ([], ["--names", "opaque"], ["--sha256"]):
            for verb in ("encrypt", "decrypt"):
                with self.subTest(options=options, verb=verb):
                    for folder in ("A", "B", "vault", "vaultB", "back"):
                        shutil.rmtree(folder, ignore_errors=True)
                    self.fill("A/IMAGES")
                    self.fill("B/IMAGES")
                    self.go("encrypt", "-q", "-k", "keys", *options, "A/IMAGES", "-o", "vault")
                    said = self.go("encrypt", "-q", "-k", "keys", *options, "B/IMAGES", "-o", "vault", status=3)
                    self.assertEqual(said.count("holds other contents of the same name, time and size"), 3, said)
                    self.go("decrypt", "-q", "-k", "keys", "vault", "-o", "back")
                    self.assertEqual(Path("back/IMAGES/IM1.tif").read_bytes(), Path("A/IMAGES/IM1.tif").read_bytes())
                    self.go("encrypt", "-q", "-k", "keys", *options, "B/IMAGES", "-o", "vaultB")
                    said = self.go("decrypt", "-q", "-k", "keys", "vaultB", "-o", "back", status=3)
                    self.assertEqual(said.count("exists and is not what would be restored (its contents differ)"), 3, said)
                    # Re-encrypting compares what is sealed.
                    shutil.rmtree("new", ignore_errors=True)
                    self.go("reencrypt", "-q", "-k", "keys", *options[:2] if "opaque" in options else [], "vault", "-o", "new")
                    said = self.go("reencrypt", "-q", "-k", "keys", *options[:2] if "opaque" in options else [], "vaultB", "-o", "new", status=3)
                    self.assertEqual(said.count("holds other contents, of the same name and size"), 3, said)

    def test_another_image_of_the_paper_profile(self):
        for folder in ("A", "B"):
            Path(folder).mkdir()
            write_gray_tiff(f"{folder}/one.tif", 40, 30)
            os.utime(f"{folder}/one.tif", ns=(WHEN, WHEN))
        paper = ("--profile", "paper", "-q", "-k", "keys")
        self.go("encrypt", *paper, "A/one.tif", "-o", "vault")
        self.assertIn("holds other contents", self.go("encrypt", *paper, "B/one.tif", "-o", "vault", status=6))
        self.assertIn("already finished", self.go("encrypt", "--profile", "paper", "-v", "-k", "keys", "A/one.tif", "-o", "vault"))
        # The same pixels with another tag are another file.
        data = bytearray(Path("A/one.tif").read_bytes())
        at = data.rindex(bytes([0x06, 0x01]))  # PhotometricInterpretation: white is zero
        data[at + 8] = 0
        shutil.copyfile("A/one.tif", "A/saved")
        Path("A/one.tif").write_bytes(data)
        os.utime("A/one.tif", ns=(WHEN, WHEN))
        self.assertIn("holds other contents", self.go("encrypt", *paper, "A/one.tif", "-o", "vault", status=6))

    def test_what_is_read_again(self):
        if not os.environ.get("FAULT"):
            self.skipTest("no FAULT library: run by ctest")
        for options in ([], ["--names", "opaque"]):
            with self.subTest(options=options):
                for folder in ("in", "vault"):
                    shutil.rmtree(folder, ignore_errors=True)
                self.fill("in")
                time.sleep(0.1)
                command = ("encrypt", "-q", "-k", "keys", *options, "in/.", "-o", "vault")
                self.assertGreater(self.reads(*command), 6)
                self.assertEqual(self.reads(*command), 0)  # nothing changed: nothing is read
                self.assertEqual(self.reads(*command, "--dry-run"), 0)
                # A copy with the same size and time is another file: read once, and noted.
                for path in Path("in").iterdir():
                    shutil.copy2(path, "copy")
                    os.replace("copy", path)
                time.sleep(0.1)  # a file that changed just now is not noted: it may change again within a step of the clock
                self.assertGreater(self.reads(*command), 6)
                self.assertEqual(self.reads(*command), 0)
                os.chmod("in/IM1.tif", 0o600)
                time.sleep(0.1)
                self.assertGreater(self.reads(*command), 1)
                self.assertEqual(self.reads(*command), 0)
                os.utime("in/IM1.tif")  # another time is looked at once, too
                time.sleep(0.1)
                self.assertGreater(self.reads(*command), 1)
                self.assertEqual(self.reads(*command), 0)
                os.utime("in/IM1.tif", ns=(WHEN, WHEN))
                time.sleep(0.1)
                self.assertGreater(self.reads(*command), 1)
                # What is not known any more, or is nonsense, costs a reading.
                for state in (b"", b"nonsense", Path("vault/.orrery-state").read_bytes()[:-7],
                              Path("vault/.orrery-state").read_bytes()[:16] + os.urandom(32 * 6)):
                    Path("vault/.orrery-state").write_bytes(state)
                    self.assertGreater(self.reads(*command), 1)
                Path("vault/.orrery-state").unlink()
                self.assertEqual(self.reads(*command, "--trust-times"), 0)
                self.assertGreater(self.reads(*command), 6)
                self.assertEqual(self.reads(*command), 0)
                # Shards note theirs, and others read it.
                shutil.rmtree("vault")
                for n in (1, 2):
                    self.go(*command, "--shard", f"{n}/2")
                self.assertEqual(self.reads(*command), 0)

    def test_a_state_does_not_grow_for_ever(self):
        self.fill("in", 2, 10)
        for n in range(10):
            os.chmod("in/IM0.tif", 0o600 + n % 2 * 0o40)
            time.sleep(0.1)
            self.go("encrypt", "-q", "-k", "keys", "in", "-o", "vault")
        state = Path("vault/.orrery-state").read_bytes()
        self.assertEqual(len(state), 16 + 32 * 11)
        Path("vault/.orrery-state").write_bytes(state + state[-32:] * 2000)
        os.chmod("in/IM0.tif", 0o660)
        time.sleep(0.1)
        self.go("encrypt", "-q", "-k", "keys", "in", "-o", "vault")
        self.assertEqual(len(Path("vault/.orrery-state").read_bytes()), 16 + 32 * 2)
        self.assertEqual(os.stat("vault/.orrery-state").st_mode & 0o777, 0o600)
        self.assertEqual(self.go("verify", "-q", "-k", "keys", "vault"), "")

    def test_touched_only(self):
        """A new time over the same contents: finished, and said. The sealed time is what comes back."""
        self.fill("in", 1, 100)
        self.go("encrypt", "-q", "-k", "keys", "in", "-o", "vault")
        os.utime("in/IM0.tif")
        self.assertIn("its time is another than the sealed one, its contents are not", self.go("encrypt", "-v", "-k", "keys", "in", "-o", "vault"))
        Path("in/IM0.tif").write_bytes(os.urandom(100))
        self.assertIn("vault/in/IM0.tif.orr.tif holds other contents of the same name and size", self.go("encrypt", "-q", "-k", "keys", "in", "-o", "vault", status=3))
        Path("in/IM0.tif").write_bytes(b"x")
        self.assertIn("holds another state of it: 100 bytes were sealed, now there are 1", self.go("encrypt", "-q", "-k", "keys", "in", "-o", "vault", status=3))

    def test_after_a_rotation_and_before_rewrap(self):
        for options in ([], ["--names", "opaque"]):
            with self.subTest(options=options):
                shutil.rmtree("in", ignore_errors=True)
                self.fill("in", 2, 100)
                vault = "vault" + "".join(options)
                self.go("encrypt", "-q", "-k", "keys", *options, "in", "-o", vault)
                new = run("keyring", "add", "-q", "-k", "keys")[1].strip()
                self.go("keyring", "set-state", "-q", "-k", "keys", new, "active")
                Path("in/new.tif").write_bytes(b"new")
                said = self.go("encrypt", "-k", "keys", *options, "in", "-o", vault)
                self.assertRegex(said, r"encrypted 1 file \(3 B\) in .*; 2 already finished")

    def test_opaque_names_beside_others(self):
        """An output holds what its seal says, whatever its name: it is not made twice."""
        self.fill("in", 1, 100)
        self.go("encrypt", "-q", "-k", "keys", "in/IM0.tif", "-o", "vault/")
        for _ in range(2):
            self.assertIn("1 already finished", self.go("encrypt", "-k", "keys", "--names", "opaque", "in/IM0.tif", "-o", "vault/"))
        self.go("encrypt", "-q", "-k", "keys", "--names", "opaque", "in/IM0.tif", "-o", "other/")
        name = next(Path("other").glob("*.orr.tif"))
        os.rename(name, "other/renamed.orr.tif")
        self.assertIn("1 already finished", self.go("encrypt", "-k", "keys", "--names", "opaque", "in/IM0.tif", "-o", "other/"))
        self.assertEqual([p.name for p in Path("other").glob("*.orr.tif")], ["renamed.orr.tif"])

    def test_what_else_is_in_the_way(self):
        self.fill("in", 2, 100)
        self.go("encrypt", "-q", "-k", "keys", "in", "-o", "vault")
        one, two = Path("vault/in/IM0.tif.orr.tif"), Path("vault/in/IM1.tif.orr.tif")
        first, second = one.read_bytes(), two.read_bytes()
        again = ("encrypt", "-q", "-k", "keys", "in", "-o", "vault")
        one.write_bytes(second)
        self.assertIn('vault/in/IM0.tif.orr.tif holds "in/IM1.tif", not "in/IM0.tif": it was renamed', self.go(*again, status=3))
        one.write_bytes(first[:-1])
        self.assertIn("vault/in/IM0.tif.orr.tif is damaged (truncated", self.go(*again, status=3))
        one.write_bytes(b"mine")
        self.assertIn("exists and is not an encrypted file", self.go(*again, status=3))
        one.unlink()
        self.keyring("others")
        self.go("encrypt", "-q", "-k", "others", "in/IM0.tif", "-o", "vault/in")
        self.assertIn("does not open with this keyring", self.go(*again, status=3))

    def test_damaged_outputs_are_made_anew(self):
        for options in ([], ["--names", "opaque"], ["--profile", "paper"]):
            with self.subTest(options=options):
                for folder in ("in", "vault", "back"):
                    shutil.rmtree(folder, ignore_errors=True)
                Path("in").mkdir()
                for n in range(3):
                    write_gray_tiff(f"in/IM{n}.tif", 300, 200)
                again = ("encrypt", "-q", "-k", "keys", *options, "in", "-o", "vault")
                self.go(*again)
                if not options:  # damage that leaves nothing to tell it by
                    one = Path("vault/in/IM2.tif.orr.tif")
                    one.write_bytes(b"")
                    self.assertIn("--redo-damaged", self.go(*again, status=3))
                    self.go(*again, "--redo-damaged")
                    self.assertEqual(Path(f"{one}.damaged").read_bytes(), b"")
                    Path(f"{one}.damaged").unlink()
                one = sorted(Path("vault").rglob("*.orr.tif"))[1]
                damaged = bytearray(one.read_bytes())
                damaged[-1000] ^= 1
                one.write_bytes(damaged)
                self.go("verify", "-q", "-k", "keys", "vault", status=4)
                self.go(*again, "--redo-damaged", "--dry-run")
                self.assertEqual(one.read_bytes(), damaged)
                said = self.go("encrypt", "-k", "keys", *options, "in", "-o", "vault", "--redo-damaged")
                self.assertIn(f"was damaged; it is {one.name}.damaged now, and a new one takes its place", said)
                self.assertIn("encrypted 1 file (", said)
                self.assertEqual(Path(f"{one}.damaged").read_bytes(), damaged)
                self.assertIn("a damaged file that --redo-damaged put aside", self.go("verify", "-k", "keys", "vault"))
                self.go("decrypt", "-q", "-k", "keys", "vault", "-o", "back")
                if "paper" not in options:
                    for path in Path("in").iterdir():
                        self.assertEqual(Path("back", path).read_bytes(), path.read_bytes())
                self.go(*again)

    def test_a_corrupt_restored_file(self):
        self.fill("in", 2, 1000)
        self.go("encrypt", "-q", "-k", "keys", "in", "-o", "vault")
        self.go("decrypt", "-q", "-k", "keys", "vault", "-o", "back")
        self.assertEqual(sorted(os.listdir("back")), ["in"])  # nothing of the job is left
        self.assertIn("2 already finished", self.go("decrypt", "-k", "keys", "vault", "-o", "back"))
        data = bytearray(Path("back/in/IM0.tif").read_bytes())
        data[500] ^= 1
        Path("back/in/IM0.tif").write_bytes(data)
        os.utime("back/in/IM0.tif", ns=(WHEN, WHEN))
        self.assertIn("(its contents differ)", self.go("decrypt", "-q", "-k", "keys", "vault", "-o", "back", status=3))
        self.assertIn("already finished", self.go("decrypt", "-v", "--trust-times", "-k", "keys", "vault", "-o", "back"))

    def test_names_that_jobs_keep_for_themselves(self):
        names = [".orrery-state", ".orrery-state-1-of-2", ".orrery-journal"]
        Path("in").mkdir(exist_ok=True)
        for name in (*names, "other"):
            Path("in", name).write_bytes(name.encode())
        self.go("encrypt", "-q", "-k", "keys", "in/.", "-o", "vault")
        for _ in range(2):
            said = self.go("decrypt", "-k", "keys", "vault", "-o", "back", status=3)
            self.assertEqual(said.count("a name that jobs keep in an output for themselves: restore it alone, with -o FILE"), len(names), said)
            self.assertEqual([p.name for p in Path("back").rglob("*") if p.is_file() and p.name != ".orrery-state"], ["other"])
        for number, name in enumerate(names):
            self.go("decrypt", "-q", "-k", "keys", f"vault/{name}.orr.tif", "-o", f"{number}.bin")
            self.assertEqual(Path(f"{number}.bin").read_bytes(), name.encode())

    def test_names_that_are_not_the_sealed_ones(self):
        self.fill("in/p1", 1, 10)
        self.fill("in/p2", 1, 10)
        self.go("encrypt", "-q", "-k", "keys", "in", "-o", "vault")
        self.go("encrypt", "-q", "-k", "keys", "--names", "opaque", "in", "-o", "opaque")
        for place in ("vault", "opaque", "vault/in/p1/IM0.tif.orr.tif"):
            self.assertNotIn("by its seal", self.go("verify", "-k", "keys", place))
        one, two = Path("vault/in/p1/IM0.tif.orr.tif"), Path("vault/in/p2/IM0.tif.orr.tif")
        os.rename(one, "x")
        os.rename(two, one)
        os.rename("x", two)
        for command in (("verify",), ("decrypt", "-o", "back")):
            said = self.go(*command, "-k", "keys", "vault")
            self.assertEqual(said.count("by its seal: it was renamed, or is another file's copy"), 2, said)
        self.assertIn('is "in/p2/IM0.tif" by its seal', self.go("decrypt", "-k", "keys", str(one), "-o", "restored"))
        names = sorted(Path("opaque").glob("*.orr.tif"))
        os.rename(names[0], names[0].with_name("0" * 64 + ".orr.tif"))
        self.assertEqual(self.go("verify", "-k", "keys", "opaque").count("by its seal"), 1)
        Path("many").mkdir()
        for n in range(25):
            shutil.copy(one, f"many/{n}.orr.tif")
        said = self.go("verify", "-k", "keys", "many")
        self.assertEqual(said.count("by its seal"), 20)
        self.assertIn("25 files have other names than their seals; of 5 it was not said", said)

    def test_two_files_of_one_sealed_path(self):
        """An older copy beside the newer must not win by sorting first."""
        for first in ("older", "newer"):
            with self.subTest(first=first):
                for folder in ("in", "vault", "back"):
                    shutil.rmtree(folder, ignore_errors=True)
                self.fill("in", 2, 1000)
                self.go("encrypt", "-q", "-k", "keys", "in", "-o", "vault")
                copy = Path("vault/in", "IM0 (old).orr.tif" if first == "older" else "z.orr.tif")  # sorts before, or behind
                os.rename("vault/in/IM0.tif.orr.tif", copy)
                time.sleep(1.1)  # a seal's time has seconds
                Path("in/IM0.tif").write_bytes(b"newer")
                self.go("encrypt", "-q", "-k", "keys", "in", "-o", "vault")
                for _ in range(2):
                    said = self.go("decrypt", "-k", "keys", "vault", "-o", "back")
                    self.assertEqual(Path("back/in/IM0.tif").read_bytes(), b"newer")
                    self.assertIn("sealed last: it counts" if first == "older" else "was sealed later: that one counts", said)
                    self.assertEqual(sorted(p.name for p in Path("back").rglob("*") if p.is_file()), ["IM0.tif", "IM1.tif"])
                shutil.rmtree("back")
                os.rename("vault/in/IM0.tif.orr.tif", "aside")
                self.go("decrypt", "-q", "-k", "keys", "vault", "-o", "back")
                os.rename("aside", "vault/in/IM0.tif.orr.tif")
                self.assertNotEqual(Path("back/in/IM0.tif").read_bytes(), b"newer")
                # What an earlier run restored, or somebody had, does not give way to the newer one.
                for options in ([], ["--trust-times"]):
                    before = Path("back/in/IM0.tif").read_bytes()
                    self.go("decrypt", "-q", *options, "-k", "keys", "vault", "-o", "back", status=3)
                    self.assertEqual(Path("back/in/IM0.tif").read_bytes(), before)
                Path("back/in/IM0.tif").write_bytes(b"my own")
                said = self.go("decrypt", "-q", "-k", "keys", "vault", "-o", "back", status=3)
                self.assertEqual(said.count("exists and is not what would be restored"), 1)
                self.assertEqual(Path("back/in/IM0.tif").read_bytes(), b"my own")

    def test_a_damaged_copy_does_not_hide_a_whole_one(self):
        self.fill("in", 1, 1000)
        self.go("encrypt", "-q", "-k", "keys", "in", "-o", "vault")
        one = Path("vault/in/IM0.tif.orr.tif")
        shutil.copy(one, "vault/in/A.orr.tif")
        shutil.copy(one, "vault/in/z.orr.tif")
        damaged = bytearray(one.read_bytes())
        damaged[-500] ^= 1
        Path("vault/in/A.orr.tif").write_bytes(damaged)
        self.go("decrypt", "-q", "-k", "keys", "vault", "-o", "back", status=4)
        self.assertEqual(Path("back/in/IM0.tif").read_bytes(), Path("in/IM0.tif").read_bytes())
        Path("vault/in/A.orr.tif").unlink()
        shutil.rmtree("back")
        said = self.go("decrypt", "-v", "-k", "keys", "vault", "-o", "back")
        self.assertIn("another copy of this very file was restored", said)

    def test_a_change_within_a_step_of_the_clock(self):
        """Where times have whole seconds, a file that is changed again in the second in which it was read shows no sign of it."""
        if os.geteuid() != 0 or not shutil.which("mkfs.ext4"):
            self.skipTest("needs root and mkfs.ext4")
        Path("image").write_bytes(b"")
        os.truncate("image", 32 << 20)
        subprocess.run(["mkfs.ext4", "-q", "-F", "-I", "128", "image"], check=True, stderr=subprocess.DEVNULL)
        Path("mnt").mkdir()
        if subprocess.run(["mount", "-o", "loop", "image", "mnt"], check=False, stderr=subprocess.DEVNULL).returncode:
            self.skipTest("no loop device can be mounted here")
        self.addCleanup(subprocess.run, ["umount", str(self.dir / "mnt")], check=True)
        Path("mnt/s").mkdir()
        while time.time() % 1 > 0.1:
            time.sleep(0.01)
        Path("mnt/s/a").write_bytes(b"AAAA")
        self.go("encrypt", "-q", "-k", "keys", "mnt/s", "-o", "vault")
        Path("mnt/s/a").write_bytes(b"BBBB")
        self.assertIn("holds other contents", self.go("encrypt", "-q", "-k", "keys", "mnt/s", "-o", "vault", status=3))

    def test_a_jobs_own_files_are_nobodys_business(self):
        """Another user cannot read them, and lists name them: neither is a failure."""
        self.fill("in", 2, 100)
        self.go("encrypt", "-q", "-k", "keys", "in", "-o", "vault")
        names = "\n".join(str(p) for p in Path("vault").rglob("*") if p.is_file())
        status, _, err = run("verify", "-q", "-k", "keys", "--files-from", "-", input=names.encode())
        self.assertEqual((status, err), (0, ""))
        if os.geteuid() == 0 and shutil.which("setpriv"):
            os.chmod(self.dir, 0o755)
            os.chmod("keys", 0o644)
            for verb in (("verify", "vault"), ("rewrap", "--dry-run", "vault")):
                done = subprocess.run(["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", ORRERY, verb[0], "-q", "-k", "keys", *verb[1:]],
                                      stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, check=False)
                self.assertNotIn(b".orrery-state", done.stderr)
                if verb[0] == "verify":
                    self.assertEqual(done.returncode, 0, done.stderr)
        # One that cannot be used is said.
        Path("vault/.orrery-state").write_bytes(b"nonsense, of somebody else")
        self.assertIn("vault/.orrery-state: cannot be used", self.go("encrypt", "-k", "keys", "in", "-o", "vault"))
        self.assertEqual(Path("vault/.orrery-state").read_bytes(), b"nonsense, of somebody else")

    def test_a_vault_below_an_unfinished_one(self):
        self.fill("in", 1, 10)
        self.go("encrypt", "-q", "-k", "keys", "in", "missing", "-o", "vault", status=7)
        self.go("encrypt", "-q", "-k", "keys", "in", "-o", "vault/inner")
        self.assertEqual(self.go("verify", "-q", "-k", "keys", "vault/inner"), "")
        self.go("verify", "-q", "-k", "keys", "vault", status=9)
        status, _, _ = run("verify", "-q", "-k", "keys", "--files-from", "-", input=b"vault/in/IM0.tif.orr.tif\n")
        self.assertEqual(status, 9)  # a list is a part of an archive

    def test_what_a_killed_job_left_goes_when_nothing_is_to_do(self):
        self.fill("in", 1, 10)
        self.go("encrypt", "-q", "-k", "keys", "in", "-o", "vault")
        self.go("decrypt", "-q", "-k", "keys", "vault", "-o", "back")
        left = Path("back/in/.orrery-0123456789abcdef.partial")
        left.write_bytes(b"plaintext")
        os.chmod(left, 0o1600)
        self.go("decrypt", "-q", "-k", "keys", "vault", "-o", "back")
        self.assertFalse(left.exists())

    def test_json_tells_copies_apart(self):
        self.fill("in", 1, 10)
        self.go("encrypt", "-q", "-k", "keys", "in", "-o", "vault")
        shutil.copytree("vault", "older")
        shutil.rmtree("vault")
        self.go("encrypt", "-q", "-k", "keys", "in", "-o", "vault")
        seen = []
        for place in ("vault", "older"):
            status, out, _ = run("verify", "--json", "-k", "keys", place)
            message = [m for m in self.messages(out, 0) if m["message_type"] == "file"][0]
            self.assertEqual((message["sealed_path"], message["key_id"], message["generation"]), ("in/IM0.tif", self.key, 1))
            self.assertRegex(message["sealed_at"], r"\A\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ\Z")
            self.assertEqual(status, 0)
            self.assertNotIn("damaged_slot", message)
            seen.append(message["file_id"])
        self.assertNotEqual(*seen)
        path = Path("vault/in/IM0.tif.orr.tif")
        data = bytearray(path.read_bytes())
        data[8192 + 100] ^= 1
        path.write_bytes(data)
        out = run("decrypt", "--json", "-k", "keys", "vault", "-o", "back")[1]
        message = [json.loads(line) for line in out.splitlines() if '"file"' in line][0]
        self.assertEqual(message["damaged_slot"], "B")


if __name__ == "__main__":
    unittest.main()
