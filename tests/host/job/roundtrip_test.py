"""Round trips through the program, byte for byte: real scans, hard names, trees, links, special files."""
import hashlib
import json
import os
import shutil
import socket
import sys
import unittest
from pathlib import Path

from support.cli import SOURCE, Case, run

DATA = Path(os.environ.get("ORRERY_DATA", SOURCE / ".." / "shared" / "data"))


def state(top):
    """Everything below a directory that a careless program could change."""
    found = {}
    for folder, folders, files in os.walk(os.fsencode(top)):
        for name in folders + files:
            path = os.path.join(folder, name)
            if name == b".orrery-state":  # what a job notes of its sources
                continue
            info = os.lstat(path)
            content = None
            if os.path.islink(path):
                content = os.readlink(path)
            elif os.path.isfile(path):
                with open(path, "rb") as file:
                    content = hashlib.sha256(file.read()).digest()
            found[os.path.relpath(path, os.fsencode(top))] = (info.st_mode, info.st_mtime_ns, info.st_size, content)
    return found


def regular(tree):
    return {path: entry for path, entry in tree.items() if (entry[0] & 0o170000) == 0o100000}


class RoundTrip(Case):
    def setUp(self):
        super().setUp()
        self.keyring()
        self.input = self.dir / "in"
        self.input.mkdir()

    def go(self, *arguments, status=0):
        code, out, err = run(*arguments)
        self.assertEqual(code, status, f"{arguments}: {out}{err}")
        return out, err

    def round_trip(self, *options, expect=None):
        """in -> vault -> back; compares contents, modes and times, and that the source is untouched."""
        before = state(self.input)
        self.go("encrypt", "-k", "keys", "in", "-o", "vault", *options)
        self.assertEqual(state(self.input), before, "encrypt changed its input")
        vault = state("vault")
        self.go("verify", "-k", "keys", "vault")
        self.go("decrypt", "-k", "keys", "vault", "-o", "back")
        self.assertEqual(state("vault"), vault, "decrypt changed its input")
        self.assertEqual(regular(state("back/in")), regular(before) if expect is None else expect)
        left = [path for path in state(self.dir) if b"partial" in path or b"journal" in path]
        self.assertEqual(left, [])

    def fill(self, names):
        for number, name in enumerate(names):
            path = os.path.join(b"in", name)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "wb") as file:
                file.write(os.urandom(number * 37))

    def test_real_files(self):
        if not DATA.is_dir():
            self.skipTest(f"no scans in {DATA}: set ORRERY_DATA")
        count = 0
        for folder in ("scans", "tiff-valid", "tiff-broken"):
            if (DATA / folder).is_dir():
                shutil.copytree(DATA / folder, self.input / folder, symlinks=True)
        count = len(regular(state(self.input)))
        self.assertGreater(count, 50)
        self.round_trip()
        sys.stderr.write(f"{count} real files\n")

    def test_hard_names(self):
        self.fill([b"plain.tif", b"two  words .tif", b"new\nline", b"-o", b"--help", b"-", b'quo"te', b"apo'strophe",
                   b"back\\slash", b"$(touch x)", b"*?[a]", b"tab\there", b"\x01\x7f", b"bad\xff\xfeutf8.tif", b"\xc3",
                   "Übergröße-脳.tif".encode(), b" leading", b"trailing ", b"...", b"..a", b"a.orr.tif", b"x" * 247,
                   b"\xfe" * 247, b"dir with space\n/\xffdir/-x", b"percent%n%s", b".hidden"])
        self.round_trip()

    def test_hard_names_as_arguments(self):
        names = [b"new\nline", b"bad\xff.tif", b'quo"te', b"two words"]
        self.fill(names)
        for name in names:
            self.go(b"encrypt", b"-k", b"keys", b"in/" + name, b"-o", b"vault", b"-q")
        self.go("decrypt", "-k", "keys", "vault", "-o", "back")
        for name in names:
            self.assertEqual(Path(os.fsdecode(b"back/" + name)).read_bytes(),
                             Path(os.fsdecode(b"in/" + name)).read_bytes())
        os.chdir("in")
        Path("-o").write_bytes(b"dash")
        self.go("encrypt", "-k", "../keys", "-o", "../dashes", "--", "-o")
        os.chdir("..")
        self.go("decrypt", "-k", "keys", "dashes", "-o", "back")
        self.assertEqual(Path("back/-o").read_bytes(), b"dash")

    def test_names_without_room_for_the_suffix(self):
        self.fill([b"y" * 248, b"ok"])
        out, err = self.go("encrypt", "-k", "keys", "in", "-o", "vault", status=3)
        self.assertIn("--names opaque", out + err)
        self.assertEqual(len(regular(state("vault/in"))), 1)
        # Opaque names have room for everything.
        before = regular(state("in"))
        self.go("encrypt", "-k", "keys", "in", "-o", "opaque", "--names", "opaque")
        self.go("decrypt", "-k", "keys", "opaque", "-o", "back")
        self.assertEqual(regular(state("back/in")), before)

    def test_opaque_names_tell_nothing(self):
        self.fill([b"Doe^Jane.tif", b"ward 7/Roe^Richard.tif"])
        before = regular(state("in"))
        self.go("encrypt", "-k", "keys", "in", "-o", "vault", "--names", "opaque")
        for path in state("vault"):
            self.assertRegex(path, rb"\A[0-9a-f]{64}\.orr\.tif\Z")
        # The same again finds its own work; a copy under any name still knows where it belongs.
        out, _ = self.go("encrypt", "-k", "keys", "in", "-o", "vault", "--names", "opaque", "--json")
        self.assertEqual(json.loads(out.splitlines()[-1])["present"], 2, out)
        self.assertEqual(len(state("vault")), 2)
        self.go("decrypt", "-k", "keys", "vault", "-o", "back")
        self.assertEqual(regular(state("back/in")), before)

    def test_deep_trees(self):
        path = b"/".join([b"d" * 9] * 400) + b"/scan.tif"
        # os.makedirs with a path this long may pass PATH_MAX: step by step.
        here = os.open("in", os.O_RDONLY)
        for part in path.split(b"/")[:-1]:
            os.mkdir(part, dir_fd=here)
            below = os.open(part, os.O_RDONLY, dir_fd=here)
            os.close(here)
            here = below
        with os.fdopen(os.open("scan.tif", os.O_WRONLY | os.O_CREAT, 0o640, dir_fd=here), "wb") as file:
            file.write(b"deep")
        os.close(here)
        self.go("encrypt", "-k", "keys", "in", "-o", "vault")
        self.go("decrypt", "-k", "keys", "vault", "-o", "back")
        here = os.open("back/in", os.O_RDONLY)
        for part in path.split(b"/")[:-1]:
            below = os.open(part, os.O_RDONLY, dir_fd=here)
            os.close(here)
            here = below
        with os.fdopen(os.open("scan.tif", os.O_RDONLY, dir_fd=here), "rb") as file:
            self.assertEqual(file.read(), b"deep")
        os.close(here)
        for top in ("in", "vault", "back"):
            self.assertEqual(os.system(f"rm -rf {top}"), 0)

    def test_paths_too_long_to_seal_fail_alone(self):
        here = os.open("in", os.O_RDONLY)
        for _ in range(20):
            os.mkdir("e" * 240, dir_fd=here)
            below = os.open("e" * 240, os.O_RDONLY, dir_fd=here)
            os.close(here)
            here = below
        os.close(os.open("far", os.O_WRONLY | os.O_CREAT, 0o600, dir_fd=here))
        os.close(here)
        self.fill([b"near"])
        out, _ = self.go("encrypt", "-k", "keys", "in", "-o", "vault", "--json", status=3)
        self.assertIn("the path is longer than 4096 bytes", out)
        self.assertTrue(Path("vault/in/near.orr.tif").exists())
        os.system("rm -rf in vault")

    def test_empty_directories_keep_the_shape(self):
        for name in ("empty", "a/b/c"):
            (self.input / name).mkdir(parents=True)
        self.fill([b"a/file"])
        self.round_trip()
        self.assertTrue(Path("vault/in/empty").is_dir())
        self.assertTrue(Path("vault/in/a/b/c").is_dir())

    def test_links_and_special_files(self):
        Path("outside").mkdir()
        Path("outside/secret").write_bytes(b"not yours")
        self.fill([b"file", b"sub/other"])
        links = {"to-file": "file", "dangling": "nowhere", "to-outside": "../outside", "to-self": "to-self",
                 "to-parent": "..", "to-root": "/", "sub/loop": "../sub", "to-secret": str(self.dir / "outside/secret")}
        for name, target in links.items():
            os.symlink(target, self.input / name)
        os.mkfifo(self.input / "fifo")
        special = 1
        listener = socket.socket(socket.AF_UNIX)
        listener.bind("in/socket")
        special += 1
        if os.geteuid() == 0:
            try:
                os.mknod("in/null", 0o020666, os.makedev(1, 3))
                special += 1
            except OSError:
                pass
        before = state("in")
        out, _ = self.go("encrypt", "-k", "keys", "in", "-o", "vault", "--json")
        listener.close()
        self.assertEqual(state("in"), before)
        lines = [json.loads(line) for line in out.splitlines()]
        skipped = [m for m in lines if m["message_type"] == "file" and m["outcome"] == "skipped"]
        self.assertEqual(len(skipped), len(links) + special, out)
        self.assertEqual(sorted(regular(state("vault"))), [b"in/file.orr.tif", b"in/sub/other.orr.tif"])
        # Named by the user, a special file is a mistake worth a status; a link is followed.
        self.go("encrypt", "-k", "keys", "in/fifo", "-o", "v2", status=8)
        self.go("encrypt", "-k", "keys", "in/to-file", "-o", "v2")
        self.assertEqual(sorted(regular(state("v2"))), [b"to-file.orr.tif"])
        # A link planted in the output leads nowhere.
        Path("trap").mkdir()
        os.symlink("../outside", "trap/in")
        self.go("encrypt", "-k", "keys", "in", "-o", "trap", "-q", status=7)
        self.go("decrypt", "-k", "keys", "vault", "-o", "trap", "-q", status=7)
        self.assertEqual(sorted(state("outside")), [b"secret"])

    def test_lists(self):
        self.fill([b"a/one", b"a/two", b"b/three", b"new\nline"])
        Path("list").write_bytes(b"in/a/one\nin/b/three\n")
        self.go("encrypt", "-k", "keys", "--files-from", "list", "-o", "vault")
        Path("list0").write_bytes(b"in/new\nline\0in/a/two\0")
        self.go("encrypt", "-k", "keys", "--files-from0", "list0", "-o", "vault")
        self.go("decrypt", "-k", "keys", "vault", "-o", "back")
        self.assertEqual(regular(state("back/in")), regular(state("in")))

    def test_one_file_to_one_file(self):
        self.fill([b"zero", b"scan.tif"])
        before = state("in")
        self.go("encrypt", "-k", "keys", "in/scan.tif", "-o", "sealed.tif")
        self.go("decrypt", "-k", "keys", "sealed.tif", "-o", "again.tif")
        self.assertEqual(Path("again.tif").read_bytes(), Path("in/scan.tif").read_bytes())
        self.assertEqual(os.stat("again.tif").st_mtime_ns, os.stat("in/scan.tif").st_mtime_ns)
        self.assertEqual(state("in"), before)

    def test_modes_and_times(self):
        self.fill([b"a", b"b", b"c", b"d"])
        for name, mode, when in (("a", 0o400, 1), ("b", 0o777, 1_700_000_000_123_456_789),
                                 ("c", 0o604, 4_000_000_000_000_000_001), ("d", 0o600, -5_000_000_001)):
            os.chmod(f"in/{name}", mode)
            os.utime(f"in/{name}", ns=(when, when))
        self.round_trip()

    def test_resume_and_what_is_in_the_way(self):
        self.fill([b"a", b"b", b"c"])
        self.go("encrypt", "-k", "keys", "in", "-o", "vault")
        first = state("vault")
        for verb, source, target in (("encrypt", "in", "vault"), ("decrypt", "vault", "back"), ("decrypt", "vault", "back"),
                                     ("reencrypt", "vault", "new"), ("reencrypt", "vault", "new")):
            out, _ = self.go(verb, "-k", "keys", source, "-o", target, "--json")
            present = json.loads(out.splitlines()[-1])["present"]
            self.assertIn(present, (0, 3))
            if verb == "encrypt":
                self.assertEqual(present, 3)
        self.assertEqual(present, 3)
        self.assertEqual(state("vault"), first)
        # A changed source is not the finished one; nothing is overwritten.
        Path("in/b").write_bytes(b"changed")
        self.go("encrypt", "-k", "keys", "in/b", "-o", "vault/in", status=6)
        self.go("encrypt", "-k", "keys", "in", "-o", "vault", "-q", status=3)
        # The journal says that work is unfinished.
        journal = Path("vault/.orrery-journal").read_text()
        self.assertIn("in/b.orr.tif", journal)
        self.assertEqual({k: v for k, v in regular(state("vault")).items() if b"journal" not in k}, regular(first))
        # Foreign files.
        Path("foreign").mkdir()
        Path("foreign/a.orr.tif").write_bytes(b"mine")
        self.go("encrypt", "-k", "keys", "in/a", "-o", "foreign", status=6)
        self.assertEqual(Path("foreign/a.orr.tif").read_bytes(), b"mine")
        Path("foreign/in").mkdir()
        Path("foreign/in/a").write_bytes(b"mine too")
        self.go("decrypt", "-k", "keys", "vault/in/a.orr.tif", "-o", "foreign", status=6)
        self.assertEqual(Path("foreign/in/a").read_bytes(), b"mine too")

    def test_exit_status_of_several(self):
        self.fill([b"a", b"b"])
        self.go("encrypt", "-k", "keys", "in", "-o", "vault")
        broken = bytearray(Path("vault/in/a.orr.tif").read_bytes())
        broken[-1] ^= 1
        Path("broken.orr.tif").write_bytes(broken)
        Path("junk.orr.tif").write_bytes(b"junk" * 100)
        good = "vault/in/b.orr.tif"
        self.go("verify", "-k", "keys", good)
        self.go("verify", "-k", "keys", "broken.orr.tif", status=4)
        self.go("verify", "-k", "keys", "junk.orr.tif", status=10)
        self.go("verify", "-k", "keys", "junk.orr.tif", good, status=3)
        self.go("verify", "-k", "keys", good, "junk.orr.tif", "broken.orr.tif", status=4)
        self.go("verify", "-k", "keys", good, "missing.orr.tif", status=7)

    def test_sha256(self):
        self.fill([b"a", b"b", b"c"])
        Path("in/big").write_bytes(os.urandom(7_000_000))
        self.go("encrypt", "-k", "keys", "in", "-o", "vault", "--sha256")
        out, _ = self.go("verify", "-k", "keys", "vault", "--json")
        sums = {os.path.basename(m["file"]): m["sha256"] for m in map(json.loads, out.splitlines())
                if m["message_type"] == "file"}
        self.assertEqual(len(sums), 4, out)
        for name, digest in sums.items():
            original = Path("in") / name[:-len(".orr.tif")]
            self.assertEqual(digest, hashlib.sha256(original.read_bytes()).hexdigest())


if __name__ == "__main__":
    unittest.main()
