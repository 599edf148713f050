#!/usr/bin/env bash
# The phantom generator: the same options give the same bytes, sizes are as asked, libtiff reads every file,
# and the invented patient stands in each, where other tests look for it.
set -euo pipefail
phantom=$BUILD/phantom
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
fail() {
    echo "phantom: $*" >&2
    exit 1
}

"$phantom" --out "$work/a"
"$phantom" --out "$work/b" --kind multipage
cmp "$work/a/cardiology/clip.tif" "$work/b/clip.tif" || fail "two runs differ"
"$phantom" --out "$work/c" --kind multipage --seed 2
! cmp -s "$work/b/clip.tif" "$work/c/clip.tif" || fail "the seed changes nothing"
[ "$(stat -c %Y "$work/a/pathology/slide.tif")" = 1551951000 ] || fail "modification times are not the fixed ones"

"$phantom" --out "$work/small" --kind small-files --count 25 --size 10000
[ "$(find "$work/small" -name '*.tif' | wc -l)" = 25 ] || fail "--count is not kept"
"$phantom" --out "$work/big" --kind big --size 20000000
size=$(stat -c %s "$work/big/whole-slide.tif")
[ "$size" -gt 15000000 ] && [ "$size" -lt 20000000 ] || fail "--size 20000000 gave $size"
"$phantom" --out "$work/decoys" --kind decoys --count 3
[ "$(head -c 4 "$work/decoys/decoy-0003.png" | tail -c 3)" = PNG ] || fail "decoys are not PNG files"

find "$work" -name '*.tif' -print0 | while IFS= read -r -d '' file; do
    grep -aq 'PATIENT^EXAMPLE' "$file" || fail "$file does not name the patient"
    if command -v tiffinfo >/dev/null; then
        tiffinfo -D "$file" >/dev/null 2>"$work/complaints" || fail "libtiff cannot read $file"
        [ ! -s "$work/complaints" ] || fail "libtiff on $file: $(cat "$work/complaints")"
    fi
done

status=0
"$phantom" --kind ct 2>/dev/null || status=$?
[ "$status" = 2 ] || fail "a missing --out gives status $status"
echo "phantom: good"
