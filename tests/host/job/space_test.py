"""Full disks: every verb on a small file system of its own (tmpfs, in a private mount namespace)."""
import os
import random
import re
import shutil
import subprocess
import sys
import unittest
from pathlib import Path

from support.cli import Case, is_output, needs_onednn, run
from support.faults import FAULT
from support.generators import generator, safetensors
from support.training import SMALL, picture

MIB = 1 << 20
MARK = "ORRERY_SPACE_TEST_INSIDE"


def enter_namespace():
    """Runs this test again where mounts are private: as root, or as root of a user namespace."""
    if os.environ.get(MARK):
        return
    for options in (["-m"], ["-r", "-m"]):
        inner = ["unshare", *options, "--propagation", "private"]
        try:
            probe = subprocess.run([*inner, "mount", "-t", "tmpfs", "-o", "size=1M", "none", "/mnt"], check=False, capture_output=True)
        except FileNotFoundError:
            break
        if probe.returncode == 0:
            os.environ[MARK] = "1"
            os.execvp("unshare", [*inner, sys.executable, *sys.argv])
    print("skipped: a small tmpfs cannot be mounted here (neither as root nor in a user namespace)")
    sys.exit(77)


class Disk(Case):
    """A small file system of its own at disk/."""

    def setUp(self):
        super().setUp()
        Path("disk").mkdir()

    def mount(self, size, *options):
        subprocess.run(["mount", "-t", "tmpfs", "-o", ",".join([f"size={size}", *options]), "none", "disk"], check=True)
        self.addCleanup(subprocess.run, ["umount", "-l", "disk"], check=False, capture_output=True)

    def enlarge(self, size):
        subprocess.run(["mount", "-o", f"remount,size={size}", "disk"], check=True)

    def fill(self):
        with open("disk/ballast", "wb", buffering=0) as ballast:
            try:
                while ballast.write(bytes(4096)):
                    pass
            except OSError:
                pass


