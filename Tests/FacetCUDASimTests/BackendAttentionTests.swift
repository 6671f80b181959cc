import FacetCUDA
import FacetTensor
import Testing

@Suite("A card's attention agrees with the CPU's")
struct BackendAttentionTests {
    @Test("within sequences, for heads with and without tensor cores", arguments: DType.activations)
    func bidirectional(dtype: DType) throws {
        try BackendPair.run { pair in
            let cases = [(1, 5, 2, 16), (2, 70, 1, 32), (1, 9, 3, 10), (1, 65, 2, 112)]
            for (sequences, length, heads, dimension) in cases {
                let qkv = try pair.random([sequences * length, 3 * heads * dimension], dtype)
                let y = try pair.result([sequences * length, heads * dimension], dtype)
                try pair.card.bidirectionalAttention(qkv.card, sequenceLength: length, heads: heads, into: y.card)
                try pair.cpu.bidirectionalAttention(qkv.cpu, sequenceLength: length, heads: heads, into: y.cpu)
                try pair.expectEqual(
                    y, absolute: dtype == .float32 ? 2e-5 : 4e-3, roundings: 2,
                    "\(sequences) of \(length), \(heads) of \(dimension)")
            }
        }
    }

    @Test("over pages: prefill, decoding and both at once, plain and quantized caches", arguments: DType.activations)
    func paged(dtype: DType) throws {
        try BackendPair.run { pair in
            for (heads, groups, dimension) in [(4, 2, 16), (32, 2, 64), (3, 1, 20), (2, 1, 128)] {
                let mixed = [(1, 33), (6, 40), (1, 130), (2, 2)]
                for batch in [[(1, 1)], [(1, 70), (1, 3)], [(5, 5)], [(70, 70)], mixed] {
                    for quantizes in [false, true] {
                        let its = Case(
                            shape: AttentionShape(heads: heads, groups: groups, headDimension: dimension),
                            batch: batch, quantizes: quantizes, dtype: dtype)
                        try check(pair, its)
                    }
                }
            }
        }
    }

    struct Case {
        let shape: AttentionShape
        /// New rows and context of each sequence.
        let batch: [(rows: Int, context: Int)]
        let quantizes: Bool
        let dtype: DType
    }

