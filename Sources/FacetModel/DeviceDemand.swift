public import FacetPlacement
public import FacetTensor

/// What a placement asks of one device: exactly the bytes that are taken there, term by term.
public struct DeviceDemand: Sendable, Hashable {
    /// Index of the device in the placement.
    public let device: Int

    /// What the memory is for; terms of no bytes are left out.
    public let terms: [MemoryTerm]

    /// Bytes of all terms.
    public var byteCount: Int { terms.reduce(0) { $0 + $1.byteCount } }

    /// Bytes of all terms that take memory on a device that uses weights from where they are.
    public var byteCountWithoutWeights: Int {
        terms.reduce(0) { $0 + ($1.name == MemoryTerm.weightsName ? 0 : $1.byteCount) }
    }

    /// The bytes that will be counted on a device.
    public func countedByteCount(on device: any Backend) -> Int {
        device.memoryUse?.countsWeights ?? true ? byteCount : byteCountWithoutWeights
    }

    /// Refuses a device whose budget is smaller than the demand.
    ///
    /// - Throws: `.deviceTooSmall`.
    public func check(_ device: any Backend) throws(ModelError) {
        guard let use = device.memoryUse, let budget = use.budgetByteCount else { return }
        let needed = countedByteCount(on: device)
        let available = budget - use.usedByteCount
        guard needed > available, let largest = terms.max(by: { $0.byteCount < $1.byteCount }) else { return }
        throw .deviceTooSmall(device: device.device, needed: needed, available: available, largest: largest)
    }
}

extension ModelLimits {
    /// What a placement asks of each device that it uses.
    ///
    /// - Parameters:
    ///   - dtype: type of the activations and of the cache.
    ///   - weights: bytes of each unit's weights (`ModelInventory.weightSizes`).
    public func demands(
        of placement: Placement, configuration: GLM4VConfiguration, dtype: DType, weights: [UnitName: UnitWeightSize]
    ) -> [DeviceDemand] {
        placement.usedDevices.map { device in
            let units = UnitName.allUnits(of: configuration).filter { placement[$0].device == device }
            let resident = units.filter { placement[$0].residency == .resident }
            let streamed = units.filter { placement[$0].residency != .resident }
            let staging = UnitStreamer.bufferCount * (streamed.compactMap { weights[$0]?.packedByteCount }.max() ?? 0)
            let weightTerms = [
                MemoryTerm(
                    name: MemoryTerm.weightsName,
                    byteCount: resident.reduce(0) { $0 + (weights[$1]?.byteCount ?? 0) }),
                MemoryTerm(name: "staging of streamed units", byteCount: staging),
            ]
            let others = byteCounts(configuration: configuration, dtype: dtype, units: Set(units))
            return DeviceDemand(device: device, terms: (weightTerms + others).filter { $0.byteCount > 0 })
        }
    }
}

extension MemoryTerm {
    /// Name of the term that resident weights take.
    public static let weightsName = "weights"
}
