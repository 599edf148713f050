"""clang-tidy finds nothing in the C sources (.clang-tidy says what it looks for, and why not for more)."""
import concurrent.futures
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile

SOURCE = os.path.realpath(os.environ.get("SOURCE", os.path.join(os.path.dirname(__file__), "..")))
BUILD = os.path.realpath(os.environ.get("BUILD", os.path.join(SOURCE, "build")))
VERSION = "14"  # another one finds other things
A_TIME = 8  # files of one process


def skip(why):
    print("SKIPPED:", why)
    sys.exit(77)


def commands():
    """One entry for each C source of the tree: some are compiled more than once."""
    database = os.path.join(BUILD, "compile_commands.json")
    if not os.path.exists(database):
        skip(f"{database} is missing: configure with CMAKE_EXPORT_COMPILE_COMMANDS=ON and Ninja or make")
    entries = {}
    with open(database) as file:
        for entry in json.load(file):
            path = os.path.realpath(os.path.join(entry["directory"], entry["file"]))
            if path.endswith(".c") and path.startswith(SOURCE + os.sep) and not path.startswith(BUILD):
                entries.setdefault(path, entry)
    return entries


def main():
    program = shutil.which(f"clang-tidy-{VERSION}") or shutil.which("clang-tidy")
    if not program:
        skip("clang-tidy is not installed: scripts/deps --tests installs it")
    found = re.search(r"version (\d+)", subprocess.check_output([program, "--version"], text=True))[1]
    if found != VERSION:
        skip(f"clang-tidy {found} finds other things than clang-tidy {VERSION}")
    entries = commands()
    paths = sorted(entries)
    with tempfile.TemporaryDirectory() as folder:
        with open(os.path.join(folder, "compile_commands.json"), "w") as file:
            json.dump([entries[path] for path in paths], file)

        def look_at(some):
            return subprocess.run([program, "-p", folder, "--quiet", *some], cwd=SOURCE, text=True,
                                  stdout=subprocess.PIPE, stderr=subprocess.STDOUT)

        with concurrent.futures.ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
            groups = [paths[n:n + A_TIME] for n in range(0, len(paths), A_TIME)]
            results = list(pool.map(look_at, groups))
    for result in results:
        if result.returncode:
            print(result.stdout.replace(SOURCE + os.sep, ""))
    print(f"{len(paths)} files")
    return any(result.returncode for result in results) or not paths


if __name__ == "__main__":
    sys.exit(main())
