import FacetPlacement
import FacetTensor

extension Staged<Projector> {
    /// Writes the features of a picture into `features`, or into the workspace where these are on another device.
    ///
    /// - Parameter x: the tower's output, on any device.
    /// - Returns: where the features are.
    func callAsFunction(
        _ x: Tensor, into features: Tensor, _ traversal: Traversal
    ) throws(TensorError) -> Tensor {
        let place = try traversal.enter(.projector)
        try place.workspace.reclaim()
        let x = try traversal.bring(x, to: place, \.vision.hidden)
        let isHere = features.device == place.backend.device
        let output = isHere ? features : place.workspace.tensor(\.vision.features)
        try self[place.slot](x, into: output, VisionPass(place, probe: traversal.probe))
        return output
    }
}

/// From the tower's rows to rows of the decoder: 2 × 2 convolution, gated adapter, begin and end rows, scaling.
package struct Projector: Sendable {
    /// The epsilon of the adapter's norm; a constant of the published code, not of the configuration.
    private static let normEpsilon: Float = 1e-5

    private let convolution: LinearWeights  // [hidden, width · 4]: channel, kernel row, kernel column
    private let entry: LinearWeights  // [hidden, hidden]
    private let norm: LayerNormWeights
    private let gate: LinearWeights  // [intermediate, hidden]
    private let up: LinearWeights  // [intermediate, hidden]
    private let down: LinearWeights  // [hidden, intermediate]
    private let beginRow: Tensor  // [1, hidden]
    private let endRow: Tensor  // [1, hidden]
    private let gridSize: Int
    private let scalingFactor: Float

    /// Takes its weights, by name and shape.
    package init(_ weights: Weights, _ configuration: GLM4VConfiguration) throws(ModelError) {
        let (hidden, intermediate) = (configuration.hiddenSize, configuration.intermediateSize)
        let adapter = weights["linear_proj"]
        gridSize = configuration.vision.gridSize
        scalingFactor = configuration.vision.scalingFactor
        convolution = try weights.linear(
            "conv", stored: [hidden, configuration.vision.hiddenSize, 2, 2], hasBias: true)
        entry = try adapter.linear("linear_proj", outputs: hidden, inputs: hidden)
        norm = try adapter.layerNorm("norm1", width: hidden, epsilon: Self.normEpsilon)
        gate = try adapter.linear("gate_proj", outputs: intermediate, inputs: hidden)
        up = try adapter.linear("dense_h_to_4h", outputs: intermediate, inputs: hidden)
        down = try adapter.linear("dense_4h_to_h", outputs: hidden, inputs: intermediate)
        beginRow = try weights.row("boi", stored: [1, 1, hidden])
        endRow = try weights.row("eoi", stored: [1, 1, hidden])
    }

    /// Writes the features of a picture into `features`, `[patches / 4 + 2, hidden]`.
    ///
    /// - Parameter x: the tower's output, `[1 + patches, width]`; the class token is dropped.
    fileprivate func callAsFunction(_ x: Tensor, into features: Tensor, _ pass: VisionPass) throws(TensorError) {
        let last = features.rowCount - 1
        let convolved = try convolve(x.rows(1..<x.rowCount), pass)
        for tile in pass.tiles(of: convolved.rowCount) {
            let output = features.rows(tile.lowerBound + 1..<tile.upperBound + 1)
            try adapt(convolved.rows(tile), into: output, pass)
        }
        try pass.probe?("vision.linear_proj", features.rows(1..<last))
        try pass.backend.copy(beginRow, into: features.rows(0..<1))
        try pass.backend.copy(endRow, into: features.rows(last..<last + 1))
        try pass.backend.scale(features, by: 1 / scalingFactor)
        try pass.probe?("vision.output", features)
    }

    private func convolve(_ grid: Tensor, _ pass: VisionPass) throws(TensorError) -> Tensor {
        let neighborhoods = pass.workspace.tensor(\.vision.neighborhoods)  // [patches / 4, width · 4]
        let convolved = pass.workspace.tensor(\.vision.convolved)  // [patches / 4, hidden]
        try pass.backend.gatherNeighborhoods(grid, side: gridSize, into: neighborhoods)
        try pass.backend.linear(neighborhoods, convolution, epilogue: .store, into: convolved)
        try pass.probe?("vision.conv", convolved)
        return convolved
    }

    /// The adapter on one tile of rows: `down(silu(gate(y)) · up(y))` with `y = gelu(norm(entry(x)))`.
    private func adapt(_ x: Tensor, into output: Tensor, _ pass: VisionPass) throws(TensorError) {
        let rows = x.rowCount
        let y = pass.workspace.tensor(\.vision.entered, rows: rows)  // [tile, hidden]
        let gated = pass.workspace.tensor(\.vision.gate, rows: rows)  // [tile, intermediate]
        let widened = pass.workspace.tensor(\.vision.up, rows: rows)  // [tile, intermediate]
        try pass.backend.linear(x, entry, epilogue: .store, into: y)
        try pass.backend.layerNorm(y, norm, epilogue: .gelu, into: y)
        try pass.backend.linear(y, gate, epilogue: .store, into: gated)
        try pass.backend.linear(y, up, epilogue: .store, into: widened)
        try pass.backend.gatedSiLU(gate: gated, up: widened, into: gated)
        try pass.backend.linear(gated, down, epilogue: .store, into: output)
    }
}
