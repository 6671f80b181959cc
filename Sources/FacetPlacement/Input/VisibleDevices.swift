/// Which cards a program sees, and in which order: the meaning of CUDA_VISIBLE_DEVICES.
///
/// `init` reads the variable exactly as CUDA does, which never complains: at the first entry that it does not
/// understand it forgets the rest, and an entry that occurs twice hides every card. So `notes` says what happened,
/// and `check()` makes an error of what can only be a mistake. The rules are those of the CUDA programming guide,
/// appendix "CUDA environment variables", and where that is silent those that PyTorch's `_parse_visible_devices`
/// found: numbers are read as `strtoul` reads them, and the form of the first entry is that of all.
public struct VisibleDevices: Sendable, Hashable {
    /// A card, or a part of one, that is visible.
    public struct Device: Sendable, Hashable {
        /// Index into the list of physical cards that was given.
        public let card: Int
        /// Index into the card's instances; nil for the whole card.
        public let instance: Int?
    }

    /// Something about the list that a person should know.
    public struct Note: Sendable, Hashable, CustomStringConvertible {
        /// The sentence.
        public let description: String
        /// Whether it can only be a mistake.
        public let isMistake: Bool
    }

    /// The visible devices; the place in this list is the number by which CUDA calls them.
    public private(set) var devices: [Device] = []

    /// What was ignored or hidden, in order.
    public private(set) var notes: [Note] = []

    private let input: String

    /// Reads the variable.
    ///
    /// - Parameters:
    ///   - text: its value; nil when it is not set, which leaves every card visible.
    ///   - cards: what the driver lists, in any order.
    ///   - order: how indices count; nil for the order of `cards`.
    ///   - acceptsPCI: whether a PCI id may stand for a card, which CUDA does not know; for options of our own.
    ///   - input: what was read, as notes and errors call it.
    public init(
        parsing text: String?, cards: [PhysicalCard], order: DeviceOrder? = .fastestFirst, acceptsPCI: Bool = false,
        input: String = "CUDA_VISIBLE_DEVICES"
    ) {
        self.input = input
        let numbered = order?.sorted(cards) ?? Array(cards.indices)
        guard let text else {
            devices = Self.allDevices(cards, numbered)
            return
        }
        let entries = EntryText.entries(of: text)
        if text.allSatisfy(\.isWhitespace) {
            note("\(input) is set to nothing, so no card is visible", isMistake: false)
            return
        }
        let form = EntryForm(of: text)
        for (position, entry) in entries.enumerated() {
            let match = form.match(entry, cards, numbered, acceptsPCI: acceptsPCI)
            guard case .device(let device) = match else {
                stop(match, at: position, entries)
                break
            }
            if let first = devices.firstIndex(of: device) {
                note(
                    "\(input): entry \(position + 1) '\(Self.shown(entry))' is the card of entry \(first + 1) again, "
                        + "so CUDA hides every card",
                    isMistake: true)
                devices = []
                return
            }
            devices.append(device)
        }
        keepOneInstance()
    }

    /// The cards in the order that CUDA gives them, as one line: `cuda:0 = card 2 (GPU-8932…), cuda:1 = …`.
    public func mapping(_ cards: [PhysicalCard]) -> String {
        guard !devices.isEmpty else { return "no card is visible" }
        return devices.enumerated().map { number, device in
            let card = cards[device.card]
            let name = device.instance.map { card.instances[$0].uuid } ?? card.uuid
            return "cuda:\(number) = card \(device.card) (\(card.pciID), \(name))"
        }.joined(separator: ", ")
    }

    /// Makes an error of the first note that is a mistake.
    ///
    /// - Throws: the note, and what to do about it.
    public func check() throws(VisibleDevicesError) {
        guard let mistake = notes.first(where: \.isMistake) else { return }
        throw VisibleDevicesError(reason: mistake.description)
    }

    private mutating func note(_ text: String, isMistake: Bool) {
        notes.append(Note(description: text, isMistake: isMistake))
    }

    /// Says why reading ended at an entry, and what that hides.
    private mutating func stop(_ match: EntryMatch, at position: Int, _ entries: [String]) {
        let hidden = entries.indices.dropFirst(position + 1).map { "\($0 + 1)" }
        let consequence =
            switch hidden.count {
            case 0: devices.isEmpty ? ", so no card is visible" : ", so it names no card"
            case 1: ", so \(hidden[0]) is hidden"
            default: ", so \(hidden.dropLast().joined(separator: ", ")) and \(hidden[hidden.count - 1]) are hidden"
            }
        let entry = "\(input): entry \(position + 1) '\(Self.shown(entries[position]))'"
        switch match {
        case .end: note("\(entry) ends the list\(consequence)", isMistake: !hidden.isEmpty)
        case .unknown(let reason): note("\(entry) is invalid (\(reason))\(consequence)", isMistake: true)
        case .device: break
        }
    }

    /// CUDA works with one MIG instance, and with no other card beside it.
    private mutating func keepOneInstance() {
        guard let first = devices.firstIndex(where: { $0.instance != nil }), devices.count > 1 else { return }
        note(
            "\(input): CUDA uses one MIG instance and nothing beside it, so only entry \(first + 1) is visible",
            isMistake: true)
        devices = [devices[first]]
    }

    /// Every card; a divided one stands for its first instance, and then alone.
    private static func allDevices(_ cards: [PhysicalCard], _ numbered: [Int]) -> [Device] {
        let whole = numbered.filter { cards[$0].instances.isEmpty }
        if let divided = numbered.first(where: { !cards[$0].instances.isEmpty }), whole.isEmpty {
            return [Device(card: divided, instance: 0)]
        }
        return whole.map { Device(card: $0, instance: nil) }
    }

    private static func shown(_ entry: String) -> String {
        let scalars = entry.unicodeScalars.prefix(60).map { $0.value < 0x20 || $0.value == 0x7F ? "\u{FFFD}" : $0 }
        return String(String.UnicodeScalarView(scalars)) + (entry.unicodeScalars.count > 60 ? "…" : "")
    }
}

/// A list of visible cards that can only be a mistake.
public struct VisibleDevicesError: Error, Sendable, Hashable, CustomStringConvertible {
    /// What is wrong, and what CUDA makes of it.
    public let reason: String

    public var description: String {
        reason + "; name each card once, by index, by UUID as 'nvidia-smi -L' lists it, or unset the list."
    }
}
