"""The command line at work, from outside: jobs over many files, JSON lines, terminals, signals."""
import hashlib
import os
import pty
import re
import select
import shutil
import signal
import struct
import subprocess
import time
import unittest
from pathlib import Path

from support.cli import ORRERY, Case, partials, png, run, slowly


class Jobs(Case):
    def setUp(self):
        super().setUp()
        self.key = self.keyring()
        Path("in/sub").mkdir(parents=True)
        Path("in/a.bin").write_bytes(os.urandom(100_000))
        Path("in/sub/empty").write_bytes(b"")
        Path("in/sub/c d").write_bytes(b"hello\n")
        os.utime("in/a.bin", ns=(1, 1_500_000_000_123_456_789))
        os.chmod("in/a.bin", 0o640)

    def encrypt(self, *options):
        return run("encrypt", "-k", "keys", "in", "-o", "out", *options)

    def test_round_trip(self):
        status, out, err = self.encrypt()
        self.assertEqual((status, out), (0, ""), err)
        self.assertRegex(err, r"encrypted 3 files \(97\.7 KiB\) in \d+\.\d s, [\d.]+ \w+/s\n\Z")
        self.assertEqual(err.count("file names stay readable"), 1)
        status, out, err = self.encrypt("-q")
        self.assertEqual((status, out, err), (0, "", ""))
        self.assertRegex(self.encrypt()[2], r"encrypted no file; 3 already finished\n\Z")
        status, out, err = run("verify", "-k", "keys", "out")
        self.assertEqual((status, out), (0, ""), err)
        self.assertRegex(err, r"\Averified 3 files ")
        status, out, err = run("verify", "-k", "keys", "-v", "-j", "2", "out")
        self.assertIn("verified out/in/a.bin.orr.tif\n", err)
        status, out, err = run("decrypt", "-k", "keys", "out", "-o", "back")
        self.assertEqual((status, out), (0, ""), err)
        for name in ("a.bin", "sub/empty", "sub/c d"):
            self.assertEqual(Path("back/in", name).read_bytes(), Path("in", name).read_bytes())
        found = os.stat("back/in/a.bin")
        self.assertEqual((found.st_mode & 0o777, found.st_mtime_ns), (0o640, 1_500_000_000_123_456_789))

    def test_rotation(self):
        self.encrypt("-q")
        second = run("keyring", "add", "-k", "keys", "-q")[1].strip()
        # A part of the ID; so long that the other key's, both being random, does not begin alike.
        status, _, err = run("rewrap", "-k", "keys", "--to", second[:12], "out")
        self.assertEqual(status, 0, err)
        self.assertRegex(err, r"rewrapped 3 files in ")
        shown = self.messages(run("inspect", "--json", "out/in/a.bin.orr.tif")[1], 0)[0]
        self.assertEqual([(s["generation"], s["key_ids"]) for s in shown["slots"]], [(2, [second]), (2, [second])])
        status, _, err = run("reencrypt", "-k", "keys", "out", "-o", "out2")
        self.assertEqual(status, 0, err)
        self.assertRegex(err, r"re-encrypted 3 files ")
        again = self.messages(run("inspect", "--json", "out2/in/a.bin.orr.tif")[1], 0)
        self.assertEqual(again[0]["slots"][0]["key_ids"], [self.key])
        self.assertNotEqual(again[0]["file_id"], shown["file_id"])
        self.assertEqual(run("rewrap", "-k", "keys", "--to", "0" * 12, "out")[0], 5)

    def test_dry_run_writes_nothing(self):
        status, _, err = self.encrypt("--dry-run")
        self.assertEqual(status, 0)
        self.assertIn("would encrypt in/a.bin -> in/a.bin.orr.tif", err)
        self.assertRegex(err, r"would encrypt 3 files\n\Z")
        self.assertFalse(Path("out").exists())

    def test_two_inputs_with_one_path(self):
        for n in "12":
            Path(n).mkdir()
            Path(n, "slice").write_bytes(os.urandom(9_000_000))
            os.utime(Path(n, "slice"), (1, 1))  # the same size and time: nothing but the path tells
        for options in ([], ["--names", "opaque"]):
            status, _, err = run("encrypt", "-k", "keys", "1/slice", "2/slice", "-o", "one" + "".join(options), *options)
            self.assertEqual(status, 3, err)
            self.assertIn("2/slice: another file of this job has the same path", err)
        self.assertEqual(run("verify", "-k", "keys", "one")[0], 9)  # the second is not in it
        self.assertEqual(run("decrypt", "-k", "keys", "one", "-o", "plain")[0], 0)
        self.assertEqual(Path("plain/slice").read_bytes(), Path("1/slice").read_bytes())
        status, _, err = run("encrypt", "-k", "keys", "1/slice", "in", "1/slice", "-o", "once", "-v")
        self.assertEqual(status, 0, err)
        self.assertIn("given before", err)
        # Two encrypted files of one original path: neither decrypt nor reencrypt drops one in silence.
        for n in "12":
            self.assertEqual(run("encrypt", "-k", "keys", n + "/slice", "-o", "two/" + n)[0], 0)
        status, _, err = run("decrypt", "-k", "keys", "two", "-o", "from-decrypt")
        self.assertEqual(status, 0, err)
        self.assertIn('two/2/slice.orr.tif: of the files that are "slice" by their seals this one was sealed last', err)
        self.assertEqual(Path("from-decrypt/slice").read_bytes(), Path("2/slice").read_bytes())
        status, _, err = run("reencrypt", "-k", "keys", "two", "-o", "from-reencrypt")
        self.assertEqual(status, 3, err)
        self.assertIn("two/2/slice.orr.tif: another file of this job", err)
        self.assertEqual([p.name for p in Path("from-reencrypt").iterdir() if not p.name.startswith(".")], ["slice.orr.tif"])

    def test_dry_run_leaves_partial_files(self):
        Path("out").mkdir()
        partial = Path("out", ".orrery-0123456789abcdef.partial")
        partial.write_bytes(b"of a killed job")
        partial.chmod(0o1600)
        for verb, source in (("encrypt", "in"), ("reencrypt", "in")):
            run(verb, "-k", "keys", source, "-o", "out", "--names", "opaque", "--dry-run")
            self.assertTrue(partial.exists())
        err = run("encrypt", "-k", "keys", "in", "-o", "none", "--names", "opaque", "--dry-run")[2]
        self.assertIn("would encrypt in/a.bin\n", err)
        self.assertEqual(self.encrypt("--names", "opaque", "-q")[0], 0)
        self.assertFalse(partial.exists())

    def test_json(self):
        weird = os.fsencode("in/") + b"bad\xff\x1bname\n"
        Path(os.fsdecode(weird)).write_bytes(b"x")
        os.symlink("a.bin", "in/link")
        status, out, err = self.encrypt("--json", "--sha256")
        self.assertEqual((status, err), (0, ""))
        messages = self.messages(out, 0)
        files = {m["file"]: m for m in messages if m["message_type"] == "file"}
        self.assertEqual(set(files), {"in/a.bin", "in/sub/empty", "in/sub/c d", "in/bad\ufffd\x1bname\n", "in/link"})
        one = files["in/a.bin"]
        self.assertEqual((one["outcome"], one["bytes"], one["status"], one["exit_status"], one["target"]),
                         ("done", 100_000, "ok", 0, "in/a.bin.orr.tif"))
        self.assertNotIn("file_bytes_hex", one)
        self.assertEqual(files["in/bad\ufffd\x1bname\n"]["file_bytes_hex"], weird.hex())
        self.assertEqual(files["in/link"]["outcome"], "skipped")
        self.assertEqual(one["sha256"], hashlib.sha256(Path("in/a.bin").read_bytes()).hexdigest())
        summary = messages[-1]
        self.assertEqual((summary["command"], summary["files"], summary["done"], summary["skipped"], summary["failed"]),
                         ("encrypt", 5, 4, 1, 0))
        self.assertEqual([m["text"] for m in messages if m["message_type"] == "warning"],
                         ["file names stay readable in the output; --names opaque hides them"])
        err = run("verify", "-k", "keys", "-v", "out")[2]
        self.assertIn("out/in/bad\\xFF\\x1Bname\\x0A.orr.tif", err)

    def test_failures(self):
        self.encrypt("-q")
        victim = Path("out/in/a.bin.orr.tif")
        damaged = bytearray(victim.read_bytes())
        damaged[-5] ^= 1
        victim.write_bytes(damaged)
        Path("out/in/text.orr.tif").write_text("hello")
        status, _, err = run("verify", "-k", "keys", "out")
        self.assertEqual(status, 4)
        self.assertEqual(err.count("out/in/text.orr.tif"), 1)  # each once, where nothing scrolls away
        self.assertIn("try `orrery decrypt --salvage`", err)
        self.assertRegex(err, r"verified 2 files .*; 2 failed\n")
        self.assertEqual(run("verify", "-k", "keys", str(victim))[0], 4)
        self.assertEqual(run("verify", "-k", "keys", "out/in/text.orr.tif")[0], 10)
        messages = self.messages(run("verify", "-k", "keys", "--json", "out")[1], 4)
        failed = {m["file"]: m["status"] for m in messages if m.get("outcome") == "failed"}
        self.assertEqual(failed, {str(victim): "authentication", "out/in/text.orr.tif": "not-orrery"})
        status, _, err = run("decrypt", "-k", "keys", str(victim), "-o", "one")
        self.assertEqual(status, 4)
        self.assertFalse(list(Path("one").rglob("a.bin")) if Path("one").is_dir() else Path("one").exists())
        png(Path("d.png"), 3)
        run("keyring", "new", "-o", "others", "--no-passphrase", "-q", "--decoy", "d.png")
        self.assertEqual(run("verify", "-k", "others", "out/in/sub/empty.orr.tif")[0], 5)
        status, _, err = run("encrypt", "-k", "keys", "in", "missing", "-o", "out3")
        self.assertEqual(status, 7)
        self.assertIn("missing", err)

    def test_nothing_found(self):
        Path("empty/sub").mkdir(parents=True)
        Path("plain").mkdir()
        Path("plain/a.tif").write_text("not encrypted")
        status, _, err = run("encrypt", "-k", "keys", "empty", "-o", "none")
        self.assertEqual(status, 10, err)
        self.assertIn("there is nothing to encrypt: no regular file was found", err)
        # An archive without a file is more: tests/host/job/inputs_test.py.
        for verb, place in (("decrypt", "plain"), ("verify", "empty"), ("rewrap", "plain")):
            status, _, err = run(verb, "-k", "keys", place, *(["-o", "none"] if verb == "decrypt" else []))
            self.assertEqual(status, 10, err)
            self.assertEqual(err.count("there is no encrypted file in what was named"), 1, err)
        self.assertEqual(run("encrypt", "-k", "keys", "--shard", "1/9", "empty", "-o", "none")[0], 10)  # of nothing no part is fine
        self.encrypt("-q")
        self.assertNotIn("nothing to", self.encrypt()[2])

    def test_existing_output(self):
        Path("one.tif").write_text("mine")
        status, _, err = run("encrypt", "-k", "keys", "in/a.bin", "-o", "one.tif")
        self.assertEqual(status, 6, err)
        self.assertIn("nothing was overwritten", err)
        self.assertEqual(Path("one.tif").read_text(), "mine")

    def test_device_cuda_is_refused_plainly(self):
        if "cuda:" in run("devices")[1]:
            self.skipTest("a CUDA device is here: nothing to refuse")
        for device in ("cuda", "cuda:1"):
            status, _, err = self.encrypt("--device", device)
            self.assertEqual(status, 8, err)
            self.assertIn(f"--device {device}: ", err)
        self.assertEqual(self.encrypt("--device", "cpu", "-q")[0], 0)

    def test_lists_of_files(self):
        Path("in/new\nline").write_bytes(b"1")
        Path("lines").write_text("in/a.bin\n\nin/sub/c d")
        Path("zeros").write_bytes(b"in/new\nline\0in/a.bin\0")
        status, _, err = run("encrypt", "-k", "keys", "-o", "l1", "--files-from", "lines")
        self.assertEqual(status, 0, err)
        self.assertTrue(Path("l1/in/a.bin.orr.tif").exists() and Path("l1/in/sub/c d.orr.tif").exists())
        status, _, err = run("encrypt", "-k", "keys", "-o", "l2", "--files-from0", "zeros")
        self.assertEqual(status, 0, err)
        self.assertTrue(Path("l2/in/new\nline.orr.tif").exists())
        status, _, err = run("encrypt", "-k", "keys", "-o", "l3", "--files-from", "-", input=b"in/a.bin\n")
        self.assertEqual(status, 0, err)
        self.assertTrue(Path("l3/in/a.bin.orr.tif").exists())
        status, _, err = run("encrypt", "-k", "keys", "-o", "l4", "--files-from", "zeros")
        self.assertEqual(status, 2)
        self.assertIn("use --files-from0", err)
        self.assertEqual(run("encrypt", "-k", "keys", "-o", "l4", "--files-from", "nolist")[0], 7)
        status, _, err = run("encrypt", "-k", "keys", "-o", "l4", "--files-from", "-", input=b"\n")
        self.assertEqual(status, 2)
        self.assertIn("the list of files is empty", err)

    def test_shards_and_subsets_cover_everything_once(self):
        for i in range(20):
            Path(f"in/f{i}").write_bytes(b"%d" % i)
        done = []
        for i in (1, 2, 3):
            messages = self.messages(run("encrypt", "-k", "keys", "in", "-o", f"s{i}", "--json", "--shard", f"{i}/3")[1], 0)
            done += [m["file"] for m in messages if m["message_type"] == "file"]
        self.assertEqual(len(done), 23)
        self.assertEqual(len(set(done)), 23)
        self.encrypt("-q")
        counts = [self.messages(run("verify", "-k", "keys", "out", "--json", "--subset", f"{i}/2")[1], 0)[-1]["done"]
                  for i in (1, 2)]
        self.assertEqual(sum(counts), 23)
        some = self.messages(run("verify", "-k", "keys", "out", "--json", "--subset", "50%")[1], 0)[-1]["done"]
        self.assertTrue(0 < some < 23, some)
        self.assertEqual(self.messages(run("verify", "-k", "keys", "out", "--json", "--subset", "100%")[1], 0)[-1]["done"], 23)

    def test_keys_beside_data_are_warned_of(self):
        run("keyring", "new", "-o", "in/keys", "--no-passphrase", "-q", "--decoy", "decoy.png")
        err = run("encrypt", "-k", "in/keys", "in", "-o", "out")[2]
        self.assertIn("the keyring lies inside the input in", err)
        err = run("encrypt", "-k", "in/keys", "decoy.png", "-o", "in")[2]
        self.assertIn("the keyring lies inside the output", err)

    def test_paper_profile_always_says_that_pixels_are_open(self):
        for options in ([], ["-q"], ["--json"]):
            err = run("encrypt", "-k", "keys", "--profile", "paper", "in", "-o", "p", *options)[2]
            self.assertIn("pixels are not sealed", err)
        err = run("encrypt", "-k", "keys", "--profile", "paper", "--dry-run", "-v", "in", "-o", "p")[2]
        names = re.findall(r"^  (\w+) +(\d+\.\d{4})$", err, re.M)
        self.assertEqual([n for n, _ in names],
                         ["Mercury", "Venus", "Earth", "Mars", "Jupiter", "Saturn", "Uranus", "Neptune"])
        self.assertEqual([float(d) for _, d in names], sorted(float(d) for _, d in names))
        self.assertEqual(run("encrypt", "-k", "keys", "--profile", "paper", "--mu", "99", "in", "-o", "p")[0], 2)

    def test_paper_profile_from_end_to_end(self):
        entries = [(256, 3, 16), (257, 3, 8), (258, 3, 8), (259, 3, 1), (262, 3, 1), (273, 4, 8), (277, 3, 1),
                   (278, 3, 8), (279, 4, 128)]
        tiff = struct.pack("<2sHI", b"II", 42, 136) + bytes(range(128)) + struct.pack("<H", len(entries))
        tiff += b"".join(struct.pack("<HHII", tag, kind, 1, value) for tag, kind, value in entries) + bytes(4)
        Path("g.tif").write_bytes(tiff)
        status, _, err = run("encrypt", "-k", "keys", "--profile", "paper", "g.tif", "-o", "p")
        self.assertEqual(status, 0, err)
        out = run("inspect", "p/g.tif.orr.tif")[1]
        self.assertIn("profile paper", out)
        self.assertIn("pixels are not sealed", out)
        status, _, err = run("verify", "-k", "keys", "p")
        self.assertEqual(status, 0, err)
        self.assertIn("p/g.tif.orr.tif: paper profile, pixels not authenticated\n", err)
        messages = self.messages(run("verify", "-k", "keys", "--json", "p")[1], 0)
        files = [message for message in messages if message["message_type"] == "file"]  # a slow run has progress besides
        self.assertEqual((files[-1]["pixels_sealed"], messages[-1]["pixels_not_authenticated"]), (False, 1))
        status, _, err = run("decrypt", "-k", "keys", "p", "-o", "b")
        self.assertEqual(status, 0, err)
        self.assertIn(bytes(range(128)), Path("b/g.tif").read_bytes())
        status, _, err = run("encrypt", "-k", "keys", "--profile", "paper", "in/sub/c d", "-o", "p")
        self.assertEqual(status, 8)
        self.assertIn("archive profile", err)

    def test_reencrypt_counts_the_restored_image_against_mem(self):
        width, height, pages = 700, 500, 10
        size, tiff = width * height, bytearray(struct.pack("<2sHI", b"II", 42, 8 + pages * width * height))
        tiff += os.urandom(pages * size)
        for n in range(pages):
            entries = [(256, 3, width), (257, 3, height), (258, 3, 8), (259, 3, 1), (262, 3, 1), (273, 4, 8 + n * size), (277, 3, 1),
                       (278, 3, height), (279, 4, size)]
            tiff += struct.pack("<H", len(entries)) + b"".join(struct.pack("<HHII", tag, kind, 1, value) for tag, kind, value in entries)
            tiff += struct.pack("<I", len(tiff) + 4 if n + 1 < pages else 0)
        Path("g.tif").write_bytes(tiff)
        paper = ("-k", "keys", "--mem", "64M", "-j")  # of which each worker has its share
        self.assertEqual(run("encrypt", *paper, "16", "--profile", "paper", "g.tif", "-o", "g.orr.tif")[0], 0)
        self.assertEqual(run("verify", *paper, "16", "g.orr.tif")[0], 0)
        status, _, err = run("reencrypt", *paper, "16", "g.orr.tif", "-o", "new.orr.tif")
        self.assertEqual(status, 8, err)
        self.assertIn("holds the restored image in memory, up to 3 MiB", err)
        self.assertIn("raise --mem", err)
        self.assertFalse(Path("new.orr.tif").exists())
        self.assertEqual(run("reencrypt", *paper, "8", "g.orr.tif", "-o", "new.orr.tif")[0], 0)
        self.assertEqual(run("verify", *paper, "16", "new.orr.tif")[0], 0)

    def test_fewer_threads_where_mem_has_no_room(self):
        status, _, err = self.encrypt("-j", "1024", "--mem", "64M")
        self.assertEqual(status, 0, err)
        self.assertRegex(err, r"warning: \d\d worker threads instead of 1024: --mem has no room for more\n")
        self.assertNotIn("worker threads", run("verify", "-k", "keys", "-j", "4", "--mem", "64M", "out")[2])

    def test_closed_standard_streams_never_hit_a_file(self):
        command = f"'{ORRERY}' encrypt -k keys -v in -o out 0<&- 1>&- 2>&-"
        self.assertEqual(subprocess.run(command, shell=True, check=False).returncode, 0)
        self.assertEqual(run("verify", "-k", "keys", "out")[0], 0)
        command = f"'{ORRERY}' encrypt -k keys --json in -o out2 1>&-"  # the JSON is lost: status 7, files whole
        self.assertEqual(subprocess.run(command, shell=True, check=False, stderr=subprocess.DEVNULL).returncode, 7)
        self.assertEqual(run("verify", "-k", "keys", "out2")[0], 0)

    def test_stdout_that_is_full(self):
        with open("/dev/full", "wb") as full:
            done = subprocess.run([ORRERY, "encrypt", "-k", "keys", "in", "-o", "out", "--json"], stdout=full,
                                  stderr=subprocess.PIPE, check=False)
        self.assertEqual(done.returncode, 7)
        self.assertEqual(run("verify", "-k", "keys", "out")[0], 0)  # the work was done all the same


