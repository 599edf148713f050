"""Keyrings in use: what an update, or a run that was killed, may touch; names of keys; passphrases; the question before a key goes."""
import os
import re
import shutil
import unittest
from pathlib import Path

from support.cli import Case, png, run
from support.terminal import on_terminal

FAULT = os.environ.get("FAULT")


def with_fault(fault, *arguments):
    return run(*arguments, env={**os.environ, "LD_PRELOAD": FAULT, "ORRERY_FAULT": fault})


def without_fault(test):
    return unittest.skipUnless(FAULT and Path(FAULT).exists() and "libasan" not in Path("/proc/self/maps").read_text(),
                               "no FAULT library (run by ctest), or AddressSanitizer")(test)


class Files(Case):
    def names(self):
        return sorted(os.listdir())

    def test_neighbours_of_a_keyring_stay(self):
        """Whatever is called like a keyring is somebody's: another keyring, most likely."""
        self.keyring("h.keyring")
        kept = {}
        for name in ("h.keyring.new", "h.keyring.partial", ".h.keyring.partial", "h.keyring.lock2", "h.keyring~", "h.keyring.tmp",
                     ".orrery-0123456789abcdef.partial"):
            self.keyring(name)
            kept[name] = Path(name).read_bytes()
        second = run("keyring", "add", "-k", "h.keyring", "--label", "2027")[1].strip()
        self.assertEqual(run("keyring", "set-state", "-k", "h.keyring", second, "active")[0], 0)
        Path("pw").write_text("seven words drawn at random from a list\n")
        self.assertEqual(run("keyring", "passwd", "-k", "h.keyring", "--new-passphrase-file", "pw")[0], 0)
        self.assertEqual({name: Path(name).read_bytes() for name in kept}, kept)

    @without_fault
    def test_a_kill_while_a_keyring_is_made(self):
        """At every change: afterwards there is none, or a whole one, and the next run cleans up."""
        png(Path("d.png"), 1)
        new = ("keyring", "new", "-q", "-o", "sub/keys", "--no-passphrase", "--decoy", "d.png")
        for n in range(1, 100):
            shutil.rmtree("sub", ignore_errors=True)
            os.mkdir("sub")
            status = with_fault(f"change:{n}:kill:", *new)[0]
            if status == 0:
                break
            self.assertEqual(status, -9)
            if Path("sub/keys").exists():
                self.assertEqual(run("keyring", "list", "-k", "sub/keys")[0], 0, n)
            else:
                self.assertEqual(run(*new)[0], 0, n)
            self.assertEqual(run("keyring", "add", "-q", "-k", "sub/keys")[0], 0)
            self.assertEqual(sorted(os.listdir("sub")), ["keys", "keys.lock"], n)
            self.assertEqual(os.stat("sub/keys").st_mode & 0o7777, 0o600)
        self.assertGreater(n, 4)  # created, written, flushed, named at the least

    @without_fault
    def test_a_kill_while_a_keyring_is_changed(self):
        self.keyring("before")
        for n in range(1, 100):
            shutil.rmtree("sub", ignore_errors=True)
            os.mkdir("sub")
            shutil.copy("before", "sub/keys")
            status = with_fault(f"change:{n}:kill:", "keyring", "add", "-q", "-k", "sub/keys", "--label", "one")[0]
            out = run("keyring", "list", "-k", "sub/keys")[1]
            self.assertIn(out.count("\n"), (3, 4), out)  # the old keyring or the new one
            self.assertEqual(run("keyring", "add", "-q", "-k", "sub/keys", "--label", "two")[0], 0)
            self.assertEqual(sorted(os.listdir("sub")), ["keys", "keys.lock"], n)
            if status == 0:
                break
            self.assertEqual(status, -9)
        self.assertGreater(n, 4)

    @without_fault
    def test_file_systems_that_lack_something(self):
        """Modes, flushes: the keyring is made all the same, and what is missing is said."""
        png(Path("d.png"), 1)
        new = ("keyring", "new", "--no-passphrase", "--decoy", "d.png", "-o")
        status, _, err = with_fault("fsync:0:EINVAL:", *new, "a")
        self.assertEqual(status, 0, err)
        self.assertIn("cannot be told to write it to the disk now", err)
        status, _, err = with_fault("fsync:0:EINVAL:", "keyring", "add", "-k", "a")
        self.assertEqual(status, 0, err)
        self.assertIn("cannot be told to write it to the disk now", err)
        self.assertEqual(with_fault("fchmod:0:EINVAL:", *new, "b")[0], 0)
        self.assertEqual(with_fault("rename:0:EINVAL:", *new, "c")[0], 0)  # by a hard link
        self.assertEqual(run("keyring", "list", "-k", "c")[0], 0)
        self.assertEqual(with_fault("fsync:0:EIO:", *new, "d")[0], 7)
        self.assertFalse(Path("d").exists())
        self.assertEqual([name for name in self.names() if "partial" in name], [])


