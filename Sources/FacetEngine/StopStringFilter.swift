/// Releases an answer's text without ever showing part of a stop string.
///
/// Text that may be the beginning of a stop string is held back until it is certain that it is not. The result
/// does not depend on how the text was cut into pieces: of several stop strings the one that is complete first
/// counts. Bytes are compared, so a stop string may span pieces and end inside a grapheme cluster.
package struct StopStringFilter: Sendable {
    private let stops: [[UInt8]]
    private var held: [UInt8] = []

    /// Makes a filter for stop strings, none of which is empty.
    package init(_ stops: [String]) { self.stops = stops.map { Array($0.utf8) } }

    /// Takes more text.
    ///
    /// - Returns: what may be shown now, and whether a stop string is complete. After a stop nothing follows.
    package mutating func append(_ text: String) -> (text: String, isStopped: Bool) {
        guard !stops.isEmpty else { return (text, false) }
        held += text.utf8
        if let match = firstMatch() {
            let shown = String(decoding: held[..<match], as: UTF8.self)
            held = []
            return (shown, true)
        }
        let count = held.count - heldBackCount()
        let shown = String(decoding: held[..<count], as: UTF8.self)
        held.removeFirst(count)
        return (shown, false)
    }

    /// Ends the text: returns what is held back.
    package mutating func finish() -> String {
        defer { held = [] }
        return String(decoding: held, as: UTF8.self)
    }

    /// Where the stop string that is complete first begins; of several that end together, the longest.
    private func firstMatch() -> Int? {
        for end in held.indices.map({ $0 + 1 }) {
            let starts = stops.compactMap { held[..<end].hasSuffix($0) ? end - $0.count : nil }
            if let start = starts.min() { return start }
        }
        return nil
    }

    /// Bytes at the end that begin some stop string.
    private func heldBackCount() -> Int {
        let longest = stops.map(\.count).max() ?? 0
        for count in stride(from: min(held.count, longest - 1), to: 0, by: -1) {
            let tail = held.suffix(count)
            if stops.contains(where: { $0.count > count && $0.starts(with: tail) }) { return count }
        }
        return 0
    }
}

extension ArraySlice<UInt8> {
    fileprivate func hasSuffix(_ bytes: [UInt8]) -> Bool {
        count >= bytes.count && suffix(bytes.count).elementsEqual(bytes)
    }
}
