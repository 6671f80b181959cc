import FacetTensor

extension CUDABackend {
    /// Checks the pages of a layer.
    func requireCache(
        _ cache: KVLayerCache, _ shape: AttentionShape, _ dtype: DType, in operation: String
    ) throws(TensorError) {
        let width = shape.headDimension + (cache.isQuantized ? KVLayerCache.scaleByteCount : 0)
        // Bytes and their scale begin at multiples of four.
        let isAligned = !cache.isQuantized || shape.headDimension % 4 == 0
        for (tensor, name) in [(cache.keys, "cache.keys"), (cache.values, "cache.values")] {
            try requireResult(tensor, cache.isQuantized ? .uint8 : dtype, name, in: operation)
            let pages = tensor.shape
            try require(
                pages.rank == 4 && pages[1] > 0 && pages[2] == shape.groups && pages[3] == width
                    && shape.headDimension <= Self.headLimit && shape.headDimension % 2 == 0 && isAligned
                    && pages == cache.keys.shape, tensor, name,
                "[pages, pageSize, \(shape.groups), \(width)], heads of an even number of at most \(Self.headLimit)",
                in: operation)
        }
    }

    /// Checks a rotary table; returns its pairs per head.
    func requireRotary(
        _ rotary: RotaryTable, _ shape: AttentionShape, in operation: String
    ) throws(TensorError) -> Int {
        let pairs = rotary.rotatedDimension / 2
        for (tensor, name) in [(rotary.cosines, "rotary.cosines"), (rotary.sines, "rotary.sines")] {
            try requireResult(tensor, .float32, name, in: operation)
            try require(
                rotary.rotatedDimension <= shape.headDimension && tensor.shape.rowElementCount == pairs
                    && tensor.rowCount == rotary.positionCount, tensor, name,
                "[positions, \(pairs)], at most half of head dimension \(shape.headDimension)", in: operation)
        }
        return pairs
    }

    /// Checks that a batch's rows and contexts agree with each other and with its pages.
    func requireLayout(
        _ layout: SequenceLayout, rows: Int, _ cache: KVLayerCache, in operation: String
    ) throws(TensorError) {
        let count = layout.sequenceCount
        guard layout.offsets.count == count + 1, layout.offsets.first == 0, layout.offsets.last == Int32(rows) else {
            throw .shapeMismatch(
                operation: operation, argument: "offsets", expected: "[\(count + 1)], from 0 to \(rows)",
                got: [layout.offsets.count])
        }
        try requireIndices(layout.deviceOffsets, count: count + 1, "offsets", in: operation)
        try requireIndices(layout.deviceContextLengths, count: count, "contextLengths", in: operation)
        try requireIndices(layout.devicePageTable, count: count * layout.pagesPerSequence, "pages", in: operation)
        for sequence in 0..<count {
            let newRows = layout.offsets[sequence + 1] - layout.offsets[sequence]
            let context = Int(layout.contextLengths[sequence])
            guard newRows >= 0, context >= Int(newRows), context <= layout.pagesPerSequence * cache.pageSize else {
                throw .indexOutOfRange(
                    operation: operation, argument: "contextLengths[\(sequence)]", index: context,
                    limit: layout.pagesPerSequence * cache.pageSize + 1)
            }
        }
    }
}
