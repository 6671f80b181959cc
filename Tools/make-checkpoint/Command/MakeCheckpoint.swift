import ArgumentParser
import CheckpointSynthesis
import FacetCheckpoint
import Foundation

/// `make-checkpoint`: writes a random-weight checkpoint of any GLM-4V configuration, for tests and measurements.
@main
struct MakeCheckpoint: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "make-checkpoint",
        abstract: "Writes a checkpoint with random weights in the layout of GLM-4V-9B.",
        discussion: "The full preset takes 27.8 GB of disk; with --sparse almost none, all weights being zero.")

    @Option(help: "The folder to write; must be new or empty.")
    var output: String

    @Option(help: "A configuration that is built in: \(Presets.names.joined(separator: ", ")).")
    var preset: String?

    @Option(help: "A config.json to follow instead of a preset.")
    var config: String?

    @Option(help: "Number of decoder layers instead of the configuration's.")
    var layers: Int?

    @Option(help: "Number of vision layers instead of the configuration's.")
    var visionLayers: Int?

    @Option(help: "The same seed gives the same weights.")
    var seed: UInt64 = 1

    @Flag(help: "Write holes instead of weights: for what reads headers only.")
    var sparse = false

    @Option(help: "A tokenizer.model to copy instead of making one up.")
    var tokenizer: String?

    @Option(help: "Begin a new weight file before this many bytes are passed.")
    var shardBytes = 2_000_000_000

    func validate() throws {
        guard (preset == nil) != (config == nil) else {
            throw ValidationError("Give either --preset or --config.")
        }
        guard shardBytes > 0 else { throw ValidationError("--shard-bytes must be above 0.") }
    }

    func run() throws {
        let checkpoint = try SyntheticCheckpoint(
            configuration: configurationText(), layerCount: layers, visionLayerCount: visionLayers,
            shardByteCountLimit: shardBytes)
        let vocabulary = try tokenizer.map { try FileContents.bytes(of: $0, limit: 64 << 20) }
        let shards = checkpoint.shards
        try checkpoint.write(to: output, weights: sparse ? .sparse : .random(seed: seed), vocabulary: vocabulary) {
            FileHandle.standardError.write(Data("\(shards.fileName($0))\n".utf8))
        }
        let tensorCount = shards.items.joined().count
        print("\(output): \(tensorCount) tensors, \(shards.byteCount) bytes in \(shards.items.count) files")
    }

    private func configurationText() throws -> String {
        if let preset {
            guard let text = Presets.configuration(named: preset) else {
                throw ValidationError("There is no preset \(preset); known: \(Presets.names.joined(separator: ", ")).")
            }
            return text
        }
        let bytes = try FileContents.bytes(of: config ?? "", limit: 1 << 20)
        return String(decoding: bytes, as: UTF8.self)
    }
}
