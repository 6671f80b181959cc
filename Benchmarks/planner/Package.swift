// swift-tools-version: 6.3
// Times the planner: see README.md.
import PackageDescription

let package = Package(
    name: "planner-bench",
    dependencies: [.package(name: "facet", path: "../..")],
    targets: [
        .executableTarget(
            name: "planner-bench",
            dependencies: [
                .product(name: "FacetPlacement", package: "facet"), .product(name: "FacetModel", package: "facet"),
            ],
            swiftSettings: [.swiftLanguageMode(.v6)]
        )
    ]
)
