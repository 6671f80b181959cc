import FacetModel
import Testing

@Suite("Prompt expansion")
struct PromptExpansionTests {
    /// 112 pixels in patches of 14 make 16 rows, as in the published example.
    private func configuration() throws -> GLM4VConfiguration {
        try TinyConfiguration.parsed(vision: ["image_size": 112, "num_positions": 65])
    }

    @Test("a picture costs one position: 0 1 2 3 4, 5 sixteen times, 6 …")
    func publishedExample() throws {
        let ids: [Int32] = [2, 4, 7, 19, 60, 50, 61, 25, 7, 49, 25, 15, 8]
        let expansion = try PromptExpansion(ids, imageCount: 1, configuration: configuration())
        #expect(expansion.positions == [0, 1, 2, 3, 4] + [Int32](repeating: 5, count: 16) + [6, 7, 8, 9, 10, 11, 12])
        #expect(expansion.nextPosition == 13)
        #expect(expansion.rowCount == 28)
        #expect(expansion.imageRows == 4..<22)
        #expect(expansion.tokenIDs == [2, 4, 7, 19] + [Int32](repeating: -1, count: 18) + [25, 7, 49, 25, 15, 8])
    }

    @Test("a picture may begin and end the prompt")
    func pictureAlone() throws {
        let expansion = try PromptExpansion([60, 50, 61], imageCount: 1, configuration: configuration())
        #expect(expansion.imageRows == 0..<18)
        #expect(expansion.positions == [0] + [Int32](repeating: 1, count: 16) + [2])
        #expect(expansion.nextPosition == 3)
    }

    @Test("text keeps its ids and counts its positions")
    func textOnly() throws {
        let expansion = try PromptExpansion([5, 6, 7], imageCount: 0, configuration: configuration())
        #expect(expansion.tokenIDs == [5, 6, 7])
        #expect(expansion.positions == [0, 1, 2])
        #expect(expansion.imageRows == nil)
        #expect(expansion.nextPosition == 3)
    }

    @Test("a second picture is refused, in the prompt or beside it")
    func refusesSecondPicture() throws {
        let configuration = try configuration()
        #expect(throws: ModelError.tooManyImages(count: 2)) {
            try PromptExpansion([60, 50, 61, 60, 50, 61], imageCount: 1, configuration: configuration)
        }
        #expect(throws: ModelError.tooManyImages(count: 2)) {
            try PromptExpansion([60, 50, 61], imageCount: 2, configuration: configuration)
        }
    }

    @Test(
        "image tokens that do not enclose one token, or lack their picture, are refused",
        arguments: [
            ([60, 50, 61], 0), ([5], 1), ([60, 61], 1), ([60, 50, 50, 61], 1), ([60, 50], 1), ([5, 61], 0),
            ([61, 50, 60], 1), ([60], 1),
        ] as [([Int32], Int)])
    func refusesUnmatchedTokens(ids: [Int32], imageCount: Int) throws {
        let configuration = try configuration()
        let error = #expect(throws: ModelError.self) {
            try PromptExpansion(ids, imageCount: imageCount, configuration: configuration)
        }
        guard case .imageTokens = error else {
            Issue.record("\(String(describing: error))")
            return
        }
    }
}
