#!/usr/bin/env python3
"""The second reader: on the golden files, on what the second writer makes, on damaged and on hostile files; and other
people's TIFF readers on an encrypted file. orrery_program_test.py compares both with the program."""
import contextlib
import io
import json
import os
import pathlib
import random
import sys
import tempfile
import unittest

TESTS = pathlib.Path(__file__).resolve().parents[2]
FILES = TESTS / "vectors" / "files"
KEYS = FILES / "TEST-master-keys.txt"

sys.dont_write_bytecode = True
try:
    import hpke_oracle
    import keyring_hostile
    import numpy as np
    import make_container_vectors as vectors
    import orrery_hostile
    import orrery_keyring
    import orrery_reader
    import orrery_repair
    import paper_golden
    import parity_oracle
    from orrery_format import PAGE, PAPER, Refused, Tail, chosen_parity, tail_of_length
    from orrery_keys import public_key
    from orrery_writer import Writer, by_master, by_recipient, flip
except ImportError as missing:
    print(f"skipped: the second reader needs the Python package {missing.name}")
    sys.exit(77)

SEED = int(os.environ.get("ORRERY_SEED", "0"), 0) or random.randrange(2**32)
RANDOM = random.Random(SEED)
TEST_KEYS = {key.key_id: key for key in (vectors.FIRST_KEY, vectors.SECOND_KEY)}
HOLDER = [by_master(vectors.FIRST_KEY)]


def read(*arguments):
    """Exit status and output of the reader."""
    text = io.StringIO()
    with contextlib.redirect_stdout(text), contextlib.redirect_stderr(text):
        status = orrery_reader.main([str(argument) for argument in arguments])
    return status, text.getvalue()


def opened(data, keys=None):
    """(OrreryFile, plaintext) of a file that opens."""
    file = orrery_reader.OrreryFile(data, keys or TEST_KEYS)
    file.heal()
    return file, b"".join(file.plaintext())


def golden_volumes():
    """Both pages of two-pages.tif as volumes: 3 channels of 8 bits, 2 of 16 (high byte first)."""
    pixels = [pixels for _, pixels in paper_golden.golden_pages(vectors.named)]
    first = b"".join(pixels[0][channel::3] for channel in range(3))
    second = b"".join(pixels[1][at + 1 : at + 2] + pixels[1][at : at + 1]
                      for channel in range(2) for at in range(2 * channel, len(pixels[1]), 4))
    return first + second


