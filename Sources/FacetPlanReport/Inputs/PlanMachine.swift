public import FacetPlacement

/// The devices that a plan is made for, with the names that people use for them.
public struct PlanMachine: Sendable {
    /// The machine as the planner takes it.
    public var machine: Machine

    /// The devices' names in order, such as `cuda:0`; what device maps and reports call them.
    public var names: [String]

    /// What was assumed about it.
    public var notes: [String]

    /// Names the devices of a machine.
    public init(_ machine: Machine, names: [String], notes: [String] = []) {
        self.machine = machine
        self.names = names
        self.notes = notes
    }

    /// Puts the host's processor behind the cards as one more device, with its memory shared with streamed units.
    public mutating func addProcessor() {
        machine.devices.append(
            DeviceProfile(
                name: "host processor", kind: .cpu, totalBytes: machine.hostFreeBytes, contextBytes: 0,
                rates: DeviceRates(
                    flops: Self.ordinaryHostTeraflops * 1e12, bandwidth: Self.ordinaryHostBandwidth * 1e9)))
        names.append("cpu")
        notes.append(
            "the speed of cpu is not known: \(NumberText.short(Self.ordinaryHostTeraflops)) TFLOP/s and "
                + "\(NumberText.short(Self.ordinaryHostBandwidth)) GB/s are assumed")
    }

    /// Logical devices on the host's processor, `cpu:0` and so on, equally fast; nothing is kept free on them.
    ///
    /// - Parameters:
    ///   - budgets: bytes of each; nil for an equal share of `availableByteCount`.
    public static func processors(budgets: [Int?], availableByteCount: Int) -> PlanMachine {
        let share = max(1, availableByteCount / max(1, budgets.count))
        let rates = DeviceRates(
            flops: ordinaryHostTeraflops * 1e12 / Double(max(1, budgets.count)),
            bandwidth: ordinaryHostBandwidth * 1e9 / Double(max(1, budgets.count)))
        let devices = budgets.indices.map { index in
            DeviceProfile(
                name: "part of the processor", kind: .cpu, totalBytes: budgets[index] ?? share, contextBytes: 0,
                marginBytes: 0, rates: rates)
        }
        let link = LinkProfile(latency: 10e-6, bandwidth: ordinaryHostBandwidth * 1e9 / 2)
        let machine = Machine(
            name: "this machine", devices: devices, defaultLink: link, hostLink: link,
            hostFreeBytes: availableByteCount)
        return PlanMachine(
            machine, names: budgets.indices.map { "cpu:\($0)" },
            notes: ["times are guesses: the speed of a share of the processor is not measured"])
    }

    /// What is not measured and cannot be read anywhere.
    public struct Assumptions: Sendable, Hashable {
        /// Bytes that a driver's context, its kernels and library workspaces take on each card.
        public var contextByteCount: Int
        /// Bytes kept free on each card; nil for the planner's rule.
        public var marginByteCount: Int?
        /// Bytes of host memory for streamed units, when the machine's file does not say.
        public var hostFreeByteCount: Int

        /// Makes assumptions.
        public init(
            contextByteCount: Int = 512 << 20, marginByteCount: Int? = nil, hostFreeByteCount: Int = 64 << 30
        ) {
            self.contextByteCount = contextByteCount
            self.marginByteCount = marginByteCount
            self.hostFreeByteCount = hostFreeByteCount
        }
    }

    /// Cards that need not exist.
    public init(_ list: CardList, _ assumptions: Assumptions) {
        let file = MachineFile(
            name: nil,
            cards: list.cards.map { card in
                switch card {
                case .named(let name): MachineFile.Card(name: name)
                case .memory(let byteCount): MachineFile.Card(totalByteCount: byteCount)
                }
            },
            links: [], hostFreeByteCount: nil)
        self.init(checked: file, name: Self.summary(file), assumptions)
    }

    /// The machine of a file.
    ///
    /// - Parameter input: what errors call the file.
    /// - Throws: `.unknown` for a card whose memory neither the file nor the table of known cards tells.
    public init(_ file: MachineFile, _ assumptions: Assumptions, input: String) throws(PlacementInputError) {
        for (index, card) in file.cards.enumerated() where card.totalByteCount == nil {
            guard let name = card.name, KnownCard.named(name) == nil else { continue }
            let names = KnownCard.all.map(\.name)
            throw .unknown(
                input: input, name: "cards[\(index)].name: \(name)", expected: "a known card, or total_bytes beside it",
                nearest: EditDistance.nearest(to: name, in: names))
        }
        self.init(checked: file, name: file.name ?? Self.summary(file), assumptions)
    }