class FullDisk(Disk):
    def setUp(self):
        super().setUp()
        self.keyring()
        Path("in/sub").mkdir(parents=True)
        for i in range(20):
            Path(f"in/{i:02}").write_bytes(os.urandom(300_000))
        Path("in/sub/big").write_bytes(os.urandom(70 * MIB))  # large enough for its space to be reserved first
        Path("in/sub/middle").write_bytes(os.urandom(10 * MIB))
        self.originals = {p: (p.read_bytes(), p.stat().st_mtime_ns) for p in Path("in").rglob("*") if is_output(p)}

    def assert_intact(self, root, originals):
        for path, (data, mtime) in originals.items():
            found = Path(root, path)
            self.assertTrue(found.read_bytes() == data, f"{found} differs")
            self.assertEqual(found.stat().st_mtime_ns, mtime)

    def full_then_enlarged(self, sizes, command, check_final, **options):
        """Runs into a full disk at each size, then gets room, by the same command."""
        self.mount(sizes[0])
        for size in sizes:
            with self.subTest(command=command[0], size=size):
                self.enlarge(size)
                status, out, err = run(*command, **options)
                self.assertEqual((status, out), (7, ""), err)
                self.assertIn("No space left on device", err)
                self.assertIn("free some space and run the same command again", err)
                self.assertEqual([str(p) for p in Path("disk").rglob("*partial*")], [])
                self.assert_intact(".", self.originals)
                for path in Path("disk").rglob("*"):
                    if path.is_file() and not path.name.startswith(".orrery-"):
                        check_final(path)
        self.enlarge("200M")
        status, out, err = run(*command)
        self.assertEqual((status, out), (0, ""), err)
        self.assertEqual([str(p) for p in Path("disk").rglob("*") if "partial" in p.name or "journal" in p.name], [])
        self.assertEqual(len([p for p in Path("disk").rglob("*") if is_output(p)]), len(self.originals))

    def verified(self, path):
        status, _, err = run("verify", "-q", "-k", "keys", str(path))
        self.assertEqual(status, 0, err)

    def decrypted(self, root):
        status, _, err = run("decrypt", "-q", "-k", "keys", root, "-o", "back")
        self.assertEqual(status, 0, err)
        self.assert_intact("back", self.originals)
        self.assert_intact(".", self.originals)

    # Sizes: too small for the first file, for the rest of the small ones, for the middle one (while it is written),
    # for the big one (when it is reserved).
    SIZES = ("256k", "3M", "12M", "60M")

    def test_encrypt(self):
        self.full_then_enlarged(self.SIZES, ("encrypt", "-k", "keys", "-q", "in", "-o", "disk/out"), self.verified)
        self.decrypted("disk/out")

    def test_encrypt_opaque(self):
        self.full_then_enlarged(self.SIZES[1:3], ("encrypt", "-k", "keys", "-q", "--names", "opaque", "in", "-o", "disk/out"),
                                self.verified)
        self.decrypted("disk/out")

    def test_decrypt(self):
        self.assertEqual(run("encrypt", "-q", "-k", "keys", "in", "-o", "sealed")[0], 0)

        def same(path):
            self.assertTrue(path.read_bytes() == self.originals[path.relative_to("disk/out")][0], path)
        self.full_then_enlarged(self.SIZES, ("decrypt", "-k", "keys", "-q", "sealed", "-o", "disk/out"), same)
        self.assert_intact("disk/out", self.originals)

    def test_reencrypt(self):
        self.assertEqual(run("encrypt", "-q", "-k", "keys", "in", "-o", "sealed")[0], 0)
        self.full_then_enlarged(self.SIZES, ("reencrypt", "-k", "keys", "-q", "sealed", "-o", "disk/out"), self.verified)
        self.decrypted("disk/out")

    def test_past_the_page_cache(self):
        """Without room that is reserved, several writes that are under way find none."""
        if not FAULT:
            self.skipTest("no FAULT library: run by ctest")
        unreserved = {**os.environ, "LD_PRELOAD": FAULT, "ORRERY_FAULT": "fallocate:0:EINVAL"}
        self.full_then_enlarged(self.SIZES[2:], ("encrypt", "-k", "keys", "-q", "--direct", "on", "in", "-o", "disk/out"),
                                self.verified, env=unreserved)
        self.decrypted("disk/out")
        shutil.copytree("disk/out", "sealed")
        subprocess.run(["umount", "disk"], check=True)

        def same(path):
            self.assertTrue(path.read_bytes() == self.originals[path.relative_to("disk/out")][0], path)
        self.full_then_enlarged(self.SIZES[2:], ("decrypt", "-k", "keys", "-q", "--direct", "on", "sealed", "-o", "disk/out"), same,
                                env=unreserved)
        self.assert_intact("disk/out", self.originals)

    def test_rewrap_needs_no_space(self):
        self.mount("100M")
        self.assertEqual(run("encrypt", "-q", "-k", "keys", "in", "-o", "disk/out")[0], 0)
        self.fill()
        second = run("keyring", "add", "-k", "keys", "-q")[1].strip()
        status, _, err = run("rewrap", "-q", "-k", "keys", "--to", second, "disk/out")
        self.assertEqual(status, 0, err)
        self.decrypted("disk/out")

    def test_keyring(self):
        self.mount("1M")
        new = ("keyring", "new", "-q", "-o", "disk/keys", "--no-passphrase", "--decoy", "decoy.png")
        self.fill()
        status, _, err = run(*new)
        self.assertEqual(status, 7, err)
        self.assertIn("No space left on device", err)
        self.assertFalse(Path("disk/keys").exists())  # and no half of one
        Path("disk/ballast").unlink()
        self.assertEqual(run(*new)[0], 0)
        self.assertEqual(run("encrypt", "-q", "-k", "disk/keys", "in/00", "-o", "sealed")[0], 0)
        self.fill()
        before = Path("disk/keys").read_bytes()
        Path("phrase").write_text("correct horse\n")
        key = run("keyring", "list", "-k", "disk/keys")[1].split()
        self.assertTrue(key)
        for change in (("add",), ("passwd", "--new-passphrase-file", "phrase")):
            with self.subTest(change=change):
                status, _, err = run("keyring", change[0], "-k", "disk/keys", *change[1:])
                self.assertEqual(status, 7, err)
                self.assertIn("No space left on device", err)
                self.assertEqual(Path("disk/keys").read_bytes(), before)
                self.assertFalse(Path("disk/keys.new").exists())
        self.assertEqual(run("verify", "-q", "-k", "disk/keys", "sealed")[0], 0)
        Path("disk/ballast").unlink()
        self.assertEqual(run("keyring", "add", "-q", "-k", "disk/keys")[0], 0)
        self.assertEqual(run("verify", "-q", "-k", "disk/keys", "sealed")[0], 0)

    def test_read_only_file_system(self):
        self.mount("100M")
        self.assertEqual(run("encrypt", "-q", "-k", "keys", "in", "-o", "disk/out")[0], 0)
        subprocess.run(["mount", "-o", "remount,ro", "disk"], check=True)
        second = run("keyring", "add", "-k", "keys", "-q")[1].strip()
        for command in (("rewrap", "-k", "keys", "--to", second, "disk/out"),
                        ("encrypt", "-k", "keys", "in", "-o", "disk/other"),
                        ("decrypt", "-k", "keys", "disk/out", "-o", "disk/other")):
            with self.subTest(command=command[0]):
                status, _, err = run(*command)
                self.assertEqual(status, 7, err)
                self.assertIn("Read-only file system", err)
        self.decrypted("disk/out")

    def test_no_inodes_left(self):
        self.mount("200M", "nr_inodes=12")
        status, _, err = run("encrypt", "-q", "-k", "keys", "in", "-o", "disk/out")
        self.assertEqual(status, 7, err)
        self.assertIn("No space left on device", err)
        self.assertEqual([str(p) for p in Path("disk").rglob("*partial*")], [])
        subprocess.run(["mount", "-o", "remount,nr_inodes=1000", "disk"], check=True)
        self.assertEqual(run("encrypt", "-q", "-k", "keys", "in", "-o", "disk/out")[0], 0)
        self.decrypted("disk/out")


