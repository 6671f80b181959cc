import FacetTensor

/// A call of paged attention whose operands have been checked, and how it is divided.
struct PagedAttention {
    let q: Tensor
    let shape: AttentionShape
    let cache: KVLayerCache
    let layout: SequenceLayout
    let y: Tensor

    /// The most new rows of a sequence.
    var mostRows: Int {
        zip(layout.offsets, layout.offsets.dropFirst()).map { Int($1 - $0) }.max() ?? 0
    }

    /// Query heads of a group are taken 16 at a time, the rows of one tensor core product.
    var headSets: Int {
        let perGroup = shape.heads / shape.groups
        return shape.groups * ((perGroup + 15) / 16)
    }

    /// Blocks that share the keys of a sequence with a single new row; 0 where there is none, or no room for the parts.
    ///
    /// Two blocks for each multiprocessor hide the latency of memory; a block takes at least one tile of 64 keys.
    func splitCount(partDimension: Int, multiprocessors: Int, partByteCount: Int) -> Int {
        let singles = layout.contextLengths.indices.filter { layout.offsets[$0 + 1] - layout.offsets[$0] == 1 }
        guard let longest = singles.map({ Int(layout.contextLengths[$0]) }).max() else { return 0 }
        let partsOfOneSplit = layout.sequenceCount * shape.heads * (partDimension + 2) * DType.float32.byteCount
        let wanted = max(1, 2 * multiprocessors / (headSets * layout.sequenceCount))
        return min(wanted, (longest + 63) / 64, partByteCount / partsOfOneSplit)
    }
}
