import FacetCUDA
import FacetCheckpoint
import FacetModel
import FacetPlacement
import FacetTensor
import FacetTestSupport
import Foundation
import Testing

/// Random weights that a card makes have the bytes of those that the host makes.
@Suite("Random weights on cards")
struct NoiseTests {
    /// Shapes with rows of odd lengths, a vector, and more elements than the sequence has numbers.
    private static let noises: [NoiseTensor] = {
        var noises: [NoiseTensor] = []
        for dtype in [DType.float32, .float16, .bfloat16] {
            noises.append(NoiseTensor([5, 37], numbers: dtype, center: 0, width: 0.03, seed: 1, offset: 7919))
            noises.append(NoiseTensor([301], numbers: dtype, center: 1, width: 0.1, seed: 2, offset: 0))
        }
        noises.append(
            NoiseTensor([3, 2, 4, 5], numbers: .bfloat16, center: 0, width: 1, seed: 1, offset: 3_000_000))
        noises.append(
            NoiseTensor([1030, 1021], numbers: .bfloat16, center: 0, width: 0.02, seed: .max, offset: 1_048_000))
        for format in QuantizedFormat.allCases {
            noises.append(NoiseTensor([6, 64], codes: format, seed: 1, offset: 11))
            noises.append(NoiseTensor([7, 45], codes: format, seed: 9, offset: 1_048_500))
        }
        return noises
    }()

    @Test("every type has the host's bytes, and rows of codes are padded with zeros", arguments: noises)
    func bytes(_ noise: NoiseTensor) throws {
        var expected = [UInt8](repeating: 0xA5, count: noise.rowCount * noise.rowByteCount)
        let numbers = (0..<NoiseTensor.period).map { NoiseTensor.number(seed: noise.seed, at: $0) }
        expected.withUnsafeMutableBytes { noise.write(numbers, into: $0) }
        let machine = try SimulatedCards.machine(memoryMiB: [96])
        let got = try SimulatedMachine.run(machine) { machine in
            let cards = try SimulatedCards.open(machine, cards: [0], budgets: [48 << 20])
            let tensor = try #require(try cards.backends[0].generate(noise, label: "noise"))
            #expect(tensor.dtype == noise.dtype && tensor.device == cards.backends[0].device)
            return try Self.download(tensor, cards.backends[0])
        }
        let rowByteCount = got.count / noise.rowCount
        if case .codes = noise.elements {
            #expect(rowByteCount % 16 == 0 && rowByteCount - noise.rowByteCount < 16)
        }
        for row in 0..<noise.rowCount {
            let there = got[row * rowByteCount..<(row + 1) * rowByteCount]
            let here = expected[row * noise.rowByteCount..<(row + 1) * noise.rowByteCount]
            #expect(there.prefix(here.count).elementsEqual(here), "row \(row)")
            #expect(there.dropFirst(here.count).allSatisfy { $0 == 0 }, "behind row \(row)")
        }
    }

    @Test(
        "a model's weights are made on the card and bound where they are",
        arguments: [Precision.bfloat16, .float8, .int8, .int4(group: 64)])
    func model(_ precision: Precision) throws {
        let path = FixtureFolder.path("glm4v-tiny").appendingPathComponent("config.json").path
        let original = try GLM4VConfiguration(parsing: FileContents.bytes(of: path, limit: 1 << 20))
        let configuration = try original.quantized(PrecisionChoice(precision)) ?? original
        let source = try RandomWeights(configuration)
        let codes = source.tensorNames.filter { source.stored($0)?.dtype?.isFloatingPoint == false }
        #expect(codes.isEmpty == !precision.isQuantized)
        try SimulatedMachine.run(SimulatedCards.machine(memoryMiB: [200])) { machine in
            let cards = try SimulatedCards.open(machine, cards: [0], budgets: [64 << 20])
            let card = cards.backends[0]
            for name in source.tensorNames {
                let there = try source.tensor(named: name, for: card)
                let isScale = name.hasSuffix("weight_scale")
                #expect(there.device == (isScale ? .cpu : card.device), "\(name)")
                guard !isScale, !codes.contains(name) else { continue }
                let bound = try card.bind(parameter: there)
                #expect(bound.storage === there.storage, "\(name) was copied")
                #expect(try Self.download(bound, card) == Self.bytes(source.tensor(named: name)), "\(name)")
            }
        }
    }

    @Test("codes that a card made multiply as those of the host do", arguments: QuantizedFormat.allCases)
    func product(_ format: QuantizedFormat) throws {
        let (outputs, inputs, rows) = (24, 72, 3)
        let noise = NoiseTensor([outputs, inputs], codes: format, seed: 5, offset: 3)
        let numbers = (0..<NoiseTensor.period).map { NoiseTensor.number(seed: 5, at: $0) }
        let storage = try Storage(allocating: outputs * noise.rowByteCount, label: "codes")
        noise.write(numbers, into: UnsafeMutableRawBufferPointer(start: storage.base, count: storage.byteCount))
        let host = Tensor(storage, shape: [outputs, noise.rowByteCount], dtype: format.codeDType)
        let scales = Tensor(try Storage(allocating: 4, label: "scale"), shape: [1], dtype: .float32)
        scales.address.storeBytes(of: 0.01 as Float, as: Float.self)
        try SimulatedMachine.run(SimulatedCards.machine(memoryMiB: [96])) { machine in
            let cards = try SimulatedCards.open(machine, cards: [0], budgets: [32 << 20])
            let card = cards.backends[0]
            let x = try #require(
                try card.generate(
                    NoiseTensor([rows, inputs], numbers: .bfloat16, center: 0, width: 1, seed: 3, offset: 0), label: "x"
                ))
            let made = try #require(try card.generate(noise, label: "codes"))
            let view = Tensor(made.storage, shape: [outputs, noise.rowByteCount], dtype: format.codeDType)
            let results = try [host, view].map { codes in
                let matrix = QuantizedMatrix(
                    format: format, codes: codes, scales: scales, outputs: outputs, inputs: inputs, groupSize: inputs)
                let y = try card.allocate([rows, outputs], .float32, label: "y")
                try card.linear(x, card.bind(quantized: matrix, bias: nil), epilogue: .store, into: y)
                return try Self.download(y, card)
            }
            #expect(results[0] == results[1] && results[0].contains { $0 != 0 })
        }
    }

    private static func download(_ tensor: Tensor, _ card: CUDABackend) throws -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: tensor.byteCount)
        try bytes.withUnsafeMutableBytes { try card.download(tensor, into: $0) }
        return bytes
    }

    private static func bytes(_ tensor: Tensor) -> [UInt8] {
        Array(UnsafeRawBufferPointer(start: tensor.address, count: tensor.byteCount))
    }
}