@needs_onednn
class FullDiskForTheGenerator(Disk):
    def setUp(self):
        super().setUp()
        draw = random.Random(1)
        Path("data").mkdir()
        for i in range(24):
            picture(Path(f"data/{i:02}.png"), draw)

    def train(self, where, *options):
        return run("train", "-q", "--data", "data", "-o", where, *SMALL, "--snapshot-every", "1", "--resume", *options)

    def states(self, where):
        return {p.parent.name: p.read_bytes() for p in Path(where, "checkpoints").glob("step-*/state")}

    def assert_full(self, done):
        """Status 7, and a sentence with the file and what to do."""
        self.assertEqual(done[0], 7, done[2])
        self.assertRegex(done[2], r"orrery: disk/run(/\S+)?: .*No space left on device: free some space")
        self.assertIn("run the same command again with --resume", done[2])

    def test_train(self):
        self.assertEqual(self.train("whole", "--epochs", "3")[0], 0)
        whole = self.states("whole")
        self.mount("40k")
        kept, failures, files = {}, 0, set()
        for kib in range(40, 4000, 60):  # room for a little more each time
            self.enlarge(f"{kib}k")
            done = self.train("disk/run", "--epochs", "3")
            if done[0] == 0:
                break
            failures += 1
            self.assert_full(done)
            files.add(done[2].split("disk/run")[1].split(":")[0].split("-")[0])
            now = self.states("disk/run")
            for name, state in now.items():  # whole, and none that was there is gone
                self.assertTrue(state == whole[name], name)
            self.assertLessEqual(set(kept), set(now))
            self.assertEqual([p for p in Path("disk/run/checkpoints").glob("*partial*")], [])
            kept = now
        self.assertEqual(done[0], 0, done[2])
        self.assertGreater(failures, 3)
        self.assertGreater(len(files), 2, files)  # in different files
        self.assertEqual(self.states("disk/run"), whole)
        for name in ("generator.safetensors", "discriminator.safetensors"):
            self.assertEqual(Path("disk/run", name).read_bytes(), Path("whole", name).read_bytes())

    def test_train_on_a_disk_that_fills_up(self):
        self.mount("40M")
        self.assertEqual(self.train("disk/run", "--epochs", "1")[0], 0)
        before = self.states("disk/run")
        self.fill()
        self.assert_full(self.train("disk/run", "--epochs", "3"))
        self.assertEqual(self.states("disk/run"), before)
        Path("disk/ballast").unlink()
        done = self.train("disk/run", "--epochs", "3")
        self.assertEqual(done[0], 0, done[2])
        self.assertEqual(self.train("whole", "--epochs", "3")[0], 0)
        self.assertEqual(self.states("disk/run"), self.states("whole"))

    def test_generate(self):
        Path("weights").write_bytes(safetensors(generator()[0]))
        self.mount("1M")
        new = ("keyring", "new", "--no-passphrase", "--weights", "weights", "--decoys", "9")
        grid = ("generate", "--weights", "weights", "-o", "disk/grid.png")
        files = ("generate", "--weights", "weights", "-n", "400", "-o", "disk/files")
        self.fill()
        for command, said in ((grid, "disk/grid.png: cannot "), (files, "disk/files"), ((*new, "-o", "disk/keys"), "disk/keys"),
                              ((*new, "-o", "keys", "--save-decoys", "disk/saved"), "disk/saved")):
            status, out, err = run(*command)
            self.assertEqual((status, out), (7, ""), err)
            self.assertIn(said, err)
            self.assertIn("No space left on device", err)
        left = [p for p in Path("disk").rglob("*") if is_output(p)]
        self.assertEqual(left, [Path("disk/ballast")])  # directories are empty, and can be used again
        self.assertFalse(Path("keys").exists())
        Path("disk/ballast").unlink()
        self.assertEqual(run(*grid)[0], 0)
        status, _, err = run(*files)  # fills it anew
        self.assertEqual(status, 7, err)
        self.assertRegex(err, r"disk/files/\d{5}.png: cannot .*No space left on device.*free some space.*remove them, or name another")
        sizes = [p.stat().st_size for p in Path("disk/files").iterdir()]
        self.assertGreater(min(sizes), 100)  # each of those that are there is whole
        number = int(re.search(r"(\d{5}).png", err)[1])
        self.assertEqual(len(sizes), number)
        shutil.rmtree("disk/files")
        self.enlarge("10M")
        self.assertEqual(run(*files)[0], 0)
        self.assertEqual(len(os.listdir("disk/files")), 400)


if __name__ == "__main__":
    enter_namespace()
    unittest.main()
