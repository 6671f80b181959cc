import FacetPlacement
public import FacetTensor

/// A picture on its way through the vision units, one unit at a time.
///
/// What the units hand on is in memory that steps of the decoder leave alone, so these may be enqueued in between: a
/// picture does not hold up answers in progress for longer than one unit takes.
public final class PictureEncoding {
    private let network: Network
    private let traversal: Traversal
    private let features: Tensor
    private let units: [UnitName]
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
        units = UnitName.visionUnits(of: configuration)
    }

    /// Units in all: patch embedding, layers, projector.
    public var unitCount: Int { units.count }

    /// Whether all units have been enqueued.
    public var isEnqueued: Bool { enqueuedCount == units.count }

    /// Whether the decoder, too, has units on the next unit's device, so that its steps wait behind it.
    public var nextSharesDevice: Bool {
        guard !isEnqueued else { return false }
        let placement = traversal.memory.placement
        let device = placement[units[enqueuedCount]].device
        return placement.decoder.contains { $0.device == device }
    }

    /// Enqueues the next unit.
    ///
    /// - Returns: passes when the unit has run.
    /// - Throws: `.tensor`.
    @discardableResult
    public func enqueueUnit() throws(ModelError) -> any DeviceEvent {
        precondition(!isEnqueued, "all \(units.count) units of the picture are enqueued")
        let unit = units[enqueuedCount]
        let event = try mappingTensorError { () throws(TensorError) in
            try run(unit)
            // The projector's result goes to the device of the features.
            let device = unit == .projector ? UnitName.tokenEmbedding : unit
            return try traversal.memory.workspace(of: device).backend.record()
        }
        enqueuedCount += 1
        if isEnqueued { traversal.advice?.finishPicture() }
        return event
    }

    private func run(_ unit: UnitName) throws(TensorError) {
        guard let x = rows else {
            rows = try network.tower.embed(pixels, traversal)
            pixels = []
            return
        }
        if case .visionLayer(let index) = unit {
            rows = try network.tower(x, layer: index, traversal)
        } else {
            try network.projector(x, into: features, traversal)
        }
    }
}
