import CCPU

extension CPUBackend {
    public func bidirectionalAttention(
        _ qkv: Tensor, sequenceLength: Int, heads: Int, into y: Tensor
    ) throws(TensorError) {
        let operation = "bidirectionalAttention"
        try requireActivation(qkv, "qkv", in: operation)
        let width = qkv.shape.rowElementCount
        try require(
            heads > 0 && width % (3 * heads) == 0 && sequenceLength > 0 && qkv.rowCount % sequenceLength == 0, qkv,
            "qkv", "[sequences · \(sequenceLength), 3 · \(heads) · headDimension]", in: operation)
        let dimension = width / (3 * heads)
        try require(
            dimension <= cc_head_limit(), qkv, "qkv", "with heads of at most \(cc_head_limit())", in: operation)
        try requireResult(y, qkv.dtype, "y", in: operation)
        try require(y, rows: qkv.rowCount, width: heads * dimension, "y", in: operation)
        cc_attention(
            engine, qkv.address, qkv.dtype.code, qkv.rowCount, sequenceLength, heads, dimension, y.address)
    }

    public func rotateAndAppend(
        _ qkv: Tensor, shape: AttentionShape, rotary: RotaryTable, positions: Tensor, slots: Tensor,
        cache: KVLayerCache, into q: Tensor
    ) throws(TensorError) {
        let operation = "rotateAndAppend"
        try requireActivation(qkv, "qkv", in: operation)
        try require(qkv, rows: qkv.rowCount, width: shape.projectionWidth, "qkv", in: operation)
        try requireResult(q, qkv.dtype, "q", in: operation)
        try require(q, rows: qkv.rowCount, width: shape.queryWidth, "q", in: operation)
        let pages = try cCache(cache, shape, qkv.dtype, in: operation)
        let pairs = try requireRotary(rotary, shape, in: operation)
        let positionBuffer = try indices(positions, count: qkv.rowCount, "positions", in: operation)
        try require(positionBuffer, in: 0..<rotary.positionCount, "positions", in: operation)
        let slotBuffer = try indices(slots, count: qkv.rowCount, "slots", in: operation)
        try require(slotBuffer, in: 0..<cache.keys.shape[0] * cache.pageSize, "slots", in: operation)
        cc_rotate_and_append(
            engine, qkv.address, qkv.rowCount, rotary.cosines.address.assumingMemoryBound(to: Float.self),
            rotary.sines.address.assumingMemoryBound(to: Float.self), pairs, positionBuffer.baseAddress,
            slotBuffer.baseAddress, pages, q.address)
    }

    public func pagedAttention(
        _ q: Tensor, shape: AttentionShape, cache: KVLayerCache, layout: SequenceLayout, into y: Tensor
    ) throws(TensorError) {
        let operation = "pagedAttention"
        try requireActivation(q, "q", in: operation)
        try require(q, rows: q.rowCount, width: shape.queryWidth, "q", in: operation)
        try requireResult(y, q.dtype, "y", in: operation)
        try require(y, rows: q.rowCount, width: shape.queryWidth, "y", in: operation)
        let pages = try cCache(cache, shape, q.dtype, in: operation)
        let table = try requireLayout(layout, rows: q.rowCount, cache, in: operation)
        layout.offsets.withUnsafeBufferPointer { offsets in
            layout.contextLengths.withUnsafeBufferPointer { contexts in
                cc_paged_attention(
                    engine, q.address, pages, layout.sequenceCount, offsets.baseAddress, contexts.baseAddress,
                    table.baseAddress, layout.pagesPerSequence, y.address)
            }
        }
    }

    /// Checks the pages of a layer and describes them to C.
    private func cCache(
        _ cache: KVLayerCache, _ shape: AttentionShape, _ dtype: DType, in operation: String
    ) throws(TensorError) -> cc_cache {
        let width = shape.headDimension + (cache.isQuantized ? KVLayerCache.scaleByteCount : 0)
        for (tensor, name) in [(cache.keys, "cache.keys"), (cache.values, "cache.values")] {
            try requireResult(tensor, cache.isQuantized ? .uint8 : dtype, name, in: operation)
            let pages = tensor.shape
            try require(
                pages.rank == 4 && pages[1] > 0 && pages[2] == shape.groups && pages[3] == width
                    && shape.headDimension <= cc_head_limit() && pages == cache.keys.shape, tensor, name,
                "[pages, pageSize, \(shape.groups), \(width)], heads of at most \(cc_head_limit())", in: operation)
        }
        return cc_cache(
            keys: cache.keys.address, values: cache.values.address, type: dtype.code,
            stored: cache.isQuantized ? Int32(CC_I8) : dtype.code, page_size: cache.pageSize, heads: shape.heads,
            groups: shape.groups, dimension: shape.headDimension)
    }

    /// Checks a rotary table; returns its pairs per head.
    private func requireRotary(
        _ rotary: RotaryTable, _ shape: AttentionShape, in operation: String
    ) throws(TensorError) -> Int {
        let pairs = rotary.rotatedDimension / 2
        for (tensor, name) in [(rotary.cosines, "rotary.cosines"), (rotary.sines, "rotary.sines")] {
            try requireHere(tensor, name, in: operation)
            guard tensor.dtype == .float32 else {
                throw .unsupportedDType(
                    operation: operation, argument: name, expected: "float32", got: tensor.dtype)
            }
            try require(
                rotary.rotatedDimension <= shape.headDimension && tensor.shape.rowElementCount == pairs
                    && tensor.rowCount == rotary.positionCount, tensor, name,
                "[positions, \(pairs)], at most half of head dimension \(shape.headDimension)", in: operation)
        }
        return pairs
    }

    /// Checks that a batch's rows, contexts and pages lie within the tensors; returns the page table.
    private func requireLayout(
        _ layout: SequenceLayout, rows: Int, _ cache: KVLayerCache, in operation: String
    ) throws(TensorError) -> UnsafeBufferPointer<Int32> {
        let count = layout.sequenceCount
        let table = try indices(
            layout.devicePageTable, count: count * layout.pagesPerSequence, "pages", in: operation)
        guard layout.offsets.count == count + 1, layout.offsets.first == 0, layout.offsets.last == Int32(rows) else {
            throw .shapeMismatch(
                operation: operation, argument: "offsets", expected: "[\(count + 1)], from 0 to \(rows)",
                got: [layout.offsets.count])
        }
        for sequence in 0..<count {
            let newRows = layout.offsets[sequence + 1] - layout.offsets[sequence]
            let context = Int(layout.contextLengths[sequence])
            guard newRows >= 0, context >= Int(newRows), context <= layout.pagesPerSequence * cache.pageSize else {
                throw .indexOutOfRange(
                    operation: operation, argument: "contextLengths[\(sequence)]", index: context,
                    limit: layout.pagesPerSequence * cache.pageSize + 1)
            }
            let first = sequence * layout.pagesPerSequence
            let used = (context + cache.pageSize - 1) / cache.pageSize
            try require(
                UnsafeBufferPointer(rebasing: table[first..<first + used]), in: 0..<cache.keys.shape[0], "pages",
                in: operation)
        }
        return table
    }
}
