"""System calls that fail, and death at them (at every one with ORRERY_LONG=1): tests/support/preload/fault.c makes one call
at a time go wrong."""
import os
import random
import shutil
import signal
import subprocess
import unittest
from pathlib import Path

from support.cli import Case, is_output, run, write_gray_tiff
from support.faults import FAULT, SEED, broken, require

SIZES = {"in/small": 1000, "in/sub/big": 7_000_000}  # one segment, two segments
VERBS = ("encrypt", "decrypt", "rewrap", "reencrypt")


def setUpModule():
    require()


def sampled(items):
    """Every fourth, from a random start; all with ORRERY_LONG set."""
    if os.environ.get("ORRERY_LONG"):
        return items
    start = random.Random(SEED).randrange(4)
    return items[start::4]


class Faults(Case):
    def setUp(self):
        super().setUp()
        first = self.keyring()
        self.keys = [first, run("keyring", "add", "-k", "keys")[1].strip()]
        for name, size in SIZES.items():
            path = Path(name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(os.urandom(size))
            os.utime(path, ns=(0, 1_400_000_000_987_654_321))
        self.done("encrypt", "-q", "-k", "keys", "in", "-o", "sealed")
        self.originals = {name: Path(name).read_bytes() for name in SIZES}

    def done(self, *arguments):
        status, out, err = run(*arguments)
        self.assertEqual(status, 0, f"{arguments}: {err}")
        return out

    def command(self, verb):
        common = [verb, "-q", "-j", "1", "-k", "keys"]
        if verb == "rewrap":
            return [*common, "--to", self.keys[1], "copy"]
        return [*common, "in" if verb == "encrypt" else "sealed", "-o", "out"]

    def fresh(self, verb):
        for folder in ("out", "back", "copy"):
            shutil.rmtree(folder, ignore_errors=True)
        if verb == "rewrap":
            shutil.copytree("sealed", "copy")

    def assert_original(self, root):
        names = {str(p.relative_to(root)) for p in Path(root).rglob("*") if is_output(p)}
        self.assertEqual(names, set(SIZES))
        for name, data in self.originals.items():
            self.assertTrue(Path(root, name).read_bytes() == data, name)
            self.assertEqual(Path(root, name).stat().st_mtime_ns, 1_400_000_000_987_654_321)

    def assert_complete(self, verb):
        """All is there, with nothing of a partial file left, its mark included."""
        self.assertEqual([str(p) for p in Path(".").rglob("*") if is_output(p) and p.stat().st_mode & 0o7000], [])
        self.assertEqual([str(p) for p in Path(".").rglob(".orrery-*") if not p.name.startswith(".orrery-state")], [])
        if verb == "decrypt":
            self.assert_original("out")
        else:
            result = "copy" if verb == "rewrap" else "out"
            self.assertEqual(len([p for p in Path(result).rglob("*") if is_output(p)]), len(SIZES))
            self.done("decrypt", "-q", "-k", "keys", result, "-o", "back")
            self.assert_original("back")
        self.assert_sources()

    def assert_sources(self):
        for name, data in self.originals.items():
            self.assertTrue(Path(name).read_bytes() == data, f"{name} was changed")

    def assert_no_half_file(self, verb):
        """Whatever has a final name is whole, also after a failure."""
        self.assert_sources()
        for path in Path("out").rglob("*"):
            if path.is_file() and not path.name.startswith(".orrery-"):
                if verb == "decrypt":
                    self.assertTrue(path.read_bytes() == self.originals[str(path.relative_to("out"))], path)
                else:
                    self.done("verify", "-q", "-k", "keys", str(path))
        if verb == "rewrap":  # a torn slot is told by verify; every byte still comes back
            self.done("decrypt", "-q", "-k", "keys", "copy", "-o", "back")
            self.assert_original("back")
            shutil.rmtree("back")

    def points(self, verb, call):
        """How many such calls an undisturbed run makes."""
        self.fresh(verb)
        Path("log").unlink(missing_ok=True)
        status, _, err = broken(f"{call}:0:count:{os.getcwd() if call in ('pread', 'pwrite') else ''}", *self.command(verb), log="log")
        self.assertEqual(status, 0, err)
        return Path("log").read_text().splitlines() if Path("log").exists() else []

    def test_death_at_every_change(self):
        for verb in VERBS:
            calls = self.points(verb, "change")
            self.assertGreaterEqual(len(calls), 8, calls)
            for n, call in sampled(list(enumerate(calls, 1))):
                # Before the call; and within it, when it is a write, or behind it, when it is not.
                for action in ("kill", "tear"):
                    with self.subTest(verb=verb, n=n, call=call, action=action):
                        self.fresh(verb)
                        status, _, err = broken(f"change:{n}:{action}", *self.command(verb))
                        self.assertEqual(status, -signal.SIGKILL, err)
                        self.assert_no_half_file(verb)
                        self.done(*self.command(verb))
                        self.assert_complete(verb)

    def test_an_error_at_close_leaves_no_name(self):
        for verb in ("encrypt", "decrypt", "reencrypt"):
            for part in (".partial", "out/in/"):  # before it has its name, and after
                with self.subTest(verb=verb, part=part):
                    self.fresh(verb)
                    status, _, err = broken(f"close:0:EIO:{part}", *self.command(verb))
                    self.assertEqual(status, 7, err)
                    self.assertRegex(err, "out/in/.*: cannot close this file: Input/output error")
                    self.assertEqual([str(p) for p in Path("out").rglob("*") if is_output(p) and "journal" not in p.name], [])
                    self.done(*self.command(verb))
                    self.assert_complete(verb)

    def test_a_name_that_cannot_be_flushed_is_taken_back(self):
        for verb in ("encrypt", "decrypt", "reencrypt"):
            with self.subTest(verb=verb):
                self.fresh(verb)
                # The first such call flushes the file, the second its directory.
                status, _, err = broken("fsync:2:EIO:/out/in/sub", *self.command(verb))
                self.assertEqual(status, 7, err)
                self.assertEqual([str(p) for p in Path("out/in/sub").rglob("*") if is_output(p)], [])
                self.done(*self.command(verb))
                self.assert_complete(verb)

    def test_a_flush_after_the_death_of_a_journal_is_none(self):
        """ext4 answers then that there is nothing to flush, until a change is refused."""
        kind = subprocess.run(["stat", "-f", "-c", "%T", "."], capture_output=True, text=True, check=True).stdout.strip()
        if kind != "ext2/ext3":
            self.skipTest(f"the test directory is on {kind}, not on ext4")
        for verb in ("encrypt", "decrypt", "reencrypt"):
            with self.subTest(verb=verb):
                self.fresh(verb)
                # Two give modes; the third and the fourth ask.
                status, _, err = broken("fchmod:-4:EROFS:/out/in/sub", *self.command(verb))
                self.assertEqual(status, 7, err)
                self.assertIn("cannot flush its directory: Read-only file system", err)
                self.assertEqual([str(p) for p in Path("out/in/sub").rglob("*") if is_output(p)], [])
                self.done(*self.command(verb))
                self.assert_complete(verb)

    def at_once(self, fault, verb, files=40):
        """Runs a command on many files while flushes take time, so that many are under way at once, and one goes wrong."""
        shutil.rmtree("many", ignore_errors=True)
        self.fresh(verb)
        for n in range(files):
            path = Path("many", "ab"[n % 2], f"{n:03}")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(f"{n}".encode() * 100)
        command = ["encrypt", "-q", "-k", "keys", "many", "-o", "out"]
        if verb == "decrypt":
            shutil.rmtree("locked", ignore_errors=True)
            self.done(*command[:-1], "locked")
            command = ["decrypt", "-q", "-k", "keys", "locked", "-o", "out"]
        status, _, err = run(*command, env={**os.environ, "LD_PRELOAD": f"{os.environ['RECORD']}:{FAULT}", "ORRERY_FAULT": fault,
                                            "ORRERY_RECORD_SLOW": "3"})
        return command, status, err

    def assert_at_once(self, verb, command):
        """What has its name is whole, nothing else is left, and the same command does the rest."""
        def named():
            return [p for p in Path("out").rglob("*") if p.is_file() and not p.name.startswith(".orrery-")]
        for path in named():
            if verb == "decrypt":
                self.assertEqual(path.read_bytes(), Path("many", path.relative_to("out/many")).read_bytes())
            else:
                self.done("verify", "-q", "-k", "keys", str(path))
        self.done(*command)
        self.assertEqual(len(named()), len([p for p in Path("many").rglob("*") if p.is_file()]))
        self.assertEqual([str(p) for p in Path("out").rglob(".orrery-*") if not p.name.startswith(".orrery-state")], [])
        if verb == "encrypt":
            self.done("verify", "-q", "-k", "keys", "out")

    def test_one_flush_of_many_fails(self):
        for verb in ("encrypt", "decrypt"):
            for n in (1, 7):
                with self.subTest(verb=verb, n=n):
                    command, status, err = self.at_once(f"fsync:{n}:EIO:.partial", verb)
                    self.assertEqual(status, 7, err)
                    self.assertEqual(err.count("cannot flush this file: Input/output error"), 1, err)
                    self.assertEqual([str(p) for p in Path("out").rglob("*.partial")], [])
                    self.assert_at_once(verb, command)

    def test_a_flush_for_many_names_fails(self):
        """All whose names it was for have failed, and lose them."""
        for verb in ("encrypt", "decrypt"):
            with self.subTest(verb=verb):
                command, status, err = self.at_once("fsync:-2:EIO:out/many/a$", verb)  # the first one is of the probe
                self.assertEqual(status, 7, err)
                self.assertRegex(err, "cannot flush its directory: Input/output error\n[0-9]+ other files in work failed with it")
                self.assertEqual([str(p) for p in Path("out/many/a").rglob("*")], [])
                self.assert_at_once(verb, command)

    def test_death_among_many(self):
        rng = random.Random(SEED)
        for verb in ("encrypt", "decrypt"):
            for n in sorted(rng.sample(range(20, 250), 10)):
                with self.subTest(seed=SEED, verb=verb, n=n):
                    command, status, err = self.at_once(f"change:{n}:{rng.choice(('kill', 'after'))}:out", verb)
                    self.assertIn(status, (0, -signal.SIGKILL), err)
                    self.assert_at_once(verb, command)

    def test_a_signal_among_many(self):
        for verb in ("encrypt", "decrypt"):
            with self.subTest(verb=verb):
                command, status, err = self.at_once("fsync:20:term:.partial", verb, files=1500)
                self.assertEqual(status, 75, err)
                self.assertEqual([str(p) for p in Path("out").rglob("*.partial")], [])
                done = len([p for p in Path("out").rglob("*") if is_output(p)])
                self.assertGreater(done, 20)  # what was under way is finished, and nothing else begun
                self.assertLess(done, 1500)
                self.done(*command)
                self.assertEqual(len([p for p in Path("out").rglob("*") if is_output(p)]), 1500)

    def test_errors(self):
        for verb in VERBS:
            for call, error in (("pread", "EIO"), ("pwrite", "EIO"), ("pwrite", "ENOSPC"), ("fsync", "EIO"), ("rename", "EIO"),
                                ("fchmod", "EROFS"), ("futimens", "EROFS")):
                calls = self.points(verb, call)
                # The last flush is of a directory from which the job's own notes have gone: should they be back
                # after a power cut, they harm nothing.
                if call == "fsync" and verb != "rewrap":
                    calls = calls[:-1]
                if not calls:
                    continue
                for n in sorted({1, (len(calls) + 1) // 2, len(calls)}):
                    with self.subTest(verb=verb, call=call, error=error, n=n):
                        self.fresh(verb)
                        folder = os.getcwd() if call in ("pread", "pwrite") else ""
                        Path("log").unlink(missing_ok=True)
                        status, _, err = broken(f"{call}:{n}:{error}:{folder}", *self.command(verb), log="log")
                        seen = Path("log").read_text().splitlines()
                        # Notes of earlier runs are read by a thread of their own, at any time, and may be missing. Flushes
                        # of a directory are for all that waits: there may have been fewer this time.
                        if call == "pread" and ".orrery-state" in seen[n - 1] or call == "fsync" and status == 0 and n >= len(seen):
                            self.assertEqual(status, 0, err)
                            self.assert_complete(verb)
                            continue
                        self.assertEqual(status, 7, f"{err} {n} {seen}")
                        self.assertRegex(err, {"EIO": "Input/output error", "ENOSPC": "No space left on device.*free some space",
                                               "EROFS": "Read-only file system"}[error])
                        self.assertEqual([str(p) for p in Path(".").rglob("*partial*")], [])
                        self.assert_no_half_file(verb)
                        self.done(*self.command(verb))
                        self.assert_complete(verb)

    def test_no_output_can_be_created(self):
        for verb in ("encrypt", "decrypt", "reencrypt"):
            with self.subTest(verb=verb):
                self.fresh(verb)
                status, _, err = broken("open:0:EACCES:partial", *self.command(verb))
                self.assertEqual(status, 7, err)
                self.assertRegex(err, "cannot create this file: Permission denied: check permissions")
                self.done(*self.command(verb))
                self.assert_complete(verb)

    def test_new_directories_are_flushed_in_their_parents(self):
        command = ("encrypt", "-q", "-k", "keys", "in", "-o", "x/y/z")
        Path("log").unlink(missing_ok=True)
        self.assertEqual(broken("fsync:0:count", *command, log="log")[0], 0)
        flushed = Path("log").read_text().splitlines()
        here = os.path.realpath(".")
        for folder in ("", "/x", "/x/y", "/x/y/z", "/x/y/z/in"):
            self.assertIn(f"fsync {here}{folder}", flushed)
        shutil.rmtree("x")
        for n, folder in ((3, "x"), (4, "x/y"), (5, "x/y/z")):  # the first two are of the keyring
            status, _, err = broken(f"fsync:{n}:EIO", *command)
            self.assertEqual(status, 7, err)
            self.assertIn("x/y/z: cannot create this directory: Input/output error", err)
            self.assertFalse(Path(folder).exists())  # a directory that may not last is not left
            shutil.rmtree("x", ignore_errors=True)

    def test_what_was_finished_before_is_flushed(self):
        for verb in VERBS:
            self.fresh(verb)
            self.done(*self.command(verb))
            for command in (self.command(verb), ("verify", "-q", "-k", "keys", "sealed")):
                with self.subTest(command):
                    status, _, err = broken("syncfs:0:EIO", *command)
                    self.assertEqual(status, 7, err)
                    self.assertIn("what was written earlier does not reach its storage: Input/output error", err)
                    status, _, err = broken("syncfs:0:EINVAL", *(word for word in command if word != "-q"))
                    self.assertEqual(status, 0, err)
                    self.assertIn("cannot be flushed from here (Invalid argument): run `sync` before any original is deleted", err)
        self.fresh("rewrap")
        status, _, err = broken("fsync:0:EINVAL", *(word for word in self.command("rewrap") if word != "-q"))
        self.assertEqual(status, 0, err)
        self.assertIn("does not flush what is written", err)
        for call in (1, 2):
            status, _, err = broken(f"fsync:{call}:EIO", *self.command("rewrap"))
            self.assertEqual(status, 7, err)
            self.assertIn("keys: what was written earlier does not reach its storage", err)

    def test_file_systems_that_cannot_rename_without_replacing(self):
        for verb in ("encrypt", "decrypt", "reencrypt"):
            with self.subTest(verb=verb):
                self.fresh(verb)
                status, _, err = broken("rename:0:EINVAL", *self.command(verb))
                self.assertEqual(status, 0, err)
                self.assert_complete(verb)

    def test_a_journal_that_cannot_be_had_stops_nothing(self):
        self.fresh("encrypt")
        status, _, err = broken("open:0:ENOSPC:journal", *self.command("encrypt"))
        self.assertEqual(status, 0, err)
        self.assert_complete("encrypt")

    def test_interrupted_and_short_calls_change_nothing(self):
        for verb in VERBS:
            for call, action in (("pread", "short"), ("pwrite", "short"), ("pread", "EINTR"), ("pwrite", "EINTR")):
                for n in (1, 2, 3) if os.environ.get("ORRERY_LONG") else (2,):
                    with self.subTest(verb=verb, call=call, action=action, n=n):
                        self.fresh(verb)
                        status, _, err = broken(f"{call}:{n}:{action}:{os.getcwd()}", *self.command(verb))
                        self.assertEqual(status, 0, err)
                        self.assert_complete(verb)

    def test_pages_that_are_refused(self):
        """A file system may take O_DIRECT and then not the pages: they go through the page cache."""
        said = run("decrypt", "-v", "-k", "keys", "sealed", "-o", "said")[2]
        if "contents go past the page cache" not in said:
            self.skipTest("the test directory's file system takes no O_DIRECT: " + said)
        for verb, big in (("encrypt", "in/sub"), ("decrypt", "sealed/in/sub"), ("reencrypt", "sealed/in/sub")):
            for n in (1, 2):  # the segments come first
                with self.subTest(verb=verb, n=n):
                    self.fresh(verb)
                    command = (verb, "-q", "-k", "keys", big, "-o", "out")
                    status, _, err = broken(f"pwrite:{n}:EINVAL:partial", *command)
                    self.assertEqual(status, 0, err)
                    self.done("verify" if verb != "decrypt" else verb, "-q", "-k", "keys", *(("out",) if verb != "decrypt" else command[4:]))

    def test_a_name_that_speaks_of_a_full_disk_is_a_name(self):
        name = "in/No space left on device"
        Path(name).write_bytes(b"x")
        Path("in/zz").write_bytes(b"y")
        status, _, err = broken(f"pread:0:EIO:{name}", *self.command("encrypt"))
        self.assertEqual(status, 7, err)
        self.assertIn(f"{name}: cannot read this file: Input/output error", err)
        self.assertTrue(Path("out/in/zz.orr.tif").exists(), "the job was stopped")
        shutil.rmtree("out")
        # Files in flight, some 128 for each piece of the ring, fail beside the first one, but those that come later are not even
        # tried.
        for n in range(3000):
            Path(f"in/zz{n:04}").write_bytes(b"z")
        status, _, err = broken("pwrite:0:ENOSPC:.partial", *self.command("encrypt"))
        self.assertEqual(status, 7, err)
        self.assertLess(err.count("in/zz"), 2 * 1500, "the job was not stopped")  # source and output in each line

    def test_ciphers_that_cannot_be_set_up(self):
        """A failure of OpenSSL, for want of memory, is neither success nor damage."""
        command = ("verify", "-v", "-j", "1", "-k", "keys", "sealed")
        Path("log").unlink(missing_ok=True)
        self.assertEqual(broken("rekey:0:count", *command, log="log")[0], 0)
        for n in range(1, len(Path("log").read_text().splitlines()) + 1):
            with self.subTest(n=n):
                status, _, err = broken(f"rekey:{n}:EIO", *command)
                self.assertIn(status, (1, 3), err)
                self.assertNotRegex(err, "damage|altered|verified 2 files")
                self.fresh("decrypt")
                status, _, err = broken(f"rekey:{n}:EIO", *self.command("decrypt"), "--salvage")
                self.assertIn(status, (1, 3), err)
                self.assertEqual([p for p in Path("out").rglob("*salvaged*")], [])

    def test_threads_that_cannot_be_started(self):
        """With fewer threads a job is only slower; without the first of a kind it says so."""
        for verb in ("verify", "rewrap", "encrypt"):
            command = (verb, "-q", "-j", "4", "-k", "keys", "in" if verb == "encrypt" else "sealed",
                       *(["-o", "out"] if verb == "encrypt" else []))
            Path("log").unlink(missing_ok=True)
            self.fresh("encrypt")
            self.assertEqual(broken("thread:0:count", *command, log="log")[0], 0)
            statuses = []
            for n in range(1, len(Path("log").read_text().splitlines()) + 1):
                self.fresh("encrypt")
                status, _, err = broken(f"thread:{n}:EIO", *command)
                statuses.append(status)
                self.assertEqual(err == "", status == 0, err)
            self.assertGreaterEqual(len(statuses), 9)
            self.assertEqual(sorted(statuses), [0] * (len(statuses) - 3) + [1] * 3)  # tiles, backend, files
            status, _, err = broken("thread:0:EIO", *command)
            self.assertEqual(status, 1)
            self.assertIn("no CPU thread could be started", err)

    def test_one_bad_file_does_not_hold_up_the_others(self):
        self.fresh("encrypt")
        status, _, err = broken("pread:0:EIO:in/small", *self.command("encrypt"))
        self.assertEqual(status, 7, err)
        self.assertRegex(err, "in/small: cannot read this file: Input/output error")
        self.assertFalse(Path("out/in/small.orr.tif").exists())
        self.done("verify", "-q", "-k", "keys", "out/in/sub/big.orr.tif")
        self.done(*self.command("encrypt"))
        self.assert_complete("encrypt")

    def flipped(self, at, part, *arguments):
        """Runs a command while one bit at offset `at` of the files it writes is flipped on the way."""
        return run(*arguments, env={**os.environ, "LD_PRELOAD": FAULT, "ORRERY_FAULT": f"pwrite:0:flip:{part}",
                                    "ORRERY_FAULT_AT": str(at)})

    def test_check_cpu_finds_a_flipped_bit_anywhere(self):
        for profile, source in (("archive", "in/small"), ("paper", "scan.tif")):
            if profile == "paper":
                write_gray_tiff(source, 40, 30)
            command = ["encrypt", "-q", "-k", "keys", "--profile", profile, source, "-o", "one.orr.tif"]
            self.done(*command)
            size = Path("one.orr.tif").stat().st_size
            Path("one.orr.tif").unlink()
            # TIFF header, magic, each part of the immutable header, commitment, text, slots, sealed metadata, what follows it
            head = [0, 4, 8, 20, 33, 40, 60, 90, 100, 230, 300, 4000, 4096, 4110, 4200, 8000, 8192, 8300, 12000, 12290, 12400]
            rest = random.Random(SEED).sample(range(12500, size), 12)
            for at in [*head, *rest, size - 1]:
                with self.subTest(profile=profile, at=at):
                    status, _, err = self.flipped(at, "partial", *command, "--check", "cpu")
                    self.assertEqual(status, 13, err)
                    self.assertIn("does not decrypt on the CPU", err)
                    self.assertFalse(Path("one.orr.tif").exists())
            self.done(*command, "--check", "cpu")
            Path("one.orr.tif").unlink()

    def test_rewrap_never_loses_the_last_good_slot(self):
        for at in (4096, 4110, 4200, 8191, 8192, 8206, 8300, 12287):
            with self.subTest(at=at):
                self.fresh("rewrap")
                status, _, err = self.flipped(at, "/copy/", *self.command("rewrap"))
                self.assertEqual(status, 7, err)
                self.assertRegex(err, "wrap slot [AB] does not read back as it was written")
                self.done("decrypt", "-q", "-k", "keys", "copy", "-o", "back")
                self.assert_original("back")
                shutil.rmtree("back")
                self.done(*self.command("rewrap"))
                self.done("verify", "-q", "-k", "keys", "copy")

    def test_keyring_updates(self):
        update = ("keyring", "add", "-k", "keys", "-q")
        Path("log").unlink(missing_ok=True)
        broken("change:0:count", *update, log="log")
        for n, call in enumerate(Path("log").read_text().splitlines(), 1):
            for action in ("kill", "tear", "EIO", "ENOSPC"):
                with self.subTest(n=n, call=call, action=action):
                    keys = self.done("keyring", "list", "-k", "keys", "--json")
                    status, out, err = broken(f"change:{n}:{action}", *update)
                    after = self.done("keyring", "list", "-k", "keys", "--json")
                    # Either the old keyring or the new one, whole; never a key less.
                    self.assertTrue(all(key in after for key in self.keys))
                    if status == 0:
                        self.assertIn(out.strip(), after)
                    else:
                        self.assertIn(status, (7, -signal.SIGKILL), err)
                        self.assertIn(after.count('"key"'), (keys.count('"key"'), keys.count('"key"') + 1))
                    self.done(*update)
        self.done("verify", "-q", "-k", "keys", "sealed")
        self.assertEqual(sorted(p.name for p in Path(".").glob("keys*")), ["keys", "keys.lock"])

    def test_a_new_keyring_is_whole_or_absent(self):
        new = ("keyring", "new", "-o", "fresh", "--no-passphrase", "-q", "--decoy", "decoy.png")
        Path("log").unlink(missing_ok=True)
        self.assertEqual(broken("change:0:count", *new, log="log")[0], 0)
        Path("fresh").unlink()
        for n, call in enumerate(Path("log").read_text().splitlines(), 1):
            for error in ("EIO", "ENOSPC"):
                with self.subTest(call=call, error=error):
                    status, _, err = broken(f"change:{n}:{error}", *new)
                    self.assertIn(status, (0, 7), err)
                    self.assertEqual(Path("fresh").exists(), status == 0)
                    if status:
                        self.done(*new)
                    self.done("keyring", "list", "-k", "fresh")
                    Path("fresh").unlink()
                    self.assertEqual([name for name in os.listdir() if "partial" in name], [])


if __name__ == "__main__":
    unittest.main()
