#!/usr/bin/env python3
"""Several hundred files in each direction between the program and the second reader and writer: what the program
encrypts, the reader decrypts; what the writer makes, the program decrypts; and hostile files get the same status."""
import concurrent.futures
import os
import pathlib
import random
import shutil
import stat
import sys
import tempfile
import unittest

sys.dont_write_bytecode = True
try:
    import keyring_hostile
    import orrery_hostile
    import orrery_keyring
    import orrery_keys as k
    import orrery_reader
    import paper_golden
    import recipient_oracle
    import tifffile
    from orrery_format import PAPER, Refused
    from orrery_writer import Writer, by_master, by_recipient, drawn
except ImportError as missing:
    print(f"SKIPPED: {missing} (scripts/requirements.txt)")
    sys.exit(77)

from support import cli

FILES = pathlib.Path(cli.SOURCE) / "tests" / "vectors" / "files"
SEED = int(os.environ.get("ORRERY_SEED", "0"), 0) or random.randrange(2**32)
RANDOM = random.Random(SEED)
SIZES = [0, 1, 383, 384, 385, 1000, 2688, 3072, 3073, 4095, 4096, 4097, 8192, 49151, 49152, 49153, 53248, 98303, 98304, 98305, 147456,
         *(RANDOM.randrange(200000) for _ in range(12))]
LARGE = [6291455, 6291456, 6291457, 6291456 + 49153]


