import FacetCheckpoint
import FacetPlacement
import FacetQuantization
import FacetTensor

/// Binds every unit's tensors to the device that a placement gives the unit.
///
/// Binding only enqueues copies, so the devices load at the same time, each straight from the mapped files. `finish`
/// waits for them unit by unit and lets go of the mapping's pages behind each, so that the host holds little besides
/// what the devices own.
final class PlacedWeights: WeightBinder {
    /// The bytes of the units that have been loaded so far; may end loading by throwing.
    typealias Progress = (_ finishedByteCount: Int) throws(ModelError) -> Void

    /// What brings streamed units to each device; nil where all units are resident.
    let streamers: [UnitStreamer?]

    private let source: any WeightSource
    private let devices: [any Backend]
    private let placement: Placement
    private let packings: [UnitName: UnitPacking]
    private let schemes: [String: QuantizationScheme]
    private let packs: Bool
    private let next: [UnitName: UnitName]
    private var loaded: [LoadedUnit] = []
    private var open: UnitName?

    private struct LoadedUnit {
        let unit: UnitName
        let device: Int
        let event: any DeviceEvent
        let byteCount: Int
        /// Bytes that the device has loaded when the unit has been.
        let deviceByteCount: Int
    }

    init(
        _ source: any WeightSource, _ inventory: ModelInventory, _ configuration: GLM4VConfiguration,
        devices: [any Backend], placement: Placement, packs: Bool
    ) throws(ModelError) {
        self.source = source
        self.packs = packs
        let order = UnitName.decoderUnits(of: configuration) + UnitName.visionUnits(of: configuration)
        next = Dictionary(uniqueKeysWithValues: zip(order, order.dropFirst()))
        self.devices = devices
        self.placement = placement
        schemes = inventory.schemes
        let packings = inventory.namesByUnit(in: source).mapValues { UnitPacking($0, in: source) }
        self.packings = packings
        var streamers: [UnitStreamer?] = []
        for (index, backend) in devices.enumerated() {
            let units = UnitName.allUnits(of: configuration).filter {
                placement[$0].device == index && placement[$0].residency != .resident
            }
            let byteCount = units.compactMap { packings[$0]?.byteCount }.max()
            streamers.append(
                try mappingTensorError { () throws(TensorError) in
                    guard let byteCount else { return nil }
                    return try UnitStreamer(units, byteCount: byteCount, device: index, backend: backend)
                })
        }
        self.streamers = streamers
    }

    func alternatives(for unit: UnitName) throws(ModelError) -> [any WeightBinder] {
        try close()
        open = unit
        let place = placement[unit]
        let readsAtOnce = packs || devices[place.device].readsWeightsWhileBinding
        if readsAtOnce, let following = next[unit] { source.advise(.willNeed, tensors: names(of: following)) }
        guard place.residency != .resident, let streamer = streamers[place.device], let packing = packings[unit]
        else { return [WeightLoader(source, onto: devices[place.device], schemes: schemes, packs: packs)] }
        try checkScales(packing)
        streamer.add(unit, try streamedWeights(unit, packing))
        return (0..<UnitStreamer.bufferCount).map { slot in
            StagedBinder(source, slot: slot, packing: packing, streamer: streamer, schemes: schemes)
        }
    }

    /// Waits until every device has its units.
    ///
    /// - Throws: `.tensor` with what went wrong on a device, and what `progress` throws.
    func finish(_ progress: Progress) throws(ModelError) {
        try close()
        // In the order in which devices that load at the same rate come to the ends of their units.
        loaded.sort { ($0.deviceByteCount, $0.device) < ($1.deviceByteCount, $1.device) }
        var finished = 0
        for unit in loaded {
            try mappingTensorError { () throws(TensorError) in try unit.event.synchronize() }
            let use = devices[unit.device].memoryUse
            if packs || use?.countsWeights ?? false { source.advise(.dontNeed, tensors: names(of: unit.unit)) }
            finished += unit.byteCount
            try progress(finished)
        }
        loaded = []
    }

    private func names(of unit: UnitName) -> [String] { packings[unit]?.tensors.map(\.name) ?? [] }

