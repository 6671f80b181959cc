/// A card as the driver shows it to this program; its place in the driver's list is its number.
public struct VisibleCard: Sendable, Hashable {
    /// The model's name.
    public var name: String

    /// Its name, `GPU-` and a UUID; a MIG instance's UUID stands behind either word.
    public var uuid: String

    /// Its place on the bus, such as `0000:65:00.0`.
    public var pciID: String

    /// Describes a card.
    public init(name: String, uuid: String, pciID: String) {
        self.name = name
        self.uuid = uuid
        self.pciID = pciID
    }

    /// The UUID's first group: enough to tell the cards of a machine apart.
    public var shortUUID: String { String(uuid.prefix(12)) }

    /// Whether a name in lower case, as `--devices` takes it, is the beginning of its UUID, or its PCI id.
    func isNamed(_ name: String) -> Bool {
        if DeviceSpec.isPCI(name) { return DeviceOrder.busKey(name) == DeviceOrder.busKey(pciID) }
        // Four characters are the word in front, which alone names nothing.
        return name.utf8.count > 4 && uuid.dropFirst(4).lowercased().hasPrefix(name.dropFirst(4))
    }
}
