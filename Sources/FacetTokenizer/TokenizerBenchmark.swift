/// Times loading and encoding, for `facet bench` and the comparison in `Benchmarks/tokenizer`.
public struct TokenizerBenchmark: Sendable {
    /// The times of each repetition, in the order they were taken.
    public let times: [Duration]
    /// Bytes handled by each repetition: of the vocabulary file, or of the text.
    public let byteCount: Int
    /// Tokens of the vocabulary, or of the encoded text.
    public let tokenCount: Int

    /// The middle time; of an even number, the later of the middle two.
    public var median: Duration {
        times.sorted()[times.count / 2]
    }

    /// Megabytes (10⁶ bytes) per second at the median time.
    public var megabytesPerSecond: Double {
        Double(byteCount) / 1e6 / (median / .seconds(1))
    }

    /// Times making a tokenizer from the bytes of a `tokenizer.model`, `repeats` times (at least once).
    public static func loading(tokenizerModel: [UInt8], repeats: Int) throws(TokenizerError) -> TokenizerBenchmark {
        var times: [Duration] = []
        var tokenCount = 0
        let clock = ContinuousClock()
        for _ in 0..<max(repeats, 1) {
            let start = clock.now
            tokenCount = try Tokenizer(tokenizerModel: tokenizerModel).tokenCount
            times.append(clock.now - start)
        }
        return TokenizerBenchmark(times: times, byteCount: tokenizerModel.count, tokenCount: tokenCount)
    }

    /// Times encoding a text, `repeats` times (at least once) after one repetition that is not counted.
    public static func encoding(_ text: String, with tokenizer: Tokenizer, repeats: Int) -> TokenizerBenchmark {
        var times: [Duration] = []
        let tokenCount = tokenizer.encode(text).count
        let clock = ContinuousClock()
        for _ in 0..<max(repeats, 1) {
            let start = clock.now
            let count = tokenizer.encode(text).count
            times.append(clock.now - start)
            precondition(count == tokenCount, "encoding the same text again gave another result")
        }
        return TokenizerBenchmark(times: times, byteCount: text.utf8.count, tokenCount: tokenCount)
    }
}
