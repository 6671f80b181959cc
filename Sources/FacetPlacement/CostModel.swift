/// What the model is doing when a unit is timed.
public enum Phase: Sendable, Hashable {
    /// Encoding this many pictures, `batch` at a time.
    case vision(images: Int, batch: Int)
    /// Reading a prompt of this many tokens, `chunk` at a time.
    case prefill(tokens: Int, chunk: Int)
    /// One token for each of `batch` sequences that have `context` tokens.
    case decode(batch: Int, context: Int)

    /// How often the weights are used.
    public var passes: Int {
        switch self {
        case .vision(let images, let batch): images.dividedUp(by: batch)
        case .prefill(let tokens, let chunk): tokens.dividedUp(by: max(1, chunk))
        case .decode: 1
        }
    }
}

/// Seconds of units and hops: the larger of computing and reading, and what starting the operations takes.
public struct CostModel: Sendable {
    /// The model, its precision and what it does.
    public let inputs: MemoryInputs
    /// The devices and links.
    public let machine: Machine

    /// Makes the cost model of a machine.
    public init(_ inputs: MemoryInputs, _ machine: Machine) {
        self.inputs = inputs
        self.machine = machine
    }

    /// Operations of a unit in a phase: two for each weight and row, and attention (half of it where it is causal).
    public func flops(_ kind: UnitKind, _ phase: Phase) -> Double {
        let (model, unit) = (inputs.model, inputs.model.units[kind])
        let linear = 2 * Double(unit.linearElements)
        switch (phase, kind) {
        case (.vision(let images, _), .visionLayer):
            let rows = Double(model.vision.rows)
            return Double(images) * (linear * rows + 4 * rows * rows * Double(model.vision.width))
        case (.vision(let images, _), .patchEmbedding):
            let (rows, patch) = (Double(model.vision.rows - 1), Double(model.vision.patchElements))
            return Double(images) * 2 * rows * patch * Double(model.vision.width)
        case (.vision(let images, _), .projector):
            let rows = Double(model.vision.imageRows - 2)
            return Double(images) * rows * (linear + 2 * Double(unit.otherElements))
        case (.prefill(let tokens, _), .decoderLayer):
            let count = Double(tokens)
            return linear * count + 2 * count * count * attentionWidth
        case (.prefill, .outputLayer): return linear
        case (.decode(let batch, let context), .decoderLayer):
            return Double(batch) * (linear + 4 * Double(context) * attentionWidth)
        case (.decode(let batch, _), .outputLayer): return Double(batch) * linear
        default: return 0
        }
    }

    /// Bytes that a unit reads in a phase: its weights once per pass, and the cache.
    public func bytesRead(_ kind: UnitKind, _ phase: Phase) -> Double {
        let (model, weights) = (inputs.model, Double(inputs.model.byteCount(kind, inputs.precision)))
        let perToken = Double(model.decoder.cacheByteCount(inputs.workload.cachePrecision))
        switch (phase, kind.isVision) {
        case (.vision(let images, _), true): return images == 0 ? 0 : weights * Double(phase.passes)
        case (.prefill(let tokens, _), false):
            if kind == .tokenEmbedding { return rowBytes(tokens) }
            if kind == .outputLayer { return tokens == 0 ? 0 : weights }
            let cache = kind == .decoderLayer ? perToken * Double(tokens) : 0
            return (weights + cache) * Double(phase.passes)
        case (.decode(let batch, let context), false):
            if kind == .tokenEmbedding { return rowBytes(batch) }
            return weights + (kind == .decoderLayer ? perToken * Double(batch) * Double(context) : 0)
        default: return 0
        }
    }

    /// Seconds of a unit on a device in a phase; copying a streamed unit runs beside the computing.
    public func seconds(_ kind: UnitKind, on device: Int, _ phase: Phase) -> Double {
        let rates = machine.devices[device].rates
        let (operations, bytes) = (flops(kind, phase), bytesRead(kind, phase))
        guard operations > 0 || bytes > 0 else { return 0 }
        let computing = operations / (rates.flops * rates.computeEfficiency)
        let reading = bytes / (rates.bandwidth * rates.bandwidthEfficiency)
        let launches = Double((kind.isLayer ? 10 : 3) * phase.passes) * rates.launchSeconds
        return max(max(computing, reading) + launches, copySeconds(kind, phase))
    }

    /// Seconds that copying a streamed unit takes in a phase.
    public func copySeconds(_ kind: UnitKind, _ phase: Phase) -> Double {
        guard inputs.streaming.kinds.contains(kind), bytesRead(kind, phase) > 0 else { return 0 }
        let link = inputs.streaming.source == .disk ? machine.diskLink : machine.hostLink
        return link.seconds(inputs.model.byteCount(kind, inputs.precision)) * Double(phase.passes)
    }

    /// Bytes of one picture's rows between two devices of the vision chain.
    public var visionMessage: Int {
        inputs.model.vision.rows * inputs.model.vision.width * inputs.precision.vision.elementByteCount
    }

    /// Bytes of a picture's features on their way to the embedding.
    public var featureMessage: Int {
        inputs.model.vision.imageRows * inputs.model.decoder.hidden * inputs.precision.activationByteCount
    }

    /// Bytes of `rows` rows between two devices of the decoder chain.
    public func decoderMessage(rows: Int) -> Int {
        rows * inputs.model.decoder.hidden * inputs.precision.activationByteCount
    }

    /// Seconds of a hop inside the decoder chain in a phase.
    public func decoderHopSeconds(_ link: LinkProfile, _ phase: Phase) -> Double {
        switch phase {
        case .vision: 0
        case .prefill(let tokens, let chunk):
            Double(phase.passes) * link.seconds(decoderMessage(rows: min(tokens, chunk)))
        case .decode(let batch, _): link.seconds(decoderMessage(rows: batch))
        }
    }

    private var attentionWidth: Double { Double(inputs.model.decoder.heads * inputs.model.decoder.headDimension) }

    private func rowBytes(_ rows: Int) -> Double { Double(decoderMessage(rows: rows)) }
}

/// The phases of a request as a cost model times them.
public struct RequestPhases: Sendable, Hashable {
    /// Encoding the pictures.
    public let vision: Phase
    /// Reading the prompt.
    public let prefill: Phase
    /// One step of the answer.
    public let decode: Phase
    /// Steps of the answer.
    public let steps: Int

    /// The phases of `sequences` requests of a workload, the answer's context taken at its middle.
    public init(_ inputs: MemoryInputs, sequences: Int) {
        let (workload, model) = (inputs.workload, inputs.model)
        let prompt = workload.promptTokens(model)
        vision = .vision(images: sequences * workload.imagesPerSequence, batch: workload.imageBatch)
        prefill = .prefill(
            tokens: sequences * prompt, chunk: min(workload.prefillChunk ?? prompt, max(1, sequences * prompt)))
        decode = .decode(batch: sequences, context: prompt + workload.newTokens / 2)
        steps = workload.newTokens
    }
}
