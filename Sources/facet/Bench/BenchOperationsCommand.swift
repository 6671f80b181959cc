import ArgumentParser
import FacetComparison
import FacetTensor
import FacetTerminal
import Foundation

/// Each operation at the sizes of GLM-4V-9B, as a fraction of what the machine can do.
struct BenchOperationsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "ops",
        abstract: "Measure operations at the sizes of GLM-4V-9B against this machine's limits.",
        discussion: """
            The limits (multiply-adds from registers, reading of memory) are measured before and after each run, as \
            shared machines drift. Medians of runs, of limits and of each run's fraction of the limit around it; the \
            spread is the fastest and the slowest. \
            Arithmetic of int8 and int4 weights is compared with the limit of the activations' type, and may pass it.
            """
    )

    @Option(help: ArgumentHelp("float32 or bfloat16.", valueName: "type"))
    var dtype = "bfloat16"

    @Option(
        help: ArgumentHelp(
            "Only products, with packed weights: \(PackedFormat.allCases.map(\.rawValue).joined(separator: ", ")).",
            valueName: "format"))
    var format: String?

    @Option(help: ArgumentHelp("Elements that share a scale, in int8 (0 for a row) and int4.", valueName: "n"))
    var group: Int?

    @Option(help: ArgumentHelp("Threads that compute; all processors without it.", valueName: "n"))
    var threads: Int?

    @Option(help: ArgumentHelp("Only operations whose name contains this text.", valueName: "text"))
    var only: String?

    @Option(help: ArgumentHelp("Seconds that each operation is repeated for.", valueName: "s"))
    var seconds = 0.5

    @OptionGroup
    var comparison: ComparisonArguments

    @Flag(help: "Print one JSON object.")
    var json = false

    func run() async throws {
        let peers = try comparison.figures()
        let dtype = try ModelFolder.dtype(dtype) ?? .bfloat16
        guard seconds > 0, seconds <= 60 else {
            throw CommandError.invalidOption(
                name: "--seconds", expected: "more than 0 and at most 60", got: "\(seconds)")
        }
        let recipes = try recipes()
        let backend = try Backends.cpu(threads: threads)
        let progress = ProgressLine()
        var results: [OperationResult] = []
        for recipe in recipes where only.map({ recipe.name.contains($0) }) ?? true {
            progress.show("Measuring \(recipe.name) …")
            let result = try measure(recipe, dtype, backend)
            results.append(result)
        }
        progress.clear()
        var report = OperationReport(
            processor: CPUFeatures().modelName, threads: backend.threadCount,
            instructionSet: backend.instructionSet.rawValue, dtype: dtype.rawValue,
            weights: format ?? DType.bfloat16.rawValue, operations: results)
        report.comparison = peers.map { SpeedComparison(ours: report.figures, peers: $0) }
        if json { return try JSONOutput.print(report) }
        try StandardOutput.write(report.text + (report.comparison.map { "\n" + $0.text } ?? ""))
    }

    /// The operations that the options ask for.
    private func recipes() throws -> [OperationRecipe] {
        guard let format else { return OperationRecipe.all }
        guard let packed = PackedFormat(rawValue: format) else {
            throw CommandError.invalidOption(
                name: "--format", expected: PackedFormat.allCases.map(\.rawValue).joined(separator: ", "), got: format)
        }
        let group = group ?? packed.groups.first ?? 0
        guard packed.groups.contains(group) else {
            throw CommandError.invalidOption(
                name: "--group", expected: packed.groups.map(String.init).joined(separator: ", "), got: "\(group)")
        }
        return OperationRecipe.packed(packed, group: group)
    }

    /// Builds, measures and frees one operation.
    private func measure(
        _ recipe: OperationRecipe, _ dtype: DType, _ backend: CPUBackend
    ) throws -> OperationResult {
        var cases = OperationCases(backend: backend, dtype: dtype)
        let operation = try recipe.make(&cases)
        let sample: () -> Double
        switch operation.bound {
        case .arithmetic: sample = { MachineLimits.sampleArithmetic(backend, dtype) }
        case .bandwidth: sample = try ReadProbe(backend).sample
        }
        var runs = MeasurementBesideLimit(sample: sample)
        try runs.repeating(for: .seconds(seconds), operation.run)
        return OperationResult(operation, runs)
    }
}