    /// Appends whole contexts, then the new rows attend.
    private func check(_ pair: BackendPair, _ its: Case) throws {
        let (shape, pageSize) = (its.shape, 16)
        let longest = its.batch.map(\.context).max() ?? 0
        let pagesPerSequence = (longest + pageSize - 1) / pageSize + 1
        let pageCount = its.batch.count * pagesPerSequence
        let cache = try (
            cache(pair, its, pageCount, pageSize, onCard: true), cache(pair, its, pageCount, pageSize, onCard: false)
        )
        // Pages in an order of their own.
        let pages = (0..<pageCount).map { Int32(($0 * 7 + 3) % pageCount) }
        let sound = Set(pages).count == pageCount ? pages : pages.indices.map(Int32.init)
        let positionLimit = pagesPerSequence * pageSize
        let rotary = try rotaryTables(pair, shape, positionLimit)

        var slots: [Int32] = [], positions: [Int32] = []
        for (sequence, entry) in its.batch.enumerated() {
            for position in 0..<entry.context {
                let page = sound[sequence * pagesPerSequence + position / pageSize]
                slots.append(page * Int32(pageSize) + Int32(position % pageSize))
                positions.append(Int32(position))
            }
        }
        let qkv = try pair.random([slots.count, shape.projectionWidth], its.dtype)
        let q = try pair.result([slots.count, shape.queryWidth], its.dtype)
        let (slotTensor, positionTensor) = (try pair.indices(slots), try pair.indices(positions))
        try pair.card.rotateAndAppend(
            qkv.card, shape: shape, rotary: rotary.card, positions: positionTensor.card, slots: slotTensor.card,
            cache: cache.0, into: q.card)
        try pair.cpu.rotateAndAppend(
            qkv.cpu, shape: shape, rotary: rotary.cpu, positions: positionTensor.cpu, slots: slotTensor.cpu,
            cache: cache.1, into: q.cpu)
        try pair.expectEqual(q, "rotated")

        var offsets: [Int32] = [0]
        var rowCount = 0
        for entry in its.batch {
            rowCount += entry.rows
            offsets.append(Int32(rowCount))
        }
        let contexts = its.batch.map { Int32($0.context) }
        let (device, lengths) = (try pair.indices(offsets), try pair.indices(contexts))
        let table = try pair.indices(sound, [its.batch.count, pagesPerSequence])
        let x = try pair.random([rowCount, shape.queryWidth], its.dtype)
        let y = try pair.result([rowCount, shape.queryWidth], its.dtype)
        try pair.card.pagedAttention(
            x.card, shape: shape, cache: cache.0,
            layout: SequenceLayout(
                offsets: offsets, contextLengths: contexts, pagesPerSequence: pagesPerSequence,
                deviceOffsets: device.card, deviceContextLengths: lengths.card, devicePageTable: table.card),
            into: y.card)
        try pair.cpu.pagedAttention(
            x.cpu, shape: shape, cache: cache.1,
            layout: SequenceLayout(
                offsets: offsets, contextLengths: contexts, pagesPerSequence: pagesPerSequence,
                deviceOffsets: device.cpu, deviceContextLengths: lengths.cpu, devicePageTable: table.cpu),
            into: y.cpu)
        // The card's keys are rounded to its type, the CPU's here are not; a byte more or less is 1/127 of a head.
        let tolerance: Float = its.quantizes ? 2e-2 : its.dtype == .float32 ? 2e-5 : 8e-3
        try pair.expectEqual(
            y, absolute: tolerance, roundings: 2, "\(shape) \(its.batch) \(its.quantizes) \(its.dtype)")
    }

    private func cache(
        _ pair: BackendPair, _ its: Case, _ pageCount: Int, _ pageSize: Int, onCard: Bool
    ) throws -> KVLayerCache {
        let backend: any Backend = onCard ? pair.card : pair.cpu
        let width = its.shape.headDimension + (its.quantizes ? KVLayerCache.scaleByteCount : 0)
        let shape: Shape = [pageCount, pageSize, its.shape.groups, width]
        let dtype: DType = its.quantizes ? .uint8 : onCard ? its.dtype : .float32
        return KVLayerCache(
            keys: try backend.allocate(shape, dtype, label: "keys"),
            values: try backend.allocate(shape, dtype, label: "values"))
    }

    private func rotaryTables(
        _ pair: BackendPair, _ shape: AttentionShape, _ positions: Int
    ) throws -> (card: RotaryTable, cpu: RotaryTable) {
        let pairs = shape.headDimension / 4
        let cosines = try pair.random([positions, pairs], .float32),
            sines = try pair.random([positions, pairs], .float32)
        return (
            RotaryTable(cosines: cosines.card, sines: sines.card, rotatedDimension: 2 * pairs),
            RotaryTable(cosines: cosines.cpu, sines: sines.cpu, rotatedDimension: 2 * pairs)
        )
    }

