#!/bin/sh
# Runs the tests of a target under a sanitizer, each suite in a process of its own, since what the sanitizer notes of
# memory grows with every simulated card, and prints a line for each. Takes hours for all of FacetCUDASimTests.
#
#     Tools/swift-sanitizers/run.sh thread|address [TARGET [SUITE...]]
set -eu
cd "$(dirname "$0")/../.."
kind=$1
target=${2:-FacetCUDASimTests}
shift "$(($# < 2 ? 1 : 2))"
suites=${*:-$(sed -n 's/.*struct \([A-Za-z0-9]*Tests\)\b.*/\1/p' Tests/"$target"/*.swift | sort -u)}
work=.build-$kind
mkdir -p "$work"
export TSAN_OPTIONS="memory_limit_mb=11000" ASAN_OPTIONS="detect_leaks=0:quarantine_size_mb=64"
options="-c release -j 2 --scratch-path $work --sanitize=$kind --disable-testable-imports --no-parallel"
# Builds everything, and runs nothing.
swift test $options --filter '^$' >"$work/build.log" 2>&1 || { tail -20 "$work/build.log"; exit 1; }
if [ "$kind" = thread ] && [ "$(uname -m)" = x86_64 ]; then
    clang -O1 -shared -fPIC Tools/swift-sanitizers/mutex.c -ldl -o "$work/mutex.so"
    preload=$PWD/$work/mutex.so
fi
failed=0
for suite in $suites; do
    log=$work/$suite.log
    LD_PRELOAD=${preload:-} swift test $options --skip-build --filter "$target.$suite" >"$log" 2>&1 || failed=1
    reports=$(grep -c 'WARNING: ThreadSanitizer\|ERROR: AddressSanitizer' "$log" || true)
    [ "$reports" = 0 ] || failed=1
    echo "$suite: $reports reports; $(grep '^. Test run with' "$log" || echo "did not finish, see $log")"
done
exit $failed
