#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// A block of memory on one device, shared by the tensors that view it.
///
/// Who owns the bytes is fixed at creation: either this object (allocated, freed with it) or
/// somebody else that it keeps alive (a mapped file, bytes inside the executable).
///
/// `@unchecked`: the pointer never changes; who may write through it, and when, is the backend's
/// in-order queue, exactly as for device memory.
public final class Storage: @unchecked Sendable {
    /// Alignment of owned memory in bytes: one cache line, one AVX-512 register.
    public static let alignment = 64

    /// The device whose memory this is.
    public let device: DeviceID

    /// Length in bytes.
    public let byteCount: Int

    /// Whether operations may write here; mapped weights are read-only.
    public let isWritable: Bool

    /// First byte, valid as long as this object lives.
    package let base: UnsafeMutableRawPointer

    private let owner: (any AnyObject & Sendable)?
    private let distantMemory: (any DistantMemory)?
    private let account: MemoryAccount?

    /// Allocates zeroed host memory.
    ///
    /// - Parameters:
    ///   - byteCount: length in bytes; not negative.
    ///   - label: names the memory in the error.
    /// - Throws: `.outOfMemory`.
    public convenience init(allocating byteCount: Int, device: DeviceID = .cpu, label: String) throws(TensorError) {
        try self.init(allocating: byteCount, device: device, label: label, account: nil, isZeroed: true)
    }

    /// Allocates host memory that counts in `account` as long as this object lives.
    ///
    /// - Parameter isZeroed: false where all of it is about to be overwritten: its pages are then first touched by
    ///   whoever writes them.
    /// - Throws: `.outOfMemory` with `label`, by the system or by the account.
    package init(
        allocating byteCount: Int, device: DeviceID, label: String, account: MemoryAccount?, isZeroed: Bool
    ) throws(TensorError) {
        try account?.take(byteCount, label: label, device: device)
        var pointer: UnsafeMutableRawPointer?
        // Never zero bytes: an empty tensor still has an address.
        let length = max(byteCount, 1)
        guard posix_memalign(&pointer, Self.alignment, length) == 0, let pointer else {
            account?.giveBack(byteCount)
            throw .outOfMemory(label: label, byteCount: byteCount, device: device)
        }
        if isZeroed { memset(pointer, 0, length) }
        base = pointer
        owner = nil
        distantMemory = nil
        self.account = account
        isWritable = true
        self.byteCount = byteCount
        self.device = device
    }

    /// Views read-only memory that `owner` keeps valid.
    ///
    /// - Precondition: `bytes` has an address.
    public init(viewing bytes: UnsafeRawBufferPointer, device: DeviceID = .cpu, owner: any AnyObject & Sendable) {
        guard let address = bytes.baseAddress else { preconditionFailure("a view needs an address") }
        base = UnsafeMutableRawPointer(mutating: address)
        byteCount = bytes.count
        isWritable = false
        self.owner = owner
        distantMemory = nil
        self.device = device
        account = nil
    }

    /// Views writable host memory that `owner` gives back when it goes.
    package init(hostMemory base: UnsafeMutableRawPointer, byteCount: Int, owner: any AnyObject & Sendable) {
        self.base = base
        self.byteCount = byteCount
        self.owner = owner
        distantMemory = nil
        device = .cpu
        isWritable = true
        account = nil
    }

    /// Who owns the bytes, if it is one of a kind.
    package func owner<Owner: AnyObject>(as kind: Owner.Type) -> Owner? { owner as? Owner }

    /// Views writable memory of another kind of device, which `owner` gives back when it goes.
    ///
    /// - Parameter address: a number of that device; the host must not look there.
    package init(deviceAddress address: UInt, byteCount: Int, device: DeviceID, owner: any DistantMemory) {
        guard let base = UnsafeMutableRawPointer(bitPattern: address) else {
            preconditionFailure("device memory needs an address")
        }
        self.base = base
        self.byteCount = byteCount
        self.owner = owner
        distantMemory = owner
        self.device = device
        isWritable = true
        account = nil
    }

    /// Says that some bytes have been read and will not be read again soon: pages of a mapped file may go, and come back
    /// when they are read.
    package func letGo(_ range: Range<Int>) {
        guard let mapping = owner as? any MappedBytes else { return }
        mapping.letGo(of: UnsafeRawBufferPointer(start: base + range.lowerBound, count: range.count))
    }

    /// Copies a tensor's bytes to host memory, from wherever they are.
    ///
    /// What writes them has been waited for.
    /// - Throws: `.deviceFailed`.
    func read(at byteOffset: Int, into bytes: UnsafeMutableRawBufferPointer) throws(TensorError) {
        guard let target = bytes.baseAddress, bytes.count > 0 else { return }
        if let distantMemory {
            try distantMemory.read(at: UInt(bitPattern: base + byteOffset), into: bytes)
        } else {
            memcpy(target, base + byteOffset, bytes.count)
        }
    }

    deinit {
        if owner == nil { free(base) }
        account?.giveBack(byteCount)
    }
}

/// Who owns bytes that are mapped from a file.
package protocol MappedBytes: AnyObject, Sendable {
    /// Lets go of the whole pages in some of the bytes; they come back when they are read.
    func letGo(of bytes: UnsafeRawBufferPointer)
}

/// Memory where the host cannot look, but from which it can copy.
package protocol DistantMemory: AnyObject, Sendable {
    /// Copies bytes to the host, on the calling thread.
    ///
    /// - Parameter address: of that device.
    /// - Throws: `.deviceFailed`.
    func read(at address: UInt, into bytes: UnsafeMutableRawBufferPointer) throws(TensorError)
}
