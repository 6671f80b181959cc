import FacetComparison
import FacetModel
import FacetPlacement
import FacetTensor

/// How much arithmetic and how many bytes the phases of a model take at least, and so how fast they could be.
///
/// Arithmetic is that of the products and of the attention; bytes are those of the weights, each read once.
struct ModelWork {
    private let configuration: GLM4VConfiguration
    private let description: ModelDescription
    private let decoderByteCount: Double
    private let visionLayerByteCount: Double
    private let dtype: DType
    private let precision: String
    private let threads: Int
    private let limits: [MachineLimits]

    /// - Parameters:
    ///   - weightSizes: each unit's weights as they are stored.
    ///   - precision: what the figures are called: the type of the weights where it is chosen.
    ///   - limits: what was measured before and after; empty when nothing was.
    init(
        _ configuration: GLM4VConfiguration, _ weightSizes: [UnitName: UnitWeightSize], dtype: DType, precision: String,
        threads: Int, limits: [MachineLimits]
    ) throws(ModelError) {
        self.configuration = configuration
        description = try configuration.modelDescription()
        let read = (0..<configuration.layerCount).map(UnitName.decoderLayer) + [.finalNorm, .outputLayer]
        decoderByteCount = Double(read.reduce(0) { $0 + (weightSizes[$1]?.byteCount ?? 0) })
        visionLayerByteCount = Double(weightSizes[.visionLayer(0)]?.byteCount ?? 0)
        self.dtype = dtype
        self.precision = precision
        self.threads = threads
        self.limits = limits
    }

    /// What was measured, as figures.
    func figures(
        _ benchmark: ModelBenchmark, promptTokens: Int, newTokens: Int, requests: Int
    ) -> [SpeedFigure] {
        var figures = [
            figure("prefill", "\(promptTokens) tokens", benchmark.prefillSeconds, prefill(promptTokens)),
            figure(
                "decode", "1 request", benchmark.tokens.seconds, decode(1, context: promptTokens + newTokens / 2),
                readRate: benchmark.tokens.medianLimit),
        ]
        if !benchmark.togetherStepSeconds.isEmpty {
            figures.append(
                figure(
                    "decode", "\(requests) requests", benchmark.togetherStepSeconds,
                    decode(requests, context: promptTokens + newTokens / 2)))
        }
        if !benchmark.visionLayerSeconds.isEmpty {
            let rows = "\(configuration.vision.rowCount) rows"
            figures.append(
                figure("vision layer", rows, benchmark.visionLayerSeconds, visionLayer, unit: "rows/s", visionModel))
        }
        return figures
    }

    /// One repetition of a phase.
    private struct Phase {
        /// Tokens or rows.
        let amount: Double
        let flop: Double
        let byteCount: Double
    }

    /// - Parameter readRate: what reading reached meanwhile, in bytes/s; nil to take that of the limits.
    private func figure(
        _ name: String, _ size: String, _ seconds: [Double], _ phase: Phase, unit: String = "tokens/s",
        _ model: String? = nil, readRate: Double? = nil
    ) -> SpeedFigure {
        let time = Measurement(seconds: seconds.sorted())
        return SpeedFigure(
            program: "facet", version: facetVersion,
            work: MeasuredWork(name: name, size: size, model: model ?? decoderModel), precision: precision,
            threads: threads, unit: unit, median: phase.amount / time.median, fastest: phase.amount / time.fastest,
            slowest: phase.amount / time.slowest, limit: limits.map { limit(phase, $0, readRate ?? $0.readRate) }.max())
    }

    /// The speed at which the slower of arithmetic and reading would be at its limit.
    private func limit(_ phase: Phase, _ limits: MachineLimits, _ readRate: Double) -> Double {
        phase.amount / max(phase.flop / limits.arithmeticRate(dtype), phase.byteCount / readRate)
    }

    private func prefill(_ tokens: Int) -> Phase {
        let (count, layers) = (Double(tokens), Double(configuration.layerCount))
        let layer = Double(description.units[.decoderLayer].linearElements)
        let (hidden, projection) = (Double(configuration.hiddenSize), Double(configuration.attention.projectionWidth))
        // In the last layer all rows become keys and values, and only the last row goes on.
        let products = count * (layer * (layers - 1) + hidden * projection) + layer - hidden * projection
        // Row i sees i + 1 keys.
        let attention = 2 * count * (count + 1) * (layers - 1) + 4 * count
        let output = Double(description.units[.outputLayer].linearElements)
        return Phase(
            amount: count, flop: 2 * (products + output) + attention * queryWidth, byteCount: decoderByteCount)
    }

    private func decode(_ requests: Int, context: Int) -> Phase {
        let (count, layers) = (Double(requests), Double(configuration.layerCount))
        let elements =
            Double(description.units[.decoderLayer].linearElements) * layers
            + Double(description.units[.outputLayer].linearElements)
        return Phase(
            amount: count, flop: count * (2 * elements + 4 * Double(context) * queryWidth * layers),
            byteCount: decoderByteCount)
    }

    private var visionLayer: Phase {
        let (rows, width) = (Double(configuration.vision.rowCount), Double(configuration.vision.hiddenSize))
        let products = 2 * rows * Double(description.units[.visionLayer].linearElements)
        return Phase(amount: rows, flop: products + 4 * rows * rows * width, byteCount: visionLayerByteCount)
    }

    private var queryWidth: Double { Double(configuration.headCount * configuration.headDimension) }

    /// The decoder's sizes: only equal models are compared.
    private var decoderModel: String {
        let widths = description.decoder
        return "hidden \(widths.hidden), layers \(configuration.layerCount), heads \(widths.heads)/\(widths.groups), "
            + "ffn \(widths.intermediate), vocab \(widths.vocabulary)"
    }

    /// The sizes of one layer of the tower.
    private var visionModel: String {
        let widths = description.vision
        return "hidden \(widths.width), heads \(widths.heads), mlp \(widths.intermediate)"
    }
}
