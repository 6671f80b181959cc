// swift-tools-version: 6.3
// Times the planner: see README.md.
import PackageDescription

let package = Package(
    name: "placement-bench",
    dependencies: [.package(name: "facet", path: "../..")],
    targets: [
        .executableTarget(
            name: "placement-bench",
            dependencies: [
                .product(name: "FacetPlacement", package: "facet"), .product(name: "FacetModel", package: "facet"),
            ],
            swiftSettings: [.swiftLanguageMode(.v6)]
        )
    ]
)
