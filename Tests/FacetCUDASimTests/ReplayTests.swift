import FacetCUDA
import FacetTensor
import Testing

@Suite("Operations that come again run as graphs")
struct ReplayTests {
    /// y += x · weightᵀ, then y is scaled: what a run of layers is to a graph.
    private struct Work {
        let pair: BackendPair
        let layer: LinearWeights
        let x: Tensor
        let y: Tensor

        init(_ pair: BackendPair, rows: Int = 2) throws {
            self.pair = pair
            layer = try pair.card.bind(weight: pair.hostRandom([24, 16], .bfloat16), bias: nil)
            x = try pair.random([rows, 16], .bfloat16).card
            y = try pair.card.allocate([rows, 24], .bfloat16, label: "y")
        }

        func enqueue() throws(TensorError) {
            try pair.card.linear(x, layer, epilogue: .addResidual, into: y)
            try pair.card.scale(y, by: 0.5)
        }
    }

    @Test(
        "the first time one by one, then recorded, then launched: the same numbers each time",
        arguments: SimulatedMachine.Order.several)
    func repeats(order: SimulatedMachine.Order) throws {
        let machine = try SimulatedMachine(memoryMiB: 160, order)
        try SimulatedMachine.run(machine) { machine in
            let pair = try BackendPair(machine)
            let work = try Work(pair)
            var expected: [[Float]] = []
            for _ in 0..<5 {
                try work.enqueue()
                expected.append(try pair.numbers(work.y))
            }
            try pair.card.scale(work.y, by: 0)
            let replayer = pair.card.makeReplayer()
            try machine.setTrace(true)
            var calls = 0
            for step in 0..<5 {
                try replayer.run("layers") { () throws(TensorError) in
                    calls += 1
                    try work.enqueue()
                }
                #expect(try pair.numbers(work.y) == expected[step])
            }
            #expect(calls == 2)
            let launches = try machine.trace().filter { $0.contains("cuGraphLaunch") }
            #expect(launches.count == 4)
        }
    }

    @Test("other keys are other graphs, and new contents of the same memory are seen")
    func keys() throws {
        try BackendPair.run { pair in
            let replayer = pair.card.makeReplayer()
            let works = [try Work(pair, rows: 1), try Work(pair, rows: 3)]
            for step in 0..<4 {
                for (key, work) in works.enumerated() {
                    let fresh = try pair.random(work.x.shape, .bfloat16, scale: Float(step + 1))
                    try pair.card.copy(fresh.card, into: work.x)
                    try pair.card.scale(work.y, by: 0)
                    try work.enqueue()
                    let expected = try pair.numbers(work.y)
                    try pair.card.scale(work.y, by: 0)
                    try replayer.run(key) { () throws(TensorError) in try work.enqueue() }
                    #expect(try pair.numbers(work.y) == expected)
                }
            }
        }
    }

    @Test("where the driver records nothing the operations go on one by one")
    func refused() throws {
        try SimulatedMachine.run(SimulatedMachine(memoryMiB: 160)) { machine in
            let pair = try BackendPair(machine)
            let work = try Work(pair)
            let replayer = pair.card.makeReplayer()
            try machine.fail("cuStreamBeginCapture_v2", "CUDA_ERROR_NOT_SUPPORTED", count: 100)
            var calls = 0
            for _ in 0..<4 {
                try replayer.run(0) { () throws(TensorError) in
                    calls += 1
                    try work.enqueue()
                }
            }
            #expect(calls == 4)
            try pair.card.synchronize()
        }
    }

    @Test("an error of the operations is thrown, whether they are recorded or not, and the card works on")
    func errors() throws {
        try BackendPair.run { pair in
            let work = try Work(pair)
            let replayer = pair.card.makeReplayer()
            for _ in 0..<3 {
                #expect(throws: TensorError.self) {
                    try replayer.run("bad") { () throws(TensorError) in
                        try pair.card.linear(work.y, work.layer, epilogue: .store, into: work.y)
                    }
                }
            }
            try replayer.run("good") { () throws(TensorError) in try work.enqueue() }
            try pair.card.synchronize()
        }
    }

    @Test("a card that is lost in a graph says so")
    func lost() throws {
        let machine = try SimulatedMachine(memoryMiB: 160)
        let pair = try BackendPair(machine)
        let work = try Work(pair)
        let replayer = pair.card.makeReplayer()
        for _ in 0..<3 { try replayer.run(0) { () throws(TensorError) in try work.enqueue() } }
        try pair.card.synchronize()
        try machine.fail("run:kernel", "CUDA_ERROR_ILLEGAL_ADDRESS")
        try? replayer.run(0) { () throws(TensorError) in try work.enqueue() }
        let error = #expect(throws: TensorError.self) { try pair.card.synchronize() }
        #expect("\(try #require(error))".contains("ILLEGAL_ADDRESS"))
        #expect(throws: TensorError.self) {
            try replayer.run(0) { () throws(TensorError) in try work.enqueue() }
        }
    }
}
