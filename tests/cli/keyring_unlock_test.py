"""The ways into a keyring: passphrases and recovery codes added, removed, replaced; copies joined; version 1 converted; what of a
vault still needs a key. Killed at every change that they make, and with every such change failing."""
import json
import os
import re
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

from support.cli import ORRERY, SOURCE, Case, memory_directory, png, run
from support.faults import FAULT, broken
from support.terminal import on_terminal

sys.path.insert(0, str(SOURCE / "tests" / "oracles"))
try:
    import orrery_keyring
except ImportError:
    orrery_keyring = None

CODE = r"([0-9A-HJKMNP-TV-Z]{7}-){7}[0-9A-HJKMNP-TV-Z]{7}"
WORDS = {"pw": "seven words drawn at random from a list", "pw2": "seven others that nobody has seen yet"}


def setUpModule():
    tempfile.tempdir = memory_directory(64 << 20)  # hundreds of flushes


def has_fault():
    return FAULT and Path(FAULT).exists() and "libasan" not in Path("/proc/self/maps").read_text()


class Ways(Case):
    def setUp(self):
        super().setUp()
        png(Path("d.png"), 1)
        for name, words in WORDS.items():
            self.write(name, words + "\n")

    def write(self, name, text):
        Path(name).write_text(text)
        os.chmod(name, 0o600)

    def go(self, *arguments, status=0, says=""):
        got, out, err = run(*arguments)
        self.assertEqual(got, status, out + err)
        self.assertIn(says, out + err)
        return out

    def new(self, name="keys", *options):
        return self.go("keyring", "new", "-q", "-o", name, "--passphrase-file", "pw", "--decoy", "d.png", *options)

    def coded(self, name="keys", code="code"):
        """A keyring that opens with the code in a file alone: without an scrypt, so that tests are quick."""
        self.keyring(name)
        self.go("keyring", "unlock", "add", "-q", "-k", name, "--new-recovery-code", "--save-recovery-code", code)
        return ("-k", name, "--recovery-code-file", code)

    def unlocks(self, *opened):
        return {m["label"] or m["type"]: m for m in
                map(json.loads, self.go("keyring", "unlock", "list", *opened, "--json").splitlines()[:-1])}

    def opens(self, *opened, status=0):
        return self.go("keyring", "list", *opened, status=status)


