/// Why a card's clocks are lower than they could be.
public enum ThrottleReason: Int, Sendable, Hashable, CaseIterable {
    // The raw values are the bits of NVML's mask.
    case idle = 0x1
    case applicationClocks = 0x2
    case powerCap = 0x4
    case hardwareSlowdown = 0x8
    case syncBoost = 0x10
    case softwareThermal = 0x20
    case hardwareThermal = 0x40
    case hardwarePowerBrake = 0x80
    case displayClocks = 0x100

    /// Whether the card is held back although there is work for it.
    public var isThrottling: Bool {
        switch self {
        case .powerCap, .hardwareSlowdown, .softwareThermal, .hardwareThermal, .hardwarePowerBrake: true
        case .idle, .applicationClocks, .syncBoost, .displayClocks: false
        }
    }
}

extension NVMLCard {
    /// The reasons in force; nil when the card cannot say.
    public var throttleReasons: [ThrottleReason]? {
        throttleBits.map { bits in ThrottleReason.allCases.filter { bits & UInt64($0.rawValue) != 0 } }
    }
}
