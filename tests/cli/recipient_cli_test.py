#!/usr/bin/env python3
"""Recipient files on the command line: keyring export, and what inspect shows of them."""
import os
import unittest
from pathlib import Path

from support.cli import SOURCE, Case, run

try:
    import recipient_oracle
except ImportError:
    recipient_oracle = None


def golden():
    """(key ID, label, decoys, file, fingerprint) of each of tests/vectors/recipient.txt"""
    for line in (SOURCE / "tests/vectors/recipient.txt").read_text().splitlines():
        if line.startswith("recipient "):
            _, key, _, label, _, decoys, file, fingerprint = line.split()
            yield (key, bytes.fromhex(label.replace("-", "")).decode(), int(decoys), bytes.fromhex(file),
                   fingerprint.replace("-", " "))


class Inspect(Case):
    def test_shows_the_key_and_its_fingerprint(self):
        for key, label, decoys, file, fingerprint in golden():
            Path("site.orrpub").write_bytes(file)
            status, out, err = run("inspect", "site.orrpub")
            self.assertEqual((status, err), (0, ""))
            for part in ("site.orrpub\n", f"key              {key}\n", f"label            {label}\n",
                         f"fingerprint      {fingerprint}\n", f"decoys           {decoys}\n"):
                self.assertIn(part, out)
            shown, summary = self.messages(run("inspect", "--json", "site.orrpub")[1], 0)
            self.assertEqual((shown["message_type"], shown["file"]), ("recipient", "site.orrpub"))
            self.assertEqual((shown["key_id"], shown["label"], shown["fingerprint"], shown["decoys"]),
                             (key, label, fingerprint, decoys))
            self.assertEqual((summary["files"], summary["failed"]), (1, 0))
            self.assertEqual(run("inspect", "-q", "site.orrpub"), (0, "", ""))

    def test_statuses(self):
        good = next(golden())[3]
        for name, content in (("good", good), ("damaged", good[:-1] + bytes([good[-1] ^ 1])), ("cut", good[:100]),
                              ("long", good + b"x"), ("version", good[:8] + b"\2" + good[9:])):
            Path(name).write_bytes(content)
        for names, expected in ((["good"], 0), (["damaged"], 4), (["cut"], 4), (["long"], 4), (["version"], 8),
                                (["good", "cut"], 4), (["good", "version"], 3)):
            status, _, err = run("inspect", *names)
            self.assertEqual((status, bool(err)), (expected, expected != 0), names)
            self.messages(run("inspect", "--json", *names)[1], expected)


class Export(Case):
    def setUp(self):
        super().setUp()
        self.first = self.keyring("keys", "--label", "first")
        self.second = run("keyring", "add", "-q", "-k", "keys", "--label", "zweiter Schlüssel")[1].strip()

    def export(self, *arguments):
        return run("keyring", "export", "-k", "keys", *arguments)

    def test_writes_a_keys_public_part(self):
        for key, label, name in ((self.first, "first", ()), (self.first, "first", (self.first[:6],)),
                                 (self.second, "zweiter Schlüssel", ("zweiter Schlüssel",))):
            status, out, err = self.export(*name, "-o", "site.orrpub")
            self.assertEqual(status, 0, err)
            self.assertIn(f"key              {key}\n", out)
            self.assertIn(f"label            {label}\n", out)
            self.assertEqual(out, run("inspect", "site.orrpub")[1])
            self.assertIn("fingerprint", err)
            (self.assertIn if key == self.second else self.assertNotIn)("the key is decrypt-only: what is encrypted with this", err)
            self.assertEqual(os.stat("site.orrpub").st_mode, os.stat("decoy.png").st_mode)  # no secret
            if recipient_oracle:
                file = Path("site.orrpub").read_bytes()
                key_id, public, name, created, decoys = recipient_oracle.decode(file)
                self.assertEqual((key_id.hex(), name.decode(), len(decoys)), (key, label, 1))
                self.assertIn(f"fingerprint      {recipient_oracle.fingerprint(file)}\n", out)
                self.assertNotIn(public, Path("keys").read_bytes())  # the keyring has it sealed
            os.unlink("site.orrpub")

    def test_two_exports_of_one_key_agree(self):
        """Where the pool has no more decoys than a file holds."""
        self.assertEqual(self.export("-q", "-o", "a"), (0, "", ""))
        shown = self.messages(self.export("--json", "-o", "b")[1], 0)[0]
        self.assertEqual((shown["message_type"], shown["file"], shown["key_id"]), ("recipient", "b", self.first))
        self.assertEqual(Path("a").read_bytes(), Path("b").read_bytes())

    def test_refuses(self):
        Path("there").write_text("x")
        os.symlink("nowhere", "link")
        for arguments, expected in (((), 2), (("-o", ""), 2), (("-o", "-"), 2), (("-o", "there"), 6), (("-o", "link"), 6),
                                    (("-o", "new/"), 2), (("-o", "no/new"), 7), (("-o", "."), 6), (("-o", "x", "a", "b"), 2),
                                    (("-o", "x", "nobody"), 5), (("-o", "x", "--dry-run"), 0)):
            status, out, err = self.export(*arguments)
            self.assertEqual((status, out), (expected, ""), (arguments, err))
        run("keyring", "set-state", "-k", "keys", self.second, "destroyed", "--yes")
        self.assertEqual(self.export("-o", "x", self.second)[0], 5)
        self.assertEqual(Path("there").read_text(), "x")
        self.assertEqual(run("keyring", "export", "-k", "missing", "-o", "x")[0], 5)
        self.assertEqual(run("keyring", "export", "-k", "there", "-o", "x")[0], 10)
        self.assertEqual(sorted(os.listdir()), ["decoy.png", "keys", "keys.lock", "link", "there"])


if __name__ == "__main__":
    unittest.main()
