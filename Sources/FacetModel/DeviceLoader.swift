import FacetCheckpoint
import FacetPlacement
import FacetQuantization
import FacetTensor

/// Binds the tensors of one device's units, unit by unit, and says in a ledger how far it is.
///
/// It goes through the whole model as its layers are written, and binds what is this device's; of the other units it
/// makes layers without any alternative (`Network.init(merging:)`).
///
/// `@unchecked`: it and its device belong to the thread that runs `load` until the ledger says that this has ended.
final class DeviceLoader: WeightBinder, @unchecked Sendable {
    private let plan: LoadingPlan
    private let index: Int
    private let backend: any Backend
    private let streamer: UnitStreamer?
    private let ledger: LoadingLedger
    private var open: LoadingPlan.Step?

    /// Prepares to load the units of device `index`.
    ///
    /// - Parameter streamer: brings the device's streamed units; nil where all are resident.
    init(
        _ plan: LoadingPlan, device index: Int, _ backend: any Backend, _ streamer: UnitStreamer?,
        _ ledger: LoadingLedger
    ) {
        self.plan = plan
        self.index = index
        self.backend = backend
        self.streamer = streamer
        self.ledger = ledger
    }

    /// Binds everything, up to the first error on this device or before this point on another one.
    func load(_ configuration: GLM4VConfiguration) {
        do throws(ModelError) {
            let network = try Network(Weights(self), configuration)
            try close()
            ledger.finish(index, network)
        } catch { ledger.fail(index, at: open ?? plan.lastStep(of: index), error) }
    }

    func alternatives(for unit: UnitName) throws(ModelError) -> [any WeightBinder] {
        try close()
        guard let step = plan.step(of: unit), step.device == index else { return [] }
        open = step
        guard ledger.mayBegin(step) else { throw .loadingCancelled }
        if readsAtOnce, let following = plan.step(after: step) {
            plan.source.advise(.willNeed, tensors: plan.names(of: following.unit))
        }
        guard let streamer, plan.placement[unit].residency != .resident, let packing = plan.packings[unit] else {
            return [WeightLoader(plan.source, onto: backend, schemes: plan.schemes, packs: plan.packs)]
        }
        try checkScales(packing)
        streamer.add(unit, try streamedWeights(unit, packing))
        return (0..<UnitStreamer.bufferCount).map { slot in
            StagedBinder(plan.source, slot: slot, packing: packing, streamer: streamer, schemes: plan.schemes)
        }
    }

    /// Whether the file is read while weights are bound, and not at some later time.
    private var readsAtOnce: Bool { plan.packs || backend.readsWeightsWhileBinding }

    /// Marks the end of the unit that was bound last.
    private func close() throws(ModelError) {
        guard let step = open else { return }
        let event = try mappingTensorError { () throws(TensorError) in try backend.record() }
        // A device that works in place, or has its own copy, is done with the unit: its file's pages must not pile up.
        let isRead = (plan.packs && event.hasPassed) || backend.readsWeightsWhileBinding
        if isRead { plan.source.advise(.dontNeed, tensors: plan.names(of: step.unit)) }
        let keepsPages = !isRead && (plan.packs || backend.memoryUse?.countsWeights ?? false)
        open = nil
        ledger.bind(step, LoadingLedger.BoundUnit(event: event, keepsPages: keepsPages))
    }

    /// Checks the scales of a streamed unit, whose tensors no backend binds.
    private func checkScales(_ packing: UnitPacking) throws(ModelError) {
        for (name, _) in packing.tensors where name.hasSuffix(WeightName.scaleSuffix) {
            try WeightName.checkScales(name, in: plan.source)
        }
    }

    /// The bytes of a streamed unit: in memory of the host, or where the source has them.
    private func streamedWeights(_ unit: UnitName, _ packing: UnitPacking) throws(ModelError) -> StreamedWeights {
        var parts: [(offset: Int, bytes: Tensor)] = []
        for (name, range) in packing.tensors {
            let stored: Tensor
            do { stored = try plan.source.tensor(named: name) } catch { throw .checkpoint(error) }
            let bytes = Tensor(
                stored.storage, byteOffset: stored.byteOffset, shape: [stored.byteCount], dtype: .uint8)
            parts.append((range.lowerBound, bytes))
        }
        guard plan.placement[unit].residency == .host else { return StreamedWeights(parts: parts) }
        let sources = parts
        let copy = try mappingTensorError { () throws(TensorError) in
            let storage = try Storage(allocating: packing.byteCount, label: "\(unit) in host memory")
            for part in sources {
                (storage.base + part.offset).copyMemory(from: part.bytes.address, byteCount: part.bytes.byteCount)
            }
            return Tensor(storage, shape: [packing.byteCount], dtype: .uint8)
        }
        plan.source.advise(.dontNeed, tensors: packing.tensors.map(\.name))
        return StreamedWeights(parts: [(0, copy)])
    }

    // Every unit is bound through one of its alternatives.
    func linear(
        _ weight: WeightDeclaration, bias: WeightDeclaration?, outputs: Int, inputs: Int
    ) throws(ModelError) -> LinearWeights {
        try binder(of: weight.unit).linear(weight, bias: bias, outputs: outputs, inputs: inputs)
    }

    func parameter(_ declaration: WeightDeclaration, as shape: Shape) throws(ModelError) -> Tensor {
        try binder(of: declaration.unit).parameter(declaration, as: shape)
    }

    private func binder(of unit: UnitName) throws(ModelError) -> any WeightBinder {
        guard let binder = try alternatives(for: unit).first else {
            throw .placementMismatch(reason: "\(unit) is not on device \(index)")
        }
        return binder
    }
}
