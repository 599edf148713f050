#!/usr/bin/env bash
# scripts/device-check on a machine without a GPU: it runs up to that point, says so, and leaves its
# record; without --expect-none that is exit status 3.
set -uo pipefail
cd "${SOURCE:-$(dirname "${BASH_SOURCE[0]}")/..}" || exit 1
build=${BUILD:-build}
if "$build/orrery" devices --json 2>/dev/null | grep -q '"device":"cuda:'; then
    echo "skipped: this machine has a GPU; scripts/device-check itself is the test there"
    exit 77
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
fail() {
    echo "$1"
    cat "$work/said"
    exit 1
}

scripts/device-check --build "$build" --out "$work/a" --expect-none >"$work/said" 2>&1 || fail "exit status $?"
grep -q "NO GPU WAS CHECKED" "$work/said" || fail "it does not say that no GPU was checked"
python3 - "$work/a/device-check.json" <<'END' || fail "the record is not what it should be"
import json, sys
record = json.load(open(sys.argv[1]))
assert record["format"] == "orrery-device-check" and record["gpu"] is False, record
steps = {step["step"]: step["outcome"] for step in record["steps"]}
assert steps["GPU tests say that they are skipped"] == "passed", steps
assert steps["a missing GPU is a failure where one is expected"] == "passed", steps
assert "failed" not in steps.values(), steps
assert record["bench_cipher"]["format"] == "orrery-bench"
assert any(device["device"] == "cpu" for device in record["devices"])
END
grep -q "SKIPPED" "$work/a/device-check.log" || fail "the log does not show the skipped tests"

scripts/device-check --build "$build" --out "$work/b" >"$work/said" 2>&1
[ $? = 3 ] || fail "without --expect-none the exit status is not 3"
scripts/device-check --frob >"$work/said" 2>&1
[ $? = 2 ] || fail "an unknown option is not exit status 2"
scripts/device-check --build "$work" --out "$work/c" >"$work/said" 2>&1
[ $? = 1 ] || fail "a build without the program is not exit status 1"
echo "passed"
