import FacetTensor

/// One safetensors file with a checked header: mapped from disk, or bytes that are in memory already.
///
/// Opening reads the header only. The bytes stay valid as long as this object lives; tensors keep it alive.
///
/// `@unchecked`: the bytes are read-only and every property is set once.
public final class SafetensorsFile: @unchecked Sendable {
    /// The path, or the name given to bytes in memory; used in errors.
    public let name: String

    /// The tensors in the order of their bytes.
    public let entries: [SafetensorsEntry]

    /// The strings that the writer left in the header; empty when there are none.
    public let metadata: [String: String]

    /// Length of the whole file in bytes.
    public let byteCount: Int

    /// All bytes of the file; valid as long as this object lives.
    package let bytes: UnsafeRawBufferPointer

    private let mapping: MappedFile?
    private let owner: (any AnyObject & Sendable)?

    /// Maps a file and checks its header; reads no tensor.
    ///
    /// - Throws: `.missingFile`, `.notARegularFile`, `.unreadable`, and every case about a safetensors file.
    public init(path: String) throws(CheckpointError) {
        let mapping = try MappedFile(path)
        // The kernel would read ahead into the weights.
        mapping.setReadAhead(false)
        let prefix = try mapping.read(0..<min(mapping.byteCount, Self.prefixByteCount))
        let count = try SafetensorsHeader.jsonByteCount(prefix: prefix, fileByteCount: mapping.byteCount, file: path)
        let start = SafetensorsHeader.lengthByteCount
        let json = try mapping.read(start..<start + count)
        let header = try SafetensorsHeader(json: json, fileByteCount: mapping.byteCount, file: path)
        mapping.setReadAhead(true)
        name = path
        entries = header.entries
        metadata = header.metadata
        byteCount = mapping.byteCount
        bytes = mapping.bytes
        self.mapping = consume mapping
        owner = nil
    }

    /// Reads bytes that are in memory already, such as a file embedded in the executable.
    ///
    /// - Parameters:
    ///   - bytes: the whole file; must stay valid and unchanged as long as `owner` lives, or for ever without one.
    ///   - name: stands for the path in errors.
    ///   - owner: kept alive as long as this object.
    /// - Throws: every case about a safetensors file.
    public init(
        bytes: UnsafeRawBufferPointer, name: String, owner: (any AnyObject & Sendable)? = nil
    ) throws(CheckpointError) {
        let prefix = Array(bytes.prefix(Self.prefixByteCount))
        let count = try SafetensorsHeader.jsonByteCount(prefix: prefix, fileByteCount: bytes.count, file: name)
        let json = Array(bytes.dropFirst(SafetensorsHeader.lengthByteCount).prefix(count))
        let header = try SafetensorsHeader(json: json, fileByteCount: bytes.count, file: name)
        self.name = name
        entries = header.entries
        metadata = header.metadata
        byteCount = bytes.count
        self.bytes = bytes
        mapping = nil
        self.owner = owner
    }

    /// Tells the kernel how a range of the file will be used; nothing happens for bytes in memory.
    package func advise(_ advice: MemoryAdvice, _ range: Range<Int>) {
        mapping?.advise(advice, range)
    }

    /// Enough for the length field and to recognize a Git LFS pointer.
    private static let prefixByteCount = 64
}

extension SafetensorsFile: MappedBytes {
    package func letGo(of part: UnsafeRawBufferPointer) {
        guard let start = part.baseAddress, let first = bytes.baseAddress else { return }
        advise(.dontNeed, start - first..<start - first + part.count)
    }
}
