package import FacetTokenizer

/// Turns the ids of one answer into the text to show, piece by piece.
///
/// Three filters in a row: the detokenizer releases whole characters, white space before the first word is dropped
/// (the model begins an answer with a line feed), and stop strings are cut out together with what follows.
package struct AnswerText: Sendable {
    private var detokenizer: Detokenizer
    private var filter: StopStringFilter
    private var hasBegun = false

    /// Everything released so far.
    package private(set) var text = ""

    /// Makes an empty answer.
    package init(tokenizer: Tokenizer, stopStrings: [String]) {
        detokenizer = Detokenizer(tokenizer)
        filter = StopStringFilter(stopStrings)
    }

    /// Takes an id.
    ///
    /// - Returns: the text that is certain now, often empty, and whether a stop string is complete.
    package mutating func append(_ id: Int32) -> (text: String, isStopped: Bool) {
        let (piece, isStopped) = filter.append(trimmed(detokenizer.append(id)))
        text += piece
        return (piece, isStopped)
    }

    /// Ends the answer.
    ///
    /// - Returns: text that was held back and is certain now, and whether it completed a stop string.
    package mutating func finish() -> (text: String, isStopped: Bool) {
        var (piece, isStopped) = filter.append(trimmed(detokenizer.finish()))
        if !isStopped { piece += filter.finish() }
        text += piece
        return (piece, isStopped)
    }

    private mutating func trimmed(_ piece: String) -> String {
        guard !hasBegun else { return piece }
        let rest = piece.unicodeScalars.drop { $0.properties.isWhitespace }
        hasBegun = !rest.isEmpty
        return String(rest)
    }
}
