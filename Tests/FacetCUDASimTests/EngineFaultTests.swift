import FacetCUDA
import FacetEngine
import FacetImage
import FacetModel
import FacetPlacement
import FacetTensor
import FacetTestSupport
import FacetTokenizer
import Foundation
import Testing

/// What becomes of requests when cards misbehave: an error that says what happened, in time, and nothing else.
@Suite("Faults of cards under the engine", .serialized, .timeLimit(.minutes(10)))
struct EngineFaultTests {
    private static let folder = FixtureFolder.path("glm4v-tiny")

    /// A model on two cards of a machine, ready for requests.
    private struct Served {
        let machine: SimulatedMachine
        let model: LoadedModel

        init(_ machine: SimulatedMachine) throws {
            self.machine = machine
            model = try EngineFaultTests.load(machine.search)
        }

        /// The tokens of a case that a third-party program made.
        func reference(_ name: String) throws -> [Int32] {
            struct Expected: Decodable { let greedyTokenIds: [Int32] }
            let file = EngineFaultTests.folder.appendingPathComponent("cases/\(name)/expected.json")
            let decoder = JSONDecoder()
            decoder.keyDecodingStrategy = .convertFromSnakeCase
            return try decoder.decode(Expected.self, from: Data(contentsOf: file)).greedyTokenIds
        }

        func submit(_ name: String) throws -> Engine.Events {
            struct Message: Decodable { let role: String, content: String, image: String? }
            struct Conversation: Decodable { let messages: [Message] }
            let file = EngineFaultTests.folder.appendingPathComponent("cases/\(name)/messages.json")
            let messages = try JSONDecoder().decode(Conversation.self, from: Data(contentsOf: file)).messages
            let prompt = try model.prompts.prompt(
                for: messages.map {
                    ChatMessage(role: try ChatRole(name: $0.role), content: $0.content, hasImage: $0.image != nil)
                },
                images: messages.compactMap(\.image).map {
                    .file(path: EngineFaultTests.folder.appendingPathComponent($0).path)
                }, maxTokens: try reference(name).count)
            return model.engine.submit(
                Request(prompt, sampling: SamplingParameters(maxTokens: try reference(name).count)))
        }

        func expectAnswer(_ name: String) async throws {
            #expect(try await EngineFaultTests.tokens(submit(name)) == reference(name), "\(name)")
        }
    }

    private static func load(
        _ search: LibrarySearch, budgets: [Int] = [40 << 20, 40 << 20]
    ) throws -> LoadedModel {
        var options = EngineOptions()
        options.dtype = .float32
        options.contextTokens = 256
        options.maxSequences = 3
        var placement = Placement.single(visionLayers: 4, decoderLayers: 4)
        for index in placement.vision.indices { placement.vision[index].device = index / 3 }
        for index in placement.decoder.indices { placement.decoder[index].device = index / 4 }
        return try ModelLoader(ModelFiles(folder: folder.path), options: options)
            .load(onto: SimulatedCards.open(search, cards: [0, 1], budgets: budgets).backends, placement: placement)
    }

    private static func tokens(_ events: Engine.Events) async throws -> [Int32] {
        for try await event in events {
            if case .finished(let completion) = event { return completion.tokenIDs }
        }
        return []
    }

