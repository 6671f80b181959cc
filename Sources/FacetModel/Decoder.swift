import FacetTensor

/// The text side of the model: token embedding, layers, final norm and output layer.
package struct Decoder: Sendable {
    private let embedding: Tensor  // [vocabulary, hidden]
    private let layers: [DecoderLayer]
    private let finalNorm: RMSNormWeights
    private let outputLayer: LinearWeights  // [vocabulary, hidden]

    /// Takes its weights, by name and shape.
    package init(_ weights: Weights, _ configuration: GLM4VConfiguration) throws(ModelError) {
        let hidden = configuration.hiddenSize
        embedding = try weights["embedding"].of(.tokenEmbedding)
            .table("word_embeddings", rows: configuration.vocabularySize, width: hidden)
        var layers: [DecoderLayer] = []
        for index in 0..<configuration.layerCount {
            let path = weights["encoder"]["layers"][index].of(.decoderLayer(index))
            layers.append(try DecoderLayer(path, configuration))
        }
        self.layers = layers
        finalNorm = try weights["encoder"].of(.outputLayer)
            .rmsNorm("final_layernorm", width: hidden, epsilon: configuration.normEpsilon)
        outputLayer = try weights.of(.outputLayer)
            .linear("output_layer", outputs: configuration.vocabularySize, inputs: hidden)
    }

    /// Runs a batch and leaves the logits of its sampled rows in the workspace.
    func callAsFunction(_ pass: ForwardPass, _ rotary: RotaryTable, _ stream: WeightStream?) throws(TensorError) {
        stream?.enter(.tokenEmbedding)
        let x = try embed(pass)  // [rows, hidden]: the residual stream
        try pass.probe?("hidden.0", x)
        for (index, layer) in layers.enumerated() {
            stream?.enter(.decoderLayer(index))
            try layer(x, pass, cache: pass.cache[index], rotary)
            try pass.probe?("hidden.\(index + 1)", x)
        }
        stream?.enter(.outputLayer)
        try writeLogits(x, pass)
        stream?.finish()
    }

    /// Embedded tokens with the pictures' rows put in their places.
    private func embed(_ pass: ForwardPass) throws(TensorError) -> Tensor {
        let x = pass.workspace.tensor(\.decoder.hidden, rows: pass.batch.rowCount)
        try pass.backend.gatherRows(embedding, pass.tokenIDs, into: x)
        for splice in pass.splices {
            try pass.backend.copy(splice.features, into: x.rows(splice.rows))
        }
        return x
    }

    /// The final norm and the output layer see only the rows that are sampled.
    private func writeLogits(_ x: Tensor, _ pass: ForwardPass) throws(TensorError) {
        let backend = pass.backend
        if let probe = pass.probe {
            let normalized = pass.workspace.tensor(\.decoder.normalized, rows: x.rowCount)
            try backend.rmsNorm(x, finalNorm, into: normalized)
            try probe("final_layernorm", normalized)
        }
        let count = pass.batch.sampledRows.count
        guard count > 0 else { return }
        let sampled = pass.workspace.tensor(\.decoder.sampled, rows: count)  // [sampled, hidden]
        let logits = pass.workspace.logits(rows: count)  // [sampled, vocabulary], float32
        try backend.gatherRows(x, pass.sampledRows, into: sampled)
        try backend.rmsNorm(sampled, finalNorm, into: sampled)
        try backend.linear(sampled, outputLayer, epilogue: .store, into: logits)
        try pass.probe?("logits", logits)
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
    func callAsFunction(
        _ x: Tensor, _ pass: ForwardPass, cache: KVLayerCache, _ rotary: RotaryTable
    ) throws(TensorError) {
        try attention(addingTo: x, pass, cache: cache, rotary)
        try feedForward(addingTo: x, pass)
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
    func callAsFunction(
        addingTo x: Tensor, _ pass: ForwardPass, cache: KVLayerCache, _ rotary: RotaryTable
    ) throws(TensorError) {
        let workspace = pass.workspace
        let rows = x.rowCount
        let query = workspace.tensor(\.decoder.query, rows: rows)  // [rows, heads · headDimension]
        let attended = workspace.tensor(\.decoder.attended, rows: rows)  // as query
        try pass.backend.attentionInput(
            x, norm: norm, projection: projection, shape: shape, rotary: rotary, positions: pass.positions,
            slots: pass.slots, cache: cache, normalized: workspace.tensor(\.decoder.normalized, rows: rows),
            qkv: workspace.tensor(\.decoder.projection, rows: rows), into: query)
        try pass.backend.pagedAttention(query, shape: shape, cache: cache, layout: pass.layout, into: attended)
        try pass.backend.linear(attended, output, epilogue: .addResidual, into: x)
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
        gateUp = try weights.linear("dense_h_to_4h", outputs: 2 * intermediate, inputs: hidden, hasBias: hasBias)
        down = try weights.linear("dense_4h_to_h", outputs: hidden, inputs: intermediate, hasBias: hasBias)
    }

    /// Adds the block's output for the residual stream `x`, `[rows, hidden]`, to it.
    func callAsFunction(addingTo x: Tensor, _ pass: ForwardPass) throws(TensorError) {
        let workspace = pass.workspace
        let narrow = workspace.tensor(\.decoder.narrow, rows: x.rowCount)  // [rows, intermediate]
        try pass.backend.feedForwardInput(
            x, norm: norm, projection: gateUp, normalized: workspace.tensor(\.decoder.normalized, rows: x.rowCount),
            gateUp: workspace.tensor(\.decoder.gateUp, rows: x.rowCount), into: narrow)
        try pass.backend.linear(narrow, down, epilogue: .addResidual, into: x)
    }
}
