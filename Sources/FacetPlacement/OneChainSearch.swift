/// The best placement when the whole order of execution is cut into runs, one per device: what one chain can do.
///
/// For a threshold, the furthest unit that a set of devices can reach decides everything, so the search is a bisection
/// over dynamic programs on sets. It serves comparisons: two chains are never worse.
struct OneChainSearch {
    let request: PlanRequest
    private let kinds: [UnitKind]
    private let table: MemoryTable
    private let devices: [Int]

    init(_ request: PlanRequest) {
        self.request = request
        kinds = request.model.unitNames.map(\.kind)
        table = MemoryTable(request.memory, request.inputs(.none))
        devices = request.eligibleDevices
    }

    /// The smallest fraction of its budget that the fullest device must use; above 1 when nothing fits.
    func smallestFraction() -> Double {
        let parts = SearchProblem.fractionParts
        var (low, high) = (0, parts)
        while !reachesEnd(high), high < parts << 20 { (low, high) = (high, high * 2) }
        while high - low > 1 {
            let middle = low + (high - low) / 2
            if reachesEnd(middle) { high = middle } else { low = middle }
        }
        return Double(high) / Double(parts)
    }

    /// Whether all units can be reached with every device filled to a fraction.
    private func reachesEnd(_ parts: Int) -> Bool {
        var furthest = [Int](repeating: 0, count: 1 << devices.count)
        for set in furthest.indices.dropFirst() {
            for place in devices.indices where set >> place & 1 == 1 {
                let start = furthest[set & ~(1 << place)]
                furthest[set] = max(furthest[set], end(of: devices[place], from: start, parts))
                if furthest[set] == kinds.count { return true }
            }
        }
        return false
    }

    /// The end of the longest run that a device can take from a unit on.
    private func end(of device: Int, from start: Int, _ parts: Int) -> Int {
        let profile = request.machine.devices[device]
        let limit = Int128(request.budget(of: device)) * Int128(parts) / Int128(SearchProblem.fractionParts)
        let room = limit - Int128(profile.contextBytes + profile.otherBytes + profile.margin)
        var (set, layers) = (UnitKinds([]), (vision: 0, decoder: 0))
        for unit in start..<kinds.count {
            set.insert(UnitKinds(kinds[unit]))
            layers.vision += kinds[unit] == .visionLayer ? 1 : 0
            layers.decoder += kinds[unit] == .decoderLayer ? 1 : 0
            let terms = table.terms(set, visionLayers: layers.vision, decoderLayers: layers.decoder, hops: true)
            if Int128(terms.total) > room { return unit }
        }
        return kinds.count
    }
}

extension Planner {
    /// Most devices for which one chain is searched: the time doubles with each.
    public static let oneChainDeviceLimit = 12

    /// The fraction of its budget that the fullest device must use when the whole order of execution is cut into runs.
    ///
    /// Nothing is streamed and pins are not heeded; above 1 when nothing fits. Nil for more than
    /// `oneChainDeviceLimit` devices.
    /// - Throws: what makes no sense of the request.
    public static func oneChainFraction(_ request: PlanRequest) throws(PlacementError) -> Double? {
        try request.validate()
        guard request.eligibleDevices.count <= oneChainDeviceLimit else { return nil }
        return OneChainSearch(request).smallestFraction()
    }
}
