/// Everything that a plan is made from.
public struct PlanRequest: Sendable {
    /// The model.
    public var model: ModelDescription
    /// How its weights are stored.
    public var precision: PrecisionChoice
    /// What it shall do at once.
    public var workload: Workload
    /// The devices.
    public var machine: Machine
    /// What is optimized.
    public var objective: Objective
    /// What units need in memory.
    public var memory: any MemoryModel
    /// Most bytes that this program may take of a device, by its number.
    public var caps: [Int: Int]
    /// The devices that may hold units of a kind; nil for all.
    public var pins: PerKind<Set<Int>?>
    /// Devices that must hold something, or the request is refused.
    public var requiredDevices: Set<Int>
    /// Whether the vision chain may be streamed.
    public var visionStreaming: StreamingPolicy
    /// Whether the decoder's layers may be streamed.
    public var decoderStreaming: StreamingPolicy
    /// Where streamed weights are kept.
    public var streamingSource: UnitPlacement.Residency
    /// Whether processors may compute units beside cards.
    public var allowsCPU: Bool

    /// Asks for a plan; by default nothing is streamed and nothing is pinned.
    public init(
        model: ModelDescription, precision: PrecisionChoice, workload: Workload, machine: Machine,
        objective: Objective = .balanced, memory: any MemoryModel = PublishedMemory(), caps: [Int: Int] = [:],
        pins: PerKind<Set<Int>?> = PerKind(repeating: nil), requiredDevices: Set<Int> = [],
        visionStreaming: StreamingPolicy = .never, decoderStreaming: StreamingPolicy = .never,
        streamingSource: UnitPlacement.Residency = .host, allowsCPU: Bool = false
    ) {
        self.model = model
        self.precision = precision
        self.workload = workload
        self.machine = machine
        self.objective = objective
        self.memory = memory
        self.caps = caps
        self.pins = pins
        self.requiredDevices = requiredDevices
        self.visionStreaming = visionStreaming
        self.decoderStreaming = decoderStreaming
        self.streamingSource = streamingSource
        self.allowsCPU = allowsCPU
    }

    /// Restricts a chain to some devices.
    public mutating func pin(_ kinds: UnitKinds, to devices: Set<Int>) {
        for kind in UnitKind.allCases where kinds.contains(kind) { pins[kind] = devices }
    }

    /// Bytes of a device that the plan may count on, others' use included.
    public func budget(of device: Int) -> Int {
        let profile = machine.devices[device]
        guard let cap = caps[device] else { return profile.totalBytes }
        return min(profile.totalBytes, cap + profile.otherBytes + profile.margin)
    }

    /// The inputs of the memory and cost models.
    public func inputs(_ streaming: Streaming) -> MemoryInputs {
        MemoryInputs(model: model, precision: precision, workload: workload, streaming: streaming)
    }

    /// The devices that units may be put on.
    var eligibleDevices: [Int] {
        let cards = machine.devices.indices.filter { machine.devices[$0].kind == .gpu }
        return allowsCPU || cards.isEmpty ? Array(machine.devices.indices) : cards
    }

    /// What may be streamed, the least first.
    var streamingChoices: [Streaming] {
        let layers = UnitKinds(.decoderLayer)
        var choices: [Streaming] = []
        for vision in visionStreaming.choices {
            for decoder in decoderStreaming.choices {
                // Streaming the vision chain costs its bytes once per picture, the decoder's once per token.
                if decoder && !vision && visionStreaming != .never { continue }
                let kinds = (vision ? UnitKinds.vision : []).union(decoder ? layers : [])
                choices.append(Streaming(kinds, from: streamingSource))
            }
        }
        return choices.sorted { order($0) < order($1) }
    }

    private func order(_ streaming: Streaming) -> Int {
        (streaming.kinds.contains(.decoderLayer) ? 2 : 0) + (streaming.kinds.hasVision ? 1 : 0)
    }
}

extension StreamingPolicy {
    /// Whether to stream, in the order in which to try.
    fileprivate var choices: [Bool] {
        switch self {
        case .never: [false]
        case .ifNeeded: [false, true]
        case .always: [true]
        }
    }
}
