/// Finds bytes that are not UTF-8, before Swift replaces them silently.
enum UTF8Check {
    /// Offset of the first byte that does not belong to UTF-8 text; nil when all do.
    static func firstInvalidOffset(_ bytes: some Collection<UInt8>) -> Int? {
        if String(validating: bytes, as: UTF8.self) != nil { return nil }
        var decoder = Unicode.UTF8.ForwardParser()
        var iterator = bytes.makeIterator()
        var offset = 0
        while true {
            switch decoder.parseScalar(from: &iterator) {
            case .valid(let scalar): offset += scalar.count
            case .emptyInput: return nil
            case .error: return offset
            }
        }
    }

    /// Checks the words of the command line as the system gave them.
    ///
    /// - Throws: `CommandError.notUTF8`.
    static func checkArguments() throws {
        for index in 0..<Int(CommandLine.argc) {
            guard let word = CommandLine.unsafeArgv[index] else { continue }
            var length = 0
            while word[length] != 0 { length += 1 }
            let bytes = UnsafeRawBufferPointer(start: word, count: length)
            if let offset = firstInvalidOffset(bytes) {
                throw CommandError.notUTF8(what: "argument \(index)", byteOffset: offset)
            }
        }
    }
}
