import FacetCUDA
import FacetTensor
import Testing

@Suite("Products by cuBLASLt")
struct ProductTests {
    private let machine: FakeMachine
    private let context: CUDAContext
    private let stream: CUDAStream
    private let ring: HostRing
    private let arena: DeviceArena

    init() throws {
        machine = try FakeMachine()
        context = try machine.context()
        stream = try CUDAStream(context)
        ring = try HostRing(context, slotCount: 2, slotByteCount: 4096)
        arena = try DeviceArena(context, byteCount: 1 << 20)
    }

    private func library() throws -> CUBLASLt {
        try CUBLASLt(context, workspace: arena.allocate(65_536, label: "workspace"), machine.search)
    }

    /// Small whole numbers, which every type holds exactly.
    private func numbers(_ count: Int, _ seed: Int) -> [Float] { (0..<count).map { Float(($0 * 7 + seed) % 5 - 2) } }

    private func encoded(_ values: [Float], _ type: DType) -> [UInt8] {
        switch type {
        case .bfloat16:
            values.flatMap { value in withUnsafeBytes(of: UInt16(value.bitPattern >> 16)) { Array($0) } }
        case .float16: values.flatMap { value in withUnsafeBytes(of: halfBits(value)) { Array($0) } }
        default: values.withUnsafeBytes { Array($0) }
        }
    }

    private func halfBits(_ value: Float) -> UInt16 {
        let bits = value.bitPattern
        let sign = UInt16(bits >> 16 & 0x8000)
        return value == 0 ? sign : sign | UInt16((bits >> 23 & 255) - 112) << 10 | UInt16(bits >> 13 & 1023)
    }

    private func resident(_ values: [Float], _ type: DType) throws -> DeviceBuffer {
        let bytes = encoded(values, type)
        let buffer = try arena.allocate(bytes.count, label: "operand")
        try bytes.withUnsafeBytes { try ring.upload($0, to: buffer.address, on: stream) }
        return buffer
    }

    private func reference(
        _ form: ProductForm, _ x: [Float], _ weight: [Float], _ bias: [Float], _ y: [Float]
    ) -> [Float] {
        var result = [Float](repeating: 0, count: form.rows * form.outputs)
        for row in 0..<form.rows {
            for output in 0..<form.outputs {
                var sum = form.biasType == nil ? 0 : bias[output]
                for input in 0..<form.inputs {
                    sum += x[row * form.inputs + input] * weight[output * form.inputs + input]
                }
                let index = row * form.outputs + output
                result[index] = sum + (form.accumulates ? y[index] : 0)
            }
        }
        return result
    }

    @Test("row-major operands give the row-major product", arguments: [DType.float32, .float16, .bfloat16])
    func products(type: DType) throws {
        let library = try library()
        for result in Set([type, .float32]) {
            for (bias, accumulates) in [(DType?.none, false), (type, false), (nil, true), (.float32, true)] {
                let form = ProductForm(
                    rows: 3, inputs: 8, outputs: 5, operandType: type, resultType: result, biasType: bias,
                    accumulates: accumulates)
                let (x, weight) = (numbers(24, 1), numbers(40, 3))
                let (added, before) = (numbers(5, 2), numbers(15, 4))
                let y = try resident(before, result)
                let bound = try bias.map { try resident(added, $0) }
                // Held until the product has run: a buffer that is let go of may be given away again.
                let operands = [try resident(x, type), try resident(weight, type)]
                try library.multiply(
                    form, x: operands[0].address, weight: operands[1].address, bias: bound?.address, into: y.address,
                    on: stream)
                try stream.synchronize()
                withExtendedLifetime((operands, bound)) {}
                #expect(
                    try bytes(y, ring, stream) == encoded(reference(form, x, weight, added, before), result), "\(form)")
            }
        }
    }

    @Test("the library is asked once for each form")
    func plans() throws {
        let library = try library()
        #expect(library.version == 120_900 && library.path == machine.path)
        let form = ProductForm(rows: 1, inputs: 8, outputs: 2, operandType: .float32, resultType: .float32)
        let other = ProductForm(rows: 2, inputs: 8, outputs: 2, operandType: .float32, resultType: .float32)
        try library.prepare(form)
        let x = try resident(numbers(16, 0), .float32)
        let y = try arena.allocate(16, label: "y")
        for _ in 0..<3 {
            try library.multiply(form, x: x.address, weight: x.address, bias: nil, into: y.address, on: stream)
        }
        try library.prepare(other)
        #expect(library.planCount == 2)
        #expect(try machine.callCount("cublasLtMatmulAlgoGetHeuristic") == 2)
        #expect(try machine.callCount("cublasLtMatmul") == 3)
    }

    @Test("a form that the library cannot do is refused by its description, and nothing is left behind")
    func unsupported() throws {
        let library = try library()
        let alive = try machine.aliveCount()
        let odd = ProductForm(rows: 2, inputs: 9, outputs: 2, operandType: .bfloat16, resultType: .bfloat16)
        #expect(
            throws: CUDAError.unsupportedProduct(
                form: "[2, 9] · [2, 9]ᵀ of bfloat16 into bfloat16", reason: "CUBLAS_STATUS_NOT_SUPPORTED")
        ) { try library.prepare(odd) }
        let codes = ProductForm(rows: 2, inputs: 8, outputs: 2, operandType: .int8, resultType: .float32)
        #expect(throws: CUDAError.self) { try library.prepare(codes) }
        for function in [
            "cublasLtMatrixLayoutCreate", "cublasLtMatmulDescSetAttribute", "cublasLtMatmulPreferenceCreate",
        ] {
            try machine.fail(function, 7)
            let form = ProductForm(rows: 2, inputs: 8, outputs: 2, operandType: .float32, resultType: .float32)
            #expect(throws: CUDAError.self) { try library.prepare(form) }
        }
        #expect(try machine.aliveCount() == alive && library.planCount == 0)
    }

    @Test("a bias is given exactly when the form has one, on a stream of the card")
    func arguments() throws {
        let library = try library()
        let form = ProductForm(rows: 1, inputs: 8, outputs: 2, operandType: .float32, resultType: .float32)
        let y = try arena.allocate(64, label: "y")
        #expect(throws: CUDAError.self) {
            try library.multiply(form, x: y.address, weight: y.address, bias: y.address, into: y.address, on: stream)
        }
        let other = try CUDAStream(CUDAContext(context.driver, index: 1))
        #expect(throws: CUDAError.self) {
            try library.multiply(form, x: y.address, weight: y.address, bias: nil, into: y.address, on: other)
        }
        #expect(try machine.callCount("cublasLtMatmul") == 0)
    }
}
