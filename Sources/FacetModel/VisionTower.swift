import FacetPlacement
import FacetTensor

/// What the units on one device may use to encode a picture.
struct VisionPass {
    let backend: any Backend
    let workspace: Workspace
    let probe: Probe?

    init(_ place: Place, probe: Probe?) {
        backend = place.backend
        workspace = place.workspace
        self.probe = probe
    }

    /// The rows of `count` in steps that fit the tiled scratch buffers.
    func tiles(of count: Int) -> [Range<Int>] {
        let step = workspace.layout.visionTileRowCount
        return stride(from: 0, to: count, by: step).map { $0..<min($0 + step, count) }
    }
}

/// The vision transformer: pixels to one row per patch, and the class token in front.
package struct VisionTower: Sendable {
    private let embedding: Staged<PatchEmbedding>
    private let layers: [Staged<VisionLayer>]

    /// Takes its weights, by name and shape.
    package init(_ weights: Weights, _ configuration: VisionConfiguration) throws(ModelError) {
        embedding = try weights["patch_embedding"].staged(.patchEmbedding) { (weights) throws(ModelError) in
            try PatchEmbedding(weights, configuration)
        }
        var layers: [Staged<VisionLayer>] = []
        for index in 0..<configuration.layerCount {
            let path = weights["transformer"]["layers"][index]
            layers.append(
                try path.staged(.visionLayer(index)) { (weights) throws(ModelError) in
                    try VisionLayer(weights, configuration)
                })
        }
        self.layers = layers
    }

    /// Joins towers of one configuration.
    init(merging parts: [VisionTower]) {
        embedding = Staged(merging: parts.map(\.embedding))
        layers = (0..<(parts.first?.layers.count ?? 0)).map { index in
            Staged(merging: parts.map { $0.layers[index] })
        }
    }

    /// Embeds `pixels`, channels first; returns `[1 + patches, width]` on the device of the patch embedding.
    func embed(_ pixels: [Float], _ traversal: Traversal) throws(TensorError) -> Tensor {
        let place = try traversal.enter(.patchEmbedding)
        try place.workspace.reclaim()
        try place.backend.upload(pixels, into: place.workspace.pixels)
        let x = try embedding[place.slot](place.workspace.pixels, VisionPass(place, probe: traversal.probe))
        try traversal.probe?("vision.patch_embedding", x)
        return x
    }

    /// Passes rows through one layer; returns them on its device.
    ///
    /// There is no norm after the last layer.
    func callAsFunction(_ x: Tensor, layer index: Int, _ traversal: Traversal) throws(TensorError) -> Tensor {
        let place = try traversal.enter(.visionLayer(index))
        // Between two layers a step of the decoder may have lent parts of the workspace.
        try place.workspace.reclaim()
        let y = try traversal.bring(x, to: place, \.vision.hidden)
        try layers[index][place.slot](y, VisionPass(place, probe: traversal.probe))
        try traversal.probe?("vision.layers.\(index)", y)
        return y
    }
}

/// Patches as linear products, a class token in front, a learned position added to each row.
struct PatchEmbedding: Sendable {
    private let projection: LinearWeights  // [width, channels · patch · patch]
    private let classToken: Tensor  // [1, width]
    private let positions: Tensor  // [1 + patches, width]
    private let patchSize: Int

    init(_ weights: Weights, _ configuration: VisionConfiguration) throws(ModelError) {
        let (width, patch) = (configuration.hiddenSize, configuration.patchSize)
        patchSize = patch
        classToken = try weights.row("cls_embedding", stored: [1, width])
        projection = try weights.linear(
            "proj", stored: [width, configuration.channelCount, patch, patch], hasBias: true)
        positions = try weights.table("position_embedding", rows: configuration.rowCount, width: width)
    }

    func callAsFunction(_ pixels: Tensor, _ pass: VisionPass) throws(TensorError) -> Tensor {
        let x = pass.workspace.tensor(\.vision.hidden)
        let patches = pass.workspace.tensor(\.vision.patches)  // [patches, channels · patch · patch]
        try pass.backend.patchify(pixels, patch: patchSize, into: patches)
        try pass.backend.copy(classToken, into: x.rows(0..<1))
        try pass.backend.linear(patches, projection, epilogue: .store, into: x.rows(1..<x.rowCount))
        try pass.backend.add(positions, to: x)
        return x
    }
}

/// One layer of the tower, with the norms on the *outputs* of its blocks: `x + norm(block(x))`.
///
/// All but the attention works row by row, in tiles of rows: no buffer is as long as the picture and as wide as
/// the feed-forward block at once.
struct VisionLayer: Sendable {
    private let projection: LinearWeights  // [3 · width, width]: queries, keys, values
    private let output: LinearWeights  // [width, width]
    private let attentionNorm: LayerNormWeights
    private let up: LinearWeights  // [intermediate, width]
    private let down: LinearWeights  // [width, intermediate]
    private let feedForwardNorm: LayerNormWeights
    private let headCount: Int

    init(_ weights: Weights, _ configuration: VisionConfiguration) throws(ModelError) {
        let (width, epsilon) = (configuration.hiddenSize, configuration.normEpsilon)
        let intermediate = configuration.intermediateSize
        headCount = configuration.headCount
        attentionNorm = try weights.layerNorm("input_layernorm", width: width, epsilon: epsilon)
        let attention = weights["attention"]
        projection = try attention.linear("query_key_value", outputs: 3 * width, inputs: width, hasBias: true)
        output = try attention.linear("dense", outputs: width, inputs: width, hasBias: true)
        up = try weights["mlp"].linear("fc1", outputs: intermediate, inputs: width, hasBias: true)
        down = try weights["mlp"].linear("fc2", outputs: width, inputs: intermediate, hasBias: true)
        feedForwardNorm = try weights.layerNorm("post_attention_layernorm", width: width, epsilon: epsilon)
    }

    /// Advances `x`, `[1 + patches, width]`, by one layer.
    func callAsFunction(_ x: Tensor, _ pass: VisionPass) throws(TensorError) {
        try attend(x, pass)
        try feedForward(x, pass)
    }

    private func attend(_ x: Tensor, _ pass: VisionPass) throws(TensorError) {
        let qkv = pass.workspace.tensor(\.vision.projection)  // [rows, 3 · width]
        let attended = pass.workspace.tensor(\.vision.attended)  // [rows, width]
        try pass.backend.linear(x, projection, epilogue: .store, into: qkv)
        try pass.backend.bidirectionalAttention(qkv, sequenceLength: x.rowCount, heads: headCount, into: attended)
        for tile in pass.tiles(of: x.rowCount) {
            let branch = pass.workspace.tensor(\.vision.branch, rows: tile.count)  // [tile, width]
            try pass.backend.linear(attended.rows(tile), output, epilogue: .store, into: branch)
            try pass.backend.layerNorm(branch, attentionNorm, epilogue: .addResidual, into: x.rows(tile))
        }
    }

    private func feedForward(_ x: Tensor, _ pass: VisionPass) throws(TensorError) {
        for tile in pass.tiles(of: x.rowCount) {
            let wide = pass.workspace.tensor(\.vision.wide, rows: tile.count)  // [tile, intermediate]
            let branch = pass.workspace.tensor(\.vision.branch, rows: tile.count)  // [tile, width]
            try pass.backend.linear(x.rows(tile), up, epilogue: .gelu, into: wide)
            try pass.backend.linear(wide, down, epilogue: .store, into: branch)
            try pass.backend.layerNorm(branch, feedForwardNorm, epilogue: .addResidual, into: x.rows(tile))
        }
    }
}
