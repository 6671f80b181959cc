package import FacetPlacement
package import FacetTensor

/// One scratch buffer: where it lies in the workspace's memory and how large it is at most.
package struct ScratchBuffer: Sendable, Hashable {
    /// Its name in reports.
    package let name: String
    /// Distance from the start of the workspace's memory.
    package let byteOffset: Int
    /// Lengths of its dimensions with as many rows as it can hold.
    package let shape: Shape
    /// Type of its elements.
    package let dtype: DType

    /// Bytes of all elements.
    package var byteCount: Int { shape.elementCount * dtype.byteCount }
}

/// Which scratch buffers there are and where they lie; computed from the limits, before anything is allocated.
///
/// Phases never run at the same time, so they share one block of memory:
///
///     decoder    |                | hidden | normalized | projection | ... | logits | integers |
///     embedding  | vision.hidden  | patches | pixels |
///     tower      | vision.hidden  | projection | attended | branch | wide |
///     projector  | vision.hidden  | neighborhoods | convolved | entered | gate | up |
///     delivery   | features       |
///
/// `vision.hidden` and `features` are what the stages of encoding a picture hand on. No step of the decoder touches
/// them, so steps may run in between. They share their place: the projector has read all rows of the tower before it
/// writes the first of the features. A device that holds some of the model's units only has the buffers that these use;
/// the others have no rows.
package struct WorkspaceLayout: Sendable, Hashable {
    /// Buffers of a forward of the decoder.
    package let decoder: DecoderScratch
    /// Buffers of encoding a picture.
    package let vision: VisionScratch
    /// Rows of the tiled vision buffers.
    package let visionTileRowCount: Int

    /// Bytes of the whole workspace.
    package var byteCount: Int { max(decoder.byteCount, vision.byteCount) }

    /// Lays out the buffers of all units for activations of `dtype`.
    package init(_ configuration: GLM4VConfiguration, _ limits: ModelLimits, _ dtype: DType) {
        self.init(configuration, limits, dtype, units: Set(UnitName.allUnits(of: configuration)))
    }

    /// Lays out the buffers that some units need for activations of `dtype`.
    package init(
        _ configuration: GLM4VConfiguration, _ limits: ModelLimits, _ dtype: DType, units: Set<UnitName>
    ) {
        visionTileRowCount = min(limits.visionTileRows, configuration.vision.rowCount)
        vision = VisionScratch(configuration, tileRows: visionTileRowCount, dtype, units)
        decoder = DecoderScratch(configuration, limits, dtype, units, behind: vision.carriedByteCount)
    }
}

/// Buffers of a forward of the decoder; `rows` is `maxRows`.
package struct DecoderScratch: Sendable, Hashable {
    /// The residual stream, `[rows, hidden]`.
    package let hidden: ScratchBuffer
    /// Normalized rows, `[rows, hidden]`.
    package let normalized: ScratchBuffer
    /// Queries, keys and values, `[rows, (heads + 2 · groups) · headDimension]`.
    package let projection: ScratchBuffer
    /// Rotated queries, `[rows, heads · headDimension]`.
    package let query: ScratchBuffer
    /// The attention's output, `[rows, heads · headDimension]`.
    package let attended: ScratchBuffer
    /// Gates and ups, `[rows, 2 · intermediate]`.
    package let gateUp: ScratchBuffer
    /// Gated ups, `[rows, intermediate]`.
    package let narrow: ScratchBuffer
    /// Rows whose logits are wanted, `[sampled, hidden]`; from the last layer on.
    package let sampled: ScratchBuffer
    /// Their logits, `[sampled, vocabulary]`, float32.
    package let logits: ScratchBuffer
    /// The batch's integers, `[count]`, int32.
    package let integers: ScratchBuffer
    /// Bytes up to the end of the phase.
    package let byteCount: Int

    init(
        _ configuration: GLM4VConfiguration, _ limits: ModelLimits, _ dtype: DType, _ units: Set<UnitName>,
        behind carriedByteCount: Int
    ) {
        let hasLayers = units.contains(where: \.isDecoderLayer)
        let hasNorm = units.contains(.finalNorm), hasOutput = units.contains(.outputLayer)
        let hasStream = hasLayers || hasNorm || units.contains(.tokenEmbedding)
        let streamRows = hasStream ? limits.maxRows : 0
        let normalizedRows = hasLayers || hasNorm ? limits.maxRows : 0
        let rows = hasLayers ? limits.maxRows : 0
        // Only the last layer needs them, but plans size a device by the kinds of its units.
        let sampledRows = hasLayers || hasNorm || hasOutput ? limits.maxSampledRows : 0
        let integerCount = hasStream ? BatchIntegers.capacity(configuration, limits) : 0
        let attention = configuration.attention
        var arena = ArenaCursor(byteCount: carriedByteCount)
        hidden = arena.place("hidden", [streamRows, configuration.hiddenSize], dtype)
        normalized = arena.place("normalized", [normalizedRows, configuration.hiddenSize], dtype)
        projection = arena.place("projection", [rows, attention.projectionWidth], dtype)
        query = arena.place("query", [rows, attention.queryWidth], dtype)
        attended = arena.place("attended", [rows, attention.queryWidth], dtype)
        gateUp = arena.place("gateUp", [rows, 2 * configuration.intermediateSize], dtype)
        narrow = arena.place("narrow", [rows, configuration.intermediateSize], dtype)
        sampled = arena.place("sampled", [sampledRows, configuration.hiddenSize], dtype)
        logits = arena.place(
            "logits", [hasOutput ? limits.maxSampledRows : 0, configuration.vocabularySize], .float32)
        integers = arena.place("integers", [integerCount], .int32)
        byteCount = arena.byteCount
    }
}

