#!/usr/bin/env python3
"""The rules of the house that no compiler checks. Each rule is a function that yields what breaks it."""
import os
import re
import shutil
import subprocess
import sys
from pathlib import PurePosixPath as Path

os.chdir(os.environ.get("SOURCE", os.path.join(os.path.dirname(__file__), "..")))
RULES = []

# What each room may include, besides itself: lower rooms never include higher ones. cli/ may include all.
ROOMS = {
    "base": "",
    "kernels": "base",
    "media": "base kernels",
    "gan": "base kernels",
    "training": "base kernels media gan",
    "host/container": "base kernels",
    "host/keys": "base kernels media host/container",
    "host/paper": "base kernels media host/container host/keys",
    "host/job": "base kernels media host/container host/keys host/paper",
    "bench": "base kernels media gan host",
}
EXCEPT = {"bench/tools/swd_tool.c": "training"}

# Headers of libraries; what else stands between < and > is the system's.
LIBRARIES = re.compile(
    r"(openssl|cjson|gtest|isa-l|oneapi|sanitizer)/"
    r"|(png|tiff|tiffio|jpeglib|jerror|xxhash|mpfr|liburing|cudnn|cuda\w*|fuse|omp|unif01|bbattery)\.h$")

# Marks of unfinished work and what belongs to one machine. The brackets keep this file out of its own net.
UNFINISHED = r"\b(TO[D]O|FIX[M]E|XX[X]|not (yet )?imple[m]ented|place[h]older|for n[o]w)\b"
ONE_MACHINE = r"(^|[^.\w-])/(home|root|work|farm|opt|mnt)/[A-Za-z0-9]"


def rule(title):
    def add(function):
        RULES.append((title, function))
        return function
    return add


def files(*patterns):
    """Tracked files that match, as git does; of the whole tree without patterns."""
    listed = subprocess.check_output(["git", "ls-files", "-z", "--", *patterns], text=True)
    return [name for name in listed.split("\0") if os.path.isfile(name) and not os.path.islink(name)]


def text(name):
    with open(name, encoding="utf-8", errors="replace") as file:
        return file.read()


def found(pattern, names):
    """Each line of these files in which the pattern stands."""
    wanted = re.compile(pattern)
    for name in names:
        for number, line in enumerate(text(name).splitlines(), 1):
            if wanted.search(line):
                yield f"{name}:{number}: {line.strip()}"


def c_files(*rooms):
    return files(*(f"{room}/*.{kind}" for room in rooms for kind in ("c", "h", "inc", "cu", "cuh")))


def in_house():
    """The C and CUDA of the program: all rooms, not the tests."""
    return c_files("base", "kernels", "media", "gan", "training", "host", "bench", "cli")


# ---- files ------------------------------------------------------------------------------------------------------


@rule("files are at most 600 lines long")
def lengths():
    for name in files("*.c", "*.h", "*.cc", "*.py", "*.sh", "scripts/*"):
        lines = text(name).count("\n")
        if lines > 600:
            yield f"{name} has {lines} lines"


@rule("a source or header has a name that no other has")
def names():
    seen = {}
    for name in in_house():
        other = seen.setdefault(Path(name).name, name)
        if other != name:
            yield f"{other} and {name}"


@rule("scripts have their run bit")
def run_bits():
    for name in files("scripts/*", ".ci/*"):
        if text(name).startswith("#!") and not os.access(name, os.X_OK):
            yield name


@rule("no words that mark unfinished work")
def unfinished():
    return found(UNFINISHED, files(":!docs/third-party"))


@rule("no paths of one machine")
def one_machine():
    return found(ONE_MACHINE, files(":!LICENSE"))


@rule("no documents that are not in the tree")
def documents():
    return found(r"DESIG[N]\.md", files())


