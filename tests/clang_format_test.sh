#!/usr/bin/env bash
# Every C, C++ and CUDA file looks as clang-format makes it (.clang-format). Versions differ in what they make of the
# same rules, so one is asked for: that of Debian 12.
set -euo pipefail
cd "${SOURCE:-$(dirname "${BASH_SOURCE[0]}")/..}"
version=14
files=('*.c' '*.h' '*.inc' '*.cc' '*.cu' '*.cuh')

skip() {
    echo "SKIPPED: $1"
    exit 77
}
program=$(command -v "clang-format-$version" || command -v clang-format) ||
    skip "clang-format is not installed: scripts/deps --tests installs it"
found=$("$program" --version | sed -nE 's/.*version ([0-9]+).*/\1/p')
[ "$found" = "$version" ] || skip "clang-format $found writes other lines than clang-format $version"
git rev-parse --is-inside-work-tree >/dev/null 2>&1 || skip "not a git checkout"

git ls-files -z "${files[@]}" | xargs -0 "$program" --dry-run -Werror