class Temporary(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.path = pathlib.Path(folder.name)


class Golden(Temporary):
    def plaintext(self, name, *arguments):
        status, text = read(*arguments, FILES / name, "-o", self.path / name)
        self.assertEqual(status, 0, text)
        return (self.path / name).read_bytes(), json.loads(text)

    def test_plaintext(self):
        for name, length in (("empty", 0), ("one-byte", 1), ("rule-1", 384), ("short", 1000), ("parity", 30000),
                             ("recipients", 1000), ("recipient-only", 1000)):
            plain, found = self.plaintext(f"{name}.orr.tif", "--keys", KEYS)
            self.assertEqual(plain, vectors.recipe(length))
            self.assertEqual((found["warnings"], found["known_origin"]), ([], name != "recipient-only"), name)

    def test_records(self):
        found = self.plaintext("records.orr.tif", "--keys", KEYS)[1]
        self.assertEqual((found["label"], found["holes"], found["vault"], found["written"]),
                         ("Münster 7", [[500, 100]], vectors.named("vault", 16).hex(), 1736253296))

    def test_paper_volumes(self):
        for name in ("two-pages", "two-pages-parity", "two-pages-regions"):
            self.assertEqual(self.plaintext(f"{name}.paper.orr.tif", "--keys", KEYS)[0], golden_volumes())

    def test_origin(self):
        self.assertEqual(read("--keys", KEYS, "--require-origin", FILES / "recipients.orr.tif")[0], 0)
        self.assertEqual(read("--keys", KEYS, "--require-origin", FILES / "recipient-only.orr.tif")[0], 4)

    def test_other_keys(self):
        other = self.path / "other-keys"
        other.write_text("ff" * 32)
        self.assertEqual(read("--keys", other, FILES / "short.orr.tif")[0], 5)
        other.write_text(vectors.MASTER.hex() + " " + "07" * 32)  # another X25519 key
        self.assertEqual(read("--keys", other, FILES / "short.orr.tif")[0], 0)
        self.assertEqual(read("--keys", other, FILES / "recipient-only.orr.tif")[0], 4)

    def test_keyrings(self):
        phrase, code = self.path / "phrase", self.path / "code"
        phrase.write_bytes(vectors.PASSPHRASE + b"\n")
        code.write_text(orrery_keyring.recovery_code(vectors.named("recovery", 32)).lower().replace("1", "l").replace("-", " "))
        for options, status in (((), 5), (("--passphrase-file", phrase), 0), (("--recovery-code-file", code), 0), (("--passphrase-file", KEYS), 5)):
            self.assertEqual(read("--keyring", FILES / "locked.keyring", *options, FILES / "recipients.orr.tif")[0], status, options)
        self.assertEqual(read("--keyring", FILES / "open.keyring", FILES / "short.orr.tif")[0], 0)
        self.assertEqual(read("--keyring", FILES / "open.keyring", "--passphrase-file", phrase, FILES / "short.orr.tif")[0], 5)
        code.write_text(orrery_keyring.recovery_code(vectors.named("recovery", 32))[:-1] + "%")
        self.assertEqual(read("--keyring", FILES / "locked.keyring", "--recovery-code-file", code, FILES / "short.orr.tif")[0], 5)


class Vectors(Temporary):
    def test_they_are_what_the_writer_makes(self):
        vectors.write(self.path)
        for path in filter(pathlib.Path.is_file, self.path.rglob("*")):
            self.assertEqual(path.read_bytes(), (TESTS / "vectors" / path.relative_to(self.path)).read_bytes(), path.name)


class OtherOracles(Temporary):
    """Readings of the same sections by others."""

    def test_keyrings(self):
        lines = [line.split() for line in (TESTS / "vectors" / "secret.txt").read_text().splitlines() if line.startswith("keyring ")]
        self.assertGreater(len(lines), 4)
        for _, kind, secret, data in lines:
            (self.path / "keyring").write_bytes(bytes.fromhex(data))
            given = {} if kind == "none" else {{"code": "recovery", "passphrase": "passphrase"}[kind]: bytes.fromhex(secret)}
            self.assertEqual(len(orrery_keyring.read_keyring(self.path / "keyring", **given)), 2)

    def test_repair_pages(self):
        for body, parity, groups in ((1, 1, 1), (5, 2, 2), (23, 3, 4), (40, 7, 1)):
            tail = Tail(PAGE * (3 + body), 1, 1024, parity, groups)
            pages = [RANDOM.randbytes(PAGE) for _ in range(body)]
            array = np.frombuffer(b"".join(pages), np.uint8).reshape(-1, PAGE)
            self.assertEqual([page.tobytes() for page in orrery_repair.encode(array, tail)],
                             parity_oracle.repair_pages(pages, parity, groups))

    def test_places_of_repair_data(self):
        for body in (1, 2, 27, 242, 243, 509, 511, 1600, 10**6, 403_013_633):
            for slot_pages, metadata in ((1, 1024), (16, 5120)):
                for tenths in (5, 10, 50, 200, 500):
                    parity, groups = chosen_parity(body, tenths)
                    self.assertEqual((parity, groups), parity_oracle.choose(body, tenths))
                    tail = Tail(PAGE * (1 + 2 * slot_pages + body), slot_pages, metadata, parity, groups)
                    self.assertTrue(tail.within_limits())
                    self.assertEqual(tail_of_length(tail.file_length, slot_pages, metadata, parity, groups).end, tail.end)
                    self.assertEqual([tail.parity_offset, tail.sums[1], tail.metadata, tail.slot, tail.page0, tail.file_length],
                                     parity_oracle.layout(1 + 2 * slot_pages, body, parity, groups, metadata, slot_pages))


class HostileKeyrings(Temporary):
    def test_statuses(self):
        for cases, passphrase in ((keyring_hostile.keyrings(), None), (keyring_hostile.locked_keyrings(), keyring_hostile.PASSPHRASE)):
            for name, data, expected in cases:
                (self.path / "keyring").write_bytes(data)
                try:
                    orrery_keyring.read_keyring(self.path / "keyring", passphrase)
                    status = 0
                except Refused as refused:
                    status = refused.status
                self.assertEqual(status, expected, name)


class RecoveryCode(unittest.TestCase):
    def test_round_trip_and_typing_errors(self):
        for _ in range(50):
            key = RANDOM.randbytes(32)
            code = orrery_keyring.recovery_code(key)
            self.assertRegex(code, "^([0-9A-HJKMNP-TV-Z]{7}-){7}[0-9A-HJKMNP-TV-Z]{7}$")
            self.assertEqual(orrery_keyring.recovery_key(code), key)
            at = RANDOM.randrange(len(code))
            if code[at] != "-":
                wrong = code[:at] + ("Z" if code[at] != "Z" else "Y") + code[at + 1 :]
                self.assertRaises(Refused, orrery_keyring.recovery_key, wrong)


class Hpke(unittest.TestCase):
    def test_the_library_opens_it(self):
        try:
            from cryptography.hazmat.primitives import hpke
            from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
        except ImportError:
            self.skipTest("this version of cryptography has no HPKE")
        suite = hpke.Suite(hpke.KEM.X25519, hpke.KDF.HKDF_SHA256, hpke.AEAD.AES_256_GCM)
        private = RANDOM.randbytes(32)
        own = X25519PrivateKey.from_private_bytes(private)
        enc, cipher = hpke_oracle.seal(RANDOM.randbytes(32), hpke_oracle.public_of(private), b"info", b"", b"text")
        self.assertEqual(suite.decrypt(enc + cipher, own, info=b"info"), b"text")
        sealed = suite.encrypt(b"text", own.public_key(), info=b"info")
        self.assertEqual(hpke_oracle.open_sealed(private, sealed[:32], b"info", b"", sealed[32:]), b"text")


class WriterAndReader(unittest.TestCase):
    def test_sizes_and_options(self):
        recipient = by_recipient(vectors.SECOND_KEY.key_id, public_key(vectors.SECOND_KEY))
        for size in (0, 1, 383, 384, 385, 4096, 49151, 49152, 49153, 98304, RANDOM.randrange(300000)):
            plain = RANDOM.randbytes(size)
            for parity in (None, 5, 50, 500, (1, 2), (3, 1)):
                for slot_pages, wraps in ((1, HOLDER), (16, [recipient, *HOLDER]), (2, [recipient])):
                    file, out = opened(Writer(plain, wraps, slot_pages=slot_pages, parity=parity).file())
                    self.assertEqual((out, file.warnings), (plain, []), (SEED, size, parity, slot_pages))
                    self.assertEqual(file.unlocked.known_origin, slot_pages != 2)

    def test_hostile_files(self):
        for wraps in (orrery_hostile.HOLDER, orrery_hostile.RECIPIENT):
            count = 0
            for name, data, expected in orrery_hostile.cases(wraps):
                count += 1
                with tempfile.NamedTemporaryFile() as file:
                    file.write(data)
                    file.flush()
                    status, text = read("--keys", KEYS, file.name)
                self.assertEqual(status, expected, f"{name}: {text}")
                if status == 0 and wraps is orrery_hostile.RECIPIENT:
                    self.assertFalse(json.loads(text)["known_origin"], name)
            self.assertGreater(count, 300)


class Damage(unittest.TestCase):
    def test_without_repair_data(self):
        good = (FILES / "short.orr.tif").read_bytes()

        def status(data):
            try:
                return 0 if opened(data) else None
            except Refused as refused:
                return refused.status

        for at, expected in ((0, 4), (16, 10), (32, 8), (37, 8), (50, 4), (60, 4), (200, 8), (230, 4), (300, 4), (4000, 4), (4200, 0),
                             (8200, 0), (12288, 4), (13400, 4), (16000, 4), (16384, 4), (20480, 4), (len(good) - 1, 4)):
            self.assertEqual(status(flip(at)(good)), expected, at)
        self.assertEqual(status(flip(8200)(flip(4200)(good))), 4)
        self.assertEqual(status(good[:-1]), 4)
        self.assertEqual(status(good + b"\0"), 4)
        self.assertEqual(status(b""), 10)
        self.assertEqual(status(good[:28]), 4)

    def test_paper(self):
        good = (FILES / "two-pages.paper.orr.tif").read_bytes()
        first = 20480  # the pixels of page 1: 105 bytes; those of page 2 begin at 24576
        for at in (300, 12300, 16400, first, first + 104, first + 105, first + 4095, len(good) - 1):
            with self.assertRaises(Refused) as refused:
                opened(flip(at)(good))
            self.assertEqual(refused.exception.status, 4, at)


class Repair(unittest.TestCase):
    """Whatever the repair data reach comes back byte for byte, also as a whole file."""

    def files(self):
        plain = RANDOM.randbytes(150000)
        table, volumes = orrery_hostile.paper_parts()
        for parity in (5, 50, 200, (2, 3)):
            yield Writer(plain, HOLDER, parity=parity), plain
        yield Writer(volumes, HOLDER, profile=PAPER, table=table, parity=200), b"".join(volumes)

    def comes_back(self, damaged, good, plain, what):
        try:
            file, out = opened(bytes(damaged))
        except Refused as refused:
            self.fail(f"{what}, ORRERY_SEED={SEED}: {refused}")
        self.assertEqual(out, plain, what)
        self.assertTrue(file.warnings, what)
        self.assertTrue(file.whole() == good, what)

    def test_every_page_and_run(self):
        for writer, plain in self.files():
            good = writer.file()
            for run in {1, writer.tail.parity_pages}:
                for first in range(len(good) // PAGE - run + 1):
                    damaged = bytearray(good)
                    damaged[PAGE * first : PAGE * (first + run)] = RANDOM.randbytes(PAGE * run)
                    self.comes_back(damaged, good, plain, (first, run, writer.tail.parity, writer.tail.groups))

    def test_scatter(self):
        for writer, plain in self.files():
            good, tail = writer.file(), writer.tail
            for _ in range(30):
                damaged = bytearray(good)
                for group in range(tail.groups):
                    numbers = range(group, tail.body_pages + tail.parity_pages, tail.groups)
                    for number in RANDOM.sample(numbers, min(len(numbers), tail.parity)):
                        at = tail.page_offset(number) + RANDOM.randrange(PAGE)
                        damaged[at] ^= 1 << RANDOM.randrange(8)
                at = RANDOM.choice((100, tail.page0 + 100))
                damaged[at] ^= 1
                self.comes_back(damaged, good, plain, "scatter")

    def test_truncated(self):
        for writer, plain in self.files():
            good = writer.file()
            for cut in (1, PAGE, PAGE + 1, len(good) - writer.tail.end):
                self.comes_back(good[:-cut], good, plain, f"cut by {cut}")

    def test_beyond(self):
        """More than m pages of a group: refused, and salvage loses only the tiles that they are in."""
        plain = RANDOM.randbytes(150000)
        writer = Writer(plain, HOLDER, parity=5)
        damaged = bytearray(writer.file())
        for page in (0, 5):
            damaged[writer.geometry.tile_offset(1) + PAGE * page] ^= 1
        self.assertRaises(Refused, opened, bytes(damaged))
        with tempfile.TemporaryDirectory() as folder:
            folder = pathlib.Path(folder)
            (folder / "damaged").write_bytes(damaged)
            status, text = read("--keys", KEYS, "--salvage", folder / "damaged", "-o", folder / "out")
            self.assertEqual((status, json.loads(text)["tiles_lost"]), (0, 1), text)
            self.assertEqual((folder / "out").read_bytes(), plain[:49152] + bytes(49152) + plain[98304:])


class OtherTiffReaders(unittest.TestCase):
    def test_pillow(self):
        try:
            from PIL import Image
        except ImportError:
            self.skipTest("no Pillow here")
        with Image.open(FILES / "short.orr.tif") as image:
            image.load()
            self.assertEqual((image.size, image.mode), ((128, 3), "RGB"))
            self.assertIn("Orrery encrypted file", image.tag_v2[270])

    def test_tifffile(self):
        try:
            import tifffile
        except ImportError:
            self.skipTest("no tifffile here")
        for name, shape, at in (("short", (3, 128, 3), 20480), ("parity", (79, 128, 3), 20480)):
            data = tifffile.imread(FILES / f"{name}.orr.tif")
            self.assertEqual(data.shape, shape)
            self.assertEqual(data.tobytes(), (FILES / f"{name}.orr.tif").read_bytes()[at : at + data.nbytes])


if __name__ == "__main__":
    print(f"ORRERY_SEED={SEED}")
    unittest.main()