class Codes(Ways):
    def test_a_new_keyring_shows_its_code_once(self):
        lines = self.new().splitlines()
        self.assertRegex(lines[0], r"\A[0-9a-f]{32}\Z")
        self.assertIn("shown this once. Print it", lines[1])
        self.assertRegex(lines[2], rf"\A{CODE}\Z")
        self.assertEqual(len(lines), 3)
        for text in (lines[2], lines[2].lower().replace("-", " "), f"  {lines[2]}\r"):
            self.write("code", text + "\n")
            self.opens("-k", "keys", "--recovery-code-file", "code")
        status, out, err = run("keyring", "list", "-k", "keys", "--recovery-code-fd", "0", input=lines[2].encode())
        self.assertEqual(status, 0, err)
        self.assertNotRegex(out + err, CODE)

    def test_what_makes_none(self):
        for options in (["--no-recovery-code"], ["--json"]):
            shutil.rmtree("keys", ignore_errors=True)
            name = "k" + options[0]
            self.assertNotRegex(self.new(name, *options), CODE)
            self.assertEqual(list(self.unlocks("-k", name, "--passphrase-file", "pw")), ["passphrase"])
            self.opens("-k", name, "--recovery-code", status=5)
        self.keyring("none")
        self.assertEqual(list(self.unlocks("-k", "none")), ["none"])

    def test_saved_into_a_file(self):
        out = self.new("keys", "--json", "--save-recovery-code", "code")
        self.assertNotRegex(out, CODE)
        self.assertEqual(stat.S_IMODE(os.stat("code").st_mode), 0o600)
        self.assertRegex(Path("code").read_text(), rf"\A{CODE}\n\Z")
        self.opens("-k", "keys", "--recovery-code-file", "code")
        before = Path("code").read_bytes()
        self.go("keyring", "new", "-o", "other", "--passphrase-file", "pw", "--decoy", "d.png", "--save-recovery-code", "code",
                status=6, says="code: exists already")
        self.assertEqual(Path("code").read_bytes(), before)
        self.assertFalse(Path("other").exists())
        # A keyring that cannot be made takes its code back.
        os.mkdir("closed")
        self.go("keyring", "new", "-o", "closed/no/keys", "--passphrase-file", "pw", "--decoy", "d.png", "--save-recovery-code", "code2",
                status=7)
        self.assertFalse(Path("code2").exists())

    def test_mistakes_are_told_apart(self):
        keys, other = self.coded(), self.coded("others", "code2")
        code = Path("code").read_text()
        for bad in ("Z" + code[1:] if code[0] != "Z" else "Y" + code[1:], code[:-2] + "\n", code.strip() + "0\n", "U" + code[1:]):
            self.write("bad", bad)
            self.go("keyring", "list", *keys[:3], "bad", status=5, says="bad: the recovery code is mistyped")
        for bad, why in (("", "is empty"), ("\ufeff" + code, "begins with a byte order mark")):
            self.write("bad", bad)
            self.go("keyring", "list", *keys[:3], "bad", status=5, says="bad: the recovery code " + why)
        self.go("keyring", "list", *keys[:3], "code2", status=5, says="typed right, but is not one of this keyring")
        self.opens(*other)
        self.keyring("plain")
        for command in (["list"], ["add"], ["unlock", "list"]):
            self.go("keyring", *command, "-k", "plain", "--recovery-code-file", "code", status=5, says="takes no recovery code, and one was given")
        self.go("keyring", "list", *keys[:2], "--passphrase-file", "pw", status=5, says="has no passphrase")
        self.go("keyring", "list", *keys[:2], status=5, says="no terminal")

    def test_every_command_takes_one(self):
        keys = self.coded()
        Path("a").write_text("a scan")
        self.go("encrypt", "-q", *keys, "a", "-o", "v/")
        self.go("verify", "-q", *keys, "v")
        self.go("decrypt", "-q", *keys, "v", "-o", "r")
        self.go("rewrap", "-q", *keys, "v")
        self.go("reencrypt", "-q", *keys, "v", "-o", "w")
        self.go("keyring", "set-state", "-q", *keys, self.go("keyring", "add", "-q", *keys).strip(), "active")
        self.assertEqual(Path("r/a").read_text(), "a scan")

    def test_on_a_terminal(self):
        self.coded()
        code = Path("code").read_text().lower()
        status, shown = on_terminal(["keyring", "list", "-k", "keys"], ("Recovery code of keys: ", code))
        self.assertEqual(status, 0, shown)
        self.assertNotIn(code.strip(), shown)
        self.go("keyring", "unlock", "add", "-q", "-k", "keys", "--recovery-code-file", "code", "--new-passphrase-file", "pw")
        status, shown = on_terminal(["keyring", "list", "-k", "keys", "--recovery-code"], ("Recovery code of keys: ", code))
        self.assertEqual(status, 0, shown)
        status, shown = on_terminal(["keyring", "list", "-k", "keys"], ("Passphrase of keys: ", WORDS["pw"] + "\n"))
        self.assertEqual(status, 0, shown)
        asks = "Recovery code of keys: "
        status, shown = on_terminal(["keyring", "list", "-k", "keys", "--recovery-code"], *[(asks, "x" + code)] * 3)
        self.assertEqual(status, 5, shown)
        self.assertEqual(shown.count("terminal: the recovery code is mistyped"), 3)
        status, shown = on_terminal(["keyring", "list", "-k", "keys", "--recovery-code"], (asks, "x" + code), (asks, "\n"), (asks, code))
        self.assertEqual(status, 0, shown)
        self.assertIn("terminal: the recovery code is empty", shown)


