"""`decrypt -o -`: one file to standard output, a pipe or a device, only after all of it was authenticated; and "-" where it has no
meaning."""
import os
import subprocess
import threading
import unittest
from pathlib import Path

from support.cli import ORRERY, Case, png, run, slowly, write_gray_tiff


def raw(*arguments, **options):
    """As run(), with bytes."""
    done = subprocess.run([ORRERY, *arguments], stdin=subprocess.DEVNULL, capture_output=True, timeout=300, check=False, **options)
    return done.returncode, done.stdout, done.stderr.decode("utf-8", "replace")


class Streams(Case):
    def setUp(self):
        super().setUp()
        self.keyring()
        Path("in").mkdir()
        self.data = os.urandom(7 << 20)  # two segments
        Path("in/a.bin").write_bytes(self.data)
        Path("in/empty").write_bytes(b"")
        self.assertEqual(run("encrypt", "-q", "-k", "keys", "in/.", "-o", "sealed", "--sha256")[0], 0)
        self.before = sorted(os.listdir())

    def decrypt(self, *arguments, **options):
        return raw("decrypt", "-k", "keys", *arguments, **options)

    def test_standard_output(self):
        for out in ("-", "/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"):
            with self.subTest(out=out):
                status, data, err = self.decrypt("sealed/a.bin.orr.tif", "-o", out)
                self.assertEqual(status, 0, err)
                self.assertTrue(data == self.data)
                self.assertIn("decrypted sealed/a.bin.orr.tif (7.0 MiB) to standard output", err)
        self.assertEqual(self.decrypt("-q", "sealed/empty.orr.tif", "-o", "-"), (0, b"", ""))
        self.assertEqual(self.decrypt("-q", "--files-from", "list", "-o", "-")[0], 7)
        Path("list").write_text("sealed/a.bin.orr.tif\n")
        self.assertTrue(self.decrypt("-q", "--files-from", "list", "-o", "-") == (0, self.data, ""))
        Path("list").unlink()
        self.assertEqual(sorted(os.listdir()), self.before)

    def test_to_a_file_that_others_write_to(self):
        for out in ("-", "/dev/stdout", "/dev/fd/1"):
            with open("log", "wb") as log:
                log.write(b"before ")
                log.flush()
                done = subprocess.run([ORRERY, "decrypt", "-q", "-k", "keys", "sealed/a.bin.orr.tif", "-o", out], stdout=log, check=False)
                self.assertEqual(done.returncode, 0)
                os.lseek(log.fileno(), 0, os.SEEK_END)
                log.write(b" after")
            self.assertTrue(Path("log").read_bytes() == b"before " + self.data + b" after", out)

    def test_pipes_and_devices(self):
        os.mkfifo("fifo")
        got = []
        reader = threading.Thread(target=lambda: got.append(Path("fifo").read_bytes()))
        reader.start()
        self.assertEqual(self.decrypt("sealed/a.bin.orr.tif", "-o", "fifo")[0], 0)
        reader.join()
        self.assertTrue(got[0] == self.data)
        read, write = os.pipe()
        reader = threading.Thread(target=lambda: got.append(Path(f"/dev/fd/{read}").read_bytes()))
        reader.start()
        status = self.decrypt("sealed/a.bin.orr.tif", "-o", f"/dev/fd/{write}", pass_fds=[write])[0]
        os.close(write)
        reader.join()
        os.close(read)
        self.assertEqual(status, 0)
        self.assertTrue(got[1] == self.data)
        self.assertEqual(self.decrypt("sealed/a.bin.orr.tif", "-o", "/dev/null")[0], 0)
        status, _, err = self.decrypt("sealed/a.bin.orr.tif", "-o", "/dev/full")
        self.assertEqual(status, 7)
        self.assertIn("/dev/full: cannot write all of sealed/a.bin.orr.tif: No space left", err)
        status, _, err = self.decrypt("sealed/a.bin.orr.tif", "-o", "/dev/fd/999")
        self.assertEqual(status, 2)
        self.assertIn("no such descriptor", err)

    def test_a_reader_that_goes(self):
        with subprocess.Popen([ORRERY, "decrypt", "-k", "keys", "sealed/a.bin.orr.tif", "-o", "-"], stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE) as process:
            self.assertEqual(process.stdout.read(1000), self.data[:1000])
            process.stdout.close()
            err = process.stderr.read().decode()
        self.assertEqual(process.returncode, 7)
        self.assertIn("its reader has gone", err)

    def test_nothing_of_a_damaged_file_goes_out(self):
        sealed = bytearray(Path("sealed/a.bin.orr.tif").read_bytes())
        for at in (len(sealed) - 100000, 200000):  # one of its last tiles, one of its first
            damaged = sealed[:]
            damaged[at] ^= 1
            Path("damaged.orr.tif").write_bytes(damaged)
            status, data, err = self.decrypt("damaged.orr.tif", "-o", "-")
            self.assertEqual((status, data), (4, b""), err)
        for at in (4200, 8300):  # one of two wrap slots: the other one opens it
            damaged = sealed[:]
            damaged[at] ^= 1
            Path("damaged.orr.tif").write_bytes(damaged)
            status, data, err = self.decrypt("damaged.orr.tif", "-o", "-")
            self.assertTrue((status, data) == (0, self.data), err)
            self.assertEqual(err.count("wrap slot"), 1, err)
        Path("plain").write_text("no Orrery file")
        self.assertEqual(self.decrypt("plain", "-o", "-")[:2], (10, b""))
        self.assertEqual(self.decrypt("missing", "-o", "-")[:2], (7, b""))

    def test_changed_between_verifying_and_writing(self):
        """What is another file by then does not go out; so a swap finds nobody who trusts it."""
        if not os.environ.get("FAULT") or "libasan" in Path("/proc/self/maps").read_text():
            self.skipTest("no FAULT library, or AddressSanitizer")
        Path("other").write_bytes(Path("sealed/a.bin.orr.tif").read_bytes())
        with subprocess.Popen([ORRERY, "decrypt", "-k", "keys", "sealed/a.bin.orr.tif", "-o", "-"], env=slowly("a.bin"),
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
            os.replace("other", "sealed/a.bin.orr.tif")
            data, err = process.communicate(timeout=60)
        if data != self.data:  # else the file was opened after it was replaced
            self.assertEqual((process.returncode, data), (7, b""), err)
            self.assertIn(b"was changed while it was verified", err)

    def test_the_paper_profile(self):
        write_gray_tiff("scan.tif", 300, 200)
        self.assertEqual(run("encrypt", "-q", "-k", "keys", "--profile", "paper", "scan.tif", "-o", "p.orr.tif")[0], 0)
        self.assertEqual(run("decrypt", "-q", "-k", "keys", "p.orr.tif", "-o", "back.tif")[0], 0)
        status, data, err = self.decrypt("p.orr.tif", "-o", "-")
        self.assertEqual(status, 0, err)
        self.assertTrue(data == Path("back.tif").read_bytes())
        self.assertIn("pixels not authenticated", err)

    def test_what_does_not_go_together(self):
        for arguments, said in ((["sealed", "-o", "-"], "takes one encrypted file"),
                                (["sealed/a.bin.orr.tif", "sealed/empty.orr.tif", "-o", "-"], "takes one encrypted file"),
                                (["sealed/a.bin.orr.tif", "-o", "-", "--json"], "does not go with --json"),
                                (["sealed/a.bin.orr.tif", "-o", "-", "--salvage"], "does not go with --salvage"),
                                (["sealed/a.bin.orr.tif", "-o", "-", "--unauthenticated"], "does not go with --unauthenticated"),
                                (["sealed/a.bin.orr.tif", "-o", "-", "--shard", "1/2"], "does not go with --shard")):
            status, data, err = self.decrypt(*arguments)
            self.assertEqual(status, 2, err)
            self.assertIn(said, data.decode() if "--json" in arguments else err)
        for command in ("encrypt", "reencrypt"):
            status, _, err = raw(command, "-k", "keys", "sealed/a.bin.orr.tif", "-o", "/dev/stdout")
            self.assertEqual(status, 2)
            self.assertIn("the head of an encrypted file is written last", err)
        status, data, err = self.decrypt("--dry-run", "sealed/a.bin.orr.tif", "-o", "-")
        self.assertEqual((status, data), (0, b""))
        self.assertIn("would decrypt sealed/a.bin.orr.tif to standard output", err)
        self.assertEqual(sorted(os.listdir()), self.before)

    def test_a_terminal(self):
        try:
            master, terminal = os.openpty()
        except OSError as error:
            self.skipTest(f"no pseudo-terminals here: {error}")
        for out in ("-", "/dev/stdout", os.ttyname(terminal)):
            done = subprocess.run([ORRERY, "decrypt", "-k", "keys", "sealed/a.bin.orr.tif", "-o", out], stdout=terminal,
                                  stderr=subprocess.PIPE, check=False)
            self.assertEqual(done.returncode, 2)
            self.assertIn(b"is a terminal", done.stderr)
        os.close(terminal)
        os.close(master)

    def test_dashes_elsewhere(self):
        png(Path("d.png"), 1)
        self.before.append("d.png")
        for arguments in (["encrypt", "-k", "keys", "d.png", "-o", "-"], ["reencrypt", "-k", "keys", "sealed", "-o", "-"],
                          ["keyring", "new", "-o", "-", "--no-passphrase", "--decoy", "d.png"],
                          ["keyring", "new", "-o", "k", "--no-passphrase", "--decoy", "-"],
                          ["keyring", "new", "-o", "k", "--no-passphrase", "--decoy", "d.png", "-"],
                          ["keyring", "list", "-k", "-"], ["generate", "--weights", "w", "-o", "-"], ["generate", "--weights", "-", "-o", "x.png"],
                          ["train", "--data", "-", "-o", "x"], ["train", "--data", "in", "-o", "-"], ["analyze", "-o", "-"],
                          ["analyze", "-", "-o", "x"], ["analyze", "--weights", "-", "-o", "x"], ["bench", "--html", "-"], ["bench", "--json", "-"],
                          ["bench", "--directory", "-"], ["bench", "--disk", "-"]):
            status, out, err = raw(*arguments)
            self.assertEqual((status, out), (2, b""), arguments)
            self.assertIn('./- is a file called "-"', err)
        for command in (["encrypt", "-o", "x"], ["decrypt", "-o", "x"], ["decrypt", "-o", "-"], ["verify"], ["rewrap"], ["reencrypt", "-o", "x"]):
            status, out, err = raw(command[0], "-k", "keys", *command[1:], "-")
            self.assertEqual((status, out), (2, b""), command)
            self.assertIn("--files-from - reads the names of files there", err)
        self.assertIn("--files-from -", raw("inspect", "-")[2])
        for option in ("passphrase", "new-passphrase"):
            status, _, err = raw("keyring", "passwd", "-k", "keys", f"--{option}-file", "-")
            self.assertEqual(status, 2)
            self.assertIn(f"--{option}-fd 0 reads standard input", err)
        self.assertEqual(sorted(os.listdir()), sorted(self.before))
        os.mkdir("-")
        self.assertEqual(run("decrypt", "-q", "-k", "keys", "sealed/a.bin.orr.tif", "-o", "./-")[0], 0)
        self.assertTrue(Path("-/a.bin").read_bytes() == self.data)


if __name__ == "__main__":
    unittest.main()
