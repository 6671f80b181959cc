/// Why reference data could not be run at all, as opposed to run and found different.
package enum VerifyError: Error, Hashable, Sendable {
    /// The path holds no reference data of a known kind.
    case nothingFound(path: String)
    /// A file or folder could not be read.
    case unreadable(path: String, reason: String)
    /// A file of cases does not have the form it must have.
    case malformed(path: String, reason: String)
}

extension VerifyError: CustomStringConvertible {
    /// One sentence that says what is wrong and where.
    package var description: String {
        switch self {
        case .nothingFound(let path):
            "\(path) holds no cases: expected a checkpoint with a cases folder, a tokenizer.model beside "
                + "encode_cases.json, chat_cases.json or decode_cases.json, or images with an index.json"
        case .unreadable(let path, let reason): "cannot read \(path): \(reason)"
        case .malformed(let path, let reason): "\(path) is not a file of cases: \(reason)"
        }
    }
}