    private init(checked file: MachineFile, name: String, _ assumptions: Assumptions) {
        let devices = file.cards.map { Self.profile($0, assumptions) }
        var links: [DevicePair: LinkProfile] = [:]
        for link in file.links {
            let profile = LinkProfile(latency: link.latency, bandwidth: link.bandwidth * 1e9, source: .measured)
            links[DevicePair(from: link.cards[0], to: link.cards[1])] = profile
            links[DevicePair(from: link.cards[1], to: link.cards[0])] = profile
        }
        let hostFree = file.hostFreeByteCount ?? assumptions.hostFreeByteCount
        machine = Machine(name: name, devices: devices, links: links, hostFreeBytes: hostFree)
        names = devices.indices.map { "cuda:\($0)" }
        notes = Self.notes(file, assumptions)
    }

    private static func profile(_ card: MachineFile.Card, _ assumptions: Assumptions) -> DeviceProfile {
        let known = card.name.flatMap(KnownCard.named)
        let total = card.totalByteCount ?? (known?.memory ?? 0) << 30
        var rates = DeviceRates(
            flops: (known?.teraflops ?? ordinaryTeraflops) * 1e12,
            bandwidth: (known?.gigabytesPerSecond ?? ordinaryBandwidth) * 1e9)
        if let teraflops = card.teraflops { rates.flops = teraflops * 1e12 }
        if let bandwidth = card.bandwidth { rates.bandwidth = bandwidth * 1e9 }
        if card.teraflops != nil, card.bandwidth != nil { rates.source = .measured }
        return DeviceProfile(
            name: known?.name ?? card.name ?? ByteSize.exactText(total), totalBytes: total,
            freeBytes: min(total, card.freeByteCount ?? total), contextBytes: assumptions.contextByteCount,
            marginBytes: assumptions.marginByteCount, rates: rates)
    }

    private static func notes(_ file: MachineFile, _ assumptions: Assumptions) -> [String] {
        var notes: [String] = []
        let unknown = file.cards.indices.filter { index in
            let card = file.cards[index]
            return card.name.flatMap(KnownCard.named) == nil && (card.teraflops == nil || card.bandwidth == nil)
        }
        if !unknown.isEmpty {
            notes.append(
                "the speed of \(unknown.map { "cuda:\($0)" }.joined(separator: ", ")) is not known; "
                    + "\(NumberText.short(ordinaryTeraflops)) TFLOP/s and \(NumberText.short(ordinaryBandwidth)) GB/s "
                    + "are assumed")
        }
        if !file.cards.isEmpty {
            notes.append(
                "\(ByteSize.exactText(assumptions.contextByteCount)) per card are set aside for the driver's context "
                    + "(--context-memory)")
        }
        if file.hostFreeByteCount == nil {
            notes.append(
                "\(ByteSize.exactText(assumptions.hostFreeByteCount)) of host memory are assumed (--max-memory cpu=SIZE)"
            )
        }
        return notes
    }

    /// Equal neighbors counted: `2 × RTX 4090, T4`.
    private static func summary(_ file: MachineFile) -> String {
        guard !file.cards.isEmpty else { return "a machine without cards" }
        var groups: [(name: String, count: Int)] = []
        for card in file.cards {
            let name = card.name ?? card.totalByteCount.map(ByteSize.exactText) ?? "a card"
            if groups.last?.name == name { groups[groups.count - 1].count += 1 } else { groups.append((name, 1)) }
        }
        return groups.map { $0.count == 1 ? $0.name : "\($0.count) × \($0.name)" }.joined(separator: ", ")
    }

    /// Rates of a card that is not in the table: those of an ordinary card of today.
    static let ordinaryTeraflops = 50.0
    static let ordinaryBandwidth = 500.0

    /// Rates of a host whose processor is not at hand: those of an ordinary desktop.
    private static let ordinaryHostTeraflops = 1.0
    private static let ordinaryHostBandwidth = 50.0
}