    private static func machine(peers: String = "none") throws -> SimulatedMachine {
        try SimulatedCards.machine(memoryMiB: [110, 90], links: #"{ "peer": "\#(peers)" }"#)
    }

    /// What breaks a card for good, and what the error must say.
    struct Loss: Sendable, CustomTestStringConvertible {
        let call: String
        let code: String
        let number: Int
        var testDescription: String { "\(code) at \(call) \(number)" }
    }

    static let losses = [
        Loss(call: "run:kernel", code: "CUDA_ERROR_ILLEGAL_ADDRESS", number: 3),
        Loss(call: "run:kernel", code: "CUDA_ERROR_ECC_UNCORRECTABLE", number: 40),
        Loss(call: "run:kernel", code: "CUDA_ERROR_LAUNCH_TIMEOUT", number: 1),
        Loss(call: "run:kernel", code: "CUDA_ERROR_MISALIGNED_ADDRESS", number: 90),
        Loss(call: "run:copy", code: "CUDA_ERROR_NVLINK_UNCORRECTABLE", number: 2),
        Loss(call: "cuLaunchKernelEx", code: "CUDA_ERROR_LAUNCH_FAILED", number: 10),
        Loss(call: "cuEventRecord", code: "CUDA_ERROR_UNKNOWN", number: 2),
        Loss(call: "cuStreamWaitEvent", code: "CUDA_ERROR_ECC_UNCORRECTABLE", number: 1),
    ]

    @Test(
        "a card that is lost ends its requests with the card and the reason, and later ones at once",
        arguments: losses)
    func lost(_ loss: Loss) async throws {
        let served = try Served(Self.machine())
        try await served.expectAnswer("text")
        try served.machine.fail(loss.call, device: 1, loss.code, number: loss.number)
        for name in ["image", "text"] {
            let events = try served.submit(name)
            let error = await #expect(throws: EngineError.self) { try await Self.tokens(events) }
            let text = "\(try #require(error))"
            #expect(text.contains("cuda:1") && text.contains(loss.code), "\(text)")
        }
        await served.model.engine.shutDown()
    }

    @Test("a card that falls off the bus in a step ends both requests in it")
    func offTheBus() async throws {
        let served = try Served(Self.machine())
        try await served.expectAnswer("text")
        try served.machine.lose(0, in: "run:kernel", number: 30)
        let requests = [try served.submit("text"), try served.submit("image")]
        for events in requests {
            let error = await #expect(throws: EngineError.self) { try await Self.tokens(events) }
            #expect("\(try #require(error))".contains("cuda:0"))
        }
        await served.model.engine.shutDown()
    }

    @Test("a call that is refused once ends the requests in that step; the card goes on with the others")
    func refusedOnce() async throws {
        let machine = try Self.machine()
        try await {
            let served = try Served(machine)
            try await served.expectAnswer("text")
            for call in ["cuLaunchKernelEx", "cuMemcpyHtoDAsync_v2", "cuStreamWaitEvent"] {
                try served.machine.fail(call, device: 1, "CUDA_ERROR_INVALID_VALUE")
                let events = try served.submit("text")
                let error = await #expect(throws: EngineError.self, "\(call)") { try await Self.tokens(events) }
                #expect("\(try #require(error))".contains("cuda:1"), "\(call)")
                try await served.expectAnswer("image")
                try await served.expectAnswer("text")
            }
            let metrics = await served.model.engine.metrics()
            #expect(metrics.failedCount == 3 && metrics.availablePageCount == metrics.pageCount)
            await served.model.engine.shutDown()
        }()
        #expect(try machine.findings() == [])
    }

    @Test("slow cards and slow links change no token", arguments: ["none", "ok"])
    func slow(peers: String) async throws {
        let served = try Served(Self.machine(peers: peers))
        try served.machine.delay("run:copy", device: 1, milliseconds: 5, count: 60)
        try served.machine.delay("run:kernel", device: 0, milliseconds: 2, number: 5, count: 60)
        try await served.expectAnswer("image")
        try await served.expectAnswer("text")
        await served.model.engine.shutDown()
    }

    @Test("memory that is refused while a model is loaded names the device, leaves nothing, and the next try works")
    func outOfMemory() throws {
        let calls = [("cuMemAlloc_v2", 1), ("cuMemAlloc_v2", 2), ("cuMemHostAlloc", 1), ("cuMemHostAlloc", 4)]
        for (call, number) in calls {
            try SimulatedMachine.run(Self.machine()) { machine in
                try machine.fail(call, "CUDA_ERROR_OUT_OF_MEMORY", number: number)
                let error = #expect(throws: CUDAError.self, "\(call) \(number)") {
                    try SimulatedCards.open(machine, cards: [0, 1], budgets: [40 << 20, 40 << 20])
                }
                #expect("\(try #require(error))".contains("cuda:"), "\(call) \(number)")
                #expect(try machine.leaks() == "", "\(call) \(number)")
                _ = try Self.load(machine.search)
            }
        }
    }

    @Test("a budget that the model does not fit in is refused before a weight is read, with the missing bytes")
    func tooSmall() throws {
        try SimulatedMachine.run(Self.machine()) { machine in
            let search = machine.search
            let error = #expect(throws: EngineError.self) {
                try Self.load(search, budgets: [40 << 20, 100 << 10])
            }
            guard case .model(.deviceTooSmall(let device, let needed, let available, _)) = error else {
                Issue.record("\(String(describing: error))")
                return
            }
            #expect(device == DeviceID(.cuda, 1) && available == 100 << 10 && needed > available)
        }
    }
}
