import FacetTensor

/// One operation with operands of a given size, ready to be run again and again.
struct OperationCase {
    /// What bounds an operation of this size, and so what its speed is compared with.
    enum Bound: String, Codable {
        case arithmetic
        case bandwidth
    }

    /// Operation and what it is used for, for example `linear: decoder gate+up`.
    let name: String

    /// Sizes as text, for example `512 x 4096 -> 27392`.
    let size: String

    /// Which limit applies.
    let bound: Bound

    /// Floating-point operations of one run.
    let flop: Double

    /// Bytes that one run has to read and write at least.
    let byteCount: Double

    /// Runs it once; returns when it is done.
    let run: () throws -> Void
}

/// Builds the cases of `facet bench ops` on a backend: the sizes of GLM-4V-9B.
struct OperationCases {
    let backend: CPUBackend
    let dtype: DType
    private var random = RandomFill()

    init(backend: CPUBackend, dtype: DType) {
        self.backend = backend
        self.dtype = dtype
    }

    /// A product whose weights are bfloat16, as in the checkpoint.
    ///
    /// - Parameter rows: 1 for decoding. Then several matrices take turns, so that none is found in a cache.
    mutating func linear(
        _ name: String, rows: Int, outputs: Int, inputs: Int, epilogue: LinearEpilogue = .store
    ) throws -> OperationCase {
        let weightByteCount = outputs * inputs * DType.bfloat16.byteCount
        let copies = rows >= 64 ? 1 : max(1, (512 << 20) / weightByteCount)
        var layers: [LinearWeights] = []
        for _ in 0..<copies {
            let weight = try allocate([outputs, inputs], .bfloat16, "benchmark weight")
            layers.append(try backend.bind(weight: weight, bias: nil))
        }
        let x = try allocate([rows, inputs], dtype, "benchmark input")
        let y = try allocate([rows, outputs], dtype, "benchmark output")
        var turn = 0
        return OperationCase(
            name: name, size: "\(rows) x \(inputs) -> \(outputs)", bound: rows >= 64 ? .arithmetic : .bandwidth,
            flop: 2 * Double(rows) * Double(outputs) * Double(inputs),
            byteCount: Double(weightByteCount + x.byteCount + y.byteCount)
        ) { [backend] in
            try backend.linear(x, layers[turn % copies], epilogue: epilogue, into: y)
            turn += 1
            try backend.synchronize()
        }
    }

    /// A product whose weights are packed.
    ///
    /// - Parameter group: elements of a row that share a scale; 0 for all, or for a format without scales.
    mutating func packed(
        _ name: String, rows: Int, outputs: Int, inputs: Int, format: PackedFormat, group: Int
    ) throws -> OperationCase {
        let layout = PackedLayout(
            format: format, outputs: outputs, inputs: inputs, group: group, scaleDType: group > 0 ? .bfloat16 : .float32
        )
        let copies = rows >= 64 ? 1 : max(1, (512 << 20) / layout.byteCount)
        let sourceWidth = format == .int4 ? (inputs + 1) / 2 : inputs
        let source = try allocate([outputs, sourceWidth], format.hasScales ? .uint8 : .bfloat16, "benchmark weight")
        let scales =
            format.hasScales ? try allocate([outputs, layout.groupCount], layout.scaleDType, "benchmark scales") : nil
        let matrices = try (0..<copies).map { _ in
            let matrix = try PackedMatrix(layout, label: "benchmark weight")
            try backend.pack(source, scales: scales, into: matrix)
            return matrix
        }
        let x = try allocate([rows, inputs], dtype, "benchmark input")
        let y = try allocate([rows, outputs], dtype, "benchmark output")
        var turn = 0
        return OperationCase(
            name: name, size: "\(rows) x \(inputs) -> \(outputs)", bound: rows >= 64 ? .arithmetic : .bandwidth,
            flop: 2 * Double(rows) * Double(outputs) * Double(inputs),
            byteCount: Double(layout.byteCount + x.byteCount + y.byteCount)
        ) { [backend] in
            try backend.linear(x, matrices[turn % copies], epilogue: .store, into: y)
            turn += 1
        }
    }

