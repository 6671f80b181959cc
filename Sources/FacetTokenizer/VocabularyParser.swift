/// Reads the lines of a `tokenizer.model` into a `RankTable`; empty lines are skipped.
struct VocabularyParser {
    private(set) var table = RankTable(rankCount: 0, byteCount: 0)
    /// The line being read, from 1.
    private var line = 0

    /// Reads a whole file.
    mutating func parse(_ text: UnsafeBufferPointer<UInt8>) throws(TokenizerError) {
        let tokenCount = countTokens(text)
        guard tokenCount > 0 else { throw .emptyVocabulary }
        guard tokenCount <= RankTable.largestRankCount else {
            throw .tooManyTokens(count: tokenCount, limit: RankTable.largestRankCount)
        }
        table = RankTable(rankCount: tokenCount, byteCount: text.count / 4 * 3)
        var start = 0
        while start < text.count {
            let end = lineEnd(text, from: start)
            line += 1
            let content = content(text, start, end)
            if !content.isEmpty {
                try parseLine(UnsafeBufferPointer(rebasing: text[content]))
            }
            start = end + 1
        }
    }

    private mutating func parseLine(_ text: UnsafeBufferPointer<UInt8>) throws(TokenizerError) {
        guard let space = text.firstIndex(of: UInt8(ascii: " ")) else { throw .missingRank(line: line) }
        guard space > 0 else { throw .emptyToken(line: line) }
        guard let span = table.appendToken(base64: UnsafeBufferPointer(rebasing: text[..<space])) else {
            throw .invalidBase64(line: line)
        }
        let rank = try parseRank(UnsafeBufferPointer(rebasing: text[(space + 1)...]))
        guard rank < table.spans.count else {
            throw .rankGap(line: line, rank: rank, rankCount: table.spans.count)
        }
        guard !table.contains(rank: rank) else { throw .duplicateRank(line: line, rank: rank) }
        if let earlier = table.insert(span, rank: rank) {
            throw .duplicateToken(line: line, rank: rank, earlierRank: earlier)
        }
    }

    private func parseRank(_ digits: UnsafeBufferPointer<UInt8>) throws(TokenizerError) -> Int {
        var value = 0
        let hasLeadingZero = digits.count > 1 && digits[0] == UInt8(ascii: "0")
        // Nine digits fit any id of 32 bits that a vocabulary of this format can reach.
        guard (1...9).contains(digits.count) && !hasLeadingZero else { throw invalidRank(digits) }
        for digit in digits {
            guard digit >= UInt8(ascii: "0") && digit <= UInt8(ascii: "9") else { throw invalidRank(digits) }
            value = value * 10 + Int(digit - UInt8(ascii: "0"))
        }
        return value
    }

    private func invalidRank(_ digits: UnsafeBufferPointer<UInt8>) -> TokenizerError {
        .invalidRank(line: line, text: String(decoding: digits.prefix(24), as: UTF8.self))
    }

    /// Lines that are not empty: the number of tokens, and so of ranks.
    private func countTokens(_ text: UnsafeBufferPointer<UInt8>) -> Int {
        var count = 0
        var start = 0
        while start < text.count {
            let end = lineEnd(text, from: start)
            if !content(text, start, end).isEmpty { count += 1 }
            start = end + 1
        }
        return count
    }

    /// The line end at or after `start`, or the end of the text.
    @inline(__always)
    private func lineEnd(_ text: UnsafeBufferPointer<UInt8>, from start: Int) -> Int {
        var end = start
        while end < text.count && text[end] != UInt8(ascii: "\n") { end += 1 }
        return end
    }

    /// A line without the carriage return that may end it.
    private func content(_ text: UnsafeBufferPointer<UInt8>, _ start: Int, _ end: Int) -> Range<Int> {
        start..<(end > start && text[end - 1] == UInt8(ascii: "\r") ? end - 1 : end)
    }
}