class Unlocks(Ways):
    def test_add_and_remove(self):
        keys = self.coded()
        add = ("keyring", "unlock", "add", *keys)
        self.go(*add, "--new-passphrase-file", "pw", "--label", "night", says="added a passphrase")
        self.go(*add, "--new-passphrase-file", "pw2", "--dry-run", says="would add")
        self.assertEqual(sorted(self.unlocks(*keys)), ["night", "recovery-code"])
        before = Path("keys").read_bytes()
        remove = ("keyring", "unlock", "remove", *keys)
        self.go(*remove, "nobody", status=5, says='no unlock "nobody"')
        self.go(*remove, "night", "--dry-run", says="would remove")
        self.assertEqual(Path("keys").read_bytes(), before)
        self.go(*remove, "night", says="removed unlock")
        self.opens("-k", "keys", "--passphrase-file", "pw", status=5)
        self.opens(*keys)
        ident = self.unlocks(*keys)["recovery-code"]["unlock_id"]
        self.go(*remove, ident[:6], status=2, says="that is the last way")

    @unittest.skipUnless(orrery_keyring, "the Python package cryptography is missing (scripts/requirements.txt)")
    def test_a_copy_and_an_old_secret_do_not_open_what_comes_later(self):
        """Who was shut out keeps the keyring key of his time: it opens what is written until then, and nothing later."""
        keys = self.coded()
        self.go("keyring", "unlock", "add", "-q", *keys, "--new-recovery-code", "--save-recovery-code", "code2", "--label", "gone")
        old = Path("keys").read_bytes()
        key = orrery_keyring.keyring_key(orrery_keyring.unlocks_of("keys", old), None,
                                         orrery_keyring.recovery_key(Path("code2").read_text().strip()))
        self.go("keyring", "add", "-q", *keys)
        self.assertEqual(orrery_keyring.open_payload("keys", Path("keys").read_bytes(), 2, key)[:4], b"\2\0\0\0")
        self.go("keyring", "unlock", "remove", "-q", *keys, "gone")
        with self.assertRaises(orrery_keyring.Refused):
            orrery_keyring.open_payload("keys", Path("keys").read_bytes(), 1, key)

    def test_what_is_not_given_goes_only_when_said(self):
        keys = self.coded()
        for n, label in ((2, "second"), (3, "third")):
            self.go("keyring", "unlock", "add", "-q", *keys, "--new-recovery-code", "--save-recovery-code", f"code{n}", "--label", label)
        before = Path("keys").read_bytes()
        remove = ("keyring", "unlock", "remove", *keys, "second")
        third = self.unlocks(*keys)["third"]["unlock_id"]
        self.go(*remove, status=2, says=f"was not: recovery code {third} (third); without a terminal this needs --yes")
        for options in (["--yes"], []):  # that of the one to go keeps nothing: a mistake
            self.go(*remove, *options, "--other-recovery-code-file", "code2", status=5, says="code2: opens none of the unlocks that are to stay")
        self.assertEqual(Path("keys").read_bytes(), before)
        with open("code3", "rb") as pipe:  # read once
            status, _, err = run(*remove, "--other-recovery-code-file", "/dev/stdin", input=pipe.read())
        self.assertEqual(status, 0, err)
        self.assertEqual(sorted(self.unlocks(*keys)), ["recovery-code", "third"])
        self.opens(*keys[:3], "code3")
        # Who opens it may be the one that goes.
        self.go("keyring", "unlock", "remove", *keys, self.unlocks(*keys)["recovery-code"]["unlock_id"], "--yes", status=2,
                says="nothing would open the keyring any more")
        self.go("keyring", "unlock", "remove", *keys[:3], "code3", self.unlocks(*keys)["recovery-code"]["unlock_id"])
        self.assertEqual(list(self.unlocks(*keys[:3], "code3")), ["third"])
        Path("keys").write_bytes(before)
        self.go(*remove, "--yes", "--dry-run", says="1 other way in would go too")
        self.go(*remove, "--yes", says="1 other way in went too")
        self.assertEqual(list(self.unlocks(*keys)), ["recovery-code"])

    def test_on_a_terminal(self):
        keys = self.coded()
        for n, label in ((2, "second"), (3, "third"), (4, "fourth")):
            self.go("keyring", "unlock", "add", "-q", *keys, "--new-recovery-code", "--save-recovery-code", f"code{n}", "--label", label)
        before = Path("keys").read_bytes()
        remove = ["keyring", "unlock", "remove", *keys, "second"]
        code3 = Path("code3").read_text()
        status, shown = on_terminal(remove, ("(third) (nothing: it goes too)", code3), ("(fourth)", "\n"), ("Type yes", "no\n"))
        self.assertEqual(status, 2, shown)
        self.assertIn("will open the keyring no more: recovery code", shown)
        self.assertEqual(Path("keys").read_bytes(), before)
        status, shown = on_terminal(remove, ("(third)", Path("code4").read_text()))  # of another one
        self.assertEqual(status, 5, shown)
        self.assertIn("that is not the recovery code of this unlock", shown)
        self.assertEqual(Path("keys").read_bytes(), before)
        status, shown = on_terminal(remove, ("(third)", "x" + code3), ("(third)", code3), ("(fourth)", "\n"), ("Type yes", "yes\n"))
        self.assertEqual(status, 0, shown)
        self.assertNotIn(code3.strip(), shown)
        self.assertEqual(sorted(self.unlocks(*keys)), ["recovery-code", "third"])

    def test_a_keyring_without_a_passphrase_gets_one(self):
        self.keyring()
        before = Path("keys").read_bytes()
        self.go("keyring", "unlock", "add", "-k", "keys", "--new-passphrase-file", "pw", says="who has a copy from then has its keys")
        self.assertEqual(list(self.unlocks("-k", "keys", "--passphrase-file", "pw")), ["passphrase"])
        self.assertNotEqual(Path("keys").read_bytes()[64:], before[64:])


