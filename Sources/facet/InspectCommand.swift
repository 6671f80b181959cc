import ArgumentParser
import FacetCheckpoint
import FacetEngine
import FacetModel
import FacetTensor
import FacetTerminal
import Foundation

/// What a checkpoint folder holds, without reading a weight.
struct InspectCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "inspect",
        abstract: "List what a checkpoint folder holds: architecture, sizes by part, missing tensors.",
        discussion: "Reads headers only. Exit status 1 when the model could not be run from this folder."
    )

    @Flag(help: "Print one JSON object.")
    var json = false

    @Argument(help: "Checkpoint folder; the embedded demo model without it.")
    var folder: String?

    func run() async throws {
        let files = ModelFolder.files(folder)
        let checkpoint = try files.checkpoint()
        let recipe = try files.bytes(of: GLM4VConfiguration.fileName)
        let configuration = try GLM4VConfiguration(parsing: recipe)
        let report = InventoryReport(try ModelInventory(configuration), checkpoint)
        let inspection = Inspection(checkpoint, configuration, report)
        if json {
            try JSONOutput.print(inspection)
        } else {
            try StandardOutput.write(inspection.text)
        }
        try report.check()
    }
}

/// A checkpoint's contents in the form of `facet inspect --json`.
struct Inspection: Encodable {
    struct Part: Encodable {
        let name: String
        let tensorCount: Int
        let parameterCount: Int
        let byteCount: Int
        let byteCountByDtype: [String: Int]
    }

    struct Architecture: Encodable {
        let decoderLayers: Int
        let hiddenSize: Int
        let intermediateSize: Int
        let heads: Int
        let kvGroups: Int
        let headDimension: Int
        let vocabularySize: Int
        let positionLimit: Int
        let ropeRatio: Double
        let dtype: String
        let visionLayers: Int
        let visionHiddenSize: Int
        let visionHeads: Int
        let imageSize: Int
        let patchSize: Int
        let imageTokenCount: Int
    }

    let location: String
    let architecture: Architecture
    let parts: [Part]
    let fileCount: Int
    let tensorCount: Int
    let parameterCount: Int
    let byteCount: Int
    let missing: [String]
    let unexpected: [String]
    let quantized: [String]
    let mismatched: [String]

    init(_ checkpoint: Checkpoint, _ configuration: GLM4VConfiguration, _ report: InventoryReport) {
        location = checkpoint.location
        architecture = Architecture(configuration)
        parts = report.parts.map {
            Part(
                name: $0.part.rawValue, tensorCount: $0.tensorCount, parameterCount: $0.parameterCount,
                byteCount: $0.byteCount, byteCountByDtype: $0.byteCountByDType)
        }
        fileCount = checkpoint.files.count
        tensorCount = checkpoint.tensors.count
        parameterCount = parts.reduce(0) { $0 + $1.parameterCount }
        byteCount = checkpoint.byteCount
        missing = report.missing
        unexpected = report.unexpected
        quantized = report.quantized
        mismatched = report.mismatches.map(\.description)
    }

    /// The contents as lines for people.
    var text: String {
        """
        \(location)
        \(architecture.text)

        \(table)
        \(fileCount) files, \(tensorCount) tensors, \(Self.gigabytes(byteCount))
        \(problems)
        """
    }

    private var table: String {
        var table = TextTable([
            ("part", .left), ("tensors", .right), ("parameters", .right), ("bytes", .right), ("dtype", .left),
        ])
        for part in parts {
            let dtypes = part.byteCountByDtype.keys.sorted().joined(separator: ", ")
            table.append([
                part.name, "\(part.tensorCount)", Self.grouped(part.parameterCount), Self.gigabytes(part.byteCount),
                dtypes,
            ])
        }
        table.append([
            "all", "\(parts.reduce(0) { $0 + $1.tensorCount })", Self.grouped(parameterCount),
            Self.gigabytes(parts.reduce(0) { $0 + $1.byteCount }), "",
        ])
        return table.text
    }

    private var problems: String {
        let lists = [
            ("missing", missing), ("unexpected", unexpected), ("quantized", quantized), ("mismatched", mismatched),
        ]
        let lines = lists.filter { !$0.1.isEmpty }.map { title, names in
            let shown = names.prefix(10).map { "\n  \($0)" }.joined()
            let rest = names.count > 10 ? "\n  … and \(names.count - 10) more" : ""
            return "\(title): \(names.count)\(shown)\(rest)\n"
        }
        return lines.isEmpty ? "Complete: every tensor is there, with the right shape.\n" : lines.joined()
    }

    private static func gigabytes(_ byteCount: Int) -> String {
        byteCount >= 100_000_000
            ? String(format: "%.2f GB", Double(byteCount) / 1e9) : String(format: "%.2f MB", Double(byteCount) / 1e6)
    }

    private static func grouped(_ number: Int) -> String {
        let digits = Array(String(number))
        let groups = stride(from: digits.count, to: 0, by: -3).map { end in String(digits[max(0, end - 3)..<end]) }
        return groups.reversed().joined(separator: ",")
    }
}

extension Inspection.Architecture {
    init(_ configuration: GLM4VConfiguration) {
        decoderLayers = configuration.layerCount
        hiddenSize = configuration.hiddenSize
        intermediateSize = configuration.intermediateSize
        heads = configuration.headCount
        kvGroups = configuration.groupCount
        headDimension = configuration.headDimension
        vocabularySize = configuration.vocabularySize
        positionLimit = configuration.positionLimit
        ropeRatio = configuration.ropeRatio
        dtype = configuration.publishedDType.rawValue
        visionLayers = configuration.vision.layerCount
        visionHiddenSize = configuration.vision.hiddenSize
        visionHeads = configuration.vision.headCount
        imageSize = configuration.vision.imageSize
        patchSize = configuration.vision.patchSize
        imageTokenCount = configuration.imageRowCount
    }

    fileprivate var text: String {
        """
        GLM-4V: vision tower of \(visionLayers) layers x \(visionHiddenSize), \(visionHeads) heads; pictures of \
        \(imageSize) x \(imageSize) in patches of \(patchSize), \(imageTokenCount) tokens each
        decoder of \(decoderLayers) layers x \(hiddenSize), \(heads) heads x \(headDimension) in \(kvGroups) groups, \
        feed-forward \(intermediateSize); vocabulary \(vocabularySize), \(positionLimit) positions, \(dtype)
        """
    }
}
