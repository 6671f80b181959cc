import FacetPlacement

extension Check {
    /// Which cards this process sees, and in which order.
    static let visibility: [Check] = [
        Check(.visibility, "CUDA_VISIBLE_DEVICES", visibleDevices),
        Check(.visibility, "CUDA_DEVICE_ORDER", deviceOrder), Check(.visibility, "numbers", numbers),
        Check(.visibility, "container", container),
    ]

    private static func visibleDevices(_ facts: Facts, _ check: Check) -> [Finding] {
        let value = facts.environment?.cudaVisibleDevices
        guard let list = Visibility(facts).list else {
            let reason =
                CardList(facts).isEmpty ? "there is no card to choose" : "only the driver's libraries know these"
            return value.map { [check.note("'\(shown($0))', but \(reason)")] } ?? []
        }
        if let mistake = list.notes.first(where: \.isMistake) {
            return [
                check.fail(
                    mistake.description, needed: "each card once, by index or UUID",
                    remedy: "name the cards as nvidia-smi -L lists them, or unset the variable")
            ]
        }
        if list.devices.isEmpty {
            return [
                check.warn(
                    list.notes.first?.description ?? "no card is visible", needed: "a card",
                    remedy: "unset CUDA_VISIBLE_DEVICES to see every card")
            ]
        }
        let found = value.map { "'\(shown($0))'" } ?? "not set"
        return [check.ok("\(found): \(FactText.count(list.devices.count, "card")) visible")]
    }

    private static func deviceOrder(_ facts: Facts, _ check: Check) -> [Finding] {
        let visibility = Visibility(facts)
        guard visibility.list != nil else { return [] }
        let value = facts.environment?.cudaDeviceOrder ?? ""
        if visibility.hasUnknownOrder {
            return [
                check.warn(
                    "'\(shown(value))', which CUDA takes for FASTEST_FIRST", needed: "PCI_BUS_ID or FASTEST_FIRST",
                    remedy: "export CUDA_DEVICE_ORDER=PCI_BUS_ID")
            ]
        }
        guard visibility.order == .fastestFirst, CardList(facts).isMixed else {
            return [check.ok(value.isEmpty ? "not set" : value)]
        }
        return [
            check.warn(
                "\(value.isEmpty ? "not set" : value), and the cards differ", needed: "PCI_BUS_ID",
                remedy: "export CUDA_DEVICE_ORDER=PCI_BUS_ID: CUDA then counts as nvidia-smi does")
        ]
    }

    /// The map from CUDA's numbers to cards, and whether CUDA itself agrees.
    private static func numbers(_ facts: Facts, _ check: Check) -> [Finding] {
        let visibility = Visibility(facts)
        guard let list = visibility.list, !list.devices.isEmpty else { return [] }
        let cards = CardList(facts)
        let rows = list.devices.enumerated().map { number, device in
            let name = cards.entries[device.card].name.map { " \($0)" } ?? ""
            let place = cards.entries[device.card].address.map { " at \($0)" } ?? ""
            return check.ok(of: "cuda:\(number)", "card \(device.card)\(name)\(place)")
        }
        guard let seen = facts.gpu?.visibleCards else { return rows }
        let expected = list.devices.map { device in
            device.instance.map { visibility.cards[device.card].instances[$0].uuid }
                ?? visibility.cards[device.card].uuid
        }
        // CUDA gives the bytes only, so that the word in front is the same for cards and instances.
        guard seen.map({ $0.dropFirst(4).lowercased() }) != expected.map({ $0.dropFirst(4).lowercased() }) else {
            return rows
        }
        return rows + [
            check.warn(
                "CUDA shows \(seen.isEmpty ? "no card" : FactText.list(seen))", needed: FactText.list(expected),
                remedy: "set CUDA_VISIBLE_DEVICES before the program starts, by UUID")
        ]
    }

    private static func container(_ facts: Facts, _ check: Check) -> [Finding] {
        guard let environment = facts.environment else { return [] }
        let value = environment.nvidiaVisibleDevices
        var rows: [Finding] = []
        if let value, ["void", "none", ""].contains(value) {
            rows.append(
                check.note("NVIDIA_VISIBLE_DEVICES is '\(value)': the container was given no card"))
        } else if let value {
            rows.append(check.ok("NVIDIA_VISIBLE_DEVICES is '\(shown(value))'"))
        }
        if let capabilities = environment.nvidiaDriverCapabilities, value.map({ $0 != "void" }) ?? true {
            let words = capabilities.split(separator: ",")
            if !words.contains("all") && !words.contains("compute") {
                rows.append(
                    check.fail(
                        "NVIDIA_DRIVER_CAPABILITIES is '\(shown(capabilities))'", needed: "compute,utility",
                        remedy: "start the container with NVIDIA_DRIVER_CAPABILITIES=compute,utility"))
            }
        }
        return rows
    }

    /// The beginning of a variable's value.
    private static func shown(_ value: String) -> String { value.count > 80 ? value.prefix(80) + "…" : value }
}