class Passwd(Ways):
    def test_with_the_recovery_code(self):
        """The passphrase is lost."""
        self.new("keys", "--save-recovery-code", "code")
        code = ("-k", "keys", "--recovery-code-file", "code")
        self.go("keyring", "passwd", *code, "--new-passphrase-file", "pw2")
        self.opens("-k", "keys", "--passphrase-file", "pw", status=5)
        self.opens("-k", "keys", "--passphrase-file", "pw2")
        self.opens(*code)
        self.go("keyring", "unlock", "add", "-q", *code, "--new-passphrase-file", "pw")
        self.go("keyring", "passwd", *code, "--new-passphrase-file", "pw2", status=2, says="has 2 passphrases")

    def test_others_are_kept_or_go(self):
        self.new("keys", "--save-recovery-code", "code")
        old, change = Path("keys").read_bytes(), ("keyring", "passwd", "-k", "keys", "--passphrase-file", "pw", "--new-passphrase-file", "pw2")
        self.go(*change, status=2, says="was not: recovery code")
        self.assertEqual(Path("keys").read_bytes(), old)
        for options, kept in ((["--other-recovery-code-file", "code"], True), (["--same-key"], True), (["--yes"], False)):
            with self.subTest(options=options):
                Path("keys").write_bytes(old)
                self.go(*change, *options)
                self.opens("-k", "keys", "--passphrase-file", "pw", status=5)
                self.opens("-k", "keys", "--passphrase-file", "pw2")
                self.opens("-k", "keys", "--recovery-code-file", "code", status=0 if kept else 5)
        for opened in (["--passphrase-file", "pw"], ["--recovery-code-file", "code"]):
            Path("keys").write_bytes(old)
            bare = ("keyring", "passwd", "-k", "keys", *opened, "--no-passphrase")
            self.go(*bare, status=2, says="nothing stands beside no passphrase, and these go:")
            self.go(*bare, "--yes", "--dry-run", says="1 other way in would go too")
            self.assertEqual(Path("keys").read_bytes(), old)
            self.go(*bare, "--yes", says="1 other way in went too")
            self.opens("-k", "keys")

    def test_the_key_of_a_keyring_without_a_passphrase_never_stays(self):
        """Whoever has a copy from then would open the new one too."""
        self.keyring()
        old = Path("keys").read_bytes()
        change = ("keyring", "passwd", "-k", "keys", "--new-passphrase-file", "pw")
        self.go(*change, "--same-key", status=2, says="every copy of it would open the new one too")
        self.assertEqual(Path("keys").read_bytes(), old)
        self.go(*change)
        if orrery_keyring:
            key = orrery_keyring.keyring_key(orrery_keyring.unlocks_of("keys", old), None, None)
            with self.assertRaises(orrery_keyring.Refused):
                orrery_keyring.open_payload("keys", Path("keys").read_bytes(), 1, key)


