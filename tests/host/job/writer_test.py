#!/usr/bin/env python3
"""A machine that encrypts for recipients and has no keyring: it can write, read nothing, and knows what it has made."""
import json
import os
import shutil
import signal
import subprocess
import unittest
from pathlib import Path

from support.cli import ORRERY, Case, run, without_rights, write_gray_tiff

FAULT = os.environ.get("FAULT")
needs_fault = unittest.skipUnless(FAULT and Path(FAULT).exists(), "no FAULT library: run by ctest")
KEY = "home/.local/state/orrery/writer.key"


class Writer(Case):
    def setUp(self):
        super().setUp()
        self.env = {k: v for k, v in os.environ.items() if k != "XDG_STATE_HOME"} | {"HOME": str(self.dir / "home")}
        Path("home").mkdir()
        self.keyring("keys", "--label", "archive")
        self.assertEqual(run("keyring", "export", "-q", "-k", "keys", "-o", "site.orrpub")[0], 0)
        Path("in/sub").mkdir(parents=True)
        self.names = ["a", "b", "sub/c"]
        for number, name in enumerate(self.names):
            Path("in", name).write_bytes(os.urandom(5000 + number))

    def encrypt(self, *options, status=0, to="site.orrpub", out="out", env=None, **more):
        found, stdout, err = run("encrypt", "--to", to, "in/.", "-o", out, *options, env=self.env | (env or {}), **more)
        self.assertEqual(found, status, err)
        return stdout + err

    def summary(self, *options, status=0, to="site.orrpub", out="out", env=None):
        found, stdout, err = run("encrypt", "--json", "--to", to, "in/.", "-o", out, *options, env=self.env | (env or {}))
        self.assertEqual(found, status, err + stdout)
        return json.loads(stdout.splitlines()[-1])

    def counts(self, *options, **more):
        s = self.summary(*options, **more)
        return s["done"], s["present"], s["failed"]

    def outputs(self, out="out"):
        return sorted(p for p in Path(out).rglob("*.orr.tif"))

    def restored(self, out="out", keys="keys"):
        shutil.rmtree("back", ignore_errors=True)
        status, _, err = run("decrypt", "-q", "-k", keys, out, "-o", "back")
        self.assertEqual(status, 0, err)
        got = {str(p.relative_to("back")): p.read_bytes() for p in Path("back").rglob("*") if p.is_file()}
        self.assertEqual(got, {str(p.relative_to("in")): p.read_bytes() for p in Path("in").rglob("*") if p.is_file()})


