#!/usr/bin/env python3
"""Going on inside a large file: what a killed or stopped run wrote of it is kept, and nothing that is not what this run would write.

ORRERY_GO_ON_MEBIBYTES, ORRERY_GO_ON_KILLS: how large a file, and how many kills of each verb [72, 3]."""
import filecmp
import mmap
import os
import random
import shutil
import signal
import subprocess
import threading
import time
import unittest
from pathlib import Path

from support.cli import ORRERY, Case, run, slowly

FAULT = os.environ.get("FAULT")
SEED = int(os.environ.get("ORRERY_SEED", "0")) or random.SystemRandom().randrange(1, 1 << 32)
SIZE = (int(os.environ.get("ORRERY_GO_ON_MEBIBYTES", "72")) << 20) + 12345
KILLS = int(os.environ.get("ORRERY_GO_ON_KILLS", "3"))
PAGE, SEGMENT = 4096, 128 * 49152
SEGMENTS = -(-SIZE // SEGMENT)
MARK = 0o1600


def setUpModule():
    print(f"seed {SEED}", flush=True)


def left(root, kind="*"):
    """What jobs keep below `root` of files that are not finished."""
    return sorted(Path(root).rglob(f".orrery-????????????????.{kind}"))


def file_id(path):
    with open(path, "rb") as file:
        return file.read(80)[48:]


def is_kept(stored, at, bytes_):
    """Is it what was written of a segment, all of it? Ciphertext and random plaintext have no page of zeros."""
    return len(stored) >= at + bytes_ and not any(stored[page:page + PAGE].count(0) == PAGE for page in range(at, at + bytes_, PAGE))


class Sealed:
    """An encrypted file without repair data: where its segments lie."""

    def __init__(self, size=SIZE):
        self.rows = -(-size // 384)
        self.tail = -(-384 * self.rows // PAGE) * PAGE

    def begin(self, length):
        return length - PAGE * SEGMENTS - self.tail

    def span(self, length, segment):
        at = self.begin(length) + segment * (PAGE + SEGMENT)
        return at, min(PAGE + SEGMENT, length - at)


class GoOn(Case):
    def setUp(self):
        super().setUp()
        self.random = random.Random(SEED)
        self.keyring()
        Path("in").mkdir()
        with open("in/big", "wb") as big:
            for at in range(0, SIZE, 16 << 20):
                big.write(self.random.randbytes(min(16 << 20, SIZE - at)))
        self.settle()

    def settle(self):
        """Keeps what the source holds now; it is no longer as if just changed."""
        shutil.copyfile("in/big", "original")
        time.sleep(0.05)

    def same(self, path):
        self.assertTrue(filecmp.cmp(path, "original", shallow=False), f"seed {SEED}: {path} is not the original")

    @staticmethod
    def bytes_of(path):
        with open(path, "rb") as file:
            return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)

    def copied(self, path):
        shutil.copyfile(path, "stored")
        return self.bytes_of("stored")

    def restored(self, stored):
        """Which segments of an unfinished restored file are whole: their offsets."""
        with self.bytes_of("original") as original:
            return [at for at in range(0, SIZE, SEGMENT) if stored[at:at + SEGMENT] == original[at:at + SEGMENT]]

    # ---- running

    def job(self, verb, source, out, *more):
        return (verb, "--json", "-k", "keys", "-j", "2", *more, source, "-o", out)

    def done(self, *arguments, status=0, **options):
        """Runs it to its end; returns its one `file` message and the summary."""
        found, out, err = run(*arguments, **options)
        self.assertEqual(found, status, f"seed {SEED} {arguments}: {out}{err}")
        messages = self.messages(out, status)
        files = [m for m in messages if m["message_type"] == "file" and m["outcome"] != "skipped"]
        return files[0] if files else None, messages[-1]

    def written(self, root):
        """How many segments of the one unfinished file below `root` have begun."""
        for path in left(root, "unfinished"):
            with open(path, "rb") as file:
                length = os.fstat(file.fileno()).st_size
                at = [Sealed().span(length, s)[0] if length > SIZE else s * SEGMENT for s in range(SEGMENTS)]
                return sum(os.pread(file.fileno(), 64, place) not in (b"", bytes(64)) for place in at) if length else 0
        return 0

    def stop(self, arguments, root, number=signal.SIGKILL, segments=None):
        """Sends a signal once it has begun some segments; returns the unfinished file. A job that was quicker is run again."""
        for _ in range(30):
            wanted = segments or self.random.randrange(2, SEGMENTS - 2)
            with subprocess.Popen([ORRERY, *arguments], env=slowly("unfinished", "pwrite"), stdin=subprocess.DEVNULL,
                                  stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as job:
                while job.poll() is None and self.written(root) < wanted:
                    time.sleep(SEGMENTS / 10000)
                job.send_signal(number)
                status = job.wait(120)
            found = left(root, "unfinished")
            if found and status in (-signal.SIGKILL, 75) and found[0].stat().st_mode & 0o7777 == MARK:
                self.assertEqual(status, -number if number == signal.SIGKILL else 75)
                self.assertEqual(len(found), 1)
                return found[0]
            shutil.rmtree(root, ignore_errors=True)
        self.fail(f"seed {SEED}: it was never stopped in time: {arguments}")

    def kept_of(self, stored, final):
        """Which segments of an unfinished encrypted file are whole, by the finished one: those sealed again have other bytes."""
        same = []
        for segment in range(SEGMENTS):
            at, bytes_ = Sealed().span(len(stored), segment)
            if stored[at:at + bytes_] == final[at:at + bytes_]:
                same.append(segment)
            else:
                self.assertFalse(is_kept(stored, at, bytes_), f"seed {SEED}: segment {segment} was whole, and was sealed again")
        return same

    def nothing_left(self, *roots):
        for root in roots:
            self.assertEqual(left(root), [])

    def opens(self, vault, back="opened"):
        shutil.rmtree(back, ignore_errors=True)
        self.assertEqual(run("decrypt", "-q", "-k", "keys", vault, "-o", back)[0], 0)
        self.same(Path(back, "in/big"))

    # ---- there and back

    def sealed_round(self, arguments, out):
        unfinished = self.stop(arguments, out)
        if self.random.randrange(2):
            unfinished = self.stop(arguments, out)
        stored = self.copied(unfinished)
        file, summary = self.done(*arguments)
        final = self.bytes_of(Path(out, "in/big.orr.tif"))
        self.assertEqual(file_id(Path(out, "in/big.orr.tif")), stored[48:80])
        kept = self.kept_of(stored, final)
        self.assertGreater(len(kept), 0)
        self.assertEqual((file["kept_segments"], file["segments"], summary["went_on"]), (len(kept), SEGMENTS, 1))
        self.nothing_left(out)

    def test_encrypt_and_reencrypt(self):
        for _ in range(KILLS):
            for folder in ("vault", "anew"):
                shutil.rmtree(folder, ignore_errors=True)
            self.sealed_round(self.job("encrypt", "in", "vault"), "vault")
            self.sealed_round(self.job("reencrypt", "vault", "anew"), "anew")
            self.assertNotEqual(file_id("vault/in/big.orr.tif"), file_id("anew/in/big.orr.tif"))
            self.opens("anew")  # which was made from the other one
        self.assertEqual(run("verify", "-q", "-k", "keys", "vault", "anew")[0], 0)
        self.opens("vault")

    def test_decrypt(self):
        for kill in range(KILLS):
            shutil.rmtree("vault", ignore_errors=True)
            self.done(*self.job("encrypt", "in", "vault", *(["--sha256"] if kill % 2 else [])))
            shutil.rmtree("back", ignore_errors=True)
            arguments = self.job("decrypt", "vault", "back")
            unfinished = self.stop(arguments, "back")
            whole = self.restored(self.copied(unfinished))
            file, summary = self.done(*arguments)
            self.assertEqual((file["kept_segments"], file["segments"], summary["went_on"]), (len(whole), SEGMENTS, 1))
            self.assertGreater(len(whole), 0)
            self.same("back/in/big")
            self.nothing_left("back")

    def test_stopped(self):
        self.done(*self.job("encrypt", "in", "vault"))
        for verb, source, out in (("encrypt", "in", "other"), ("decrypt", "vault", "back"), ("reencrypt", "vault", "anew")):
            for number in (signal.SIGTERM, signal.SIGINT):
                with self.subTest(verb=verb, number=number):
                    shutil.rmtree(out, ignore_errors=True)
                    self.stop(self.job(verb, source, out), out, number)
                    self.assertGreater(self.done(*self.job(verb, source, out))[0]["kept_segments"], 0)
                    self.nothing_left(out)
        self.opens("other")
        self.opens("anew")
        self.same("back/in/big")

    def test_one_output_file(self):
        """Its directory takes no lock; the unfinished file does."""
        arguments = self.job("encrypt", "in/big", "single/a.orr.tif")
        self.stop(arguments, "single")
        self.assertGreater(self.done(*arguments)[0]["kept_segments"], 0)
        self.nothing_left("single")
        self.stop(self.job("decrypt", "single/a.orr.tif", "back/a.bin"), "back")
        self.assertGreater(self.done(*self.job("decrypt", "single/a.orr.tif", "back/a.bin"))[0]["kept_segments"], 0)
        self.same("back/a.bin")

    def test_opaque_names(self):
        arguments = self.job("encrypt", "in", "vault", "--names", "opaque")
        drawn = file_id(self.stop(arguments, "vault"))
        self.assertGreater(self.done(*arguments)[0]["kept_segments"], 0)
        self.assertEqual([p.name for p in Path("vault").glob("*.orr.tif")], [f"{drawn.hex()}.orr.tif"])
        self.opens("vault")
        arguments = self.job("reencrypt", "vault", "anew")
        drawn = file_id(self.stop(arguments, "anew"))
        self.assertGreater(self.done(*arguments)[0]["kept_segments"], 0)
        self.assertEqual([p.name for p in Path("anew").glob("*.orr.tif")], [f"{drawn.hex()}.orr.tif"])
        self.opens("anew")

    def test_repair_data_and_recipients(self):
        Path("other").mkdir()
        self.keyring("other/keys")
        self.assertEqual(run("keyring", "export", "-q", "-k", "other/keys", "-o", "other.orrpub")[0], 0)
        arguments = self.job("encrypt", "in", "vault", "--parity", "5", "--to", "other.orrpub", "--check", "cpu")
        drawn = file_id(self.stop(arguments, "vault", segments=3))
        file, _ = self.done(*arguments)
        self.assertEqual(file_id("vault/in/big.orr.tif"), drawn)
        self.assertIn("kept_segments", file)
        self.opens("vault")
        self.assertEqual(run("verify", "-q", "-k", "other/keys", "vault")[0], 0)
        self.assertEqual(self.done("repair", "--json", "-k", "keys", "vault")[0]["outcome"], "present")

    # ---- the last steps

    @unittest.skipUnless(FAULT, "SKIPPED: FAULT is not set (ctest sets it)")
    def test_killed_before_it_has_its_name(self):
        """All is written, the real digest too: then the source is compared with it."""
        self.done(*self.job("encrypt", "in", "ready"))
        for verb, source, out in (("encrypt", "in", "vault"), ("reencrypt", "ready", "anew"), ("decrypt", "ready", "back")):
            with self.subTest(verb=verb):
                arguments = self.job(verb, source, out)
                status = run(*arguments, env=dict(os.environ, LD_PRELOAD=FAULT, ORRERY_FAULT="rename:1:kill:unfinished"))[0]
                self.assertEqual(status, -signal.SIGKILL)
                self.assertEqual(len(left(out, "unfinished")), 1)
                self.assertEqual(self.done(*arguments)[0]["kept_segments"], SEGMENTS)
                self.nothing_left(out)
        self.opens("vault")
        self.opens("anew")
        self.same("back/in/big")

    def test_named_by_a_link(self):
        """Where a file gets its name by a link, and its run is killed before the other name has gone."""
        self.done(*self.job("encrypt", "in", "vault"))
        twin = Path("vault/in/.orrery-0123456789abcdef.unfinished")
        os.link("vault/in/big.orr.tif", twin)
        twin.chmod(MARK)
        self.assertEqual(self.done(*self.job("encrypt", "in", "vault"))[0]["outcome"], "present")
        self.assertFalse(twin.exists())
        self.assertEqual(os.stat("vault/in/big.orr.tif").st_mode & 0o7000, 0)

    # ---- what must not be gone on with

    def begins_anew(self, arguments, out, before=None):
        file, summary = self.done(*arguments)
        self.assertNotIn("kept_segments", file)
        self.assertEqual(summary["went_on"], 0)
        if before:
            self.assertNotEqual(file_id(Path(out, "in/big.orr.tif")), before)
        self.nothing_left(out)

    def changes(self):
        def contents():
            before = os.stat("in/big")
            with open("in/big", "r+b") as file:
                file.seek(SIZE // 2)
                file.write(b"changed")
            os.utime("in/big", ns=(before.st_atime_ns, before.st_mtime_ns))

        def replaced():
            before = os.stat("in/big")
            shutil.copyfile("in/big", "in/new")
            with open("in/new", "r+b") as file:
                file.write(b"another")
            os.utime("in/new", ns=(before.st_atime_ns, before.st_mtime_ns))
            os.rename("in/new", "in/big")
        return contents, lambda: os.utime("in/big", ns=(1, 1)), replaced

    def test_source_that_changed(self):
        for change in self.changes():
            shutil.rmtree("vault", ignore_errors=True)
            arguments = self.job("encrypt", "in", "vault")
            before = file_id(self.stop(arguments, "vault"))
            change()
            self.settle()
            self.begins_anew(arguments, "vault", before)
            self.opens("vault")

    @unittest.skipUnless(FAULT, "SKIPPED: FAULT is not set (ctest sets it)")
    def test_unfinished_file_of_another_state_in_its_place(self):
        """Somebody who may rename there gives the file of an older state the name of that of a newer one."""
        arguments = self.job("encrypt", "in", "vault")
        old = self.stop(arguments, "vault")
        os.rename(old, "old")
        self.changes()[0]()
        self.settle()
        new = self.stop(arguments, "vault")
        self.assertNotEqual(new.name, old.name)
        os.rename("old", new)
        status, out, err = run(*arguments)
        if status:  # it may pass for one that was all written; then the source is compared, and it fails
            self.assertIn("was changed while being read", out + err)
            self.nothing_left("vault")
            self.done(*arguments)
        self.opens("vault")

    def test_other_options(self):
        arguments = self.job("encrypt", "in", "vault")
        Path("other").mkdir()
        self.keyring("other/keys")
        self.assertEqual(run("keyring", "export", "-q", "-k", "other/keys", "-o", "other.orrpub")[0], 0)
        for more in (["--parity", "5"], ["--rule", "1"], ["--sha256"], ["--to", "other.orrpub"]):
            with self.subTest(more=more):
                shutil.rmtree("vault", ignore_errors=True)
                before = file_id(self.stop(arguments, "vault"))
                self.begins_anew((*arguments, *more), "vault", before)
                self.opens("vault")
        shutil.rmtree("vault", ignore_errors=True)
        before = file_id(self.stop(arguments, "vault"))
        self.assertEqual(run("keyring", "add", "-q", "-k", "keys", "--label", "next")[0], 0)
        self.assertEqual(run("keyring", "set-state", "-q", "-k", "keys", "next", "active")[0], 0)
        self.begins_anew(arguments, "vault", before)
        self.opens("vault")

    def test_what_is_begun_anew_each_time(self):
        """A SHA-256 takes all of the file in order; holes are not told from what was not written; small files."""
        self.done(*self.job("encrypt", "in", "vault"))
        Path("small").mkdir()
        shutil.copyfile("original", "small/file")
        os.truncate("small/file", (64 << 20) - 1)
        time.sleep(0.05)
        for verb, source, more in (("encrypt", "in", ["--sha256"]), ("decrypt", "vault", ["--sparse"]), ("encrypt", "small", [])):
            with self.subTest(verb=verb, more=more):
                shutil.rmtree("out", ignore_errors=True)
                with subprocess.Popen([ORRERY, *self.job(verb, source, "out", *more)], stdout=subprocess.DEVNULL) as job:
                    seen = set()
                    while job.poll() is None:
                        seen |= {p.suffix for p in left("out")}
                        time.sleep(0.001)
                self.assertEqual(job.returncode, 0)
                self.assertIn(".partial", seen)
                self.assertNotIn(".unfinished", seen)

    def test_source_that_may_have_changed_without_a_sign(self):
        ended = threading.Event()

        def touch():
            while not ended.is_set():
                os.chmod("in/big", 0o644)

        thread, seen = threading.Thread(target=touch), set()
        thread.start()
        try:
            with subprocess.Popen([ORRERY, *self.job("encrypt", "in", "vault")], stdout=subprocess.DEVNULL) as job:
                while job.poll() is None:
                    seen |= {p.suffix for p in left("vault")}
                    time.sleep(0.001)
        finally:
            ended.set()
            thread.join()
        self.assertEqual(job.returncode, 0)
        self.assertNotIn(".unfinished", seen)
        self.opens("vault")

    def test_altered(self):
        """One bit of what was kept: its segment is sealed again, or all of the file."""
        arguments = self.job("encrypt", "in", "vault")
        unfinished = self.stop(arguments, "vault", segments=SEGMENTS - 2)
        stored = self.copied(unfinished)
        shutil.copytree("vault", "saved")
        whole = [s for s in range(SEGMENTS) if is_kept(stored, *Sealed().span(len(stored), s))]
        self.assertGreater(len(whole), 1)
        at = Sealed().span(len(stored), whole[0])[0]
        for where in (at + PAGE + 5, at + PAGE + SEGMENT - 1, at, at + 128 * 16 - 1, at + 2048, at + 2070, at + 2080, at + 2095, at + 2096,
                      at + PAGE - 1):
            with self.subTest(byte=where - at):
                self.put_back(unfinished, where)
                self.assertEqual(self.done(*arguments)[0]["kept_segments"], len(whole) - 1)
                self.opens("vault")
        for where in (16, 40, 48, 230, PAGE * 3 + 20, PAGE * 3 + 1000):  # magic, header, commitment, metadata
            with self.subTest(byte=where):
                self.put_back(unfinished, where)
                self.begins_anew(arguments, "vault", stored[48:80])
                self.opens("vault")

    def put_back(self, unfinished, flip=None):
        shutil.rmtree("vault")
        shutil.copytree("saved", "vault")
        self.assertEqual(unfinished.stat().st_mode & 0o7777, MARK)
        if flip is not None:
            with open(unfinished, "r+b") as file:
                byte = os.pread(file.fileno(), 1, flip)[0]
                os.pwrite(file.fileno(), bytes([byte ^ 1 << self.random.randrange(8)]), flip)

    @unittest.skipUnless(FAULT, "SKIPPED: FAULT is not set (ctest sets it)")
    def test_padding_of_the_last_segment(self):
        arguments = self.job("encrypt", "in", "vault")
        run(*arguments, env=dict(os.environ, LD_PRELOAD=FAULT, ORRERY_FAULT="rename:1:kill:unfinished"))
        unfinished = left("vault", "unfinished")[0]
        with open(unfinished, "r+b") as file:
            file.seek(-1, os.SEEK_END)
            file.write(b"x")
        self.assertEqual(self.done(*arguments)[0]["kept_segments"], SEGMENTS - 1)
        self.opens("vault")

    def test_restored_plaintext_that_was_altered(self):
        self.done(*self.job("encrypt", "in", "vault"))
        arguments = self.job("decrypt", "vault", "back")
        unfinished = self.stop(arguments, "back")
        stored = self.copied(unfinished)
        whole = self.restored(stored)
        with open(unfinished, "r+b") as file:
            file.seek(whole[0] + 777)
            file.write(bytes([stored[whole[0] + 777] ^ 16]))
        self.assertEqual(self.done(*arguments)[0]["kept_segments"], len(whole) - 1)
        self.same("back/in/big")

    def test_what_is_no_unfinished_file(self):
        """Something else under its name is neither read nor written; what is no use goes."""
        arguments = self.job("encrypt", "in", "vault")
        unfinished = self.stop(arguments, "vault")
        shutil.copytree("vault", "saved")
        drawn = file_id(unfinished)
        Path("mine").write_bytes(b"mine")

        def replaced_by(make):
            unfinished.unlink()
            make()

        def linked():
            os.link(unfinished, "twin")
        ours = {"truncated": lambda: os.truncate(unfinished, 1 << 20), "empty": lambda: os.truncate(unfinished, 0),
                "garbage": lambda: unfinished.write_bytes(os.urandom(1 << 20)), "longer": lambda: os.truncate(unfinished, 2 * SIZE)}
        foreign = {"symlink": lambda: replaced_by(lambda: os.symlink(Path("mine").absolute(), unfinished)), "hard link": linked,
                   "mode": lambda: unfinished.chmod(0o1660), "no mark": lambda: unfinished.chmod(0o600),
                   "directory": lambda: replaced_by(unfinished.mkdir), "FIFO": lambda: replaced_by(lambda: os.mkfifo(unfinished))}
        if os.geteuid() == 0:
            foreign["owner"] = lambda: os.chown(unfinished, 65534, 65534)
        for name, change in {**ours, **foreign}.items():
            with self.subTest(what=name):
                self.put_back(unfinished)
                change()
                before = os.lstat(unfinished) if name in foreign else None
                file, _ = self.done(*arguments)
                self.assertNotIn("kept_segments", file)
                self.assertNotEqual(file_id("vault/in/big.orr.tif"), drawn)
                self.opens("vault")
                if name in foreign and name not in ("hard link", "mode", "owner"):
                    after = os.lstat(unfinished)
                    self.assertEqual((after.st_ino, after.st_size, after.st_mtime_ns), (before.st_ino, before.st_size, before.st_mtime_ns))
        self.assertEqual(Path("mine").read_bytes(), b"mine")
        self.assertEqual(file_id("twin"), drawn)

    # ---- others

    def test_two_jobs_at_once(self):
        """The second one finds the unfinished file in use, and makes its own."""
        arguments = self.job("encrypt", "in/big", "single/a.orr.tif")
        with subprocess.Popen([ORRERY, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as job:
            while job.poll() is None and self.written("single") < 2:
                time.sleep(0.001)
            job.send_signal(signal.SIGSTOP)
            if not left("single", "unfinished"):
                job.send_signal(signal.SIGCONT)
                self.skipTest("SKIPPED: the first job was too quick")
            self.assertNotIn("kept_segments", self.done(*arguments)[0])
            self.assertEqual(len(left("single", "unfinished")), 1)
            job.send_signal(signal.SIGCONT)
            job.communicate()
        self.assertEqual(job.returncode, 6)
        self.nothing_left("single")
        self.assertEqual(run("verify", "-q", "-k", "keys", "single/a.orr.tif")[0], 0)

    @unittest.skipUnless(FAULT, "SKIPPED: FAULT is not set (ctest sets it)")
    def test_full_disk_then_room(self):
        arguments = self.job("encrypt", "in", "vault")
        for fault in ("fallocate:0:ENOSPC:unfinished", "fsync:0:EIO:unfinished"):
            with self.subTest(fault=fault):
                shutil.rmtree("vault", ignore_errors=True)
                self.stop(arguments, "vault")
                self.assertEqual(run(*arguments, env=dict(os.environ, LD_PRELOAD=FAULT, ORRERY_FAULT=fault))[0], 7)
                self.nothing_left("vault")
                self.begins_anew(arguments, "vault")
                self.opens("vault")
        shutil.rmtree("vault")
        old = self.stop(arguments, "vault")  # of another state of the source, it takes the room
        os.utime("in/big", ns=(1, 1))
        time.sleep(0.05)
        self.assertEqual(run(*arguments, env=dict(os.environ, LD_PRELOAD=FAULT, ORRERY_FAULT="fallocate:1:ENOSPC"))[0], 0)
        self.assertFalse(old.exists())

    def test_shards(self):
        """What another shard was killed in stays for it."""
        part = next(i for i in (1, 2) if self.done(*self.job("encrypt", "in", "look", "--dry-run", "--shard", f"{i}/2"))[0])
        shard = [self.job("encrypt", "in", "vault", "--shard", f"{i}/2") for i in (part, 3 - part)]
        Path("in/sub").mkdir()
        for number in range(8):
            Path(f"in/sub/{number}").write_bytes(b"small")
            Path(f"in/{number}").write_bytes(b"small")
        unfinished = self.stop(shard[0], "vault")
        self.done(*shard[1])
        self.assertEqual(left("vault", "unfinished"), [unfinished])
        self.assertEqual(self.done(*shard[0])[1]["went_on"], 1)
        self.assertEqual(left("vault", "unfinished"), [])
        self.opens("vault")

    def test_what_nobody_goes_on_with(self):
        Path("in/small").write_bytes(b"small")
        self.done(*self.job("encrypt", "in", "ready"))
        self.stop(self.job("decrypt", "ready", "back"), "back")
        Path("back/in/small").unlink(missing_ok=True)
        shutil.copytree("back", "again")
        Path("ready/in/big.orr.tif").unlink()
        self.done(*self.job("decrypt", "ready", "back", "--dry-run"))
        self.assertEqual(len(left("back", "unfinished")), 1)
        self.done(*self.job("decrypt", "ready", "back"))
        self.nothing_left("back")
        self.assertEqual(run(*self.job("decrypt", "ready/in/none", "again"))[0], 7)
        self.assertEqual(len(left("again", "unfinished")), 1)

    def test_they_are_no_files_of_an_archive(self):
        arguments = self.job("encrypt", "in", "vault")
        Path("in/small").write_bytes(b"small")
        self.done(*self.job("encrypt", "in/small", "vault"))
        unfinished = self.stop(arguments, "vault", segments=2)
        status, out, err = run("verify", "--json", "-k", "keys", "vault")
        self.assertEqual(status, 9, err)
        messages = self.messages(out, 9)
        self.assertEqual([m["outcome"] for m in messages if m["message_type"] == "file" and m["file"] == str(unfinished)], ["skipped"])
        self.assertEqual(messages[-1]["done"], len(list(Path("vault").rglob("*.orr.tif"))))
        status, out, _ = run("encrypt", "--json", "-k", "keys", "vault/in", "-o", "vault", "--nested", "--dry-run")
        self.assertNotIn(str(unfinished), [m.get("file") for m in self.messages(out, status) if m.get("outcome") == "planned"])


if __name__ == "__main__":
    unittest.main()
