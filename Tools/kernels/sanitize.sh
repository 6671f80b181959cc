#!/bin/sh
# Checks the kernels of every instruction set of this processor under AddressSanitizer and UndefinedBehaviorSanitizer,
# then under ThreadSanitizer. Needs clang with their libraries.
set -eu
cd "$(dirname "$0")/../.."
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
# The thread sanitizer of Swift's clang refers to libdispatch.
swift_libraries=$(dirname "$(readlink -f "$(command -v clang)")")/../lib/swift/linux
for kind in address,undefined thread; do
    more=
    if [ "$kind" = thread ] && [ -d "$swift_libraries" ]; then
        more="-L$swift_libraries -ldispatch -lBlocksRuntime -Wl,-rpath,$swift_libraries"
    fi
    # Vectors are read where their elements lie: alignment is not asked for.
    clang -std=c2x -O1 -g -fsanitize="$kind" -fno-sanitize=alignment -fno-sanitize-recover=undefined -pthread \
        -ISources/CCPU/include -ISources/CCPU Sources/CCPU/*.c Tools/kernels/check.c -lm $more -o "$out/check"
    echo "$kind:"
    "$out/check" >"$out/lines" 2>&1 || { cat "$out/lines"; exit 1; }
    tail -1 "$out/lines"
done
