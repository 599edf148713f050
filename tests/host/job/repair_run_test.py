"""Runs of repair: how they are told, stopped, killed and refused; bad sectors, full disks, many files."""
import os
import shutil
import subprocess
import unittest
from pathlib import Path

from support.cli import run, slowly, without_rights
from support.repairs import PAGE, SEED, Repairs, Tail
from support.repairs import set_up as setUpModule  # noqa: N812


class Run(Repairs):
    def test_dry_run(self):
        for good in (self.sealed(500000, "--parity", "20"), self.paper(200, 180, "--parity", "20")):
            tail = Tail(good)
            pages = [0, 1, tail.body.start, tail.body[3], tail.repair.start, tail.sums[0].start, tail.pages - 2]
            for damaged in (self.spoil(good, pages, "noise"), good[: -PAGE * 2]):
                (planned, data), = self.repair({"file": damaged}, "--dry-run", status=0).values()
                self.assertEqual((planned["outcome"], data), ("planned", damaged))
                (done, data), = self.repair({"file": damaged}, status=0).values()
                self.assertEqual((done["outcome"], done["repaired_pages"]), ("done", planned["repaired_pages"]))

    def test_pages_are_counted(self):
        good = self.sealed(500000, "--parity", "20")
        tail = Tail(good)
        pages = [0, 2, tail.body.start, *tail.body[3:9], *tail.repair[:3], tail.sums[1].start, tail.pages - 2]
        (said, _), = self.repair({"file": self.spoil(good, pages, "noise")}, status=0).values()
        self.assertEqual((said["repaired_pages"], said["pages_from_copy"]), (len(pages), 0))

    def test_damaged_repair_data_are_said_with_q(self):
        good = self.sealed(50000, "--parity", "20")
        Path("file.orr.tif").write_bytes(self.spoil(good, [Tail(good).repair.start], "noise"))
        for options in ((), ("-q",)):
            status, _, err = run("verify", *options, "-k", "keys", "file.orr.tif")
            self.assertEqual(status, 0, err)
            self.assertIn("file.orr.tif: is whole, but its repair data are damaged", err)

    def test_vault(self):
        """Many files in directories, whole and damaged ones, several at a time."""
        source = self.dir / "scans"
        for i in range(60):
            path = source / str(i % 7) / f"{i}.bin"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(self.rng.randbytes(self.rng.randrange(200000)))
        self.assertEqual(run("encrypt", "-q", "-k", "keys", "scans", "-o", "vault", "--parity", "10")[0], 0)
        good = {path: path.read_bytes() for path in Path("vault").rglob("*.orr.tif")}
        damaged = self.rng.sample(sorted(good), 25)
        for path in damaged:
            path.write_bytes(self.spoil(good[path], [self.rng.randrange(len(good[path]) // PAGE)]))
        status, out, err = run("repair", "--json", "-j", "4", "-k", "keys", "vault")
        self.assertEqual(status, 0, out + err)
        summary = self.messages(out, 0)[-1]
        self.assertEqual((summary["done"], summary["present"]), (25, 35))
        for path, data in good.items():
            self.assertEqual(path.read_bytes(), data)
        status, out, err = run("repair", "-v", "-k", "keys", "vault")
        self.assertIn("repaired no file; 60 already whole", out + err)

    def test_recipients(self):
        """Slots of several pages, and files that only a recipient's wrap opens: their origin stays unknown."""
        wraps = {"keys": [], "others": []}
        shutil.copy("keys", "others")
        for keyring, to in wraps.items():
            for i in range(14):
                key = run("keyring", "add", "-k", keyring)[1].strip()
                self.assertEqual(run("keyring", "export", "-q", "-k", keyring, "-o", f"{keyring}-{i}.orrpub", key)[0], 0)
                to += ["--to", f"{keyring}-{i}.orrpub"]
        for known, options in ((True, ["-k", "keys", *wraps["others"]]), (False, wraps["keys"])):
            Path("scan").write_bytes(self.rng.randbytes(100000))
            Path("writer").unlink(missing_ok=True)
            more = [] if known else ["--writer-key", "writer"]
            status, _, err = run("encrypt", "-q", *options, *more, "--parity", "20", "scan", "-o", f"{known}.orr.tif")
            self.assertEqual(status, 0, err)
            good = Path(f"{known}.orr.tif").read_bytes()
            slots = Tail(good).header.slot_pages
            self.assertGreater(slots, 1)
            last = len(good) // PAGE - 1
            files = {str(page): self.spoil(good, [page]) for page in (*range(2 * slots + 1), *range(last - slots, last + 1))}
            files["A and C"] = self.spoil(good, [1, last - slots])
            files["B and C"] = self.spoil(good, [2 * slots, last - 1])
            for name, (said, data) in self.repair(files, status=0).items():
                self.assertTrue(data == good, name)
                self.assertEqual((said["outcome"], said["known_origin"]), ("done", known))

    def test_bad_sectors(self):
        """EIO counts as damage; a block that is written is good again."""
        fault = os.environ.get("FAULT")
        if not fault:
            self.skipTest("no FAULT library: run by ctest")
        for good in (self.sealed(300000, "--parity", "20"), self.paper(200, 180, "--parity", "20")):
            for page in range(len(good) // PAGE):
                env = dict(os.environ, LD_PRELOAD=fault, ORRERY_FAULT="pread:0:EIO:file.orr.tif",
                           ORRERY_FAULT_BYTES=f"{PAGE * page + 100}-{PAGE * page + PAGE * self.rng.randint(1, 3)}")
                (said, data), = self.repair({"file": good}, status=0, env=env).values()
                self.assertEqual((said["outcome"], data == good), ("done", True), (page, said))

    def test_not_writable(self):
        options = without_rights()
        if options is None or os.geteuid() != 0:
            self.skipTest("needs root")
        good = self.sealed(130000, "--parity", "5")
        Path("a.orr.tif").write_bytes(self.spoil(good, [20], "noise"))
        os.chmod("a.orr.tif", 0o444)
        os.chmod("keys", 0o644)
        os.chmod(self.dir, 0o755)
        status, _, err = run("repair", "-k", "keys", "a.orr.tif", **options)
        self.assertEqual(status, 7, err)
        self.assertIn("cannot open for writing", err)

    def test_no_space(self):
        """A cut file that cannot grow stays as good as it was, and the next run goes on."""
        fault = os.environ.get("FAULT")
        if not fault:
            self.skipTest("no FAULT library: run by ctest")
        good = self.sealed(130000, "--parity", "20")
        damaged = self.spoil(good, [12], "noise")[: -PAGE * 4]
        log = self.dir / "log"
        Path("a.orr.tif").write_bytes(damaged)
        env = dict(os.environ, LD_PRELOAD=fault, ORRERY_FAULT="pwrite:99999:EIO:a.orr.tif", ORRERY_FAULT_LOG=str(log))
        self.assertEqual(run("repair", "-q", "-k", "keys", "a.orr.tif", env=env)[0], 0)
        for n in range(1, len(log.read_text().splitlines()) + 1):
            Path("a.orr.tif").write_bytes(damaged)
            env["ORRERY_FAULT"] = f"pwrite:{n}:ENOSPC:a.orr.tif"
            status, _, err = run("repair", "-k", "keys", "a.orr.tif", env=env)
            self.assertEqual(status, 7, err)
            self.assertEqual(run("repair", "-q", "-k", "keys", "a.orr.tif")[0], 0)
            self.assertTrue(Path("a.orr.tif").read_bytes() == good, n)

    def test_killed(self):
        """At every write, in the middle of it, and behind it: the next run mends the rest."""
        fault = os.environ.get("FAULT")
        if not fault:
            self.skipTest("no FAULT library: run by ctest")
        for good in (self.sealed(130000, "--parity", "20"), self.paper(100, 90, "--parity", "50")):
            tail = Tail(good)
            pages = [1, 2, *self.rng.sample(tail.body, 2), tail.repair.start, tail.sums[0].start, tail.pages - 1, tail.pages - 3]
            damaged, log = bytearray(self.spoil(good, pages, "noise") + b"grown"), self.dir / f"log-{len(good)}"
            damaged[300:310] = bytes(10)
            Path("a.orr.tif").write_bytes(damaged)
            env = dict(os.environ, LD_PRELOAD=fault, ORRERY_FAULT="change:99999:EIO:a.orr.tif", ORRERY_FAULT_LOG=str(log))
            self.assertEqual(run("repair", "-q", "-k", "keys", "a.orr.tif", env=env)[0], 0)
            calls = len(log.read_text().splitlines())
            self.assertGreater(calls, 10)
            for n in range(1, calls + 1):
                for how in ("kill", "tear", "after"):
                    Path("a.orr.tif").write_bytes(damaged)
                    env["ORRERY_FAULT"] = f"change:{n}:{how}:a.orr.tif"
                    run("repair", "-q", "-k", "keys", "a.orr.tif", env=env)
                    self.assertEqual(run("decrypt", "-q", "-k", "keys", "a.orr.tif", "-o", f"out-{len(good)}-{n}-{how}")[0], 0)
                    status, out, err = run("repair", "-k", "keys", "a.orr.tif")
                    self.assertEqual(status, 0, out + err)
                    self.assertTrue(Path("a.orr.tif").read_bytes() == good, (n, how, SEED))

    def test_stopped(self):
        fault = os.environ.get("FAULT")
        if not fault:
            self.skipTest("no FAULT library: run by ctest")
        good = self.sealed(1000000, "--parity", "20")
        Path("a.orr.tif").write_bytes(self.spoil(good, range(10, 40), "noise"))
        env = dict(os.environ, LD_PRELOAD=fault, ORRERY_FAULT="pwrite:5:term:a.orr.tif")
        status, _, err = run("repair", "-k", "keys", "a.orr.tif", env=env)
        self.assertIn(status, (0, 75), err)
        self.assertEqual(run("repair", "-q", "-k", "keys", "a.orr.tif")[0], 0)
        self.assertEqual(Path("a.orr.tif").read_bytes(), good)

    def test_two_at_a_time(self):
        good = self.sealed(3000000, "--parity", "20")
        Path("a.orr.tif").write_bytes(self.spoil(good, range(10, 60), "noise"))
        command = [os.environ["ORRERY"], "repair", "-q", "-k", "keys", "a.orr.tif"]
        both = [subprocess.Popen(command, env=slowly("a.orr.tif", "pwrite")) for _ in range(2)]
        self.assertEqual([process.wait() for process in both], [0, 0])
        self.assertEqual(Path("a.orr.tif").read_bytes(), good)


class Others(Repairs):
    """What the other verbs say of damaged files with repair data."""

    def damaged(self):
        good = self.sealed(130000, "--parity", "20")
        return good, {"front": self.spoil(good, [0], "zero"), "cut": good[:-1], "grown": good + b"?"}

    def rotate(self):
        status, out, err = run("keyring", "add", "-k", "keys")
        self.assertEqual(status, 0, err)
        self.assertEqual(run("keyring", "set-state", "-q", "-k", "keys", out.strip(), "active")[0], 0)

    def test_rewrap(self):
        """Is refused before anything is written; a damaged slot is its own business."""
        good, files = self.damaged()
        self.rotate()
        for name, data in files.items():
            for more in ([], ["--dry-run"]):
                Path("a.orr.tif").write_bytes(data)
                status, _, err = run("rewrap", "-k", "keys", "a.orr.tif", *more)
                self.assertEqual(status, 4, (name, err))
                self.assertIn("is damaged: `orrery repair` first", err)
                self.assertEqual(Path("a.orr.tif").read_bytes(), data)
        Path("a.orr.tif").write_bytes(self.spoil(good, [1], "noise"))
        self.assertEqual(run("rewrap", "-k", "keys", "a.orr.tif")[0], 0)
        status, out, _ = run("verify", "--json", "-k", "keys", "a.orr.tif")
        self.assertNotIn("_slot", out)

    def test_wrong_keyring(self):
        good, files = self.damaged()
        files |= {"flipped": good[:40] + bytes([good[40] ^ 1]) + good[41:], "cut": good[:-PAGE * 2]}
        self.keyring("others")
        for name, data in files.items():
            Path("a.orr.tif").write_bytes(data)
            status, _, err = run("verify", "-k", "others", "a.orr.tif")
            self.assertEqual(status, 5, (name, err))
            self.assertEqual(run("verify", "-q", "-k", "keys", "a.orr.tif")[0], 4, name)

    def test_first_page_lost(self):
        good, files = self.damaged()
        Path("a.orr.tif").write_bytes(files["front"])
        status, out, err = run("inspect", "a.orr.tif")
        self.assertEqual(status, 4)
        self.assertIn("wrap slot C", out)
        self.assertIn("first page damaged", err)
        status, out, _ = run("inspect", "--json", "a.orr.tif")
        self.assertTrue(self.messages(out, 4)[0]["first_page_damaged"])
        status, _, err = run("encrypt", "-k", "keys", "a.orr.tif", "-o", "twice")
        self.assertIn("is encrypted already", err)
        Path("a.orr.tif").write_bytes(good[PAGE:])
        status, _, err = run("verify", "-k", "keys", "a.orr.tif")
        self.assertEqual(status, 4, err)
        self.assertIn("its beginning was cut off", err)

    def test_existing(self):
        Path("scan").write_bytes(self.rng.randbytes(50000))
        encrypt = ["encrypt", "-q", "-k", "keys", "--parity", "20", "scan", "-o", "a.orr.tif"]
        self.assertEqual(run(*encrypt)[0], 0)
        good = Path("a.orr.tif").read_bytes()
        for data in (self.spoil(good, [0], "zero"), good[:-1]):
            Path("a.orr.tif").write_bytes(data)
            _, _, err = run(*encrypt)
            self.assertIn("is damaged (", err)
            self.assertNotIn("(it: ", err)
            self.assertIn("--redo-damaged", err)

    def test_unlike_slot(self):
        good = self.sealed(50000)
        Path("a.orr.tif").write_bytes(good)
        self.rotate()
        status, out, _ = run("rewrap", "--json", "-k", "keys", "a.orr.tif")
        self.assertEqual((status, self.messages(out, 0)[0]["generation"]), (0, 2))
        new = Path("a.orr.tif").read_bytes()
        Path("a.orr.tif").write_bytes(new[: 2 * PAGE] + good[2 * PAGE : 3 * PAGE] + new[3 * PAGE :])
        status, _, err = run("verify", "-k", "keys", "a.orr.tif")
        self.assertEqual(status, 0)
        self.assertIn("wrap slot B is not like", err)
        status, out, _ = run("verify", "--json", "-k", "keys", "a.orr.tif")
        self.assertIn('"unlike_slot":"B"', out.replace(" ", ""))
        self.assertEqual(run("rewrap", "-q", "-k", "keys", "a.orr.tif")[0], 0)
        self.assertEqual(Path("a.orr.tif").read_bytes(), new)

    def test_unreadable_slot(self):
        fault = os.environ.get("FAULT")
        if not fault:
            self.skipTest("no FAULT library: run by ctest")
        for more, expected, says in (([], 7, "Input/output error"), (["--parity", "20"], 4, "can be repaired")):
            Path("a.orr.tif").write_bytes(self.sealed(50000, *more))
            env = dict(os.environ, LD_PRELOAD=fault, ORRERY_FAULT="pread:0:EIO:a.orr.tif", ORRERY_FAULT_BYTES=f"{PAGE}-{2 * PAGE}")
            status, _, err = run("verify", "-k", "keys", "a.orr.tif", env=env)
            self.assertEqual(status, expected, err)
            self.assertIn(says, err)


if __name__ == "__main__":
    unittest.main()
