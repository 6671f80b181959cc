// swift-tools-version: 6.3
// The targets stand bottom up: each may import only what its `dependencies` line names
// (`make lint` compares every import with this file). ARCHITECTURE.md explains the layers.
import PackageDescription

let swiftSettings: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
]

// Which commit an executable was built from: `FACET_COMMIT=$(git rev-parse --short HEAD) swift build`.
let commit = Context.environment["FACET_COMMIT"] ?? ""
let commitSettings: [CSetting] = commit.isEmpty ? [] : [.define("FACET_COMMIT", to: commit)]

let package = Package(
    name: "facet",
    products: [
        .executable(name: "facet", targets: ["facet"]),
        .library(name: "FacetTokenizer", targets: ["FacetTokenizer"]),
        .library(name: "FacetPlacement", targets: ["FacetPlacement"]),
        .library(name: "FacetModel", targets: ["FacetModel"]),
        // For tests alone: opened by path, linked by nothing.
        .library(name: "FakeCUDA", type: .dynamic, targets: ["FakeCUDA"]),
        .library(name: "CUDASim", type: .dynamic, targets: ["CUDASim"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser.git", from: "1.8.0"),
        .package(url: "https://github.com/apple/swift-log.git", from: "1.16.0"),
    ],
    targets: [
        // C: hot loops with per-function instruction sets; image codecs behind one shim.
        .target(name: "CCPU"),
        .target(
            name: "CImageCodecs",
            linkerSettings: [
                .linkedLibrary("jpeg"), .linkedLibrary("png16"), .linkedLibrary("webp"),
                .linkedLibrary("webpdemux"), .linkedLibrary("gif"),
            ]
        ),

        // C: NVIDIA's libraries, declared by hand and opened at run time.
        .target(name: "CCUDA"),
        // CUDA kernels as text, for NVRTC.
        .target(name: "CCUDAKernels", exclude: ["cuda"]),

        // What a tensor, a device and a backend are; the CPU backend.
        .target(name: "FacetTensor", dependencies: ["CCPU"], swiftSettings: swiftSettings),

        // NVIDIA's cards: the driver, its libraries, memory, streams and kernels.
        .target(
            name: "FacetCUDA", dependencies: ["CCUDA", "CCUDAKernels", "FacetTensor"], swiftSettings: swiftSettings),

        // JSON, strict and in order, below everything that reads it.
        .target(name: "FacetJSON", swiftSettings: swiftSettings),

        // Files, text and pictures: three readers that know nothing of each other.
        .target(name: "FacetCheckpoint", dependencies: ["FacetTensor", "FacetJSON"], swiftSettings: swiftSettings),
        .target(name: "FacetTokenizer", dependencies: ["FacetJSON"], swiftSettings: swiftSettings),
        .target(name: "FacetImage", dependencies: ["CImageCodecs"], swiftSettings: swiftSettings),

        // Which unit goes on which device: pure arithmetic.
        .target(name: "FacetPlacement", swiftSettings: swiftSettings),

        // Lines, keys and tables on a terminal; apart from the executable so that tests can import it.
        .target(name: "FacetTerminal", swiftSettings: swiftSettings),

        // Plans as people meet them: machine files and device maps, tables, pictures, JSON.
        .target(
            name: "FacetPlanReport", dependencies: ["FacetPlacement", "FacetJSON", "FacetTerminal"],
            swiftSettings: swiftSettings),

        // Measured speeds beside those of other programs.
        .target(
            name: "FacetComparison", dependencies: ["FacetJSON", "FacetTerminal"], swiftSettings: swiftSettings),
        // Weights to codes and scales.
        .target(name: "FacetQuantization", dependencies: ["FacetTensor"], swiftSettings: swiftSettings),

        // The model, and the engine that feeds it.
        .target(
            name: "FacetModel",
            dependencies: ["FacetTensor", "FacetJSON", "FacetCheckpoint", "FacetPlacement", "FacetQuantization"],
            swiftSettings: swiftSettings),
        .target(
            name: "FacetEngine",
            dependencies: [
                "FacetTensor", "FacetCheckpoint", "FacetPlacement", "FacetModel", "FacetTokenizer", "FacetImage",
                .product(name: "Logging", package: "swift-log"),
            ],
            swiftSettings: swiftSettings
        ),

        // Runs reference cases through the engine: shared by `facet verify` and the golden tests.
        .target(
            name: "FacetVerify",
            dependencies: [
                "FacetTensor", "FacetJSON", "FacetCheckpoint", "FacetPlacement", "FacetTokenizer", "FacetImage",
                "FacetModel", "FacetEngine",
            ],
            swiftSettings: swiftSettings
        ),

        // The demo model's files inside the executable.
        .target(name: "CDemoModel", exclude: ["model"]),
        .target(name: "FacetDemo", dependencies: ["CDemoModel", "FacetEngine"], swiftSettings: swiftSettings),

        // What this machine is and what of it would keep a model from running; behind `facet doctor`.
        .target(name: "CBuild", cSettings: commitSettings),
        .target(
            name: "FacetDoctor",
            dependencies: [
                "CBuild", "FacetTensor", "FacetJSON", "FacetCheckpoint", "FacetPlacement", "FacetTerminal",
                "FacetPlanReport", "FacetTokenizer", "FacetImage", "FacetModel", "FacetEngine",
            ],
            swiftSettings: swiftSettings),

        // The composition root: chooses backends and wires everything.
        .executableTarget(
            name: "facet",
            dependencies: [
                "FacetTensor", "FacetCheckpoint", "FacetTokenizer", "FacetImage", "FacetModel", "FacetEngine",
                "FacetVerify", "FacetDemo", "FacetTerminal", "FacetPlacement", "FacetPlanReport",
                "FacetComparison", "FacetDoctor", "FacetCUDA",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "Logging", package: "swift-log"),
            ],
            swiftSettings: swiftSettings
        ),

        // Writes random-weight checkpoints of any sizes, for tests and measurements.
        .target(
            name: "CheckpointSynthesis", dependencies: ["FacetJSON", "FacetCheckpoint"],
            path: "Tools/make-checkpoint/Synthesis",
            swiftSettings: swiftSettings),
        .executableTarget(
            name: "make-checkpoint",
            dependencies: [
                "CheckpointSynthesis", "FacetCheckpoint",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ],
            path: "Tools/make-checkpoint/Command",
            swiftSettings: swiftSettings
        ),

        // Tests: one target per source target, and what they share.
        .target(
            name: "FacetTestSupport",
            dependencies: ["FacetTensor"],
            path: "Tests/FacetTestSupport",
            swiftSettings: swiftSettings
        ),
        // The CUDA kernels compiled for this processor, and their checks, which a card can run too.
        .target(
            name: "SIMTKernels", dependencies: ["CCUDAKernels"], path: "Tests/SIMTKernels",
            cxxSettings: [
                .headerSearchPath("."), .headerSearchPath("../../Sources/CCUDAKernels"),
                .headerSearchPath("../../Sources/CCUDAKernels/cuda"),
            ]),
        .target(
            name: "KernelChecks", dependencies: ["SIMTKernels", "CCUDAKernels"], path: "Tests/KernelChecks",
            cxxSettings: [.headerSearchPath("../SIMTKernels"), .headerSearchPath("../../Sources/CCUDAKernels/cuda")]),
        .testTarget(
            name: "CCUDAKernelsTests", dependencies: ["CCUDAKernels", "SIMTKernels", "KernelChecks"],
            swiftSettings: swiftSettings),
        // A simulated CUDA driver with the kernels inside, and what it promises; only tests open it.
        .target(
            name: "CUDASim", dependencies: ["SIMTKernels"], path: "Tests/CUDASim", exclude: ["README.md"],
            linkerSettings: [.linkedLibrary("dl"), .linkedLibrary("pthread")]),
        .target(
            name: "CUDASimChecks", dependencies: ["CUDASim"], path: "Tests/CUDASimChecks", exclude: ["run.cpp"]),
        .testTarget(name: "CUDASimTests", dependencies: ["CUDASimChecks"], swiftSettings: swiftSettings),
        .testTarget(
            name: "FacetTensorTests", dependencies: ["FacetTensor", "FacetTestSupport"], swiftSettings: swiftSettings),
        .target(name: "FakeCUDA", dependencies: ["CCUDA"], path: "Tests/FakeCUDA"),
        .testTarget(
            name: "FacetCUDATests", dependencies: ["FacetCUDA", "FacetTensor", "FacetTestSupport"],
            swiftSettings: swiftSettings),
        // FacetCUDA on the simulated driver, with the kernels that a card would run.
        .testTarget(
            name: "FacetCUDASimTests",
            dependencies: [
                "FacetCUDA", "CCUDAKernels", "FacetTensor", "FacetTokenizer", "FacetImage", "FacetPlacement",
                "FacetCheckpoint", "FacetModel", "FacetEngine", "FacetVerify", "FacetTestSupport",
            ],
            swiftSettings: swiftSettings),
        .testTarget(
            name: "FacetCheckpointTests",
            dependencies: ["FacetCheckpoint", "FacetJSON", "CheckpointSynthesis", "FacetTensor", "FacetTestSupport"],
            swiftSettings: swiftSettings
        ),
        .testTarget(
            name: "FacetTokenizerTests",
            dependencies: ["FacetTokenizer", "FacetJSON", "FacetTestSupport"],
            swiftSettings: swiftSettings
        ),
        .testTarget(
            name: "FacetJSONTests", dependencies: ["FacetJSON", "FacetTestSupport"], swiftSettings: swiftSettings),
        .testTarget(
            name: "FacetImageTests",
            dependencies: ["FacetImage", "CImageCodecs", "FacetTestSupport"],
            swiftSettings: swiftSettings
        ),
        .testTarget(
            name: "FacetPlacementTests", dependencies: ["FacetPlacement", "FacetTestSupport"],
            swiftSettings: swiftSettings),
        .testTarget(
            name: "FacetPlanReportTests",
            dependencies: ["FacetPlanReport", "FacetPlacement", "FacetModel", "FacetTestSupport"],
            swiftSettings: swiftSettings),
        .testTarget(
            name: "FacetComparisonTests", dependencies: ["FacetComparison"], swiftSettings: swiftSettings),
        .testTarget(
            name: "FacetQuantizationTests", dependencies: ["FacetQuantization", "FacetTensor"],
            swiftSettings: swiftSettings),
        .testTarget(
            name: "FacetModelTests",
            dependencies: [
                "FacetModel", "FacetCheckpoint", "FacetPlacement", "FacetQuantization", "FacetTensor",
                "FacetTestSupport",
            ],
            swiftSettings: swiftSettings
        ),
        .testTarget(
            name: "FacetEngineTests",
            dependencies: [
                "FacetEngine", "FacetModel", "FacetCheckpoint", "FacetPlacement", "FacetTokenizer", "FacetImage",
                "FacetTensor", "FacetTestSupport",
            ],
            swiftSettings: swiftSettings
        ),
        .testTarget(name: "FacetTerminalTests", dependencies: ["FacetTerminal"], swiftSettings: swiftSettings),
        .testTarget(
            name: "FacetVerifyTests",
            dependencies: [
                "FacetVerify", "FacetDemo", "FacetEngine", "FacetModel", "FacetPlacement", "FacetTokenizer",
                "FacetTensor", "FacetTestSupport",
            ],
            swiftSettings: swiftSettings
        ),
        .testTarget(
            name: "FacetDoctorTests",
            dependencies: [
                "FacetDoctor", "FacetDemo", "FacetEngine", "FacetPlacement", "FacetTensor", "FacetTestSupport",
            ],
            swiftSettings: swiftSettings),
        .testTarget(
            name: "FacetCommandTests", dependencies: ["facet", "FacetTestSupport"], swiftSettings: swiftSettings),
    ],
    cLanguageStandard: .c2x,
    cxxLanguageStandard: .cxx20
)
