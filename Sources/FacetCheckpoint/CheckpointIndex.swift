package import FacetJSON

/// Which shard holds which tensor: the `weight_map` of a `model.safetensors.index.json`.
package struct CheckpointIndex: Sendable {
    /// The name of the index in a model's folder.
    package static let fileName = "model.safetensors.index.json"

    /// The path that was read.
    package let path: String

    /// File name of the shard that holds each tensor.
    package let shardOfTensor: [String: String]

    /// The shards' file names, each once, sorted.
    package let shards: [String]

    /// Reads and checks an index.
    ///
    /// - Throws: `.missingFile`, `.unreadable`, `.gitLFSPointer`, `.invalidJSON`, `.duplicateKey`,
    ///   `.malformedIndex`, `.pathOutsideFolder`.
    package init(path: String) throws(CheckpointError) {
        try self.init(FileContents.json(of: path), path: path)
    }

    /// Checks an index that has been parsed already; `path` names it in errors.
    package init(_ document: JSONValue, path: String) throws(CheckpointError) {
        guard let object = document.object else {
            throw .malformedIndex(file: path, expected: "an object", got: document.kind)
        }
        guard let map = object["weight_map"]?.object else {
            throw .malformedIndex(
                file: path, expected: "an object \"weight_map\"", got: object["weight_map"]?.kind ?? "none")
        }
        guard !map.members.isEmpty else {
            throw .malformedIndex(file: path, expected: "at least one tensor in \"weight_map\"", got: "none")
        }
        var shardOfTensor: [String: String] = [:]
        for member in map.members {
            guard let shard = member.value.string else {
                throw .malformedIndex(
                    file: path, expected: "a file name for tensor \(member.key)", got: member.value.kind)
            }
            guard Self.staysInFolder(shard) else {
                throw .pathOutsideFolder(file: path, tensor: member.key, path: shard)
            }
            shardOfTensor[member.key] = shard
        }
        self.path = path
        self.shardOfTensor = shardOfTensor
        shards = Set(shardOfTensor.values).sorted()
    }

    /// Whether a name is that of a file right in the folder: no separator, no way up, nothing C would cut off.
    private static func staysInFolder(_ name: String) -> Bool {
        !name.isEmpty && name != "." && name != ".." && !name.utf8.contains { $0 == UInt8(ascii: "/") || $0 == 0 }
    }
}
