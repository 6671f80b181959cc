public import FacetTensor

extension CUDABackend {
    /// Largest head dimension.
    public static let headLimit = 256

    /// Sequences in the same call take the same time whatever their lengths are; heads of a multiple of 8 elements go
    /// through tensor cores.
    public func bidirectionalAttention(
        _ qkv: Tensor, sequenceLength: Int, heads: Int, into y: Tensor
    ) throws(TensorError) {
        let operation = "bidirectionalAttention"
        let kernels = try kernels(of: qkv, "qkv", in: operation)
        let width = qkv.shape.rowElementCount
        try require(
            heads > 0 && width % (3 * heads) == 0 && sequenceLength > 0 && qkv.rowCount % sequenceLength == 0, qkv,
            "qkv", "[sequences · \(sequenceLength), 3 · \(heads) · headDimension]", in: operation)
        let dimension = width / (3 * heads)
        try require(
            dimension <= Self.headLimit, qkv, "qkv", "with heads of at most \(Self.headLimit)", in: operation)
        try requireResult(y, qkv.dtype, "y", in: operation)
        try require(y, rows: qkv.rowCount, width: heads * dimension, "y", in: operation)
        let sizes = (Int32(sequenceLength), Int32(heads), Int32(dimension))
        if dimension % 8 == 0, qkv.isVectorAligned, let fused = kernels.bidirectional.fitting(dimension) {
            let grid = Dimensions(blocks(sequenceLength, 64), heads, qkv.rowCount / sequenceLength)
            try launch(
                fused.kernel, grid: grid, threads: 128, qkv.deviceAddress, sizes.0, sizes.1, sizes.2, y.deviceAddress)
        } else {
            try launch(
                kernels.bidirectionalPlain, grid: Dimensions(qkv.rowCount, blocks(heads, 4)), threads: 128,
                qkv.deviceAddress, sizes.0, sizes.1, sizes.2, y.deviceAddress)
        }
    }

    public func rotateAndAppend(
        _ qkv: Tensor, shape: AttentionShape, rotary: RotaryTable, positions: Tensor, slots: Tensor,
        cache: KVLayerCache, into q: Tensor
    ) throws(TensorError) {
        let operation = "rotateAndAppend"
        let kernels = try kernels(of: qkv, "qkv", in: operation)
        try require(qkv, rows: qkv.rowCount, width: shape.projectionWidth, "qkv", in: operation)
        try requireResult(q, qkv.dtype, "q", in: operation)
        try require(q, rows: qkv.rowCount, width: shape.queryWidth, "q", in: operation)
        try requireCache(cache, shape, qkv.dtype, in: operation)
        let pairs = try requireRotary(rotary, shape, in: operation)
        try requireIndices(positions, count: qkv.rowCount, "positions", in: operation)
        try requireIndices(slots, count: qkv.rowCount, "slots", in: operation)
        let heads = shape.heads + 2 * shape.groups
        try launch(
            cache.isQuantized ? kernels.rotateAndAppendInt8 : kernels.rotateAndAppend,
            grid: Dimensions(blocks(heads, 4), qkv.rowCount), threads: 128, qkv.deviceAddress, Int32(shape.heads),
            Int32(shape.groups), Int32(shape.headDimension), rotary.cosines.deviceAddress, rotary.sines.deviceAddress,
            Int32(pairs), positions.deviceAddress, slots.deviceAddress, cache.keys.deviceAddress,
            cache.values.deviceAddress, q.deviceAddress)
    }

