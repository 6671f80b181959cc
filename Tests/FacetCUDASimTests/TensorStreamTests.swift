import FacetCUDA
import FacetTensor
import Foundation
import Testing

@Suite("Simulated cards in the terms of the tensor layer")
struct TensorStreamTests {
    /// Bytes that note which parts of them have been let go.
    ///
    /// `@unchecked`: touched by one thread.
    private final class Pages: MappedBytes, @unchecked Sendable {
        let bytes: UnsafeMutableRawBufferPointer
        var gone: [Range<Int>] = []

        init(byteCount: Int) {
            bytes = .allocate(byteCount: byteCount, alignment: 64)
            for index in bytes.indices { bytes[index] = UInt8(truncatingIfNeeded: index &* 31) }
        }

        deinit { bytes.deallocate() }

        func letGo(of part: UnsafeRawBufferPointer) {
            guard let start = part.baseAddress, let first = bytes.baseAddress else { return }
            let offset = start - UnsafeRawPointer(first)
            gone.append(offset..<offset + part.count)
            // Nobody may read them afterwards.
            memset(first + offset, 0, part.count)
        }
    }

    @Test("a weight's file pages go slot by slot while it is read")
    func pages() throws {
        try SimulatedMachine.run(SimulatedMachine(cards: 1)) { machine in
            let context = try machine.context()
            let card = try TensorStream(
                DeviceArena(context, byteCount: 1 << 20), ringSlotCount: 2, ringSlotByteCount: 4096)
            let pages = Pages(byteCount: 100_000)
            let expected = Array(pages.bytes[1000..<91_000])
            let storage = Storage(viewing: UnsafeRawBufferPointer(pages.bytes), owner: pages)
            let tensor = Tensor(storage, byteOffset: 1000, shape: [90_000], dtype: .uint8)
            let copy = try card.resident(tensor, label: "weight")
            var bytes = [UInt8](repeating: 0, count: 90_000)
            try bytes.withUnsafeMutableBytes { try card.download(copy, into: $0) }
            #expect(bytes == expected)
            #expect(pages.gone.first?.lowerBound == 1000 && pages.gone.last?.upperBound == 91_000)
            #expect(zip(pages.gone, pages.gone.dropFirst()).allSatisfy { $0.upperBound == $1.lowerBound })
            #expect(pages.gone.allSatisfy { $0.count <= 4096 })
        }
    }

    /// Two cards that copy from each other.
    private struct Pair {
        let cards: [TensorStream]

        init(_ machine: SimulatedMachine, byteCount: Int = 4 << 20) throws {
            let driver = try machine.driver()
            let arenas = try (0..<2).map { try DeviceArena(CUDAContext(driver, index: $0), byteCount: byteCount) }
            let network = try PeerNetwork(arenas, limit: .seconds(600))
            cards = try arenas.map { try TensorStream($0, ringSlotCount: 2, ringSlotByteCount: 4096) }
            for (source, target) in [(0, 1), (1, 0)] {
                cards[target].connect(cards[source].device, by: try #require(network.link(from: source, to: target)))
            }
        }

        func floats(_ tensor: Tensor, _ card: Int) throws -> [Float] {
            var values = [Float](repeating: .nan, count: tensor.shape.elementCount)
            try values.withUnsafeMutableBytes { try cards[card].download(tensor, into: $0) }
            return values
        }

        func fill(_ tensor: Tensor, _ values: [Float], _ card: Int) throws {
            try values.withUnsafeBytes { try cards[card].upload($0, into: tensor) }
        }
    }

    @Test(
        "tensors are zeroed, although memory that comes back holds what was there",
        arguments: SimulatedMachine.Order.several)
    func allocate(order: SimulatedMachine.Order) throws {
        try SimulatedMachine.run(SimulatedMachine(cards: 2, order)) { machine in
            let pair = try Pair(machine)
            for _ in 0..<3 {
                let x = try pair.cards[1].allocate([3, 100_000], .float32, label: "x")
                #expect(try pair.floats(x, 1).allSatisfy { $0 == 0 })
                try pair.fill(x, values(300_000, seed: 1), 1)
            }
        }
    }

