import FacetCheckpoint
import FacetJSON
import Foundation

/// A checkpoint with random weights in the exact layout of GLM-4V-9B, of any sizes.
///
/// It is for measuring and for testing: it says nothing sensible, but takes the room and the time of a real one.
package struct SyntheticCheckpoint: Sendable {
    /// What the weights are.
    package enum Weights: Sendable, Hashable {
        /// Pseudo-random, the same for the same seed.
        case random(seed: UInt64)
        /// Zeros that take no room on disk: for everything that reads headers only.
        case sparse
    }

    /// The sizes.
    package let geometry: ModelGeometry

    /// Which tensor goes into which file.
    package let shards: Shards

    private let configuration: String

    /// Plans a checkpoint; writes nothing.
    ///
    /// - Parameters:
    ///   - configuration: text of a `config.json`, which is written as it is unless layers are overridden.
    ///   - layerCount: replaces `num_layers`.
    ///   - visionLayerCount: replaces `vision_config.num_hidden_layers`.
    ///   - shardByteCountLimit: a new file is begun before this is passed.
    /// - Throws: `.checkpoint` for text that is not JSON, `.missingValue`, `.invalidValue`.
    package init(
        configuration: String, layerCount: Int? = nil, visionLayerCount: Int? = nil,
        shardByteCountLimit: Int = 2_000_000_000
    ) throws(SynthesisError) {
        var document: JSONValue
        do {
            document = try JSONValue(parsing: Array(configuration.utf8))
        } catch {
            throw .checkpoint(.invalidJSON(file: "config.json", error))
        }
        var text = configuration
        if let layerCount { document = document.replacing(["num_layers"], with: layerCount) }
        if let visionLayerCount {
            document = document.replacing(["vision_config", "num_hidden_layers"], with: visionLayerCount)
        }
        if layerCount != nil || visionLayerCount != nil { text = document.text + "\n" }
        geometry = try ModelGeometry(document)
        shards = Shards(geometry.tensors, byteCountLimit: shardByteCountLimit)
        self.configuration = text
    }

    /// Writes all files into a folder, which is made if need be and must be empty.
    ///
    /// - Parameters:
    ///   - vocabulary: contents of `tokenizer.model`; one is made up when nil.
    ///   - progress: called before each weight file with its number from 0.
    /// - Throws: `.folderNotEmpty`, `.unwritableFolder`, `.checkpoint`.
    package func write(
        to folder: String, weights: Weights, vocabulary: [UInt8]? = nil, progress: (Int) -> Void = { _ in }
    ) throws(SynthesisError) {
        try Self.prepare(folder)
        do throws(CheckpointError) {
            try writeWeights(weights, folder, progress)
            try Self.writeFile(folder, CheckpointIndex.fileName, Array(shards.index.utf8))
            try Self.writeFile(folder, "config.json", Array(configuration.utf8))
            try Self.writeFile(folder, "generation_config.json", Array(generationConfiguration.utf8))
            let tokenizer = SyntheticTokenizer(geometry)
            try Self.writeFile(folder, "tokenizer.model", vocabulary ?? Array(tokenizer.vocabulary.utf8))
            try Self.writeFile(folder, "tokenizer_config.json", Array(tokenizer.configuration.utf8))
        } catch {
            throw .checkpoint(error)
        }
    }

    private func writeWeights(
        _ weights: Weights, _ folder: String, _ progress: (Int) -> Void
    ) throws(CheckpointError) {
        let random: RandomWeights? =
            switch weights {
            case .random(let seed): RandomWeights(seed: seed)
            case .sparse: nil
            }
        for (place, items) in shards.items.enumerated() {
            progress(place)
            let path = folder + "/" + shards.fileName(place)
            var file = try SafetensorsWriter(path: path, items: items, metadata: ["format": "pt"])
            for item in items {
                if let random {
                    try random.write(item, trainedRowCount: geometry.rankCount, to: &file)
                } else {
                    try file.writeHole(item.byteCount)
                }
            }
            try file.finish()
        }
    }

    private var generationConfiguration: String {
        let ids = geometry.stopTokenIDs.map(String.init).joined(separator: ", ")
        return """
            {
              "eos_token_id": [\(ids)],
              "pad_token_id": \(geometry.rankCount),
              "do_sample": true,
              "temperature": 0.8,
              "max_length": \(geometry.contextLength),
              "top_p": 0.8,
              "transformers_version": "4.44.0"
            }

            """
    }

    private static func prepare(_ folder: String) throws(SynthesisError) {
        let names: [String]
        do {
            try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
            names = try FileManager.default.contentsOfDirectory(atPath: folder)
        } catch {
            throw .unwritableFolder(path: folder, reason: error.localizedDescription)
        }
        guard names.isEmpty else { throw .folderNotEmpty(path: folder) }
    }

    private static func writeFile(_ folder: String, _ name: String, _ bytes: [UInt8]) throws(CheckpointError) {
        var file = try AtomicFile(folder + "/" + name)
        try file.write(bytes)
        try file.commit()
    }
}

extension JSONValue {
    /// The document with the number at a path of keys replaced; unchanged where the path leads nowhere.
    fileprivate func replacing(_ path: ArraySlice<String>, with number: Int) -> JSONValue {
        guard let key = path.first else { return .number(JSONNumber(number)) }
        guard let object else { return self }
        var result = JSONObject()
        for member in object.members {
            let value = member.key == key ? member.value.replacing(path.dropFirst(), with: number) : member.value
            let isNew = result.append(member.key, value)
            precondition(isNew, "keys of a parsed object are distinct")
        }
        return .object(result)
    }
}