def random_pages():
    """Pages for paper_golden: 1 to 4 small ones of both depths, gray and RGB, some with extra samples."""
    pages = []
    for _ in range(RANDOM.randrange(1, 5)):
        width, height, bits = RANDOM.randrange(1, 40), RANDOM.randrange(1, 30), RANDOM.choice((8, 16))
        samples = RANDOM.choice((1, 2, 3))
        more = [(338, paper_golden.SHORT, b"\0\0")] if samples == 2 else []
        pages.append(((width, height, samples, bits, RANDOM.choice((1, 2)), more), RANDOM.randbytes(width * height * samples * bits // 8)))
    return pages


class Both(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.path = pathlib.Path(folder.name)
        self.own = self.path / "own.keyring"  # of the second writer
        self.first, self.second, self.third = (k.master_key(drawn(str(SEED), name, 32)) for name in ("first", "second", "third"))
        records = [orrery_keyring.key_record(self.first, 1, 1736253296, b"first"), orrery_keyring.key_record(self.second, 2)]
        self.own.write_bytes(orrery_keyring.write_keyring(records, [(orrery_keyring.NONE, None, 0, 0, 0, 0, b"")],
                                                          lambda name, length: drawn(str(SEED), name, length), [(1, 2, 3)]))
        self.own.chmod(0o600)

    def orrery(self, *arguments, status=0):
        code, out, err = cli.run(*map(str, arguments))
        self.assertEqual(code, status, f"{arguments}, ORRERY_SEED={SEED}: {out[-500:]}{err[-500:]}")
        return out

    def recipient_file(self, key):
        path = self.path / f"{key.key_id.hex()}.orrpub"
        if not path.exists():
            path.write_bytes(recipient_oracle.encode(key.key_id, k.public_key(key), b"", 0, [(1, 2, 3)]))
        return path


class ProgramToReader(Both):
    """Options of encrypt, what is done afterwards, what the reader finds."""

    def sources(self, sizes):
        folder = self.path / "sources"
        folder.mkdir(exist_ok=True)
        contents = {}
        for number, size in enumerate(sizes):
            name = f"file {number} of {size}"
            contents[f"sources/{name}"] = RANDOM.randbytes(size)
            (folder / name).write_bytes(contents[f"sources/{name}"])
        return folder, contents

    def read_all(self, folder, keys, found):
        """Reads every encrypted file; returns path -> plaintext."""
        contents = {}
        for path in sorted(folder.rglob("*.orr.tif")):
            file = orrery_reader.OrreryFile(orrery_reader.map_file(path), keys)
            file.heal()
            plain = b"".join(file.plaintext())
            said = orrery_reader.report(file, "")
            self.assertEqual(said["warnings"], [], path)
            for name, value in found.items():
                self.assertEqual(said[name], value, path)
            if file.metadata["sha256"]:
                self.assertEqual(file.metadata["sha256"], orrery_reader.hashlib.sha256(plain).digest(), path)
            self.assertTrue(file.whole() == bytes(file.image.data), f"{path}: repair would change it")
            contents[file.metadata["path"].decode()] = plain
        return contents

    def cases(self):
        """Name, sizes, options of encrypt, expected of each file."""
        first, second = self.first.key_id.hex(), self.second.key_id.hex()
        mine = ["-k", self.own]
        yield "plain", SIZES + LARGE, mine, {"known_origin": True, "wraps": [[1, first]], "repair": [0, 0]}
        yield "SHA-256", SIZES, [*mine, "--sha256"], {}
        yield "opaque", SIZES, [*mine, "--names", "opaque"], {}
        yield "rule", SIZES, [*mine, "--rule", "12345"], {}
        yield "one thread", SIZES, [*mine, "-j", "1"], {}
        for parity in ("0.5", "1", "5", "20", "50"):
            yield f"parity {parity}", SIZES + (LARGE if parity == "5" else []), [*mine, "--parity", parity], {"known_origin": True}
        yield "recipient", SIZES, ["--to", self.recipient_file(self.second)], {"known_origin": False, "wraps": [[2, second]]}
        yield "both", SIZES, [*mine, "--to", self.recipient_file(self.third)], {"known_origin": True, "wraps": [[1, first], [2, self.third.key_id.hex()]]}

    def test_archive(self):
        keys, count = orrery_keyring.read_keyring(self.own), 0
        for name, sizes, options, found in self.cases():
            folder, contents = self.sources(sizes)
            out = self.path / name
            self.orrery("encrypt", *options, folder, "-o", out)
            self.assertEqual(self.read_all(out, keys, found), contents, (name, SEED))
            count += len(contents)
            shutil.rmtree(folder)
        print(f"{count} files of the program, read by the second reader")

    def test_rewrapped(self):
        folder, contents = self.sources(SIZES)
        first, second, third = (key.key_id.hex() for key in (self.first, self.second, self.third))
        add = ["--add", self.recipient_file(self.third)]
        for name, options, wraps in (("moved", ["--to", second], [[1, second]]), ("added", add, [[1, first], [2, third]]),
                                     ("removed", ["--remove", third], [[1, first]])):
            out = self.path / "encrypted"
            if not out.exists():
                self.orrery("encrypt", "-k", self.own, folder, "-o", out)
            self.orrery("rewrap", "-k", self.own, *options, out)
            keys = {key.key_id: key for key in (self.first, self.second, self.third)}
            self.assertEqual(self.read_all(out, keys, {"known_origin": True, "wraps": wraps}), contents, name)
            if name == "moved":
                shutil.rmtree(out)

    def test_exported(self):
        """Files for the recipient file that the program exports."""
        recipient, out = self.path / "site.orrpub", self.path / "encrypted"
        self.orrery("keyring", "export", "-k", self.own, "-o", recipient, "first")
        self.assertEqual(recipient_oracle.decode(recipient.read_bytes())[:3], (self.first.key_id, k.public_key(self.first), b"first"))
        folder, contents = self.sources(SIZES[:5])
        self.orrery("encrypt", "--to", recipient, folder, "-o", out)
        self.assertEqual(self.read_all(out, {self.first.key_id: self.first}, {"known_origin": False}), contents)

    def test_keyrings(self):
        """Those that the program makes, and the second reader opens."""
        phrase = self.path / "phrase"
        phrase.write_text("test passphrase, not a secret\n")
        folder, contents = self.sources(SIZES[:5])
        for name, making, options in (("open", ["--no-passphrase"], {}), ("locked", ["--passphrase-file", phrase], {"passphrase": phrase.read_bytes().strip()})):
            keyring, out = self.path / f"{name}.keyring", self.path / name
            self.orrery("keyring", "new", "-o", keyring, "--decoy", FILES / "two-pages.tif", *making)
            self.orrery("encrypt", "-k", keyring, *(making if name == "locked" else []), folder, "-o", out)
            self.assertEqual(self.read_all(out, orrery_keyring.read_keyring(keyring, **options), {}), contents)
            with self.assertRaises(Refused):
                orrery_keyring.read_keyring(keyring, passphrase=b"another")

    def test_paper(self):
        keys = orrery_keyring.read_keyring(self.own)
        for number in range(30):
            pages = random_pages()
            source, tables = paper_golden.source(pages)
            tiff, out = self.path / f"{number}.tif", self.path / f"{number}.orr.tif"
            tiff.write_bytes(source)
            parity = ["--parity", "5"] if number % 2 else []
            self.orrery("encrypt", "-k", self.own, "--profile", "paper", *parity, tiff, "-o", out)
            file = orrery_reader.OrreryFile(orrery_reader.map_file(out), keys)
            file.heal()
            self.assertEqual(list(file.plaintext()), paper_golden.volumes(pages, paper_golden.page_table(pages, tables)), (number, SEED))
            self.assertEqual(file.warnings, [])


class KeyringToReader(Both):
    """Keyrings that the program makes, opened by passphrase and recovery code."""

    def test_ways(self):
        keyring, words, code, source = (self.path / name for name in ("made", "words", "code", "scan"))
        decoy = self.path / "decoy.tif"
        decoy.write_bytes((pathlib.Path(os.environ["SOURCE"]) / "tests/vectors/files/short.orr.tif").read_bytes())  # RGB
        words.write_text("test passphrase, not a secret\n")
        source.write_bytes(RANDOM.randbytes(60000))
        self.orrery("keyring", "new", "-q", "-o", keyring, "--decoy", decoy, "--passphrase-file", words, "--save-recovery-code", code)
        self.orrery("encrypt", "-q", "-k", keyring, "--recovery-code-file", code, source, "-o", self.path / "sealed")
        found = self.path / "sealed" / "scan.orr.tif"

        def read(*options):
            return orrery_reader.main([str(option) for option in ("--keyring", keyring, *options, found)])
        self.assertEqual(read("--passphrase-file", words), 0)
        text = code.read_text().lower().replace("-", " ")
        for written, status in ((text, 0), (("1" if text[0] == "0" else "0") + text[1:], 5), (text[:-2], 5)):
            code.write_text(written)
            self.assertEqual(read("--recovery-code-file", code), status, written)


class WriterToProgram(Both):
    def wraps(self):
        """Name, wraps, whether the origin is known."""
        mine, other = by_master(self.first), by_recipient(self.second.key_id, k.public_key(self.second))
        stranger = by_master(self.third)
        yield "one", [mine], 1
        yield "several", [stranger, other, mine], 2
        yield "recipient", [stranger, other], 16

    def test_archive(self):
        folder, out, contents = self.path / "encrypted", self.path / "plain", {}
        folder.mkdir()
        for name, wraps, slot_pages in self.wraps():
            for parity in (None, 5, 50, 500):
                sizes = SIZES + (LARGE if name == "one" and parity in (None, 50) else [])
                for number, size in enumerate(sizes):
                    path = f"{name} {parity}/{number} of {size}"
                    contents[path] = RANDOM.randbytes(size)
                    file = Writer(contents[path], wraps, seed=f"{SEED}{path}", path=path.encode(), parity=parity, slot_pages=slot_pages,
                                  mtime=(number, 5), values={10: bytes(16), 13: b"label", 0x8000: b"unknown"} if number % 2 else {}).file()
                    (folder / f"{len(contents)}.orr.tif").write_bytes(file)
        self.assertGreater(len(contents), 300)
        self.orrery("verify", "-q", "-k", self.own, folder)
        self.orrery("decrypt", "-q", "-k", self.own, folder, "-o", out)
        restored = {str(path.relative_to(out)): path.read_bytes() for path in out.rglob("*") if cli.is_output(path)}
        self.assertEqual(restored.keys(), contents.keys(), SEED)
        for path, plain in contents.items():
            self.assertEqual(restored[path], plain, (path, SEED))
        print(f"{len(contents)} files of the second writer, decrypted by the program")

    def test_paper(self):
        for number in range(30):
            pages = random_pages()
            source, tables = paper_golden.source(pages)
            table = paper_golden.page_table(pages, tables)
            encrypted, out = self.path / f"{number}.orr.tif", self.path / f"out {number}"
            encrypted.write_bytes(Writer(paper_golden.volumes(pages, table), [by_master(self.first)], profile=PAPER, table=table,
                                         seed=f"{SEED}{number}", path=b"image.tif", size=len(source), parity=RANDOM.choice((None, 50, 500))).file())
            (self.path / "source.tif").write_bytes(source)
            self.orrery("decrypt", "-k", self.own, encrypted, "-o", out)
            with tifffile.TiffFile(self.path / "source.tif") as before, tifffile.TiffFile(out / "image.tif") as after:
                self.assertEqual(len(before.pages), len(after.pages))
                for one, other in zip(before.pages, after.pages):
                    self.assertEqual((one.asarray().dtype, one.asarray().tobytes()), (other.asarray().dtype, other.asarray().tobytes()), (number, SEED))

    def test_locked_keyring(self):
        phrase = self.path / "phrase"
        phrase.write_bytes(b"test passphrase, not a secret\n")
        keyring = self.path / "locked.keyring"
        shutil.copy(FILES / "locked.keyring", keyring)
        keyring.chmod(0o600)
        self.orrery("verify", "-k", keyring, "--passphrase-file", phrase, FILES / "recipients.orr.tif")
        self.orrery("verify", "-k", keyring, "--passphrase-file", keyring, FILES / "recipients.orr.tif", status=5)


class Repaired(Both):
    """What one wrote and damage befell, the other repairs to the same bytes."""

    def damaged(self, good):
        """At most m pages of each group, one of slots A and B, and one page 0, each in some bytes."""
        tail, damaged = orrery_reader.header_of(good[:4096], len(good)).tail, bytearray(good)
        places = [RANDOM.choice((0, tail.page0)), RANDOM.choice((4096, 4096 * (1 + tail.slot_pages)))]
        for group in range(tail.groups):
            numbers = range(group, tail.body_pages + tail.parity_pages, tail.groups)
            places += [tail.page_offset(number) for number in RANDOM.sample(numbers, min(len(numbers), tail.parity))]
        for place in places:
            at = place + RANDOM.randrange(4000)
            damaged[at : at + 8] = RANDOM.randbytes(8)
        return bytes(damaged)

    def test_reader(self):
        keys, count = orrery_keyring.read_keyring(self.own), 0
        folder = self.path / "sources"
        folder.mkdir()
        for number, size in enumerate(SIZES):
            (folder / str(number)).write_bytes(RANDOM.randbytes(size))
        for parity in ("0.5", "5", "20", "50"):
            self.orrery("encrypt", "-k", self.own, "--parity", parity, folder, "-o", self.path / parity)
            for path in (self.path / parity).rglob("*.orr.tif"):
                good = path.read_bytes()
                file = orrery_reader.OrreryFile(self.damaged(good), keys)
                file.heal()
                self.assertTrue(file.whole() == good, (path, SEED))
                count += 1
        self.assertGreater(count, 100)

    def test_program(self):
        good, folder, out = {}, self.path / "encrypted", self.path / "plain"
        folder.mkdir()
        for parity in (5, 50, 200, (3, 2)):
            for number, size in enumerate(SIZES):
                path, plain = f"{parity} {number}", RANDOM.randbytes(size)
                file = Writer(plain, [by_master(self.first)], seed=f"{SEED}{path}", path=path.encode(), parity=parity).file()
                good[path] = file, plain
                (folder / f"{path}.orr.tif").write_bytes(self.damaged(file))
        self.orrery("decrypt", "-q", "-k", self.own, folder, "-o", out)
        for path, (_, plain) in good.items():
            self.assertTrue((out / path).read_bytes() == plain, (path, SEED))
        self.orrery("repair", "-q", "-k", self.own, folder)
        for path, (file, _) in good.items():
            self.assertTrue((folder / f"{path}.orr.tif").read_bytes() == file, (path, SEED))


class Hostile(Both):
    """Exit statuses of the program on the hostile files, and nothing outside OUT."""

    def setUp(self):
        super().setUp()
        shutil.copy(FILES / "open.keyring", self.path / "keyring")
        (self.path / "keyring").chmod(0o600)

    @staticmethod
    def expected(name, status):
        """The program reads no regions (8), and looks at the tags before it adds up the pages."""
        return 8 if name.startswith(("paper regions ", "paper features 1")) and name != "paper regions without the feature" or \
            name == "paper table bits 16" else status

    def test_statuses(self):
        for wraps in (orrery_hostile.HOLDER, orrery_hostile.RECIPIENT):
            with concurrent.futures.ThreadPoolExecutor() as pool:
                done = [pool.submit(self.case, wraps is orrery_hostile.RECIPIENT, *case) for case in orrery_hostile.cases(wraps)]
            for each in done:
                each.result()

    def case(self, forged, name, data, status):
        damaged = name.startswith("repair damage")
        if name == "a hole that is not zero":
            return  # for readers that leave holes, which the program does not
        status = self.expected(name, status)
        with tempfile.TemporaryDirectory(dir=self.path) as folder:
            folder = pathlib.Path(folder)
            file, out, keyring = folder / "hostile.orr.tif", folder / "out", str(self.path / "keyring")
            file.write_bytes(data)
            code, _, err = cli.run("verify", "-q", "-k", keyring, str(file))
            self.assertEqual(code, 4 if damaged else status, f"{name}: {err}")  # decrypt reads past damage, verify says it is there
            if forged:  # never of known origin
                self.assertNotEqual(cli.run("verify", "-q", "--require-origin", "-k", keyring, str(file))[0], 0, name)
            code, _, err = cli.run("decrypt", "-q", "-k", keyring, str(file), "-o", str(out))
            self.assertEqual(code == 0, status == 0, f"{name}: {code} {err}")
            self.assertEqual({path.name for path in folder.iterdir()} - {"out"}, {"hostile.orr.tif"}, name)
            for path in out.rglob("*") if out.exists() else ():
                mode = path.lstat().st_mode
                self.assertFalse(stat.S_ISLNK(mode) or stat.S_ISREG(mode) and mode & 0o7000, name)
                self.assertTrue(status == 0 or not cli.is_output(path), name)

    def test_keyrings(self):
        phrase, file = self.path / "phrase", self.path / "hostile"
        phrase.write_bytes(keyring_hostile.PASSPHRASE + b"\n")
        for cases, options in ((keyring_hostile.keyrings(), []), (keyring_hostile.locked_keyrings(), ["--passphrase-file", str(phrase)])):
            for name, data, status in cases:
                file.write_bytes(data)
                file.chmod(0o600)
                code, _, err = cli.run("keyring", "list", "-k", str(file), *options)
                self.assertEqual(code, status, f"{name}: {err}")

    def test_recipient_files(self):
        file = self.path / "hostile.orrpub"
        for name, data, status in keyring_hostile.recipient_files():
            file.write_bytes(data)
            code, _, err = cli.run("inspect", str(file))
            self.assertEqual(code, status, f"{name}: {err}")


if __name__ == "__main__":
    print(f"ORRERY_SEED={SEED}")
    unittest.main()
