#!/usr/bin/env bash
# Makes the folder that a machine with cards needs and nothing else: the static `facet`, its kernels as cubins beside it,
# the program that checks kernels on a card, Benchmarks/gpu.sh, and the reference cases. Packed next to it, too.
#
#   Tools/static/bundle.sh [OPTION…]    options for `swift build`; result: .build-static/bundle and bundle.tar.xz
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
bundle=.build-static/bundle

Tools/static/build.sh "$@"
Tools/cuda/kernelc.py
kernels=.build/cuda/nvrtc-12.9/kernels-$(Tools/cuda/kernelc.py --key)

rm -rf "$bundle"
mkdir -p "$bundle/Benchmarks" "$bundle/Tests/Fixtures"
cp .build-static/facet LICENSE "$bundle"
cp -r "$kernels" "$bundle"
Tools/cuda/check-on-card/build.sh "$bundle/check-on-card"
cp -r Benchmarks/gpu.sh Benchmarks/gpu Benchmarks/peers "$bundle/Benchmarks"
cp -r Tests/Fixtures/glm4v-tiny "$bundle/Tests/Fixtures"
git rev-parse --short HEAD >"$bundle/commit"
tar -C .build-static -cJf .build-static/bundle.tar.xz bundle
echo "static: $bundle: $(du -sh "$bundle" | cut -f1), packed $(du -h .build-static/bundle.tar.xz | cut -f1)"
