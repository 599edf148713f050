#!/usr/bin/env python3
"""Files for several readers: who opens them, whose they are, and how rewrap changes that."""
import json
import os
import shutil
import signal
import unittest
from pathlib import Path

from support.cli import SOURCE, Case, run, write_gray_tiff

try:
    import orrery_format
    import orrery_keyring
    import orrery_writer
    import recipient_oracle
except ImportError as why:
    raise unittest.SkipTest(f"SKIPPED: the second reader needs {why.name}") from why

FAULT = os.environ.get("FAULT")
VECTORS = SOURCE / "tests/vectors/files"
MASTER, RECIPIENT = 1, 2


def slots(path):
    """[(type, hex of the key ID)...] of each slot of a file; None for a damaged one."""
    data = Path(path).read_bytes()
    header, last = orrery_format.header_of(data[:4096], len(data)), len(data) - 4096
    size = 4096 * header.slot_pages
    places = [4096, 4096 + size] + ([last - size] if header.groups else [])
    decoded = [orrery_format.decode_slot(data[at : at + size]) for at in places]
    return [slot and [(wrap.kind, wrap.key_id.hex()) for wrap in slot[1]] for slot in decoded]


class Recipients(Case):
    def setUp(self):
        super().setUp()
        self.id = {}
        for name in ("archive", "second", "escrow"):
            self.id[name] = self.keyring(name, "--label", name)
            self.ok("keyring", "export", "-q", "-k", name, "-o", f"{name}.orrpub")
        Path("in").mkdir()
        self.plain = {"a": os.urandom(70000), "b": b"short"}
        for name, data in self.plain.items():
            Path("in", name).write_bytes(data)
        os.environ["XDG_STATE_HOME"] = str(self.dir / "state")
        self.addCleanup(os.environ.pop, "XDG_STATE_HOME")

    def ok(self, *arguments, status=0):
        found, out, err = run(*arguments)
        self.assertEqual(found, status, f"{arguments}: {err}")
        return out + err

    def summary(self, *arguments, status=0):
        found, out, err = run(*arguments, "--json")
        self.assertEqual(found, status, f"{arguments}: {err}{out}")
        lines = [json.loads(line) for line in out.splitlines()]
        return [m for m in lines if m["message_type"] == "file"], lines[-1]

    def opens(self, keyring, vault="vault"):
        shutil.rmtree("back", ignore_errors=True)
        status = run("decrypt", "-q", "-k", keyring, vault, "-o", "back")[0]
        if status == 0:
            self.assertEqual({str(p.relative_to("back")): p.read_bytes() for p in Path("back").rglob("*") if p.is_file()}, self.plain)
        return status

    def wraps(self, vault="vault"):
        """What all slots of all files say alike."""
        found = [slot for path in Path(vault).rglob("*.orr.tif") for slot in slots(path)]
        self.assertEqual([slot for slot in found if slot != found[0]], [])
        names = {key: name for name, key in self.id.items()}
        return [(kind, names.get(key, key)) for kind, key in found[0]]

    def add_key(self, keyring, name, active=True):
        self.id[name] = run("keyring", "add", "-q", "-k", keyring, "--label", name)[1].strip()
        if active:
            self.ok("keyring", "set-state", "-q", "-k", keyring, name, "active")

    def forged(self, vault="forged", wraps=(), **more):
        """By somebody who has archive.orrpub alone: a bad wrap of a master key before the right one for the recipient."""
        key_id, public, *_ = recipient_oracle.decode(Path("archive.orrpub").read_bytes())
        Path(vault).mkdir(exist_ok=True)
        bad = orrery_writer.raw_wrap(MASTER, key_id, bytes(range(104)))
        file = orrery_writer.Writer(b"forged", [bad, *wraps, orrery_writer.by_recipient(key_id, public)], **{"path": b"f", **more}).file()
        Path(vault, "f.orr.tif").write_bytes(file)


