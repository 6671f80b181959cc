import CCUDA

/// The links among the cards of a program, each tried before it is used.
///
/// Drivers, boards and virtual machines exist that offer direct access and then lose or change bytes. So a pair of cards
/// is direct only after patterns went both ways and arrived as they were sent; otherwise it is staged through the host.
public final class PeerNetwork {
    private let links: [[PeerLink?]]

    /// Tries every pair.
    ///
    /// - Parameters:
    ///   - arenas: one per card, with a MiB free in each; given back afterwards.
    ///   - allowsDirect: false to stage everything.
    ///   - limit: how long a direct copy of a MiB may take before it counts as hanging.
    public init(
        _ arenas: [DeviceArena], allowsDirect: Bool = true, limit: Duration = .seconds(5)
    ) throws(CUDAError) {
        var routes = Array(
            repeating: Array(repeating: PeerRoute.direct, count: arenas.count), count: arenas.count)
        for first in arenas.indices {
            for second in arenas.indices where second > first {
                let route =
                    allowsDirect
                    ? try PeerTrial(arenas[first], arenas[second], limit: limit).route()
                    : .staged(reason: .switchedOff)
                routes[first][second] = route
                routes[second][first] = route
            }
        }
        var links: [[PeerLink?]] = []
        for source in arenas.indices {
            var row: [PeerLink?] = []
            for target in arenas.indices {
                row.append(
                    source == target
                        ? nil
                        : try PeerLink(
                            from: arenas[source].context, to: arenas[target].context, routes[source][target]))
            }
            links.append(row)
        }
        self.links = links
        for source in arenas.indices {
            for target in arenas.indices where source != target && routes[source][target] == .direct {
                arenas[source].addReader(arenas[target].context)
            }
        }
    }

    /// The way from one card to another, by their places in the list of arenas; nil from a card to itself.
    public func link(from source: Int, to target: Int) -> PeerLink? { links[source][target] }
}

/// One attempt to let two cards talk.
struct PeerTrial {
    private static let byteCount = 1 << 20

    private let arenas: [DeviceArena]
    private let limit: Duration

    init(_ first: DeviceArena, _ second: DeviceArena, limit: Duration) {
        arenas = [first, second]
        self.limit = limit
    }

    /// Opens the link in both directions and sends patterns; closes it again when anything is wrong.
    func route() throws(CUDAError) -> PeerRoute {
        let contexts = arenas.map(\.context)
        // Two devices on one card share its memory.
        if contexts[0].info.uuid == contexts[1].info.uuid { return .direct }
        for (from, to) in [(0, 1), (1, 0)] {
            guard try canAccess(contexts[from], contexts[to]) else { return .staged(reason: .notSupported) }
        }
        for (from, to) in [(0, 1), (1, 0)] {
            if let result = try enable(contexts[from], contexts[to]) {
                try close(contexts)
                return .staged(reason: .notOpened(result: result))
            }
        }
        for (from, to) in [(0, 1), (1, 0)] {
            if let refusal = try send(from: arenas[from], to: arenas[to], seed: UInt32(from + 1)) {
                try close(contexts)
                return .staged(reason: refusal)
            }
        }
        return .direct
    }

    private func canAccess(_ context: CUDAContext, _ peer: CUDAContext) throws(CUDAError) -> Bool {
        var can: Int32 = 0
        try context.call("cuDeviceCanAccessPeer") {
            $0.pointee.deviceCanAccessPeer(&can, context.info.handle, peer.info.handle)
        }
        return can != 0
    }

    /// The name of the refusal; nil when the link is open.
    private func enable(_ context: CUDAContext, _ peer: CUDAContext) throws(CUDAError) -> String? {
        let result = try context.query("cuCtxEnablePeerAccess") { $0.pointee.ctxEnablePeerAccess(peer.handle, 0) }
        if result == CUDA_SUCCESS || result == CUDA_ERROR_PEER_ACCESS_ALREADY_ENABLED { return nil }
        if result.isSticky { try context.check(result, "cuCtxEnablePeerAccess") }
        return context.driver.meaning(of: result).name
    }

    /// Closes both directions; one that was not open says so, which is no fault.
    private func close(_ contexts: [CUDAContext]) throws(CUDAError) {
        for (context, peer) in [(contexts[0], contexts[1]), (contexts[1], contexts[0])] {
            let result = try context.query("cuCtxDisablePeerAccess") {
                $0.pointee.ctxDisablePeerAccess(peer.handle)
            }
            if result.isSticky { try context.check(result, "cuCtxDisablePeerAccess") }
        }
    }

    /// Sends a pattern; what is wrong with what arrived, or nil.
    private func send(from source: DeviceArena, to target: DeviceArena, seed: UInt32) throws(CUDAError) -> PeerRefusal?
    {
        let pattern = Self.pattern(seed: seed)
        let sent = try source.allocate(Self.byteCount, label: "the trial of a link")
        let arrived = try target.allocate(Self.byteCount, label: "the trial of a link")
        let sender = try CUDAStream(source.context)
        let receiver = try CUDAStream(target.context)
        let outgoing = try HostRing(source.context, slotCount: 1, slotByteCount: Self.byteCount)
        let incoming = try HostRing(target.context, slotCount: 1, slotByteCount: Self.byteCount)
        var failure: CUDAError?
        pattern.withUnsafeBytes { bytes in
            do throws(CUDAError) { try outgoing.upload(bytes, to: sent.address, on: sender) } catch { failure = error }
        }
        if let failure { throw failure }
        // What is there before differs from the pattern in every word, so a copy that did nothing is found.
        try receiver.fill(arrived.address, byteCount: Self.byteCount, with: 0)
        try receiver.wait(for: try sender.record(keepsTime: false))
        try receiver.copy(sent.address, of: source.context, to: arrived.address, byteCount: Self.byteCount)
        guard try passes(try receiver.record(keepsTime: false)) else {
            // The copy still owns both parts, and freeing pinned memory would wait for it: nobody may get them.
            for object in [sent, arrived, outgoing, incoming] as [AnyObject] { _ = Unmanaged.passRetained(object) }
            return .hangs
        }
        var words = [UInt32](repeating: 0, count: pattern.count)
        words.withUnsafeMutableBytes { bytes in
            do throws(CUDAError) {
                try incoming.download(arrived.address, into: bytes, on: receiver)
            } catch { failure = error }
        }
        if let failure { throw failure }
        return words.indices.first { words[$0] != pattern[$0] }.map { .corrupts(wordIndex: $0) }
    }

    /// Waits for an event, but not longer than the limit.
    private func passes(_ event: CUDAEvent) throws(CUDAError) -> Bool {
        let end = ContinuousClock.now + limit
        while try !event.isDone() {
            if ContinuousClock.now > end { return false }
        }
        return true
    }

    /// Words that are never 0, and differ from their neighbors and from the other direction's.
    static func pattern(seed: UInt32) -> [UInt32] {
        (0..<byteCount / 4).map { index in (UInt32(index) &* 2_654_435_761) ^ (seed &* 0x9E37_79B9) | 1 }
    }
}
