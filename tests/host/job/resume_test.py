"""What counts as finished when a command is given again, and what does not."""
import os
import shutil
import unittest
from pathlib import Path

from support.cli import Case, run, write_gray_tiff

FAULT = os.environ.get("FAULT")


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
                self.refused(3, r"old/.*\.orr\.tif: new/.*\.orr\.tif is a copy of it \(the same file ID and keys\)", "reencrypt", "-k", "keys", "old/.", "-o", "new")
                self.assertEqual({p: p.read_bytes() for p in Path("new").rglob("*.orr.tif")}, before)
                one = str(next(iter(Path("old").rglob("*.orr.tif"))))
                self.refused(6, "is a copy of it", "reencrypt", "-k", "keys", one, "-o", "new")
                # What was re-encrypted is finished still.
                self.done("reencrypt", "-q", "-k", "keys", "old", "-o", "other")
                self.assertIn("2 already finished", run("reencrypt", "-k", "keys", "old", "-o", "other")[2])

    def test_an_output_with_an_opaque_name_that_cannot_be_read(self):
        if not FAULT or not Path(FAULT).exists():
            self.skipTest("no FAULT library: run by ctest")
        self.done("encrypt", "-q", "-k", "keys", "in", "-o", "out", "--names", "opaque")
        self.done("encrypt", "-q", "-k", "keys", "in", "-o", "plain")
        names = sorted(n for n in os.listdir("out") if n[0] != ".")
        command = ("encrypt", "-k", "keys", "in", "-o", "out", "--names", "opaque")
        for fault, message in ((f"pread:0:EIO:{names[0]}", f"{names[0]}: reading at byte 0 failed: Input/output error"),
                               (f"look:0:EACCES:{names[1]}", rf"out/{names[1]}: cannot be read \(Permission denied\)"),
                               ("readdir:2:EIO:/out", "out: cannot read this output directory: Input/output error")):
            with self.subTest(fault=fault):
                environment = {**os.environ, "LD_PRELOAD": FAULT, "ORRERY_FAULT": fault}
                self.refused(7, message, *command, env=environment)
                self.assertEqual([n for n in sorted(os.listdir("out")) if n[0] != "."], names)
        self.done(*command)
        self.assertEqual(sorted(n for n in os.listdir("out") if n[0] != "."), names)


    def test_a_restored_image_is_told_by_its_pages(self):
        write_gray_tiff("one.tif", 40, 30)
        write_gray_tiff("other.tif", 30, 40)
        self.done("encrypt", "-q", "-k", "keys", "--profile", "paper", "one.tif", "-o", "vault")
        command = ("decrypt", "-k", "keys", "vault", "-o", "back")
        self.done(*command)
        self.assertIn("1 already finished", run(*command)[2])
        whole, target, when = Path("back/one.tif").read_bytes(), Path("back/one.tif"), os.stat("one.tif").st_mtime_ns
        for wrong in (b"12345", b"", Path("other.tif").read_bytes(), whole[:len(whole) // 2], bytes(len(whole))):
            target.write_bytes(wrong)
            os.utime(target, ns=(when, when))
            self.refused(3, r"vault/one.tif.orr.tif: back/one.tif exists and is not what would be restored \(its contents differ\)", *command)
            self.assertEqual(target.read_bytes(), wrong)
        target.write_bytes(whole)
        self.assertIn("1 already finished", run(*command)[2])  # the time is another, the pixels are not
        write_gray_tiff("back/one.tif", 40, 30)  # other pixels of the same size
        os.utime(target, ns=(when, when))
        self.refused(3, "its contents differ", *command)


if __name__ == "__main__":
    unittest.main()
