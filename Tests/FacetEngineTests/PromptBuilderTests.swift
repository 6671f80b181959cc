import FacetEngine
import FacetImage
import FacetModel
import FacetTensor
import FacetTestSupport
import FacetTokenizer
import Foundation
import Testing

@Suite("Context limits")
struct ContextLimitsTests {
    private let limits = ContextLimits(positionLimit: 100, cacheRowLimit: 150, recommendedLength: 80)

    @Test("gives what is asked for when it fits")
    func fits() throws {
        #expect(try limits.newTokenCount(promptTokens: 90, promptRows: 140, requested: 10) == 10)
    }

    @Test("gives as many as fit when nothing is asked for")
    func defaults() throws {
        #expect(try limits.newTokenCount(promptTokens: 30, promptRows: 30, requested: nil) == 50)
        #expect(try limits.newTokenCount(promptTokens: 90, promptRows: 90, requested: nil) == 1)
        #expect(try limits.newTokenCount(promptTokens: 30, promptRows: 145, requested: nil) == 5)
        let open = ContextLimits(positionLimit: 8192, cacheRowLimit: 9792)
        #expect(try open.newTokenCount(promptTokens: 10, promptRows: 10, requested: nil) == 1024)
    }

    @Test("says what to shorten, and by how much")
    func errors() {
        let positions = #expect(throws: EngineError.promptTooLong(promptTokens: 90, newTokens: 11, limit: 100)) {
            try limits.newTokenCount(promptTokens: 90, promptRows: 90, requested: 11)
        }
        #expect(positions?.description.contains("ask for at most 10 new tokens, or shorten the prompt by 1 ") == true)
        let rows = #expect(throws: EngineError.cacheTooSmall(promptRows: 160, newTokens: 1, limit: 150)) {
            try limits.newTokenCount(promptTokens: 20, promptRows: 160, requested: nil)
        }
        #expect(rows?.description.contains("shorten the prompt by at least 11 tokens") == true)
    }
}

@Suite("Prompt builder")
struct PromptBuilderTests {
    private let builder: PromptBuilder
    private let image = ImageSource.file(path: FixtureFolder.path("glm4v-tiny/images/cat.png").path)
    private let missing = ImageSource.file(path: "/nowhere/cat.png")

    init() throws {
        let tokenizer = try Tokenizer(directory: FixtureFolder.path("glm4v-tiny"))
        let bytes = try Data(contentsOf: FixtureFolder.path("glm4v-tiny/config.json"))
        builder = try PromptBuilder(
            tokenizer: tokenizer, configuration: GLM4VConfiguration(parsing: Array(bytes)),
            context: ContextLimits(positionLimit: 8192, cacheRowLimit: 200))
    }

    private func user(_ text: String, hasImage: Bool = false) -> ChatMessage {
        ChatMessage(role: .user, content: text, hasImage: hasImage)
    }

    @Test("expands a picture to its rows and gives them one position")
    func picture() throws {
        let prompt = try builder.prompt(for: [user("Hi", hasImage: true)], images: [image])
        #expect(prompt.imageTokenCount == 18)
        #expect(prompt.rowCount == prompt.tokenIDs.count + 15)
        #expect(prompt.rows.nextPosition == Int32(prompt.tokenIDs.count))
        #expect(prompt.image?.pixels.count == 3 * 112 * 112)
    }

    @Test("gives the same hash to the same picture")
    func hashes() throws {
        #expect(try builder.image(image).hash == builder.image(image).hash)
        let coffee = ImageSource.file(path: FixtureFolder.path("glm4v-tiny/images/coffee.jpg").path)
        #expect(try builder.image(image).hash != builder.image(coffee).hash)
    }

