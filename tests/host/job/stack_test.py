"""Small stacks (ulimit -s 192, which threads inherit): keyrings, both profiles and every verb all the same."""
import os
import resource
import subprocess
import unittest
from pathlib import Path

from support.cli import ORRERY, SOURCE, Case, needs_onednn, png, write_gray_tiff

STACK = 192 << 10


class SmallStack(Case):
    def small(self, *arguments):
        done = subprocess.run([ORRERY, *arguments], stdin=subprocess.DEVNULL, capture_output=True, check=False,
                              preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_STACK, (STACK, STACK)))
        self.assertEqual(done.returncode, 0, (arguments, done.stderr.decode()))

    def test_jobs(self):
        png(Path("decoy.png"), 7)
        Path("in").mkdir()
        Path("in/data").write_bytes(os.urandom(200_000))
        write_gray_tiff("in/scan.tif", 300, 200)
        self.small("keyring", "new", "-o", "keys", "--no-passphrase", "--decoy", "decoy.png")
        self.small("keyring", "export", "-q", "-k", "keys", "-o", "to.orrpub")
        Path("word").write_text("seven words of a list\n")
        os.chmod("word", 0o600)
        self.small("keyring", "new", "-o", "locked", "--passphrase-file", "word", "--decoy", "decoy.png")
        for profile, source in (("archive", "in"), ("paper", "in/scan.tif")):
            vault, back, again = (f"{profile}-{what}" for what in ("vault", "back", "again"))
            self.small("encrypt", "-q", "-k", "keys", "--profile", profile, "--check", "cpu", "-j", "3", source, "-o", vault)
            self.small("verify", "-q", "-k", "keys", vault)
            self.small("decrypt", "-q", "-k", "keys", vault, "-o", back)
            self.small("reencrypt", "-q", "-k", "keys", vault, "-o", again)
            self.small("rewrap", "-q", "-k", "keys", again)
            self.small("rewrap", "-q", "-k", "keys", "--add", "to.orrpub", again)
            self.small("encrypt", "-q", "--to", "to.orrpub", "--writer-key", "w", "--profile", profile, "--check", "cpu", source, "-o", f"{profile}-written")
            self.small("verify", "-q", "-k", "keys", again)
        self.assertEqual(Path("archive-back/in/data").read_bytes(), Path("in/data").read_bytes())

    @needs_onednn
    def test_a_generator(self):
        weights = SOURCE / "models/skin64/generator.safetensors"
        if not weights.exists():
            self.skipTest(f"no {weights}")
        self.small("keyring", "new", "-o", "keys", "--no-passphrase", "--weights", str(weights), "--decoys", "8")


if __name__ == "__main__":
    unittest.main()
