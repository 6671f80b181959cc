// swift-tools-version: 6.3
// Times the tokenizer and prints its ids for the comparison with tiktoken: see README.md.
import PackageDescription

let package = Package(
    name: "tokenizer-bench",
    dependencies: [.package(name: "facet", path: "../..")],
    targets: [
        .executableTarget(
            name: "tokenizer-bench",
            dependencies: [.product(name: "FacetTokenizer", package: "facet")],
            swiftSettings: [.swiftLanguageMode(.v6)]
        )
    ]
)