    /// Attention of the vision tower.
    mutating func bidirectionalAttention(
        _ name: String, rows: Int, heads: Int, headDimension: Int
    ) throws -> OperationCase {
        let width = heads * headDimension
        let qkv = try allocate([rows, 3 * width], dtype, "benchmark qkv")
        let y = try allocate([rows, width], dtype, "benchmark output")
        return OperationCase(
            name: name, size: "\(rows) rows, \(heads) heads x \(headDimension)", bound: .arithmetic,
            flop: 4 * Double(rows) * Double(rows) * Double(width), byteCount: Double(qkv.byteCount + y.byteCount)
        ) { [backend] in
            try backend.bidirectionalAttention(qkv, sequenceLength: rows, heads: heads, into: y)
            try backend.synchronize()
        }
    }

    /// Causal attention of one sequence over pages.
    ///
    /// - Parameter quantized: whether keys and values are bytes; all zero then, which takes as long as any.
    mutating func pagedAttention(
        _ name: String, rows: Int, context: Int, shape: AttentionShape, quantized: Bool = false
    ) throws -> OperationCase {
        let pageSize = 16
        let pageCount = (context + pageSize - 1) / pageSize
        let width = shape.headDimension + (quantized ? KVLayerCache.scaleByteCount : 0)
        let cacheShape: Shape = [pageCount, pageSize, shape.groups, width]
        let cache =
            quantized
            ? KVLayerCache(
                keys: try backend.allocate(cacheShape, .uint8, label: "benchmark keys"),
                values: try backend.allocate(cacheShape, .uint8, label: "benchmark values"))
            : KVLayerCache(
                keys: try allocate(cacheShape, dtype, "benchmark keys"),
                values: try allocate(cacheShape, dtype, "benchmark values"))
        let layout = try sequenceLayout(rows: rows, context: context, pageCount: pageCount)
        let q = try allocate([rows, shape.queryWidth], dtype, "benchmark queries")
        let y = try allocate([rows, shape.queryWidth], dtype, "benchmark output")
        // Row i of the last `rows` sees context − rows + i + 1 keys.
        let keys = Double(rows) * (Double(context) - (Double(rows) - 1) / 2)
        return OperationCase(
            name: name, size: "\(rows) rows, context \(context)", bound: rows >= 64 ? .arithmetic : .bandwidth,
            flop: 4 * keys * Double(shape.queryWidth), byteCount: Double(cache.keys.byteCount * 2 + 2 * q.byteCount)
        ) { [backend] in
            try backend.pagedAttention(q, shape: shape, cache: cache, layout: layout, into: y)
            try backend.synchronize()
        }
    }

    /// Any operation that is bound by reading `x` and writing `y`.
    mutating func rowwise(
        _ name: String, rows: Int, width: Int,
        _ operation: @escaping (any Backend, Tensor, Tensor, Tensor) throws(TensorError) -> Void
    ) throws -> OperationCase {
        let x = try allocate([rows, width], dtype, "benchmark input")
        let y = try allocate([rows, width], dtype, "benchmark output")
        let parameter = try allocate([width], .bfloat16, "benchmark parameter")
        return OperationCase(
            name: name, size: "\(rows) x \(width)", bound: .bandwidth, flop: 0,
            byteCount: Double(x.byteCount + y.byteCount)
        ) { [backend] in
            try operation(backend, x, y, parameter)
            try backend.synchronize()
        }
    }

    private mutating func allocate(_ shape: Shape, _ dtype: DType, _ label: String) throws -> Tensor {
        let tensor = try backend.allocate(shape, dtype, label: label)
        try random.fill(tensor, on: backend)
        return tensor
    }

    private func sequenceLayout(rows: Int, context: Int, pageCount: Int) throws -> SequenceLayout {
        let offsets: [Int32] = [0, Int32(rows)]
        let lengths = [Int32(context)]
        return SequenceLayout(
            offsets: offsets, contextLengths: lengths, pagesPerSequence: pageCount,
            deviceOffsets: try upload(offsets), deviceContextLengths: try upload(lengths),
            devicePageTable: try upload((0..<Int32(pageCount)).map { $0 }).reshaped([1, pageCount]))
    }

    private func upload(_ numbers: [Int32]) throws -> Tensor {
        let tensor = try backend.allocate([numbers.count], .int32, label: "benchmark layout")
        try numbers.withUnsafeBytes { bytes throws in try backend.upload(bytes, into: tensor) }
        return tensor
    }
}
