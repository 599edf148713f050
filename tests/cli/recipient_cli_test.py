#!/usr/bin/env python3
"""Recipient files on the command line: what inspect shows of them."""
import unittest
from pathlib import Path

from support.cli import SOURCE, Case, run


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


if __name__ == "__main__":
    unittest.main()
