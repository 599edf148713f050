#!/usr/bin/env python3
"""Wraps the prose of Markdown files at 100 characters; tables, headings and code stay as they are.

  scripts/prose.py FILE.md...            paragraphs and points of lists that have a longer line
  scripts/prose.py --check FILE.md...    writes nothing; names such lines, and exits 1 when there are
"""
import re
import sys
import textwrap
from pathlib import Path

WIDTH = 100
POINT = re.compile(r"(\s*)((?:[-*]|\d+\.)\s+)\S")
APART = ("|", "#", "<!--", "```")


def fits(line):
    return len(line) <= WIDTH or " " not in line.strip()


def blocks(text):
    """Runs of lines, each with whether it is prose: one paragraph, or one point of a list."""
    run, in_list, fenced = [], False, False
    for line in text.split("\n"):
        point = POINT.match(line)
        fenced ^= line.startswith("```")
        code = fenced or (line.startswith("    ") and not run and not in_list)
        if not line.strip() or line.startswith(APART) or code:
            if run:
                yield True, run
            run = []
            in_list = in_list and not line.strip()
            yield False, [line]
        elif point and (in_list or not line.startswith("    ")):
            if run:
                yield True, run
            run, in_list = [line], True
        else:
            in_list = in_list and (bool(run) or line.startswith(" "))
            run.append(line)
    if run:
        yield True, run


def filled(lines):
    point = POINT.match(lines[0])
    lead = point.group(1) + point.group(2) if point else re.match(r"\s*", lines[0]).group()
    words = " ".join(line.strip() for line in lines)[len(lead.strip()):].strip()
    words = re.sub(r" (?=([-*+>#]|\d+\.) )", "\0", words)  # at the start of a line these would begin something else
    found = textwrap.wrap(words, WIDTH, initial_indent=lead, subsequent_indent=" " * len(lead), break_long_words=False, break_on_hyphens=False)
    return [line.replace("\0", " ") for line in found]


def wrapped(text):
    """The text of a Markdown file, its long lines of prose wrapped."""
    lines = []
    for is_prose, run in blocks(text):
        lines += filled(run) if is_prose and not all(map(fits, run)) else run
    return "\n".join(lines)


def main():
    check = sys.argv[1:2] == ["--check"]
    names = sys.argv[1 + check:]
    if not names or names[0].startswith("-"):
        print(__doc__.strip())
        return 0 if names[:1] in (["-h"], ["--help"]) else 2
    long = 0
    for name in names:
        text = Path(name).read_text()
        if check:
            found = [line for is_prose, run in blocks(text) if is_prose for line in run if not fits(line)]
            long += len(found)
            print("".join(f"{name}: {line}\n" for line in found), end="")
        elif wrapped(text) != text:
            Path(name).write_text(wrapped(text))
    return 1 if long else 0


if __name__ == "__main__":
    sys.exit(main())
