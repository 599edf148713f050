"""Outputs on file systems that refuse, round, cannot or die: a FUSE file system of the tests' own (tests/support/fuse/faultfs.c),
and, as root, ext4 with small inodes and NTFS on loop devices."""
import os
import re
import resource
import shutil
import subprocess
import time
import unittest
from pathlib import Path

from support.cli import ORRERY, Case, has_module, is_output, needs_onednn, png, run

FAULTFS = str(Path(os.environ.get("BUILD", "build"), "tests", "faultfs"))
FAULT = os.environ.get("FAULT")
FUSERMOUNT = shutil.which("fusermount3")
WHEN = 1_400_000_000_987_654_321  # ns


def why_no_fuse():
    if not Path(FAULTFS).exists():
        return "faultfs was not built (libfuse3-dev)"
    if not os.path.exists("/dev/fuse") or not FUSERMOUNT:
        return "no /dev/fuse, or no fusermount3 (fuse3)"
    return ""


class Target(Case):
    """`in` holds three files (one in a directory), `sealed` their archive."""

    def setUp(self):
        super().setUp()
        self.key = self.keyring()
        for name, size in {"a.tif": 1000, "b.tif": 70_000, "sub/c.tif": 3}.items():
            path = Path("in", name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(os.urandom(size))
            os.utime(path, ns=(0, WHEN))
        self.done("encrypt", "-q", "-k", "keys", "in", "-o", "sealed")

    def done(self, *arguments):
        status, out, err = run(*arguments)
        self.assertEqual(status, 0, f"{arguments}: {err}")
        return err

    def mount(self, words=""):
        """Mounts faultfs at `mnt`; returns the function that sets its faults."""
        if why_no_fuse():
            self.skipTest(why_no_fuse())
        Path("beneath").mkdir()
        Path("mnt").mkdir()
        folder = os.getcwd()

        def control(text):
            Path(folder, "control.new").write_text(text)
            os.replace(Path(folder, "control.new"), Path(folder, "control"))
        control(words)
        self.server = subprocess.Popen([FAULTFS, "beneath", "mnt", f"{folder}/control"], stdout=subprocess.DEVNULL,
                                       stderr=subprocess.PIPE)
        self.addCleanup(self.unmount, f"{folder}/mnt")
        while not os.path.ismount("mnt"):
            if self.server.poll() is not None:
                self.skipTest("FUSE is refused here: " + self.server.stderr.read().decode(errors="replace").strip())
            time.sleep(0.01)
        return control

    def unmount(self, place):
        subprocess.run([FUSERMOUNT, "-u", "-z", place], stderr=subprocess.DEVNULL, check=False)
        self.server.kill()
        self.server.wait()
        self.server.stderr.close()

    def assert_restored(self, folder, exact=True):
        for source in (p for p in Path("in").rglob("*") if p.is_file()):
            copy = Path(folder, source)
            self.assertTrue(copy.read_bytes() == source.read_bytes(), copy)
            if exact:
                self.assertEqual(copy.stat().st_mtime_ns, WHEN)

    def assert_nothing_left(self, folder):
        self.assertEqual([str(p) for p in Path(folder).rglob(".orrery-*") if not p.name.startswith(".orrery-state")], [])

    def summary(self, *arguments):
        status, out, err = run(*arguments, "--json")
        return status, self.messages(out, status)


class Refused(Target):
    def test_what_is_refused_costs_no_output(self):
        control = self.mount()
        cases = (("chmod=EPERM", "does not keep permissions .Operation not permitted", "without_mode"),
                 ("chmod=ENOTSUP", "does not keep permissions .Operation not supported", "without_mode"),
                 ("ignore=chmod", "does not keep permissions .they read back as others", "without_mode"),
                 ("utimens=EPERM", "does not take times .Operation not permitted", "without_exact_time"),
                 ("fsync=ENOTSUP", "does not flush files .Operation not supported", "not_flushed"),
                 ("fsync=EINVAL", "does not flush files .Invalid argument", "not_flushed"),
                 ("fsyncdir=ENOTSUP", "does not flush directories .Operation not supported", "not_flushed"),
                 ("fsyncdir=EINVAL", "does not flush directories .Invalid argument", "not_flushed"))
        for n, (words, sentence, count) in enumerate(cases):
            with self.subTest(words):
                control(words)
                before = control and list(Path("mnt").iterdir())
                status, messages = self.summary("decrypt", "-k", "keys", "sealed", "-o", f"mnt/{n}")
                warnings = [m["text"] for m in messages if m["message_type"] == "warning"]
                self.assertEqual(status, 0, messages)
                self.assertEqual(len(warnings), 1, warnings)
                self.assertRegex(warnings[0], sentence)
                self.assertEqual({key: messages[-1][key] for key in ("without_mode", "without_exact_time", "not_flushed")},
                                 {"without_mode": 0, "without_exact_time": 0, "not_flushed": 0, count: 3})
                self.assertEqual(len(list(Path("mnt").iterdir())), len(before) + 1)
                self.assert_restored(f"mnt/{n}", exact=not words.startswith("utimens"))
                self.assert_nothing_left(f"mnt/{n}")
                # People read it in the line of figures; encrypt, too, loses no output.
                err = self.done("encrypt", "-k", "keys", "in", "-o", f"mnt/{n}e")
                if not words.startswith("utimens"):
                    self.assertRegex(err, sentence)
                    self.assertIn("3 without their mode" if count == "without_mode" else "3 not flushed", err)
                self.assert_nothing_left(f"mnt/{n}e")
                self.done("verify", "-q", "-k", "keys", f"mnt/{n}e")
                self.done("encrypt", "-q", "-k", "keys", "in", "-o", f"mnt/{n}e")  # all is there already
                modes = {oct(p.stat().st_mode & 0o7000) for p in Path("mnt", f"{n}e").rglob("*") if is_output(p)}
                self.assertEqual(modes, {"0o0"})

    def test_one_sentence_says_that_nothing_is_flushed(self):
        self.mount("fsync=ENOTSUP fsyncdir=ENOTSUP")
        self.assertEqual(self.done("decrypt", "-k", "keys", "sealed", "-o", "mnt/out").count("does not flush"), 1)

    def test_what_goes_wrong_is_no_refusal(self):
        control = self.mount()
        for words in ("chmod=EIO", "utimens=EIO", "fsync=EIO", "fsyncdir=EIO", "flush=EIO", "fsync=ENOSPC"):
            with self.subTest(words):
                control(words)
                status, _, err = run("decrypt", "-q", "-k", "keys", "sealed", "-o", "mnt/out")
                self.assertEqual(status, 7, err)
                control("")
                self.assertEqual([str(p) for p in Path("mnt").rglob("*") if p.is_file()], [])
                shutil.rmtree("mnt/out", ignore_errors=True)

    @needs_onednn
    def test_other_writers_take_a_refused_flush(self):
        self.mount("fsync=ENOTSUP fsyncdir=ENOTSUP")
        Path("data").mkdir()
        for i in range(8):
            png(Path(f"data/{i}.png"), i)
        weights = Path(os.environ["SOURCE"], "models", "skin64", "generator.safetensors")
        status, _, err = run("generate", "--weights", str(weights), "--count", "1", "-o", "mnt/images")
        self.assertEqual(status, 0, err)
        self.assertIn("does not flush", err)
        if has_module("evidence"):
            status, _, err = run("analyze", "--quick", "--only", "images", "-o", "mnt/report")
            self.assertEqual(status, 0, err)
            self.assertEqual(err.count("does not flush"), 1)
        status, _, err = run("train", "--data", "data", "-o", "mnt/run", "--image", "32", "--width", "2", "--latent", "2", "--batch",
                             "4", "--device", "cpu", "--threads", "1", "--epochs", "1")
        self.assertEqual(status, 0, err)
        self.assertIn("does not flush", err)


class Names(Target):
    def test_without_links_or_careful_renames(self):
        """exFAT, and most FUSE mounts: a name is looked up, then given."""
        control = self.mount()
        for n, (words, said) in enumerate((("noreplace=EINVAL", False), ("noreplace=EINVAL link=EPERM", True),
                                           ("noreplace=ENOSYS link=ENOTSUP", True))):
            with self.subTest(words):
                control(words)
                Path(f"mnt/{n}").mkdir()
                err = self.done("encrypt", "-v", "-k", "keys", "in", "-o", f"mnt/{n}/out")
                self.assertEqual(err.count("looked up before it is given"), said, err)
                self.done("verify", "-q", "-k", "keys", f"mnt/{n}/out")
                self.assertNotIn("looked up", self.done("reencrypt", "-k", "keys", f"mnt/{n}/out", "-o", f"mnt/{n}/again"))
                self.done("decrypt", "-q", "-k", "keys", f"mnt/{n}/again", "-o", f"mnt/{n}/back")
                self.assert_restored(f"mnt/{n}/back")
                self.done("encrypt", "-q", "-k", "keys", "in/a.tif", "-o", f"mnt/{n}/single.orr.tif")
                self.done("decrypt", "-q", "-k", "keys", f"mnt/{n}/single.orr.tif", "-o", f"mnt/{n}/single.tif")
                self.assertEqual(Path(f"mnt/{n}/single.tif").read_bytes(), Path("in/a.tif").read_bytes())
                self.assert_nothing_left("mnt")
                # Shards, and nothing that is there is replaced.
                for shard in ("1/2", "2/2"):
                    self.done("encrypt", "-q", "-k", "keys", "in", "-o", f"mnt/{n}/shards", "--shard", shard)
                self.assertEqual(len(list(Path(f"mnt/{n}/shards").rglob("*.orr.tif"))), 3)
                for taken, command in ((f"mnt/{n}/back/in/a.tif", ("decrypt", "sealed", "-o", f"mnt/{n}/back")),
                                       (f"mnt/{n}/single.tif", ("decrypt", f"mnt/{n}/single.orr.tif", "-o", f"mnt/{n}/single.tif"))):
                    Path(taken).write_bytes(b"mine")
                    status, _, err = run(*command, "-q", "-k", "keys")
                    self.assertIn(status, (3, 6), err)
                    self.assertEqual(Path(taken).read_bytes(), b"mine")

    @unittest.skipUnless(FAULT and Path(FAULT).exists(), "no FAULT library: run by ctest")
    def test_inode_numbers_that_do_not_last(self):
        """FUSE gives each name of a file a number of its own, some servers another one each time: nothing of a job's
        stays, nothing that is finished is thrown away, and nobody else's file is removed."""
        for ino in ("names", "moving"):
            control = self.mount(f"ino={ino} noreplace=EINVAL")
            for n, words in enumerate(("noreplace=EINVAL", "noreplace=EINVAL link=EPERM", "", "noreplace=EINVAL ignore=chmod")):
                with self.subTest(f"{ino} {words}"):
                    control(f"ino={ino} {words}")
                    self.done("encrypt", "-q", "-k", "keys", "in", "-o", f"mnt/{n}")
                    self.done("decrypt", "-q", "-k", "keys", f"mnt/{n}", "-o", f"mnt/{n}back")
                    self.assert_restored(f"mnt/{n}back")
                    piped = subprocess.run([ORRERY, "decrypt", "-q", "-k", "keys", f"mnt/{n}/in/a.tif.orr.tif", "-o", "-"],
                                           capture_output=True, check=False)
                    self.assertEqual((piped.returncode, piped.stdout), (0, Path("in/a.tif").read_bytes()), piped.stderr)
                    for shard in ("1/2", "2/2"):
                        self.done("encrypt", "-q", "-k", "keys", "in", "-o", f"mnt/{n}shards", "--shard", shard)
                    self.done("rewrap", "-q", "-k", "keys", f"mnt/{n}")
                    self.keyring(f"mnt/{n}keys")
                    self.assert_nothing_left("mnt")
                    # A damaged output is put aside, and made anew.
                    damaged = Path(f"mnt/{n}/in/b.tif.orr.tif")
                    data = bytearray(damaged.read_bytes())
                    data[-5000] ^= 1
                    damaged.write_bytes(data)
                    self.done("encrypt", "-q", "-k", "keys", "in", "-o", f"mnt/{n}", "--redo-damaged")
                    self.done("verify", "-q", "-k", "keys", damaged)
                    # What is not sure to last does not pass for finished.
                    for call, count in (("fsync", 4), ("fchmod", 2 if "ignore" in words else 3)):
                        for number in range(1, count + 1):
                            environment = {**os.environ, "LD_PRELOAD": FAULT, "ORRERY_FAULT": f"{call}:{number}:EIO:mnt"}
                            status, _, err = run("decrypt", "-q", "-k", "keys", "sealed/in/a.tif.orr.tif", "-o", f"mnt/{n}.tif",
                                                 env=environment)
                            self.assertEqual(status, 7, (call, number, err))
                            self.assertFalse(Path(f"mnt/{n}.tif").exists(), (call, number, err))
                    self.assert_nothing_left("mnt")
            self.unmount(f"{os.getcwd()}/mnt")
            shutil.rmtree("beneath")
            Path("mnt").rmdir()

    def test_probes_of_a_killed_run(self):
        """Also without the mark, which not every target keeps: they hold nothing, so they go, and are no sources."""
        Path("out/in").mkdir(parents=True)
        for folder in ("in/sub", "out/in"):
            for digit, (data, mode) in {"0": (b"", 0o600), "1": (b"\0", 0o640), "2": (b"\0", 0o1640), "3": (b"mine", 0o600)}.items():
                path = Path(folder, f".orrery-{digit * 16}.probe")
                path.write_bytes(data)
                path.chmod(mode)
        self.done("encrypt", "-q", "-k", "keys", "in", "-o", "out")
        mine = f".orrery-{'3' * 16}.probe"
        self.assertEqual([p.name for p in Path("out/in").glob("*.probe")], [mine])
        self.assertEqual([p.name for p in Path("out/in/sub").glob(".orrery-*")], [f"{mine}.orr.tif"])

    @unittest.skipUnless(FAULT and Path(FAULT).exists(), "no FAULT library: run by ctest")
    def test_what_appears_meanwhile_stays(self):
        self.mount("noreplace=EINVAL link=EPERM")
        environment = {**os.environ, "LD_PRELOAD": FAULT, "ORRERY_FAULT": "pwrite:0:slow:.partial"}
        Path("in/big").write_bytes(os.urandom(20 << 20))
        job = subprocess.Popen([ORRERY, "encrypt", "-q", "-j", "1", "-k", "keys", "in/big", "-o", "mnt/big.orr.tif"], env=environment,
                               stderr=subprocess.PIPE)
        while not list(Path("mnt").glob(".orrery-*.partial")) and job.poll() is None:
            time.sleep(0.01)
        Path("mnt/big.orr.tif").write_bytes(b"mine")
        err = job.communicate()[1].decode()
        self.assertEqual(job.returncode, 6, err)
        self.assertIn("appeared while it was being written", err)
        self.assertEqual(Path("mnt/big.orr.tif").read_bytes(), b"mine")
        self.assert_nothing_left("mnt")


class Times(Target):
    def resumes(self, folder, warned=True):
        """Restores into `folder`, twice: the second run finds all of it finished."""
        status, messages = self.summary("decrypt", "-k", "keys", "sealed", "-o", folder)
        self.assertEqual(status, 0, messages)
        warnings = [m["text"] for m in messages if m["message_type"] == "warning"]
        self.assertEqual(len([w for w in warnings if "rounded or clamped" in w]), int(warned), warnings)
        self.assertEqual(messages[-1]["without_exact_time"], 3 if warned else 0)
        self.assert_restored(folder, exact=not warned)
        for options in ([], ["--dry-run"]):
            status, messages = self.summary("decrypt", "-k", "keys", "sealed", "-o", folder, *options)
            self.assertEqual((status, messages[-1]["present"]), (0, 3), messages)
        self.assert_nothing_left(folder)

    def test_coarse_times(self):
        control = self.mount()
        for n, grain in enumerate((0, 100, 1000, 10_000_000, 1_000_000_000, 2_000_000_000)):
            with self.subTest(grain=grain):
                control(f"grain={grain}")
                self.resumes(f"mnt/{n}", grain > 0)

    def test_years_that_are_clamped(self):
        control = self.mount(f"latest={(WHEN // 10**9) - 400_000_000}")
        status, messages = self.summary("decrypt", "-k", "keys", "sealed", "-o", "mnt/out")
        self.assertEqual((status, messages[-1]["without_exact_time"]), (0, 3), messages)
        status, messages = self.summary("decrypt", "-k", "keys", "sealed", "-o", "mnt/out")
        self.assertEqual((status, messages[-1]["present"]), (0, 3), messages)
        control("")

    def loop(self, make, mount):
        """A file system in a file, on a loop device at `disk`."""
        if os.geteuid() != 0:
            self.skipTest("loop mounts need root")
        if not shutil.which(make[0]) or (mount[0] != "mount" and not shutil.which(mount[0])):
            self.skipTest(f"{make[0]} or {mount[0]} is not installed")
        with open("image", "wb") as image:
            image.truncate(64 << 20)
        subprocess.run([*make, "image"], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        Path("disk").mkdir()
        done = subprocess.run([*mount, "image", "disk"], stderr=subprocess.PIPE, check=False)
        if done.returncode != 0:
            self.skipTest(f"cannot be mounted here: {done.stderr.decode(errors='replace').strip()}")
        self.addCleanup(subprocess.run, ["umount", f"{os.getcwd()}/disk"], check=False)

    def test_ext4_with_small_inodes(self):
        self.loop(["mkfs.ext4", "-q", "-F", "-I", "128"], ["mount", "-o", "loop"])
        self.resumes("disk/out")
        # Beyond what 32 bits hold.
        for path in Path("in").rglob("*"):
            os.utime(path, ns=(0, 5_000_000_000 * 10**9))
        self.done("encrypt", "-q", "-k", "keys", "in", "-o", "late")
        for present in (0, 3):
            status, messages = self.summary("decrypt", "-k", "keys", "late", "-o", "disk/late")
            self.assertEqual((status, messages[-1]["present"]), (0, present), messages)

    def test_ext4(self):
        self.loop(["mkfs.ext4", "-q", "-F", "-I", "256"], ["mount", "-o", "loop"])
        self.resumes("disk/out", warned=False)

    def test_ntfs(self):
        self.loop(["mkfs.ntfs", "-q", "-F", "-f"], ["ntfs-3g"])
        self.resumes("disk/out")


class LongNames(Target):
    def test_a_target_with_short_names(self):
        """eCryptfs takes 143 bytes: a failed file among others, before its work."""
        self.mount("longest=143")
        for name in ("in/" + "n" * 140, "in/" + "d" * 144 + "/x"):
            Path(name).parent.mkdir(exist_ok=True)
            Path(name).write_bytes(b"long")
        status, messages = self.summary("encrypt", "-k", "keys", "in", "-o", "mnt/out")
        failed = [m for m in messages if m.get("outcome") == "failed"]
        self.assertEqual((status, messages[-1]["done"]), (3, 3), messages)
        self.assertEqual({m["status"] for m in failed}, {"unsupported"}, failed)
        for message in failed:
            self.assertIn("longer than its file system takes: use --names opaque", message["reason"])
        self.done("encrypt", "-q", "-k", "keys", "in", "-o", "mnt/opaque", "--names", "opaque")
        status, messages = self.summary("decrypt", "-k", "keys", "mnt/opaque", "-o", "mnt/back")
        self.assertEqual((status, messages[-1]["done"], messages[-1]["failed"]), (3, 4, 1), messages)
        reason = next(m["reason"] for m in messages if m.get("outcome") == "failed")
        self.assertIn("takes: decrypt this file alone, and name it with -o, or choose another output", reason)
        self.done("decrypt", "-q", "-k", "keys", "mnt/opaque", "-o", "back")


class Dying(Target):
    def many(self, folder, count=60):
        Path(folder).mkdir()
        for n in range(count):
            Path(folder, f"{n:03}.tif").write_bytes(os.urandom(500))

    def assert_broke_off(self, result, sentence):
        """One line says what went wrong; not every file was tried."""
        status, _, err = result
        self.assertEqual(status, 7, err)
        self.assertEqual(len(re.findall("^orrery: (?!warning)", err, re.M)), 1, err)
        self.assertRegex(err, sentence)
        self.assertIn("the job broke off: every other file would have failed as well", err)

    def test_a_target_that_dies(self):
        control = self.mount()
        self.many("many")
        self.done("encrypt", "-q", "-k", "keys", "many", "-o", "vault")
        for n, (error, sentence) in enumerate((("EIO", "Input/output error"), ("ENODEV", "No such device"), ("ESTALE", "Stale"),
                                               ("EROFS", "Read-only file system"), ("ENOTCONN", "not connected"))):
            for verb, source in (("encrypt", "many"), ("decrypt", "vault"), ("reencrypt", "vault")):
                with self.subTest(error=error, verb=verb):
                    control("")
                    before = len(list(Path("beneath").rglob("*.tif")))
                    control(f"all={error} deadly={self.renames() + 7}")
                    command = (verb, "-k", "keys", source, "-o", f"mnt/{n}{verb}")
                    self.assert_broke_off(run(*command), sentence)
                    control("")
                    self.assertLess(len(list(Path("beneath").rglob("*.tif"))) - before, 60)
                    self.done(*command, "-q")  # and the same command does the rest
                    self.assertEqual(len(list(Path("beneath").rglob("*.tif"))) - before, 60)

    def renames(self):
        """How many there were, as faultfs counts."""
        return int(os.getxattr("mnt", "user.renames"))

    def test_a_server_that_is_gone(self):
        self.mount()
        self.many("many")
        Path("mnt/in").mkdir()
        for path in Path("many").iterdir():
            shutil.copy(path, "mnt/in")
        self.server.kill()
        self.server.wait()
        for command in (("encrypt", "many", "-o", "mnt/out"), ("encrypt", "mnt/in", "-o", "out"), ("verify", "mnt/in")):
            with self.subTest(command):
                status, _, err = run(*command, "-k", "keys")
                self.assertEqual(status, 7, err)
                self.assertEqual(len(re.findall("^orrery: (?!warning)", err, re.M)), 1, err)
                self.assertIn("is its disk or share still there?", err)

    def test_a_source_that_dies(self):
        control = self.mount()
        self.many("beneath/in")
        self.done("encrypt", "-q", "-k", "keys", "beneath/in", "-o", "beneath/vault")
        for error in ("EIO", "ESTALE"):
            for verb, options in (("encrypt", ["mnt/in", "-o", "out"]), ("verify", ["mnt/vault"]),
                                  ("decrypt", ["mnt/vault", "-o", "back"]), ("reencrypt", ["mnt/vault", "-o", "again"])):
                for words in (f"read={error}", f"all={error}"):
                    with self.subTest(error=error, verb=verb, words=words):
                        control(words if words.startswith("read") else words + " deadly=0")
                        status, messages = self.summary(verb, "-k", "keys", *options)
                        self.assertEqual(status, 7)
                        self.assertEqual(messages[-1]["broke_off"], words.startswith("read"))
                        self.assertLess(messages[-1]["files"], 40)
                        for folder in ("out", "back", "again"):
                            shutil.rmtree(folder, ignore_errors=True)

    @unittest.skipUnless(FAULT and Path(FAULT).exists(), "no FAULT library: run by ctest")
    def test_bad_sectors_stop_nothing(self):
        """Ten files in a row that cannot be read, on a disk that reads the others."""
        self.many("many")
        environment = {**os.environ, "LD_PRELOAD": FAULT, "ORRERY_FAULT": "pread:0:EIO:many/03"}
        status, out, err = run("encrypt", "-j", "1", "-k", "keys", "many", "-o", "out", "--json", env=environment)
        summary = self.messages(out, status)[-1]
        self.assertEqual((status, summary["done"], summary["failed"], summary["broke_off"]), (7, 50, 10, False), err)

    def test_no_descriptors(self):
        """A tree that is deeper than files may be open."""
        deep = Path("deep")
        for level in range(60):
            deep.mkdir()
            Path(deep, "0.tif").write_bytes(b"x")
            deep = deep / "d"
        for n in range(40):
            Path(f"deep/z{n}.tif").write_bytes(b"x")
        limit = lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (48, 48))
        result = run("encrypt", "-j", "1", "-k", "keys", "deep", "-o", "out", preexec_fn=limit)
        self.assert_broke_off(result, "Too many open files: allow more open files")


if __name__ == "__main__":
    unittest.main()
