import FacetCheckpoint
import FacetJSON
import FacetTestSupport
import Foundation
import Testing

/// One test per way in which a folder or an index can be wrong, named after the error.
@Suite("A checkpoint folder") struct CheckpointFolderTests {
    private let folder: TemporaryFolder
    private let indexPath: String

    init() throws {
        folder = try TemporaryFolder()
        indexPath = folder.path + "/model.safetensors.index.json"
    }

    /// A file with one-byte tensors of these names.
    private func shard(_ names: String...) -> [UInt8] {
        let items = names.map { SafetensorsWriter.Item($0, .uint8, [1]) }
        return SafetensorsWriter.header(items) + names.indices.map { UInt8($0) }
    }

    private func writeIndex(_ places: KeyValuePairs<String, String>) throws {
        let map = places.map { "\(JSONValue.quoted($0.key)):\(JSONValue.quoted($0.value))" }.joined(separator: ",")
        try folder.write("model.safetensors.index.json", "{\"weight_map\":{\(map)}}")
    }

    private func expect(_ error: CheckpointError, sourceLocation: SourceLocation = #_sourceLocation) {
        #expect(throws: error, sourceLocation: sourceLocation) { try Checkpoint(folder: folder.path) }
    }

    @Test("opens with a single file, whatever else is in it")
    func single() throws {
        try folder.write("model.safetensors", shard("a", "b"))
        try folder.write("config.json", "{}")
        try folder.write("consolidated.safetensors", "not looked at")
        let checkpoint = try Checkpoint(folder: folder.path)
        #expect(checkpoint.tensors.map(\.name) == ["a", "b"])
        #expect(checkpoint["b"]?.copy.first == 1)
        #expect(checkpoint["c"] == nil)
        #expect(try Checkpoint(folder: folder.path + "/").files[0].name == folder.path + "/model.safetensors")
    }

    @Test("opens with an index and shards")
    func sharded() throws {
        try folder.write("one.safetensors", shard("layers.0.a", "layers.0.b"))
        try folder.write("two.safetensors", shard("layers.0.c"))
        try writeIndex([
            "layers.0.b": "one.safetensors", "layers.0.c": "two.safetensors", "layers.0.a": "one.safetensors",
        ])
        let checkpoint = try Checkpoint(folder: folder.path)
        #expect(checkpoint.tensors.map(\.name) == ["layers.0.a", "layers.0.b", "layers.0.c"])
        #expect(checkpoint.byteCount == 3)
        #expect(checkpoint["layers.0.c"]?.file.name == folder.path + "/two.safetensors")
    }

    @Test("follows symbolic links, as download caches use them")
    func symbolicLink() throws {
        let target = try TemporaryFolder()
        let file = try target.write("blob", shard("a"))
        try FileManager.default.createSymbolicLink(
            atPath: folder.path + "/model.safetensors", withDestinationPath: file)
        #expect(try Checkpoint(folder: folder.path).tensors.count == 1)
    }

    @Test("missingFolder")
    func missingFolder() {
        let path = folder.path + "/none"
        #expect(throws: CheckpointError.missingFolder(path: path)) { try Checkpoint(folder: path) }
    }

    @Test("notAFolder")
    func notAFolder() throws {
        let path = try folder.write("file", "x")
        #expect(throws: CheckpointError.notAFolder(path: path)) { try Checkpoint(folder: path) }
    }

    @Test("emptyFolder")
    func emptyFolder() { expect(.emptyFolder(path: folder.path)) }

    @Test("noWeights")
    func noWeights() throws {
        try folder.write("config.json", "{}")
        expect(.noWeights(folder: folder.path))
    }

    @Test("onlyPyTorchWeights")
    func onlyPyTorchWeights() throws {
        try folder.write("pytorch_model-00001-of-00002.bin", "x")
        expect(.onlyPyTorchWeights(folder: folder.path, example: "pytorch_model-00001-of-00002.bin"))
    }

    @Test("missingIndex")
    func missingIndex() throws {
        try folder.write("model-00001-of-00002.safetensors", shard("a"))
        expect(.missingIndex(folder: folder.path, example: "model-00001-of-00002.safetensors"))
    }

    @Test("ambiguousLayout")
    func ambiguousLayout() throws {
        try folder.write("model.safetensors", shard("a"))
        try writeIndex(["a": "model.safetensors"])
        expect(.ambiguousLayout(folder: folder.path))
    }

