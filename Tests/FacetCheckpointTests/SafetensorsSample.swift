import FacetCheckpoint

/// Memory that a file can be read from in place, starting at any distance from an aligned address.
final class HeldBytes: @unchecked Sendable {
    // @unchecked: written in the initializer only.
    private let buffer: UnsafeMutableRawBufferPointer
    private let offset: Int

    init(_ bytes: [UInt8], offset: Int = 0) {
        buffer = .allocate(byteCount: bytes.count + offset + 1, alignment: 64)
        self.offset = offset
        UnsafeMutableRawBufferPointer(rebasing: buffer[offset...]).copyBytes(from: bytes)
    }

    deinit { buffer.deallocate() }

    var bytes: UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(rebasing: buffer[offset..<buffer.count - 1])
    }
}

extension CheckpointTensor {
    /// A copy of the elements' bytes.
    var copy: [UInt8] { withUnsafeBytes { Array($0) } }

    /// Where the elements are; to be compared only.
    var address: UnsafeRawPointer? { withUnsafeBytes { $0.baseAddress } }
}

/// Builds safetensors files, right and wrong, byte by byte.
enum SafetensorsSample {
    /// The name that errors carry for files in memory.
    static let name = "sample"

    /// A file with this header and as many data bytes, which count up from 0.
    static func bytes(header: String, dataByteCount: Int) -> [UInt8] {
        bytes(header: Array(header.utf8), dataByteCount: dataByteCount)
    }

    static func bytes(header: [UInt8], dataByteCount: Int) -> [UInt8] {
        length(UInt64(header.count)) + header + (0..<dataByteCount).map { UInt8(truncatingIfNeeded: $0) }
    }

    static func length(_ value: UInt64) -> [UInt8] {
        withUnsafeBytes(of: value.littleEndian) { Array($0) }
    }

    /// Opens bytes in memory.
    static func open(_ bytes: [UInt8], offset: Int = 0) throws(CheckpointError) -> SafetensorsFile {
        let held = HeldBytes(bytes, offset: offset)
        return try SafetensorsFile(bytes: held.bytes, name: name, owner: held)
    }

    /// Opens a file in memory with this header and as many data bytes.
    @discardableResult
    static func open(header: String, dataByteCount: Int = 0) throws(CheckpointError) -> SafetensorsFile {
        try open(bytes(header: header, dataByteCount: dataByteCount))
    }

    /// A valid file with every field that the format knows: metadata, a matrix, a scalar, an empty tensor, an escape.
    static let valid = bytes(
        header: #"{"__metadata__":{"format":"pt"},"a":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]},"#
            + #""b.w":{"dtype":"BF16","shape":[],"data_offsets":[24,26]},"#
            + #""\u00e9":{"shape":[0,5],"data_offsets":[26,26],"dtype":"U8"},"#
            + #""c":{"dtype":"I64","shape":[1],"data_offsets":[26,34]}}  "#,
        dataByteCount: 34)
}