class WhoOpens(Recipients):
    def test_a_second_site_and_an_escrow_key(self):
        for with_key, kinds in ((("-k", "archive"), [(MASTER, "archive")]), ((), [])):
            shutil.rmtree("vault", ignore_errors=True)
            self.ok("encrypt", "-q", *with_key, "--to", "second.orrpub", "--to", "escrow.orrpub", "in/.", "-o", "vault")
            self.assertEqual(self.wraps(), kinds + [(RECIPIENT, "second"), (RECIPIENT, "escrow")])
            self.assertEqual([self.opens(k) for k in ("archive", "second", "escrow")], [0 if with_key else 3, 0, 0])
        self.keyring("stranger")
        self.assertEqual(run("verify", "-k", "stranger", "vault/a.orr.tif")[0], 5)

    def test_one_wrap_for_a_key_of_the_keyring(self):
        self.ok("encrypt", "-q", "-k", "archive", "--to", "archive.orrpub", "in/.", "-o", "vault")
        self.assertEqual(self.wraps(), [(MASTER, "archive")])

    def test_what_is_refused(self):
        Path("none.orrpub").write_bytes(b"x")
        shutil.copy("archive.orrpub", "again.orrpub")
        for options, status, message in (((), 2, "encrypt needs -k KEYRING, or --to"), (("--to", "none.orrpub"), 10, "not a recipient file"),
                                         (("--to", "archive"), 10, "not a recipient file"), (("--to", "gone"), 5, "there is no recipient file"),
                                         (("--to", "archive.orrpub", "--to", "again.orrpub"), 2, "are of the same key")):
            self.assertIn(message, self.ok("encrypt", *options, "in", "-o", "vault", status=status))
            self.assertFalse(os.path.exists("vault"))

    def test_a_recipient_file_that_the_keyring_knows_better(self):
        key_id, _, *rest = recipient_oracle.decode(Path("archive.orrpub").read_bytes())
        public = recipient_oracle.decode(Path("second.orrpub").read_bytes())[1]
        Path("false.orrpub").write_bytes(recipient_oracle.encode(key_id, public, *rest))
        self.ok("encrypt", "-q", "-k", "archive", "in/.", "-o", "vault")
        wrong = "false.orrpub: has the ID of a key of this keyring, and another public key"
        for command in (("encrypt", "--to", "false.orrpub", "in", "-o", "new"), ("rewrap", "--add", "false.orrpub", "vault"),
                        ("reencrypt", "--add", "false.orrpub", "vault", "-o", "new")):
            self.assertIn(wrong, self.ok(*command, "-k", "archive", status=5))
        self.add_key("archive", "next")
        for state in ("decrypt-only", "destroyed"):
            if state == "destroyed":
                self.ok("keyring", "set-state", "-q", "-k", "archive", "--yes", "archive", state)
            said = self.ok("encrypt", "-k", "archive", "--to", "archive.orrpub", "in", "-o", "new", status=5)
            self.assertIn(f"archive.orrpub: its key is {state} in this keyring", said)
        self.assertFalse(os.path.exists("new"))

    def test_reencrypt_says_what_it_drops(self):
        self.ok("encrypt", "-q", "-k", "archive", "--parity", "5", "--to", "second.orrpub", "in/.", "-o", "vault")
        said = self.ok("reencrypt", "-k", "archive", "vault/.", "-o", "new")
        self.assertIn("2 files had recipients who cannot open the new ones", said)
        self.assertIn("2 files had repair data, which the new ones have not", said)
        for number, (options, dropped) in enumerate((((), (2, 2)), (("--add", "second.orrpub"), (0, 2)))):
            summary = self.summary("reencrypt", "-k", "archive", *options, "vault/.", "-o", f"new{number}")[1]
            self.assertEqual((summary["dropped_recipients"], summary["dropped_repair_data"]), dropped)

    def test_check_and_profiles(self):
        write_gray_tiff("in/p.tif", 20, 30)
        self.plain["p.tif"] = Path("in/p.tif").read_bytes()
        for options in (("--check", "cpu"), ("--names", "opaque"), ("--sha256", "-k", "escrow"), ("--parity", "5")):
            shutil.rmtree("vault", ignore_errors=True)
            self.ok("encrypt", "-q", *options, "--to", "archive.orrpub", "--to", "second.orrpub", "in/.", "-o", "vault")
            self.assertEqual((self.opens("archive"), self.opens("second")), (0, 0))
        self.ok("encrypt", "-q", "--check", "cpu", "--profile", "paper", "--to", "archive.orrpub", "in/p.tif", "-o", "paper")
        self.ok("verify", "-k", "archive", "paper")

    def test_many(self):
        """As many as need several pages for their wraps."""
        _, _, _, created, decoys = recipient_oracle.decode(Path("archive.orrpub").read_bytes())
        public = recipient_oracle.decode(Path("second.orrpub").read_bytes())[1]
        to = []
        for number in range(256):
            Path(f"{number}.orrpub").write_bytes(recipient_oracle.encode(bytes([number]) * 16, public, b"", created, decoys))
            to += ["--to", f"{number}.orrpub"]
        for count, pages in ((10, 1), (30, 3), (255, 16)):
            shutil.rmtree("vault", ignore_errors=True)
            self.ok("encrypt", "-q", "--check", "cpu", "-k", "archive", *to[:2 * count], "in/.", "-o", "vault")
            self.assertEqual(len(self.wraps()), count + 1)
            self.assertEqual(orrery_format.header_of(Path("vault/a.orr.tif").read_bytes()[:4096], os.stat("vault/a.orr.tif").st_size).slot_pages,
                             pages)
            self.assertEqual(self.opens("archive"), 0)
            self.ok("rewrap", "-q", "-k", "archive", "--remove", "01" * 16, "vault")
            self.assertEqual((len(self.wraps()), self.opens("archive")), (count, 0))
        self.ok("rewrap", "-q", "-k", "archive", "--add", "1.orrpub", "vault")
        self.assertEqual(len(self.wraps()), 256)
        self.assertIn("too many keys for one file", self.ok("rewrap", "-k", "archive", "--add", "255.orrpub", "vault", status=3))
        self.assertEqual((len(self.wraps()), self.opens("archive")), (256, 0))
        self.assertIn("too many keys for one file", self.ok("encrypt", "-k", "archive", *to, "in/.", "-o", "vault2", status=3))


