#!/usr/bin/env python3
"""What is installed works by itself: for another user, with neither source nor build tree in reach."""
import os
import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

from support.cli import ORRERY, SOURCE, png

BUILD = Path(os.environ.get("BUILD", SOURCE / "build"))
NOBODY = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
HIDE = ["unshare", "--mount", "sh", "-c", 'for d; do mount -t tmpfs none "$d" || exit; done', "sh", str(SOURCE), str(BUILD)]

if os.geteuid() != 0 or not shutil.which("setpriv"):
    print("skipped: only root can install and become another user (setpriv of util-linux)")
    sys.exit(77)


class Installed(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.root = Path(tempfile.mkdtemp(prefix="orrery-install-"))
        cls.addClassCleanup(shutil.rmtree, cls.root)
        cls.prefix = cls.root / "usr" / "local"
        cls.home = cls.root / "home"
        cls.home.mkdir()
        for path in (cls.root, cls.home):
            path.chmod(0o755)
        os.chown(cls.home, 65534, 65534)
        done = subprocess.run(["cmake", "--install", BUILD, "--prefix", cls.prefix], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        hidden = subprocess.run(HIDE, capture_output=True, text=True, check=False)
        cls.hide = hidden.returncode == 0
        if not cls.hide:
            print(f"the source tree stays in reach: no mount of one's own ({hidden.stderr.strip()})", file=sys.stderr)

    def orrery(self, *arguments, status=0):
        command = [*NOBODY, str(self.prefix / "bin" / "orrery"), *arguments]
        if self.hide:
            script = 'mount -t tmpfs none "$0" && { [ ! -d "$1" ] || mount -t tmpfs none "$1"; } && shift && exec "$@"'
            command = ["unshare", "--mount", "sh", "-c", script, str(SOURCE), str(BUILD), *command]
        done = subprocess.run(command, cwd=self.home, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False,
                              env={"PATH": "/usr/bin:/bin", "HOME": str(self.home)})
        self.assertEqual(done.returncode, status, done.stdout + done.stderr)
        return done.stdout

    def test_what_is_there(self):
        files = {str(path.relative_to(self.prefix)) for path in self.prefix.rglob("*") if path.is_file()}
        for part in ("bin/orrery", "share/orrery/models/skin64/generator.safetensors", "share/orrery/models/skin64/MODEL_CARD.md",
                     "share/man/man1/orrery.1", "share/man/man1/orrery-keyring-new.1",
                     "share/bash-completion/completions/orrery", "share/zsh/site-functions/_orrery",
                     "share/fish/vendor_completions.d/orrery.fish", "share/doc/orrery/README.md", "share/doc/orrery/LICENSE",
                     "share/doc/orrery/CHANGELOG.md", "share/doc/orrery/docs/CLI.md",
                     "share/doc/orrery/examples/orrery-encrypt.service", "share/doc/orrery/examples/orrery-encrypt.timer",
                     "share/doc/orrery/examples/orrery-encrypt.cron"):
            self.assertIn(part, files)
        for name in files:
            folder = name.split("/")[0:2]
            self.assertIn(folder[0], ("bin", "lib", "share"), name)
            self.assertTrue(folder[0] != "bin" or name == "bin/orrery", name)
            self.assertTrue(folder[0] != "lib" or "/orrery/liborrery_" in name and name.endswith(".so"), name)
        modules = {path.name for path in BUILD.glob("liborrery_*.so")}
        self.assertEqual({Path(name).name for name in files if name.startswith("lib/")}, modules)

    def test_version_and_help(self):
        version = self.orrery("version").splitlines()
        built = subprocess.run([ORRERY, "version"], capture_output=True, text=True, check=True).stdout.splitlines()
        self.assertEqual([line for line in version if not line.startswith(("missing", "refused"))],
                         [line for line in built if not line.startswith(("missing", "refused"))])
        self.assertEqual(version, self.orrery("--version").splitlines())
        self.assertIn("Commands:", self.orrery("help"))

    def test_an_archive(self):
        (self.home / "scans" / "sub").mkdir(parents=True)
        (self.home / "scans" / "a.bin").write_bytes(os.urandom(300000))
        (self.home / "scans" / "sub" / "b.bin").write_bytes(b"b")
        (self.home / "phrase").write_text("seven words that were drawn at random\n")
        for path in (self.home / "phrase", self.home / "scans", *(self.home / "scans").rglob("*")):
            os.chown(path, 65534, 65534)
        key = ("-k", "site.keyring", "--passphrase-file", "phrase", "-q")
        self.orrery("keyring", "new", "-o", "site.keyring", "--weights", "skin64", "--decoys", "64", "--device", "cpu", *key[2:])
        self.orrery("encrypt", *key, "scans", "-o", "vault")
        self.orrery("encrypt", *key, "scans", "-o", "vault")  # nothing to do is no failure
        self.orrery("verify", *key, "vault")
        self.orrery("decrypt", *key, "vault", "-o", "restored")
        for name in ("a.bin", "sub/b.bin"):
            self.assertEqual((self.home / "restored" / "scans" / name).read_bytes(), (self.home / "scans" / name).read_bytes())

    def test_a_generator(self):
        if "DCGAN on the CPU" in "".join(line for line in self.orrery("version").splitlines() if not line.startswith("present")):
            self.skipTest("the module of the DCGAN is not there")
        (self.home / "data").mkdir()
        for n in range(24):
            png(self.home / "data" / f"{n}.png", 9 * n)
        self.orrery("train", "--data", "data", "-o", "run", "--image", "32", "--width", "4", "--latent", "8", "--batch", "8",
                    "--device", "cpu", "--threads", "1", "--epochs", "1", "--snapshot-every", "1", "-q")
        self.orrery("generate", "--weights", "run/generator.safetensors", "-n", "2", "-o", "images", "--device", "cpu", "-q")
        self.orrery("generate", "--weights", "skin64", "-n", "4", "-o", "grid.png", "--device", "cpu", "-q")
        self.assertEqual(len(list((self.home / "images").iterdir())), 2)

    @unittest.skipUnless(shutil.which("systemd-analyze"), "systemd-analyze is missing (systemd)")
    def test_units(self):
        units = self.root / "units"
        units.mkdir()
        for path in (self.prefix / "share" / "doc" / "orrery" / "examples").glob("orrery-encrypt.[st]*"):
            (units / path.name).write_text(path.read_text().replace("ExecStart=orrery", f"ExecStart={self.prefix}/bin/orrery"))
        done = subprocess.run(["systemd-analyze", "verify", "--man=no", *units.iterdir()], capture_output=True, text=True, check=False)
        told = [line for line in done.stderr.splitlines() if "root privileges" not in line]
        self.assertEqual((done.returncode, told), (0, []))


if __name__ == "__main__":
    unittest.main()