class Names(Case):
    """Labels name keys wherever IDs do."""
    def setUp(self):
        super().setUp()
        self.first = self.keyring("keys", "--label", "old archive")
        self.second = self.add("2027")
        Path("a").write_text("a scan")
        self.assertEqual(run("encrypt", "-q", "-k", "keys", "a", "-o", "out")[0], 0)

    def add(self, label):
        status, out, err = run("keyring", "add", "-q", "-k", "keys", "--label", label)
        self.assertEqual(status, 0, err)
        return out.strip()

    def states(self):
        return {m["key_id"]: m["state"] for m in self.messages(run("keyring", "list", "-k", "keys", "--json")[1], 0)[:-1]}

    def test_labels(self):
        self.assertEqual(run("reencrypt", "-q", "-k", "keys", "--to", "old archive", "out", "-o", "new")[0], 0)
        status, _, err = run("rewrap", "-k", "keys", "--to", "2027", "out")
        self.assertEqual(status, 0, err)
        self.assertIn("rewrapped 1 file", err)
        shown = self.messages(run("inspect", "--json", "out/a.orr.tif")[1], 0)[0]
        self.assertEqual([slot["key_ids"] for slot in shown["slots"]], [[self.second]] * 2)
        self.assertEqual(run("keyring", "set-state", "-k", "keys", "2027", "active")[0], 0)
        self.assertEqual(self.states(), {self.first: "decrypt-only", self.second: "active"})
        self.assertEqual(run("keyring", "set-state", "-k", "keys", "--yes", "old archive", "destroyed")[0], 0)
        for name in ("old", "OLD ARCHIVE", ""):
            self.assertIn(run("keyring", "set-state", "-k", "keys", name, "active")[0], (2, 5), name)

    def test_several_of_one_name(self):
        third = self.add("2027")
        status, _, err = run("keyring", "set-state", "-k", "keys", "2027", "active")
        self.assertEqual(status, 5)
        self.assertIn(f'"2027" names several keys: give more digits of an ID: {self.second} (2027, decrypt-only), {third} (2027', err)
        self.assertEqual(run("rewrap", "-k", "keys", "--to", "2027", "out")[0], 5)
        self.assertEqual(run("keyring", "set-state", "-k", "keys", third, "active")[0], 0)
        # The first digits of one key, the label of another.
        self.add(self.first[:4])
        status, _, err = run("keyring", "set-state", "-k", "keys", self.first[:4], "active")
        self.assertEqual(status, 5)
        self.assertIn("several keys", err)
        # A label that is the whole ID of another key does not hide that key.
        self.add(self.first)
        self.assertEqual(run("keyring", "set-state", "-k", "keys", self.first, "active")[0], 0)
        self.assertEqual(self.states()[self.first], "active")

    def test_a_label_twice_is_warned_of(self):
        self.assertIn("another key has the label", run("keyring", "add", "-k", "keys", "--label", "2027")[2])
        self.assertNotIn("another key", run("keyring", "add", "-k", "keys", "--label", "2028")[2])