class Copies(Ways):
    def states(self, *opened):
        return {m["label"]: m["state"] for m in map(json.loads, self.go("keyring", "list", *opened, "--json").splitlines()) if "label" in m}

    def test_merge(self):
        keys = self.coded()
        shutil.copy("keys", "usb")
        usb = ("-k", "usb", *keys[2:])
        self.go("keyring", "add", "-q", *keys, "--label", "here")
        self.go("keyring", "set-state", "-q", *keys, "here", "active")
        there = self.go("keyring", "add", "-q", *usb, "--label", "there").strip()
        self.go("keyring", "set-state", "-q", *usb, "there", "active")
        self.go("keyring", "set-state", "-q", *usb, "--yes", "master", "destroyed")
        before, other = Path("keys").read_bytes(), Path("usb").read_bytes()
        self.assertEqual(self.go("keyring", "merge", *keys, "usb", "--dry-run").strip(), there)
        self.assertEqual(Path("keys").read_bytes(), before)
        self.go("keyring", "merge", *keys, "usb", status=2, says="nothing was merged: 1 key to add, 1 to destroy; without a terminal")
        status, shown = on_terminal(["keyring", "merge", *keys, "usb"], ("Type yes to merge", "no\n"))
        self.assertEqual(status, 2, shown)
        self.assertIn(f"to be added: key {there} (there)", shown)
        self.assertRegex(shown, r"to be destroyed: key [0-9a-f]{32} \(master\)")
        self.assertEqual(Path("keys").read_bytes(), before)
        self.assertEqual(self.go("keyring", "merge", *keys, "--yes", "usb", says="took 1 key").strip(), there)
        self.assertEqual(self.states(*keys), {"master": "destroyed", "here": "active", "there": "decrypt-only"})
        self.assertEqual(Path("usb").read_bytes(), other)
        self.assertEqual(self.go("keyring", "merge", *keys, "usb"), "")
        self.go("keyring", "merge", *usb, "--yes", "keys")
        self.assertEqual(self.states(*usb), {"master": "destroyed", "here": "decrypt-only", "there": "active"})

    def test_the_active_key_is_not_destroyed_by_a_merge(self):
        keys = self.coded()
        shutil.copy("keys", "usb")
        usb = ("-k", "usb", *keys[2:])
        self.go("keyring", "set-state", "-q", *usb, self.go("keyring", "add", "-q", *usb).strip(), "active")
        first = re.match("[0-9a-f]+", self.go("keyring", "list", *keys))[0]
        self.go("keyring", "set-state", "-q", *usb, "--yes", first, "destroyed")
        before = Path("keys").read_bytes()
        for options in ([], ["--yes"], ["--dry-run"]):
            self.go("keyring", "merge", *keys, *options, "usb", status=2, says="is active here and destroyed in the other keyring")
        self.assertEqual(Path("keys").read_bytes(), before)
        self.go("keyring", "set-state", "-q", *keys, self.go("keyring", "add", "-q", *keys).strip(), "active")
        self.go("keyring", "merge", *keys, "--yes", "usb", says="1 key is destroyed")
        Path("a").write_text("x")
        self.go("encrypt", *keys, "a", "-o", "v/")

    def test_decoys_of_a_keyring_of_few(self):
        for n in range(6):
            png(Path(f"d{n}.png"), n + 2)
        for name, images in (("one", ["d0.png"]), ("many", [f"d{n}.png" for n in range(1, 6)])):
            self.go("keyring", "new", "-q", "-o", name, "--no-passphrase", "--decoy", *images)
        self.go("keyring", "merge", "-k", "one", "--yes", "many", says="took 1 key and 5 decoys")
        self.assertIn("6 decoys", self.opens("-k", "one"))

    def test_a_copy_that_opens_otherwise(self):
        keys, _ = self.coded(), self.coded("usb", "code2")
        self.go("keyring", "merge", *keys, "usb", status=5, says="no terminal")
        self.go("keyring", "merge", *keys, "usb", "--other-recovery-code-file", "code", status=5, says="usb: the recovery code")
        self.go("keyring", "merge", *keys, "--yes", "usb", "--other-recovery-code-file", "code", "--other-recovery-code-file", "code2")
        self.keyring("plain")
        self.go("keyring", "merge", *keys, "--yes", "plain", says="plain opens without a passphrase, and keys does not")
        self.go("keyring", "merge", *keys, "plain", "--other-recovery-code-file", "code", status=5, says="plain: this keyring takes no")
        self.go("keyring", "merge", *keys, "nothing", status=5, says="nothing: there is no keyring")
        status, shown = on_terminal(["keyring", "merge", *keys, "usb"], ("Recovery code of usb: ", Path("code2").read_text()))
        self.assertEqual(status, 0, shown)

    def version1(self):
        """(passphrase or None, bytes) of the golden vectors."""
        for line in (SOURCE / "tests/vectors/secret.txt").read_text().splitlines():
            if line.startswith("keyring1 "):
                _, words, data = line.split()
                yield (None if words == "-" else bytes.fromhex(words)), bytes.fromhex(data)

    def test_convert(self):
        for words, data in self.version1():
            for name in ("keys", "keys.v1"):
                Path(name).unlink(missing_ok=True)
            Path("keys").write_bytes(data)
            os.chmod("keys", 0o600)
            given = []
            if words:
                Path("old").write_bytes(words + b"\n")
                os.chmod("old", 0o600)
                given = ["--passphrase-file", "old"]
            for command in (["keyring", "list"], ["keyring", "add"], ["keyring", "unlock", "list"], ["verify", "x"], ["keyring", "passwd"]):
                self.go(*command, "-k", "keys", *given, status=8, says="`orrery keyring convert -k KEYRING` makes it")
            self.assertEqual(Path("keys").read_bytes(), data)
            self.go("keyring", "convert", "-k", "keys", *given, says="keys.v1")
            self.assertEqual(Path("keys.v1").read_bytes(), data)
            self.assertIn("Röntgen 2023", self.opens("-k", "keys", *given))
            self.go("keyring", "convert", "-k", "keys", *given, status=2, says="is a keyring of version 2 already")


