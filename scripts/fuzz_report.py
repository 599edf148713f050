#!/usr/bin/env python3
"""Turns build-fuzz/logs/*.log into bench/results/fuzz.md. Exits 1 when there are findings."""
import datetime
import os
import pathlib
import re
import shutil
import subprocess
import sys

from prose import wrapped

HEAD = """# Fuzzing

`scripts/fuzz`, libFuzzer with AddressSanitizer and UndefinedBehaviorSanitizer; every error ends the
run and is kept as a finding. Last run of each target. What each target promises stands at the top of
its source, `tests/fuzz/NAME_fuzz.c`; the seeds and the reproducers of what was found and fixed are in
`tests/fuzz/corpus/`, replayed by the normal tests.

"""


def number(log, pattern):
    found = re.findall(pattern, log, re.MULTILINE)
    return int(found[-1]) if found else 0


def device():
    cpu = re.search(r"model name\s*: (.*)", pathlib.Path("/proc/cpuinfo").read_text())
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") >> 30
    load = os.getloadavg()[2]
    return f"{cpu.group(1) if cpu else 'unknown CPU'}, {os.cpu_count()} cores, {memory} GiB; load average {load:.0f}"


def compiler():
    if not shutil.which("clang"):
        return "clang"
    return subprocess.run(["clang", "--version"], capture_output=True, text=True).stdout.split("\n")[0]


def row(path):
    log = path.read_text(errors="replace")
    name = path.stem
    commit = re.search(r"^commit: (.*)", log, re.MULTILINE)
    edges = number(log, r"Loaded 1 modules +\((\d+) inline")
    coverage = number(log, r"cov: (\d+) ft:")
    executed = number(log, r"^stat::number_of_executed_units: (\d+)")
    seconds = number(log, r"^Done \d+ runs in (\d+) second")
    folder = pathlib.Path("build-fuzz/findings") / name
    # slow-unit-*: over 10 seconds, a remark of libFuzzer about the machine's load more than a finding
    findings = len([f for f in folder.glob('*') if not f.name.startswith('slow-unit')])
    features, corpus = number(log, r"ft: (\d+) corp"), number(log, r"corp: (\d+)/")
    slowest = number(log, r"^stat::slowest_unit_time_sec: +(\d+)")
    peak = number(log, r"^stat::peak_rss_mb: +(\d+)")
    rate = f"{executed / seconds:.1f}" if seconds else "-"
    cells = [name, commit.group(1) if commit else "unknown", f"{seconds}", f"{executed:,}", rate,
             f"{coverage:,} of {edges:,}", f"{features:,}", f"{corpus:,}", f"{slowest}", f"{peak}",
             f"{findings}"]
    command = re.search(r"^command: (.*)", log, re.MULTILINE)
    return cells, findings, command.group(1) if command else ""


def main():
    os.chdir(pathlib.Path(__file__).resolve().parent.parent)
    rows = [row(path) for path in sorted(pathlib.Path("build-fuzz/logs").glob("*.log"))]
    titles = ["target", "commit", "seconds", "executions", "per second", "edges covered", "features",
              "corpus", "slowest (s)", "peak MiB", "findings"]
    lines = [f"Device: {device()}. Compiler: {compiler()}. {datetime.date.today()}.", "",
             "| " + " | ".join(titles) + " |", "|" + "---|" * len(titles)]
    lines += ["| " + " | ".join(cells) + " |" for cells, _, _ in rows]
    lines += ["", "Edges are those of the objects linked into the target; code behind other verbs counts in the",
              "total. Executions of `roundtrip` are whole jobs: encrypt, verify, rewrap or reencrypt, decrypt,",
              "damage, verify and decrypt again.", "", "Commands:", ""]
    lines += [f"    {command}" for _, _, command in rows if command]
    out = pathlib.Path("bench/results/fuzz.md")
    out.parent.mkdir(parents=True, exist_ok=True)
    notes = out.parent / "fuzz-notes.md"
    tail = "\n" + notes.read_text() if notes.is_file() else ""
    out.write_text(wrapped(HEAD + "\n".join(lines) + "\n" + tail))
    print(out.read_text())
    return any(findings for _, findings, _ in rows)


sys.exit(main())
