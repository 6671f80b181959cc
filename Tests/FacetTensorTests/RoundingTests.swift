import FacetTensor
import Testing

@Suite("Rounding")
struct RoundingTests {
    @Test("float32 becomes the nearest bfloat16, ties to even", arguments: BackendUnderTest.all)
    func bfloat16(_ path: BackendUnderTest) throws {
        let backend = try path.make()
        var generator = SeededGenerator(seed: 5)
        var numbers: [Float] = [
            0, -0, 1, 0x1.01p0, 0x1.03p0, 0x1.010002p0, 0x1.00fffep0, .greatestFiniteMagnitude, 0x1.fep127,
            0x1.fefffep127, 0x1.ffp127, .infinity, -.infinity, .leastNonzeroMagnitude, 0x1p-133, 0x1.8p-133,
            -0x1.8p-134, .leastNormalMagnitude,
        ]
        for _ in 0..<20_000 {
            let number = Float(bitPattern: UInt32.random(in: 0...UInt32.max, using: &generator))
            if !number.isNaN { numbers.append(number) }
        }
        let x = try backend.tensor(numbers, [numbers.count])
        let y = try backend.allocate([numbers.count], .bfloat16, label: "y")
        try backend.copy(x, into: y)
        let got = try backend.bytes(y).withUnsafeBytes { Array($0.bindMemory(to: UInt16.self)) }
        for (number, bits) in zip(numbers, got) { #expect(bits == nearestBFloat16(number), "\(number)") }
    }

    @Test("a NaN stays a NaN in both directions", arguments: BackendUnderTest.all)
    func nan(_ path: BackendUnderTest) throws {
        let backend = try path.make()
        // The last one has its only bits where bfloat16 has none: cutting them off would leave an infinity.
        let patterns: [UInt32] = [0x7FC0_0000, 0xFFC0_0000, 0x7F80_0001, 0xFF80_0001, 0x7FFF_FFFF]
        for count in [1, 5, 16, 37] {
            let numbers = (0..<count).map { Float(bitPattern: patterns[$0 % patterns.count]) }
            let x = try backend.tensor(numbers, [count])
            for dtype in [DType.bfloat16, .float16] {
                let y = try backend.allocate([count], dtype, label: "y")
                try backend.copy(x, into: y)
                #expect(try backend.values(y).allSatisfy { $0.isNaN }, "\(dtype)")
                let back = try backend.allocate([count], .float32, label: "back")
                try backend.copy(y, into: back)
                #expect(try backend.values(back).allSatisfy { $0.isNaN }, "\(dtype)")
            }
        }
    }

    @Test("every 16-bit float widens exactly", arguments: BackendUnderTest.all)
    func widening(_ path: BackendUnderTest) throws {
        let backend = try path.make()
        let bits = (0...UInt16.max).map { $0 }
        for dtype in [DType.bfloat16, .float16] {
            let x = try backend.allocate([bits.count], dtype, label: "x")
            try bits.withUnsafeBytes { bytes in try backend.upload(bytes, into: x) }
            let y = try backend.allocate([bits.count], .float32, label: "y")
            try backend.copy(x, into: y)
            for (expected, got) in zip(try backend.values(x), try backend.values(y)) {
                #expect(expected == got || (expected.isNaN && got.isNaN))
            }
        }
    }
}