class Vault(Ways):
    def test_what_still_needs_the_key(self):
        first = self.keyring()
        for name in "abc":
            Path(name).write_text("scan " + name)
        self.go("encrypt", "-q", "-k", "keys", "a", "b", "c", "-o", "v")
        second = self.go("keyring", "add", "-q", "-k", "keys", "--label", "2027").strip()
        self.go("keyring", "set-state", "-q", "-k", "keys", second, "active")
        destroy = ("keyring", "set-state", "-k", "keys", "--yes", first, "destroyed", "--vault")
        self.go(*destroy, "v", "--dry-run", says="v: 3 of 3 encrypted files still need the key")
        self.go("rewrap", "-q", "-k", "keys", "v/a.orr.tif")
        self.go(*destroy, "v", "--dry-run", says="v: 2 of 3 encrypted files still need the key: `orrery rewrap`")
        Path("v/b.orr.tif").write_bytes(Path("v/b.orr.tif").read_bytes()[:9000])
        before = Path("keys").read_bytes()
        for options in ([], ["--dry-run"]):
            self.go(*destroy, "v", *options, status=7, says="1 files could not be looked at")
        self.assertEqual(Path("keys").read_bytes(), before)
        self.go(*destroy, "v", "--ignore-unread", "--dry-run", says="1 files could not be looked at")
        Path("v/b.orr.tif").write_bytes(bytes(9000))  # no more than its name is left
        self.go(*destroy, "v", status=7, says="1 files could not be looked at")
        Path("v/b.orr.tif").unlink()
        os.mkdir("empty")
        self.go(*destroy, "empty", status=10, says="holds no encrypted file")
        self.go(*destroy, "nothing", status=5, says="no such directory")
        status, shown = on_terminal([*destroy[:4], *destroy[5:], "v"], ("Type yes", "no\n"))
        self.assertEqual(status, 2, shown)
        self.assertIn("(of that vault: 1)", shown)
        last = json.loads(self.go(*destroy, "v", "--json").splitlines()[-1])
        self.assertEqual((last["files"], last["need_key"], last["unread"]), (2, 1, 0))
        self.go("verify", "-k", "keys", "v", status=3, says=f"master key {first} (master) was destroyed")
        self.go("keyring", "set-state", "-k", "keys", second, "destroyed", "--vault", "v", status=2, says="is active")


    def test_files_whose_front_is_damaged(self):
        """With repair data the second head tells."""
        first = self.keyring()
        Path("a").write_text("scan")
        self.go("encrypt", "-q", "-k", "keys", "--parity", "10", "a", "-o", "v/")
        whole = Path("v/a.orr.tif").read_bytes()
        second = self.go("keyring", "add", "-q", "-k", "keys").strip()
        self.go("keyring", "set-state", "-q", "-k", "keys", second, "active")
        for damaged in (bytes(4096) + whole[4096:], whole[:200] + b"\xff" + whole[201:], whole[:100] + bytes(10) + whole[110:]):
            Path("v/a.orr.tif").write_bytes(damaged)
            self.go("keyring", "set-state", "-k", "keys", first, "destroyed", "--dry-run", "--vault", "v", says="v: 1 of 1 encrypted files")

    def test_files_with_several_wraps(self):
        """Another key of this keyring opens a file too; a key that is destroyed, or somebody else's, does not."""
        first = self.keyring()
        self.keyring("others")
        spare, third = (self.go("keyring", "add", "-q", "-k", "keys", "--label", label).strip() for label in ("spare", "third"))
        self.go("keyring", "export", "-q", "-k", "keys", "-o", "spare.orrpub", "spare")
        self.go("keyring", "export", "-q", "-k", "others", "-o", "others.orrpub")
        for name, to in (("a", []), ("b", ["--add", "spare.orrpub"]), ("c", ["--add", "others.orrpub"])):
            Path(name).write_text("scan " + name)
            self.go("encrypt", "-q", "-k", "keys", name, "-o", "v/")
            if to:
                self.go("rewrap", "-q", "-k", "keys", *to, f"v/{name}.orr.tif")
        self.go("keyring", "set-state", "-q", "-k", "keys", third, "active")
        needs = ("keyring", "set-state", "-k", "keys", first, "destroyed", "--dry-run", "--vault", "v")
        self.go(*needs, says="v: 2 of 3 encrypted files still need the key")
        self.go("keyring", "set-state", "-k", "keys", "--yes", spare, "destroyed", "--vault", "v", says="v: 0 of 3")
        self.go(*needs, says="v: 3 of 3 encrypted files still need the key")


