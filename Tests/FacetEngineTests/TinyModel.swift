import FacetEngine
import FacetImage
import FacetTensor
import FacetTestSupport
import FacetTokenizer
import Foundation

/// The tiny checkpoint of the fixtures, its cases, and engines around it.
enum TinyModel {
    static let folder = FixtureFolder.path("glm4v-tiny")

    /// One conversation with its reference answer.
    struct Case {
        let messages: [ChatMessage]
        let image: URL?
        let promptTokenIDs: [Int32]
        let positions: [Int32]
        let greedyTokenIDs: [Int32]

        init(_ name: String) throws {
            struct Message: Decodable {
                let role: String
                let content: String
                let image: String?
            }
            struct Conversation: Decodable { let messages: [Message] }
            struct Expected: Decodable {
                let promptTokenIds: [Int32]
                let positionIds: [Int32]
                let greedyTokenIds: [Int32]
            }
            let place = folder.appendingPathComponent("cases/\(name)")
            let conversation = try JSONDecoder().decode(
                Conversation.self, from: Data(contentsOf: place.appendingPathComponent("messages.json")))
            let decoder = JSONDecoder()
            decoder.keyDecodingStrategy = .convertFromSnakeCase
            let expected = try decoder.decode(
                Expected.self, from: Data(contentsOf: place.appendingPathComponent("expected.json")))
            messages = try conversation.messages.map {
                ChatMessage(role: try ChatRole(name: $0.role), content: $0.content, hasImage: $0.image != nil)
            }
            image = conversation.messages.compactMap(\.image).first.map { folder.appendingPathComponent($0) }
            promptTokenIDs = expected.promptTokenIds
            positions = expected.positionIds
            greedyTokenIDs = expected.greedyTokenIds
        }

        /// The prompt, its picture read from the file.
        func prompt(_ model: LoadedModel) throws -> Prompt {
            try model.prompts.prompt(
                for: messages, images: image.map { [.file(path: $0.path)] } ?? [], maxTokens: greedyTokenIDs.count)
        }
    }

    /// Loads the checkpoint onto the CPU; two threads, float32.
    static func load(_ configure: (inout EngineOptions) -> Void = { _ in }) throws -> LoadedModel {
        var options = EngineOptions()
        options.dtype = .float32
        options.contextTokens = 512
        configure(&options)
        return try ModelLoader(ModelFiles(folder: folder.path), options: options)
            .load(onto: CPUBackend(threadCount: 2))
    }
}
