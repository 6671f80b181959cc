/// The id of a token: its rank for ordinary tokens, a number after the last rank for special ones.
public typealias TokenID = Int32

/// The ordinary tokens of a model: byte strings, each with a rank that is also its id.
///
/// The file is tiktoken's: one line per token, its bytes in base64, a space, its rank. Ranks must be 0 to count − 1,
/// each once, in any order; every single byte must be a token, so that any text can be encoded.
public struct Vocabulary: Sendable {
    let table: RankTable
    /// The id of each single byte.
    let byteIDs: [TokenID]

    /// How many ordinary tokens there are; the first special token has this id.
    public var rankCount: Int { table.spans.count }
    /// The bytes of the longest token.
    public var longestTokenByteCount: Int { table.longestByteCount }

    /// Reads the text of a `tokenizer.model` file.
    ///
    /// - Throws: The `TokenizerError` of the first malformed line.
    /// - Complexity: O(bytes); 151,329 ranks take about ten milliseconds.
    public init(tokenizerModel bytes: [UInt8]) throws(TokenizerError) {
        var parser = VocabularyParser()
        let outcome: Result<Void, TokenizerError> = bytes.withUnsafeBufferPointer { buffer in
            do throws(TokenizerError) { return .success(try parser.parse(buffer)) } catch { return .failure(error) }
        }
        try outcome.get()
        table = parser.table
        byteIDs = try Self.byteIDs(of: table)
    }

    /// The bytes of an ordinary token, or nil when `id` is none.
    public func bytes(of id: TokenID) -> ArraySlice<UInt8>? {
        guard id >= 0, Int(id) < rankCount else { return nil }
        let span = table.spans[Int(id)]
        return table.arena[Int(span.start)..<Int(span.start + span.count)]
    }

    /// The id of the token made of exactly these bytes, or nil.
    public func id(of bytes: [UInt8]) -> TokenID? {
        guard !bytes.isEmpty else { return nil }
        let rank = bytes.withUnsafeBytes { buffer in
            table.withLookup { lookup in
                buffer.baseAddress.map { lookup.rank(of: $0, count: buffer.count) } ?? RankTable.noRank
            }
        }
        return rank == RankTable.noRank ? nil : TokenID(rank)
    }

    private static func byteIDs(of table: RankTable) throws(TokenizerError) -> [TokenID] {
        var ids = [TokenID](repeating: -1, count: 256)
        for (rank, span) in table.spans.enumerated() where span.count == 1 {
            ids[Int(table.arena[Int(span.start)])] = TokenID(rank)
        }
        if let missing = ids.firstIndex(of: -1) { throw .missingByte(UInt8(missing)) }
        return ids
    }
}
