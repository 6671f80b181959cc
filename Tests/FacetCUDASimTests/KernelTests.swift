import FacetCUDA
import Testing

@Suite("The engine's kernels on simulated cards")
struct KernelTests {
    @Test("all kernels are compiled, loaded and found, with the parameters that the table declares")
    func table() throws {
        try SimulatedMachine.run(SimulatedMachine(cards: 1)) { machine in
            let context = try machine.context()
            let table = try KernelTable(Kernels.entries, from: machine.kernelStore(), on: context)
            #expect(table.names == Kernels.entries.map(\.name).sorted() && table.names.count > 180)
            #expect(table.origins.count == Kernels.sources.sources.count)
            #expect(Set(table.origins.values) == [.compiler(CUDAVersion(12, 9))])
        }
    }

    @Test("RMSNorm gives the numbers of float64 arithmetic", arguments: SimulatedMachine.Order.several)
    func norm(order: SimulatedMachine.Order) throws {
        try SimulatedMachine.run(SimulatedMachine(cards: 1, order)) { machine in
            let context = try machine.context()
            let kernels = try KernelTable(Self.normEntries, from: machine.kernelStore(), on: context)
            let stream = try CUDAStream(context)
            let ring = try HostRing(context, slotCount: 2, slotByteCount: 4096)
            let arena = try DeviceArena(context, byteCount: 1 << 20)
            let (rows, width, epsilon) = (3, 300, Float(1e-5))
            let x = values(rows * width, seed: 1)
            let weight = values(width, seed: 2)
            let operands = [
                try resident(x, arena, ring, stream), try resident(weight, arena, ring, stream),
                try arena.allocate(x.count * 4, label: "y"),
            ]
            try stream.launch(
                try kernels.kernel("rms_norm_f32"), LaunchShape(grid: Dimensions(rows), block: 256),
                operands[0].address, Int32(width), operands[1].address, Int32(0), epsilon, operands[2].address)
            let got = try floats(operands[2], ring, stream)
            for row in 0..<rows {
                let line = x[row * width..<(row + 1) * width].map(Double.init)
                let meanSquare = line.reduce(0) { $0 + $1 * $1 } / Double(width)
                for column in 0..<width {
                    let expected = line[column] / (meanSquare + Double(epsilon)).squareRoot() * Double(weight[column])
                    #expect(abs(Double(got[row * width + column]) - expected) <= 1e-6 * max(1, abs(expected)))
                }
            }
        }
    }

    private static let normEntries = Kernels.entries.filter { $0.source == "norm.cu" }
}
