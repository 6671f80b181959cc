public import Foundation

/// Text to token ids and back, for one model.
///
/// Encoding knows ordinary tokens only: the text of a special token inside a message is ordinary text, so that nobody
/// can inject one. The chat template adds special tokens by id.
public struct Tokenizer: Sendable {
    /// The ordinary tokens.
    public let vocabulary: Vocabulary
    /// The special tokens behind them.
    public let specialTokens: SpecialTokens
    /// `image_size` of `tokenizer_config.json`: side length in pixels; nil when the file or the key is absent.
    public let imageSize: Int?

    /// Makes a tokenizer from the contents of `tokenizer.model` and, if there is one, `tokenizer_config.json`.
    ///
    /// Without a configuration, or without `added_tokens_decoder` in it, the fourteen published special tokens follow
    /// the ranks in their order.
    /// - Throws: The `TokenizerError` of the first thing that is wrong in either.
    public init(tokenizerModel: [UInt8], configuration: [UInt8]? = nil) throws(TokenizerError) {
        vocabulary = try Vocabulary(tokenizerModel: tokenizerModel)
        guard let configuration else {
            specialTokens = SpecialTokens(rankCount: vocabulary.rankCount)
            imageSize = nil
            return
        }
        let parsed = try TokenizerConfiguration(configuration)
        imageSize = parsed.imageSize
        if let entries = parsed.addedTokens {
            specialTokens = try SpecialTokens(rankCount: vocabulary.rankCount, entries: entries)
        } else {
            specialTokens = SpecialTokens(rankCount: vocabulary.rankCount)
        }
    }

    /// Reads `tokenizer.model` and, if it is there, `tokenizer_config.json` from a model folder.
    ///
    /// - Throws: `.unreadableFile`, `.fileTooLarge`, or what the contents deserve.
    public init(directory: URL) throws(TokenizerError) {
        let model = directory.appendingPathComponent("tokenizer.model")
        let configuration = directory.appendingPathComponent("tokenizer_config.json")
        let hasConfiguration = FileManager.default.fileExists(atPath: configuration.path)
        try self.init(
            tokenizerModel: readFile(model, limit: 256 << 20),
            configuration: hasConfiguration ? readFile(configuration, limit: 16 << 20) : nil)
    }

    /// The pattern that text is split by before byte-pair encoding, as published with the model.
    public static var splitPattern: String { PreTokenizer.pattern }

    /// How many ids mean something: ordinary and special tokens together.
    public var tokenCount: Int { Int(specialTokens.endID) }

    /// The ids of a text.
    ///
    /// - Complexity: O(n) for usual text, O(n log n) in the length of a run without a split.
    public func encode(_ text: String) -> [TokenID] {
        var text = text
        return text.withUTF8 { encode(validUTF8: $0) }
    }

    /// The ids of a text given as UTF-8.
    ///
    /// - Throws: `.invalidUTF8` with the offset of the first byte that is not.
    public func encode(utf8 bytes: [UInt8]) throws(TokenizerError) -> [TokenID] {
        if let offset = UTF8Text.firstInvalidOffset(in: bytes) { throw .invalidUTF8(offset: offset) }
        return bytes.withUnsafeBufferPointer { encode(validUTF8: $0) }
    }

    private func encode(validUTF8 text: UnsafeBufferPointer<UInt8>) -> [TokenID] {
        guard let base = text.baseAddress, !text.isEmpty else { return [] }
        var ids: [TokenID] = []
        ids.reserveCapacity(text.count / 3)  // most texts have three to four bytes per token
        vocabulary.table.withLookup { ranks in
            vocabulary.byteIDs.withUnsafeBufferPointer { byteIDs in
                UnicodeClasses.shared.withLookup { classes in
                    let splitter = PreTokenizer(text: text, classes: classes)
                    var encoder = BytePairEncoder(ranks: ranks, byteIDs: byteIDs)
                    var start = 0
                    while start < text.count {
                        let end = splitter.pieceEnd(from: start)
                        encoder.encode(UnsafeRawPointer(base) + start, count: end - start, into: &ids)
                        start = end
                    }
                }
            }
        }
        return ids
    }

    /// The pieces that a text is split into before byte-pair encoding; joined, they are the text.
    package static func pieces(of text: String) -> [String] {
        var text = text
        return text.withUTF8 { text in
            UnicodeClasses.shared.withLookup { classes in
                let splitter = PreTokenizer(text: text, classes: classes)
                var pieces: [String] = []
                var start = 0
                while start < text.count {
                    let end = splitter.pieceEnd(from: start)
                    pieces.append(String(decoding: text[start..<end], as: UTF8.self))
                    start = end
                }
                return pieces
            }
        }
    }

    /// The text of a sequence of ids.
    ///
    /// Bytes that are not UTF-8 become U+FFFD as Python's `bytes.decode(errors="replace")` has it. Ids that mean
    /// nothing (padding rows of the embedding) are left out.
    public func decode(
        _ ids: some Sequence<TokenID>, specialTokens rendering: SpecialTokenRendering = .skipped
    ) -> String {
        var detokenizer = Detokenizer(self, specialTokens: rendering)
        var text = ""
        for id in ids { text += detokenizer.append(id) }
        return text + detokenizer.finish()
    }

    /// The bytes that a token stands for: those of an ordinary token, the text of a special one, or nil.
    public func tokenBytes(_ id: TokenID) -> [UInt8]? {
        vocabulary.bytes(of: id).map(Array.init) ?? specialTokens.name(of: id).map { Array($0.utf8) }
    }
}

/// Reads a whole file of at most `limit` bytes.
private func readFile(_ url: URL, limit: Int) throws(TokenizerError) -> [UInt8] {
    do {
        let attributes = try FileManager.default.attributesOfItem(atPath: url.resolvingSymlinksInPath().path)
        if let byteCount = attributes[.size] as? Int, byteCount > limit {
            throw TokenizerError.fileTooLarge(path: url.path, byteCount: byteCount, limit: limit)
        }
        return [UInt8](try Data(contentsOf: url))
    } catch let error as TokenizerError {
        throw error
    } catch {
        let reason = FileManager.default.fileExists(atPath: url.path) ? error.localizedDescription : "no such file"
        throw .unreadableFile(path: url.path, reason: reason)
    }
}
