/// What an entry of CUDA_VISIBLE_DEVICES stands for.
enum EntryMatch {
    case device(VisibleDevices.Device)
    /// A negative number: where people end a list on purpose.
    case end
    case unknown(reason: String)
}

/// How the entries of a list are read: the first one decides for all.
enum EntryForm {
    case index
    case uuid
    case instance

    /// CUDA looks at the very first characters, blanks included.
    init(of list: String) {
        self = list.hasPrefix("GPU-") ? .uuid : list.hasPrefix("MIG-") ? .instance : .index
    }

    /// The device that an entry names.
    func match(
        _ entry: String, _ cards: [PhysicalCard], _ numbered: [Int], acceptsPCI: Bool
    ) -> EntryMatch {
        if acceptsPCI, DeviceSpec.isPCI(entry.lowercased()) { return Self.byPCI(entry, cards) }
        switch self {
        case .index: return Self.byIndex(entry, cards, numbered)
        case .uuid: return Self.byUUID(entry, cards)
        case .instance: return Self.byInstance(entry, cards)
        }
    }

    /// Reads the digits in front, as `strtoul` does; what follows them is ignored.
    private static func byIndex(_ entry: String, _ cards: [PhysicalCard], _ numbered: [Int]) -> EntryMatch {
        let isNegative = entry.hasPrefix("-")
        let unsigned = isNegative || entry.hasPrefix("+") ? entry.dropFirst() : entry[...]
        let digits = unsigned.prefix { "0"..."9" ~= $0 && $0.utf8.count == 1 }
        guard !digits.isEmpty else {
            if entry.isEmpty { return .unknown(reason: "it is empty") }
            let isName = entry.hasPrefix("GPU-") || entry.hasPrefix("MIG-")
            return .unknown(reason: isName ? "a UUID in a list that begins with an index" : "no index and no UUID")
        }
        if isNegative, Int(digits) != 0 { return .end }
        guard let index = Int(digits), numbered.indices.contains(index) else {
            let range = cards.count == 1 ? "only card 0 exists" : "the cards are 0 to \(cards.count - 1)"
            return .unknown(reason: cards.isEmpty ? "there is no card" : range)
        }
        let card = numbered[index]
        return .device(VisibleDevices.Device(card: card, instance: cards[card].instances.isEmpty ? nil : 0))
    }

    private static func byUUID(_ entry: String, _ cards: [PhysicalCard]) -> EntryMatch {
        guard entry.hasPrefix("GPU-") else { return .unknown(reason: "no UUID in a list that begins with one") }
        let matches = cards.indices.filter { isPrefix(entry, of: cards[$0].uuid) }
        guard let card = matches.first else { return .unknown(reason: "no card has this UUID") }
        guard matches.count == 1 else { return .unknown(reason: "\(matches.count) cards' UUIDs begin so") }
        return .device(VisibleDevices.Device(card: card, instance: cards[card].instances.isEmpty ? nil : 0))
    }

    /// `MIG-` and a UUID, or `MIG-GPU-` with the card's UUID and the numbers of both instances.
    private static func byInstance(_ entry: String, _ cards: [PhysicalCard]) -> EntryMatch {
        guard entry.hasPrefix("MIG-") else { return .unknown(reason: "no MIG name in a list that begins with one") }
        let fields = entry.dropFirst(4).split(separator: "/", omittingEmptySubsequences: false).map(String.init)
        var matches: [VisibleDevices.Device] = []
        for (card, physical) in cards.enumerated() {
            for (index, instance) in physical.instances.enumerated() {
                let isMeant =
                    if fields.count == 3 {
                        isPrefix(fields[0], of: physical.uuid) && Int(fields[1]) == instance.gpuInstance
                            && Int(fields[2]) == instance.computeInstance
                    } else {
                        fields.count == 1 && isPrefix(entry, of: instance.uuid)
                    }
                if isMeant { matches.append(VisibleDevices.Device(card: card, instance: index)) }
            }
        }
        guard let match = matches.first else { return .unknown(reason: "no card has this MIG instance") }
        guard matches.count == 1 else { return .unknown(reason: "\(matches.count) MIG instances' names begin so") }
        return .device(match)
    }

    private static func byPCI(_ entry: String, _ cards: [PhysicalCard]) -> EntryMatch {
        let key = DeviceOrder.busKey(entry)
        guard let card = cards.firstIndex(where: { DeviceOrder.busKey($0.pciID) == key }) else {
            return .unknown(reason: "no card has this PCI id")
        }
        return .device(VisibleDevices.Device(card: card, instance: cards[card].instances.isEmpty ? nil : 0))
    }

    /// UUIDs are compared without regard to case; the word in front alone names nothing.
    private static func isPrefix(_ entry: String, of uuid: String) -> Bool {
        entry.utf8.count > 4 && uuid.lowercased().hasPrefix(entry.lowercased())
    }
}
