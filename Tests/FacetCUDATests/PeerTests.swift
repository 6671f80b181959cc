import FacetCUDA
import FacetTensor
import Testing

@Suite("Links between cards")
struct PeerTests {
    private struct Pair {
        let machine: FakeMachine
        let arenas: [DeviceArena]
        let streams: [CUDAStream]
        let rings: [HostRing]

        init(isLazy: Bool = false, _ ways: (FakeMachine.Way, FakeMachine.Way)) throws {
            machine = try FakeMachine(isLazy: isLazy)
            try machine.link(0, 1, ways.0)
            try machine.link(1, 0, ways.1)
            let driver = try machine.driver()
            let contexts = [try CUDAContext(driver, index: 0), try CUDAContext(driver, index: 1)]
            arenas = try contexts.map { try DeviceArena($0, byteCount: 32 << 20) }
            streams = try contexts.map { try CUDAStream($0) }
            rings = try contexts.map { try HostRing($0, slotCount: 2, slotByteCount: 1 << 20) }
        }

        func network(allowsDirect: Bool = true) throws -> PeerNetwork {
            try PeerNetwork(arenas, allowsDirect: allowsDirect, limit: .milliseconds(20))
        }

        /// Sends bytes from one card to the other and returns what arrives.
        func send(_ sent: [UInt8], from: Int, to: Int, _ network: PeerNetwork) throws -> [UInt8] {
            let a = try arenas[from].allocate(sent.count, label: "a")
            let b = try arenas[to].allocate(sent.count, label: "b")
            try sent.withUnsafeBytes { try rings[from].upload($0, to: a.address, on: streams[from]) }
            try streams[to].wait(for: try streams[from].record())
            let link = try #require(network.link(from: from, to: to))
            try link.copy(a.address, to: b.address, byteCount: sent.count, on: streams[to])
            return try bytes(b, rings[to], streams[to])
        }
    }

    @Test("a sound link is used directly, after patterns went both ways")
    func direct() throws {
        let pair = try Pair((.sound, .sound))
        let network = try pair.network()
        #expect(network.link(from: 0, to: 1)?.route == .direct && network.link(from: 1, to: 0)?.route == .direct)
        #expect(network.link(from: 0, to: 0) == nil)
        #expect(try pair.machine.callCount("cuMemcpyPeerAsync") == 2)
        let sent = patternBytes(12_345)
        #expect(try pair.send(sent, from: 0, to: 1, network) == sent)
        #expect(try pair.machine.callCount("cuMemcpyPeerAsync") == 3)
        #expect(pair.arenas.allSatisfy { $0.use.usedByteCount == 0 })
    }

    @Test("a link that is missing, refused or changes bytes in either direction is staged through the host")
    func staged() throws {
        let cases: [((FakeMachine.Way, FakeMachine.Way), PeerRefusal)] = [
            ((.none, .none), .notSupported), ((.sound, .none), .notSupported),
            ((.sound, .refuses), .notOpened(result: "error 217")),
            ((.corrupts, .sound), .corrupts(wordIndex: 131_072)), ((.sound, .corrupts), .corrupts(wordIndex: 131_072)),
        ]
        for (ways, refusal) in cases {
            let pair = try Pair(ways)
            let network = try pair.network()
            #expect(network.link(from: 0, to: 1)?.route == .staged(reason: refusal))
            #expect(network.link(from: 1, to: 0)?.route == .staged(reason: refusal))
            let before = try pair.machine.callCount("cuMemcpyPeerAsync")
            let sent = patternBytes(20_000, seed: 5)
            #expect(try pair.send(sent, from: 1, to: 0, network) == sent)
            #expect(try pair.machine.callCount("cuMemcpyPeerAsync") == before)
        }
    }

    @Test("a copy that does not end is given up, and the link is staged")
    func hanging() throws {
        // A lazy machine runs nothing until somebody waits, and the trial only looks.
        let pair = try Pair(isLazy: true, (.sound, .sound))
        let network = try pair.network()
        #expect(network.link(from: 0, to: 1)?.route == .staged(reason: .hangs))
        #expect(pair.arenas.allSatisfy { $0.use.usedByteCount == 1 << 20 })
    }

    @Test("staged copies longer than the staging memory arrive whole, whenever work runs", arguments: [false, true])
    func longCopies(isLazy: Bool) throws {
        let pair = try Pair(isLazy: isLazy, (.none, .none))
        let network = try pair.network()
        let first = patternBytes(9 << 20)
        let second = patternBytes(5_000_001, seed: 9)
        #expect(try pair.send(first, from: 0, to: 1, network) == first)
        #expect(try pair.send(second, from: 0, to: 1, network) == second)
        #expect(try pair.send(second, from: 1, to: 0, network) == second)
    }

    @Test("direct access can be switched off")
    func switchedOff() throws {
        let pair = try Pair((.sound, .sound))
        let network = try pair.network(allowsDirect: false)
        #expect(network.link(from: 0, to: 1)?.route == .staged(reason: .switchedOff))
        #expect(try pair.machine.callCount("cuCtxEnablePeerAccess") == 0)
        #expect(
            PeerRoute.staged(reason: .switchedOff).description == "through host memory (direct access is switched off)")
    }
}
