#!/usr/bin/env python3
"""Manual pages: there is one for each command, they say all that the help says, and they render without a warning."""
import os
import re
import shutil
import subprocess
import unittest
from pathlib import Path

from support.cli import Case, run

SHARE = Path(os.environ["BUILD"]) / "share" if "BUILD" in os.environ else None


def commands():
    """Every command and group, as words."""
    listed = re.findall(r"^  (\S+(?: \S+)?)  +\S", run("help")[1].partition("Commands:\n")[2].partition("\n\n")[0], re.M)
    groups = sorted({name.split()[0] for name in listed if " " in name})
    return [name.split() for name in ["", *groups, *listed]]


def page(words):
    status, out, err = run("help", *words, "--man")
    assert (status, err) == (0, ""), err
    return out


def plain(roff):
    """The words of a page as a reader sees them."""
    text = re.sub(r"\\f.", "", roff)
    for escape, character in ((r"\-", "-"), (r"\(aq", "'"), (r"\(ga", "`"), (r"\(ha", "^"), (r"\(ti", "~"), (r"\&", ""), (r"\e", "\\")):
        text = text.replace(escape, character)
    return " ".join(line for line in text.splitlines() if not line.startswith(".TP"))


class Man(Case):
    def test_says_what_the_help_says(self):
        self.assertGreater(len(commands()), 18)
        for words in commands():
            text = plain(page(words))
            shown = run("help", *words)[1]
            for line in shown.partition("Options:\n")[2].partition("\n\n")[0].splitlines():
                for part in re.split(r"  +", line.strip()):
                    if part.endswith(","):  # a list of choices, broken into lines
                        part = part.rstrip(",")
                    self.assertIn(part, text, words)
            for number, means in re.findall(r"^  (\d+) +(.*)$", shown.partition("Exit status:\n")[2], re.M):
                self.assertIn(f" {number} {means}", text, words)
            self.assertIn(shown.partition("Example:\n  ")[2].splitlines()[0] if "Example:" in shown else "", text)

    def test_says_it_without_a_date(self):
        for words in commands():
            self.assertRegex(page(words).splitlines()[0], r'^\.TH "[A-Z\\-]+" 1 "" "Orrery [0-9.]+" "Orrery"$')

    @unittest.skipUnless(shutil.which("man"), "man is missing (man-db)")
    def test_renders(self):
        for words in commands():
            done = subprocess.run(["man", "--warnings", "-E", "UTF-8", "-l", "-"], input=page(words), capture_output=True, text=True,
                                  env=dict(os.environ, MANWIDTH="80", LC_ALL="C.UTF-8"), check=False)
            self.assertEqual((done.returncode, done.stderr), (0, ""), words)
            self.assertIn("NAME\n", done.stdout)
            self.assertIn("EXIT STATUS\n" if words != ["keyring"] else "COMMANDS\n", done.stdout)

    @unittest.skipUnless(shutil.which("mandoc"), "mandoc is missing (mandoc)")
    def test_lint(self):
        for words in commands():
            done = subprocess.run(["mandoc", "-Tlint", "-Wwarning"], input=page(words), capture_output=True, text=True, check=False)
            told = [line for line in done.stdout.splitlines() if "missing date" not in line]
            self.assertEqual(told, [], words)

    @unittest.skipUnless(SHARE and SHARE.exists(), "the pages of the build are missing")
    def test_are_those_of_the_build(self):
        names = {"-".join(["orrery", *words]) + ".1": words for words in commands()}
        self.assertEqual({path.name for path in (SHARE / "man" / "man1").iterdir()}, set(names))
        for name, words in names.items():
            self.assertEqual((SHARE / "man" / "man1" / name).read_text(), page(words), name)


if __name__ == "__main__":
    unittest.main()