class Origin(Recipients):
    def setUp(self):
        super().setUp()
        self.ok("encrypt", "-q", "-k", "archive", "--to", "second.orrpub", "in/.", "-o", "known")
        self.ok("encrypt", "-q", "--to", "archive.orrpub", "in/.", "-o", "unknown")

    def test_it_is_said(self):
        for vault, key, known in (("known", "archive", True), ("unknown", "archive", False), ("known", "second", False)):
            for command in (("verify", "-k", key, vault), ("decrypt", "-k", key, vault, "-o", "back")):
                shutil.rmtree("back", ignore_errors=True)
                files, summary = self.summary(*command)
                self.assertEqual([f["known_origin"] for f in files], [known] * 2)
                self.assertEqual(summary["unknown_origin"], 0 if known else 2)
                shutil.rmtree("back", ignore_errors=True)
                said = self.ok(*command, "-v")
                self.assertEqual(said.count(", of unknown origin"), 0 if known else 2)
                self.assertEqual("2 of these files open with a recipient's key alone: anyone who has its public file can have made them" in said,
                                 not known)
        for verb in (("rewrap",), ("reencrypt", "-o", "new", "--adopt")):
            self.assertEqual(self.summary(*verb, "-k", "archive", "unknown")[1]["unknown_origin"], 2)

    def test_it_is_required(self):
        for vault, key, status in (("known", "archive", 0), ("unknown", "archive", 4), ("known", "second", 4)):
            for command in (("verify",), ("decrypt", "-o", "back"), ("decrypt", "-o", "back", "--salvage"),
                            ("decrypt", "-o", "back", "--unauthenticated"), ("decrypt", "-o", "back", "--dry-run"),
                            ("reencrypt", "-o", "back"), ("reencrypt", "-o", "back", "--adopt")):
                shutil.rmtree("back", ignore_errors=True)
                said = self.ok(*command, "--require-origin", "-k", key, vault, status=status)
                self.assertEqual(said.count("is of unknown origin"), 2 if status else 0, command)
                self.assertNotIn("restore a damaged file", said)
                if status:
                    self.assertEqual([p for p in Path("back").rglob("*") if p.is_file() and p.name[0] != "."], [])
        status, out, _ = run("decrypt", "-k", "archive", "--require-origin", "unknown/b.orr.tif", "-o", "-")
        self.assertEqual((status, out), (4, ""))
        self.assertEqual(run("decrypt", "-q", "-k", "archive", "--require-origin", "known/b.orr.tif", "-o", "-")[:2], (0, "short"))

    def test_it_is_required_of_damaged_files(self):
        """A damaged head is salvaged without its metadata, damaged tiles with them."""
        for at in (3 * 4096 + 40, -5000):
            for vault, known in (("known", True), ("unknown", False)):
                data = bytearray(Path(vault, "a.orr.tif").read_bytes())
                data[at] ^= 1
                shutil.rmtree("damaged", ignore_errors=True)
                os.mkdir("damaged")
                Path("damaged/a.orr.tif").write_bytes(data)
                for options in ((), ("--require-origin",)):
                    shutil.rmtree("back", ignore_errors=True)
                    said = self.ok("decrypt", "-k", "archive", "--salvage", *options, "damaged", "-o", "back", status=4)
                    salvaged = list(Path("back").rglob("a*.salvaged"))
                    self.assertEqual(len(salvaged), 1 if known or not options else 0, said)
                    if salvaged:
                        self.assertEqual(json.loads(Path(f"{salvaged[0]}.json").read_text())["known_origin"], known)
                    self.assertEqual("its origin is unknown" in said, bool(salvaged) and not known)
                    self.assertEqual("is of unknown origin" in said, not known and bool(options))

    def test_altered_paper(self):
        write_gray_tiff("p.tif", 40, 30)
        self.ok("encrypt", "-q", "--profile", "paper", "--to", "archive.orrpub", "p.tif", "-o", "paper")
        path = Path("paper/p.tif.orr.tif")
        data = bytearray(path.read_bytes())
        data[-3000] ^= 1
        path.write_bytes(data)
        self.ok("decrypt", "-q", "-k", "archive", "--unauthenticated", "--require-origin", "paper", "-o", "back", status=4)
        self.assertEqual([p for p in Path("back").rglob("*") if p.is_file() and p.name[0] != "."], [])
        files, summary = self.summary("decrypt", "-k", "archive", "--unauthenticated", "paper", "-o", "back", status=4)
        self.assertEqual((files[0]["known_origin"], summary["unknown_origin"]), (False, 1))

    def test_reencrypt_asks_for_adoption(self):
        self.assertIn("--adopt says that it may", self.ok("reencrypt", "-k", "archive", "unknown/.", "-o", "new", status=4))
        self.assertEqual([p for p in Path("new").rglob("*") if p.name[0] != "."], [])
        self.ok("reencrypt", "-q", "-k", "archive", "--adopt", "--add", "escrow.orrpub", "unknown/.", "-o", "new")
        self.assertEqual(self.wraps("new"), [(MASTER, "archive"), (RECIPIENT, "escrow")])
        self.ok("verify", "-k", "archive", "--require-origin", "new")
        self.assertEqual(self.opens("escrow", "new"), 0)

    def test_of_two_with_one_path_the_known_one_counts(self):
        self.ok("encrypt", "-q", "-k", "archive", "in/a", "-o", "real")
        for later in (0, 2**40):
            for names in (("0.orr.tif", "1.orr.tif"), ("1.orr.tif", "0.orr.tif")):
                for folder in ("both", "back", "forged"):
                    shutil.rmtree(folder, ignore_errors=True)
                self.forged(path=b"a", written=(later, 0))
                os.mkdir("both")
                os.rename("forged/f.orr.tif", f"both/{names[0]}")
                shutil.copy("real/a.orr.tif", f"both/{names[1]}")
                for _ in range(2):
                    said = self.ok("decrypt", "-q", "-k", "archive", "both", "-o", "back")
                    self.assertIn(f"both/{names[0]}", said)  # the forged one
                    self.assertRegex(said, '"a" by its seal.*whatever their times')
                    self.assertEqual(Path("back/a").read_bytes(), self.plain["a"])

    def test_it_does_not_count_as_finished(self):
        refused = "is of unknown origin: it opens with a recipient's key alone"
        self.ok("encrypt", "-q", "--names", "opaque", "--to", "archive.orrpub", "in/.", "-o", "opaque")
        for vault, options in (("unknown", ()), ("unknown", ("--trust-times",)), ("unknown", ("--redo-damaged",)),
                               ("opaque", ("--names", "opaque"))):
            self.assertEqual(self.ok("encrypt", "-k", "archive", *options, "in/.", "-o", vault, status=3).count(refused), 2)
        self.assertIn(refused, self.ok("encrypt", "-k", "archive", "in/a", "-o", "unknown", status=6))
        self.assertEqual(self.ok("reencrypt", "-k", "archive", "known/.", "-o", "unknown", status=3).count(refused), 2)
        self.ok("encrypt", "-q", "-k", "archive", "in/.", "-o", "known")

    def test_it_is_said_to_a_stream_and_with_q(self):
        said = "1 of these files opens with a recipient's key alone"
        for options in ((), ("-q",)):
            for vault, expected in (("unknown", True), ("known", False)):
                status, out, err = run("decrypt", *options, "-k", "archive", f"{vault}/b.orr.tif", "-o", "-")
                self.assertEqual((status, out, said in err), (0, "short", expected))
                for verb in (("verify",), ("decrypt", "-o", f"{vault}-b"), ("rewrap",)):
                    self.assertEqual(said in self.ok(*verb, *options, "-k", "archive", f"{vault}/b.orr.tif"), expected)

    def test_a_forged_file_stays_one(self):
        """Also with a wrap of a master key that does not open: what rewrap makes of it must not open either."""
        refused = "is of unknown origin"
        self.add_key("archive", "next")
        for where in ((), (orrery_writer.raw_wrap(MASTER, bytes.fromhex(self.id["next"]), bytes(104)),)):
            for parity in (None, 50):
                for command in ((), ("--to", "next"), ("--to", "archive"), ("--add", "second.orrpub"), ("--add", "archive.orrpub"),
                                ("--to", "next", "--add", "escrow.orrpub")):
                    with self.subTest(where=len(where), parity=parity, command=command):
                        self.forged(wraps=where, parity=parity)
                        self.assertIn(refused, self.ok("verify", "-k", "archive", "--require-origin", "forged", status=4))
                        for _ in range(2):
                            self.ok("rewrap", "-q", "-k", "archive", *command, "forged")
                            self.assertIn(refused, self.ok("verify", "-k", "archive", "--require-origin", "forged", status=4))
                            self.assertIn(refused, self.ok("reencrypt", "-k", "archive", "forged", "-o", "new", status=4))
                        self.ok("verify", "-k", "archive", "forged")


