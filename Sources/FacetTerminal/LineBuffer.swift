/// The text of a line being edited, its cursor and its history: a pure state machine.
public struct LineBuffer: Sendable {
    /// What the terminal should do after a key.
    public enum Action: Sendable, Hashable {
        /// Draw the line anew.
        case redraw
        /// The line is finished.
        case submit(String)
        /// The person gave the line up (Control-C).
        case cancel
        /// End of input (Control-D on an empty line).
        case endOfInput
    }

    /// Characters of the line.
    public private(set) var characters: [Character] = []

    /// How many characters stand before the cursor.
    public private(set) var cursor = 0

    private var history: [String]
    private var historyIndex: Int
    private var unfinished: [Character] = []

    /// Starts an empty line after earlier ones, oldest first.
    public init(history: [String] = []) {
        self.history = history
        historyIndex = history.count
    }

    /// The line as text.
    public var text: String { String(characters) }

    /// Applies a key.
    public mutating func handle(_ key: Key) -> Action {
        switch key {
        case .enter: return .submit(text)
        case .control("c"): return .cancel
        case .control("d"):
            if characters.isEmpty { return .endOfInput }
            deleteForward()
        case .control(let letter): handleControl(letter)
        case .character(let character): insert(character)
        case .backspace: deleteBackward()
        case .delete: deleteForward()
        case .left: cursor = max(0, cursor - 1)
        case .right: cursor = min(characters.count, cursor + 1)
        case .home: cursor = 0
        case .end: cursor = characters.count
        case .up: moveInHistory(by: -1)
        case .down: moveInHistory(by: 1)
        }
        return .redraw
    }

    private mutating func handleControl(_ letter: Character) {
        switch letter {
        case "a": cursor = 0
        case "e": cursor = characters.count
        case "b": cursor = max(0, cursor - 1)
        case "f": cursor = min(characters.count, cursor + 1)
        case "k": characters.removeSubrange(cursor...)
        case "u":
            characters.removeSubrange(..<cursor)
            cursor = 0
        case "w": deleteWord()
        case "p": moveInHistory(by: -1)
        case "n": moveInHistory(by: 1)
        default: break
        }
    }

    private mutating func insert(_ character: Character) {
        // A combining mark joins the character before the cursor.
        if cursor > 0 {
            let joined = String(characters[cursor - 1]) + String(character)
            if joined.count == 1, let whole = joined.first {
                characters[cursor - 1] = whole
                return
            }
        }
        characters.insert(character, at: cursor)
        cursor += 1
    }

    private mutating func deleteBackward() {
        guard cursor > 0 else { return }
        cursor -= 1
        characters.remove(at: cursor)
    }

    private mutating func deleteForward() {
        guard cursor < characters.count else { return }
        characters.remove(at: cursor)
    }

    private mutating func deleteWord() {
        var start = cursor
        while start > 0, characters[start - 1].isWhitespace { start -= 1 }
        while start > 0, !characters[start - 1].isWhitespace { start -= 1 }
        characters.removeSubrange(start..<cursor)
        cursor = start
    }

    private mutating func moveInHistory(by step: Int) {
        let target = historyIndex + step
        guard (0...history.count).contains(target) else { return }
        if historyIndex == history.count { unfinished = characters }
        historyIndex = target
        characters = target == history.count ? unfinished : Array(history[target])
        cursor = characters.count
    }
}
