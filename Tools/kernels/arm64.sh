#!/bin/sh
# Compiles the kernels for arm64 and checks them under emulation. Needs clang and, from Debian,
# gcc-aarch64-linux-gnu, libc6-dev-arm64-cross and qemu-user.
set -eu
cd "$(dirname "$0")/../.."
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
clang --target=aarch64-linux-gnu --ld-path="$(command -v aarch64-linux-gnu-ld)" -std=c2x -O2 -pthread \
    -Wall -Wextra -Werror -ISources/CCPU/include -ISources/CCPU Sources/CCPU/*.c Tools/kernels/check.c -lm -o "$out/check"
qemu-aarch64 -L /usr/aarch64-linux-gnu "$out/check"
