#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// Reads lines that a person types and edits, or plain lines when input is not a terminal.
public struct LineEditor: ~Copyable {
    /// What reading a line came to.
    public enum Result: Sendable, Hashable {
        /// A whole line.
        case line(String)
        /// The line was given up with Control-C.
        case cancelled
        /// There is no more input.
        case endOfInput
    }

    private let input: Terminal
    private let output: Terminal
    private var history: [String] = []

    /// Makes an editor between two terminals.
    public init(input: Terminal = .input, output: Terminal = .output) {
        self.input = input
        self.output = output
    }

    /// Shows a prompt and reads a line.
    public mutating func read(prompt: String) -> Result {
        guard input.isInteractive, output.isInteractive, let saved = enterRawMode() else {
            return readPlainLine(prompt: prompt)
        }
        var original = saved
        defer { tcsetattr(input.fileDescriptor, TCSADRAIN, &original) }
        return edit(prompt: prompt)
    }

    private mutating func edit(prompt: String) -> Result {
        var decoder = KeyDecoder()
        var buffer = LineBuffer(history: history)
        draw(buffer, prompt: prompt)
        while let byte = readByte() {
            guard let key = decoder.decode(byte) else { continue }
            switch buffer.handle(key) {
            case .redraw: draw(buffer, prompt: prompt)
            case .submit(let line):
                output.write("\r\n")
                if !line.isEmpty, line != history.last { history.append(line) }
                return .line(line)
            case .cancel:
                output.write("^C\r\n")
                return .cancelled
            case .endOfInput:
                output.write("\r\n")
                return .endOfInput
            }
        }
        return .endOfInput
    }

    /// Draws the part of the line around the cursor that fits on one terminal row.
    private func draw(_ buffer: LineBuffer, prompt: String) {
        let room = max(8, output.columnCount - DisplayWidth.cells(prompt) - 1)
        var start = buffer.cursor
        var used = 0
        while start > 0 {
            let width = DisplayWidth.cells(buffer.characters[start - 1])
            if used + width > room { break }
            used += width
            start -= 1
        }
        let visible = ProgressLine.fitted(String(buffer.characters[start...]), to: room)
        let column = DisplayWidth.cells(prompt) + used
        output.write("\r\u{1B}[K" + prompt + visible + "\r" + (column > 0 ? "\u{1B}[\(column)C" : ""))
    }

    private func readPlainLine(prompt: String) -> Result {
        if output.isInteractive { output.write(prompt) }
        guard let line = readLine() else { return .endOfInput }
        return .line(line)
    }

    private func readByte() -> UInt8? {
        var byte: UInt8 = 0
        while true {
            let count = systemRead(input.fileDescriptor, &byte)
            if count == 1 { return byte }
            if count < 0, errno == EINTR { continue }
            return nil
        }
    }

    /// Turns off echo, line buffering and signal keys; returns the settings to restore.
    private func enterRawMode() -> termios? {
        var settings = termios()
        guard tcgetattr(input.fileDescriptor, &settings) == 0 else { return nil }
        let saved = settings
        settings.c_lflag &= ~tcflag_t(ECHO | ICANON | ISIG | IEXTEN)
        settings.c_iflag &= ~tcflag_t(IXON | ICRNL)
        guard tcsetattr(input.fileDescriptor, TCSADRAIN, &settings) == 0 else { return nil }
        return saved
    }
}

private func systemRead(_ descriptor: CInt, _ byte: inout UInt8) -> Int {
    read(descriptor, &byte, 1)
}
