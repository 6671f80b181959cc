import FacetCUDA
import FacetTensor
import Testing

@Suite("Links between simulated cards")
struct PeerTests {
    /// Cards with memory and a queue each, and the links among them.
    private struct Cards {
        let arenas: [DeviceArena]
        let streams: [CUDAStream]
        let rings: [HostRing]

        init(_ machine: SimulatedMachine, byteCount: Int = 16 << 20) throws {
            let driver = try machine.driver()
            arenas = try (0..<driver.deviceCount).map {
                try DeviceArena(CUDAContext(driver, index: $0), byteCount: byteCount)
            }
            streams = try arenas.map { try CUDAStream($0.context) }
            rings = try arenas.map { try HostRing($0.context, slotCount: 2, slotByteCount: 1 << 20) }
        }

        /// The links, with all the time that a busy machine may need.
        func network() throws(CUDAError) -> PeerNetwork { try PeerNetwork(arenas, limit: .seconds(600)) }

        /// Sends bytes from one card to another, lets the source change at once, and returns what arrives.
        func send(_ sent: [UInt8], from: Int, to: Int, _ network: PeerNetwork) throws -> [UInt8] {
            let a = try arenas[from].allocate(sent.count, label: "a")
            let b = try arenas[to].allocate(sent.count, label: "b")
            try sent.withUnsafeBytes { try rings[from].upload($0, to: a.address, on: streams[from]) }
            try streams[to].wait(for: try streams[from].record(keepsTime: false))
            let link = try #require(network.link(from: from, to: to))
            try link.copy(a.address, to: b.address, byteCount: sent.count, on: streams[to])
            try streams[from].wait(for: try streams[to].record(keepsTime: false))
            try streams[from].fill(a.address, byteCount: sent.count, with: 0)
            let arrived = try bytes(b, rings[to], streams[to])
            // The parts go back to their arenas: nothing may be in flight for them then.
            try streams[from].synchronize()
            return arrived
        }
    }

