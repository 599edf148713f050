"""What outputs are besides their bytes: their modes, which let in nobody whom the source keeps out, and the holes of sparse
files."""
import os
import shutil
import stat
import struct
import unittest
from pathlib import Path

from support.cli import Case, needs_evidence, png, run, write_gray_tiff


def mode(path):
    return stat.S_IMODE(Path(path).stat().st_mode)


class Modes(Case):
    def setUp(self):
        super().setUp()
        self.keyring()
        self.addCleanup(os.umask, os.umask(0o022))

    def done(self, *arguments, **options):
        status, out, err = run(*arguments, "-q", "-k", "keys", **options)
        self.assertEqual(status, 0, err)

    def test_no_output_is_more_open_than_its_source(self):
        Path("in/private").mkdir(parents=True)
        Path("in/open").mkdir()
        Path("in/private").chmod(0o700)
        wanted = {}
        for source, sealed in ((0o600, 0o600), (0o640, 0o640), (0o400, 0o600), (0o444, 0o644), (0o666, 0o644), (0o7777, 0o644),
                               (0o604, 0o604)):
            write_gray_tiff(f"in/private/{source:o}.tif", 8, 8)
            Path(f"in/private/{source:o}.tif").chmod(source)
            wanted[f"{source:o}.tif.orr.tif"] = sealed
        Path("list").write_text("".join(f"in/private/{name[:-8]}\n" for name in wanted))
        for out, command in (("archive", ("encrypt", "in")), ("paper", ("encrypt", "in", "--profile", "paper")),
                             ("listed", ("encrypt", "--files-from", "list")), ("again", ("reencrypt", "archive"))):
            with self.subTest(out):
                self.done(*command, "-o", out)
                self.assertEqual({p.name: mode(p) for p in Path(out, "in/private").iterdir()}, wanted)
                self.assertEqual(mode(Path(out, "in/private")), 0o700)
                if out in ("archive", "paper"):
                    self.assertEqual(mode(Path(out, "in/open")), 0o755)
        os.umask(0)
        self.done("encrypt", "in/private/600.tif", "-o", "one.orr.tif")
        self.assertEqual(mode("one.orr.tif"), 0o600)
        os.umask(0o077)
        self.done("encrypt", "in/private/666.tif", "-o", "two.orr.tif")
        self.assertEqual(mode("two.orr.tif"), 0o600)
        # What comes back has the sealed bits, but neither set-ID nor sticky ones.
        self.done("decrypt", "archive", "-o", "back")
        for source in (0o600, 0o640, 0o444, 0o666):
            self.assertEqual(mode(f"back/in/private/{source:o}.tif"), source)
        self.assertEqual(mode("back/in/private/7777.tif"), 0o777)

    def test_members_of_another_group(self):
        Path("a").write_bytes(b"a")
        if os.geteuid() != 0:
            self.skipTest("only root can give files to any group")
        os.chown("a", -1, 54321)
        for source, sealed in ((0o640, 0o600), (0o664, 0o644), (0o644, 0o644)):
            Path("a").chmod(source)
            self.done("encrypt", "a", "-o", f"{source:o}.orr.tif")
            self.assertEqual(mode(f"{source:o}.orr.tif"), sealed)

    def test_access_lists(self):
        """With one, the bits of the group say what the list may give at most."""
        Path("a").write_bytes(b"a")
        no_one = 0xffffffff
        entries = ((1, 6, no_one), (2, 4, 54321), (4, 0, no_one), (0x10, 4, no_one), (0x20, 0, no_one))
        try:
            os.setxattr("a", "system.posix_acl_access", struct.pack("<I", 2) + b"".join(struct.pack("<HHI", *e) for e in entries))
        except OSError as error:
            self.skipTest(f"no access lists here: {error}")
        self.assertEqual(mode("a"), 0o640)
        self.done("encrypt", "a", "-o", "a.orr.tif")
        self.assertEqual(mode("a.orr.tif"), 0o600)

    @needs_evidence
    def test_a_report_on_images(self):
        png(Path("a.png"), 3)
        write_gray_tiff("a.tif", 64, 64)
        status, _, err = run("analyze", "-q", "--quick", "--only", "images", "a.tif", "-o", "report")
        self.assertEqual(status, 0, err)
        self.assertEqual({mode(p) for p in Path("report").iterdir()}, {0o600})


class Holes(Case):
    def test_sparse(self):
        self.keyring()
        Path("in").mkdir()
        with open("in/tail", "wb") as out:
            out.write(os.urandom(100_000))
            out.seek(40 << 20)
            out.write(os.urandom(5000))
        with open("in/open-end", "wb") as out:
            out.write(os.urandom(7))
            out.truncate((20 << 20) + 4097)
        with open("in/nothing", "wb") as out:
            out.truncate(70 << 20)
        Path("in/empty").touch()
        Path("in/small").write_bytes(bytes(3))
        Path("in/full").write_bytes(os.urandom(7 << 20))
        if Path("in/nothing").stat().st_blocks * 512 > 1 << 20:
            self.skipTest("no holes in files here")
        run("encrypt", "-q", "-k", "keys", "in", "-o", "vault")
        for options, most in (([], None), (["--sparse"], 8 << 20)):
            status, _, err = run("decrypt", "-q", "-k", "keys", "vault", "-o", "back", *options)
            self.assertEqual(status, 0, err)
            taken = 0
            for source in Path("in").iterdir():
                copy = Path("back", source)
                self.assertTrue(copy.read_bytes() == source.read_bytes(), copy)
                self.assertEqual(copy.stat().st_mtime_ns, source.stat().st_mtime_ns)
                taken += copy.stat().st_blocks * 512
            if most:
                self.assertLess(taken, most)
            else:
                self.assertGreater(taken, 130 << 20)
            self.assertEqual(run("decrypt", "-q", "-k", "keys", "vault", "-o", "back")[0], 0)
            shutil.rmtree("back")


if __name__ == "__main__":
    unittest.main()
