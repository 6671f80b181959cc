public import FacetTensor
import Synchronization

/// The tensors of a model: a folder of safetensors files, or files that are in memory already.
///
/// Opening maps the files and checks every header against the index; no weight byte is read. It does not know which
/// tensors a model needs.
public struct Checkpoint: Sendable {
    /// The name of the only weight file of a model that is not sharded.
    package static let singleFileName = "model.safetensors"

    /// The folder, or the name given to files in memory; used in errors.
    public let location: String

    /// The weight files in the order of their names.
    public let files: [SafetensorsFile]

    /// All tensors, file by file in the order of their bytes.
    public let tensors: [CheckpointTensor]

    private let tensorsByName: [String: CheckpointTensor]
    private let alignedCopies = AlignedCopies()

    /// Opens the weights in a model's folder: `model.safetensors`, or the shards that
    /// `model.safetensors.index.json` lists.
    ///
    /// Other files in the folder are left alone. A shard's tensors must be exactly those that the index places there.
    /// - Throws: every case about folders, files and indexes.
    public init(folder: String) throws(CheckpointError) {
        let names = try FolderListing.names(in: folder)
        let hasSingle = names.contains(Self.singleFileName)
        let hasIndex = names.contains(CheckpointIndex.fileName)
        switch (hasSingle, hasIndex) {
        case (true, true): throw .ambiguousLayout(folder: folder)
        case (true, false):
            try self.init([SafetensorsFile(path: FolderListing.path(folder, Self.singleFileName))], location: folder)
        case (false, true):
            let path = FolderListing.path(folder, CheckpointIndex.fileName)
            try self.init(index: CheckpointIndex(path: path), folder)
        case (false, false): throw FolderListing.missingWeights(names, folder)
        }
    }

    /// Joins files that are open already; `location` names them together in errors.
    ///
    /// - Throws: `.tensorInTwoFiles`.
    public init(_ files: [SafetensorsFile], location: String) throws(CheckpointError) {
        var tensors: [CheckpointTensor] = []
        var tensorsByName: [String: CheckpointTensor] = [:]
        for file in files {
            for entry in file.entries {
                let tensor = CheckpointTensor(entry: entry, file: file)
                if let other = tensorsByName.updateValue(tensor, forKey: entry.name) {
                    throw .tensorInTwoFiles(tensor: entry.name, file: file.name, other: other.file.name)
                }
                tensors.append(tensor)
            }
        }
        self.location = location
        self.files = files
        self.tensors = tensors
        self.tensorsByName = tensorsByName
    }

    /// Bytes of all tensors.
    public var byteCount: Int { tensors.reduce(0) { $0 + $1.byteCount } }

    /// The tensor of a name, if the checkpoint has it.
    public subscript(name: String) -> CheckpointTensor? { tensorsByName[name] }

    /// The description of a tensor that must be there.
    ///
    /// - Throws: `.missingTensor`.
    public func entry(named name: String) throws(CheckpointError) -> CheckpointTensor {
        guard let tensor = tensorsByName[name] else { throw .missingTensor(tensor: name, checkpoint: location) }
        return tensor
    }

    private init(index: CheckpointIndex, _ folder: String) throws(CheckpointError) {
        var files: [SafetensorsFile] = []
        for shard in index.shards {
            do {
                files.append(try SafetensorsFile(path: FolderListing.path(folder, shard)))
            } catch .missingFile(let file) {
                throw .missingShard(file: file, index: index.path)
            }
        }
        try Self.check(files, shards: index.shards, against: index)
        try self.init(files, location: folder)
    }

    /// Checks that every shard holds the tensors that the index places there, and no others.
    private static func check(
        _ files: [SafetensorsFile], shards: [String], against index: CheckpointIndex
    ) throws(CheckpointError) {
        var found: Set<String> = []
        for (file, shard) in zip(files, shards) {
            for entry in file.entries {
                guard let planned = index.shardOfTensor[entry.name] else {
                    throw .tensorNotInIndex(tensor: entry.name, file: file.name, index: index.path)
                }
                if planned == shard {
                    found.insert(entry.name)
                } else if let place = shards.firstIndex(of: planned),
                    files[place].entries.contains(where: { $0.name == entry.name })
                {
                    throw .tensorInTwoFiles(tensor: entry.name, file: file.name, other: files[place].name)
                }
            }
        }
        guard let missing = index.shardOfTensor.filter({ !found.contains($0.key) }).min(by: { $0.key < $1.key }),
            let place = shards.firstIndex(of: missing.value)
        else { return }
        throw .tensorNotInShard(tensor: missing.key, file: files[place].name, index: index.path)
    }
}

