"""Power cuts, by a model (tests/support/powercut.py): what each verb did to the disk is recorded, the directories that a cut at
any moment can leave are built, and the same command runs again on them. Nothing that has a final name is not whole; the same
command finishes; and what a run calls finished a further cut does not take away, whoever wrote it. ORRERY_SEED=N repeats a run."""
import json
import os
import random
import re
import shutil
import tempfile
import unittest
from collections import Counter
from pathlib import Path

from support.cli import SOURCE, Case, memory_directory, needs_onednn, png, run, write_gray_tiff
from support.powercut import DISORDERLY, RECORD, WAYS, Disk, is_killed, parse

SEED = int(os.environ.get("ORRERY_SEED") or random.SystemRandom().getrandbits(32))
IMAGES = 8  # of each command, at random moments


def setUpModule():
    if not RECORD or not Path(RECORD).exists():
        raise unittest.SkipTest("no RECORD library: run by ctest")
    if "libasan" in Path("/proc/self/maps").read_text():
        raise unittest.SkipTest("not under AddressSanitizer")
    tempfile.tempdir = memory_directory(128 << 20)
    print(f"seed {SEED}", flush=True)


class Cuts(Case):
    def setUp(self):
        super().setUp()
        self.rng = random.Random(SEED)
        self.first = self.keyring()
        self.keys = str(self.dir / "keys")
        self.source = self.dir / "scans"
        (self.source / "a" / "empty").mkdir(parents=True)
        for name, size in (("one", 3000), ("a/two", 70000)):
            (self.source / name).write_bytes(random.Random(size).randbytes(size))
        self.names, self.count = ["one", "two"], 0

    def fresh(self):
        """A new directory to be, in which a disk or an image can be made."""
        shutil.rmtree(self.dir / f"disk-{self.count}", ignore_errors=True)
        self.count += 1
        return self.dir / f"disk-{self.count}"

    def disk(self):
        root = self.fresh()
        shutil.copytree(self.dir / "before", root) if (self.dir / "before").exists() else root.mkdir()
        return Disk(root, self.rng)

    def orrery(self, root, *arguments, status=0):
        got, out, err = run(*arguments, cwd=root)
        self.assertEqual(got, status, (arguments, out, err))
        return out + err

    # ---- what must be so

    def assert_named_is_whole(self, root, where="vault"):
        """Of what encrypt and its like write. 9 and 10: not all, or nothing is there."""
        if (root / where).exists():
            status, out, err = run("verify", "-k", self.keys, where, cwd=root)
            self.assertIn(status, (0, 9, 10), out + err)

    def assert_finished(self, root, where="vault"):
        said = self.orrery(root, "verify", "-k", self.keys, where)
        self.assertIn(f"verified {len(self.names)} file", said)
        if self.rng.random() < 0.25:
            self.orrery(root, "decrypt", "-q", "-k", self.keys, where, "-o", "restored")
            self.assert_restored(root)

    def assert_kept(self, root, where="vault"):
        """After a cut: a journal that had gone stays away."""
        said = self.orrery(root, "verify", "-k", self.keys, where)
        self.assertIn(f"verified {len(self.names)} file", said)

    def assert_restored_is_whole(self, root):
        for path in (root / "restored").rglob("*"):
            if path.is_file() and not path.name.startswith(".orrery-"):
                self.assertEqual(path.read_bytes(), (self.source / path.relative_to(root / "restored/scans")).read_bytes())

    def assert_restored(self, root):
        self.assert_restored_is_whole(root)
        names = [p.name for p in (root / "restored").rglob("*") if p.is_file() and not p.name.startswith(".orrery-")]
        self.assertEqual(sorted(names), self.names, os.listdir(root))

    # ---- cuts

    def cut_anywhere(self, command, whole, finished, again=(0,), images=IMAGES, **environment):
        """A cut at any moment of a run, then the same command, whose status is one of `again`."""
        disk = self.disk()
        got, said = disk.run(*command, **environment)
        self.assertEqual(got, 0, said)
        moments = [(disk.calls, way) for way in WAYS]
        moments += [(self.rng.randint(1, disk.calls), self.rng.choice(DISORDERLY)) for _ in range(images)]
        for moment, way in moments:
            with self.subTest(seed=SEED, moment=moment, way=way):
                image = disk.cut(moment, way, self.fresh())
                whole(image)
                status, out, err = run(*command, cwd=image)
                self.assertIn(status, again, out + err)
                finished(image)
        return disk

    def killed_then_cut(self, command, finished, then=None, often=("create", "rename", "link"), **environment):
        """A run that was killed after each call that gave a name, and after some others; the same command (or another one), which
        says that all is finished; then a cut that leaves nothing but what was flushed."""
        disk = self.disk()
        status, said = disk.run(*command)
        self.assertEqual(status, 0, said)
        calls = list(enumerate(disk.names_of_calls(), 1))
        others = [n for n, call in calls if call not in often]
        kills = [n for n, _ in calls if n not in others] + self.rng.sample(others, min(4, len(others)))
        for kill in kills:
            with self.subTest(seed=SEED, kill=kill):
                disk = self.disk()
                status, said = disk.run(*command, kill=kill)
                self.assertTrue(is_killed(status), said)
                status, said = disk.run(*(then or command), **environment)
                self.assertEqual(status, 0, said)
                finished(disk.image("least", self.fresh()))

    def both(self, command, whole, finished, kept):
        self.cut_anywhere(command, whole, finished)
        self.killed_then_cut(command, kept)

    def encrypt(self, where="vault"):
        return "encrypt", "-q", "-j", "1", "-k", self.keys, str(self.source), "-o", where

    def test_encrypt(self):
        self.both(self.encrypt(), self.assert_named_is_whole, self.assert_finished, self.assert_kept)

    def test_encrypt_without_a_keyring(self):
        """What has its name has its record, and the record its key: nothing is refused after a cut, nor made twice."""
        self.assertEqual(run("keyring", "export", "-q", "-k", self.keys, "-o", "to.orrpub")[0], 0)
        for options in ((), ("--names", "opaque")):
            command = ("encrypt", "-q", "-j", "1", "--to", str(self.dir / "to.orrpub"), "--writer-key", "state/key", *options,
                       str(self.source), "-o", "vault")
            self.both(command, self.assert_named_is_whole, self.assert_finished, self.assert_kept)

    def test_where_syncfs_does_not_flush(self):
        self.killed_then_cut(self.encrypt("a/vault"), lambda root: self.assert_kept(root, "a/vault"), ORRERY_RECORD_FUSE="1")

    def test_verify(self):
        """A killed run wrote what it calls whole: that stays so."""
        disk = self.disk()
        disk.run(*self.encrypt())
        renames = [n for n, call in enumerate(disk.names_of_calls(), 1) if call == "rename"]
        for kill in renames[1:]:  # the first one tries whether the file system can
            with self.subTest(kill=kill):
                disk = self.disk()
                self.assertTrue(is_killed(disk.run(*self.encrypt(), kill=kill)[0]))
                _, said = disk.run("verify", "--json", "-k", self.keys, "vault")
                whole = [m["file"] for m in map(json.loads, re.findall("^{.*", said, re.M)) if m.get("outcome") == "done"]
                self.assertGreaterEqual(len(whole), 1, said)
                image = disk.image("least", self.fresh())
                for name in whole:
                    self.orrery(image, "verify", "-k", self.keys, name)

    def test_encrypt_paper(self):
        shutil.rmtree(self.source)
        self.source.mkdir()
        write_gray_tiff(self.source / "scan.tif", 50, 40)
        self.names = ["scan.tif"]
        self.both((*self.encrypt(), "--profile", "paper"), self.assert_named_is_whole,
                  lambda root: self.orrery(root, "verify", "-k", self.keys, "vault"), self.assert_kept)

    def sealed(self, where):
        self.assertEqual(run("encrypt", "-q", "-k", self.keys, "scans", "-o", where)[0], 0)
        return str(self.dir / where)

    def test_decrypt(self):
        self.both(("decrypt", "-q", "-j", "1", "-k", self.keys, self.sealed("sealed"), "-o", "restored"),
                  self.assert_restored_is_whole, self.assert_restored, self.assert_restored)

    def test_reencrypt(self):
        self.both(("reencrypt", "-q", "-j", "1", "-k", self.keys, self.sealed("sealed"), "-o", "vault"),
                  self.assert_named_is_whole, self.assert_finished, self.assert_kept)

    # ---- contents past the page cache

    def past_the_cache(self, command, whole, finished, kept):
        command = *command, "--direct", "on"
        disk = self.cut_anywhere(command, whole, finished)
        if "flight" not in disk.names_of_calls():
            self.skipTest("no io_uring, or no O_DIRECT in " + str(tempfile.tempdir))
        self.killed_then_cut(command, kept, often=("create", "rename", "link", "flight"))

    def large(self):
        (self.source / "a/two").write_bytes(random.Random(SEED).randbytes((6 << 20) + 70000))

    def test_encrypt_past_the_page_cache(self):
        self.large()
        self.past_the_cache(self.encrypt(), self.assert_named_is_whole, self.assert_finished, self.assert_kept)

    def test_decrypt_past_the_page_cache(self):
        self.large()
        self.past_the_cache(("decrypt", "-q", "-j", "1", "-k", self.keys, self.sealed("sealed"), "-o", "restored"),
                            self.assert_restored_is_whole, self.assert_restored, self.assert_restored)

    # ---- many files at once

    def many(self):
        """Files enough for many flushes at once, some of them of one directory."""
        for n in range(24):
            path = self.source / ("a", "a/b", "a/b", f"a/c/{n // 8}/d")[n % 4] / f"{n:02}"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(self.rng.randbytes(300))
        (self.source / "z/empty").mkdir(parents=True)  # no file's flush reaches it
        self.names = sorted(p.name for p in self.source.rglob("*") if p.is_file())
        return {"ORRERY_RECORD_SLOW": "3"}

    def assert_in_groups(self, disk):
        """Flushes were under way at once, and some of a directory were for several names."""
        under_way, most, flushes, names = set(), 0, Counter(), Counter()
        for call, words, _ in parse(disk.records):
            under_way ^= {tuple(words)} if call.startswith("flush") else set()
            most = max(most, len(under_way))
            flushes.update(words[:1] if call == "flushing" else ())
            names.update(words[2:3] if call == "rename" else ())
        self.assertGreater(most, 4)
        self.assertTrue(any(names[inode] > flushes[inode] > 0 for inode in names), (names, flushes))

    def assert_reported_is_there(self, disk):
        """Whatever the journal calls done by some moment a cut at that moment leaves, whole. Returns how many that were."""
        shutil.rmtree(self.dir / "all", ignore_errors=True)
        done, all_of_it = set(), disk.image("most", self.dir / "all")
        for moment, (call, _, data) in enumerate(list(parse(disk.records)), 1):
            lines = [json.loads(line) for line in data.splitlines()] if call == "write" and b'"event":"file"' in data else []
            done |= {line["target"] for line in lines if line["status"] == "ok"}
            if lines:
                image = disk.cut(moment, "least", self.fresh())
                for name in done:
                    path = image / "vault" / name
                    self.assertTrue(path.exists(), (moment, name))
                    self.assertTrue(path.read_bytes() == (all_of_it / "vault" / name).read_bytes(), (moment, name))
        return len(done)

    def test_many_at_once(self):
        environment = self.many()
        command = "encrypt", "-q", "-j", "2", "-k", self.keys, str(self.source), "-o", "vault"
        disk = self.cut_anywhere(command, self.assert_named_is_whole, self.assert_finished, images=24, **environment)
        self.assert_in_groups(disk)
        self.assertEqual(self.assert_reported_is_there(disk), len(self.names))
        self.assertTrue((disk.image("least", self.dir / "end") / "vault/scans/z/empty").is_dir())

    def test_many_at_once_without_a_keyring(self):
        environment = self.many()
        self.assertEqual(run("keyring", "export", "-q", "-k", self.keys, "-o", "to.orrpub")[0], 0)
        command = ("encrypt", "-q", "-j", "2", "--to", str(self.dir / "to.orrpub"), "--writer-key", "state/key", "--names", "opaque",
                   str(self.source), "-o", "vault")
        self.assert_in_groups(self.cut_anywhere(command, self.assert_named_is_whole, self.assert_finished, **environment))

    def test_many_restored_at_once(self):
        environment = self.many()
        command = "decrypt", "-q", "-j", "2", "-k", self.keys, self.sealed("sealed"), "-o", "restored"
        disk = self.cut_anywhere(command, self.assert_restored_is_whole, self.assert_restored, **environment)
        self.assert_in_groups(disk)

    def test_many_at_once_killed_then_cut(self):
        environment = self.many()
        command = "encrypt", "-q", "-j", "2", "-k", self.keys, str(self.source), "-o", "vault"
        disk = self.disk()
        self.assertEqual(disk.run(*command, **environment)[0], 0)
        for kill in sorted(self.rng.sample(range(disk.calls // 3, disk.calls), 12)):
            with self.subTest(seed=SEED, kill=kill):
                disk = self.disk()
                status, said = disk.run(*command, kill=kill, **environment)
                self.assertTrue(status == 0 or is_killed(status), said)  # a group more, and there are fewer calls
                self.assert_named_is_whole(disk.image(self.rng.choice(DISORDERLY), self.dir / f"killed-{kill}"))
                status, said = disk.run(*command, **environment)
                self.assertEqual(status, 0, said)
                self.assert_kept(disk.image("least", self.dir / f"kept-{kill}"))
                self.assert_reported_is_there(disk)

    def test_an_error_at_close(self):
        """What may have been lost has no name, and the same command makes it anew."""
        disk = self.disk()
        status, said = disk.run(*self.encrypt(), LD_PRELOAD=f"{RECORD}:{os.environ['FAULT']}",
                                ORRERY_FAULT="close:0:EIO:vault/scans/")
        self.assertEqual(status, 7, said)
        self.assertEqual(list((disk.root / "vault").rglob("*.orr.tif")), [])
        for way in WAYS:
            with self.subTest(way=way):
                image = disk.image(way, self.fresh())
                self.orrery(image, *self.encrypt())
                self.assert_finished(image)

    # ---- rewrap

    def rewrap(self):
        """The command, and a keyring that has the new key alone."""
        self.sealed("before/vault")
        second = run("keyring", "add", "-k", "keys")[1].strip()
        self.orrery(self.dir, "keyring", "set-state", "-k", "keys", second, "active")
        shutil.copy("keys", "new-keys")
        self.orrery(self.dir, "keyring", "set-state", "-k", "new-keys", "--yes", self.first, "destroyed")
        return "rewrap", "-q", "-j", "1", "-k", self.keys, "vault"

    def assert_opens(self, root, keys="keys"):
        shutil.rmtree(root / "restored", ignore_errors=True)
        self.orrery(root, "decrypt", "-q", "-k", str(self.dir / keys), "vault", "-o", "restored")
        self.assert_restored(root)

    def assert_rewrapped(self, root):
        self.orrery(root, "verify", "-k", self.keys, "vault")
        self.assert_opens(root, "new-keys")

    def test_rewrap(self):
        self.both(self.rewrap(), self.assert_opens, self.assert_rewrapped, self.assert_rewrapped)

    def test_rewrap_killed_then_cut_anywhere(self):
        """What a killed run wrote of a slot may not be on the disk when the next one writes the other."""
        (self.source / "a/two").unlink()
        command, self.names = self.rewrap(), ["one"]
        for kill in (1, 2, 3):
            disk = self.disk()
            self.assertTrue(is_killed(disk.run(*command, kill=kill)[0]))
            status, said = disk.run(*command)
            self.assertEqual(status, 0, said)
            for moment in range(disk.calls + 1):
                for way in ("least", "data", *["random"] * 6):
                    with self.subTest(seed=SEED, kill=kill, moment=moment, way=way):
                        image = disk.cut(moment, way, self.fresh())
                        self.assert_opens(image)
            self.assert_rewrapped(disk.image("least", self.fresh()))

    # ---- repair

    def damaged(self, cut, *options):
        """The command, and what the damaged files of before/vault are to be again."""
        self.assertEqual(run("encrypt", "-q", "-k", "keys", *options, "--parity", "20", "scans", "-o", "before/vault")[0], 0)
        good = {}
        for path in sorted(Path("before/vault").rglob("*.orr.tif")):
            data = good[path.relative_to("before")] = path.read_bytes()
            pages = len(data) // 4096
            for page in (1, 4, pages - 3, pages - 2, pages - 1) if cut else (0, 2, self.rng.randrange(3, 6), pages - 2, pages - 3):
                data = data[: 4096 * page] + self.rng.randbytes(4096) + data[4096 * (page + 1) :]
            path.write_bytes(data[: -3 * 4096] if cut else data)
        return ("repair", "-q", "-j", "1", "-k", self.keys, "vault"), good

    def repair_cut(self, cut, *options):
        command, good = self.damaged(cut, *options)

        def repaired(root):
            for path, data in good.items():
                self.assertTrue((root / path).read_bytes() == data, path)

        def opens(root):
            self.orrery(root, "decrypt", "-q", "-k", self.keys, "vault", "-o", "restored")
            shutil.rmtree(root / "restored")

        self.both(command, opens, repaired, repaired)

    def test_repair(self):
        for cut in (False, True):
            with self.subTest(cut=cut):
                self.repair_cut(cut)
                shutil.rmtree("before")

    def test_repair_from_a_rewrapped_copy(self):
        """Every slot becomes the copy's: one after the other."""
        self.sealed("before/vault")
        shutil.copytree("before/vault", "copy")
        second = run("keyring", "add", "-k", "keys")[1].strip()
        self.orrery(self.dir, "rewrap", "-q", "-k", "keys", "--to", second, "copy")

        def newest(root):
            for path in (root / "vault").rglob("*.orr.tif"):
                self.assertEqual(path.read_bytes(), (self.dir / "copy" / path.relative_to(root / "vault")).read_bytes())

        command = "repair", "-q", "-j", "1", "-k", self.keys, "--from", str(self.dir / "copy"), "vault"
        disk = self.disk()
        self.assertEqual(disk.run(*command)[0], 0)
        for moment in range(disk.calls + 1):
            for way in ("least", "data", *["random"] * 6):
                with self.subTest(seed=SEED, moment=moment, way=way):
                    self.assert_opens(disk.cut(moment, way, self.fresh()))
        newest(disk.image("least", self.fresh()))

    def test_repair_paper(self):
        shutil.rmtree(self.source)
        self.source.mkdir()
        write_gray_tiff(self.source / "scan.tif", 150, 140)
        self.repair_cut(False, "--profile", "paper")

    # ---- keyrings

    def test_keyring(self):
        """A new one is whole or not there; one that is changed is always one of the two."""
        def whole(root):
            if (root / "keys").exists():
                self.orrery(root, "keyring", "list", "-k", "keys")
        new = ("keyring", "new", "-o", "keys", "--no-passphrase", "--decoy", str(self.dir / "decoy.png"))
        self.cut_anywhere(new, whole, whole, again=(0, 6))
        Path("before").mkdir()
        shutil.copy("keys", "before/keys")
        second = run("keyring", "add", "-k", "before/keys")[1].strip()

        for change in (("add", "-k", "keys"), ("set-state", "-k", "keys", second, "active")):
            self.cut_anywhere(("keyring", *change), whole, whole)

    def test_ways_into_a_keyring(self):
        """What replaces a code or a keyring of version 1 is there before the old one goes."""
        def whole(root):
            ways = [[], *(["--recovery-code-file", str(code)] for code in (root / "code", root / "first") if code.exists())]
            opens = [way for way in ways if run("keyring", "list", "-k", "keys", *way, cwd=root)[0] == 0]
            self.assertTrue(opens, "nothing opens the keyring")
        Path("before").mkdir()
        self.keyring("before/keys")
        add = ("keyring", "unlock", "add", "-k", "keys", "--new-recovery-code", "--save-recovery-code")
        self.cut_anywhere((*add, "code"), whole, whole, again=(0, 5, 6))
        self.orrery(self.dir / "before", *add, "first")
        opened = ("-k", "keys", "--recovery-code-file", "first")
        Path("copy").write_bytes(Path("before/keys").read_bytes())
        added = self.orrery(self.dir, "keyring", "add", "-q", "-k", "copy", "--recovery-code-file", "before/first").strip()
        self.assertRegex(added, "^[0-9a-f]{32}$")
        self.cut_anywhere(("keyring", "merge", "--yes", *opened, str(self.dir / "copy")), whole, whole)
        self.cut_anywhere(("keyring", "passwd", *opened, "--no-passphrase"), whole, whole, again=(0, 5))
        for line in (SOURCE / "tests/vectors/secret.txt").read_text().splitlines():
            if line.startswith("keyring1 - "):
                Path("before/old").write_bytes(bytes.fromhex(line.split()[2]))

        def converted(root):
            self.assertIn(run("keyring", "list", "-k", "old", cwd=root)[0], (0, 8))
            kept = root / "old.v1"
            if run("keyring", "list", "-k", "old", cwd=root)[0] == 0:
                self.assertEqual(kept.read_bytes(), Path("before/old").read_bytes())
        self.cut_anywhere(("keyring", "convert", "-k", "old"), converted, converted, again=(0, 2))

    def after_killed_keyring(self, change, use):
        """A `keyring` command is killed at each of its calls; where that left a keyring, `use(its keys)` gives the next command,
        and after that a cut."""
        disk, used = self.disk(), 0
        self.assertEqual(disk.run("keyring", *change)[0], 0)
        for kill in range(1, disk.calls + 1):
            disk = self.disk()
            self.assertTrue(is_killed(disk.run("keyring", *change, kill=kill)[0]))
            status, out, _ = run("keyring", "list", "-k", "keys", cwd=disk.root)
            if status:
                continue
            with self.subTest(kill=kill):
                status, said = disk.run(*use(re.findall("^[0-9a-f]{32}", out, re.M)))
                self.assertEqual(status, 0, said)
                self.assert_kept(disk.image("least", self.fresh()))
                used += 1
        self.assertGreater(used, 0)

    def test_a_keyring_that_is_used_stays(self):
        decoy, self.keys = str(self.dir / "decoy.png"), "keys"
        self.after_killed_keyring(("new", "-o", "keys", "--no-passphrase", "--decoy", decoy), lambda _: self.encrypt())
        self.sealed("before/vault")
        shutil.copy("keys", "before/keys")
        self.after_killed_keyring(("add", "-k", "keys"), lambda keys: ("rewrap", "-q", "-k", "keys", "--to", keys[-1], "vault"))

    # ---- training

    @needs_onednn
    def test_train(self):
        """A checkpoint that a killed run named is gone on from, or was the last one: it stays."""
        Path("images").mkdir()
        for n in range(8):
            png(self.dir / "images" / f"{n}.png", 20 * n)
        command = ("train", "--data", str(self.dir / "images"), "-o", "runs/a", "--image", "32", "--width", "4", "--latent", "8",
                   "--batch", "4", "--epochs", "2", "--keep", "1", "--device", "cpu", "--threads", "1", "--resume")
        disk = self.disk()
        status, said = disk.run(*command)
        self.assertEqual(status, 0, said)
        # Behind each directory that it made, and each checkpoint that it named: "step-" in hexadecimal.
        kills = [n for n, (call, words, _) in enumerate(parse(disk.records), 1)
                 if call == "create" and words[3] == b"d" or call == "rename" and words[3].startswith(b"737465702d")]
        for kill in kills:
            with self.subTest(seed=SEED, kill=kill):
                disk = self.disk()
                self.assertTrue(is_killed(disk.run(*command, kill=kill)[0]))
                status, said = disk.run(*command)
                self.assertEqual(status, 0, said)
                image = disk.image("least", self.fresh())
                self.assertIn("step-0000000004", os.listdir(image / "runs/a/checkpoints"))
                self.assertNotIn("an earlier one is taken", self.orrery(image, *command))  # it is whole


if __name__ == "__main__":
    unittest.main()
