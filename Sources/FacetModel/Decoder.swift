import FacetPlacement
import FacetTensor

/// The text side of the model: token embedding, layers, final norm and output layer.
package struct Decoder: Sendable {
    private let embedding: Staged<Tensor>  // [vocabulary, hidden]
    private let layers: [Staged<DecoderLayer>]
    private let finalNorm: Staged<RMSNormWeights>
    private let outputLayer: Staged<LinearWeights>  // [vocabulary, hidden]

    /// Takes its weights, by name and shape.
    package init(_ weights: Weights, _ configuration: GLM4VConfiguration) throws(ModelError) {
        let (hidden, vocabulary) = (configuration.hiddenSize, configuration.vocabularySize)
        embedding = try weights["embedding"].staged(.tokenEmbedding) { (weights) throws(ModelError) in
            try weights.table("word_embeddings", rows: vocabulary, width: hidden)
        }
        var layers: [Staged<DecoderLayer>] = []
        for index in 0..<configuration.layerCount {
            let path = weights["encoder"]["layers"][index]
            layers.append(
                try path.staged(.decoderLayer(index)) { (weights) throws(ModelError) in
                    try DecoderLayer(weights, configuration)
                })
        }
        self.layers = layers
        finalNorm = try weights["encoder"].staged(.finalNorm) { (weights) throws(ModelError) in
            try weights.rmsNorm("final_layernorm", width: hidden, epsilon: configuration.normEpsilon)
        }
        outputLayer = try weights.staged(.outputLayer) { (weights) throws(ModelError) in
            try weights.linear("output_layer", outputs: vocabulary, inputs: hidden)
        }
    }

    /// Joins decoders of one configuration.
    init(merging parts: [Decoder]) {
        embedding = Staged(merging: parts.map(\.embedding))
        layers = (0..<(parts.first?.layers.count ?? 0)).map { index in
            Staged(merging: parts.map { $0.layers[index] })
        }
        finalNorm = Staged(merging: parts.map(\.finalNorm))
        outputLayer = Staged(merging: parts.map(\.outputLayer))
    }

    /// Runs a batch and leaves the logits of its sampled rows in the workspace of the output layer's device.
    func callAsFunction(
        _ pass: ForwardPass, _ traversal: Traversal, _ rotary: [RotaryTable?]
    ) throws(TensorError) {
        var x = try embed(pass, traversal)  // [rows, hidden]: the residual stream
        try traversal.probe?("hidden.0", x)
        var index = 0
        while index < layers.count {
            let place = try traversal.enter(.decoderLayer(index))
            x = try traversal.bring(x, to: place, \.decoder.hidden)
            let run = index..<traversal.endOfRun(of: index, count: layers.count)
            // Streamed weights are now in one buffer and now in the other.
            let key = traversal.isResident(place.device) ? pass.replayKey(run, at: place) : nil
            x = try advance(x, run, pass, place, rotary, key)
            index = run.upperBound
            try traversal.probe?("hidden.\(index)", x)
        }
        try writeLogits(x, pass, traversal)
        traversal.advice?.finish()
    }

    /// Advances the residual stream by layers of one device, as one piece where they come again with every token.
    ///
    /// - Returns: all rows; behind the last layer those that are sampled, if these suffice.
    private func advance(
        _ x: Tensor, _ run: Range<Int>, _ pass: ForwardPass, _ place: Place, _ rotary: [RotaryTable?], _ key: ReplayKey?
    ) throws(TensorError) -> Tensor {
        let step = pass.step(at: place, rotary)
        let isNarrowed = run.upperBound == layers.count && pass.endsWithSampledRows
        let sampled = isNarrowed ? step.workspace.tensor(\.decoder.sampled, rows: pass.batch.sampledRows.count) : nil
        func enqueue() throws(TensorError) {
            for index in isNarrowed ? run.dropLast() : run {
                try layers[index][place.slot](x, step, cache: pass.cache[index])
            }
            if let sampled, let last = run.last {
                try layers[last][place.slot](x, step, cache: pass.cache[last], keeping: sampled)
            }
        }
        if let key {
            try pass.memory.replayer(on: place.device).run(key, enqueue)
        } else {
            try enqueue()
        }
        return sampled ?? x
    }

    /// Embedded tokens with the pictures' rows put in their places.
    private func embed(_ pass: ForwardPass, _ traversal: Traversal) throws(TensorError) -> Tensor {
        let place = try traversal.enter(.tokenEmbedding)
        let x = place.workspace.tensor(\.decoder.hidden, rows: pass.batch.rowCount)
        try place.backend.gatherRows(embedding[place.slot], pass.integers(at: place).tokenIDs, into: x)
        for splice in pass.splices {
            try place.backend.copy(splice.features, into: x.rows(splice.rows))
        }
        return x
    }

    /// The final norm and the output layer see only the rows that are sampled.
    private func writeLogits(_ x: Tensor, _ pass: ForwardPass, _ traversal: Traversal) throws(TensorError) {
        let count = pass.batch.sampledRows.count
        guard count > 0 || traversal.probe != nil else { return }
        var place = try traversal.enter(.finalNorm)
        let norm = finalNorm[place.slot]
        let isSampled = x.rowCount == count
        let x = try traversal.bring(x, to: place, isSampled ? \.decoder.sampled : \.decoder.hidden)
        if let probe = traversal.probe {
            let normalized = place.workspace.tensor(\.decoder.normalized, rows: x.rowCount)
            try place.backend.rmsNorm(x, norm, into: normalized)
            try probe("final_layernorm", normalized)
        }
        guard count > 0 else { return }
        var sampled = place.workspace.tensor(\.decoder.sampled, rows: count)  // [sampled, hidden]
        if !isSampled { try place.backend.gatherRows(x, pass.integers(at: place).sampledRows, into: sampled) }
        try place.backend.rmsNorm(isSampled ? x : sampled, norm, into: sampled)
        place = try traversal.enter(.outputLayer)
        sampled = try traversal.bring(sampled, to: place, \.decoder.sampled)
        let logits = place.workspace.logits(rows: count)  // [sampled, vocabulary], float32
        try place.backend.linear(sampled, outputLayer[place.slot], epilogue: .store, into: logits)
        try traversal.probe?("logits", logits)
    }
}

