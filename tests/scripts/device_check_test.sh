#!/usr/bin/env bash
# scripts/device-check on a machine without a GPU: it runs up to that point, says so, and leaves its
# record; without --expect-none that is exit status 3. With programs that play a GPU: a step that fails
# stops no other, and what there was no time for is named. A pack holds all that is needed.
set -uo pipefail
cd "${SOURCE:-$(dirname "${BASH_SOURCE[0]}")/../..}" || exit 1
build=${BUILD:-build}
case $("$build/orrery" devices --json 2>/dev/null) in
    *'"device":"cuda:'*)
        echo "skipped: this machine has a GPU; scripts/device-check itself is the test there"
        exit 77
        ;;
esac
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
scripts/device-check --pack "$work/pack.tar.gz" >"$work/said" 2>&1
packed=$?
if [ "$build" -ef build ] && [ -e build/liborrery_gan_cuda.so ]; then
    [ $packed = 0 ] || fail "no pack"
    [ "$(stat -c %s "$work/pack.tar.gz")" -lt 30000000 ] || fail "the pack is larger than what is carried easily"
    scripts/device-check --build "$work/pack.tar.gz" --out "$work/p" --only tests --expect-none >"$work/said" 2>&1 ||
        fail "the pack is refused"
fi

mkdir "$work/fake"
cat >"$work/fake/orrery" <<'END'
#!/bin/sh
case "$LD_LIBRARY_PATH" in "${0%/*}/lib" | "${0%/*}/lib:"*) ;; *) echo "no libraries"; exit 127 ;; esac
case "$1 $2" in
"devices --json") echo '{"message_type":"device","device":"cuda:0","name":"none"}' ;;
"bench pipeline") echo "orrery: no room"; exit 7 ;;
"bench "*) while [ $# -gt 1 ]; do [ "$1" != --json ] || echo '{"format": "fake"}' >"$2"; shift; done ;;
esac
END
printf '#!/bin/sh\necho "[  FAILED  ] Gpu.Fake"; exit 1\n' >"$work/fake/gpu_test"
printf '#!/bin/sh\nsleep 60\n' >"$work/fake/gan_device_test"
# Libraries that the machine lacks are taken from the pack, however much the loader has to say.
mkdir "$work/fake/lib" "$work/bin"
printf '#!/bin/sh\n[ -n "$LD_LIBRARY_PATH" ] || echo "libmpfr.so.6 => not found"\nseq 100000\n' >"$work/bin/ldd"
# Nsight Compute where only root may use it.
printf '#!/bin/sh\necho "==ERROR== ERR_NVGPUCTRPERM - no permission"; exit 1\n' >"$work/bin/ncu"
chmod +x "$work"/fake/* "$work/bin/ldd" "$work/bin/ncu"
PATH=$work/bin:$PATH
touch "$work/fake/liborrery_gan_cuda.so"
scripts/device-check --build "$work/fake" --out "$work/d" --only tests,pipeline,cipher,ncu >"$work/said" 2>&1
[ $? = 1 ] || fail "a failed step is not exit status 1"
scripts/device-check --build "$work/fake" --out "$work/e" --only training,cipher --limit 030 >"$work/said" 2>&1
[ $? = 1 ] || fail "a test that does not end is not exit status 1"
grep -q -- "call again with --only cipher" "$work/said" || fail "it does not say what was left out"
python3 - "$work" <<'END' || fail "the records of the played GPU are not what they should be"
import json, sys
record = json.load(open(sys.argv[1] + "/d/device-check.json"))
steps = {step["step"]: step["outcome"] for step in record["steps"]}
assert record["gpu"] and record["exit_status"] == 1 and record["bench_cipher"] == {"format": "fake"}, record
assert steps["GPU tests"] == "failed" and steps["bench cipher"] == "passed" and steps["bench pipeline"] == "failed", steps
assert steps["ncu"] == "missing", steps
record = json.load(open(sys.argv[1] + "/e/device-check.json"))
steps = {step["step"]: step for step in record["steps"]}
assert steps["GPU tests, training"]["note"].startswith("not done within ") and steps["bench cipher"]["outcome"] == "skipped", steps
END

scripts/device-check --only frob >"$work/said" 2>&1
[ $? = 2 ] || fail "an unknown step is not exit status 2"
scripts/device-check --frob >"$work/said" 2>&1
[ $? = 2 ] || fail "an unknown option is not exit status 2"
scripts/device-check --build "$work" --out "$work/c" >"$work/said" 2>&1
[ $? = 1 ] || fail "a build without the program is not exit status 1"
echo "passed"
