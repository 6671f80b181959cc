/// Lists as people write them on a command line: entries between commas, blanks around them without meaning.
package enum EntryText {
    /// The entries of a list, trimmed; empty ones are kept, so that a stray comma can be named.
    package static func entries(of text: some StringProtocol) -> [String] {
        text.split(separator: ",", omittingEmptySubsequences: false).map { trimmed($0) }
    }

    /// Both sides of the first `=`, trimmed; the right side is nil when there is none.
    package static func sides(of entry: String) -> (name: String, value: String?) {
        guard let place = entry.firstIndex(of: "=") else { return (entry, nil) }
        return (trimmed(entry[..<place]), trimmed(entry[entry.index(after: place)...]))
    }

    /// The text without blanks at its ends.
    package static func trimmed(_ text: some StringProtocol) -> String {
        let front = text.drop(while: \.isWhitespace)
        guard let last = front.lastIndex(where: { !$0.isWhitespace }) else { return "" }
        return String(front[...last])
    }

    /// A number of decimal digits alone: no sign, no blanks, no other script's digits.
    package static func number(_ text: some StringProtocol) -> Int? {
        guard !text.isEmpty, text.utf8.allSatisfy({ 0x30...0x39 ~= $0 }) else { return nil }
        return Int(text)
    }
}
