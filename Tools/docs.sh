#!/usr/bin/env bash
# Writes the API reference as static pages: .build/docs/MODULE/index.html for each library of the package.
# Uses the toolchain's own `docc`; needs no plugin.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
docc=$(dirname "$(readlink -f "$(command -v swift)")")/docc
scratch=.build-docs
output=.build/docs

# Symbol graphs of everything that another target may use; the compiler writes them while it builds.
graphs=$PWD/$scratch/symbol-graphs
mkdir -p "$graphs"
swift build --product facet --scratch-path "$scratch" -Xswiftc -emit-symbol-graph \
    -Xswiftc -emit-symbol-graph-dir -Xswiftc "$graphs" -Xswiftc -symbol-graph-minimum-access-level -Xswiftc package
rm -rf "$output"
mkdir -p "$output"
for folder in Sources/Facet*/; do
    module=$(basename "$folder")
    selection=$(mktemp -d)
    cp "$graphs/$module".symbols.json "$graphs/$module"@*.symbols.json "$selection" 2>/dev/null || true
    "$docc" convert --fallback-display-name "$module" --fallback-bundle-identifier "facet.$module" \
        --additional-symbol-graph-dir "$selection" --output-path "$output/$module" \
        --transform-for-static-hosting --hosting-base-path "$module" >/dev/null
    rm -rf "$selection"
    echo "$output/$module/documentation/$(tr '[:upper:]' '[:lower:]' <<<"$module")/index.html"
done