class Rewrap(Recipients):
    def setUp(self):
        super().setUp()
        self.ok("encrypt", "-q", "-k", "archive", "--to", "second.orrpub", "in/.", "-o", "vault")

    def test_add_and_remove(self):
        self.ok("rewrap", "-q", "-k", "archive", "--add", "escrow.orrpub", "vault")
        self.assertEqual(self.wraps(), [(MASTER, "archive"), (RECIPIENT, "second"), (RECIPIENT, "escrow")])
        self.assertEqual(self.opens("escrow"), 0)
        self.assertEqual(self.summary("rewrap", "-k", "archive", "--add", "escrow.orrpub", "vault")[1]["present"], 2)
        self.ok("rewrap", "-q", "-k", "archive", "--remove", self.id["second"], "vault")  # of another keyring: by its ID
        self.assertEqual(self.wraps(), [(MASTER, "archive"), (RECIPIENT, "escrow")])
        self.assertEqual((self.opens("second"), self.opens("escrow"), self.opens("archive")), (3, 0, 0))
        self.ok("rewrap", "-q", "-k", "escrow", "--add", "second.orrpub", "--remove", self.id["archive"], "vault")
        self.assertEqual(self.wraps(), [(RECIPIENT, "escrow"), (RECIPIENT, "second")])
        self.assertEqual((self.opens("archive"), self.opens("second")), (3, 0))

    def test_rotation_is_type_for_type(self):
        self.add_key("archive", "next")
        shutil.copytree("vault", "before")
        self.ok("encrypt", "-q", "--to", "archive.orrpub", "--to", "escrow.orrpub", "in/.", "-o", "station")
        self.assertEqual(self.summary("rewrap", "-k", "archive", "vault", "station", "--dry-run")[1]["planned"], 4)
        self.ok("rewrap", "-q", "-k", "archive", "vault", "station")
        self.assertEqual(sorted(self.wraps()), [(MASTER, "next"), (RECIPIENT, "second")])
        self.assertEqual(sorted(self.wraps("station")), sorted([(RECIPIENT, "next"), (RECIPIENT, "escrow")]))
        self.assertEqual(self.summary("rewrap", "-k", "archive", "vault", "station")[1]["present"], 4)
        self.ok("keyring", "set-state", "-q", "-k", "archive", "--yes", "archive", "destroyed")
        self.assertEqual((self.opens("archive"), self.opens("archive", "station"), self.opens("archive", "before")), (0, 0, 3))

    def test_to_and_remove(self):
        """An own key that is removed is replaced where --to says by what."""
        self.add_key("archive", "next", active=False)
        self.ok("rewrap", "-q", "-k", "archive", "--to", "next", "--remove", "archive", "--remove", self.id["second"], "vault")
        self.assertEqual(self.wraps(), [(MASTER, "next")])
        self.assertEqual(self.opens("archive"), 0)

    def test_own_labels(self):
        self.add_key("archive", "next")
        self.ok("rewrap", "-q", "-k", "archive", "vault")
        self.ok("keyring", "export", "-q", "-k", "archive", "archive", "-o", "old.orrpub")
        self.ok("rewrap", "-q", "-k", "archive", "--add", "old.orrpub", "vault")
        self.assertEqual(sorted(self.wraps()), sorted([(MASTER, "next"), (RECIPIENT, "archive"), (RECIPIENT, "second")]))
        self.ok("rewrap", "-q", "-k", "archive", "--remove", "archive", "vault")
        self.assertEqual(sorted(self.wraps()), sorted([(MASTER, "next"), (RECIPIENT, "second")]))

    def test_what_is_refused(self):
        before = {p: p.read_bytes() for p in Path("vault").iterdir() if p.is_file()}
        for options, status, message in ((("--remove", "archive"), 3, "with that removed no key of this keyring would open it"),
                                         (("--remove", "archive", "--add", "escrow.orrpub"), 3, "no key of this keyring would open it"),
                                         (("--remove", "nobody"), 5, "nobody"), (("--remove", ""), 2, "--remove"),
                                         (("--remove", self.id["escrow"], "--add", "escrow.orrpub"), 2, "of a key that --remove names"),
                                         (("--remove", "archive", "--to", "archive"), 2, "--to and --remove name the same key")):
            self.assertIn(message, self.ok("rewrap", "-k", "archive", *options, "vault", status=status))
            self.assertEqual({p: p.read_bytes() for p in before}, before)
        # A wrap of this keyring that stays need not be there before.
        self.ok("keyring", "export", "-q", "-k", "archive", "-o", "own.orrpub")
        self.add_key("archive", "next", active=False)
        self.ok("keyring", "export", "-q", "-k", "archive", "next", "-o", "next.orrpub")
        self.ok("rewrap", "-q", "-k", "archive", "--remove", "archive", "--add", "next.orrpub", "vault")
        self.assertEqual((self.wraps(), self.opens("archive")), ([(RECIPIENT, "second"), (RECIPIENT, "next")], 0))

    def test_removed_is_removed_from_every_copy(self):
        """Also from a slot that an earlier run did not reach, or that is damaged."""
        shutil.copytree("vault", "old")
        command = ("rewrap", "-k", "archive", "--remove", self.id["second"], "vault")
        self.ok(*command)
        done = Path("vault/a.orr.tif").read_bytes()
        for slot in (0, 1):
            for flip in (0, 1):
                at = 4096 * (1 + slot)
                data = bytearray(done)
                data[at : at + 4096] = Path("old/a.orr.tif").read_bytes()[at : at + 4096]
                data[at + 4095] ^= flip  # its checksum
                Path("vault/a.orr.tif").write_bytes(data)
                self.assertEqual(self.summary(*command)[1]["done"], 1)
                self.assertEqual(self.summary(*command)[1]["present"], 2)
                self.assertEqual(self.wraps(), [(MASTER, "archive")])
        self.assertEqual(self.opens("second"), 3)