    @Test(
        "a link is used as it proves itself, and carries bytes either way",
        arguments: [
            (#"{ "peer": "ok" }"#, PeerRoute.direct),
            (#"{ "peer": "none" }"#, .staged(reason: .notSupported)),
            (#"{ "peer": "corrupt" }"#, .staged(reason: .corrupts(wordIndex: 0))),
            (#"{ "peer": "ok", "delay_us": 200 }"#, .direct),
        ], SimulatedMachine.Order.several)
    func routes(link: (description: String, route: PeerRoute), order: SimulatedMachine.Order) throws {
        try SimulatedMachine.run(SimulatedMachine(cards: 2, links: link.description, order)) { machine in
            let cards = try Cards(machine)
            let network = try cards.network()
            #expect(network.link(from: 0, to: 1)?.route == link.route)
            #expect(network.link(from: 1, to: 0)?.route == link.route)
            #expect(network.link(from: 0, to: 0) == nil)
            for (from, to) in [(0, 1), (1, 0)] {
                let sent = patternBytes(50_001, seed: from)
                #expect(try cards.send(sent, from: from, to: to, network) == sent)
            }
            #expect(cards.arenas.allSatisfy { $0.use.usedByteCount == 0 })
        }
    }

    @Test("one direction that changes bytes keeps both from being direct")
    func oneWay() throws {
        let description = """
            {
              "name": "a link that is bad in one direction",
              "devices": [
                { "count": 2, "name": "Test card", "compute_capability": "8.6", "multiprocessors": 4, "memory_mib": 64 }
              ],
              "every_link": { "peer": "ok" },
              "links": [{ "between": [1, 0], "one_way": true, "peer": "corrupt" }]
            }
            """
        try SimulatedMachine.run(SimulatedMachine(description)) { machine in
            let cards = try Cards(machine)
            let network = try cards.network()
            let route = PeerRoute.staged(reason: .corrupts(wordIndex: 0))
            #expect(network.link(from: 0, to: 1)?.route == route && network.link(from: 1, to: 0)?.route == route)
        }
    }

    @Test("a driver that offers a link and then does not open it stages it, and leaves no half of it open")
    func refused() throws {
        try SimulatedMachine.run(SimulatedMachine(cards: 2)) { machine in
            let cards = try Cards(machine)
            try machine.fail("cuCtxEnablePeerAccess", "CUDA_ERROR_TOO_MANY_PEERS", number: 2)
            let network = try cards.network()
            let refusal = PeerRefusal.notOpened(result: "CUDA_ERROR_TOO_MANY_PEERS")
            #expect(network.link(from: 1, to: 0)?.route == .staged(reason: refusal))
            let sent = patternBytes(9 << 20)
            #expect(try cards.send(sent, from: 0, to: 1, network) == sent)
            // Closed again, so that it could be opened now.
            #expect(try cards.network().link(from: 0, to: 1)?.route == .direct)
        }
    }

    @Test("a copy that takes too long is given up, its memory is nobody's, and the link is staged")
    func hanging() throws {
        let machine = try SimulatedMachine(cards: 2, links: #"{ "peer": "ok", "delay_us": 5000000 }"#)
        let cards = try Cards(machine)
        let network = try PeerNetwork(cards.arenas, limit: .milliseconds(20))
        #expect(network.link(from: 0, to: 1)?.route == .staged(reason: .hangs))
        #expect(cards.arenas.allSatisfy { $0.use.usedByteCount == 1 << 20 })
        let sent = patternBytes(3 << 20)
        #expect(try cards.send(sent, from: 0, to: 1, network) == sent)
        #expect(try machine.findings() == [])
    }

    @Test("a dead link loses the card that tried it, with the link's own error; staged from the start it works")
    func dead() throws {
        let links = #"{ "peer": "dead" }"#
        let machine = try SimulatedMachine(cards: 2, links: links)
        let cards = try Cards(machine)
        let error = #expect(throws: CUDAError.self) { try cards.network() }
        guard case .contextLost(_, _, "CUDA_ERROR_NVLINK_UNCORRECTABLE", _) = error else {
            Issue.record("\(String(describing: error))")
            return
        }
        try SimulatedMachine.run(SimulatedMachine(cards: 2, links: links)) { machine in
            let cards = try Cards(machine)
            let network = try PeerNetwork(cards.arenas, allowsDirect: false)
            let sent = patternBytes(10_000)
            #expect(try cards.send(sent, from: 1, to: 0, network) == sent)
        }
    }

    @Test("two pairs of four cards are direct where NVLink joins them, and staged elsewhere")
    func pairs() throws {
        try SimulatedMachine.run(SimulatedMachine(file: "4x2080ti")) { machine in
            let cards = try Cards(machine, byteCount: 4 << 20)
            let network = try cards.network()
            for from in 0..<4 {
                for to in 0..<4 where from != to {
                    let route = network.link(from: from, to: to)?.route
                    #expect(route == (from / 2 == to / 2 ? .direct : .staged(reason: .notSupported)))
                    let sent = patternBytes(1000, seed: from * 4 + to)
                    #expect(try cards.send(sent, from: from, to: to, network) == sent)
                }
            }
        }
    }

    @Test(
        "staged copies longer than the staging memory arrive whole, one behind the other",
        arguments: SimulatedMachine.Order.several)
    func longCopies(order: SimulatedMachine.Order) throws {
        try SimulatedMachine.run(SimulatedMachine(cards: 2, links: #"{ "peer": "none" }"#, order)) { machine in
            let cards = try Cards(machine, byteCount: 40 << 20)
            let network = try cards.network()
            let link = try #require(network.link(from: 0, to: 1))
            let sent = [patternBytes(9 << 20), patternBytes(5_000_001, seed: 9), patternBytes(3, seed: 4)]
            let sources = try sent.map { try cards.arenas[0].allocate($0.count, label: "source") }
            let targets = try sent.map { try cards.arenas[1].allocate($0.count, label: "target") }
            for index in sent.indices {
                try sent[index].withUnsafeBytes {
                    try cards.rings[0].upload($0, to: sources[index].address, on: cards.streams[0])
                }
                try cards.streams[1].wait(for: try cards.streams[0].record(keepsTime: false))
                try link.copy(
                    sources[index].address, to: targets[index].address, byteCount: sent[index].count,
                    on: cards.streams[1])
            }
            for index in sent.indices {
                #expect(try bytes(targets[index], cards.rings[1], cards.streams[1]) == sent[index])
            }
        }
    }
}
