"""Memory that runs out, one request at a time: whatever a command says was done is done (tests/support/preload/nomemory.c).
A sample of the requests; all of them with ORRERY_LONG=1."""
import os
import random
import shutil
import unittest
from pathlib import Path

from support.cli import ORRERY, Case, is_output, run, write_gray_tiff

LIBRARY = Path(os.environ.get("BUILD", Path(ORRERY).parent)) / "tests" / "libnomemory.so"
SEED = int(os.environ.get("ORRERY_SEED", "0")) or random.SystemRandom().randrange(1, 1 << 32)
LAST = 800  # requests before these are mostly OpenSSL's, which sets itself up


def setUpModule():
    if not LIBRARY.exists():
        raise unittest.SkipTest("no libnomemory.so: run by ctest")
    if "libasan" in Path("/proc/self/maps").read_text():
        raise unittest.SkipTest("not under AddressSanitizer")
    print(f"seed {SEED}", flush=True)


class NoMemory(Case):
    def setUp(self):
        super().setUp()
        self.keyring()
        Path("in/sub").mkdir(parents=True)
        for name, size in (("in/a", 1000), ("in/sub/b", 60_000), ("in/z", 0)):
            Path(name).write_bytes(os.urandom(size))
        self.originals = self.contents("in")

    def contents(self, root):
        return {str(p.relative_to(root)): p.read_bytes() for p in Path(root).rglob("*") if is_output(p)}

    def restored(self, root):
        status, _, err = run("decrypt", "-q", "-k", "keys", root, "-o", "back")
        self.assertEqual(status, 0, err)
        return self.contents("back/in")

    def refuse(self, check, *command, keys=("-k", "keys"), prepare=lambda: None, success=0):
        """Runs a command with one request refused, for a sample of them; check() when it says that it did its work."""
        def once(**environment):
            for folder in ("out", "back"):
                shutil.rmtree(folder, ignore_errors=True)
            prepare()
            # On the CPU alone: NVIDIA's runtime crashes when it is refused memory while it is loaded.
            device = () if command[0] == "rewrap" else ("--device", "cpu")
            return run(command[0], "-q", "-j", "1", *device, *keys, *command[1:],
                       env={**os.environ, "LD_PRELOAD": str(LIBRARY), **environment})
        self.assertEqual(once(ORRERY_MEMORY_LOG="count")[0], success)
        count = int(Path("count").read_text())
        points = range(max(1, count - LAST), count + 1)
        if not os.environ.get("ORRERY_LONG"):
            points = random.Random(SEED).sample(points, 40)
        for n in points:
            with self.subTest(command=command, n=n, seed=SEED):
                status, _, err = once(ORRERY_NO_MEMORY=str(n))
                self.assertIn(status, {success, 1, 3, 4 if success == 4 else 1, 7, 13 if "--check" in command else 1}, err)
                self.assertNotIn("no known reason", err)
                self.assertEqual(list(Path("out").rglob("*.partial")), [])
                if status == success == 0:
                    check()
                elif success == 0:
                    self.assertNotEqual(err, "")

    def sealed(self):
        shutil.rmtree("sealed", ignore_errors=True)
        self.assertEqual(run("encrypt", "-q", "-k", "keys", "--sha256", "in", "-o", "sealed")[0], 0)

    def test_encrypt(self):
        self.refuse(lambda: self.assertEqual(self.restored("out"), self.originals),
                    "encrypt", "--sha256", "--check", "cpu", "in", "-o", "out")

    def test_encrypt_opaque(self):
        self.refuse(lambda: self.assertEqual(self.restored("out"), self.originals), "encrypt", "--names", "opaque", "in", "-o", "out")

    def test_recipients(self):
        """Without a keyring, from the first run to one that finds all finished; and wraps that come and go."""
        self.assertEqual(run("keyring", "export", "-q", "-k", "keys", "-o", "to.orrpub")[0], 0)
        self.refuse(lambda: self.assertEqual(self.restored("out"), self.originals), "encrypt", "--to", "to.orrpub", "--writer-key", "w/key",
                    "--names", "opaque", "in", "-o", "out", keys=(), prepare=lambda: shutil.rmtree("w", ignore_errors=True))
        written = ("encrypt", "--to", "to.orrpub", "--writer-key", "w/key", "in", "-o", "out")

        def write():
            self.assertEqual(run(*written)[0], 0)
        self.refuse(lambda: self.assertEqual(self.restored("out"), self.originals), *written, keys=(), prepare=write)
        self.sealed()
        self.assertEqual(run("keyring", "new", "-o", "second", "--no-passphrase", "--decoy", "decoy.png")[0], 0)
        self.assertEqual(run("keyring", "export", "-q", "-k", "second", "-o", "second.orrpub")[0], 0)

        def check():
            self.assertEqual(run("verify", "-q", "-k", "second", "out")[0], 0)
            self.assertEqual(self.restored("out"), self.originals)
        self.refuse(check, "rewrap", "--add", "second.orrpub", "--remove", "ab" * 16, "out", prepare=lambda: shutil.copytree("sealed", "out"))

    def test_decrypt(self):
        self.sealed()
        self.refuse(lambda: self.assertEqual(self.contents("out/in"), self.originals), "decrypt", "sealed", "-o", "out")

    def test_reencrypt(self):
        self.sealed()
        self.refuse(lambda: self.assertEqual(self.restored("out"), self.originals), "reencrypt", "sealed", "-o", "out")

    def test_rewrap(self):
        self.sealed()
        second = run("keyring", "add", "-q", "-k", "keys")[1].strip()

        def check():
            status, out, err = run("rewrap", "--json", "-k", "keys", "--to", second, "out")
            self.assertEqual((status, self.messages(out, 0)[-1]["present"]), (0, 3), err)
        self.refuse(check, "rewrap", "--to", second, "out", prepare=lambda: shutil.copytree("sealed", "out"))
        self.assertEqual(self.restored("out"), self.originals)

    def test_repair(self):
        """Damage is not taken for more than it is, and nothing is lost."""
        self.assertEqual(run("encrypt", "-q", "-k", "keys", "--parity", "20", "in", "-o", "sealed")[0], 0)
        good = self.contents("sealed")
        for path in Path("sealed").rglob("*.orr.tif"):
            data = bytearray(path.read_bytes())
            for page in (1, 3, len(data) // 4096 - 1):
                data[4096 * page + 100 : 4096 * page + 200] = os.urandom(100)
            path.write_bytes(data)
        self.refuse(lambda: self.assertEqual(self.contents("out"), good), "repair", "out", prepare=lambda: shutil.copytree("sealed", "out"))

    def test_verify_of_a_damaged_file(self):
        self.sealed()
        data = bytearray(Path("sealed/in/sub/b.orr.tif").read_bytes())
        data[-1] ^= 1
        Path("sealed/in/sub/b.orr.tif").write_bytes(data)
        self.refuse(None, "verify", "sealed", success=4)
        # A salvaged file never stands without the list of its gaps, and loses no whole tile.
        self.refuse(None, "decrypt", "--salvage", "sealed", "-o", "out", success=4)

    def test_paper_profile(self):
        write_gray_tiff("scan.tif", 60, 50)
        self.assertEqual(run("encrypt", "-q", "-k", "keys", "--profile", "paper", "scan.tif", "-o", "paper")[0], 0)
        self.assertEqual(run("decrypt", "-q", "-k", "keys", "paper", "-o", "reference")[0], 0)
        self.refuse(lambda: self.assertEqual(self.contents("out"), self.contents("reference")), "decrypt", "paper", "-o", "out")


if __name__ == "__main__":
    unittest.main()
