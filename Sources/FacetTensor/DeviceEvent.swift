/// A point in a device's queue: it has passed when everything enqueued before it has run.
///
/// Events order one queue after another, and let the host wait for part of a queue.
public protocol DeviceEvent: AnyObject, Sendable {
    /// Whether the event has passed, with or without an error before it; does not wait.
    var hasPassed: Bool { get }

    /// Waits on the calling thread until the event has passed.
    ///
    /// - Throws: what went wrong in the queue before it.
    func synchronize() throws(TensorError)

    /// How long the queue took from `earlier` to this event; nil unless both are of one kind and have passed.
    func elapsed(since earlier: any DeviceEvent) -> Duration?
}

/// Moves bytes from the host to a device beside the device's computations, in order among themselves.
///
/// Confined to the thread of its backend.
public protocol CopyQueue: AnyObject {
    /// Enqueues a copy of host bytes into the start of a tensor on the device.
    ///
    /// - Parameters:
    ///   - bytes: stay as they are until an event recorded afterwards has passed.
    ///   - owner: kept alive until then.
    /// - Throws: `.shapeMismatch`, `.wrongDevice`.
    func upload(
        _ bytes: UnsafeRawBufferPointer, keeping owner: any AnyObject & Sendable, into tensor: Tensor
    ) throws(TensorError)

    /// Marks the present end of this queue.
    func record() -> any DeviceEvent

    /// Lets what is enqueued from now on wait for an event of another queue.
    func wait(for event: any DeviceEvent) throws(TensorError)

    /// Waits until everything enqueued so far has passed; throws its first error, once.
    func synchronize() throws(TensorError)
}

/// The event of a backend that works in place: it has passed when it is made.
final class PassedEvent: DeviceEvent {
    private let time = ContinuousClock.now

    var hasPassed: Bool { true }

    func synchronize() throws(TensorError) {}

    func elapsed(since earlier: any DeviceEvent) -> Duration? {
        (earlier as? PassedEvent).map { time - $0.time }
    }
}

/// The copy queue of a backend that works in place: every copy is done when its call returns.
final class InPlaceCopyQueue: CopyQueue {
    private let backend: any Backend

    init(_ backend: any Backend) { self.backend = backend }

    func upload(
        _ bytes: UnsafeRawBufferPointer, keeping owner: any AnyObject & Sendable, into tensor: Tensor
    ) throws(TensorError) {
        try backend.upload(bytes, into: tensor)
        try backend.synchronize()
    }

    func record() -> any DeviceEvent { PassedEvent() }

    func synchronize() throws(TensorError) {}

    func wait(for event: any DeviceEvent) throws(TensorError) { try event.synchronize() }
}