    public func pagedAttention(
        _ q: Tensor, shape: AttentionShape, cache: KVLayerCache, layout: SequenceLayout, into y: Tensor
    ) throws(TensorError) {
        let operation = "pagedAttention"
        let kernels = try kernels(of: q, "q", in: operation)
        try require(q, rows: q.rowCount, width: shape.queryWidth, "q", in: operation)
        try requireResult(y, q.dtype, "y", in: operation)
        try require(y, rows: q.rowCount, width: shape.queryWidth, "y", in: operation)
        try requireCache(cache, shape, q.dtype, in: operation)
        try requireLayout(layout, rows: q.rowCount, cache, in: operation)
        let attention = PagedAttention(q: q, shape: shape, cache: cache, layout: layout, y: y)
        let dimension = shape.headDimension
        let many = (cache.isQuantized ? kernels.pagedInt8 : kernels.paged).fitting(dimension)
        let single = (cache.isQuantized ? kernels.decodeInt8 : kernels.decode).fitting(dimension)
        guard dimension % 8 == 0, q.isVectorAligned, let many, let single, let combine = kernels.combineSplits else {
            return try launchPlain(attention, cache.isQuantized ? kernels.pagedPlainInt8 : kernels.pagedPlain)
        }
        let splits = attention.splitCount(
            partDimension: single.size, multiprocessors: info.multiprocessorCount,
            partByteCount: CardScratch.partByteCount)
        if splits > 0 { try launchSplit(attention, single.kernel, combine, splits, partDimension: single.size) }
        let leastRows = splits > 0 ? 2 : 1
        if attention.mostRows >= leastRows { try launchTiles(attention, many.kernel, leastRows: leastRows) }
    }

    /// Single rows: the keys are shared out among blocks, whose parts a second kernel puts together.
    private func launchSplit(
        _ its: PagedAttention, _ kernel: CUDAKernel, _ combine: CUDAKernel, _ splits: Int, partDimension: Int
    ) throws(TensorError) {
        let (shape, layout) = (its.shape, its.layout)
        let parts = scratch.parts.address
        try launch(
            kernel, grid: Dimensions(splits, its.headSets, layout.sequenceCount), threads: 128, its.q.deviceAddress,
            Int32(shape.heads), Int32(shape.groups), Int32(shape.headDimension), its.cache.keys.deviceAddress,
            its.cache.values.deviceAddress, Int32(its.cache.pageSize), layout.deviceOffsets.deviceAddress,
            layout.deviceContextLengths.deviceAddress, layout.devicePageTable.deviceAddress,
            Int32(layout.pagesPerSequence), parts)
        try launch(
            combine, grid: Dimensions(shape.heads, layout.sequenceCount), threads: 32, parts, Int32(splits),
            Int32(partDimension), Int32(shape.headDimension), layout.deviceOffsets.deviceAddress, its.y.deviceAddress)
    }

    /// Sequences with several rows: tiles of 64 of them.
    private func launchTiles(
        _ its: PagedAttention, _ kernel: CUDAKernel, leastRows: Int
    ) throws(TensorError) {
        let (shape, layout) = (its.shape, its.layout)
        try launch(
            kernel, grid: Dimensions(blocks(its.mostRows, 64), shape.heads, layout.sequenceCount), threads: 128,
            its.q.deviceAddress, Int32(shape.heads), Int32(shape.groups), Int32(shape.headDimension),
            its.cache.keys.deviceAddress, its.cache.values.deviceAddress, Int32(its.cache.pageSize),
            layout.deviceOffsets.deviceAddress, layout.deviceContextLengths.deviceAddress,
            layout.devicePageTable.deviceAddress, Int32(layout.pagesPerSequence), Int32(leastRows),
            its.y.deviceAddress)
    }

    private func launchPlain(_ its: PagedAttention, _ kernel: CUDAKernel) throws(TensorError) {
        let (shape, layout) = (its.shape, its.layout)
        try launch(
            kernel, grid: Dimensions(its.q.rowCount, blocks(shape.heads, 4)), threads: 128, its.q.deviceAddress,
            Int32(shape.heads), Int32(shape.groups), Int32(shape.headDimension), its.cache.keys.deviceAddress,
            its.cache.values.deviceAddress, Int32(its.cache.pageSize), layout.deviceOffsets.deviceAddress,
            layout.deviceContextLengths.deviceAddress, layout.devicePageTable.deviceAddress,
            Int32(layout.pagesPerSequence), Int32(layout.sequenceCount), its.y.deviceAddress)
    }
}
