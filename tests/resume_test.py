"""What counts as finished when a command is given again, and what does not."""
import os
import shutil
import unittest
from pathlib import Path

from support.cli import Case, run


class Resume(Case):
    def setUp(self):
        super().setUp()
        self.keyring()
        Path("in").mkdir()
        for name in ("a", "b"):
            Path("in", name).write_bytes(os.urandom(5000))

    def done(self, *arguments):
        status, out, err = run(*arguments)
        self.assertEqual(status, 0, f"{arguments}: {err}")
        return out

    def refused(self, status, message, *arguments, **options):
        found, _, err = run(*arguments, **options)
        self.assertEqual(found, status, f"{arguments}: {err}")
        self.assertRegex(err, message)

    def test_a_copy_is_no_reencryption(self):
        for options in ([], ["--names", "opaque"]):
            with self.subTest(options=options):
                for folder in ("old", "new", "other"):
                    shutil.rmtree(folder, ignore_errors=True)
                self.done("encrypt", "-q", "-k", "keys", "in", "-o", "old", *options)
                shutil.copytree("old", "new")  # keeps times
                before = {p: p.read_bytes() for p in Path("new").rglob("*.orr.tif")}
                self.refused(3, r"new/.*\.orr\.tif: is a copy of old/.* \(the same file ID and keys\)", "reencrypt", "-k", "keys", "old/.", "-o", "new")
                self.assertEqual({p: p.read_bytes() for p in Path("new").rglob("*.orr.tif")}, before)
                one = str(next(iter(Path("old").rglob("*.orr.tif"))))
                self.refused(6, "is a copy of old/", "reencrypt", "-k", "keys", one, "-o", "new")
                # What was re-encrypted is finished still.
                self.done("reencrypt", "-q", "-k", "keys", "old", "-o", "other")
                self.assertIn("2 already finished", run("reencrypt", "-k", "keys", "old", "-o", "other")[2])


if __name__ == "__main__":
    unittest.main()
