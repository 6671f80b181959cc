/// A value that a kernel takes: its bytes go to the card as they are.
///
/// Conforming types are those whose size a kernel's parameter can have, so that an `Int` cannot stand for an `int` by
/// mistake. Structs of C that a kernel shares may conform too.
public protocol KernelParameter: BitwiseCopyable {}

extension DeviceAddress: KernelParameter {}
extension Int32: KernelParameter {}
extension UInt32: KernelParameter {}
extension Int64: KernelParameter {}
extension UInt64: KernelParameter {}
extension Float: KernelParameter {}
extension UInt8: KernelParameter {}

/// The parameters of one launch, laid out as C lays them out; where each begins.
struct KernelArguments: Sendable {
    private(set) var bytes: [UInt8] = []
    private(set) var offsets: [Int] = []

    /// Lays out values in order.
    init<each Parameter: KernelParameter>(_ parameters: repeat each Parameter) {
        bytes.reserveCapacity(128)
        offsets.reserveCapacity(16)
        for parameter in repeat each parameters { append(parameter) }
    }

    private mutating func append<Parameter: KernelParameter>(_ parameter: Parameter) {
        let alignment = MemoryLayout<Parameter>.alignment
        while bytes.count % alignment != 0 { bytes.append(0) }
        offsets.append(bytes.count)
        withUnsafeBytes(of: parameter) { bytes.append(contentsOf: $0) }
    }

    /// The list of addresses that the driver wants, valid inside the closure.
    func withPointers<Result>(
        _ body: (UnsafeMutablePointer<UnsafeMutableRawPointer?>?) -> Result
    ) -> Result {
        bytes.withUnsafeBytes { bytes in
            withUnsafeTemporaryAllocation(of: UnsafeMutableRawPointer?.self, capacity: max(offsets.count, 1)) { list in
                for (index, offset) in offsets.enumerated() {
                    let address = bytes.baseAddress.map { UnsafeMutableRawPointer(mutating: $0 + offset) }
                    list.initializeElement(at: index, to: address)
                }
                return body(list.baseAddress)
            }
        }
    }
}
