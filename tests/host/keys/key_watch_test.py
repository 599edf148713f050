"""Keys that change while a job runs: nothing gets a name under a key that was retired or destroyed meanwhile, and a job that
finds one stops with status 5, once, and says so."""
import fcntl
import os
import shutil
import signal
import subprocess
import time
import unittest
from pathlib import Path

from support.cli import ORRERY, Case, run, slowly

FILES = 24  # each has two reads, each of a twentieth of a second: some seconds in all


class Watch(Case):
    def setUp(self):
        super().setUp()
        if not os.environ.get("FAULT"):
            self.skipTest("no FAULT library: run by ctest")
        if "libasan" in Path("/proc/self/maps").read_text():
            self.skipTest("not under AddressSanitizer")
        self.first = self.keyring("keys")
        self.second = self.add("2027")
        Path("scans").mkdir()
        for n in range(FILES):
            Path(f"scans/{n:02}.tif").write_bytes(os.urandom(1000))

    def add(self, label, *options):
        status, out, err = run("keyring", "add", "-q", "-k", "keys", "--label", label, *options)
        self.assertEqual(status, 0, err)
        return out.strip()

    def state(self, key, state, *options, keyring="keys"):
        status, _, err = run("keyring", "set-state", "-q", "-k", keyring, *options, key, state)
        self.assertEqual(status, 0, err)

    def change(self, *states):
        """A function that changes the keyring at once, however busy the machine is: what is to be is made beforehand."""
        shutil.copy("keys", "changed")
        for state in states:
            self.state(*state, keyring="changed")
        return lambda: os.replace("changed", "keys")

    def during(self, change, *command, slow="scans", ready=None, call="pread"):
        """Runs `change` once the job has written its first file; returns (status, stderr). Each `call` on files whose path contains
        `slow` takes a twentieth of a second."""
        ready = ready or (lambda: list(Path("out").rglob("*.orr.tif")))
        with subprocess.Popen([ORRERY, *command, "-k", "keys", "-j", "1"], env=slowly(slow, call), stdin=subprocess.DEVNULL,
                              stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as process:
            end = time.time() + 60
            while process.poll() is None and time.time() < end and not ready():
                time.sleep(0.01)
            change()
            try:
                err = process.communicate(timeout=120)[1].decode()
            finally:
                process.kill()
        return process.returncode, err

    def encrypt(self, change, *options):
        return self.during(change, "encrypt", "scans", "-o", "out", *options)

    def stopped(self, status, err, *said):
        self.assertEqual(status, 5, err)
        for part in said:
            self.assertEqual(err.count(part), 1, err)
        named = list(Path("out").rglob("*.orr.tif"))
        self.assertTrue(0 < len(named) < FILES, len(named))
        self.assertEqual([name for name in os.listdir("out/scans") if "partial" in name], [])

    def test_rewrapped_and_destroyed(self):
        status, err = self.encrypt(self.change((self.second, "active")))
        self.stopped(status, err, "under which this job writes", "run the same command again to go on under the active key")
        self.assertEqual(run("rewrap", "-q", "-k", "keys", "out")[0], 0)
        self.state(self.first, "destroyed", "--yes")
        status, _, err = run("verify", "-k", "keys", "out/scans")  # each file that has a name opens
        self.assertIn(status, (0, 9), err)
        self.assertIn("verified", err)
        self.assertEqual(run("encrypt", "-q", "-k", "keys", "scans", "-o", "out")[0], 0)
        self.assertEqual(run("verify", "-q", "-k", "keys", "out")[0], 0)
        self.assertEqual(len(os.listdir("out/scans")), FILES)

    def test_retired(self):
        status, err = self.encrypt(self.change((self.second, "active")), "--names", "opaque")
        self.assertEqual(status, 5, err)
        self.assertEqual(err.count("was made decrypt-only while it ran"), 1, err)

    def test_an_older_copy_put_in_its_place(self):
        shutil.copy("keys", "older")
        third = self.add("2028")
        self.state(third, "active")
        status, err = self.encrypt(lambda: os.replace("older", "keys"))
        self.stopped(status, err, f"has no master key {third} any more")

    def test_no_keyring_any_more(self):
        """A key disk may be pulled out: nobody changed its keys, and the job goes on."""
        def change():
            os.rename("keys", "elsewhere")
        status, err = self.encrypt(change)
        self.assertEqual(status, 0, err)
        self.assertEqual(err.count("leave the keyring where it is"), 1, err)
        self.assertEqual(run("verify", "-q", "-k", "elsewhere", "out")[0], 0)

    def test_what_cannot_be_opened_any_more(self):
        status, err = self.encrypt(lambda: Path("keys").write_bytes(b"something else altogether"))
        self.stopped(status, err, "the keyring was changed while this job ran")

    def test_other_changes_do_not_matter(self):
        Path("pw").write_text("correct horse battery staple\n")
        self.assertEqual(run("keyring", "passwd", "-k", "keys", "--new-passphrase-file", "pw")[0], 0)
        status, err = self.encrypt(lambda: self.add("2028", "--passphrase-file", "pw"), "--passphrase-file", "pw")
        self.assertEqual(status, 0, err)

    def test_reencrypt_and_rewrap(self):
        for n in range(8, FILES):
            Path(f"scans/{n:02}.tif").unlink()
        self.assertEqual(run("encrypt", "-q", "-k", "keys", "scans", "-o", "old")[0], 0)
        # --to a key that is not active: it need only not be destroyed.
        third = self.add("2028")
        change = self.change((third, "active"), (self.second, "destroyed", "--yes"))
        status, err = self.during(change, "reencrypt", "old", "-o", "out", "--to", self.second, slow="out", call="fsync")
        self.assertEqual(status, 5, err)
        self.assertEqual(err.count("was made destroyed while it ran"), 1, err)
        # Of an archive that is half rewrapped every file still opens.
        def wrapped():
            return third in run("inspect", "old/scans/00.tif.orr.tif", "old/scans/01.tif.orr.tif", "old/scans/07.tif.orr.tif")[1]
        status, err = self.during(self.change((self.first, "active")), "rewrap", "old", slow="old", ready=wrapped)
        self.assertEqual(status, 5, err)
        self.assertEqual(err.count("was made decrypt-only while it ran"), 1, err)
        self.assertIn(run("verify", "-q", "-k", "keys", "old")[0], (0, 3, 4))  # 4: its slots differ
        self.assertEqual(run("rewrap", "-q", "-k", "keys", "old")[0], 0)
        self.assertEqual(run("verify", "-q", "-k", "keys", "old")[0], 0)

    def test_a_signal_while_an_update_is_waited_for(self):
        run("keyring", "add", "-k", "keys")
        with open("keys.lock", "rb") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            with subprocess.Popen([ORRERY, "encrypt", "-k", "keys", "scans/00.tif", "-o", "out"], stdin=subprocess.DEVNULL,
                                  stderr=subprocess.PIPE) as process:
                end = time.time() + 20
                while process.poll() is None and time.time() < end and not list(Path(".").glob("out/.orrery-*.partial")):
                    time.sleep(0.01)
                process.send_signal(signal.SIGTERM)
                _, err = process.communicate(timeout=20)
            self.assertEqual(process.returncode, 75, err)
        self.assertEqual([name for name in os.listdir("out") if "partial" in name or name.endswith(".tif")], [])
        self.assertEqual(run("encrypt", "-q", "-k", "keys", "scans/00.tif", "-o", "out")[0], 0)


if __name__ == "__main__":
    unittest.main()
