import FacetTensor
import Testing

@Suite("Norms")
struct NormTests {
    static let widths = [1, 7, 16, 33, 544, 1792, 4096]

    @Test("rmsNorm agrees with float64", arguments: BackendUnderTest.all)
    func rms(_ path: BackendUnderTest) throws {
        let backend = try path.make()
        for width in Self.widths {
            for (dtype, parameter) in [(DType.float32, DType.float32), (.bfloat16, .bfloat16), (.float32, .float16)] {
                let x = try backend.random([5, width], dtype, seed: 1, scale: 3)
                let weight = try backend.random([width], parameter, seed: 2)
                let y = try backend.allocate([5, width], dtype, label: "y")
                try backend.rmsNorm(x, RMSNormWeights(weight: weight, epsilon: 1.5625e-7), into: y)
                let expected = try Reference.rmsNorm(
                    backend.values(x), width: width, weight: backend.values(weight), epsilon: 1.5625e-7)
                expectClose(
                    try backend.values(y), expected, Tolerance(absolute: 4e-6, storedAs: dtype), "width \(width)")
            }
        }
    }

    @Test("layerNorm agrees with float64, with every epilogue", arguments: BackendUnderTest.all)
    func layer(_ path: BackendUnderTest) throws {
        let backend = try path.make()
        for width in Self.widths where width > 1 {
            for (dtype, parameter) in [(DType.float32, DType.float32), (.bfloat16, .bfloat16), (.float32, .float16)] {
                for epilogue in [NormEpilogue.store, .gelu, .addResidual] {
                    let x = try backend.random([5, width], dtype, seed: 1, scale: 3)
                    let norm = LayerNormWeights(
                        weight: try backend.random([width], parameter, seed: 2),
                        bias: try backend.random([width], parameter, seed: 3), epsilon: 1e-6)
                    let y = try backend.random([5, width], dtype, seed: 4)
                    let before = try backend.values(y)
                    try backend.layerNorm(x, norm, epilogue: epilogue, into: y)
                    var expected = try Reference.layerNorm(
                        backend.values(x), width: width, weight: backend.values(norm.weight),
                        bias: backend.values(norm.bias), epsilon: 1e-6)
                    if epilogue == .gelu { expected = expected.map(Reference.gelu) }
                    if epilogue == .addResidual { expected = zip(before, expected).map(+) }
                    expectClose(
                        try backend.values(y), expected, Tolerance(absolute: 6e-6, storedAs: dtype),
                        "width \(width) \(epilogue)")
                }
            }
        }
    }

    @Test("layerNorm keeps its accuracy when the mean is far from zero", arguments: BackendUnderTest.all)
    func largeMean(_ path: BackendUnderTest) throws {
        let backend = try path.make()
        let numbers = (0..<256).map { Float(1000 + $0 % 4) }
        let x = try backend.tensor(numbers, [1, 256])
        let norm = LayerNormWeights(
            weight: try backend.tensor([Float](repeating: 1, count: 256), [256]),
            bias: try backend.tensor([Float](repeating: 0, count: 256), [256]), epsilon: 0)
        try backend.layerNorm(x, norm, epilogue: .store, into: x)
        let expected = numbers.map { (Double($0) - 1001.5) / 1.25.squareRoot() }
        expectClose(try backend.values(x), expected, Tolerance(absolute: 1e-6, storedAs: .float32))
    }

    @Test("both norms may write over their operand", arguments: BackendUnderTest.all)
    func inPlace(_ path: BackendUnderTest) throws {
        let backend = try path.make()
        let weight = try backend.random([67], .float32, seed: 2)
        let rms = RMSNormWeights(weight: weight, epsilon: 1e-6)
        let layer = LayerNormWeights(weight: weight, bias: weight, epsilon: 1e-6)
        let y = try backend.allocate([9, 67], .float32, label: "y")
        let x = try backend.random([9, 67], .float32, seed: 1)
        try backend.rmsNorm(x, rms, into: y)
        try backend.rmsNorm(x, rms, into: x)
        #expect(try backend.bytes(x) == backend.bytes(y))
        try backend.layerNorm(x, layer, epilogue: .gelu, into: y)
        try backend.layerNorm(x, layer, epilogue: .gelu, into: x)
        #expect(try backend.bytes(x) == backend.bytes(y))
    }
}
