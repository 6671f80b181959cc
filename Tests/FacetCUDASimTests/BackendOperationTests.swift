import FacetCUDA
import FacetTensor
import Testing

@Suite("A card's operations agree with the CPU's")
struct BackendOperationTests {
    @Test("norms", arguments: DType.activations)
    func norms(dtype: DType) throws {
        try BackendPair.run { pair in
            for (rows, width, weightType) in [(1, 8, DType.float32), (3, 301, .bfloat16), (5, 1024, .float16)] {
                let x = try pair.random([rows, width], dtype, scale: 3)
                let weight = try pair.hostRandom([width], weightType), bias = try pair.hostRandom([width], weightType)
                let y = try pair.result([rows, width], dtype)
                let (cardWeight, cardBias) = (
                    try pair.card.bind(parameter: weight), try pair.card.bind(parameter: bias)
                )
                try pair.card.rmsNorm(x.card, RMSNormWeights(weight: cardWeight, epsilon: 1e-5), into: y.card)
                try pair.cpu.rmsNorm(x.cpu, RMSNormWeights(weight: weight, epsilon: 1e-5), into: y.cpu)
                try pair.expectEqual(y, "rmsNorm")
                for epilogue in [NormEpilogue.store, .gelu, .addResidual] {
                    let z = try pair.random([rows, width], dtype)
                    try pair.card.layerNorm(
                        x.card, LayerNormWeights(weight: cardWeight, bias: cardBias, epsilon: 1e-6),
                        epilogue: epilogue, into: z.card)
                    try pair.cpu.layerNorm(
                        x.cpu, LayerNormWeights(weight: weight, bias: bias, epsilon: 1e-6), epilogue: epilogue,
                        into: z.cpu)
                    try pair.expectEqual(z, "layerNorm \(epilogue)")
                }
            }
        }
    }

    @Test("elementwise operations", arguments: DType.activations)
    func elementwise(dtype: DType) throws {
        try BackendPair.run { pair in
            let (rows, width) = (5, 77)
            let gateUp = try pair.random([rows, 2 * width], dtype, scale: 4)
            let y = try pair.result([rows, width], dtype)
            try pair.card.gatedSiLU(gateUp.card, into: y.card)
            try pair.cpu.gatedSiLU(gateUp.cpu, into: y.cpu)
            try pair.expectEqual(y, "gatedSiLU")
            let gate = try pair.random([rows, width], dtype), up = try pair.random([rows, width], dtype)
            try pair.card.gatedSiLU(gate: gate.card, up: up.card, into: gate.card)
            try pair.cpu.gatedSiLU(gate: gate.cpu, up: up.cpu, into: gate.cpu)
            try pair.expectEqual(gate, "gatedSiLU in place")
            for other in DType.activations {
                let x = try pair.random([rows, width], other)
                let sum = try pair.random([rows, width], dtype)
                try pair.card.add(x.card, to: sum.card)
                try pair.cpu.add(x.cpu, to: sum.cpu)
                try pair.expectEqual(sum, "add \(other)")
                let copied = try pair.result([rows * width], dtype)
                try pair.card.copy(x.card, into: copied.card)
                try pair.cpu.copy(x.cpu, into: copied.cpu)
                try pair.expectEqual(copied, absolute: 1e-7, "copy \(other)")
            }
            try pair.card.scale(up.card, by: 0.3)
            try pair.cpu.scale(up.cpu, by: 0.3)
            try pair.expectEqual(up, "scale")
        }
    }

    @Test("what is not finite is found", arguments: DType.activations)
    func nonFinite(dtype: DType) throws {
        try BackendPair.run { pair in
            let x = try pair.random([3, 1000], dtype)
            #expect(try !pair.card.containsNonFinite(x.card))
            let bad = try pair.hostRandom([1], .float32, scale: .infinity)
            try pair.card.copy(pair.moved(bad), into: x.card.rows(2..<3).prefix([1]))
            #expect(try pair.card.containsNonFinite(x.card))
            #expect(try !pair.card.containsNonFinite(x.card.rows(0..<2)))
        }
    }

