import FacetCheckpoint
import FacetJSON
import FacetTokenizer
import Foundation

/// One reference case of a checkpoint: one conversation, or several that the reference ran as a padded batch.
struct ModelCase {
    /// One conversation and what the reference made of it.
    struct Row {
        /// Unexpanded prompt, without padding.
        let promptIDs: [Int32]
        /// Position of every row after expansion, without padding; nil when the file does not say.
        let positions: [Int32]?
        /// Positions of the generated tokens.
        let generationPositions: [Int32]?
        /// Tokens that the reference generated.
        let greedyIDs: [Int32]
        /// Their text.
        let greedyText: String?
        /// The conversation; nil when the case has none.
        let messages: [JSONValue]?

        /// Path of the picture, relative to the checkpoint.
        var imagePath: String? {
            messages?.lazy.compactMap { $0["image"]?.string }.first
        }
    }

    /// The folder's name.
    let name: String
    /// The conversations.
    let rows: [Row]
    /// Whether the prompts end with the assistant's token.
    let addsGenerationPrompt: Bool
    /// Reference tensors; nil when the case has none.
    let tensors: ReferenceTensors?
    /// Pixels of the case's pictures `[pictures, channels, side, side]`; nil when the case has none.
    let pixels: ReferenceTensors.Entry?

    /// Reads the case in a folder.
    ///
    /// - Throws: `VerifyError`, `CheckpointError`.
    init(_ folder: URL) throws {
        name = folder.lastPathComponent
        let path = folder.appendingPathComponent("expected.json")
        let expected = try FileContents.json(of: path.path)
        let messagesPath = folder.appendingPathComponent("messages.json").path
        let messages = Self.exists(messagesPath) ? try FileContents.json(of: messagesPath) : nil
        addsGenerationPrompt = messages?["add_generation_prompt"]?.bool ?? true
        if expected["input_ids"] != nil {
            rows = try Self.batchRows(expected, messages?["conversations"]?.array, path.path)
        } else {
            rows = [try Self.row(expected, messages?["messages"]?.array, path.path)]
        }
        let tensors = try Self.tensors(folder, "tensors.safetensors")
        self.tensors = tensors
        pixels =
            try Self.tensors(folder, "pixel_values.safetensors")?.entry("pixel_values")
            ?? tensors?.entry("pixel_values")
    }

    private static func tensors(_ folder: URL, _ name: String) throws -> ReferenceTensors? {
        let file = folder.appendingPathComponent(name)
        return exists(file.path) ? try ReferenceTensors(file) : nil
    }

    private static func row(_ expected: JSONValue, _ messages: [JSONValue]?, _ path: String) throws -> Row {
        guard let prompt = integers(expected["prompt_token_ids"]), !prompt.isEmpty else {
            throw VerifyError.malformed(path: path, reason: "expected 'prompt_token_ids' or 'input_ids'")
        }
        return Row(
            promptIDs: prompt, positions: integers(expected["position_ids"]),
            generationPositions: integers(expected["generation_position_ids"]),
            greedyIDs: integers(expected["greedy_token_ids"]) ?? [], greedyText: expected["greedy_text"]?.string,
            messages: messages)
    }

    /// The padded rows without their padding.
    private static func batchRows(
        _ expected: JSONValue, _ conversations: [JSONValue]?, _ path: String
    ) throws -> [Row] {
        let prompts = lists(expected["input_ids"])
        let masks = lists(expected["attention_mask"])
        guard let prompts, let masks, prompts.count == masks.count, !prompts.isEmpty else {
            throw VerifyError.malformed(path: path, reason: "expected as many lists of 'attention_mask' as 'input_ids'")
        }
        let positions = lists(expected["position_ids"])
        let expandedMasks = lists(expected["expanded_attention_mask"])
        return prompts.indices.map { index in
            let positionRow: [Int32]? =
                if let positions, let expandedMasks, index < positions.count, index < expandedMasks.count {
                    kept(positions[index], expandedMasks[index])
                } else {
                    nil
                }
            let greedy = lists(expected["greedy_token_ids"]) ?? []
            let texts = expected["greedy_text"]?.array ?? []
            return Row(
                promptIDs: kept(prompts[index], masks[index]), positions: positionRow, generationPositions: nil,
                greedyIDs: index < greedy.count ? greedy[index] : [],
                greedyText: index < texts.count ? texts[index].string : nil,
                messages: conversations.flatMap { index < $0.count ? $0[index].array : nil })
        }
    }

    private static func kept(_ values: [Int32], _ mask: [Int32]) -> [Int32] {
        zip(values, mask).filter { $0.1 != 0 }.map(\.0)
    }

    private static func lists(_ value: JSONValue?) -> [[Int32]]? {
        guard let array = value?.array else { return nil }
        let lists = array.compactMap { integers($0) }
        return lists.count == array.count ? lists : nil
    }

    private static func integers(_ value: JSONValue?) -> [Int32]? {
        guard let array = value?.array else { return nil }
        let numbers = array.compactMap { $0.integer.flatMap(Int32.init(exactly:)) }
        return numbers.count == array.count ? numbers : nil
    }

    private static func exists(_ path: String) -> Bool { FileManager.default.fileExists(atPath: path) }
}
