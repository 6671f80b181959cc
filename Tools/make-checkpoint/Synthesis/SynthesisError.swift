package import FacetCheckpoint

/// Why a checkpoint cannot be made.
package enum SynthesisError: Error, Sendable, Hashable {
    case missingValue(key: String)
    case invalidValue(key: String, expected: String, got: String)
    case folderNotEmpty(path: String)
    case unwritableFolder(path: String, reason: String)
    case checkpoint(CheckpointError)
}

extension SynthesisError: CustomStringConvertible {
    package var description: String {
        switch self {
        case .missingValue(let key): "The configuration has no \"\(key)\"; start from that of a GLM-4V model."
        case .invalidValue(let key, let expected, let got):
            "The configuration's \"\(key)\" must be \(expected), but is \(got)."
        case .folderNotEmpty(let path): "The folder \(path) is not empty; name a new one."
        case .unwritableFolder(let path, let reason): "Cannot make the folder \(path): \(reason)."
        case .checkpoint(let error): error.description
        }
    }
}
