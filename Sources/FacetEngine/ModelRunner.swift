public import FacetModel
import FacetPlacement
import FacetTensor

/// Runs the real model: weights, cache, scratch memory and picture features, each on the device of its placement.
///
/// All memory is taken when it is made; nothing allocates tensors afterwards.
public final class ModelRunner: Runner {
    public let limits: ModelLimits

    public let pipelineDepth: Int

    private let model: GLM4V
    private let memory: ModelMemory
    private let demands: [DeviceDemand]
    private let logits: [Logits]
    private lazy var repeated = Logits(capacity: limits.maxSampledRows, vocabularySize: vocabularySize)
    private var inFlight: [Step] = []
    private var stepCount = 0
    private var encoding: Encoding?

    private struct Step {
        let logits: Logits
        let end: any DeviceEvent
    }

    /// A picture on its way.
    private struct Encoding {
        /// Stages enqueued at a time on a device that steps wait for: one runs, one waits.
        private static let mostPending = 2

        let image: ImageID
        let pixels: [Float]
        let picture: PictureEncoding
        var pending: [any DeviceEvent] = []
        var passedCount = 0

        /// Enqueues all stages that no step waits behind, and then one that steps may wait behind.
        mutating func enqueueStages() throws(ModelError) {
            settle()
            while !picture.isEnqueued && !picture.nextSharesDevice { pending.append(try picture.enqueueStage()) }
            // A device that steps use must not stand still for another one.
            guard !picture.isEnqueued, pending.count < (picture.nextHops ? 1 : Self.mostPending) else { return }
            pending.append(try picture.enqueueStage())
        }

        /// Counts the stages that have run.
        mutating func settle() {
            let passed = pending.prefix(while: \.hasPassed).count
            pending.removeFirst(passed)
            passedCount += passed
        }
    }

    /// Takes the memory that a model needs within limits.
    ///
    /// - Parameters:
    ///   - model: its weights are bound to its devices.
    ///   - limits: every batch keeps to them.
    ///   - demands: what the placement asks of each device, for reports.
    /// - Throws: `.model` with what does not fit into memory.
    public init(_ model: GLM4V, limits: ModelLimits, demands: [DeviceDemand] = []) throws(EngineError) {
        self.model = model
        self.limits = limits
        self.demands = demands
        // One batch per device that has decoder layers: more could not run at the same time.
        pipelineDepth = Set(model.placement.decoder[1...model.configuration.layerCount].map(\.device)).count
        do { memory = try ModelMemory(for: model, limits: limits) } catch { throw .model(error) }
        let vocabularySize = model.configuration.vocabularySize
        logits = (0..<pipelineDepth).map { _ in
            Logits(capacity: limits.maxSampledRows, vocabularySize: vocabularySize)
        }
    }

    public var vocabularySize: Int { model.configuration.vocabularySize }

    public var imageRowCount: Int { model.configuration.imageRowCount }

    // MARK: Pictures

    public func beginEncoding(_ image: ImageID, pixels: [Float]) throws(EngineError) {
        precondition(encoding == nil, "a picture is on its way already")
        do {
            encoding = Encoding(
                image: image, pixels: pixels, picture: try model.beginEncoding(pixels, as: image, memory: memory))
        } catch {
            recover()
            throw .model(error)
        }
    }

    public func advanceEncoding(waits: Bool) throws(EngineError) -> Double {
        guard let current = encoding else { preconditionFailure("no picture is on its way") }
        do throws(ModelError) { try encoding?.enqueueStages() } catch {
            recover()
            throw .model(error)
        }
        if waits, let event = encoding?.pending.first {
            try recovering { () throws(TensorError) in try event.synchronize() }
        }
        encoding?.settle()
        let passed = encoding?.passedCount ?? 0
        let count = current.picture.stageCount
        guard passed == count else { return Double(passed) / Double(count) }
        encoding = nil
        try check(current)
        return 1
    }

    public func abandonEncoding() {
        // What is enqueued still runs, before whatever uses the same memory next.
        if let encoding { memory.features.release(encoding.image) }
        encoding = nil
    }

    /// Looks for the first point of a picture that is not finite, when its features are not.
    private func check(_ encoding: Encoding) throws(EngineError) {
        guard let place = memory.features[encoding.image] else { return }
        let isBroken = try recovering { () throws(TensorError) in
            try memory.featureDevice.containsNonFinite(place)
        }
        guard isBroken else { return }
        let finder = NonFiniteFinder(model.devices)
        do throws(ModelError) {
            try model.encode(encoding.pixels, as: encoding.image, memory: memory, probe: finder.probe)
        } catch {
            recover()
            throw .model(error)
        }
        memory.features.release(encoding.image)
        throw .nonFinite(layer: finder.firstPoint ?? "vision.output")
    }

    public func release(_ image: ImageID) { memory.features.release(image) }

    // MARK: Steps

