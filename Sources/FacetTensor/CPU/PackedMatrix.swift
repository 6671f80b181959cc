import CCPU

/// A weight matrix laid out once for the products of the CPU backend.
public struct PackedMatrix: Sendable {
    /// Form and size.
    public let layout: PackedLayout

    /// The memory that holds it, perhaps beside others.
    let storage: Storage

    private let byteOffset: Int

    /// Takes a part of memory as a matrix, to be packed.
    ///
    /// - Precondition: the part lies within `storage`, which is writable, and starts at a multiple of
    ///   `Storage.alignment`.
    public init(_ layout: PackedLayout, in storage: Storage, byteOffset: Int = 0) {
        precondition(
            byteOffset >= 0 && byteOffset % Storage.alignment == 0
                && byteOffset + layout.byteCount <= storage.byteCount && storage.isWritable,
            "a packed matrix of \(layout.byteCount) bytes at \(byteOffset) is not within its memory")
        self.layout = layout
        self.storage = storage
        self.byteOffset = byteOffset
    }

    /// Allocates memory for a matrix, in huge pages where the system has them.
    ///
    /// - Throws: `.outOfMemory` with `label`.
    public init(_ layout: PackedLayout, device: DeviceID = .cpu, label: String) throws(TensorError) {
        let storage = try Storage(
            allocating: layout.byteCount, device: device, label: label, account: nil, isZeroed: false)
        cc_prefer_huge_pages(storage.base, layout.byteCount)
        self.init(layout, in: storage)
    }

    /// Its bytes, as one tensor.
    var bytes: Tensor {
        Tensor(storage, byteOffset: byteOffset, shape: [layout.byteCount], dtype: .uint8)
    }

    /// The matrix in the C interface.
    var description: cc_packed { layout.description(panels: storage.base + byteOffset) }
}
