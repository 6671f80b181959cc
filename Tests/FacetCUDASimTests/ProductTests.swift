import FacetCUDA
import FacetTensor
import Testing

@Suite("Products by the simulated cuBLASLt, against float64")
struct ProductTests {
    /// Bytes of numbers as a type stores them, and the numbers that these bytes mean.
    private static func stored(_ values: [Float], _ type: DType) -> (bytes: [UInt8], values: [Double]) {
        func bytes<Element>(_ elements: [Element]) -> [UInt8] { elements.withUnsafeBytes { Array($0) } }
        switch type {
        case .bfloat16:
            let bits = values.map { value in
                UInt16(truncatingIfNeeded: (value.bitPattern + 0x7FFF + (value.bitPattern >> 16 & 1)) >> 16)
            }
            return (bytes(bits), bits.map { Double(Float(bitPattern: UInt32($0) << 16)) })
        case .float16:
            let halves = values.map { Float16($0) }
            return (bytes(halves), halves.map(Double.init))
        default: return (bytes(values), values.map(Double.init))
        }
    }

    private static func numbers(_ bytes: [UInt8], _ type: DType) -> [Double] {
        bytes.withUnsafeBytes { bytes in
            switch type {
            case .bfloat16: bytes.bindMemory(to: UInt16.self).map { Double(Float(bitPattern: UInt32($0) << 16)) }
            case .float16: bytes.bindMemory(to: Float16.self).map(Double.init)
            default: bytes.bindMemory(to: Float.self).map(Double.init)
            }
        }
    }

    /// The largest error of one rounding, relative to the number.
    private static func roundoff(_ type: DType) -> Double {
        switch type {
        case .bfloat16: 0x1p-8
        case .float16: 0x1p-11
        default: 0x1p-24
        }
    }

    private static func reference(
        _ form: ProductForm, _ x: [Double], _ weight: [Double], _ bias: [Double], _ y: [Double]
    ) -> [Double] {
        (0..<form.rows * form.outputs).map { index in
            let (row, output) = (index / form.outputs, index % form.outputs)
            var sum = form.biasType == nil ? 0 : bias[output]
            for input in 0..<form.inputs { sum += x[row * form.inputs + input] * weight[output * form.inputs + input] }
            return sum + (form.accumulates ? y[index] : 0)
        }
    }

    /// Computes a product on a card and compares it.
    private static func check(_ form: ProductForm, _ machine: SimulatedMachine) throws {
        let context = try machine.context()
        let stream = try CUDAStream(context)
        let ring = try HostRing(context, slotCount: 2, slotByteCount: 16 << 10)
        let arena = try DeviceArena(context, byteCount: 8 << 20)
        let library = try CUBLASLt(context, workspace: arena.allocate(4 << 20, label: "workspace"), machine.search)
        func operand(_ count: Int, _ seed: Int, _ type: DType) throws -> (DeviceBuffer, [Double]) {
            let (bytes, numbers) = stored(values(count, seed: seed), type)
            let buffer = try arena.allocate(bytes.count, label: "operand")
            try bytes.withUnsafeBytes { try ring.upload($0, to: buffer.address, on: stream) }
            return (buffer, numbers)
        }
        let (x, xs) = try operand(form.rows * form.inputs, 1, form.operandType)
        let (weight, weights) = try operand(form.outputs * form.inputs, 2, form.operandType)
        let (bias, biases) = try operand(form.outputs, 3, form.biasType ?? .float32)
        let (y, before) = try operand(form.rows * form.outputs, 4, form.resultType)
        try library.multiply(
            form, x: x.address, weight: weight.address, bias: form.biasType == nil ? nil : bias.address,
            into: y.address, on: stream)
        let got = numbers(try bytes(y, ring, stream), form.resultType)
        let expected = reference(form, xs, weights, biases, before)
        // Sums of float32 products, in any order, of numbers up to 2; then one rounding.
        let sumError = Double(form.inputs) * 4 * 0x1p-24
        for (got, expected) in zip(got, expected) {
            let limit = sumError + abs(expected) * roundoff(form.resultType) * 1.01
            guard abs(got - expected) > limit else { continue }
            Issue.record("\(form): \(got) for \(expected)")
            return
        }
        withExtendedLifetime([x, weight, bias, y]) {}
    }

    @Test(
        "every type, with and without a bias and what is there", arguments: [DType.float32, .float16, .bfloat16],
        SimulatedMachine.Order.several)
    func forms(type: DType, order: SimulatedMachine.Order) throws {
        let machine = try SimulatedMachine(cards: 1, order)
        for result in Set([type, .float32]) {
            for (bias, accumulates) in [(DType?.none, false), (type, false), (nil, true), (.float32, true)] {
                let form = ProductForm(
                    rows: 5, inputs: 72, outputs: 24, operandType: type, resultType: result, biasType: bias,
                    accumulates: accumulates)
                try SimulatedMachine.run(machine) { try Self.check(form, $0) }
            }
        }
    }

    @Test("a product so deep that it is split takes its workspace, and one row does too")
    func deep() throws {
        let machine = try SimulatedMachine(cards: 1)
        for rows in [1, 33] {
            let form = ProductForm(
                rows: rows, inputs: 4096, outputs: 16, operandType: .bfloat16, resultType: .bfloat16,
                biasType: .bfloat16,
                accumulates: true)
            try SimulatedMachine.run(machine) { try Self.check(form, $0) }
        }
    }

    @Test("bfloat16 on a card before Ampere is refused, float16 is not")
    func turing() throws {
        try SimulatedMachine.run(SimulatedMachine(cards: 1, capability: "7.5")) { machine in
            let context = try machine.context()
            let arena = try DeviceArena(context, byteCount: 1 << 20)
            let library = try CUBLASLt(context, workspace: arena.allocate(1024, label: "workspace"), machine.search)
            func form(_ type: DType) -> ProductForm {
                ProductForm(rows: 2, inputs: 8, outputs: 8, operandType: type, resultType: type)
            }
            try library.prepare(form(.float16))
            #expect(
                throws: CUDAError.unsupportedProduct(
                    form: "[2, 8] · [8, 8]ᵀ of bfloat16 into bfloat16", reason: "CUBLAS_STATUS_ARCH_MISMATCH")
            ) { try library.prepare(form(.bfloat16)) }
        }
    }

    @Test("a product that fails as it runs loses the card when somebody waits")
    func failing() throws {
        let machine = try SimulatedMachine(cards: 1)
        try machine.fail("run:kernel:cublasLtMatmul", "CUDA_ERROR_ECC_UNCORRECTABLE")
        let form = ProductForm(rows: 2, inputs: 8, outputs: 8, operandType: .float32, resultType: .float32)
        let error = #expect(throws: CUDAError.self) { try Self.check(form, machine) }
        guard case .contextLost(DeviceID(.cuda, 0), _, "CUDA_ERROR_ECC_UNCORRECTABLE", _) = error else {
            Issue.record("\(String(describing: error))")
            return
        }
    }
}
