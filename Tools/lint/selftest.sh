#!/usr/bin/env bash
# Proves that the lint tools find what they look for: plants one fault at a time in a small clean package and
# expects exactly that line to be reported.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
passed=0 failed=0

# A package with a C target, a library on it, one on that, a test target and documents in two languages.
make_package() {
    rm -rf "$scratch/package"
    mkdir -p "$scratch/package" && cd "$scratch/package"
    git init --quiet .
    mkdir -p Sources/CTop/include Sources/FacetTensor Sources/FacetModel Tests/FacetModelTests docs
    cat >Package.swift <<'SWIFT'
// swift-tools-version: 6.3
import PackageDescription
let package = Package(
    name: "planted",
    targets: [
        .target(name: "CTop"),
        .target(name: "COther"),
        .target(name: "FacetTensor", dependencies: ["CTop"]),
        .target(name: "FacetModel", dependencies: ["FacetTensor"]),
        .testTarget(name: "FacetModelTests", dependencies: ["FacetModel"]),
    ]
)
SWIFT
    printf '#include <stddef.h>\nint top(void);\n' >Sources/CTop/include/CTop.h
    printf '#include "CTop.h"\nint top(void) { return 1; }\n' >Sources/CTop/top.c
    mkdir -p Sources/COther/include && printf 'int other(void);\n' >Sources/COther/include/COther.h
    cat >Sources/FacetTensor/Tensor.swift <<'SWIFT'
import CTop
internal import Synchronization

/// A tensor.
@frozen
public struct Tensor {
    /// What it holds: "public let no = 1" is text.
    @inlinable @available(
        *, deprecated
    )
    package static func make() -> Int { 1 }
    let text = """
        public func notCode()
        """
}

/// What a device does.
package protocol Backend {
    /// Adds.
    func add(_ x: Int)
}

extension Tensor: Hashable {}
SWIFT
    printf 'public import FacetTensor\nimport Foundation\n' >Sources/FacetModel/Model.swift
    printf 'import FacetModel\nimport Testing\n' >Tests/FacetModelTests/ModelTests.swift
    printf '# Planted\n\n[guide](docs/guide.md)\n\n```\nmake test\n```\n' >README.md
    printf '# 样例\n\n[指南](docs/guide.zh-CN.md)\n\n```\nmake test\n```\n' >README.zh-CN.md
    printf '# Guide\n' >docs/guide.md
    printf '# 指南\n' >docs/guide.zh-CN.md
}

# expect FILE:LINE WORDS: lint reports exactly one line, there, with these words in it; or none for ''.
expect() {
    local place=$1 words=$2 output status=0
    output=$("$here/lint.sh" "$scratch/package") || status=$?
    if [ -z "$place" ] && [ "$status" -eq 0 ]; then
        passed=$((passed + 1))
    elif [ -n "$place" ] && [ "$status" -eq 1 ] && [ "$(wc -l <<<"$output")" -eq 1 ] && [[ $output == "$place: "*"$words"* ]]; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        printf 'selftest: expected "%s: …%s…", status %s gave:\n%s\n' "$place" "$words" "$status" "$output"
    fi
}

make_package
expect '' ''

make_package
echo 'import CTop' >>Sources/FacetModel/Model.swift
expect Sources/FacetModel/Model.swift:3 'FacetModel imports CTop'

make_package
echo '@preconcurrency public import struct FacetTensor.Tensor' >>Tests/FacetModelTests/ModelTests.swift
expect Tests/FacetModelTests/ModelTests.swift:3 'FacetModelTests imports FacetTensor'

make_package
echo 'import Testing' >>Sources/FacetModel/Model.swift
expect Sources/FacetModel/Model.swift:3 'FacetModel imports Testing'

make_package
echo 'import Foundation' >>Sources/FacetTensor/Tensor.swift
expect Sources/FacetTensor/Tensor.swift:24 'FacetTensor must not import Foundation'

make_package
echo '@testable import FacetModel' >>Tests/FacetModelTests/ModelTests.swift
expect Tests/FacetModelTests/ModelTests.swift:3 '@testable'

make_package
echo '#include "COther.h"' >>Sources/CTop/top.c
expect Sources/CTop/top.c:3 'CTop includes COther.h of COther'

make_package
printf '\npublic func bare() {}\n' >>Sources/FacetTensor/Tensor.swift
expect Sources/FacetTensor/Tensor.swift:25 'no doc comment: public func bare()'

make_package
printf '// A remark is no doc comment.\n@discardableResult package static func bare() -> Int { 1 }\n' >>Sources/FacetTensor/Tensor.swift
expect Sources/FacetTensor/Tensor.swift:25 'no doc comment: package static func bare()'

make_package
printf '/// What a runner does.\npublic protocol Runner {\n    func run(_ x: Int)\n}\n' >>Sources/FacetTensor/Tensor.swift
expect Sources/FacetTensor/Tensor.swift:26 'no doc comment: func run'

make_package
printf '/// A device.\npublic final class Device: Backend {\n    package func add(_ x: Int) {}\n}\n' >>Sources/FacetModel/Model.swift
expect '' ''

make_package
printf '/// A device.\npublic final class Device: Backend {\n    package func subtract(_ x: Int) {}\n}\n' >>Sources/FacetModel/Model.swift
expect Sources/FacetModel/Model.swift:5 'no doc comment: package func subtract'

make_package
echo '// TODO: later' >>Sources/FacetModel/Model.swift
expect Sources/FacetModel/Model.swift:3 'note to self'

make_package
echo '// TODO(#12): when the second device exists' >>Sources/FacetModel/Model.swift
expect '' ''

make_package
echo '// see /home/someone/notes' >>Sources/FacetModel/Model.swift
expect Sources/FacetModel/Model.swift:3 'absolute path'

make_package
echo 'func stop() -> Never { fatalError("stop") }' >>Sources/FacetModel/Model.swift
expect Sources/FacetModel/Model.swift:3 fatalError

make_package
echo 'func say() { print("x") }' >>Sources/FacetModel/Model.swift
expect Sources/FacetModel/Model.swift:3 'a library prints'

make_package
for _ in $(seq 500); do echo 'let line = 1'; done >>Sources/FacetModel/Model.swift
expect Sources/FacetModel/Model.swift:502 'longer than 500 lines'

make_package
printf '## More\n' >>README.md
expect README.zh-CN.md:1 "'nothing' against 'heading 2'"

make_package
sed -i 's/make test/make  test/' README.zh-CN.md
expect README.zh-CN.md:6 "'code make  test' against 'code make test'"

make_package
rm docs/guide.zh-CN.md
sed -i 's/guide.zh-CN/guide/' README.zh-CN.md
expect docs/guide.md:1 'no Chinese edition'

make_package
echo '[gone](docs/gone.md)' >>docs/guide.md
expect docs/guide.md:2 'links to docs/gone.md'

make_package
echo 'Read `FacetTensor/Tensor.swift`, then `FacetTensor/Gone.swift`.' >>CHANGELOG.md
expect CHANGELOG.md:1 'names FacetTensor/Gone.swift'

make_package
printf '| `CTop` |\n| `COther` |\n| `FacetTensor` | `CTop` |\n' >ARCHITECTURE.md
expect ARCHITECTURE.md:1 'lacks FacetModel'

make_package
printf '| `CTop` |\n| `COther` |\n| `FacetTensor` | `CTop` |\n| `FacetModel` | – |\n' >ARCHITECTURE.md
expect ARCHITECTURE.md:4 'row of FacetModel does not name FacetTensor'

echo "lint selftest: $passed passed, $failed failed"
[ "$failed" -eq 0 ]
