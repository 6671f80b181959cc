import FacetCUDA
import FacetModel
import FacetPlacement
import FacetTensor
import FacetTestSupport
import FacetVerify
import Foundation
import Testing

/// The package's reference cases, on cards: every stage of the tower and the decoder, and greedy tokens.
@Suite("The model on simulated cards", .serialized)
struct ModelTests {
    /// Sizes and generations that people mix; 8 MiB of each go to workspaces and more to the context.
    private static let memories = [120, 90, 64, 200, 72, 100, 80, 64]
    private static let generations = ["9.0", "8.6", "8.9", "7.5", "12.0"]

    @Test("reference cases on one card, in every type of activations", arguments: [DType.float32, .bfloat16, .float16])
    func oneCard(dtype: DType) throws {
        for capability in dtype == .float32 ? ["9.0"] : ["9.0", "7.5"] {
            let machine = try SimulatedCards.machine(memoryMiB: [120], capabilities: [capability])
            try SimulatedMachine.run(machine) { machine in
                let cards = try SimulatedCards.open(machine, cards: [0], budgets: [48 << 20], weightDType: dtype)
                let cases = try ModelCases(directory: FixtureFolder.path("glm4v-tiny"))
                try expectPass(cases.run(dtype: dtype, on: cards.backends[0]), "\(dtype), \(capability)")
            }
        }
    }

    @Test(
        "reference cases on 2, 4 and 8 unlike cards, cut in the tower and in the decoder, with and without peer access",
        arguments: [2, 4, 8], [true, false])
    func manyCards(count: Int, hasPeers: Bool) throws {
        let machine = try SimulatedCards.machine(
            memoryMiB: Array(Self.memories[..<count]), capabilities: Self.generations,
            links: hasPeers ? #"{ "peer": "ok" }"# : #"{ "peer": "none" }"#)
        try SimulatedMachine.run(machine) { machine in
            let cards = try SimulatedCards.open(
                machine, cards: Array(0..<count), budgets: Self.memories[..<count].map { ($0 - 50) << 20 })
            let routes = cards.routes.flatMap(\.self).compactMap(\.self)
            #expect(routes.allSatisfy { ($0 == .direct) == hasPeers } && routes.count == count * (count - 1))
            let cases = try ModelCases(directory: FixtureFolder.path("glm4v-tiny"))
            let placement = spread(cases.recipe, over: count)
            try expectPass(
                cases.run(dtype: .float32, on: cards.backends, placement: placement), "\(count) cards")
        }
    }

    @Test("several devices on one card give the tokens of one", arguments: [2, 4])
    func logicalDevices(count: Int) throws {
        try SimulatedMachine.run(SimulatedCards.machine(memoryMiB: [600])) { machine in
            let cards = try SimulatedCards.open(
                machine, cards: Array(repeating: 0, count: count),
                budgets: Array(repeating: 32 << 20, count: count))
            let cases = try ModelCases(directory: FixtureFolder.path("glm4v-tiny"))
            #expect(cards.backends.map(\.device) == (0..<count).map { DeviceID(.cuda, $0) })
            try expectPass(
                cases.run(dtype: .bfloat16, on: cards.backends, placement: spread(cases.recipe, over: count)),
                "\(count) devices")
        }
    }

    @Test("units that are streamed from the host, and units on the processor, beside a card")
    func mixed() throws {
        try SimulatedMachine.run(SimulatedCards.machine(memoryMiB: [120])) { machine in
            let card = try SimulatedCards.open(machine, cards: [0], budgets: [48 << 20]).backends[0]
            let devices: [any Backend] = [card, try CPUDevice(index: 1, budgetByteCount: 64 << 20)]
            let cases = try ModelCases(directory: FixtureFolder.path("glm4v-tiny"))
            var placement = spread(cases.recipe, over: 2)
            placement.vision[1].residency = .host
            placement.vision[2].residency = .host
            placement.decoder[1].residency = .disk
            for name in placement.decoder.indices where name % 2 == 1 { placement.decoder[name].device = 0 }
            try expectPass(cases.run(dtype: .float32, on: devices, placement: placement), "card and processor")
        }
    }

    @Test("quantized weights on a card are as near to the reference as on the processor", arguments: [DType.bfloat16])
    func quantized(dtype: DType) throws {
        try SimulatedMachine.run(SimulatedCards.machine(memoryMiB: [120])) { machine in
            let card = try SimulatedCards.open(machine, cards: [0], budgets: [48 << 20]).backends[0]
            let cases = try ModelCases(directory: FixtureFolder.path("glm4v-tiny"))
            let choice = PrecisionChoice(vision: .int8, decoder: .int4(group: 64), output: .float8)
            let placement = Placement.single(cases.recipe)
            let onCard = try cases.run(dtype: dtype, on: [card], placement: placement, quantization: choice)
            let onCPU = try cases.run(
                dtype: dtype, on: [CPUBackend(threadCount: 1)], placement: placement, quantization: choice)
            #expect(onCard.count == onCPU.count)
            // The cases' tolerances are for weights that are not quantized; the card may miss them as the CPU does.
            func worst(_ results: [CaseResult]) -> Double {
                results.compactMap { result in
                    guard let worst = result.worst, let tolerance = result.tolerance else { return nil }
                    return worst / tolerance
                }.max() ?? .infinity
            }
            #expect(worst(onCard) <= 1.5 * worst(onCPU), "\(worst(onCard)) and \(worst(onCPU))")
        }
    }

    private func expectPass(_ results: [CaseResult], _ what: String) throws {
        #expect(!results.isEmpty)
        for result in results where !result.passed { Issue.record("\(what): \(result)") }
    }

    /// The units of both chains in even shares, in order.
    private func spread(_ recipe: GLM4VConfiguration, over count: Int) -> Placement {
        var placement = Placement.single(recipe)
        for index in placement.vision.indices {
            placement.vision[index].device = index * count / placement.vision.count
        }
        for index in placement.decoder.indices {
            placement.decoder[index].device = index * count / placement.decoder.count
        }
        return placement
    }
}