class Terminal(Case):
    """In a pseudo-terminal, and with signals."""

    def in_terminal(self, arguments, columns=100, answers=(), status=0, env=os.environ):
        try:
            pid, master = pty.fork()
        except OSError as reason:  # bare containers
            self.skipTest(f"no pseudo-terminals here: {reason}")
        if pid == 0:
            try:
                os.execve(ORRERY, [ORRERY, *arguments], env)
            finally:
                os._exit(126)  # never a second run of the tests
        import fcntl
        import termios
        fcntl.ioctl(master, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        seen, answers, end = b"", list(answers), time.time() + 120
        while time.time() < end:
            if select.select([master], [], [], 0.1)[0]:
                try:
                    got = os.read(master, 65536)
                except OSError:
                    break
                if not got:
                    break
                seen += got
            if answers and answers[0][0] in seen:
                time.sleep(0.05)
                os.write(master, answers.pop(0)[1])
        os.close(master)
        _, wait = os.waitpid(pid, 0)
        self.assertEqual(os.waitstatus_to_exitcode(wait), status, seen)
        return seen.decode("utf-8", "replace")

    def test_failures_are_said_once(self):
        self.keyring()
        Path("in").mkdir()
        for name in "ab":
            Path(f"in/{name}.orr.tif").write_text("hello")
        err = self.in_terminal(["verify", "-k", "keys", "in"], status=3)
        self.assertEqual(err.count("in/a.orr.tif: not an Orrery file"), 1, err)
        for n in range(20):  # so many that they may have left the screen
            Path(f"in/{n}.orr.tif").write_text("hello")
        err = self.in_terminal(["verify", "-k", "keys", "in"], status=3)
        self.assertEqual(err.count("in/a.orr.tif: not an Orrery file"), 2, err)

    def big_file(self, mebibytes):
        Path("in").mkdir()
        with open("in/big", "wb") as big:
            big.truncate(mebibytes << 20)

    def test_a_bar(self):
        self.keyring()
        self.big_file(120)
        for columns in (100, 50):
            seen = self.in_terminal(["encrypt", "-j", "1", "-k", "keys", "in", "-o", f"out{columns}"], columns, env=slowly("big"))
            bars = re.findall(r"\r(encrypt +[^\r\n\x1b]*)\x1b\[K", seen)
            self.assertGreaterEqual(len(bars), 2, seen)
            self.assertLess(max(map(len, bars)), columns)
            counted = [bar for bar in bars if re.match(r"encrypt +\d+% ", bar)]
            self.assertTrue(counted, bars)
            if columns == 100:
                self.assertRegex(counted[-1], r"^encrypt +\d+% \[=*>? *\] [\d.]+ \w+ of 120 MiB, [\d.]+ \w+/s, .*[01] of 1 files$")
            last = seen.split("\x1b[K")[-1]  # the bar is gone before the last words
            self.assertRegex(last.lstrip("\r"), r"\Aencrypted 1 file \(120 MiB\)")

    def test_quiet_draws_no_bar(self):
        self.keyring()
        self.big_file(100)
        self.assertEqual(self.in_terminal(["encrypt", "-q", "-k", "keys", "in", "-o", "out"]), "")

    def test_passphrase_is_asked_and_not_echoed(self):
        png(Path("d.png"), 1)
        seen = self.in_terminal(["keyring", "new", "-o", "keys", "--decoy", "d.png"],
                                answers=[(b"New passphrase: ", b"swordfish\n"), (b"Again: ", b"swordfish\n")])
        self.assertNotIn("swordfish", seen)
        seen = self.in_terminal(["keyring", "list", "-k", "keys"], answers=[(b"Passphrase of keys: ", b"swordfish\n")])
        self.assertIn("active", seen)
        self.assertNotIn("swordfish", seen)
        self.in_terminal(["keyring", "list", "-k", "keys"], answers=[(b"Passphrase of keys: ", b"wrong\n")], status=5)
        self.in_terminal(["keyring", "new", "-o", "k2", "--decoy", "d.png"], status=5,
                         answers=[(b"New passphrase: ", b"one\n"), (b"Again: ", b"two\n")])
        self.assertFalse(Path("k2").exists())

    def test_destroying_asks(self):
        self.keyring()
        key = run("keyring", "add", "-k", "keys", "-q")[1].strip()
        command = ["keyring", "set-state", "-k", "keys", key, "destroyed"]
        self.in_terminal(command, answers=[(b"Type yes", b"no\n")], status=2)
        self.assertIn("decrypt-only", run("keyring", "list", "-k", "keys")[1])
        self.in_terminal(command, answers=[(b"Type yes", b"yes\n")])
        self.assertIn("destroyed", run("keyring", "list", "-k", "keys")[1])

    def test_keystream_spares_the_terminal(self):
        self.assertIn("would disturb the terminal", self.in_terminal(["keystream"], status=2))

    def stopped(self, number, *options, presses=1):
        """Sends a signal as soon as an output has been begun; returns (status, stdout, stderr)."""
        shutil.rmtree("out", ignore_errors=True)
        with subprocess.Popen([ORRERY, "encrypt", "-j", "1", "-k", "keys", "in", "-o", "out", *options],
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              env=slowly("big")) as process:
            end = time.time() + 60
            while time.time() < end and process.poll() is None and not partials("out"):
                time.sleep(0.005)
            for _ in range(presses):
                process.send_signal(number)
                time.sleep(0.01)
            out, err = process.communicate(timeout=60)
            return process.returncode, out.decode(), err.decode()

    def test_signals_stop_cleanly_and_the_same_command_resumes(self):
        self.keyring()
        self.big_file(500)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            with self.subTest(signal=number):
                status, _, err = self.stopped(number)
                self.assertEqual(status, 75, err)
                self.assertIn("stopped; run the same command again to resume", err)
                self.assertEqual([str(p) for p in Path("out").rglob("*") if "big" in p.name], [])
        status, out, err = self.stopped(signal.SIGINT, "--json")
        self.assertEqual(status, 75, err)
        self.assertEqual(self.messages(out, 75)[-1]["status"], "stopped")
        status, _, err = self.stopped(signal.SIGINT, presses=2)
        self.assertEqual(status, 75, err)
        os.truncate("in/big", 50 << 20)
        self.assertEqual(run("encrypt", "-q", "-k", "keys", "in", "-o", "out")[0], 0)
        self.assertEqual(run("verify", "-q", "-k", "keys", "out")[0], 0)

    def test_status_lines(self):
        self.keyring()
        self.big_file(120)
        out = run("encrypt", "-k", "keys", "in", "-o", "out", "--json", "-j", "1", env=slowly("big"))[1]
        lines = [m for m in self.messages(out, 0) if m["message_type"] == "status"]
        self.assertTrue(lines, out)
        for line in lines:
            self.assertEqual(line["command"], "encrypt")
            self.assertTrue(0 <= line["share_done"] <= 1)
            for key in ("bytes_done", "bytes_total", "files_done", "files_total", "files_present", "files_skipped",
                        "files_failed", "bytes_per_second", "seconds_elapsed"):
                self.assertGreaterEqual(line[key], 0)


if __name__ == "__main__":
    unittest.main()