    @Test("notARegularFile: a folder and a named pipe")
    func notARegularFile() throws {
        let path = folder.path + "/model.safetensors"
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: false)
        expect(.notARegularFile(file: path))
        try FileManager.default.removeItem(atPath: path)
        try #require(mkfifo(path, 0o600) == 0)
        expect(.notARegularFile(file: path))
    }

    @Test("missingFile: a dangling link")
    func danglingLink() throws {
        let path = folder.path + "/model.safetensors"
        try FileManager.default.createSymbolicLink(atPath: path, withDestinationPath: "nowhere")
        expect(.missingFile(file: path))
    }

    @Test("truncatedFile: a file without a byte")
    func emptyFile() throws {
        let path = try folder.write("model.safetensors", "")
        expect(.truncatedFile(file: path, expected: 8, got: 0))
    }

    @Test("gitLFSPointer: a shard and an index")
    func gitLFSPointer() throws {
        let pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n"
        let single = try folder.write("model.safetensors", pointer)
        expect(.gitLFSPointer(file: single))
        try FileManager.default.removeItem(atPath: single)
        try folder.write("model.safetensors.index.json", pointer)
        expect(.gitLFSPointer(file: indexPath))
    }

    @Test("invalidJSON and duplicateKey: the index")
    func corruptIndex() throws {
        try folder.write("model.safetensors.index.json", "{\"weight_map\":")
        expect(.invalidJSON(file: indexPath, .unexpectedEnd(expected: "a value")))
        try writeIndex(["a": "x.safetensors", "a": "y.safetensors"])
        expect(.duplicateKey(file: indexPath, key: "a"))
    }

    @Test("malformedIndex")
    func malformedIndex() throws {
        let name = "model.safetensors.index.json"
        try folder.write(name, "[]")
        expect(.malformedIndex(file: indexPath, expected: "an object", got: "an array"))
        try folder.write(name, "{}")
        expect(.malformedIndex(file: indexPath, expected: "an object \"weight_map\"", got: "none"))
        try folder.write(name, "{\"weight_map\":{}}")
        expect(.malformedIndex(file: indexPath, expected: "at least one tensor in \"weight_map\"", got: "none"))
        try folder.write(name, "{\"weight_map\":{\"a\":1}}")
        expect(.malformedIndex(file: indexPath, expected: "a file name for tensor a", got: "a number"))
    }

    @Test(
        "pathOutsideFolder",
        arguments: ["../x.safetensors", "/etc/passwd", "sub/x.safetensors", "..", ".", "", "x\0.safetensors"])
    func pathOutsideFolder(_ path: String) throws {
        try writeIndex(["a": path])
        expect(.pathOutsideFolder(file: indexPath, tensor: "a", path: path))
    }

    @Test("missingShard")
    func missingShard() throws {
        try folder.write("one.safetensors", shard("a"))
        try writeIndex(["a": "one.safetensors", "b": "two.safetensors"])
        expect(.missingShard(file: folder.path + "/two.safetensors", index: indexPath))
    }

    @Test("tensorNotInShard: nowhere, or in another shard than the index says")
    func tensorNotInShard() throws {
        let file = try folder.write("one.safetensors", shard("a"))
        try writeIndex(["a": "one.safetensors", "b": "one.safetensors"])
        expect(.tensorNotInShard(tensor: "b", file: file, index: indexPath))
        let other = try folder.write("two.safetensors", shard("b"))
        try writeIndex(["a": "two.safetensors", "b": "two.safetensors"])
        expect(.tensorNotInShard(tensor: "a", file: other, index: indexPath))
        try folder.write("one.safetensors", shard("a", "c"))
        try writeIndex(["a": "two.safetensors", "b": "two.safetensors", "c": "one.safetensors"])
        expect(.tensorNotInShard(tensor: "a", file: other, index: indexPath))
    }

    @Test("tensorNotInIndex")
    func tensorNotInIndex() throws {
        let file = try folder.write("one.safetensors", shard("a", "b"))
        try writeIndex(["a": "one.safetensors"])
        expect(.tensorNotInIndex(tensor: "b", file: file, index: indexPath))
    }

    @Test("tensorInTwoFiles: shards, and files in memory")
    func tensorInTwoFiles() throws {
        let one = try folder.write("one.safetensors", shard("a", "b"))
        let two = try folder.write("two.safetensors", shard("b", "c"))
        try writeIndex(["a": "one.safetensors", "b": "one.safetensors", "c": "two.safetensors"])
        expect(.tensorInTwoFiles(tensor: "b", file: two, other: one))
        let sample = try SafetensorsSample.open(SafetensorsSample.valid)
        #expect(throws: CheckpointError.tensorInTwoFiles(tensor: "a", file: "sample", other: "sample")) {
            try Checkpoint([sample, sample], location: "twice")
        }
    }

    @Test("a broken shard is refused with its path")
    func brokenShard() throws {
        let bytes = shard("a")
        let file = try folder.write("one.safetensors", Array(bytes.dropLast()))
        try writeIndex(["a": "one.safetensors"])
        expect(.truncatedFile(file: file, expected: bytes.count, got: bytes.count - 1))
    }
}
