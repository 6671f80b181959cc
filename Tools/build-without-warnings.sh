#!/usr/bin/env bash
# Builds everything, tests included, from nothing in a folder of its own, and fails when the compilers warn about
# a file of this repository. Arguments are passed to `swift build`.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
scratch=.build-check
rm -rf "$scratch"
log=$(mktemp)
trap 'rm -f "$log"' EXIT

status=0
swift build "$@" --build-tests --scratch-path "$scratch" >"$log" 2>&1 || status=$?
if [ "$status" -ne 0 ]; then
    cat "$log"
    exit "$status"
fi
# A warning may be printed once per module that sees it; a dependency's own warnings are not ours.
warnings=$(grep -E "^$PWD/(Sources|Tests|Benchmarks|Package\.swift).*: warning:" "$log" | sed "s|^$PWD/||" | sort -u || true)
if [ -n "$warnings" ]; then
    printf '%s\n' "$warnings"
    exit 1
fi
echo "build: no warnings"
