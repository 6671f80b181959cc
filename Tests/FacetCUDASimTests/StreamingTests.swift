import FacetCUDA
import FacetCheckpoint
import FacetModel
import FacetPlacement
import FacetTensor
import FacetTestSupport
import FacetVerify
import Foundation
import Testing

/// Units whose weights stay in the host's memory and come to a card for each use.
@Suite("Streaming units to simulated cards", .serialized)
struct StreamingTests {
    private static let folder = FixtureFolder.path("glm4v-tiny")

    /// The tiny model, all of it on device 0 and kept in the host's memory.
    private struct Work {
        let cases: ModelCases
        let placement: Placement
        let sizes: [UnitName: UnitWeightSize]

        init() throws {
            cases = try ModelCases(directory: StreamingTests.folder)
            var placement = Placement.single(cases.recipe)
            for index in placement.vision.indices { placement.vision[index].residency = .host }
            for index in placement.decoder.indices { placement.decoder[index].residency = .host }
            self.placement = placement
            sizes = try ModelInventory(cases.recipe).weightSizes(in: Checkpoint(folder: StreamingTests.folder.path))
        }

        func expectPass(_ card: CUDABackend) throws {
            let results = try cases.run(dtype: .float32, on: [card], placement: placement)
            #expect(!results.isEmpty)
            for result in results where !result.passed { Issue.record("\(result)") }
        }

        func model(_ card: CUDABackend) throws -> GLM4V {
            try GLM4V(
                source: Checkpoint(folder: StreamingTests.folder.path), configuration: cases.recipe, dtype: .float32,
                devices: [card], placement: placement)
        }
    }

    /// An upload in the record of a machine.
    private struct Upload {
        let byteCount: Int
        /// Bytes of the pinned allocation that it comes from; 0 for other memory.
        let pinnedByteCount: Int

        init?(_ line: Substring) {
            guard line.hasPrefix("run: "), let place = line.range(of: "upload of ") else { return nil }
            let words = line[place.upperBound...].split(separator: " ")
            guard let count = words.first.flatMap({ Int($0) }) else { return nil }
            byteCount = count
            pinnedByteCount = words.count > 1 ? words.last.flatMap { Int($0) } ?? 0 : 0
        }
    }

    private static func uploads(_ machine: SimulatedMachine) throws -> [Upload] {
        try machine.trace().compactMap { Upload($0) }
    }

    private static func card(_ machine: SimulatedMachine) throws -> CUDABackend {
        try SimulatedCards.open(machine, cards: [0], budgets: [48 << 20]).backends[0]
    }

    @Test("the card reads every unit straight from the unit's own pinned memory: the host copies none of its bytes")
    func pinned() throws {
        let work = try Work()
        try SimulatedMachine.run(SimulatedCards.machine(memoryMiB: [120])) { machine in
            let card = try Self.card(machine)
            try machine.setTrace(true)
            try work.expectPass(card)
            let uploads = try Self.uploads(machine)
            // Numbers of rows go through a ring, and pixels.
            let vision = work.cases.recipe.vision
            let pixels = 4 * vision.channelCount * vision.imageSize * vision.imageSize
            let large = work.sizes.filter { $0.value.packedByteCount > 1 << 16 }
            #expect(large.count > work.cases.recipe.layerCount + work.cases.recipe.vision.layerCount)
            let smallest = try #require(large.values.map(\.packedByteCount).min())
            for (unit, size) in large {
                // As a whole, and so in one copy.
                let own = uploads.filter { $0.byteCount == size.packedByteCount }
                #expect(!own.isEmpty, "\(unit)")
                #expect(own.allSatisfy { $0.pinnedByteCount == size.packedByteCount }, "\(unit)")
            }
            let units = Set(work.sizes.values.map(\.packedByteCount))
            let staged = uploads.filter { !units.contains($0.pinnedByteCount) }
            let sizes = Set(staged.map(\.byteCount)).subtracting([pixels])
            #expect(!sizes.isEmpty && sizes.allSatisfy { $0 < smallest }, "\(sizes.sorted()), \(smallest)")
        }
    }

    @Test("results do not depend on the order of copies and kernels", arguments: SimulatedMachine.Order.several)
    func orders(order: SimulatedMachine.Order) throws {
        let work = try Work()
        let machine = try SimulatedCards.machine(memoryMiB: [120], order)
        try SimulatedMachine.run(machine) { machine in try work.expectPass(Self.card(machine)) }
    }

    @Test("slow copies are waited for by the card")
    func slowCopies() throws {
        let work = try Work()
        try SimulatedMachine.run(SimulatedCards.machine(memoryMiB: [120])) { machine in
            let card = try Self.card(machine)
            try machine.delay("run:copy", device: 0, milliseconds: 2, count: 200)
            try work.expectPass(card)
        }
    }

    @Test("memory that the system will not pin is copied through the ring, with the reason", arguments: [2, 3, 5])
    func refused(number: Int) throws {
        let work = try Work()
        try SimulatedMachine.run(SimulatedCards.machine(memoryMiB: [120])) { machine in
            let card = try Self.card(machine)
            // The first is the copy queue's ring.
            try machine.fail("cuMemHostAlloc", "CUDA_ERROR_OUT_OF_MEMORY", number: number)
            let timing = try #require(work.model(card).streamTimings.first)
            guard case .pinningRefused(let label, let byteCount, DeviceID(.cuda, 0), let reason) = timing.pinningRefusal
            else {
                Issue.record("\(String(describing: timing.pinningRefusal))")
                return
            }
            #expect(label.hasSuffix("in host memory") && byteCount > 0)
            #expect(reason.hasPrefix("cuMemHostAlloc: CUDA_ERROR_OUT_OF_MEMORY"))
            #expect(try work.model(card).streamTimings.first?.pinningRefusal == nil)
            try machine.fail("cuMemHostAlloc", "CUDA_ERROR_OUT_OF_MEMORY", number: number)
            try work.expectPass(card)
        }
    }

    @Test("a card that is lost while memory is pinned is an error, and not a reason to go on without")
    func lost() throws {
        let work = try Work()
        let machine = try SimulatedCards.machine(memoryMiB: [120])
        let card = try Self.card(machine)
        try machine.fail("cuMemHostAlloc", "CUDA_ERROR_ECC_UNCORRECTABLE", number: 2)
        let error = #expect(throws: ModelError.self) { _ = try work.model(card) }
        #expect("\(try #require(error))".contains("cuda:0"))
    }
}
