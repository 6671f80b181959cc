import CCUDA

/// The way from one card's memory to another's: direct where that was proved to work, through the host where not.
public final class PeerLink {
    /// How bytes go.
    public let route: PeerRoute

    private let source: CUDAContext
    private let target: CUDAContext
    private let staging: PeerStaging?

    /// A link whose route is known.
    init(from source: CUDAContext, to target: CUDAContext, _ route: PeerRoute) throws(CUDAError) {
        self.source = source
        self.target = target
        self.route = route
        staging = route == .direct ? nil : try PeerStaging(source, target)
    }

    /// Enqueues a copy on the target's stream.
    ///
    /// What is enqueued on `stream` so far must include a wait for the event that ends the work on the source; the
    /// source's bytes must stay until the stream has passed the copy.
    public func copy(
        _ from: DeviceAddress, to address: DeviceAddress, byteCount: Int, on stream: CUDAStream
    ) throws(CUDAError) {
        guard byteCount > 0 else { return }
        guard stream.context === target else {
            throw .invalidArgument(
                call: "PeerLink.copy", argument: "stream", expected: "of \(target.device)",
                got: "of \(stream.context.device)")
        }
        if let staging {
            try staging.copy(from, to: address, byteCount: byteCount, on: stream)
        } else {
            try stream.copy(from, of: source, to: address, byteCount: byteCount)
        }
    }
}

/// Pinned memory between two cards, in two halves: one is written while the other is read.
///
///     source  → |half 0|half 1|  own stream of the source's card
///     target  ← |half 0|half 1|  the caller's stream
final class PeerStaging {
    private static let halfByteCount = 4 << 20

    private let memory: PinnedMemory
    private let sender: CUDAStream
    private var received: [CUDAEvent?] = [nil, nil]
    private var next = 0
    private let source: CUDAContext
    private let target: CUDAContext

    init(_ source: CUDAContext, _ target: CUDAContext) throws(CUDAError) {
        memory = try PinnedMemory(source, byteCount: 2 * Self.halfByteCount)
        sender = try CUDAStream(source, priority: .high)
        self.source = source
        self.target = target
    }

    /// Waits for the cards: after an error, nobody else has waited for the copies that still use the memory.
    deinit {
        for context in [source, target] { context.release { $0.pointee.ctxSynchronize() } }
    }

    func copy(
        _ from: DeviceAddress, to address: DeviceAddress, byteCount: Int, on stream: CUDAStream
    ) throws(CUDAError) {
        // The source is ready when the target's stream would begin.
        try sender.wait(for: try stream.record(keepsTime: false))
        var offset = 0
        while offset < byteCount {
            let count = min(Self.halfByteCount, byteCount - offset)
            let half = next
            next = 1 - next
            let base = memory.base + half * Self.halfByteCount
            if let event = received[half] { try sender.wait(for: event) }
            try sender.download(from + offset, to: base, byteCount: count)
            try stream.wait(for: try sender.record(keepsTime: false))
            try stream.upload(UnsafeRawPointer(base), to: address + offset, byteCount: count)
            received[half] = try stream.record(keepsTime: false)
            offset += count
        }
    }
}
