import FacetCUDA
import Testing

@Suite("Graphs on simulated cards")
struct GraphTests {
    /// A card with two vectors and the kernels that change them.
    private struct Card {
        let stream: CUDAStream
        let arena: DeviceArena
        let ring: HostRing
        let x: DeviceBuffer
        let y: DeviceBuffer
        let count = 1000
        private let kernels: KernelTable

        init(_ machine: SimulatedMachine) throws {
            let context = try machine.context()
            stream = try CUDAStream(context)
            arena = try DeviceArena(context, byteCount: 1 << 20)
            ring = try HostRing(context, slotCount: 2, slotByteCount: 4096)
            kernels = try KernelTable(
                Kernels.entries.filter { $0.source == "elementwise.cu" }, from: machine.kernelStore(), on: context)
            x = try resident(values(count, seed: 1), arena, ring, stream)
            y = try resident(values(count, seed: 2), arena, ring, stream)
        }

        func scale(_ buffer: DeviceBuffer, by factor: Float, on stream: CUDAStream) throws(CUDAError) {
            try stream.launch(
                try kernels.kernel("scale_f32"), LaunchShape(grid: 4, block: 256), buffer.address, factor, Int64(count))
        }

        func add(_ buffer: DeviceBuffer, to sum: DeviceBuffer, on stream: CUDAStream) throws(CUDAError) {
            try stream.launch(
                try kernels.kernel("add_f32"), LaunchShape(grid: 4, block: 256), buffer.address, Int32(0), sum.address,
                Int64(count))
        }

        /// `y` after so many rounds of `y = y · factor + x`.
        func expected(rounds: Int, factor: Float = 0.5) -> [Float] {
            var y = values(count, seed: 2)
            for _ in 0..<rounds { y = zip(y, values(count, seed: 1)).map { $0 * factor + $1 } }
            return y
        }
    }

    @Test(
        "what is captured runs as often as it is launched, and not while it is captured",
        arguments: SimulatedMachine.Order.several)
    func replay(order: SimulatedMachine.Order) throws {
        try SimulatedMachine.run(SimulatedMachine(cards: 1, order)) { machine in
            let card = try Card(machine)
            try card.stream.synchronize()
            let graph = try card.stream.capture { () throws(CUDAError) in
                try card.scale(card.y, by: 0.5, on: card.stream)
                try card.add(card.x, to: card.y, on: card.stream)
            }
            #expect(try graph.nodeCount() == 2)
            #expect(try !card.stream.isCapturing())
            #expect(try floats(card.y, card.ring, card.stream) == card.expected(rounds: 0))
            let executable = try graph.instantiate()
            try executable.upload(on: card.stream)
            for _ in 0..<5 { try executable.launch(on: card.stream) }
            #expect(try floats(card.y, card.ring, card.stream) == card.expected(rounds: 5))
        }
    }

    @Test("a graph forks to another stream and is joined again", arguments: SimulatedMachine.Order.several)
    func fork(order: SimulatedMachine.Order) throws {
        try SimulatedMachine.run(SimulatedMachine(cards: 1, order)) { machine in
            let card = try Card(machine)
            let side = try CUDAStream(card.stream.context)
            let copy = try card.arena.allocate(card.count * 4, label: "copy")
            try card.stream.synchronize()
            let graph = try card.stream.capture { () throws(CUDAError) in
                try side.wait(for: try card.stream.record(keepsTime: false))
                try side.copy(card.x.address, to: copy.address, byteCount: copy.byteCount)
                try card.scale(card.y, by: 0.5, on: card.stream)
                try card.stream.wait(for: try side.record(keepsTime: false))
                try card.add(copy, to: card.y, on: card.stream)
            }
            let executable = try graph.instantiate()
            for _ in 0..<3 { try executable.launch(on: card.stream) }
            #expect(try floats(card.y, card.ring, card.stream) == card.expected(rounds: 3))
        }
    }

    @Test("an executable takes over new parameters, and refuses another form")
    func update() throws {
        try SimulatedMachine.run(SimulatedMachine(cards: 1)) { machine in
            let card = try Card(machine)
            func graph(_ factor: Float, adds: Bool = true) throws -> CUDAGraph {
                try card.stream.capture { () throws(CUDAError) in
                    try card.scale(card.y, by: factor, on: card.stream)
                    if adds { try card.add(card.x, to: card.y, on: card.stream) }
                }
            }
            try card.stream.synchronize()
            let executable = try graph(3).instantiate()
            #expect(try executable.update(from: graph(0.25)))
            #expect(try !executable.update(from: graph(0.25, adds: false)))
            try executable.launch(on: card.stream)
            #expect(try floats(card.y, card.ring, card.stream) == card.expected(rounds: 1, factor: 0.25))
        }
    }

    @Test("a call that waits, or a fork that is not joined, spoils the capture and leaves the stream usable")
    func spoiled() throws {
        try SimulatedMachine.run(SimulatedMachine(cards: 1)) { machine in
            let card = try Card(machine)
            let side = try CUDAStream(card.stream.context)
            try card.stream.synchronize()
            #expect(throws: CUDAError.self) {
                try card.stream.capture { () throws(CUDAError) in
                    try card.add(card.x, to: card.y, on: card.stream)
                    try card.stream.synchronize()
                }
            }
            #expect(throws: CUDAError.self) {
                try card.stream.capture { () throws(CUDAError) in
                    try side.wait(for: try card.stream.record(keepsTime: false))
                    try card.add(card.x, to: card.y, on: side)
                }
            }
            #expect(try !card.stream.isCapturing())
            #expect(try floats(card.y, card.ring, card.stream) == card.expected(rounds: 0))
        }
    }

    @Test("a kernel that fails in a graph loses the card, and says which call met it")
    func failing() throws {
        let machine = try SimulatedMachine(cards: 1)
        let card = try Card(machine)
        try card.stream.synchronize()
        let executable = try card.stream.capture { () throws(CUDAError) in
            try card.scale(card.y, by: 2, on: card.stream)
            try card.add(card.x, to: card.y, on: card.stream)
        }.instantiate()
        try machine.fail("run:kernel:add_f32", "CUDA_ERROR_LAUNCH_FAILED", number: 2)
        try executable.launch(on: card.stream)
        try card.stream.synchronize()
        try executable.launch(on: card.stream)
        let error = #expect(throws: CUDAError.self) { try card.stream.synchronize() }
        #expect(
            error?.description
                == "cuda:0 stopped working: cuStreamSynchronize reported CUDA_ERROR_LAUNCH_FAILED, "
                + "unspecified launch failure; start the program again, and if it recurs run 'facet doctor'.")
    }
}
