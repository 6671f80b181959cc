/// One line on a terminal that is overwritten as work goes on, and vanishes when it is done.
///
/// Writes nothing when its terminal is a file or a pipe.
public struct ProgressLine: Sendable {
    private let terminal: Terminal
    private let isShown: Bool

    /// Makes a line on a terminal.
    public init(_ terminal: Terminal = .error) {
        self.terminal = terminal
        isShown = terminal.isInteractive
    }

    /// Shows a text in place of the last one, cut to the terminal's width.
    public func show(_ text: String) {
        guard isShown else { return }
        terminal.write("\r\u{1B}[K" + Self.fitted(text, to: terminal.columnCount - 1))
    }

    /// Removes the line.
    public func clear() {
        guard isShown else { return }
        terminal.write("\r\u{1B}[K")
    }

    /// The longest beginning of a text that fits into so many cells.
    public static func fitted(_ text: String, to cells: Int) -> String {
        var used = 0
        return String(
            text.prefix { character in
                used += DisplayWidth.cells(character)
                return used <= cells
            })
    }
}