class Passphrases(Case):
    def setUp(self):
        super().setUp()
        png(Path("d.png"), 1)

    def new(self, text, name="keys"):
        Path("pw").write_bytes(text)
        os.chmod("pw", 0o600)
        return run("keyring", "new", "-o", name, "--passphrase-file", "pw", "--decoy", "d.png")

    def test_encodings(self):
        words = "correct horse battery\n"
        for text in (b"\xef\xbb\xbf" + words.encode(), words.encode("utf-16"), words.encode("utf-16-le"), words.encode("utf-16-be"),
                     words.replace("\n", "\r\n").encode("utf-16-le"), b"\xfe\xff" + words.encode("utf-16-be"), b"\xef\xbb\xbf\n"):
            with self.subTest(text=text):
                status, _, err = self.new(text)
                self.assertEqual(status, 5, err)
                self.assertIn("UTF-8 without a mark", err)
                self.assertFalse(Path("keys").exists())
        self.assertEqual(self.new("Fünf Wörter für den Schlüssel\n".encode())[0], 0)

    def test_short_ones_are_warned_of(self):
        status, _, err = self.new(b"abc")
        self.assertEqual(status, 0, err)
        self.assertIn("fewer than 14 characters", err)
        err = run("keyring", "list", "-k", "keys", "--passphrase-file", "pw")[2]  # not each time
        self.assertNotIn("fewer", err)
        self.keyring("plain")
        for text, weak in ((b"abc", True), (b"correct horse", True), ("ä".encode() * 13, True), ("ä".encode() * 14, False),
                           (b"correct horse battery staple", False)):
            with self.subTest(text=text):
                Path("pw").write_bytes(text)
                status, _, err = run("keyring", "passwd", "-k", "plain", "--dry-run", "--new-passphrase-file", "pw")
                self.assertEqual(status, 0, err)
                self.assertEqual("fewer than 14 characters" in err, weak, err)

    def test_one_that_the_keyring_does_not_take(self):
        """Somebody may have put another keyring there: nothing is encrypted under it."""
        self.keyring()
        Path("pw").write_text("correct horse battery staple\n")
        os.chmod("pw", 0o600)
        Path("a").write_text("a scan")
        before = Path("keys").read_bytes()
        for command in (["keyring", "list"], ["keyring", "add"], ["keyring", "passwd", "--no-passphrase"], ["encrypt", "a", "-o", "out"]):
            for option in (["--passphrase-file", "pw"], ["--passphrase-fd", "0"]):
                status, _, err = run(*command, "-k", "keys", *option, input=b"correct horse battery staple\n")
                self.assertEqual(status, 5, command)
                self.assertIn("takes no passphrase, and one was given", err)
        self.assertFalse(Path("out").exists())
        self.assertEqual(Path("keys").read_bytes(), before)
        status, _, err = run("keyring", "passwd", "-k", "keys", "--new-passphrase-file", "pw")
        self.assertEqual(status, 0, err)


class Destroying(Case):
    """The question comes on a terminal, after the passphrase and a look at the key, and shows nothing that is typed."""
    def setUp(self):
        super().setUp()
        self.key = self.keyring()
        self.other = run("keyring", "add", "-q", "-k", "keys", "--label", "2027")[1].strip()

    def on_terminal(self, name, *answers):
        return on_terminal(["keyring", "set-state", "-k", "keys", name, "destroyed"], *answers)

    def state(self, key):
        return re.search(rf"^{key}  (\S+)", run("keyring", "list", "-k", "keys")[1], re.M)[1]

    def test_yes(self):
        Path("pw").write_text("correct horse battery staple\n")
        self.assertEqual(run("keyring", "passwd", "-k", "keys", "--new-passphrase-file", "pw")[0], 0)
        status, shown = self.on_terminal("2027", ("Passphrase of keys", "correct horse battery staple\n"), ("Type yes", "yes\n"))
        self.assertEqual(status, 0, shown)
        self.assertIn(f"under key {self.other} (2027) will be lost", shown)
        self.assertNotIn("yes", shown.split("not shown")[1])
        status, out, _ = run("keyring", "list", "-k", "keys", "--passphrase-file", "pw")
        self.assertRegex(out, f"{self.other}  destroyed")

    def test_anything_else(self):
        for answer in ("correct horse battery staple\n", "\n", "y\n", "YES\n", "yes \n"):
            with self.subTest(answer=answer):
                status, shown = self.on_terminal(self.other, ("Type yes", answer))
                self.assertEqual(status, 2, shown)
                self.assertIn('what was typed is not "yes"', shown)
                self.assertNotIn("correct horse", shown)
                self.assertEqual(self.state(self.other), "decrypt-only")

    def test_the_key_is_looked_for_first(self):
        for name, status in (("no such label", 5), (self.key, 2)):  # the latter is active
            got, shown = self.on_terminal(name)
            self.assertEqual(got, status, shown)
            self.assertNotIn("Type yes", shown)


if __name__ == "__main__":
    unittest.main()
