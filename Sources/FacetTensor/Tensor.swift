/// A handle on elements in a device's memory: row-major, dense, cheap to copy.
///
/// A tensor has no operators; a `Backend` writes into it. Views share storage and are row ranges
/// only, so every tensor is one contiguous run of bytes:
///
///     storage  |........|row 0|row 1|row 2|.....|
///                       ^ byteOffset
public struct Tensor: Sendable {
    /// The memory that holds the elements.
    public let storage: Storage

    /// Where the first element starts in `storage`, in bytes.
    public let byteOffset: Int

    /// Lengths of the dimensions.
    public let shape: Shape

    /// Type of the elements.
    public let dtype: DType

    /// Views part of a storage.
    ///
    /// - Precondition: the elements lie within the storage and start at a multiple of their size.
    public init(_ storage: Storage, byteOffset: Int = 0, shape: Shape, dtype: DType) {
        let end = byteOffset + shape.elementCount * dtype.byteCount
        precondition(byteOffset >= 0 && end <= storage.byteCount, "tensor \(shape) \(dtype) leaves its storage")
        precondition(byteOffset % dtype.byteCount == 0, "tensor starts between two \(dtype) elements")
        self.storage = storage
        self.byteOffset = byteOffset
        self.shape = shape
        self.dtype = dtype
    }

    /// The device that holds the elements.
    public var device: DeviceID { storage.device }

    /// Bytes of all elements.
    public var byteCount: Int { shape.elementCount * dtype.byteCount }

    /// Length of the outermost dimension.
    public var rowCount: Int { shape.rowCount }

    /// The rows of a range as a tensor of the same rank, sharing memory.
    ///
    /// - Precondition: the range lies within `0..<rowCount`.
    public func rows(_ range: Range<Int>) -> Tensor {
        precondition(range.lowerBound >= 0 && range.upperBound <= rowCount, "rows \(range) of \(shape)")
        let rowBytes = shape.rowElementCount * dtype.byteCount
        return Tensor(
            storage, byteOffset: byteOffset + range.lowerBound * rowBytes, shape: shape.withRowCount(range.count),
            dtype: dtype)
    }

    /// The same elements under another shape.
    ///
    /// - Precondition: both shapes have the same number of elements.
    public func reshaped(_ shape: Shape) -> Tensor {
        precondition(shape.elementCount == self.shape.elementCount, "\(self.shape) cannot be seen as \(shape)")
        return Tensor(storage, byteOffset: byteOffset, shape: shape, dtype: dtype)
    }

    /// The first `shape.elementCount` elements under another shape; the rest stays unused.
    ///
    /// This is how one scratch buffer serves batches of different sizes.
    /// - Precondition: `shape` has at most as many elements as the tensor.
    public func prefix(_ shape: Shape) -> Tensor {
        precondition(shape.elementCount <= self.shape.elementCount, "\(self.shape) is too small for \(shape)")
        return Tensor(storage, byteOffset: byteOffset, shape: shape, dtype: dtype)
    }

    /// Address of the first element, for code that runs on the host that owns the memory.
    ///
    /// Valid as long as `storage` lives. Meaningful for CPU devices only.
    package var address: UnsafeMutableRawPointer { storage.base + byteOffset }
}
