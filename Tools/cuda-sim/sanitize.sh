#!/usr/bin/env bash
# Runs the checks of the simulated CUDA driver: plainly, under AddressSanitizer with UndefinedBehaviorSanitizer, and
# under ThreadSanitizer. Needs clang++.
#
#   Tools/cuda-sim/sanitize.sh [plain|address|thread] [WORDS]    WORDS: only checks whose name holds them
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
build=.build/cuda-sim
mkdir -p "$build"

# Not `enum`: a C program may pass any number where the interface has an enum, and gets an error for it.
declare -A flags=(
    [plain]='-O1'
    [address]='-O1 -fsanitize=address,undefined -fno-sanitize=enum -fno-sanitize-recover=undefined'
    [thread]='-O1 -fsanitize=thread'
)
export ASAN_OPTIONS='detect_stack_use_after_return=0:allow_user_segv_handler=1:detect_leaks=0'
export TSAN_OPTIONS='halt_on_error=1'

# The thread sanitizer of Swift's clang refers to libdispatch.
swift_libraries=$(dirname "$(readlink -f "$(command -v clang++)")")/../lib/swift/linux
if [ -d "$swift_libraries" ]; then
    flags[thread]+=" -L$swift_libraries -ldispatch -lBlocksRuntime -Wl,-rpath,$swift_libraries"
fi

kinds=(plain address thread)
if [[ ${1:-} =~ ^(plain|address|thread)$ ]]; then
    kinds=("$1")
    shift
fi
for kind in "${kinds[@]}"; do
    # shellcheck disable=SC2086 # several flags
    clang++ -std=c++20 -g -ITests/CUDASim/include -ITests/CUDASimChecks/include \
        Tests/CUDASim/*.cpp Tests/CUDASimChecks/*.cpp ${flags[$kind]} -ldl -lpthread -o "$build/checks-$kind"
    echo "$kind:"
    "$build/checks-$kind" "$@" 2>"$build/$kind.log" || {
        tail -40 "$build/$kind.log"
        exit 1
    }
done