    @Test("rows and pictures", arguments: DType.activations)
    func rows(dtype: DType) throws {
        try BackendPair.run { pair in
            for type in [DType.float32, .bfloat16] {
                let table = try pair.random([9, 33], type)
                let chosen = try pair.indices([8, -1, 0, 3, 3])
                let y = try pair.random([5, 33], dtype)
                try pair.card.gatherRows(table.card, chosen.card, into: y.card)
                try pair.cpu.gatherRows(table.cpu, chosen.cpu, into: y.cpu)
                try pair.expectEqual(y, "gatherRows")
            }
            let pixels = try pair.random([2, 3, 12, 12], .float32)
            let patches = try pair.result([18, 48], dtype)
            try pair.card.patchify(pixels.card, patch: 4, into: patches.card)
            try pair.cpu.patchify(pixels.cpu, patch: 4, into: patches.cpu)
            try pair.expectEqual(patches, "patchify")
            let grid = try pair.random([36, 5], dtype)
            let merged = try pair.result([9, 20], dtype)
            try pair.card.gatherNeighborhoods(grid.card, side: 6, into: merged.card)
            try pair.cpu.gatherNeighborhoods(grid.cpu, side: 6, into: merged.cpu)
            try pair.expectEqual(merged, absolute: 0, "gatherNeighborhoods")
        }
    }

    @Test("operands of another shape, type or device are refused, and nothing is launched")
    func refuses() throws {
        try BackendPair.run { pair in
            let x = try pair.random([2, 8], .float32), y = try pair.result([2, 8], .float32)
            let norm = RMSNormWeights(weight: try pair.card.bind(parameter: pair.hostRandom([8], .float32)), epsilon: 1)
            #expect(throws: TensorError.self) { try pair.card.rmsNorm(x.cpu, norm, into: y.card) }
            #expect(throws: TensorError.self) { try pair.card.rmsNorm(x.card, norm, into: y.card.rows(0..<1)) }
            #expect(throws: TensorError.self) {
                try pair.card.rmsNorm(x.card, norm, into: pair.result([2, 8], .bfloat16).card)
            }
            let short = RMSNormWeights(
                weight: try pair.card.bind(parameter: pair.hostRandom([7], .float32)), epsilon: 1)
            #expect(throws: TensorError.self) { try pair.card.rmsNorm(x.card, short, into: y.card) }
            let integers = try pair.indices([1, 2])
            #expect(throws: TensorError.self) { try pair.card.scale(integers.card, by: 2) }
            #expect(throws: TensorError.self) { try pair.card.gatherRows(x.card, x.card, into: y.card) }
            // What is on a card already is bound as it is, but on that card alone, and not integers.
            #expect(throws: TensorError.self) { try pair.cpu.bind(parameter: x.card) }
            #expect(throws: TensorError.self) { try pair.card.bind(parameter: integers.card) }
            let layer = try pair.card.bind(weight: pair.hostRandom([4, 8], .float32), bias: nil)
            #expect(throws: TensorError.self) {
                try pair.card.linear(x.card, layer, epilogue: .store, into: y.card)
            }
        }
    }

    @Test("no rows are no work")
    func empty() throws {
        try BackendPair.run { pair in
            let x = try pair.random([2, 8], .bfloat16).card.rows(1..<1)
            let norm = RMSNormWeights(weight: try pair.card.bind(parameter: pair.hostRandom([8], .float32)), epsilon: 1)
            try pair.card.rmsNorm(x, norm, into: x)
            try pair.card.scale(x, by: 2)
            let layer = try pair.card.bind(weight: pair.hostRandom([8, 8], .bfloat16), bias: nil)
            try pair.card.linear(x, layer, epilogue: .store, into: x)
            try pair.card.synchronize()
        }
    }
}
