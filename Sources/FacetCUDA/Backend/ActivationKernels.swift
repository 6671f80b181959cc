/// The kernels of one type of activations, resolved while the program starts; nil where the card has none.
struct ActivationKernels {
    let rmsNorm: CUDAKernel
    let layerNorm: CUDAKernel
    let gatedSiLUFused: CUDAKernel
    let gatedSiLU: CUDAKernel
    let gelu: CUDAKernel
    let add: CUDAKernel
    let scale: CUDAKernel
    let gatherRows: CUDAKernel
    let patchify: CUDAKernel
    let gatherNeighborhoods: CUDAKernel
    let rotateAndAppend: CUDAKernel
    let rotateAndAppendInt8: CUDAKernel
    let bidirectionalPlain: CUDAKernel
    let pagedPlain: CUDAKernel
    let pagedPlainInt8: CUDAKernel

    /// Few rows per block: 1, 4 or 8.
    let gemv: [WeightKind: RowKernels]

    /// Tiles of 16 and 128 rows on tensor cores.
    let product: [WeightKind: RowKernels]

    /// Products of many rows as codes; nil where the card multiplies none.
    let codes: CodeKernels?

    /// Norm, projection, rotary embedding and append in one: 1 or 4 rows.
    let attentionInput: [WeightKind: RowKernels]

    /// Norm, gate and up projection and gated SiLU in one: 1 or 4 rows.
    let feedForwardInput: [WeightKind: RowKernels]

    /// By largest head dimension.
    let bidirectional: RowKernels
    let paged: RowKernels
    let pagedInt8: RowKernels
    let decode: RowKernels
    let decodeInt8: RowKernels
    let combineSplits: CUDAKernel?

    init(_ type: ActivationType, _ table: KernelTable) throws(CUDAError) {
        let x = type.rawValue
        rmsNorm = try table.kernel("rms_norm_\(x)")
        layerNorm = try table.kernel("layer_norm_\(x)")
        gatedSiLUFused = try table.kernel("gated_silu_fused_\(x)")
        gatedSiLU = try table.kernel("gated_silu_\(x)")
        gelu = try table.kernel("gelu_\(x)")
        add = try table.kernel("add_\(x)")
        scale = try table.kernel("scale_\(x)")
        gatherRows = try table.kernel("gather_rows_\(x)")
        patchify = try table.kernel("patchify_\(x)")
        gatherNeighborhoods = try table.kernel("gather_neighborhoods_\(x)")
        rotateAndAppend = try table.kernel("rotate_and_append_\(x)")
        rotateAndAppendInt8 = try table.kernel("rotate_and_append_int8_\(x)")
        bidirectionalPlain = try table.kernel("bidirectional_attention_plain_\(x)")
        pagedPlain = try table.kernel("paged_attention_plain_\(x)")
        pagedPlainInt8 = try table.kernel("paged_attention_plain_int8_\(x)")
        var gemv: [WeightKind: RowKernels] = [:]
        var product: [WeightKind: RowKernels] = [:]
        var attentionInput: [WeightKind: RowKernels] = [:]
        var feedForwardInput: [WeightKind: RowKernels] = [:]
        for kind in WeightKind.allCases {
            let w = kind.rawValue
            gemv[kind] = RowKernels(table, [1, 4, 8]) { "gemv_\(x)_\(w)_r\($0)" }
            product[kind] = RowKernels(table, [16, 128]) { "product_\(x)_\(w)_m\($0)" }
            attentionInput[kind] = RowKernels(table, [1, 4]) { "attention_input_\(x)_\(w)_r\($0)" }
            feedForwardInput[kind] = RowKernels(table, [1, 4]) { "feed_forward_input_\(x)_\(w)_r\($0)" }
        }
        self.gemv = gemv
        self.product = product
        codes = CodeKernels(x, table)
        self.attentionInput = attentionInput
        self.feedForwardInput = feedForwardInput
        bidirectional = RowKernels(table, [32, 64, 112, 128]) { "bidirectional_attention_\(x)_d\($0)" }
        paged = RowKernels(table, [64, 128]) { "paged_attention_\(x)_d\($0)" }
        pagedInt8 = RowKernels(table, [64, 128]) { "paged_attention_int8_\(x)_d\($0)" }
        decode = RowKernels(table, [64, 128]) { "decode_attention_\(x)_d\($0)" }
        decodeInt8 = RowKernels(table, [64, 128]) { "decode_attention_int8_\(x)_d\($0)" }
        combineSplits = table["combine_splits_\(x)"]
    }
}

/// Kernels that differ by a size, smallest first.
struct RowKernels {
    private let kernels: [(size: Int, kernel: CUDAKernel)]

    /// Those of the sizes that the table has.
    init(_ table: KernelTable, _ sizes: [Int], name: (Int) -> String) {
        kernels = sizes.compactMap { size in table[name(size)].map { (size, $0) } }
    }

    /// Whether there is any.
    var isEmpty: Bool { kernels.isEmpty }

    /// The smallest that is large enough, or the largest; nil when there is none.
    func nearest(_ size: Int) -> (size: Int, kernel: CUDAKernel)? {
        kernels.first { $0.size >= size } ?? kernels.last
    }

    /// The smallest that is large enough.
    func fitting(_ size: Int) -> (size: Int, kernel: CUDAKernel)? { kernels.first { $0.size >= size } }
}

/// The kernels of products of 8-bit codes by 8-bit codes.
struct CodeKernels {
    /// Rows to codes and scales.
    let quantizeRows: CUDAKernel

    /// Scales, bias and epilogue of the library's sums.
    let finish: CUDAKernel

    /// Tiles of 128 rows, all in one; nil where only the library multiplies codes fast.
    let product: CUDAKernel?

    /// Nil where the card has none.
    init?(_ type: String, _ table: KernelTable) {
        guard let quantizeRows = table["quantize_rows_\(type)"], let finish = table["finish_codes_\(type)"] else {
            return nil
        }
        self.quantizeRows = quantizeRows
        self.finish = finish
        product = table["product_codes_\(type)_m128"]
    }
}