    public func enqueue(_ batch: ForwardBatch) throws(EngineError) {
        precondition(inFlight.count < pipelineDepth, "\(inFlight.count) batches are in progress")
        let target = logits[stepCount % pipelineDepth]
        stepCount += 1
        do throws(ModelError) { try model.forward(ForwardPass(batch, memory: memory)) } catch {
            recover()
            throw .model(error)
        }
        let count = batch.sampledRows.count
        let end = try recovering { () throws(TensorError) in
            // The memory outlives the copy: these logits are not touched before they are collected.
            try enqueueDownload(count, sufficient: batch.sufficientLogits, into: target)
            return try lastDevice(count).record()
        }
        inFlight.append(Step(logits: target, end: end))
    }

    /// Enqueues the copy of a step's logits, or of the best of them where the device picks those.
    private func enqueueDownload(
        _ count: Int, sufficient: Int?, into target: Logits
    ) throws(TensorError) {
        let device = memory.outputDevice
        if count > 0, let sufficient {
            let rows = memory.logits(rows: count)
            let isDone = try target.fillBest(rowCount: count, count: sufficient) {
                (picks, bytes) throws(TensorError) in
                try device.enqueueDownload(picks, of: rows, into: bytes)
            }
            if isDone { return }
        }
        try target.fill(rowCount: count) { (rows) throws(TensorError) in
            guard count > 0 else { return }
            try device.enqueueDownload(memory.logits(rows: count), into: UnsafeMutableRawBufferPointer(rows))
        }
    }

    /// The device whose queue ends the step: without logits, that of the last layer.
    private func lastDevice(_ sampledCount: Int) -> any Backend {
        guard sampledCount == 0 else { return memory.outputDevice }
        let layers = model.placement.decoder.dropLast(2)
        return model.devices[layers[layers.endIndex - 1].device]
    }

    public func collect() throws(EngineError) -> Logits {
        precondition(!inFlight.isEmpty, "no batch is in progress")
        let step = inFlight.removeFirst()
        try recovering { () throws(TensorError) in try step.end.synchronize() }
        return step.logits
    }

    public func repeatForAllLogits(_ batch: ForwardBatch) throws(EngineError) -> Logits {
        do throws(ModelError) { try model.forward(ForwardPass(batch, memory: memory)) } catch {
            recover()
            throw .model(error)
        }
        try recovering { () throws(TensorError) in
            try enqueueDownload(batch.sampledRows.count, sufficient: nil, into: repeated)
            try memory.outputDevice.synchronize()
        }
        return repeated
    }

    public func locateNonFinite(_ batch: ForwardBatch) -> String? {
        let finder = NonFiniteFinder(model.devices)
        // A second failure here would hide the first: what was found until then is the answer.
        do throws(ModelError) {
            try model.forward(ForwardPass(batch, memory: memory, probe: finder.probe))
        } catch { return finder.firstPoint }
        return finder.firstPoint
    }

    /// Does work on the devices; after an error every batch in progress is given up.
    private func recovering<Value>(_ work: () throws(TensorError) -> Value) throws(EngineError) -> Value {
        do { return try work() } catch {
            recover()
            throw .tensor(error)
        }
    }

    private func recover() {
        inFlight = []
        abandonEncoding()
        model.recover(memory)
    }

    // MARK: Memory

    public func deviceReports() -> [DeviceReport] {
        let timings = model.streamTimings
        return demands.map { demand in
            let device = model.devices[demand.device]
            return DeviceReport(
                device: device.device, demand: demand, predictedByteCount: demand.countedByteCount(on: device),
                use: device.memoryUse, streaming: timings.first { $0.device == demand.device })
        }
    }

    /// Runs the largest work that the limits allow, so that the devices' peaks are those of the worst case.
    ///
    /// - Parameter withPicture: whether to encode a picture, too.
    public func profile(withPicture: Bool) throws(EngineError) {
        if withPicture && limits.maxImages > 0 {
            let vision = model.configuration.vision
            let count = vision.channelCount * vision.imageSize * vision.imageSize
            let image = ImageID(-1)
            try encode(image, pixels: [Float](repeating: 0, count: count))
            release(image)
        }
        _ = try forward(.largest(model.configuration, limits))
    }
}

extension ForwardBatch {
    /// As many rows and sequences as a step may have; sequences share pages, since nobody reads what is computed.
    static func largest(_ configuration: GLM4VConfiguration, _ limits: ModelLimits) -> ForwardBatch {
        let room = limits.pagesPerSequence(configuration) * limits.pageSize
        var batch = ForwardBatch()
        for sequence in 0..<min(limits.maxSequences, limits.maxRows) {
            let share = (limits.maxRows - batch.rowCount) / (limits.maxSequences - sequence)
            let count = Int32(max(1, min(share, room, configuration.positionLimit)))
            batch.tokenIDs += (0..<count).map { $0 % Int32(configuration.vocabularySize) }
            batch.positions += 0..<count
            batch.slots += 0..<count
            batch.offsets.append(Int32(batch.rowCount))
            batch.contextLengths.append(count)
            batch.pages.append((0..<(count + Int32(limits.pageSize) - 1) / Int32(limits.pageSize)).map { $0 })
            if batch.sampledRows.count < limits.maxSampledRows { batch.sampledRows.append(Int32(batch.rowCount - 1)) }
        }
        return batch
    }
}
