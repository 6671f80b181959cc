import FacetCUDA
import FacetTensor
import Testing

@Suite("A card in the terms of the tensor layer")
struct TensorStreamTests {
    private struct Machine {
        let fake: FakeMachine
        let cards: [TensorStream]

        init(_ order: FakeMachine.Order = .atOnce, direct: FakeMachine.Way = .sound) throws {
            fake = try FakeMachine(order)
            try fake.link(0, 1, direct)
            try fake.link(1, 0, direct)
            let driver = try fake.driver()
            let arenas = try (0..<2).map { try DeviceArena(CUDAContext(driver, index: $0), byteCount: 4 << 20) }
            let network = try PeerNetwork(arenas, limit: .milliseconds(20))
            cards = try arenas.map { try TensorStream($0, ringSlotCount: 2, ringSlotByteCount: 4096) }
            for (source, target) in [(0, 1), (1, 0)] {
                cards[target].connect(cards[source].device, by: try #require(network.link(from: source, to: target)))
            }
        }
    }

    private func floats(_ tensor: Tensor, _ card: TensorStream) throws -> [Float] {
        var values = [Float](repeating: .nan, count: tensor.shape.elementCount)
        try values.withUnsafeMutableBytes { try card.download(tensor, into: $0) }
        return values
    }

    private func fill(_ tensor: Tensor, _ values: [Float], _ card: TensorStream) throws {
        try values.withUnsafeBytes { try card.upload($0, into: tensor) }
    }

    @Test("tensors are zeroed, writable and the card's", arguments: FakeMachine.Order.allCases)
    func allocate(order: FakeMachine.Order) throws {
        let machine = try Machine(order)
        let card = machine.cards[1]
        let before = card.memoryUse.usedByteCount
        let x = try card.allocate([3, 100], .float32, label: "x")
        #expect(x.device == DeviceID(.cuda, 1) && x.storage.isWritable)
        #expect(try floats(x, card).allSatisfy { $0 == 0 })
        #expect(card.memoryUse.usedByteCount - before == 1200 && card.memoryUse.countsWeights)
        #expect(
            throws: TensorError.outOfMemory(label: "huge", byteCount: 8 << 20, device: card.device)
        ) { try card.allocate([2 << 20], .float32, label: "huge") }
    }

    @Test("views of rows go to the card and come back", arguments: FakeMachine.Order.allCases)
    func rows(order: FakeMachine.Order) throws {
        let card = try Machine(order).cards[0]
        let x = try card.allocate([4, 3], .float32, label: "x")
        try fill(x.rows(1..<3), [1, 2, 3, 4, 5, 6], card)
        #expect(try floats(x, card) == [0, 0, 0, 1, 2, 3, 4, 5, 6, 0, 0, 0])
        let y = try card.allocate([2, 3], .float32, label: "y")
        try card.copy(x.rows(1..<3), into: y)
        #expect(try floats(y.rows(1..<2), card) == [4, 5, 6])
    }

    @Test(
        "a hop carries a tensor from card to card, whatever the route and whenever work runs",
        arguments: FakeMachine.Order.allCases, [FakeMachine.Way.sound, .none])
    func hop(order: FakeMachine.Order, direct: FakeMachine.Way) throws {
        let machine = try Machine(order, direct: direct)
        let values = (0..<2000).map(Float.init)
        let x = try machine.cards[0].allocate([2000], .float32, label: "x")
        let y = try machine.cards[1].allocate([2000], .float32, label: "y")
        try fill(x, values, machine.cards[0])
        try machine.cards[1].wait(for: try machine.cards[0].record())
        try machine.cards[1].copy(x, into: y)
        #expect(try floats(y, machine.cards[1]) == values)
        let z = try machine.cards[0].allocate([2000], .float32, label: "z")
        try machine.cards[0].wait(for: try machine.cards[1].record())
        try machine.cards[0].copy(y, into: z)
        #expect(try floats(z, machine.cards[0]) == values)
    }

    @Test("tensors of the host become the card's; those of a card without a link are refused")
    func others() throws {
        let machine = try Machine()
        let host = try CPUBackend(threadCount: 1)
        let weight = try host.allocate([5], .float32, label: "weight")
        try [Float(1), 2, 3, 4, 5].withUnsafeBytes { try host.upload($0, into: weight) }
        let card = machine.cards[0]
        let bound = try card.resident(weight, label: "weight")
        #expect(try floats(bound, card) == [1, 2, 3, 4, 5])
        let y = try card.allocate([5], .float32, label: "y")
        try card.wait(for: try host.record())
        try card.copy(weight, into: y)
        #expect(try floats(y, card) == [1, 2, 3, 4, 5])
        let lonely = try TensorStream(machine.cards[1].arena)
        #expect(
            throws: TensorError.wrongDevice(
                operation: "copy", argument: "x", expected: lonely.device, got: card.device)
        ) { try lonely.copy(bound, into: try lonely.allocate([5], .float32, label: "z")) }
        #expect(throws: TensorError.self) { try lonely.resident(bound, label: "z") }
    }

    @Test("operands of the wrong device, size or type are refused")
    func wrongOperands() throws {
        let machine = try Machine()
        let (a, b) = (machine.cards[0], machine.cards[1])
        let x = try a.allocate([2], .float32, label: "x")
        let half = try a.allocate([2], .float16, label: "half")
        #expect(throws: TensorError.self) { try fill(x, [1, 2], b) }
        #expect(throws: TensorError.self) { try fill(x, [1, 2, 3], a) }
        #expect(throws: TensorError.self) { try floats(x, b) }
        #expect(throws: TensorError.self) { try a.copy(x, into: half) }
        #expect(throws: TensorError.self) { try a.copy(x, into: x.rows(0..<1)) }
        #expect(throws: TensorError.self) { try b.copy(x, into: x) }
    }

    @Test("a lost card fails every call with the tensor layer's error, and its events have passed")
    func lost() throws {
        let machine = try Machine()
        let card = machine.cards[0]
        let queue = try card.makeCopyQueue()
        let x = try card.allocate([4], .float32, label: "x")
        try machine.fake.fail("cuStreamSynchronize", 700)
        let error = #expect(throws: TensorError.self) { try card.synchronize() }
        guard case .deviceFailed(card.device, let reason) = error else {
            Issue.record("\(String(describing: error))")
            return
        }
        #expect(reason.contains("CUDA_ERROR_ILLEGAL_ADDRESS"))
        #expect(throws: TensorError.deviceFailed(device: card.device, reason: reason)) { try fill(x, [1], card) }
        let event = queue.record()
        #expect(event.hasPassed)
        #expect(throws: TensorError.deviceFailed(device: card.device, reason: reason)) { try event.synchronize() }
        #expect(throws: TensorError.self) { try machine.cards[1].wait(for: event) }
        try machine.cards[1].synchronize()
    }
}
