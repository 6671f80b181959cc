public import FacetPlacement
public import FacetTensor

/// One tensor that the model needs.
public struct WeightDeclaration: Sendable, Hashable {
    /// What a tensor is for.
    public enum Role: Sendable, Hashable {
        /// The matrix of a product or convolution, or an embedding table.
        case matrix
        /// The matrices of a gate and of what it multiplies, one above the other.
        case gatedMatrix
        /// A summand per column.
        case bias
        /// A factor per column of a norm.
        case normWeight
        /// A row that is put among activations.
        case row

        /// Whether a product multiplies rows by it, or rows are looked up in it.
        var isMatrix: Bool { self == .matrix || self == .gatedMatrix }
    }

    /// The full name in the checkpoint.
    public let name: String

    /// Lengths of the dimensions in the checkpoint.
    public let shape: Shape

    /// What the tensor is for.
    public let role: Role

    /// The unit that uses it.
    public let unit: UnitName
}

/// Turns declarations into tensors: by loading them, or by only writing them down.
package protocol WeightBinder: AnyObject {
    /// A product's weights; the matrix may be stored under another shape with as many elements.
    func linear(
        _ weight: WeightDeclaration, bias: WeightDeclaration?, outputs: Int, inputs: Int
    ) throws(ModelError) -> LinearWeights

    /// A parameter, seen as `shape`.
    func parameter(_ declaration: WeightDeclaration, as shape: Shape) throws(ModelError) -> Tensor

    /// Binders for every place that the weights of a unit may be in: one, one per staging buffer, or none where the
    /// unit is somebody else's.
    func alternatives(for unit: UnitName) throws(ModelError) -> [any WeightBinder]
}

/// What a unit computes with, once for every place that its weights may be in.
struct Staged<Layer: Sendable>: Sendable {
    private let alternatives: [Layer]

    init(_ alternatives: [Layer]) { self.alternatives = alternatives }

    /// Joins what several binders made of a unit: all but one have made nothing.
    init(merging parts: [Staged<Layer>]) { alternatives = parts.flatMap(\.alternatives) }

    /// The layer whose weights are in a staging buffer; 0 for the only one.
    subscript(slot: Int) -> Layer { alternatives[slot] }
}

/// A path into the checkpoint: `weights["encoder"]["layers"][3]`.
///
/// A layer fetches its tensors by name and shape, so that its initializer reads like the checkpoint.
package struct Weights {
    private let binder: any WeightBinder
    private let path: String
    private let unit: UnitName

    /// Starts at the root of all names.
    package init(_ binder: any WeightBinder, root: String = "transformer") {
        self.init(binder, path: root, unit: .tokenEmbedding)
    }

    private init(_ binder: any WeightBinder, path: String, unit: UnitName) {
        self.binder = binder
        self.path = path
        self.unit = unit
    }

    /// The path one name further down.
    package subscript(name: String) -> Weights { Weights(binder, path: path + "." + name, unit: unit) }

    /// The path one number further down.
    package subscript(index: Int) -> Weights { self[String(index)] }

    /// What `make` makes of the weights of a unit, in every place that they may be in.
    func staged<Layer>(
        _ unit: UnitName, _ make: (Weights) throws(ModelError) -> Layer
    ) throws(ModelError) -> Staged<Layer> {
        var layers: [Layer] = []
        for binder in try binder.alternatives(for: unit) {
            layers.append(try make(Weights(binder, path: path, unit: unit)))
        }
        return Staged(layers)
    }

    /// The product `name.weight` with shape `[outputs, inputs]`, and `name.bias` if it has one.
    package func linear(
        _ name: String, outputs: Int, inputs: Int, hasBias: Bool = false
    ) throws(ModelError) -> LinearWeights {
        try linear(name, stored: [outputs, inputs], hasBias: hasBias)
    }

    /// A product whose matrix is stored as a convolution kernel: `[outputs, channels, rows, columns]`.
    ///
    /// The kernel's dimensions below the first are flattened in this order.
    package func linear(_ name: String, stored shape: Shape, hasBias: Bool) throws(ModelError) -> LinearWeights {
        try linear(name, stored: shape, role: .matrix, hasBias: hasBias)
    }

    /// The product `name` of `outputs / 2` gates and as many factors beside them, for `Backend.feedForwardInput`.
    package func gatedLinear(
        _ name: String, outputs: Int, inputs: Int, hasBias: Bool = false
    ) throws(ModelError) -> LinearWeights {
        try linear(name, stored: [outputs, inputs], role: .gatedMatrix, hasBias: hasBias)
    }

    private func linear(
        _ name: String, stored shape: Shape, role: WeightDeclaration.Role, hasBias: Bool
    ) throws(ModelError) -> LinearWeights {
        let outputs = shape.rowCount
        let bias = hasBias ? declare(name + ".bias", [outputs], .bias) : nil
        return try binder.linear(
            declare(name + ".weight", shape, role), bias: bias, outputs: outputs, inputs: shape.rowElementCount)
    }

    /// The RMSNorm `name` over `width` columns.
    package func rmsNorm(_ name: String, width: Int, epsilon: Float) throws(ModelError) -> RMSNormWeights {
        let declaration = declare(name + ".weight", [width], .normWeight)
        return RMSNormWeights(weight: try binder.parameter(declaration, as: [width]), epsilon: epsilon)
    }

    /// The LayerNorm `name` over `width` columns.
    package func layerNorm(_ name: String, width: Int, epsilon: Float) throws(ModelError) -> LayerNormWeights {
        let weight = declare(name + ".weight", [width], .normWeight)
        let bias = declare(name + ".bias", [width], .bias)
        return LayerNormWeights(
            weight: try binder.parameter(weight, as: [width]), bias: try binder.parameter(bias, as: [width]),
            epsilon: epsilon)
    }

    /// The table `name.weight`, `[rows, width]`.
    package func table(_ name: String, rows: Int, width: Int) throws(ModelError) -> Tensor {
        try binder.parameter(declare(name + ".weight", [rows, width], .matrix), as: [rows, width])
    }

    /// A single row of activations, `[1, width]`, stored under any shape with as many elements.
    package func row(_ name: String, stored shape: Shape) throws(ModelError) -> Tensor {
        try binder.parameter(declare(name, shape, .row), as: [1, shape.elementCount])
    }

    private func declare(_ name: String, _ shape: Shape, _ role: WeightDeclaration.Role) -> WeightDeclaration {
        WeightDeclaration(name: path + "." + name, shape: shape, role: role, unit: unit)
    }
}
