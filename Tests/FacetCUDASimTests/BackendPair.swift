import FacetCUDA
import FacetTensor
import Testing

/// A backend on a simulated card beside the CPU's, which computes the same in float32 and is the reference.
final class BackendPair {
    let card: CUDABackend
    let cpu: CPUBackend
    private var seed: UInt64 = 0

    init(_ machine: SimulatedMachine, budget: Int = 48 << 20, usesLibrary: Bool = true, weightDType: DType? = nil)
        throws
    {
        let opened = try CUDAMachine(machine.search, cards: [0])
        var options = CUDAMachine.Options()
        options.usesLibrary = usesLibrary
        options.weightDType = weightDType
        card = try opened.start(budgets: [budget], machine.kernelStore(), options).backends[0]
        cpu = try CPUBackend(threadCount: 1)
    }

    /// Runs a test on one card, and expects no misuse and no leak at its end.
    static func run(
        capability: String = "9.0", usesLibrary: Bool = true, _ order: SimulatedMachine.Order = .threads,
        sourceLocation: SourceLocation = #_sourceLocation, _ body: (BackendPair) throws -> Void
    ) throws {
        let machine = try SimulatedMachine(memoryMiB: 160, capability: capability, order)
        try SimulatedMachine.run(machine, sourceLocation: sourceLocation) {
            try body(BackendPair($0, usesLibrary: usesLibrary))
        }
    }

    /// One tensor in both memories: the same numbers, in float32 on the CPU.
    struct Operand {
        let card: Tensor
        let cpu: Tensor
    }

    /// Numbers between -1 and 1 times `scale`, rounded to `dtype`; others at each call.
    func random(_ shape: Shape, _ dtype: DType, scale: Float = 1) throws -> Operand {
        let host = try hostRandom(shape, dtype, scale: scale)
        return Operand(card: try moved(host), cpu: try widened(host))
    }

    /// The same in host memory, to be bound.
    func hostRandom(_ shape: Shape, _ dtype: DType, scale: Float = 1) throws -> Tensor {
        seed += 1
        var state = seed &* 0x9E37_79B9_7F4A_7C15
        let values = (0..<shape.elementCount).map { _ -> Float in
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return (Float(state >> 40) / Float(1 << 23) - 1) * scale
        }
        let exact = try cpu.allocate(shape, .float32, label: "test")
        try values.withUnsafeBytes { bytes in try cpu.upload(bytes, into: exact) }
        let rounded = try cpu.allocate(shape, dtype, label: "test")
        try cpu.copy(exact, into: rounded)
        return rounded
    }

    /// int32 numbers in both memories.
    func indices(_ values: [Int32], _ shape: Shape? = nil) throws -> Operand {
        let host = try cpu.allocate(shape ?? [values.count], .int32, label: "test")
        try values.withUnsafeBytes { bytes in try cpu.upload(bytes, into: host) }
        return Operand(card: try moved(host), cpu: host)
    }

    /// Memory for a result in both.
    func result(_ shape: Shape, _ dtype: DType) throws -> Operand {
        Operand(
            card: try card.allocate(shape, dtype, label: "y"), cpu: try cpu.allocate(shape, .float32, label: "y"))
    }

    /// A tensor of the host's on the card.
    func moved(_ host: Tensor) throws -> Tensor {
        let tensor = try card.allocate(host.shape, host.dtype, label: "test")
        try card.copy(host, into: tensor)
        return tensor
    }

    /// The numbers of a tensor, wherever it is.
    func numbers(_ tensor: Tensor) throws -> [Float] {
        if tensor.device.kind == .cuda { try card.synchronize() }
        let host = try cpu.allocate(tensor.shape, tensor.dtype, label: "test")
        try cpu.copy(tensor, into: host)
        let wide = try widened(host)
        var values = [Float](repeating: .nan, count: wide.shape.elementCount)
        try values.withUnsafeMutableBytes { bytes in try cpu.download(wide, into: bytes) }
        return values
    }

    private func widened(_ host: Tensor) throws -> Tensor {
        let wide = try cpu.allocate(host.shape, .float32, label: "test")
        try cpu.copy(host, into: wide)
        return wide
    }

    /// Expects the card's numbers to be the CPU's, rounded once to their type, within `absolute`.
    ///
    /// - Parameter roundings: of the card's type, of numbers about as large as the result.
    func expectEqual(
        _ operand: Operand, absolute: Float = 1e-5, roundings: Float = 1, _ what: String = "",
        sourceLocation: SourceLocation = #_sourceLocation
    ) throws {
        let (got, expected) = (try numbers(operand.card), try numbers(operand.cpu))
        let unit: Float =
            switch operand.card.dtype {
            case .bfloat16: 0x1p-8
            case .float16: 0x1p-11
            default: 0x1p-22
            }
        var worst: (index: Int, excess: Float) = (-1, 0)
        for index in got.indices {
            let allowed = absolute + roundings * unit * abs(expected[index])
            let difference = abs(got[index] - expected[index])
            if !(difference <= allowed), !(difference / allowed <= worst.excess) {
                worst = (index, difference / allowed)
            }
        }
        let index = worst.index
        #expect(
            index < 0,
            "\(what) [\(index)]: \(index < 0 ? 0 : got[index]), expected \(index < 0 ? 0 : expected[index])",
            sourceLocation: sourceLocation)
    }
}

extension DType {
    /// What activations may be on a card.
    static let activations: [DType] = [.float32, .bfloat16, .float16]
}
