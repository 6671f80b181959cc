/// Sizes and constants of the vision tower: the `vision_config` object of `config.json`.
public struct VisionConfiguration: Sendable, Hashable {
    /// Side of the square picture in pixels.
    public let imageSize: Int

    /// Side of a patch in pixels; divides `imageSize`.
    public let patchSize: Int

    /// Color channels of the picture.
    public let channelCount: Int

    /// Layers of the tower.
    public let layerCount: Int

    /// Width of the tower.
    public let hiddenSize: Int

    /// Attention heads; divides `hiddenSize`.
    public let headCount: Int

    /// Width of a layer's feed-forward block.
    public let intermediateSize: Int

    /// Added to the variance in the layers' norms.
    public let normEpsilon: Float

    /// What the tower's output is divided by.
    public let scalingFactor: Float

    /// Patches along one side.
    public var gridSize: Int { imageSize / patchSize }

    /// Rows of the tower: the class token and every patch.
    public var rowCount: Int { gridSize * gridSize + 1 }

    /// Elements of one flattened patch.
    public var patchElementCount: Int { channelCount * patchSize * patchSize }

    /// Rows after the 2 × 2 convolution: what one picture puts into a prompt between its begin and end rows.
    public var patchRowCount: Int { (gridSize / 2) * (gridSize / 2) }

    /// The same tower with another number of layers, for measurements.
    package func withLayerCount(_ count: Int) -> VisionConfiguration {
        VisionConfiguration(
            imageSize: imageSize, patchSize: patchSize, channelCount: channelCount, layerCount: count,
            hiddenSize: hiddenSize, headCount: headCount, intermediateSize: intermediateSize,
            normEpsilon: normEpsilon, scalingFactor: scalingFactor)
    }
}

extension VisionConfiguration {
    /// Reads the object; it has no defaults.
    init(_ reader: ConfigurationReader) throws(ModelError) {
        let limits = ConfigurationLimits.self
        imageSize = try reader.integer("image_size", in: 1...limits.imageSize)
        patchSize = try reader.integer("patch_size", in: 1...limits.imageSize)
        channelCount = try reader.integer("in_channels", in: 1...limits.width)
        layerCount = try reader.integer("num_hidden_layers", in: 1...limits.layers)
        hiddenSize = try reader.integer("hidden_size", in: 1...limits.width)
        headCount = try reader.integer("num_heads", in: 1...limits.width)
        intermediateSize = try reader.integer("intermediate_size", in: 1...limits.width)
        normEpsilon = Float(try reader.number("layer_norm_eps", in: 0...1))
        scalingFactor = Float(try reader.number("scaling_factor", in: 1e-6...1e6))
        try validate(reader)
    }

    private func validate(_ reader: ConfigurationReader) throws(ModelError) {
        guard channelCount == 3 else {
            throw reader.unsupported("in_channels", expected: "3", got: "\(channelCount)")
        }
        let activation = try reader.string("hidden_act")
        guard let activation else { throw reader.missing("hidden_act", "\"gelu\"") }
        guard activation == "gelu" else {
            throw reader.unsupported("hidden_act", expected: "\"gelu\"", got: "\"\(activation)\"")
        }
        guard imageSize % patchSize == 0 else {
            throw reader.invalid("patch_size", "a divisor of image_size \(imageSize)", "\(patchSize)")
        }
        guard gridSize % 2 == 0 else {
            let got = "\(imageSize), which makes a grid of \(gridSize) × \(gridSize) patches"
            throw reader.unsupported("image_size", expected: "an even number of patches per side", got: got)
        }
        guard hiddenSize % headCount == 0 else {
            throw reader.invalid("num_heads", "a divisor of hidden_size \(hiddenSize)", "\(headCount)")
        }
        let positions = try reader.integer("num_positions", in: 1...ConfigurationLimits.positions)
        guard positions == rowCount else {
            throw reader.invalid("num_positions", "\(rowCount) (every patch and the class token)", "\(positions)")
        }
    }
}

/// Bounds far above any real model and far below an overflow, so that a hostile file is refused by name.
enum ConfigurationLimits {
    static let layers = 1 << 12
    static let width = 1 << 20
    static let imageSize = 1 << 14
    static let positions = 1 << 24
    static let vocabulary = 1 << 24
}
