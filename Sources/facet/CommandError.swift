/// What a command itself can find wrong; errors of the layers below are printed as they are.
enum CommandError: Error {
    /// Output could not be written.
    case unwritable(String)
    /// Input holds bytes that are not UTF-8 text.
    case notUTF8(what: String, byteOffset: Int)
    /// A file could not be read.
    case unreadable(path: String, reason: String)
    /// An option or environment variable has a value that makes no sense.
    case invalidOption(name: String, expected: String, got: String)
    /// What was asked for cannot be done; the sentence says why and what would help.
    case refused(String)
    /// A line of a conversation asks for something that cannot be done.
    case unknownInput(String)
}

extension CommandError: CustomStringConvertible {
    var description: String {
        switch self {
        case .unwritable(let what):
            "cannot write to \(what): the disk is full, the reader is gone or access is denied; choose another place."
        case .notUTF8(let what, let byteOffset):
            "\(what) is not UTF-8 text: the byte at offset \(byteOffset) does not belong there; convert it to UTF-8."
        case .unreadable(let path, let reason):
            "cannot read '\(path)': \(reason)."
        case .invalidOption(let name, let expected, let got): "\(name) must be \(expected), but is \(got)."
        case .refused(let reason): reason
        case .unknownInput(let reason): reason + "."
        }
    }
}
