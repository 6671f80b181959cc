extension Check {
    /// Signs that a card is about to fail, or is held back.
    static let health: [Check] = [
        Check(.health, "memory errors", memoryErrors), Check(.health, "throttling", throttling),
        Check(.health, "temperature", temperature), Check(.health, "power limit", powerLimit),
        Check(.health, "faults", faults),
    ]

    private static func each(
        _ facts: Facts, _ row: (_ subject: String, _ card: CardFacts) -> Finding?
    ) -> [Finding] {
        (facts.gpu?.cards ?? []).enumerated().compactMap { index, card in row("card \(index)", card) }
    }

    private static func memoryErrors(_ facts: Facts, _ check: Check) -> [Finding] {
        each(facts) { subject, card in
            guard let errors = card.memoryErrors else { return nil }
            if errors.hasRemapFailed == true {
                return check.fail(
                    of: subject, "a row could not be replaced", needed: "none",
                    remedy: "do not use this card: have it exchanged")
            }
            if let count = errors.uncorrected, count > 0 {
                return check.fail(
                    of: subject, "\(count) uncorrected since the driver was loaded", needed: "none",
                    remedy: "results may be wrong: reset the card (nvidia-smi -r); exchange it when they come back")
            }
            if errors.isRemapPending == true {
                return check.warn(
                    of: subject, "a row waits to be replaced", needed: "none",
                    remedy: "reset the card (sudo nvidia-smi -r) or restart the machine")
            }
            if let count = errors.uncorrectedEver, count > 0 {
                return check.warn(
                    of: subject, "\(count) uncorrected over its life", needed: "none",
                    remedy: "watch the card; exchange it when there are more")
            }
            guard let isEnabled = errors.isEnabled else { return nil }
            return isEnabled ? check.ok(of: subject, "none") : check.note(of: subject, "not counted (ECC is off)")
        }
    }

    /// A clock held back by heat or by the power supply; a full power limit is what load looks like.
    private static func throttling(_ facts: Facts, _ check: Check) -> [Finding] {
        each(facts) { subject, card in
            guard let reasons = card.throttleReasons else { return nil }
            let grave = reasons.filter { $0.contains("thermal") || $0.contains("brake") || $0.contains("slowdown") }
            guard !grave.isEmpty else {
                return check.ok(of: subject, reasons.isEmpty ? "none" : FactText.list(reasons))
            }
            let remedy =
                grave.contains { $0.contains("brake") }
                ? "the power supply or its cables are too weak"
                : "improve the cooling: dust, fans, distance between cards"
            return check.warn(of: subject, "now: \(FactText.list(grave))", needed: "none", remedy: remedy)
        }
    }

    private static func temperature(_ facts: Facts, _ check: Check) -> [Finding] {
        each(facts) { subject, card in
            guard let degrees = card.temperature else { return nil }
            let found = "\(FactText.number(degrees)) °C"
            guard let slowdown = card.slowdownTemperature else { return check.ok(of: subject, found) }
            let needed = "below \(FactText.number(slowdown)) °C"
            guard degrees >= slowdown - 5 else { return check.ok(of: subject, found, needed: needed) }
            return check.warn(
                of: subject, found, needed: needed, remedy: "improve the cooling: dust, fans, distance between cards")
        }
    }

    private static func powerLimit(_ facts: Facts, _ check: Check) -> [Finding] {
        each(facts) { subject, card in
            guard let limit = card.powerLimit else { return nil }
            let now = card.power.map { ", \(FactText.number($0)) W now" } ?? ""
            let found = "\(FactText.number(limit)) W\(now)"
            guard let usual = card.defaultPowerLimit, limit < usual * 0.9 else { return check.ok(of: subject, found) }
            return check.note(
                of: subject, found, needed: "\(FactText.number(usual)) W",
                remedy: "sudo nvidia-smi -pl \(FactText.number(usual)) for full speed; prefill is slower with less")
        }
    }

    private static func faults(_ facts: Facts, _ check: Check) -> [Finding] {
        (facts.driver?.faults ?? []).map { fault in
            let known = knownFaults[fault.code]
            return check.warn(
                of: fault.address, "Xid \(fault.code)\(known.map { ": \($0.meaning)" } ?? "")", needed: "none",
                remedy: known?.remedy ?? "look the number up in NVIDIA's list of Xid errors")
        }
    }

    /// From NVIDIA's list of Xid errors: those that users of several cards meet.
    private static let knownFaults: [Int: (meaning: String, remedy: String)] = [
        13: ("a kernel failed", "report it with --bundle when Facet ran"),
        31: ("a kernel used a wrong address", "report it with --bundle when Facet ran"),
        43: ("a kernel was stopped", "report it with --bundle when Facet ran"),
        48: ("an uncorrected memory error", "reset the card; exchange it when it comes back"),
        62: ("the card's controller halted", "restart the machine; exchange the card when it comes back"),
        63: ("a memory row waits to be replaced", "reset the card"),
        64: ("a memory row could not be replaced", "have the card exchanged"),
        74: ("NVLink failed", "check the bridge's seat; restart the machine"),
        79: ("the card fell off the bus", "check slot, riser and power cables; restart the machine"),
        94: ("an uncorrected memory error, contained", "reset the card"),
        95: ("an uncorrected memory error, not contained", "restart the machine; exchange the card when it comes back"),
        119: ("the card's controller does not answer", "restart the machine; update the driver"),
    ]

    // MARK: Link

    /// How each card is connected to the host.
    static let link: [Check] = [
        Check(.link, "PCIe width", width), Check(.link, "PCIe generation", generation),
        Check(.link, "memory node", memoryNode), Check(.link, "memory window", memoryWindow),
        Check(.link, "NVLink", nvlink),
    ]

    private static func width(_ facts: Facts, _ check: Check) -> [Finding] {
        CardList(facts).entries.enumerated().compactMap { index, entry in
            guard let width = entry.link?.width, let most = entry.link?.maxWidth, width > 0 else { return nil }
            let subject = "card \(index)"
            guard width < most else { return check.ok(of: subject, "x\(width)") }
            return check.warn(
                of: subject, "x\(width) of x\(most)\(entry.link?.isUnderLoad == true ? "" : ", at rest")",
                needed: "x\(most)",
                remedy: "seat the card in a slot with all lanes, without a riser; some boards share lanes among slots")
        }
    }

    /// Falls at rest to save power, so it counts under load only.
    private static func generation(_ facts: Facts, _ check: Check) -> [Finding] {
        CardList(facts).entries.enumerated().compactMap { index, entry in
            guard let now = entry.link?.generation, let most = entry.link?.maxGeneration else { return nil }
            let subject = "card \(index)"
            if now >= most { return check.ok(of: subject, "\(now)") }
            guard entry.link?.isUnderLoad == true else { return check.ok(of: subject, "\(now) of \(most), at rest") }
            return check.warn(
                of: subject, "\(now) of \(most), under load", needed: "\(most)",
                remedy: "set the slot's generation in the BIOS; a riser may not reach it")
        }
    }

    /// Whether the processors that this process may use are near to the card.
    private static func memoryNode(_ facts: Facts, _ check: Check) -> [Finding] {
        guard let nodes = facts.host?.memoryNodes, nodes.count > 1 else { return [] }
        let allowed = facts.host?.allowedProcessors.map(SystemTable.numbers) ?? []
        return CardList(facts).entries.enumerated().compactMap { index, entry in
            guard let number = entry.memoryNode, let node = nodes.first(where: { $0.node == number }) else {
                return nil
            }
            let subject = "card \(index)"
            guard !allowed.isEmpty, SystemTable.numbers(node.processors).isDisjoint(with: allowed) else {
                return check.ok(of: subject, "node \(number) of \(nodes.count)")
            }
            return check.warn(
                of: subject, "node \(number), and this process may only run elsewhere",
                needed: "processors of node \(number)",
                remedy: "numactl --cpunodebind=\(number) --membind=\(number), or do not pin the process")
        }
    }

    /// Whether the host can address all of a card's memory (resizable BAR).
    private static func memoryWindow(_ facts: Facts, _ check: Check) -> [Finding] {
        CardList(facts).entries.enumerated().compactMap { index, entry in
            guard let window = entry.pci?.windowBytes, let total = entry.totalBytes else { return nil }
            let subject = "card \(index)"
            // The window is a power of two, the memory a little less than one or not one at all.
            guard window < total / 2 else { return check.ok(of: subject, FactText.bytes(window)) }
            return check.note(
                of: subject, "\(FactText.bytes(window)) of \(FactText.bytes(total))",
                needed: "all of it, for peer access",
                remedy: "switch on Resizable BAR and Above 4G Decoding in the BIOS")
        }
    }

    private static func nvlink(_ facts: Facts, _ check: Check) -> [Finding] {
        each(facts) { subject, card in
            guard let links = card.nvlinks, !links.isEmpty else { return nil }
            let down = links.filter { !$0.isActive }
            guard !down.isEmpty else { return check.ok(of: subject, "\(FactText.count(links.count, "link")) up") }
            if down.count == links.count { return check.note(of: subject, "no link up: no bridge, or not set up") }
            return check.warn(
                of: subject, "\(down.count) of \(FactText.count(links.count, "link")) down", needed: "all up",
                remedy: "check the bridge's seat; on servers, the fabric manager's service")
        }
    }
}