@rule("documents name files that are there")
def named_files():
    # Records tell of the tree as it was; names with capitals in their last part stand for others.
    a_file = re.compile(r"(?:^|(?<=[`( ]))(?:base|kernels|media|gan|training|host|bench|cli|tests|scripts|docs|models)"
                        r"/[\w./-]*[a-z0-9]\b", re.M)
    # A name without its room may stand in the room's README, and is that of some file.
    bare = re.compile(r"`(\w+\.(?:c|h|inc|cu|cuh|cc|py|sh))`")
    bare_names = {Path(path).name for path in files()}
    for name in files("*.md", ":!bench/results"):
        missing = {path for path in a_file.findall(text(name)) if not os.path.exists(path)}
        missing |= set(bare.findall(text(name))) - bare_names
        yield from (f"{name}: {path}" for path in sorted(missing) if not re.search(r"[A-Z]{3}|[*[]", path))


@rule("prose is wrapped at 100 characters (scripts/prose.py FILE does it)")
def prose():
    return output("scripts/prose.py", "--check", *files("*.md"))


@rule("shellcheck has nothing to say")
def shellcheck():
    scripts = [name for name in files("scripts/*", ".ci/*", "*.sh")
               if re.match(r"#!.*\bbash\b", text(name))]
    if shutil.which("shellcheck"):
        return output("shellcheck", "--severity=warning", "--format=gcc", *scripts)
    return []


def output(*command):
    return subprocess.run(command, text=True, stdout=subprocess.PIPE, check=False).stdout.splitlines()


# ---- includes ---------------------------------------------------------------------------------------------------

INCLUDE = re.compile(r'#\s*include\s*([<"])([^>"]+)[>"]')


CODELESS = re.compile(r'//.*|"(?:\\.|[^"\\])*"')  # comments and strings
DEFINITION = re.compile(r"^(?!static|typedef|extern|#)\w[^;{}\n=()]*?\b(\w+)\([^;{}]*\)\s*\{", re.M)


def includes(name):
    """Headers of the project that a file includes, but for generated ones."""
    return [match[2] for match in map(INCLUDE.match, text(name).splitlines())
            if match and match[1] == '"' and "/" in match[2]]


@rule("a room includes only what stands below it")
def rooms():
    for room, lower in ROOMS.items():
        for name in c_files(room):
            allowed = (room, *lower.split(), *EXCEPT.get(name, "").split())
            for header in includes(name):
                if not header.startswith(tuple(one + "/" for one in allowed)):
                    yield f"{name} includes {header}: {room}/ may include {lower or 'nothing else'}"


@rule("files neither include nor call each other in a circle")
def circles():
    below = {}
    defined = {}  # functions by name; what two files define (both main, say) ties nothing
    sources = {name: CODELESS.sub("", text(name)) for name in in_house() if name.endswith(".c")}
    for name, source in sources.items():
        for function in DEFINITION.findall(source):
            defined[function] = "" if function in defined else name
    for name, source in sources.items():
        called = {defined.get(word, "") for word in re.findall(r"\w+", source)}
        below[name] = called - {name, ""}
    for name in in_house():
        if not name.endswith(".c"):
            below[name] = set(includes(name))
    done = set()

    def walk(name, path):
        if name in path:
            yield " -> ".join((*path[path.index(name):], name))
        elif name not in done:
            for other in sorted(below.get(name, ())):
                yield from walk(other, (*path, name))
            done.add(name)

    for name in sorted(below):
        yield from walk(name, ())


def include_block(lines):
    """The first lines of a file that only include, from and to."""
    first = next((n for n, line in enumerate(lines) if INCLUDE.match(line)), len(lines))
    last = first
    while last < len(lines) and (INCLUDE.match(lines[last]) or not lines[last]):
        last += 1
    while last > first and not lines[last - 1]:
        last -= 1
    return first, last


