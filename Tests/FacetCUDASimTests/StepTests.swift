import FacetCUDA
import FacetEngine
import FacetModel
import FacetTensor
import FacetTestSupport
import FacetTokenizer
import Foundation
import Testing

/// What a step of decoding asks of the driver once it has settled.
@Suite("A settled step of decoding", .serialized)
struct StepTests {
    @Test("launches one graph, allocates nothing, and waits for the sampled row alone")
    func calls() async throws {
        let machine = try SimulatedCards.machine(memoryMiB: [120])
        let folder = FixtureFolder.path("glm4v-tiny").path
        var options = EngineOptions()
        options.dtype = .bfloat16
        options.contextTokens = 256
        options.maxSequences = 1
        let model = try ModelLoader(ModelFiles(folder: folder), options: options)
            .load(onto: SimulatedCards.open(machine.search, cards: [0], budgets: [48 << 20]).backends, placement: nil)
        let prompt = try model.prompts.prompt(
            for: [ChatMessage(role: .user, content: "Hello there")], images: [], maxTokens: 24)
        var sampling = SamplingParameters(maxTokens: 24)
        sampling.temperature = 0
        // The first answer records the graphs, the second replays them.
        for isTraced in [false, true] {
            if isTraced { try machine.setTrace(true) }
            for try await _ in model.engine.submit(Request(prompt, sampling: sampling)) {}
        }
        let calls = try machine.trace().filter { $0.hasPrefix("call: ") }.map { $0.dropFirst(6) }
        let launches = calls.indices.filter { calls[$0].hasPrefix("cuGraphLaunch") }
        try #require(launches.count >= 8, "\(calls.count) calls")
        let step = calls[launches[launches.count - 2]..<launches[launches.count - 1]]
            .map { $0.prefix { $0 != " " } }.filter { $0 != "cuCtxSetCurrent" }
        // The token's embedding before the graph; norm, sampled row, output layer and the best logits behind it.
        #expect(step.count { $0 == "cuLaunchKernelEx" } <= 5, "\(step)")
        // One for the logits; the ring's slots for them and for the next integers have long been free.
        #expect(step.count { $0 == "cuEventSynchronize" } <= 3, "\(step)")
        let allowed: Set<Substring> = [
            "cuGraphLaunch", "cuLaunchKernelEx", "cuMemcpyHtoDAsync_v2", "cuMemcpyDtoHAsync_v2", "cuLaunchHostFunc",
            "cuEventCreate", "cuEventRecord", "cuEventSynchronize", "cuEventDestroy_v2",
        ]
        #expect(Set(step).subtracting(allowed).isEmpty, "\(step)")
        await model.engine.shutDown()
    }
}
