#!/usr/bin/env bash
# The program and its modules offer no way to fix randomness or time; the test program, built from the same sources,
# does (otherwise this test would look for the wrong thing). Nor does the program bind symbols lazily,
# which would leave vector registers, and keys in them, on its stack (CMakeLists.txt).
set -euo pipefail
: "${ORRERY:?set by ctest: the program}" "${BUILD:?set by ctest: the build directory}"

hook=ORRERY_TEST_SEED
programs=("$ORRERY")
for module in "$BUILD"/liborrery_*.so; do
    [ ! -e "$module" ] || programs+=("$module")
done
if grep -qa "$hook" "${programs[@]}" || grep -qa "$hook" "$BUILD/host/liborrery_host.a"; then
    echo "$ORRERY, a module or their library contains $hook"
    exit 1
fi
if nm -a "${programs[@]}" "$BUILD/host/liborrery_host.a" 2>/dev/null |
    grep -E ' [TtDdBbRr] orr_(file_draw_begin|file_now|test_)'; then
    echo "a hook is linked into the program"
    exit 1
fi
grep -qa "$hook" "$BUILD/host/liborrery_host_testing.a" || {
    echo "the test library has no $hook: this test looks for the wrong name"
    exit 1
}
for program in "${programs[@]}"; do
    LC_ALL=C readelf -d "$program" | grep -E 'FLAGS' | grep -q NOW || {
        echo "$program binds symbols lazily"
        exit 1
    }
done
echo "no hook in ${programs[*]}"