def in_order(name, lines):
    """These includes as they should stand, each group behind an empty line."""
    what = {line: INCLUDE.match(line).groups() for line in lines if line}
    own = [line for line, (_, header) in what.items() if header == f"{Path(name).with_suffix('')}.h"]
    if not name.endswith((".c", ".cc", ".cu")):
        own = []
    elif not own and len(what) > 1:  # a file of several that implement a header, or a test
        line, (_, header) = next(iter(what.items()))
        if Path(header).parent == Path(name).parent or header == "gtest/gtest.h":
            own = [line]
    # what makes CUDA of C++ comes before any CUDA
    own = [line for line, (_, header) in what.items() if header == "tests/shim/shim.h"] or own
    rest = [line for line in what if line not in own]
    project = [line for line in rest if what[line][0] == '"']
    library = [line for line in rest if what[line][0] == "<" and LIBRARIES.match(what[line][1])]
    system = [line for line in rest if line not in project and line not in library]
    by_name = lambda line: what[line][1]
    groups = (own, sorted(system, key=by_name), library, sorted(project, key=by_name))
    return "\n\n".join("\n".join(group) for group in groups if group).splitlines()


@rule("includes: own header, <system> sorted, <libraries>, \"project\" sorted, an empty line between")
def include_order():
    for name in files("*.c", "*.h", "*.inc", "*.cc", "*.cu", "*.cuh"):
        lines = text(name).splitlines()
        first, last = include_block(lines)
        wanted = in_order(name, lines[first:last])
        if lines[first:last] != wanted:
            yield f"{name}:{first + 1}: should be\n    " + "\n    ".join(wanted)


# ---- code -------------------------------------------------------------------------------------------------------


@rule("functions that are not to be used")
def forbidden():
    return found(r"\b(strcpy|strcat|sprintf|vsprintf|gets|system|popen|tmpnam|tempnam|strtok|alloca|atoi|rand)\s*\(",
                 c_files("base", "kernels", "media", "host", "bench", "cli"))


@rule("only main() ends the program")
def exits():
    return found(r"\b(exit|_exit|abort)\s*\(", c_files("base", "kernels", "media", "host"))


@rule("nothing is put into the environment")
def environment():
    # libgomp has no other way to be told that waiting threads shall sleep
    allowed = re.compile(r'gan/gan_device\.c:\d+: .*setenv\("OMP_WAIT_POLICY", "PASSIVE", 0\)')
    return [line for line in found(r"\b(setenv|putenv)\s*\(", in_house()) if not allowed.match(line)]


@rule("a function has one place that cleans up, end:")
def labels():
    return found(r"\bgoto (?!end;)", in_house())


@rule("a status is compared: status == ORR_OK, status != ORR_OK")
def comparisons():
    status = r"\b(\w+(->|\.))*status\b"
    truth = rf"![(]?{status}|\b(if|while) \({status}(\)| &&| \|\|)|(&&|\|\|) {status}(\)| &&| \|\|)|[(=n] ?{status} \?"
    return found(truth, in_house())


# ---- what is said twice ------------------------------------------------------------------------------------------


@rule("exit statuses are those of base/status.h in base/status.c and in the table of docs/CLI.md")
def statuses():
    names = dict(re.findall(r"\[(ORR_\w+)\] = \"([a-z-]+)\"", text("base/status.c")))
    enum = [f"{number} {names.get(status)}"
            for status, number in re.findall(r"^ +(ORR_\w+) = (\d+)", text("base/status.h"), re.M)]
    table = [" ".join(row) for row in re.findall(r"^\| (\d+) \| ([a-z-]+) \| ", text("docs/CLI.md"), re.M)]
    if enum != table or not enum:
        yield f"base/status: {enum}"
        yield f"docs/CLI.md: {table}"


def main():
    if subprocess.run(["git", "rev-parse"], stderr=subprocess.DEVNULL, check=False).returncode:
        print("SKIPPED: not a git checkout")
        return 77
    broken = 0
    for title, function in RULES:
        lines = list(function())
        if lines:
            broken += 1
            print(f"{title}:\n" + "\n".join(lines[:40]) + "\n")
    print(f"{broken} of {len(RULES)} rules broken" if broken else f"{len(RULES)} rules kept")
    return broken > 0


if __name__ == "__main__":
    sys.exit(main())