class Runs(Writer):
    def test_a_second_run_finds_all_finished(self):
        os.rename("keys", "away")
        for options in ((), ("--names", "opaque"), ("--check", "cpu"), ("--sha256",), ("--shard", "1/1")):
            with self.subTest(options=options):
                shutil.rmtree("out", ignore_errors=True)
                self.assertEqual(self.counts(*options), (3, 0, 0))
                before = {p: p.read_bytes() for p in self.outputs()}
                self.assertEqual(self.counts(*options), (0, 3, 0))
                self.assertEqual({p: p.read_bytes() for p in self.outputs()}, before)
                self.restored(keys="away")
        self.assertEqual(os.stat(KEY).st_mode & 0o7777, 0o600)
        self.assertEqual(os.stat(KEY).st_size, 40)

    def test_paper(self):
        shutil.rmtree("in")
        Path("in").mkdir()
        write_gray_tiff("in/one.tif", 40, 30)
        self.assertEqual(self.counts("--profile", "paper"), (1, 0, 0))
        self.assertEqual(self.counts("--profile", "paper"), (0, 1, 0))
        os.chmod("in/one.tif", 0o600)  # another ctime: by its contents
        self.assertEqual(self.counts("--profile", "paper"), (0, 1, 0))
        write_gray_tiff("in/one.tif", 40, 30)
        self.assertEqual(self.counts("--profile", "paper", status=3), (0, 0, 1))

    def test_sources_that_changed_since(self):
        for options in ((), ("--names", "opaque"), ("--sha256",)):
            with self.subTest(options=options):
                shutil.rmtree("out", ignore_errors=True)
                self.encrypt(*options)
                os.utime("in/a", ns=(0, 0))  # touched: the same contents
                os.chmod("in/b", 0o600)
                shutil.copy("in/sub/c", "in/sub/d")
                os.replace("in/sub/d", "in/sub/c")  # another inode
                self.assertEqual(self.counts(*options), (0, 3, 0))
                self.assertEqual(self.counts(*options), (0, 3, 0))
                when = os.stat("in/a").st_mtime_ns
                Path("in/a").write_bytes(os.urandom(5000))  # of the same size and time
                os.utime("in/a", ns=(when, when))
                said = self.encrypt(*options, status=3)
                self.assertRegex(said, r"in/\./a: out/\S+ exists, and this machine, which has no keyring, has no record that it made it of this "
                                       "source as it is now: move it away, or choose another output")
                os.rename("in/b", "in/new")  # a new path: a new file
                self.assertEqual(self.counts(*options, status=3), (1, 1, 1))
                os.rename("in/new", "in/b")

    def test_outputs_that_went_are_made_again(self):
        for options in ((), ("--names", "opaque")):
            with self.subTest(options=options):
                shutil.rmtree("out", ignore_errors=True)
                self.encrypt(*options)
                self.outputs()[0].unlink()
                self.assertEqual(self.counts(*options), (1, 2, 0))
                self.assertEqual(self.counts(*options), (0, 3, 0))
                self.restored()

    def test_outputs_of_others_are_refused(self):
        self.encrypt()
        other = {"HOME": str(self.dir / "other")}
        before = {p: p.read_bytes() for p in self.outputs()}
        self.assertEqual(self.counts(status=3, env=other), (0, 0, 3))
        self.assertEqual(self.counts(), (0, 3, 0))
        shutil.rmtree("home")  # the key is lost
        self.assertEqual(self.counts(status=3), (0, 0, 3))
        self.assertEqual({p: p.read_bytes() for p in self.outputs()}, before)
        # Whoever has the keyring takes what anybody can have made for nothing finished.
        self.assertEqual(self.counts("-k", "keys", status=3), (0, 0, 3))
        self.assertEqual(self.counts(env=other, status=3), (0, 0, 3))

    def test_a_keyring_in_the_same_output_takes_no_record_away(self):
        self.encrypt()
        self.assertEqual(self.counts("-k", "keys", status=3), (0, 0, 3))
        self.assertEqual(self.counts(), (0, 3, 0))
        Path("in/new").write_bytes(b"n")
        self.assertEqual(self.counts("-k", "keys", status=3), (1, 0, 3))
        self.assertEqual(self.counts(status=3), (0, 3, 1))  # that is not this machine's

    def test_records_that_are_lost_or_foreign(self):
        self.encrypt()
        os.rename("out/.orrery-state", "kept")
        self.assertEqual(self.counts(status=3), (0, 0, 3))
        Path("out/.orrery-state").write_bytes(b"somebody else's" * 99)
        self.assertIn("out/.orrery-state: cannot be used: a machine without a keyring knows by it what it has made", self.encrypt(status=7))
        os.replace("kept", "out/.orrery-state")
        self.assertEqual(self.counts(), (0, 3, 0))

    def test_a_wrap_that_is_missing_is_said(self):
        self.keyring("second", "--label", "second")
        run("keyring", "export", "-q", "-k", "second", "-o", "second.orrpub")
        self.encrypt()
        self.encrypt("-k", "keys", out="known")
        for options, out in (((), "out"), (("-k", "keys"), "known")):
            s = self.summary("--to", "second.orrpub", *options, out=out)
            self.assertEqual((s["present"], s["without_recipient"], s["without_repair_data"]), (3, 3, 0))
            s = self.summary("--parity", "5", *options, out=out)
            self.assertEqual((s["present"], s["without_recipient"], s["without_repair_data"]), (3, 0, 3))
        self.assertIn("3 finished files have no repair data", self.encrypt("--parity", "5"))
        self.assertIn("3 finished files have no wrap for a recipient of this job, who cannot open them", self.encrypt("--to", "second.orrpub"))
        self.assertEqual(run("rewrap", "-q", "-k", "keys", "--add", "second.orrpub", "out")[0], 0)
        self.assertEqual(self.summary("--to", "second.orrpub")["without_recipient"], 0)

    def test_without_records_the_later_of_two_counts(self):
        """Opaque names and no state: another output for each source, in the same second."""
        self.encrypt("--names", "opaque")
        Path("out/.orrery-state").unlink()
        for name in self.names:
            Path("in", name).write_bytes(os.urandom(500))
        self.encrypt("--names", "opaque")
        self.assertEqual(len(self.outputs()), 6)
        self.restored()

    def test_shards(self):
        for options in (("--shard", "1/2"), ("--shard", "2/2")):
            self.encrypt(*options)
        self.assertEqual(len(self.outputs()), 3)
        self.assertEqual(self.counts(), (0, 3, 0))
        self.restored()

    def test_dry_run_writes_nothing(self):
        self.assertEqual(self.summary("--dry-run")["planned"], 3)
        self.assertEqual((list(Path("home").iterdir()), os.path.exists("out")), ([], False))
        self.encrypt()
        s = self.summary("--dry-run")
        self.assertEqual((s["planned"], s["present"]), (0, 3))

    def test_one_file_to_one_name_has_no_record(self):
        command = ("encrypt", "-q", "--to", "site.orrpub", "in/a", "-o", "one.orr.tif")
        self.assertEqual(run(*command, env=self.env)[0], 0)
        self.assertEqual(run(*command, env=self.env)[0], 6)

    def test_a_damaged_output(self):
        self.encrypt()
        output = Path("out/a.orr.tif")
        output.write_bytes(output.read_bytes()[:-1])
        self.assertIn("--redo-damaged and -k KEYRING makes it anew", self.encrypt(status=3))
        output.unlink()
        self.assertEqual(self.counts(), (1, 2, 0))
        self.assertEqual(self.counts(), (0, 3, 0))

    def test_options_that_need_a_keyring(self):
        self.assertIn("--trust-times needs -k KEYRING", self.encrypt("--trust-times", status=2))
        self.assertIn("--redo-damaged needs -k KEYRING", self.encrypt("--redo-damaged", status=2))
        for option in ("--passphrase-file=p", "--passphrase-fd=0", "--recovery-code-file=p", "--recovery-code-fd=0", "--recovery-code"):
            self.assertIn(f"{option.split('=')[0]} needs -k KEYRING", self.encrypt(option, status=2))
        self.assertIn("--writer-key is for a machine without a keyring", self.encrypt("-k", "keys", "--writer-key", "w", status=2))

    @needs_fault
    def test_what_cannot_be_recorded_is_not_named(self):
        for fault, why in (("write:0:ENOSPC:.orrery-state", "No space left on device"),
                           ("open:0:EACCES:.orrery-state", "Permission denied"), ("fsync:0:EIO:.orrery-state", "Input/output error")):
            with self.subTest(fault=fault):
                shutil.rmtree("out", ignore_errors=True)
                said = self.encrypt(status=7, env={"LD_PRELOAD": FAULT, "ORRERY_FAULT": fault})
                self.assertIn(f"by which a machine without a keyring knows what it has made, cannot be written: {why}", said)
                self.assertEqual(self.outputs(), [])
                self.assertEqual(self.counts(), (3, 0, 0))

    @needs_fault
    def test_a_fault_that_check_finds(self):
        """In slots, metadata and data, although nothing here opens the file."""
        for options in ((), ("--parity", "10")):
            for at in (300, 4096 + 40, 2 * 4096 + 100, 3 * 4096 + 20, 21000):
                shutil.rmtree("out", ignore_errors=True)
                self.encrypt("--check", "cpu", *options, status=13,
                             env={"LD_PRELOAD": FAULT, "ORRERY_FAULT": "pwrite:0:flip:.partial", "ORRERY_FAULT_AT": str(at)})
                self.assertEqual(self.outputs(), [], at)
        self.assertEqual(self.counts("--check", "cpu"), (3, 0, 0))

    @needs_fault
    def test_an_unfinished_job_is_said_until_it_goes_on(self):
        killed = self.env | {"LD_PRELOAD": FAULT, "ORRERY_FAULT": "rename:3:kill:.partial"}
        done = subprocess.run([ORRERY, "encrypt", "-q", "-j", "1", "--to", "site.orrpub", "in/.", "-o", "out"], env=killed, check=False)
        self.assertEqual(done.returncode, -signal.SIGKILL)
        self.assertEqual(run("verify", "-k", "keys", "out")[0], 9)
        self.assertEqual(self.counts()[2], 0)
        self.assertEqual(run("verify", "-k", "keys", "out")[0], 0)

    @needs_fault
    def test_killed_anywhere(self):
        """At each change that the run makes, its own key too: the next run ends with one output for each source, and knows it."""
        shutil.rmtree("in/sub")
        Path("in/b").unlink()
        for options in ((), ("--names", "opaque")):
            for call, action in (("change", "kill"), ("change", "after"), ("write", "tear")):
                number, killed = 0, True
                while killed:
                    number += 1
                    for folder in ("out", "home"):
                        shutil.rmtree(folder, ignore_errors=True)
                    done = subprocess.run([ORRERY, "encrypt", "-q", "-j", "1", "--to", "site.orrpub", "in/.", "-o", "out", *options],
                                          env=self.env | {"LD_PRELOAD": FAULT, "ORRERY_FAULT": f"{call}:{number}:{action}"},
                                          stderr=subprocess.PIPE, check=False)
                    killed = done.returncode == -signal.SIGKILL
                    with self.subTest(options=options, call=call, action=action, number=number):
                        done, present, failed = self.counts(*options)
                        self.assertEqual((done + present, failed, len(self.outputs())), (1, 0, 1))
                        self.assertEqual(self.counts(*options), (0, 1, 0))
                self.assertGreater(number, 1, (call, action))



