#!/usr/bin/env bash
# House rules that a compiler does not check. Prints each violation; fails when there is one.
set -uo pipefail
cd "${SOURCE:-$(dirname "${BASH_SOURCE[0]}")/..}" || exit 1
if ! git rev-parse --is-inside-work-tree >/dev/null 2>&1; then
    echo "skipped: not a git checkout"
    exit 77
fi

broken=$(mktemp)
trap 'rm -f "$broken"' EXIT
rule() { # TITLE, then the violations on stdin; runs at the end of a pipe, so it counts in a file
    local found
    found=$(cat)
    [ -z "$found" ] && return
    printf '%s:\n%s\n\n' "$1" "$found" | head -40
    echo "$1" >>"$broken"
}

git ls-files '*.c' '*.h' '*.cc' '*.py' '*.sh' 'scripts/*' | while read -r file; do
    [ -f "$file" ] || continue
    lines=$(wc -l <"$file")
    [ "$lines" -le 600 ] || echo "$file has $lines lines"
done | rule "files are at most 600 lines long"

git grep -nE '\b(strcpy|strcat|sprintf|vsprintf|gets|system|popen|tmpnam|tempnam|strtok|alloca|atoi|rand)[[:space:]]*\(' \
    -- 'base/*.[ch]' 'kernels/*.[ch]' 'media/*.[ch]' 'host/*.[ch]' 'bench/*.[ch]' 'cli/*.[ch]' | rule "functions that are not to be used"

git grep -nE '\b(exit|_exit|abort)[[:space:]]*\(' -- 'base/*.[ch]' 'kernels/*.[ch]' 'media/*.[ch]' 'host/*.[ch]' |
    rule "only main() ends the program"

# Lower rooms never include higher ones: what each may include, besides itself.
while read -r room lower; do
    git grep -nE '#[[:space:]]*include[[:space:]]+"[a-z]+/' -- "$room/*.c" "$room/*.h" "$room/*.cu" "$room/*.cuh" |
        grep -vE "\"(${lower// /|}|$room)/" | rule "$room/ may include $room/ and: ${lower:-nothing else}"
done <<'END'
base
kernels        base
media          base kernels
gan            base kernels
training       base kernels media gan
host/container base kernels
host/keys      base kernels media host/container
host/paper     base kernels media host/container host/keys
host/job       base kernels media host/container host/keys host/paper
bench          base kernels media gan host training
END
git grep -nE '#[[:space:]]*include[[:space:]]+"training/' -- bench ':!bench/tools/swd_tool.c' |
    rule "of bench/ only swd_tool.c includes training/"

# Marks of unfinished work and what belongs to one machine. The brackets keep this file out of its own net.
git grep -nIwE 'TO[D]O|FIX[M]E|XX[X]|not (yet )?imple[m]ented|place[h]older|for n[o]w' -- ':!docs/third-party' |
    rule "words that mark unfinished work"
git grep -nIE '(^|[^.[:alnum:]_-])/(home|root|work|farm|opt|mnt)/[[:alnum:]]' -- ':!LICENSE' |
    rule "paths of one machine"
git grep -nI 'DESIG[N]\.md' | rule "documents that are not in the tree"

# Secrets may not reach a log through printf-like calls, or the environment. One word that is no secret
# may: libgomp has no other way to be told that waiting threads shall sleep.
git grep -nE '\b(setenv|putenv)[[:space:]]*\(' -- base kernels media gan training host bench cli |
    grep -vE '^gan/gan_device\.c:[0-9]+:.*setenv\("OMP_WAIT_POLICY", "PASSIVE", 0\)' |
    rule "nothing is put into the environment"

git ls-files '*.md' | xargs scripts/prose.py --check | rule "prose is wrapped at 100 characters: scripts/prose.py FILE"
# Records tell of the tree as it was; names with capitals in their last part stand for others.
rooms='base|kernels|media|gan|training|host|bench|cli|tests|scripts|docs|models'
git ls-files '*.md' ':!bench/results' | while read -r document; do
    grep -oE "(^|[\`( ])($rooms)/[A-Za-z0-9_./-]*[a-z0-9]\b" "$document" | tr -d '`( ' | grep -vE '[A-Z]{3}|[*[]' | sort -u |
        while read -r path; do [ -e "$path" ] || echo "$document: $path"; done
done | rule "documents name files that are there"

for script in $(git ls-files 'scripts/*' '.ci/*' '*.sh'); do
    head -1 "$script" | grep -q '^#!' || continue
    [ -x "$script" ] || [[ $script == tests/* ]] || echo "$script"
done | rule "scripts without their run bit"
if command -v shellcheck >/dev/null; then
    git ls-files 'scripts/*' '.ci/*' '*.sh' | while read -r script; do
        [ -f "$script" ] || continue
        head -1 "$script" | grep -q 'bash' && shellcheck --severity=warning --format=gcc "$script"
    done | rule "shellcheck"
fi

# The table of exit statuses in docs/CLI.md, base/status.h and the names of base/status.c say the same.
enum=$(sed -nE 's/^ +(ORR_[A-Z_]+) = ([0-9]+),?.*/\2 \1/p' base/status.h | while read -r number name; do
    printf '%s %s\n' "$number" "$(sed -nE "s/.*\[$name\] = \"([a-z-]+)\",.*/\1/p" base/status.c)"
done)
table=$(sed -nE 's/^\| ([0-9]+) \| ([a-z-]+) \| .*/\1 \2/p' docs/CLI.md)
[ -n "$enum" ] || echo "no enum found in base/status.h" | rule "exit statuses"
diff <(echo "$enum") <(echo "$table") | rule "exit statuses: base/status.h (<) and docs/CLI.md (>) differ"

if [ -s "$broken" ]; then
    echo "$(wc -l <"$broken") of the rules broken"
    exit 1
fi
echo "all rules kept"