class Vectors(Recipients):
    """Files with unknown wraps, and with repair data, whose third slot stands behind them."""

    def setUp(self):
        super().setUp()
        shutil.copy(VECTORS / "open.keyring", "keys")
        os.chmod("keys", 0o600)
        self.first, self.second = "fe8e43b53f5e65d4a1ca970b827cdabc", "40abbb6f0ab4436773fd7b1699d90cc4"
        self.unknown = "000102030405060708090a0b0c0d0e0f"
        Path("vault").mkdir()

    def use(self, name):
        shutil.copy(VECTORS / name, "vault/x.orr.tif")
        return "vault/x.orr.tif"

    def test_unknown_wraps_stay(self):
        path = self.use("recipients.orr.tif")
        unknown = next(kind for kind, key in slots(path)[0] if key == self.unknown)
        self.ok("rewrap", "-q", "-k", "keys", "--to", self.second, path)
        for slot in slots(path):
            self.assertEqual(sorted(slot), sorted([(MASTER, self.second), (RECIPIENT, self.second), (unknown, self.unknown)]))
        self.ok("rewrap", "-q", "-k", "keys", "--remove", self.unknown, path)
        self.assertEqual(sorted(slots(path)[1]), sorted([(MASTER, self.second), (RECIPIENT, self.second)]))
        self.ok("verify", "-q", "-k", "keys", "--require-origin", path)

    def test_the_third_slot(self):
        for name in ("parity.orr.tif", "two-pages-parity.paper.orr.tif"):
            path = self.use(name)
            old = Path(path).read_bytes()
            self.ok("rewrap", "-q", "-k", "keys", "--add", "escrow.orrpub", path)
            self.assertEqual(slots(path), [[(MASTER, self.first), (RECIPIENT, self.id["escrow"])]] * 3)
            added = Path(path).read_bytes()
            self.ok("rewrap", "-q", "-k", "keys", "--remove", self.id["escrow"], path)
            self.assertEqual(slots(path), [[(MASTER, self.first)]] * 3)
            at = len(old) - 2 * 4096  # a run that did not reach it, and one whose slot is damaged
            for flip in (0, 1):
                data = bytearray(Path(path).read_bytes())
                data[at : at + 4096] = added[at : at + 4096]
                data[at + 4095] ^= flip
                Path(path).write_bytes(data)
                self.assertEqual(self.summary("rewrap", "-k", "keys", "--remove", self.id["escrow"], path)[1]["done"], 1)
                self.assertEqual(slots(path), [[(MASTER, self.first)]] * 3)
            self.assertEqual(run("verify", "-k", "escrow", path)[0], 5)
            self.ok("verify", "-q", "-k", "keys", "--require-origin", path)

    @unittest.skipUnless(FAULT and Path(FAULT).exists(), "no FAULT library: run by ctest")
    def test_killed_at_every_write(self):
        for name in ("recipients.orr.tif", "parity.orr.tif"):
            for action in ("kill", "tear", "after"):
                number, killed = 0, True
                while killed:
                    number += 1
                    path = self.use(name)
                    before = {tuple(slot) for slot in slots(path)}
                    command = ("rewrap", "-q", "-k", "keys", "--add", "escrow.orrpub", "--remove", self.unknown, path)
                    environment = {**os.environ, "LD_PRELOAD": FAULT, "ORRERY_FAULT": f"pwrite:{number}:{action}:x.orr.tif"}
                    killed = run(*command, env=environment)[0] == -signal.SIGKILL
                    with self.subTest(name=name, action=action, number=number):
                        self.ok("verify", "-q", "-k", "keys", "--require-origin", path)
                        self.ok(*command)
                        after = {tuple(slot) for slot in slots(path)}
                        self.assertEqual(len(after), 1)
                        self.assertEqual(set(after.pop()), set(before.pop()) - {k for k in slots(VECTORS / name)[0] if k[1] == self.unknown} |
                                         {(RECIPIENT, self.id["escrow"])})
                        self.ok("verify", "-q", "-k", "escrow", path)
                self.assertEqual(number, 1 + len(slots(path)))


if __name__ == "__main__":
    unittest.main()