    @Test(
        "a residual stream hops from card to card and back, many times without waiting",
        arguments: [#"{ "peer": "ok" }"#, #"{ "peer": "none" }"#, #"{ "peer": "corrupt" }"#],
        SimulatedMachine.Order.several)
    func hops(links: String, order: SimulatedMachine.Order) throws {
        try SimulatedMachine.run(SimulatedMachine(cards: 2, links: links, order)) { machine in
            let pair = try Pair(machine)
            let tensors = try pair.cards.map { try $0.allocate([3000], .float32, label: "residual") }
            for round in 0..<6 {
                let (from, to) = (round % 2, 1 - round % 2)
                // What the next hop carries; the one before has to be over by then.
                if round % 2 == 0 { try pair.fill(tensors[0], values(3000, seed: round), 0) }
                try pair.cards[to].wait(for: try pair.cards[from].record())
                try pair.cards[to].copy(tensors[from], into: tensors[to])
                try pair.cards[from].wait(for: try pair.cards[to].record())
            }
            #expect(try pair.floats(tensors[0], 0) == values(3000, seed: 4))
            #expect(try pair.floats(tensors[1], 1) == values(3000, seed: 4))
        }
    }

    @Test(
        "memory that comes back is given away again only when its last use has run",
        arguments: SimulatedMachine.Order.several)
    func reuse(order: SimulatedMachine.Order) throws {
        try SimulatedMachine.run(SimulatedMachine(cards: 2, links: #"{ "peer": "none" }"#, order)) { machine in
            let pair = try Pair(machine, byteCount: 1 << 20)
            let card = pair.cards[0]
            let queue = try card.makeCopyQueue()
            let length = (1 << 20) / 4
            // The copy runs late: were the memory given away at once, it would land in the second tensor.
            try machine.delay("run:copy", device: 0, milliseconds: 20)
            do {
                let first = try card.allocate([length], .float32, label: "first", isZeroed: false)
                try [Float](repeating: 1, count: length).withUnsafeBytes {
                    try queue.upload($0, keeping: Owner(), into: first)
                }
            }
            let second = try card.allocate([length], .float32, label: "second")
            #expect(try pair.floats(second, 0).allSatisfy { $0 == 0 })
            try queue.synchronize()
            #expect(try pair.floats(second, 0).allSatisfy { $0 == 0 })
        }
    }

    @Test("a copy queue streams weights beside the card's own queue", arguments: SimulatedMachine.Order.several)
    func copyQueue(order: SimulatedMachine.Order) throws {
        try SimulatedMachine.run(SimulatedMachine(cards: 2, order)) { machine in
            let pair = try Pair(machine)
            let card = pair.cards[0]
            let queue = try card.makeCopyQueue()
            let slots = try (0..<2).map { try card.allocate([5000], .float32, label: "slot \($0)") }
            let results = try (0..<6).map { try card.allocate([5000], .float32, label: "result \($0)") }
            #expect(throws: TensorError.self) {
                try values(11, seed: 0).withUnsafeBytes {
                    try queue.upload($0, keeping: Owner(), into: slots[0].rows(0..<10))
                }
            }
            var used: [CUDAEvent?] = [nil, nil]
            try queue.wait(for: try card.record())
            for step in 0..<6 {
                if let event = used[step % 2] { try queue.wait(for: event) }
                try values(5000, seed: step).withUnsafeBytes {
                    try queue.upload($0, keeping: Owner(), into: slots[step % 2])
                }
                try card.wait(for: queue.record())
                try card.copy(slots[step % 2], into: results[step])
                used[step % 2] = try card.record()
            }
            for step in 0..<6 { #expect(try pair.floats(results[step], 0) == values(5000, seed: step)) }
        }
    }

    @Test(
        "a card that falls off the bus fails its calls with a reason; the other goes on, and answers still come from it"
    )
    func lost() throws {
        let machine = try SimulatedMachine(cards: 2)
        let pair = try Pair(machine)
        let kept = try pair.cards[1].allocate([100], .float32, label: "kept")
        try pair.fill(kept, values(100, seed: 1), 1)
        let gone = try pair.cards[0].allocate([100], .float32, label: "gone")
        try pair.cards[0].synchronize()
        try machine.lose(0)
        let error = #expect(throws: TensorError.self) {
            try pair.fill(gone, values(100, seed: 1), 0)
            try pair.cards[0].synchronize()
        }
        guard case .deviceFailed(DeviceID(.cuda, 0), let reason) = error else {
            Issue.record("\(String(describing: error))")
            return
        }
        #expect(reason.contains("cuda:0 stopped working") && reason.contains("CUDA_ERROR_UNKNOWN"))
        #expect(throws: TensorError.self) { try pair.cards[0].allocate([1], .float32, label: "more") }
        #expect(try pair.floats(kept, 1) == values(100, seed: 1))
        #expect(try machine.findings() == [])
        // What was on the lost card is let go of without a word to it.
        withExtendedLifetime((gone, pair)) {}
    }

    @Test("an error of the driver at any call is thrown as the tensor layer's, and nothing is left behind")
    func everyCallFails() throws {
        let calls = [
            "cuMemAlloc_v2", "cuStreamCreateWithPriority", "cuMemHostAlloc", "cuCtxSetCurrent", "cuEventCreate",
            "cuEventRecord", "cuStreamWaitEvent", "cuMemcpyHtoDAsync_v2", "cuMemcpyDtoHAsync_v2", "cuLaunchHostFunc",
            "cuMemsetD8Async", "cuStreamSynchronize", "cuMemcpyPeerAsync", "cuDeviceCanAccessPeer",
            "cuDevicePrimaryCtxRetain", "cuCtxSynchronize",
        ]
        for call in calls {
            for number in 1...3 {
                try SimulatedMachine.run(SimulatedMachine(cards: 2)) { machine in
                    try machine.fail(call, "CUDA_ERROR_SYSTEM_DRIVER_MISMATCH", number: number)
                    do {
                        let pair = try Pair(machine)
                        let tensors = try pair.cards.map { try $0.allocate([2000], .float32, label: "x") }
                        try pair.fill(tensors[0], values(2000, seed: 1), 0)
                        try pair.cards[1].wait(for: try pair.cards[0].record())
                        try pair.cards[1].copy(tensors[0], into: tensors[1])
                        // Either every call went well, or one said otherwise.
                        #expect(try pair.floats(tensors[1], 1) == values(2000, seed: 1), "\(call) \(number)")
                        try pair.cards[0].synchronize()
                    } catch {
                        #expect("\(error)".contains("CUDA_ERROR_SYSTEM_DRIVER_MISMATCH"), "\(call) \(number)")
                    }
                }
            }
        }
    }
}

/// Something that keeps bytes.
private final class Owner: Sendable {}
