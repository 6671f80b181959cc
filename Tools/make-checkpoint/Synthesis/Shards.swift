package import FacetCheckpoint
import FacetJSON

/// Tensors distributed over files as the published checkpoints do it.
///
/// In order, with a new file when the next tensor would pass the limit; layers are split wherever that falls.
package struct Shards: Sendable {
    /// The tensors of each file; never empty.
    package let items: [[SafetensorsWriter.Item]]

    /// Packs tensors; one that is larger than the limit gets a file of its own.
    package init(_ tensors: [SafetensorsWriter.Item], byteCountLimit: Int) {
        var shards: [[SafetensorsWriter.Item]] = []
        var current: [SafetensorsWriter.Item] = []
        var byteCount = 0
        for tensor in tensors {
            if !current.isEmpty && byteCount + tensor.byteCount > byteCountLimit {
                shards.append(current)
                current = []
                byteCount = 0
            }
            current.append(tensor)
            byteCount += tensor.byteCount
        }
        if !current.isEmpty { shards.append(current) }
        items = shards
    }

    /// Bytes of all tensors.
    package var byteCount: Int { items.joined().reduce(0) { $0 + $1.byteCount } }

    /// File name of shard `index`, counted from 0.
    package func fileName(_ index: Int) -> String {
        "model-\(Self.fiveDigits(index + 1))-of-\(Self.fiveDigits(items.count)).safetensors"
    }

    /// The text of `model.safetensors.index.json`, names sorted.
    package var index: String {
        let places = items.enumerated().flatMap { place, shard in shard.map { ($0.name, fileName(place)) } }
        let lines = places.sorted { $0.0 < $1.0 }
            .map { "    \(JSONValue.quoted($0.0)): \(JSONValue.quoted($0.1))" }
        return "{\n  \"metadata\": {\n    \"total_size\": \(byteCount)\n  },\n  \"weight_map\": {\n"
            + lines.joined(separator: ",\n") + "\n  }\n}\n"
    }

    private static func fiveDigits(_ number: Int) -> String {
        let digits = String(number)
        return String(repeating: "0", count: max(0, 5 - digits.count)) + digits
    }
}