    @Test("norm, projection, rotation and append in one kernel, and what composes them", arguments: DType.activations)
    func attentionInput(dtype: DType) throws {
        try BackendPair.run { pair in
            let (hidden, slots) = (72, 40)
            let shape = AttentionShape(heads: 4, groups: 2, headDimension: 12)
            let rotary = try rotaryTables(pair, shape, 30)
            let norm = try pair.hostRandom([hidden], .bfloat16)
            let weight = try pair.hostRandom([shape.projectionWidth, hidden], dtype, scale: 0.2)
            let bias = try pair.hostRandom([shape.projectionWidth], dtype)
            let layers = (try pair.card.bind(weight: weight, bias: bias), try pair.cpu.bind(weight: weight, bias: bias))
            let cardNorm = RMSNormWeights(weight: try pair.card.bind(parameter: norm), epsilon: 1e-5)
            for rows in [1, 3, 4, 6] {
                let x = try pair.random([rows, hidden], dtype, scale: 2)
                let place = try pair.indices((0..<rows).map { Int32($0 * 7 % 30) })
                let slot = try pair.indices((0..<rows).map { Int32($0 * 11 % slots) })
                let q = try pair.result([rows, shape.queryWidth], dtype)
                let its = Case(shape: shape, batch: [], quantizes: false, dtype: dtype)
                let (cardCache, cpuCache) = (
                    try cache(pair, its, slots / 4, 4, onCard: true), try cache(pair, its, slots / 4, 4, onCard: false)
                )
                let (normalized, qkv) = (
                    try pair.result([rows, hidden], dtype), try pair.result([rows, shape.projectionWidth], dtype)
                )
                try pair.card.attentionInput(
                    x.card, norm: cardNorm, projection: layers.0, shape: shape, rotary: rotary.card,
                    positions: place.card, slots: slot.card, cache: cardCache, normalized: normalized.card,
                    qkv: qkv.card, into: q.card)
                try pair.cpu.attentionInput(
                    x.cpu, norm: RMSNormWeights(weight: norm, epsilon: 1e-5), projection: layers.1, shape: shape,
                    rotary: rotary.cpu, positions: place.cpu, slots: slot.cpu, cache: cpuCache,
                    normalized: normalized.cpu, qkv: qkv.cpu, into: q.cpu)
                // Rounded after the norm, after the product and at the end.
                let absolute: Float = dtype == .float32 ? 2e-5 : dtype == .float16 ? 4e-3 : 3e-2
                try pair.expectEqual(q, absolute: absolute, roundings: 2, "\(rows) rows: q")
                for (card, cpu) in [(cardCache.keys, cpuCache.keys), (cardCache.values, cpuCache.values)] {
                    try pair.expectEqual(
                        BackendPair.Operand(card: card, cpu: cpu), absolute: absolute, roundings: 2, "\(rows) rows")
                }
            }
        }
    }

    @Test("norm, gate and up and gated SiLU in one kernel, and what composes them", arguments: DType.activations)
    func feedForwardInput(dtype: DType) throws {
        try BackendPair.run { pair in
            let (hidden, inner) = (64, 37)
            let norm = try pair.hostRandom([hidden], .bfloat16)
            let weight = try pair.hostRandom([2 * inner, hidden], dtype, scale: 0.2)
            let layers = (try pair.card.bind(weight: weight, bias: nil), try pair.cpu.bind(weight: weight, bias: nil))
            let cardNorm = RMSNormWeights(weight: try pair.card.bind(parameter: norm), epsilon: 1e-5)
            for rows in [1, 2, 4, 5] {
                let x = try pair.random([rows, hidden], dtype, scale: 2)
                let y = try pair.result([rows, inner], dtype)
                let (normalized, gateUp) = (
                    try pair.result([rows, hidden], dtype), try pair.result([rows, 2 * inner], dtype)
                )
                try pair.card.feedForwardInput(
                    x.card, norm: cardNorm, projection: layers.0, normalized: normalized.card, gateUp: gateUp.card,
                    into: y.card)
                try pair.cpu.feedForwardInput(
                    x.cpu, norm: RMSNormWeights(weight: norm, epsilon: 1e-5), projection: layers.1,
                    normalized: normalized.cpu, gateUp: gateUp.cpu, into: y.cpu)
                try pair.expectEqual(
                    y, absolute: dtype == .float32 ? 2e-5 : dtype == .float16 ? 4e-3 : 3e-2, roundings: 3,
                    "\(rows) rows")
            }
        }
    }
}
