#!/usr/bin/env bash
# Builds check-on-card: Tools/cuda/check-on-card/build.sh [OUTPUT]; default: .build/cuda/check-on-card
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../../.."
output=${1:-.build/cuda/check-on-card}
mkdir -p "$(dirname "$output")"
# The shim is linked because the checks of the shim itself are among the sources; nothing of it runs here. The C++ runtime
# is inside, so that the program runs on another machine.
"${CXX:-clang++}" -std=c++20 -O1 -Wall -Wextra \
    -I Tests/KernelChecks/include -I Tests/KernelChecks -I Tests/SIMTKernels/include -I Tests/SIMTKernels \
    -I Sources/CCUDAKernels -I Sources/CCUDAKernels/include -I Sources/CCUDAKernels/cuda \
    Tools/cuda/check-on-card/main.cpp Tests/KernelChecks/*.cpp Tests/SIMTKernels/*.cpp \
    -static-libstdc++ -static-libgcc -ldl -o "$output"