/// One decoder layer: `h = x + attention(norm(x))`, then `h + feedForward(norm(h))`.
struct DecoderLayer: Sendable {
    private let attention: CausalAttention
    private let feedForward: FeedForward

    init(_ weights: Weights, _ configuration: GLM4VConfiguration) throws(ModelError) {
        let (width, epsilon) = (configuration.hiddenSize, configuration.normEpsilon)
        attention = try CausalAttention(
            weights["self_attention"], configuration,
            norm: try weights.rmsNorm("input_layernorm", width: width, epsilon: epsilon))
        feedForward = try FeedForward(
            weights["mlp"], configuration,
            norm: try weights.rmsNorm("post_attention_layernorm", width: width, epsilon: epsilon))
    }

    /// Advances the residual stream `x`, `[rows, hidden]`, by one layer.
    func callAsFunction(_ x: Tensor, _ step: DecoderStep, cache: KVLayerCache) throws(TensorError) {
        try attention(addingTo: x, step, cache: cache)
        try feedForward(addingTo: x, step)
    }

    /// Advances only the rows that are sampled: all that is wanted of the others in the last layer are keys and values.
    ///
    /// - Parameters:
    ///   - x: the residual stream, `[rows, hidden]`; stays as it is.
    ///   - sampled: the rows that are sampled, advanced, `[sampled, hidden]`; none where only keys and values are wanted.
    func callAsFunction(
        _ x: Tensor, _ step: DecoderStep, cache: KVLayerCache, keeping sampled: Tensor
    ) throws(TensorError) {
        let query = try attention.queries(x, step, cache: cache)
        guard sampled.rowCount > 0 else { return }
        let attended = try attention.attend(query, step, cache: cache)
        // The queries are used up: their place holds what is kept of the attention's output.
        let kept = query.rows(0..<sampled.rowCount)
        try step.backend.gatherRows(attended, step.integers.sampledRows, into: kept)
        try step.backend.gatherRows(x, step.integers.sampledRows, into: sampled)
        try attention.add(kept, to: sampled, step)
        try feedForward(addingTo: sampled, step)
    }
}

