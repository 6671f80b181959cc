import Synchronization

/// One line on a terminal that is overwritten as work goes on, and vanishes when it is done.
///
/// Writes nothing when its terminal is a file or a pipe.
public final class ProgressLine: Sendable {
    private let terminal: Terminal
    private let isShown: Bool
    // Only a line that is there may be erased: what stands in its place otherwise is the answer.
    private let isVisible = Mutex(false)

    /// Makes a line on a terminal.
    public convenience init(_ terminal: Terminal = .error) {
        self.init(terminal, isShown: terminal.isInteractive)
    }

    /// Makes a line that is shown, or not, whatever its terminal is.
    public init(_ terminal: Terminal, isShown: Bool) {
        self.terminal = terminal
        self.isShown = isShown
    }

    /// Shows a text in place of the last one, cut to the terminal's width.
    public func show(_ text: String) {
        guard isShown else { return }
        isVisible.withLock { visible in
            visible = true
            terminal.write("\r\u{1B}[K" + Self.fitted(text, to: terminal.columnCount - 1))
        }
    }

    /// Removes the line, if it is there.
    public func clear() {
        isVisible.withLock { visible in
            if visible { terminal.write("\r\u{1B}[K") }
            visible = false
        }
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
