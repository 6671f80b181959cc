/// Names one device: where a tensor's bytes live and where its operations run.
///
/// Devices of one kind are counted from zero: `cpu:0`, `cpu:1`, `cuda:0`.
public struct DeviceID: Sendable, Hashable {
    /// What a device is made of.
    public enum Kind: String, Sendable, Hashable {
        case cpu
        case cuda
    }

    /// What the device is made of.
    public let kind: Kind

    /// Position among the devices of its kind.
    public let index: Int

    /// Names device `index` of a kind.
    public init(_ kind: Kind, _ index: Int = 0) {
        self.kind = kind
        self.index = index
    }

    /// The first CPU device.
    public static let cpu = DeviceID(.cpu)
}

extension DeviceID: CustomStringConvertible {
    public var description: String { "\(kind.rawValue):\(index)" }
}