@unittest.skipUnless(has_fault(), "no FAULT library (run by ctest), or AddressSanitizer")
class Faults(Ways):
    """Each command that changes a keyring, at each change that it makes to the disk: killed, or with an error. Afterwards the
    keyring opens, in the old way or the new one; with the same command, or its refusal, nothing of the broken run is left."""
    def setUp(self):
        super().setUp()
        os.mkdir("before")
        self.coded("before/keys", "code")
        opened = ("-k", "before/keys", "--recovery-code-file", "code")
        self.go("keyring", "unlock", "add", "-q", *opened, "--new-recovery-code", "--save-recovery-code", "code2", "--label", "second")
        shutil.copy("before/keys", "other")
        self.go("keyring", "add", "-q", "-k", "other", "--recovery-code-file", "code")
        shutil.rmtree("before/keys.lock", ignore_errors=True)
        Path("before/keys.lock").unlink()
        words, data = next(Copies.version1(self))
        self.assertIsNone(words)
        Path("before/old").write_bytes(data)

    def fresh(self):
        shutil.rmtree("sub", ignore_errors=True)
        shutil.copytree("before", "sub")
        Path("newcode").unlink(missing_ok=True)

    def breaks(self, command):
        """(action, n) of every change that the command makes."""
        self.fresh()
        Path("log").unlink(missing_ok=True)
        self.assertEqual(broken("change:0:count:", *command, log="log")[0], 0)
        calls = len(Path("log").read_text().splitlines())
        self.assertGreater(calls, 4)  # created, written, flushed, named at the least
        for n in range(1, calls + 1):
            for action in ("kill", "EIO"):
                self.fresh()
                yield action, n

    def each(self, command, opens):
        """`opens` are the secrets of which one at least opens the keyring afterwards."""
        for action, n in self.breaks(command):
            with self.subTest(action=action, n=n):
                status, out, err = broken(f"change:{n}:{action}:", *command)
                self.assertIn(status, (0, 7) if action == "EIO" else (-signal.SIGKILL,), out + err)
                good = [o for o in opens if run("keyring", "list", "-k", "sub/keys", *o)[0] == 0]
                self.assertTrue(good, "nothing opens the keyring any more")
                # An update cleans up what a killed run left.
                self.assertEqual(run("keyring", "add", "-q", "-k", "sub/keys", *good[0])[0], 0)
                self.assertEqual(sorted(os.listdir("sub")), ["keys", "keys.lock", "old"], err)

    def test_unlock_add(self):
        opened = ["--recovery-code-file", "code"]
        self.each(["keyring", "unlock", "add", "-q", "-k", "sub/keys", *opened, "--new-recovery-code", "--save-recovery-code", "newcode"], [opened])

    def test_a_new_code_is_never_lost(self):
        """A keyring that anybody opens gets a code: shown or saved, it is there whenever it is what opens the keyring."""
        for name in ("keys", "keys.lock"):
            Path("before", name).unlink(missing_ok=True)
        self.keyring("before/keys")
        add = ["keyring", "unlock", "add", "-q", "-k", "sub/keys", "--new-recovery-code"]
        self.each([*add, "--save-recovery-code", "newcode"], [[], ["--recovery-code-file", "newcode"]])
        for action, n in self.breaks(add):
            with self.subTest(action=action, n=n):
                _, out, err = broken(f"change:{n}:{action}:", *add)
                if re.search(CODE, out):
                    self.write("shown", re.search(CODE, out)[0])
                opened = [run("keyring", "list", "-k", "sub/keys", *way)[0] for way in ([], ["--recovery-code-file", "shown"])]
                self.assertIn(0, opened, err)
        self.fresh()
        with open("/dev/full", "wb") as full:
            done = subprocess.run([ORRERY, *add], stdout=full, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, check=False)
        self.assertEqual(done.returncode, 7, done.stderr)
        self.assertIn(b"the recovery code could not be shown", done.stderr)
        self.opens("-k", "sub/keys")

    def test_unlock_remove(self):
        opened = ["--recovery-code-file", "code"]
        self.each(["keyring", "unlock", "remove", "-q", "-k", "sub/keys", *opened, "second"], [opened])

    def test_passwd(self):
        """To none, for that needs no scrypt."""
        opened = ["--recovery-code-file", "code"]
        self.each(["keyring", "passwd", "-q", "-k", "sub/keys", *opened, "--no-passphrase", "--yes"], [opened, []])

    def test_merge(self):
        opened = ["--recovery-code-file", "code"]
        self.each(["keyring", "merge", "-q", "-k", "sub/keys", *opened, "--yes", "other"], [opened])

    def test_set_state(self):
        opened = ["--recovery-code-file", "code"]
        key = self.go("keyring", "add", "-q", "-k", "before/keys", *opened).strip()
        Path("before/keys.lock").unlink()
        self.each(["keyring", "set-state", "-q", "-k", "sub/keys", *opened, key, "destroyed", "--yes"], [opened])

    def test_convert(self):
        """Either the old file, which the same command converts, or the new one with the old one beside it."""
        old, command = Path("before/old").read_bytes(), ("keyring", "convert", "-q", "-k", "sub/old")
        for action, n in self.breaks(command):
            with self.subTest(action=action, n=n):
                status, _, err = broken(f"change:{n}:{action}:", *command)
                self.assertIn(status, (0, 7) if action == "EIO" else (-signal.SIGKILL,), err)
                if Path("sub/old").read_bytes() == old:
                    self.go(*command)
                self.opens("-k", "sub/old")
                self.assertEqual(Path("sub/old.v1").read_bytes(), old)
                self.go("keyring", "add", "-q", "-k", "sub/old")
                self.assertEqual(sorted(os.listdir("sub")), ["keys", "old", "old.lock", "old.v1"])


if __name__ == "__main__":
    unittest.main()
