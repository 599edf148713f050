#!/usr/bin/env python3
"""Completions, tried in the shells themselves: what stands on the line after a tab."""
import os
import pty
import re
import select
import shutil
import subprocess
import time
import unittest
from pathlib import Path

from support.cli import Case, run

# What is typed before the tab, and the last word once it is complete.
LINES = [
    ("orrery enc", "encrypt"),
    ("orrery keyring set-s", "set-state"),
    ("orrery help rew", "rewrap"),
    ("orrery encrypt --pro", "--profile"),
    ("orrery encrypt --profile p", "paper"),
    ("orrery encrypt -k hosp", "hospital.keyring"),
    ("orrery decrypt --salv", "--salvage"),
    ("orrery keyring set-state -k hospital.keyring 3f8a des", "destroyed"),
    ("orrery keyring new --weights gen", "generator file.safetensors"),
    ("orrery train --data im", "images/"),
    ("orrery verify sea", "sealed/"),
    ("orrery bench pip", "pipeline"),
    ("orrery help --completion z", "zsh"),
]


class Shell:
    """An interactive shell on a terminal of its own, in which `orrery` shows its last argument."""

    def __init__(self, arguments, setup):
        self.child, self.terminal = pty.fork()
        if self.child == 0:
            os.environ.update(TERM="vt100", PS1="> ", COLUMNS="200", LC_ALL="C.UTF-8", HOME=os.getcwd())
            os.execvp(arguments[0], arguments)
        self.ask(setup + "\necho rea''dy\n", "ready")

    def ask(self, typed, until):
        """Types, and returns what is shown once `until` is."""
        os.write(self.terminal, typed.encode())
        shown, end = "", time.monotonic() + 60
        while until not in shown:
            if time.monotonic() > end or not select.select([self.terminal], [], [], 60)[0]:
                raise AssertionError(f"{until!r} does not come after {typed!r}, but {shown!r}")
            shown += os.read(self.terminal, 65536).decode(errors="replace")
        return shown

    def last_word(self, line, pause):
        """The last argument of the line that a tab after `line` makes, entered `pause` seconds later: on a machine with
        other work a shell may still be completing, and take what is typed for an answer."""
        os.write(self.terminal, line.encode() + b"\t")
        time.sleep(pause)
        return re.search(r"last=<(.*?)=?>end", self.ask("\n", ">end")).group(1)

    def close(self):
        os.close(self.terminal)
        os.waitpid(self.child, 0)


class Completion(Case):
    def setUp(self):
        super().setUp()
        for folder in ("images", "sealed"):
            os.mkdir(folder)
        for name in ("hospital.keyring", "image.txt", "generator file.safetensors"):
            Path(name).write_bytes(b"x")
        os.mkdir("share")
        self.assertEqual(run("help", "--share", "share")[0], 0)

    def check(self, arguments, setup):
        shell = Shell(arguments, setup)
        try:
            for line, word in LINES:
                with self.subTest(line=line):
                    for pause in (0.3, 1, 5):
                        last = shell.last_word(line, pause)
                        if last == word:
                            break
                    self.assertEqual(last, word)
        finally:
            shell.close()

    @unittest.skipUnless(shutil.which("bash"), "bash is missing")
    def test_bash(self):
        self.check(["bash", "--norc", "--noprofile", "-i"],
                   "source share/bash-completion/completions/orrery; orrery() { printf 'last=<%s>end\\n' \"${@: -1}\"; }")

    @unittest.skipUnless(shutil.which("zsh"), "zsh is missing")
    def test_zsh(self):
        self.check(["zsh", "-f", "-i"],
                   "fpath=($PWD/share/zsh/site-functions $fpath); autoload -Uz compinit; compinit -u -d dump; unsetopt auto_remove_slash; "
                   "orrery() { printf 'last=<%s>end\\n' \"${@[-1]}\"; }")

    @unittest.skipUnless(shutil.which("fish"), "fish is missing")
    def test_fish(self):
        for line, word in LINES:
            done = subprocess.run(["fish", "--no-config", "-c",
                                   "source share/fish/vendor_completions.d/orrery.fish; complete -C $argv[1]", line],
                                  capture_output=True, text=True, env=dict(os.environ, HOME=os.getcwd()), check=False)
            offered = [offer.split("\t")[0] for offer in done.stdout.splitlines()]
            self.assertEqual((offered, done.stderr), ([word], ""), line)

    def test_all_options_are_in_all_of_them(self):
        texts = [path.read_text() for path in Path("share").rglob("*") if "orrery" in path.name and path.suffix != ".1" and path.is_file()]
        self.assertEqual(len(texts), 3)
        for option in set(re.findall(r"^ +(?:-., )?--([a-z0-9-]+)", run("help", "encrypt")[1] + run("help", "train")[1], re.M)):
            for text in texts:
                self.assertRegex(text, rf"(--|-l ){option}\b")


if __name__ == "__main__":
    unittest.main()
