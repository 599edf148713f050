"""Shards of one job that write into one output at the same time."""
import hashlib
import json
import os
import re
import signal
import subprocess
import time
import unittest
from pathlib import Path

from support.cli import ORRERY, Case, is_output, partials, run

LOCK = re.compile(r"\.orrery-[0-9a-f]{16}\.shard-(\d+)-of-(\d+)")


def hidden(root):
    return sorted(p.name for p in Path(root).rglob(".orrery-*") if not p.name.startswith(".orrery-state"))


class Shards(Case):
    def setUp(self):
        super().setUp()
        self.keyring()
        for i in range(30):
            path = Path(f"in/d{i % 3}/f{i}")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(os.urandom(1000 + i))

    def done(self, *arguments):
        status, out, err = run(*arguments)
        self.assertEqual(status, 0, f"{arguments}: {err}")
        return out

    def start(self, *arguments):
        job = subprocess.Popen([ORRERY, *arguments], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        self.addCleanup(job.stderr.close)
        self.addCleanup(job.wait)
        self.addCleanup(job.kill)
        return job

    def files(self, root):
        return {str(p.relative_to(root)): hashlib.sha256(p.read_bytes()).hexdigest() for p in Path(root).rglob("*") if is_output(p)}

    def large(self):
        with open("in/large", "wb") as file:
            file.truncate(300 << 20)

    def shard_of(self, name, *command):
        """The numbers I/N of the shard of two that has this file, and of the other."""
        for i in (1, 2):
            messages = map(json.loads, self.done(*command, "--dry-run", "--json", "--shard", f"{i}/2").splitlines())
            if name in {m.get("file") for m in messages}:
                return f"{i}/2", f"{3 - i}/2"
        raise AssertionError("no shard has it")

    def under_way(self, job, root):
        """Waits until the job is at in/large, which comes after all other files, and these are finished."""
        end = time.monotonic() + 120
        while [p.parent.name for p in partials(root)] != ["in"]:
            self.assertIsNone(job.poll(), "the job was over too soon")
            self.assertLess(time.monotonic(), end)
            time.sleep(0.002)

    def test_side_by_side(self):
        for verb, source, out, options in (("encrypt", "in", "vault", []), ("reencrypt", "vault", "again", []), ("decrypt", "again", "back", []),
                                           ("encrypt", "in", "opaque", ["--names", "opaque"]), ("decrypt", "opaque", "clear", [])):
            with self.subTest(verb=verb, options=options):
                jobs = [self.start(verb, "-q", "-k", "keys", source, "-o", out, "--shard", f"{i}/4", *options) for i in (1, 2, 3, 4)]
                for job in jobs:
                    err = job.communicate(timeout=300)[1].decode()
                    self.assertEqual(job.returncode, 0, err)
                self.assertEqual(hidden(out), [])
                self.assertEqual(len(self.files(out)), 30)
        for back in ("back", "clear"):
            self.assertEqual(self.files(f"{back}/in"), self.files("in"))

    def test_who_may_not_join(self):
        self.large()
        command = ("encrypt", "-q", "-j", "1", "-k", "keys", "in", "-o", "vault")
        mine, other = self.shard_of("in/large", *command)
        job = self.start(*command, "--shard", mine)
        self.under_way(job, "vault")
        job.send_signal(signal.SIGSTOP)
        for options, message in (([], "another orrery job is writing here: wait"),
                                 (["--shard", mine], f"writing shard {mine} here: wait"),
                                 (["--shard", "3/3"], f"writing shard {mine} here: all must divide the files alike \\(--shard I/2\\)"),
                                 (["--shard", "3/3", "--names", "opaque"], "must divide the files alike")):
            status, _, err = run(*command, *options)
            self.assertEqual(status, 7, err)
            self.assertRegex(err, message)
        self.done(*command, "--shard", other)
        names = hidden("vault")
        self.assertEqual([LOCK.fullmatch(n).groups() for n in names if LOCK.fullmatch(n)], [tuple(mine.split("/"))])
        self.assertIn(".orrery-journal-" + mine.replace("/", "-of-"), names)
        self.assertEqual(len(names), 3, names)  # the journal, the lock, and the partial file of the first
        job.send_signal(signal.SIGCONT)
        err = job.communicate(timeout=300)[1].decode()
        self.assertEqual(job.returncode, 0, err)
        self.assertEqual(hidden("vault"), [])
        self.done(*command)

    def test_a_killed_shard(self):
        self.large()
        for verb, source, out, name in (("encrypt", "in", "vault", "in/large"), ("decrypt", "vault", "back", "vault/in/large.orr.tif")):
            command = (verb, "-q", "-j", "1", "-k", "keys", source, "-o", out)
            mine, other = self.shard_of(name, *command)
            with self.subTest(verb=verb):
                job = self.start(*command, "--shard", mine)
                self.under_way(job, out)
                job.send_signal(signal.SIGKILL)
                job.wait(60)
                left = hidden(out)
                self.assertTrue(any(LOCK.fullmatch(name) for name in left), left)
                # Neither its lock nor what it left is in anybody's way.
                self.done(*command, "--shard", other)
                self.done(*command, "--shard", mine)
                self.assertEqual(hidden(out), [])
                self.assertEqual(len(self.files(out)), 31)
        self.assertEqual(self.files("back/in"), self.files("in"))

    def test_the_whole_job_after_killed_shards(self):
        self.large()
        command = ("encrypt", "-q", "-j", "1", "-k", "keys", "in", "-o", "vault")
        mine, _ = self.shard_of("in/large", *command)
        job = self.start(*command, "--shard", mine)
        self.under_way(job, "vault")
        job.send_signal(signal.SIGKILL)
        job.wait(60)
        self.assertEqual(len(hidden("vault")), 3)
        status, _, err = run("verify", "-k", "keys", "vault")
        self.assertEqual(status, 9, err)  # what is finished is whole, and not all
        self.assertIn("a job has not finished what it was to write here", err)
        self.assertIn("; 1 skipped\n", err)  # the partial file
        self.done(*command)
        self.assertEqual(hidden("vault"), [])


if __name__ == "__main__":
    unittest.main()
