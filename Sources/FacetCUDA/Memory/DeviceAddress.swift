/// An address in a card's memory; the host cannot look there.
public struct DeviceAddress: Sendable, Hashable {
    /// The number that the driver gave.
    public let value: UInt64

    /// Names an address.
    public init(_ value: UInt64) { self.value = value }

    /// No address: what kernels take for a parameter that is not there.
    public static let null = Self(0)

    /// The address so many bytes further.
    public static func + (address: Self, byteCount: Int) -> Self { Self(address.value + UInt64(byteCount)) }
}

extension DeviceAddress: CustomStringConvertible {
    public var description: String { "0x" + String(value, radix: 16) }
}