extension Checkpoint {
    /// The tensor of a name, viewing the mapped bytes: nothing is copied, and the mapping lives as long as it.
    ///
    /// A tensor whose elements do not start at a multiple of their size (the format allows it, current writers avoid
    /// it) is copied once; all such copies of a checkpoint together are limited to 64 MiB.
    /// - Throws: `.missingTensor`, `.unsupportedDType`, `.misalignedTensors`, `.memory`.
    public func tensor(named name: String) throws(CheckpointError) -> Tensor {
        let entry = try entry(named: name)
        guard let dtype = entry.dtype.tensorDType else {
            throw .unsupportedDType(tensor: name, got: entry.dtype, file: entry.file.name)
        }
        if entry.byteCount == 0 || UInt(bitPattern: entry.bytes.baseAddress) % UInt(dtype.byteCount) != 0 {
            return try alignedCopies.tensor(entry, dtype)
        }
        return Tensor(Storage(viewing: entry.bytes, owner: entry.file), shape: entry.shape, dtype: dtype)
    }

    /// As `tensor(named:)`, and of this shape.
    ///
    /// - Throws: `.shapeMismatch` too.
    public func tensor(named name: String, shape: Shape) throws(CheckpointError) -> Tensor {
        let entry = try entry(named: name)
        guard entry.shape == shape else {
            throw .shapeMismatch(tensor: name, expected: shape, got: entry.shape, file: entry.file.name)
        }
        return try tensor(named: name)
    }

    /// Tells the kernel how the mapped bytes of some tensors will be used, so that a model larger than memory can run
    /// with pages read ahead and dropped as layers pass.
    ///
    /// Tensors that touch in a file are taken as one range: rounding to whole pages then loses nothing between them.
    /// Names that the checkpoint does not have are ignored, as every hint may be.
    public func advise(_ advice: MemoryAdvice, tensors names: some Sequence<String>) {
        let ranges = names.compactMap { tensorsByName[$0] }
            .map { (file: $0.file, range: $0.byteRange) }
            .sorted { ($0.file.name, $0.range.lowerBound) < ($1.file.name, $1.range.lowerBound) }
        var pending: (file: SafetensorsFile, range: Range<Int>)?
        for next in ranges {
            if let current = pending, current.file === next.file, current.range.upperBound == next.range.lowerBound {
                pending = (current.file, current.range.lowerBound..<next.range.upperBound)
                continue
            }
            pending.map { $0.file.advise(advice, $0.range) }
            pending = next
        }
        pending.map { $0.file.advise(advice, $0.range) }
    }
}

/// Copies of the tensors that cannot be viewed in place, each made once, limited in total.
private final class AlignedCopies: Sendable {
    private static let byteCountLimit = 64 << 20

    private struct State {
        var tensors: [String: Tensor] = [:]
        var byteCount = 0
    }

    private let state = Mutex(State())

    func tensor(_ entry: CheckpointTensor, _ dtype: DType) throws(CheckpointError) -> Tensor {
        let result: Result<Tensor, CheckpointError> = state.withLock { state in
            if let tensor = state.tensors[entry.name] { return .success(tensor) }
            do throws(CheckpointError) {
                let tensor = try Self.copy(entry, dtype, alreadyCopied: state.byteCount)
                state.tensors[entry.name] = tensor
                state.byteCount += entry.byteCount
                return .success(tensor)
            } catch {
                return .failure(error)
            }
        }
        return try result.get()
    }

    private static func copy(
        _ entry: CheckpointTensor, _ dtype: DType, alreadyCopied: Int
    ) throws(CheckpointError) -> Tensor {
        // Subtracting cannot overflow, whatever length the file claims.
        guard entry.byteCount <= byteCountLimit - alreadyCopied else {
            throw .misalignedTensors(
                tensor: entry.name, byteCount: alreadyCopied + entry.byteCount, limit: byteCountLimit,
                file: entry.file.name)
        }
        do {
            let storage = try Storage(allocating: entry.byteCount, label: entry.name)
            UnsafeMutableRawBufferPointer(start: storage.base, count: entry.byteCount).copyMemory(from: entry.bytes)
            return Tensor(storage, shape: entry.shape, dtype: dtype)
        } catch {
            throw .memory(error)
        }
    }
}