/// How to build one operation of the benchmark.
struct OperationRecipe: Sendable {
    let name: String
    let make: @Sendable (inout OperationCases) throws -> OperationCase

    private static func linear(
        _ name: String, _ rows: Int, _ inputs: Int, _ outputs: Int, _ epilogue: LinearEpilogue = .store
    ) -> OperationRecipe {
        OperationRecipe(name: name) { cases in
            try cases.linear(name, rows: rows, outputs: outputs, inputs: inputs, epilogue: epilogue)
        }
    }

    /// The products of GLM-4V-9B with packed weights.
    static func packed(_ format: PackedFormat, group: Int) -> [OperationRecipe] {
        let sizes: [(String, Int, Int, Int)] = [
            ("product: decoder qkv", 512, 4096, 4608), ("product: decoder gate+up", 512, 4096, 27392),
            ("product: decoder down", 512, 13696, 4096), ("product: vision qkv", 6401, 1792, 5376),
            ("product: vision fc1", 6401, 1792, 15360), ("row: decoder qkv", 1, 4096, 4608),
            ("row: decoder dense", 1, 4096, 4096), ("row: decoder gate+up", 1, 4096, 27392),
            ("row: decoder down", 1, 13696, 4096), ("row: output layer", 1, 4096, 151_552),
            ("rows: decoder gate+up", 8, 4096, 27392),
        ]
        return sizes.map { name, rows, inputs, outputs in
            OperationRecipe(name: name) { cases in
                try cases.packed(
                    name, rows: rows, outputs: outputs, inputs: inputs, format: format, group: group)
            }
        }
    }

    private static let decoderHeads = AttentionShape(heads: 32, groups: 2, headDimension: 128)

    /// The operations of GLM-4V-9B (hidden 4096, feed-forward 13696; tower 1792, 15360, 6401 rows).
    static let all: [OperationRecipe] = [
        linear("product: decoder qkv", 512, 4096, 4608),
        linear("product: decoder qkv", 1600, 4096, 4608),
        linear("product: decoder dense", 512, 4096, 4096, .addResidual),
        linear("product: decoder gate+up", 512, 4096, 27392),
        linear("product: decoder down", 512, 13696, 4096, .addResidual),
        linear("product: vision qkv", 6401, 1792, 5376),
        linear("product: vision fc1", 6401, 1792, 15360, .gelu),
        linear("product: vision fc2", 6401, 15360, 1792),
        linear("row: decoder qkv", 1, 4096, 4608),
        linear("row: decoder dense", 1, 4096, 4096, .addResidual),
        linear("row: decoder gate+up", 1, 4096, 27392),
        linear("row: decoder down", 1, 13696, 4096, .addResidual),
        linear("row: output layer", 1, 4096, 151_552),
        linear("rows: decoder gate+up", 8, 4096, 27392),
        OperationRecipe(name: "attention: vision") { cases in
            try cases.bidirectionalAttention("attention: vision", rows: 6401, heads: 16, headDimension: 112)
        },
        OperationRecipe(name: "attention: prefill") { cases in
            try cases.pagedAttention("attention: prefill", rows: 512, context: 2048, shape: decoderHeads)
        },
        OperationRecipe(name: "attention: decode") { cases in
            try cases.pagedAttention("attention: decode", rows: 1, context: 8192, shape: decoderHeads)
        },
        OperationRecipe(name: "attention: decode, int8 cache") { cases in
            try cases.pagedAttention(
                "attention: decode, int8 cache", rows: 1, context: 8192, shape: decoderHeads, quantized: true)
        },
        OperationRecipe(name: "norm: RMSNorm") { cases in
            try cases.rowwise("norm: RMSNorm", rows: 2048, width: 4096) {
                backend, x, y, parameter throws(TensorError) in
                try backend.rmsNorm(x, RMSNormWeights(weight: parameter, epsilon: 1e-6), into: y)
            }
        },
        OperationRecipe(name: "norm: LayerNorm + residual") { cases in
            try cases.rowwise("norm: LayerNorm + residual", rows: 6401, width: 1792) {
                backend, x, y, parameter throws(TensorError) in
                let norm = LayerNormWeights(weight: parameter, bias: parameter, epsilon: 1e-6)
                try backend.layerNorm(x, norm, epilogue: .addResidual, into: y)
            }
        },
    ]
}
