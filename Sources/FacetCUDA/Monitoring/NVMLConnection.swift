import CCUDA

/// How two cards are connected; nil is what this driver, or these cards, cannot say.
public struct NVMLConnection: Sendable, Hashable {
    /// What lies between the cards, the nearest first.
    public enum Path: Int, Sendable, Hashable {
        // The raw values are NVML's levels.
        case sameBoard = 0
        case oneSwitch = 10
        case severalSwitches = 20
        case hostBridge = 30
        case memoryNode = 40
        case system = 50
    }

    /// Whether something is possible between two cards, and if not why.
    public enum Ability: Int, Sendable, Hashable {
        // The raw values are NVML's states.
        case possible = 0
        case chipsetForbids = 1
        case cardCannot = 2
        case topologyForbids = 3
        case switchedOff = 4
        case notSupported = 5
        case unknown = 6
    }

    /// What lies between.
    public let path: Path?
    /// Whether one may read the other's memory.
    public let read: Ability?
    /// Whether one may write the other's memory.
    public let write: Ability?
    /// Whether NVLink connects them.
    public let nvLink: Ability?
    /// Whether one may change the other's memory atomically.
    public let atomics: Ability?

    init(_ library: NVML, _ first: NVMLCard, _ second: NVMLCard) {
        let api = library.api
        var level = NVML_TOPOLOGY_INTERNAL
        let hasLevel =
            api.pointee.deviceGetTopologyCommonAncestor.map { $0(first.handle, second.handle, &level) } == NVML_SUCCESS
        path = hasLevel ? Path(rawValue: Int(level.rawValue)) : nil
        func ability(_ index: nvmlGpuP2PCapsIndex_t) -> Ability? {
            var status = NVML_P2P_STATUS_UNKNOWN
            guard let ask = api.pointee.deviceGetP2PStatus,
                ask(first.handle, second.handle, index, &status) == NVML_SUCCESS
            else { return nil }
            return Ability(rawValue: Int(status.rawValue))
        }
        read = ability(NVML_P2P_CAPS_INDEX_READ)
        write = ability(NVML_P2P_CAPS_INDEX_WRITE)
        nvLink = ability(NVML_P2P_CAPS_INDEX_NVLINK)
        atomics = ability(NVML_P2P_CAPS_INDEX_ATOMICS)
    }
}
