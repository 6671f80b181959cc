import FacetPlacement
public import FacetTensor

/// A picture on its way through the vision units, one unit at a time.
///
/// What the units hand on is in memory that steps of the decoder leave alone, so these may be enqueued in between: a
/// picture does not hold up answers in progress for longer than one unit takes.
public final class PictureEncoding {
    private enum Stage {
        case unit(UnitName)
        /// The hop of the result to the device of the features.
        case delivery
    }

    private let network: Network
    private let traversal: Traversal
    private let features: Tensor
    private let stages: [Stage]
    private var pixels: [Float]
    private var rows: Tensor?
    private var enqueuedCount = 0

    init(
        _ pixels: [Float], into features: Tensor, network: Network, configuration: GLM4VConfiguration,
        _ traversal: Traversal
    ) {
        self.pixels = pixels
        self.features = features
        self.network = network
        self.traversal = traversal
        let placement = traversal.memory.placement
        let isDelivered = placement[.projector].device != placement[.tokenEmbedding].device
        stages = UnitName.visionUnits(of: configuration).map { .unit($0) } + (isDelivered ? [.delivery] : [])
    }

    /// Stages in all: patch embedding, layers, projector, and the hop to the features' device where there is one.
    public var stageCount: Int { stages.count }

    /// Whether all stages have been enqueued.
    public var isEnqueued: Bool { enqueuedCount == stages.count }

    /// Whether the decoder, too, has units on the next stage's device, so that its steps wait behind it.
    public var nextSharesDevice: Bool {
        guard !isEnqueued else { return false }
        let device = device(of: stages[enqueuedCount])
        return traversal.memory.placement.decoder.contains { $0.device == device }
    }

    /// Whether the next stage's device waits for another one.
    public var nextHops: Bool {
        guard !isEnqueued && enqueuedCount > 0 else { return false }
        return device(of: stages[enqueuedCount]) != device(of: stages[enqueuedCount - 1])
    }

    /// Enqueues the next stage.
    ///
    /// - Returns: passes when the stage has run.
    /// - Throws: `.tensor`.
    @discardableResult
    public func enqueueStage() throws(ModelError) -> any DeviceEvent {
        precondition(!isEnqueued, "all \(stages.count) stages of the picture are enqueued")
        let stage = stages[enqueuedCount]
        let event = try mappingTensorError { () throws(TensorError) in
            try run(stage)
            return try traversal.memory.devices[device(of: stage)].record()
        }
        enqueuedCount += 1
        if isEnqueued { traversal.advice?.finishPicture() }
        return event
    }

    private func device(of stage: Stage) -> Int {
        switch stage {
        case .unit(let unit): traversal.memory.placement[unit].device
        case .delivery: traversal.memory.placement[.tokenEmbedding].device
        }
    }

    private func run(_ stage: Stage) throws(TensorError) {
        guard let x = rows else {
            rows = try network.tower.embed(pixels, traversal)
            pixels = []
            return
        }
        switch stage {
        case .unit(.visionLayer(let index)): rows = try network.tower(x, layer: index, traversal)
        case .unit: rows = try network.projector(x, into: features, traversal)
        case .delivery: try traversal.hop(x, into: features, on: traversal.memory.featureDevice)
        }
    }
}
