import FacetTensor

/// How many bytes a unit's weights take.
public struct UnitWeightSize: Sendable, Hashable {
    /// On their device, each tensor in memory of its own.
    public let byteCount: Int

    /// Side by side, as in a staging buffer.
    public let packedByteCount: Int

    /// Describes a unit's weights.
    public init(byteCount: Int, packedByteCount: Int) {
        self.byteCount = byteCount
        self.packedByteCount = packedByteCount
    }
}

/// Where a unit's tensors lie when they are stored side by side, each at a multiple of `Storage.alignment`.
struct UnitPacking: Sendable {
    /// Name and place of each tensor.
    let tensors: [(name: String, range: Range<Int>)]

    /// Bytes from the first tensor to the end of the last, rounded up.
    let byteCount: Int

    init(_ names: [String], in source: any WeightSource) {
        var tensors: [(name: String, range: Range<Int>)] = []
        var end = 0
        for name in names {
            guard let stored = source.stored(name) else { continue }
            tensors.append((name, end..<end + stored.byteCount))
            end = (end + stored.byteCount + Storage.alignment - 1) / Storage.alignment * Storage.alignment
        }
        self.tensors = tensors
        byteCount = end
    }

    /// Bytes of the tensors alone.
    var tensorByteCount: Int { tensors.reduce(0) { $0 + $1.range.count } }

    /// Where a tensor lies.
    func range(of name: String) -> Range<Int>? { tensors.first { $0.name == name }?.range }
}