class Key(Writer):
    def test_where_it_is(self):
        self.encrypt()
        self.assertTrue(os.path.exists(KEY))
        self.encrypt(env={"XDG_STATE_HOME": str(self.dir / "xdg")}, out="out2")
        self.assertTrue(os.path.exists("xdg/orrery/writer.key"))
        self.assertNotEqual(Path(KEY).read_bytes(), Path("xdg/orrery/writer.key").read_bytes())
        self.encrypt(env={"XDG_STATE_HOME": "relative"})  # says nothing, by the standard
        self.encrypt("--writer-key", "w/key", out="out3")
        self.assertTrue(os.path.exists("w/key"))
        self.assertEqual(self.counts("--writer-key", "w/key", out="out3"), (0, 3, 0))

    def test_without_a_home(self):
        for home in (None, "", "relative"):
            env = {k: v for k, v in self.env.items() if k != "HOME"} | ({} if home is None else {"HOME": home})
            status, _, err = run("encrypt", "--to", "site.orrpub", "in", "-o", "out", env=env)
            self.assertEqual(status, 2, err)
            self.assertIn("neither HOME nor XDG_STATE_HOME says where this machine keeps its records' key: give --writer-key FILE", err)
        self.assertEqual(run("encrypt", "-q", "--to", "site.orrpub", "in", "-o", "out", "--writer-key", "w", env=env)[0], 0)

    def test_a_home_that_cannot_be_written(self):
        rights = without_rights()
        if rights is None:
            self.skipTest("root cannot become somebody else here")
        os.chmod(self.dir, 0o755)
        os.chmod("home", 0o555)
        os.mkdir("room")
        os.chmod("room", 0o777)
        said = self.encrypt(status=7, out="room/out", **rights)
        self.assertRegex(said, "writer.key: cannot make the key of this machine's records: Permission denied; --writer-key names another place")
        self.encrypt("--writer-key", "room/w", out="room/out", **rights)

    def test_what_is_no_key(self):
        place = Path(KEY)
        place.parent.mkdir(parents=True)

        def expect(status, *parts):
            said = self.encrypt(status=status)
            for part in parts:
                self.assertIn(part, said)
            self.assertFalse(os.path.exists("out"))
        for content in (b"", b"ORRWRKEY", b"ORRWRKEY" + b"k" * 31, b"ORRWRKEY" + b"k" * 33, b"ORRWRKEX" + b"k" * 32, bytes(40),
                        b"ORRWRKEY" + bytes(32), os.urandom(1 << 20)):
            place.write_bytes(content)
            expect(5, "not a writer key, or damaged: move it away")
            self.assertEqual(place.read_bytes(), content)
        place.unlink()
        place.mkdir()
        expect(5, "not a writer key")
        place.rmdir()
        os.mkfifo(place)
        expect(5, "not a writer key")
        place.unlink()
        os.symlink("/dev/zero", place)
        expect(5, "not a writer key")
        place.unlink()
        os.symlink("nowhere", place)
        expect(7, "writer.key: cannot open")
        place.unlink()
        place.symlink_to(self.dir / "real")  # a link to a key is fine
        Path("real").write_bytes(b"ORRWRKEY" + b"k" * 32)
        self.encrypt()

    def test_two_runs_make_one(self):
        runs = [subprocess.Popen([ORRERY, "encrypt", "-q", "--to", "site.orrpub", "in/.", "-o", f"out{i}"], env=self.env) for i in range(8)]
        self.assertEqual([r.wait() for r in runs], [0] * 8)
        for i in range(8):
            self.assertEqual(self.counts(out=f"out{i}"), (0, 3, 0))

    def test_it_is_no_keyring(self):
        self.encrypt()
        self.assertEqual(run("decrypt", "-k", KEY, "out", "-o", "back", env=self.env)[0], 10)


if __name__ == "__main__":
    unittest.main()