    /// Marks the end of the unit that was bound last.
    private func close() throws(ModelError) {
        guard let unit = open else { return }
        open = nil
        let device = placement[unit].device
        let byteCount = packings[unit]?.tensorByteCount ?? 0
        let before = loaded.last { $0.device == device }?.deviceByteCount ?? 0
        let event = try mappingTensorError { () throws(TensorError) in try devices[device].record() }
        // A device that works in place, or has its own copy, is done with the unit: its file's pages must not pile up.
        if (packs && event.hasPassed) || devices[device].readsWeightsWhileBinding {
            source.advise(.dontNeed, tensors: names(of: unit))
        }
        loaded.append(
            LoadedUnit(
                unit: unit, device: device, event: event, byteCount: byteCount, deviceByteCount: before + byteCount))
    }

    /// Checks the scales of a streamed unit, whose tensors no backend binds.
    private func checkScales(_ packing: UnitPacking) throws(ModelError) {
        for (name, _) in packing.tensors where name.hasSuffix(WeightName.scaleSuffix) {
            try WeightName.checkScales(name, in: source)
        }
    }

    /// The bytes of a streamed unit: in memory of the host, or where the source has them.
    private func streamedWeights(_ unit: UnitName, _ packing: UnitPacking) throws(ModelError) -> StreamedWeights {
        var parts: [(offset: Int, bytes: Tensor)] = []
        for (name, range) in packing.tensors {
            let stored: Tensor
            do { stored = try source.tensor(named: name) } catch { throw .checkpoint(error) }
            let bytes = Tensor(
                stored.storage, byteOffset: stored.byteOffset, shape: [stored.byteCount], dtype: .uint8)
            parts.append((range.lowerBound, bytes))
        }
        guard placement[unit].residency == .host else { return StreamedWeights(parts: parts) }
        let sources = parts
        let copy = try mappingTensorError { () throws(TensorError) in
            let storage = try Storage(allocating: packing.byteCount, label: "\(unit) in host memory")
            for part in sources {
                (storage.base + part.offset).copyMemory(from: part.bytes.address, byteCount: part.bytes.byteCount)
            }
            return Tensor(storage, shape: [packing.byteCount], dtype: .uint8)
        }
        source.advise(.dontNeed, tensors: packing.tensors.map(\.name))
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
        try alternatives(for: unit)[0]
    }
}

/// Binds a unit's tensors to the places that they will have in one staging buffer, in the layout of the source.
private final class StagedBinder: WeightBinder {
    private let source: any WeightSource
    private let slot: Int
    private let packing: UnitPacking
    private let streamer: UnitStreamer
    private let schemes: [String: QuantizationScheme]

    init(
        _ source: any WeightSource, slot: Int, packing: UnitPacking, streamer: UnitStreamer,
        schemes: [String: QuantizationScheme]
    ) {
        self.schemes = schemes
        self.source = source
        self.slot = slot
        self.packing = packing
        self.streamer = streamer
    }

    func linear(
        _ weight: WeightDeclaration, bias: WeightDeclaration?, outputs: Int, inputs: Int
    ) throws(ModelError) -> LinearWeights {
        let summand: Tensor? = if let bias { try view(bias, as: bias.shape) } else { nil }
        if case .quantized(let stored) = try StoredWeight(weight, schemes[weight.name], in: source) {
            let matrix = stored.matrix(
                codes: try view(stored.names.codes(stored.scheme), stored.codes),
                scales: try view(stored.names.scale, stored.scales))
            return LinearWeights(quantized: matrix, bias: summand)
        }
        return LinearWeights(
            weight: try view(weight, as: [outputs, inputs]), bias: summand, outputs: outputs, inputs: inputs)
    }

    func parameter(_ declaration: WeightDeclaration, as shape: Shape) throws(ModelError) -> Tensor {
        try view(declaration, as: shape)
    }

    func alternatives(for unit: UnitName) -> [any WeightBinder] { [self] }

    private func view(_ name: String, _ stored: StoredTensor) throws(ModelError) -> Tensor {
        guard let dtype = stored.dtype, let range = packing.range(of: name) else {
            throw .missingTensors(names: [name], source: source.location)
        }
        return streamer.view(slot, range, shape: stored.shape, dtype: dtype)
    }

    private func view(_ declaration: WeightDeclaration, as shape: Shape) throws(ModelError) -> Tensor {
        guard let stored = source.stored(declaration.name), let range = packing.range(of: declaration.name) else {
            throw .missingTensors(names: [declaration.name], source: source.location)
        }
        if let problem = declaration.problem(with: stored) { throw problem }
        guard let dtype = stored.dtype else {
            throw .unsupportedWeightDType(
                tensor: declaration.name, file: stored.file, got: stored.dtypeName)
        }
        return streamer.view(slot, range, shape: shape, dtype: dtype)
    }
}