/// Buffers of encoding a picture; `rows` is the class token and every patch.
package struct VisionScratch: Sendable, Hashable {
    /// The residual stream, `[rows, width]`.
    package let hidden: ScratchBuffer
    /// The picture, `[1, channels, side, side]`, float32.
    package let pixels: ScratchBuffer
    /// Flattened patches, `[patches, channels · patch · patch]`.
    package let patches: ScratchBuffer
    /// Queries, keys and values, `[rows, 3 · width]`.
    package let projection: ScratchBuffer
    /// The attention's output, `[rows, width]`.
    package let attended: ScratchBuffer
    /// A block's output before its norm, `[tile, width]`.
    package let branch: ScratchBuffer
    /// The feed-forward block's inner rows, `[tile, intermediate]`.
    package let wide: ScratchBuffer
    /// The convolution's operand, `[patches / 4, width · 4]`.
    package let neighborhoods: ScratchBuffer
    /// The convolution's result, `[patches / 4, hidden]`.
    package let convolved: ScratchBuffer
    /// The adapter's normalized rows, `[tile, hidden]`.
    package let entered: ScratchBuffer
    /// The adapter's gates, `[tile, intermediate]`.
    package let gate: ScratchBuffer
    /// The adapter's ups, `[tile, intermediate]`.
    package let up: ScratchBuffer
    /// The picture's rows on their way to another device, `[image rows, hidden]`.
    package let features: ScratchBuffer
    /// Bytes at the start of the workspace that one stage hands on to the next.
    package let carriedByteCount: Int
    /// Bytes up to the end of the largest phase.
    package let byteCount: Int

    init(_ configuration: GLM4VConfiguration, tileRows: Int, _ dtype: DType, _ units: Set<UnitName>) {
        let vision = configuration.vision
        let hasPatches = units.contains(.patchEmbedding), hasProjector = units.contains(.projector)
        let hasLayers = units.contains(where: \.isVisionLayer)
        let rowCount = hasPatches || hasLayers || hasProjector ? vision.rowCount : 0
        let layerRows = hasLayers ? vision.rowCount : 0, layerTile = hasLayers ? tileRows : 0
        let outputRows = hasProjector ? vision.patchRowCount : 0, outputTile = hasProjector ? tileRows : 0
        let sentRows = hasProjector && !units.contains(.tokenEmbedding) ? configuration.imageRowCount : 0
        var carried = ArenaCursor(byteCount: 0)
        hidden = carried.place("hidden", [rowCount, vision.hiddenSize], dtype)
        var delivered = ArenaCursor(byteCount: 0)
        features = delivered.place("features", [sentRows, configuration.hiddenSize], dtype)
        carriedByteCount = max(carried.byteCount, delivered.byteCount)

        let shared = ArenaCursor(byteCount: carriedByteCount)
        var embedding = shared
        patches = embedding.place("patches", [hasPatches ? vision.rowCount - 1 : 0, vision.patchElementCount], dtype)
        let side = vision.imageSize
        pixels = embedding.place("pixels", [hasPatches ? 1 : 0, vision.channelCount, side, side], .float32)

        var tower = shared
        projection = tower.place("projection", [layerRows, 3 * vision.hiddenSize], dtype)
        attended = tower.place("attended", [layerRows, vision.hiddenSize], dtype)
        branch = tower.place("branch", [layerTile, vision.hiddenSize], dtype)
        wide = tower.place("wide", [layerTile, vision.intermediateSize], dtype)

        var projector = shared
        neighborhoods = projector.place("neighborhoods", [outputRows, 4 * vision.hiddenSize], dtype)
        convolved = projector.place("convolved", [outputRows, configuration.hiddenSize], dtype)
        entered = projector.place("entered", [outputTile, configuration.hiddenSize], dtype)
        gate = projector.place("gate", [outputTile, configuration.intermediateSize], dtype)
        up = projector.place("up", [outputTile, configuration.intermediateSize], dtype)

        byteCount = max(embedding.byteCount, tower.byteCount, projector.byteCount)
    }
}

/// Places buffers one after another.
private struct ArenaCursor {
    /// Bytes placed so far.
    private(set) var byteCount: Int

    /// Starts behind bytes that are placed already; a multiple of the alignment.
    init(byteCount: Int) { self.byteCount = byteCount }

    mutating func place(_ name: String, _ shape: Shape, _ dtype: DType) -> ScratchBuffer {
        let buffer = ScratchBuffer(name: name, byteOffset: byteCount, shape: shape, dtype: dtype)
        let end = byteCount + buffer.byteCount
        byteCount = (end + Storage.alignment - 1) / Storage.alignment * Storage.alignment
        return buffer
    }
}
