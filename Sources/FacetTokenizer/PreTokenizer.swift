/// Splits text into the pieces that byte-pair encoding works on, as GLM-4's pattern does.
///
/// The pattern, tried alternative by alternative at each position, as a backtracking regex engine would:
///
///     (?i:'s|'t|'re|'ve|'m|'ll|'d)     a contraction
///     [^\r\n\p{L}\p{N}]?\p{L}+         letters, with one character before them
///     \p{N}{1,3}                       up to three digits
///      ?[^\s\p{L}\p{N}]+[\r\n]*        everything else, with a space before and line ends after
///     \s*[\r\n]+                       white space up to and with its last line end
///     \s+(?!\S)|\s+                    white space; its last character goes to the word that follows
///
/// A hand-written scanner, because it is an order of magnitude faster than a regex engine. It knows nothing of
/// vocabularies.
struct PreTokenizer {
    /// The pattern that the scanner implements, as published with the model.
    static let pattern =
        #"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*"#
        + #"|\s*[\r\n]+|\s+(?!\S)|\s+"#

    /// The text to split, valid UTF-8.
    let text: UnsafeBufferPointer<UInt8>
    let classes: UnicodeClassLookup

    /// The end of the piece that begins at `start`, which must be a piece's beginning before the end of the text.
    @inline(__always)
    func pieceEnd(from start: Int) -> Int {
        let byte = text[start]
        if byte == apostrophe, let end = contractionEnd(start) { return end }
        let (first, next) = classes.scalar(text, at: start)
        switch first {
        case .letter:
            return lettersEnd(next)
        case .number:
            return numbersEnd(next)
        case .other:
            if next < text.count {
                let (second, afterSecond) = classes.scalar(text, at: next)
                if second == .letter { return lettersEnd(afterSecond) }
            }
            return othersEnd(next)
        case .space:
            return spaceEnd(start, next, byte)
        }
    }

    /// A piece that begins with white space; `next` is the position behind its first character.
    @inline(__always)
    private func spaceEnd(_ start: Int, _ next: Int, _ byte: UInt8) -> Int {
        if next < text.count && !isLineEnd(byte) {
            let (second, afterSecond) = classes.scalar(text, at: next)
            if second == .letter { return lettersEnd(afterSecond) }
            if second == .other && byte == UInt8(ascii: " ") { return othersEnd(afterSecond) }
        }
        return whiteSpaceEnd(start)
    }

    /// White space alone: up to its last line end; else all but the last character, unless the text ends.
    private func whiteSpaceEnd(_ start: Int) -> Int {
        var position = start
        var lastStart = start
        var lineEnd: Int?
        while position < text.count {
            let (scalarClass, next) = classes.scalar(text, at: position)
            guard scalarClass == .space else { break }
            if isLineEnd(text[position]) { lineEnd = next }
            lastStart = position
            position = next
        }
        if let lineEnd { return lineEnd }
        return position == text.count || lastStart == start ? position : lastStart
    }

    @inline(__always)
    private func lettersEnd(_ start: Int) -> Int {
        end(of: .letter, start)
    }

    private func othersEnd(_ start: Int) -> Int {
        var position = end(of: .other, start)
        while position < text.count && isLineEnd(text[position]) { position += 1 }
        return position
    }

    private func numbersEnd(_ start: Int) -> Int {
        var position = start
        for _ in 0..<2 where position < text.count {
            let (scalarClass, next) = classes.scalar(text, at: position)
            guard scalarClass == .number else { break }
            position = next
        }
        return position
    }

    @inline(__always)
    private func end(of wanted: UnicodeClass, _ start: Int) -> Int {
        var position = start
        while position < text.count {
            let (scalarClass, next) = classes.scalar(text, at: position)
            guard scalarClass == wanted else { break }
            position = next
        }
        return position
    }

    /// The end of a contraction whose apostrophe is at `start`.
    ///
    /// Case folds as Unicode has it: `ſ` is an `s`.
    private func contractionEnd(_ start: Int) -> Int? {
        guard start + 1 < text.count else { return nil }
        let first = text[start + 1]
        let second = start + 2 < text.count ? text[start + 2] : 0
        switch (first | 0x20, second | 0x20) {  // of ASCII letters, the bit makes lowercase; nothing else becomes one
        case (UInt8(ascii: "s"), _), (UInt8(ascii: "t"), _), (UInt8(ascii: "m"), _), (UInt8(ascii: "d"), _):
            return start + 2
        case (UInt8(ascii: "r"), UInt8(ascii: "e")), (UInt8(ascii: "v"), UInt8(ascii: "e")),
            (UInt8(ascii: "l"), UInt8(ascii: "l")):
            return start + 3
        default:
            return first == 0xC5 && second == 0xBF ? start + 3 : nil  // U+017F, long s
        }
    }

    @inline(__always)
    private func isLineEnd(_ byte: UInt8) -> Bool {
        byte == UInt8(ascii: "\n") || byte == UInt8(ascii: "\r")
    }
}

private let apostrophe = UInt8(ascii: "'")