    @Test("refuses a second picture")
    func twoPictures() {
        #expect(throws: EngineError.tooManyImages(count: 2)) {
            try builder.prompt(for: [user("a", hasImage: true)], images: [image, image])
        }
        #expect(throws: EngineError.tooManyImages(count: 2)) {
            try builder.prompt(for: [user("a", hasImage: true), user("b", hasImage: true)], images: [image])
        }
    }

    @Test("refuses a picture without a message and a message without its picture")
    func mismatch() {
        #expect(throws: EngineError.imageMismatch(announced: 0, given: 1)) {
            try builder.prompt(for: [user("a")], images: [image])
        }
        #expect(throws: EngineError.imageMismatch(announced: 1, given: 0)) {
            try builder.prompt(for: [user("a", hasImage: true)])
        }
    }

    @Test("refuses a conversation without content", arguments: [[], [ChatMessage(role: .user)]] as [[ChatMessage]])
    func empty(messages: [ChatMessage]) {
        #expect(throws: EngineError.emptyConversation) { try builder.prompt(for: messages) }
    }

    @Test("warns of a picture in a later turn and of a system message beside one")
    func warnings() throws {
        let later = [user("a"), ChatMessage(role: .assistant, content: "b"), user("c", hasImage: true)]
        #expect(try builder.prompt(for: later, images: [image]).warnings == [.imageInLaterTurn])
        let system = [ChatMessage(role: .system, content: "Be brief."), user("c", hasImage: true)]
        #expect(try builder.prompt(for: system, images: [image]).warnings == [.systemMessageWithImage])
        #expect(try builder.prompt(for: [user("c", hasImage: true)], images: [image]).warnings.isEmpty)
    }

    @Test("checks the length before it opens the picture")
    func lengthFirst() {
        let long = String(repeating: "word ", count: 300)
        let error = #expect(throws: EngineError.self) {
            try builder.prompt(for: [user(long, hasImage: true)], images: [missing])
        }
        guard case .cacheTooSmall = error else {
            Issue.record("\(String(describing: error))")
            return
        }
        #expect(throws: EngineError.image(.missingFile(path: "/nowhere/cat.png"))) {
            try builder.prompt(for: [user("short", hasImage: true)], images: [missing])
        }
    }
}

@Suite("Engine options")
struct EngineOptionsTests {
    private let configuration = GLM4VConfiguration.glm4v9b

    @Test("leaves room for all positions and a picture by default")
    func defaults() throws {
        let limits = try EngineOptions().modelLimits(configuration)
        #expect(limits.slotCount >= 8192 + 1600 && limits.slotCount < 8192 + 1600 + 16)
        #expect(try EngineOptions().contextLimits(configuration).cacheRowLimit == 8192 + 1600)
        #expect(try EngineOptions().activationDType(configuration) == .bfloat16)
    }

    @Test("gives every conversation its own room")
    func sequences() throws {
        var options = EngineOptions()
        options.maxSequences = 3
        options.contextTokens = 100
        let limits = try options.modelLimits(configuration)
        #expect(limits.pageCount == 21 && limits.maxImages == 3 && limits.maxSampledRows == 3)
    }

    @Test(
        "refuses what makes no sense",
        arguments: [
            { $0.maxSequences = 0 }, { $0.maxRows = 0 }, { $0.pageSize = 0 }, { $0.contextTokens = 1 },
            { $0.contextTokens = 9793 }, { $0.maxImages = -1 }, { $0.visionTileRows = 0 },
            { $0.queue.maxWaiting = -1 },
            {
                $0.maxSequences = 1024; $0.pageSize = 1024; $0.maxRows = 8
            },
        ] as [@Sendable (inout EngineOptions) -> Void])
    func invalid(change: @Sendable (inout EngineOptions) -> Void) {
        var options = EngineOptions()
        change(&options)
        #expect(throws: EngineError.self) { try options.modelLimits(configuration) }
    }

    @Test("refuses types that the model does not compute in")
    func dtype() {
        var options = EngineOptions()
        options.dtype = .int8
        let refusal = EngineError.invalidOption(
            option: "dtype", expected: "float32, bfloat16 or float16", got: "int8")
        #expect(throws: refusal) { try options.activationDType(configuration) }
    }

    @Test("reads the available memory")
    func memory() throws {
        #expect(SystemMemory.available(inMeminfo: "MemTotal: 9 kB\nMemAvailable:    2 kB\n") == 2048)
        #expect(SystemMemory.available(inMeminfo: "MemTotal: 9 kB\n") == nil)
        #expect(try #require(SystemMemory.availableByteCount()) > 0)
    }
}