/// Causal attention over the paged cache, with grouped keys and values and half-rotated heads.
struct CausalAttention: Sendable {
    private let norm: RMSNormWeights
    private let projection: LinearWeights  // [(heads + 2 · groups) · headDimension, hidden]: queries, keys, values
    private let output: LinearWeights  // [hidden, heads · headDimension]
    private let shape: AttentionShape

    init(_ weights: Weights, _ configuration: GLM4VConfiguration, norm: RMSNormWeights) throws(ModelError) {
        self.norm = norm
        shape = configuration.attention
        projection = try weights.linear(
            "query_key_value", outputs: shape.projectionWidth, inputs: configuration.hiddenSize,
            hasBias: configuration.hasProjectionBias || configuration.hasLinearBias)
        output = try weights.linear(
            "dense", outputs: configuration.hiddenSize, inputs: shape.queryWidth,
            hasBias: configuration.hasLinearBias)
    }

    /// Adds the block's output for the residual stream `x`, `[rows, hidden]`, to it.
    func callAsFunction(addingTo x: Tensor, _ step: DecoderStep, cache: KVLayerCache) throws(TensorError) {
        try add(attend(queries(x, step, cache: cache), step, cache: cache), to: x, step)
    }

    /// The rotated queries of the residual stream `x`, `[rows, heads · headDimension]`; its keys and values go to the cache.
    func queries(_ x: Tensor, _ step: DecoderStep, cache: KVLayerCache) throws(TensorError) -> Tensor {
        let workspace = step.workspace
        let rows = x.rowCount
        let query = workspace.tensor(\.decoder.query, rows: rows)
        try step.backend.attentionInput(
            x, norm: norm, projection: projection, shape: shape, rotary: step.rotary,
            positions: step.integers.positions, slots: step.integers.slots, cache: cache,
            normalized: workspace.tensor(\.decoder.normalized, rows: rows),
            qkv: workspace.tensor(\.decoder.projection, rows: rows), into: query)
        return query
    }

    /// What the queries of all rows find in the cache, of their shape.
    func attend(_ query: Tensor, _ step: DecoderStep, cache: KVLayerCache) throws(TensorError) -> Tensor {
        let attended = step.workspace.tensor(\.decoder.attended, rows: query.rowCount)
        try step.backend.pagedAttention(query, shape: shape, cache: cache, layout: step.integers.layout, into: attended)
        return attended
    }

    /// Adds the block's output for some rows, `[rows, heads · headDimension]`, to those of the residual stream.
    func add(_ attended: Tensor, to x: Tensor, _ step: DecoderStep) throws(TensorError) {
        try step.backend.linear(attended, output, epilogue: .addResidual, into: x)
    }
}

/// The gated feed-forward block: `down(silu(gate(x)) · up(x))`.
struct FeedForward: Sendable {
    private let norm: RMSNormWeights
    private let gateUp: LinearWeights  // [2 · intermediate, hidden], gate rows first
    private let down: LinearWeights  // [hidden, intermediate]

    init(_ weights: Weights, _ configuration: GLM4VConfiguration, norm: RMSNormWeights) throws(ModelError) {
        let (hidden, intermediate) = (configuration.hiddenSize, configuration.intermediateSize)
        let hasBias = configuration.hasLinearBias
        self.norm = norm
        gateUp = try weights.gatedLinear("dense_h_to_4h", outputs: 2 * intermediate, inputs: hidden, hasBias: hasBias)
        down = try weights.linear("dense_4h_to_h", outputs: hidden, inputs: intermediate, hasBias: hasBias)
    }

    /// Adds the block's output for the residual stream `x`, `[rows, hidden]`, to it.
    func callAsFunction(addingTo x: Tensor, _ step: DecoderStep) throws(TensorError) {
        let workspace = step.workspace
        let narrow = workspace.tensor(\.decoder.narrow, rows: x.rowCount)  // [rows, intermediate]
        try step.backend.feedForwardInput(
            x, norm: norm, projection: gateUp, normalized: workspace.tensor(\.decoder.normalized, rows: x.rowCount),
            gateUp: workspace.tensor(\.decoder.gateUp, rows: x.rowCount), into: narrow)
        try step.backend.linear(narrow, down, epilogue: .addResidual, into: x)
    }
}
