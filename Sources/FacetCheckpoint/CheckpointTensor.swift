public import FacetTensor

/// One tensor of a checkpoint: what it is, which file it is in, and its mapped bytes.
public struct CheckpointTensor: Sendable {
    /// Name, dtype, shape and place in the file.
    public let entry: SafetensorsEntry

    /// The file that holds the bytes.
    public let file: SafetensorsFile

    /// The full name.
    public var name: String { entry.name }

    /// Type of the elements in the file.
    public var dtype: SafetensorsDType { entry.dtype }

    /// Lengths of the dimensions, outermost first.
    public var shape: Shape { Shape(entry.shape) }

    /// Where the elements are, in bytes from the start of the file.
    public var byteRange: Range<Int> { entry.byteRange }

    /// Bytes of all elements.
    public var byteCount: Int { entry.byteRange.count }

    /// The elements as they are in the file; valid only as long as something keeps `file` alive.
    var bytes: UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(rebasing: file.bytes[entry.byteRange])
    }

    /// Calls `body` with the elements as they are in the file, little-endian, perhaps misaligned.
    ///
    /// The bytes are valid during the call only: the file may be unmapped after it.
    public func withUnsafeBytes<R, E: Error>(_ body: (UnsafeRawBufferPointer) throws(E) -> R) throws(E) -> R {
        defer { withExtendedLifetime(file) {} }
        return try body(bytes)
    }
}
