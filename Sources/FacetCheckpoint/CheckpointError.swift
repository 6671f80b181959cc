public import FacetJSON
public import FacetTensor

/// Everything that can be wrong with a folder, an index, a safetensors file or a tensor in it.
///
/// `file` is the path as it was opened; `expected` and `got` count bytes unless said otherwise.
public enum CheckpointError: Error, Sendable, Hashable {
    // Folders and files.
    case missingFolder(path: String)
    case notAFolder(path: String)
    case emptyFolder(path: String)
    case noWeights(folder: String)
    case onlyPyTorchWeights(folder: String, example: String)
    case missingIndex(folder: String, example: String)
    case ambiguousLayout(folder: String)
    case missingFile(file: String)
    case notARegularFile(file: String)
    case unreadable(file: String, operation: String, reason: String)
    case gitLFSPointer(file: String)

    // One safetensors file.
    case truncatedFile(file: String, expected: Int, got: Int)
    case headerTooLarge(file: String, byteCount: UInt64, limit: Int)
    case headerNotUTF8(file: String, offset: Int)
    case invalidJSON(file: String, JSONError)
    case duplicateKey(file: String, key: String)
    case malformedHeader(file: String, expected: String, got: String)
    case malformedEntry(file: String, tensor: String, field: String, expected: String, got: String)
    case unknownDType(file: String, tensor: String, got: String)
    case shapeOverflow(file: String, tensor: String, shape: [Int])
    case reversedOffsets(file: String, tensor: String, begin: Int, end: Int)
    case byteCountMismatch(file: String, tensor: String, expected: Int, got: Int)
    case offsetsOutOfRange(file: String, tensor: String, end: Int, limit: Int)
    case overlappingTensors(file: String, tensor: String, other: String)
    case unusedBytes(file: String, range: Range<Int>)

    // Several files.
    case malformedIndex(file: String, expected: String, got: String)
    case pathOutsideFolder(file: String, tensor: String, path: String)
    case missingShard(file: String, index: String)
    case tensorNotInShard(tensor: String, file: String, index: String)
    case tensorNotInIndex(tensor: String, file: String, index: String)
    case tensorInTwoFiles(tensor: String, file: String, other: String)

    // One tensor.
    case missingTensor(tensor: String, checkpoint: String)
    case shapeMismatch(tensor: String, expected: Shape, got: Shape, file: String)
    case unsupportedDType(tensor: String, got: SafetensorsDType, file: String)
    case misalignedTensors(tensor: String, byteCount: Int, limit: Int, file: String)
    case unusableWeights(tensor: String, file: String, String)
    case memory(TensorError)

    // Writing.
    case folderNotEmpty(path: String)
    case unwritable(file: String, operation: String, reason: String)
    case diskFull(file: String, byteCount: Int)
}

extension CheckpointError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .missingFolder, .notAFolder, .emptyFolder, .noWeights, .onlyPyTorchWeights, .missingIndex,
            .ambiguousLayout, .missingFile, .notARegularFile, .unreadable, .gitLFSPointer:
            folderDescription
        case .malformedIndex, .pathOutsideFolder, .missingShard, .tensorNotInShard, .tensorNotInIndex,
            .tensorInTwoFiles:
            indexDescription
        case .missingTensor, .shapeMismatch, .unsupportedDType, .misalignedTensors, .unusableWeights, .memory,
            .folderNotEmpty, .unwritable, .diskFull:
            tensorDescription
        default: fileDescription
        }
    }

    private var folderDescription: String {
        switch self {
        case .missingFolder(let path): "There is no folder \(path); check the path given as the model."
        case .notAFolder(let path): "\(path) is not a folder; give the folder that holds config.json and the weights."
        case .emptyFolder(let path): "The folder \(path) is empty; download the model's files into it."
        case .noWeights(let folder):
            "\(folder) holds no safetensors weights; expected model.safetensors or model.safetensors.index.json."
        case .onlyPyTorchWeights(let folder, let example):
            "\(folder) holds PyTorch weights (\(example)) but no safetensors; download the safetensors files of the "
                + "model, or convert them with the safetensors package."
        case .missingIndex(let folder, let example):
            "\(folder) holds shards (\(example)) but no model.safetensors.index.json; download the index too."
        case .ambiguousLayout(let folder):
            "\(folder) holds both model.safetensors and model.safetensors.index.json; remove the one that is stale."
        case .missingFile(let file): "There is no file \(file)."
        case .notARegularFile(let file): "\(file) is not a regular file."
        case .unreadable(let file, let operation, let reason): "Cannot \(operation) \(file): \(reason)."
        case .gitLFSPointer(let file):
            "\(file) is a Git LFS pointer, not the file itself; run \"git lfs pull\" in the model's folder."
        default: preconditionFailure("no case about folders")
        }
    }

    private var fileDescription: String {
        switch self {
        case .truncatedFile(let file, let expected, let got):
            "\(file) is truncated: expected \(expected) bytes, got \(got); download it again."
        case .headerTooLarge(let file, let byteCount, let limit):
            "\(file) announces a header of \(byteCount) bytes, the limit is \(limit); it is no safetensors file."
        case .headerNotUTF8(let file, let offset):
            "\(file): the string at header byte \(offset) is not UTF-8; download the file again."
        case .invalidJSON(let file, let error): "\(file) is not valid JSON: \(error); download the file again."
        case .duplicateKey(let file, let key): "\(file) names \"\(key)\" twice; write the file anew without it."
        case .malformedHeader(let file, let expected, let got):
            "\(file): the header must have \(expected), but has \(got)."
        case .malformedEntry(let file, let tensor, let field, let expected, let got):
            "\(file): \"\(field)\" of tensor \(tensor) must be \(expected), but is \(got)."
        case .unknownDType(let file, let tensor, let got):
            "\(file): tensor \(tensor) has the unknown dtype \"\(got)\"; expected one of "
                + SafetensorsDType.allCases.map(\.rawValue).joined(separator: ", ") + "."
        case .shapeOverflow(let file, let tensor, let shape):
            "\(file): tensor \(tensor) of shape \(shape) has more bytes than can be addressed."
        case .reversedOffsets(let file, let tensor, let begin, let end):
            "\(file): tensor \(tensor) begins at byte \(begin), after its end at byte \(end)."
        case .byteCountMismatch(let file, let tensor, let expected, let got):
            "\(file): tensor \(tensor) needs \(expected) bytes for its shape and dtype, but its offsets span \(got)."
        case .offsetsOutOfRange(let file, let tensor, let end, let limit):
            "\(file): tensor \(tensor) ends at data byte \(end), but the file has only \(limit) bytes of data."
        case .overlappingTensors(let file, let tensor, let other):
            "\(file): tensors \(other) and \(tensor) overlap."
        case .unusedBytes(let file, let range):
            "\(file): data bytes \(range.lowerBound) to \(range.upperBound) belong to no tensor; "
                + "the format allows no holes."
        default: preconditionFailure("no case about a file")
        }
    }

    private var indexDescription: String {
        switch self {
        case .malformedIndex(let file, let expected, let got): "\(file) must have \(expected), but has \(got)."
        case .pathOutsideFolder(let file, let tensor, let path):
            "\(file) places tensor \(tensor) in \"\(path)\", which is not a file of the same folder."
        case .missingShard(let file, let index):
            "The shard \(file), which \(index) names, does not exist; download it."
        case .tensorNotInShard(let tensor, let file, let index):
            "\(index) places tensor \(tensor) in \(file), which does not hold it; "
                + "download index and shards of one revision."
        case .tensorNotInIndex(let tensor, let file, let index):
            "\(file) holds tensor \(tensor), which \(index) does not list; "
                + "download index and shards of one revision."
        case .tensorInTwoFiles(let tensor, let file, let other):
            "Tensor \(tensor) is in both \(other) and \(file); one of them is stale."
        default: preconditionFailure("no case about an index")
        }
    }

    private var tensorDescription: String {
        switch self {
        case .missingTensor(let tensor, let checkpoint): "\(checkpoint) has no tensor \(tensor)."
        case .shapeMismatch(let tensor, let expected, let got, let file):
            "\(file): tensor \(tensor) must have shape \(expected), but has \(got)."
        case .unsupportedDType(let tensor, let got, let file):
            "\(file): tensor \(tensor) has dtype \(got); expected one of "
                + DType.allCases.map { SafetensorsDType($0).rawValue }.joined(separator: ", ") + "."
        case .misalignedTensors(let tensor, let byteCount, let limit, let file):
            "\(file): tensor \(tensor) does not start at a multiple of its element size, and copying it would bring "
                + "the copies to \(byteCount) bytes, the limit is \(limit); save the file again with a current "
                + "safetensors package, which aligns it."
        case .unusableWeights(let tensor, let file, let reason): "\(file): tensor \(tensor): \(reason)."
        case .memory(let error): error.description
        case .folderNotEmpty(let path): "\(path) is there already and not an empty folder; choose another place."
        case .unwritable(let file, let operation, let reason): "Cannot \(operation) \(file): \(reason)."
        case .diskFull(let file, let byteCount):
            "The disk is full after \(byteCount) bytes of \(file); free some space and try again."
        default: preconditionFailure("no case about a tensor")
        }
    }
}

extension CheckpointError {
    /// The case that says the same of a file as `error` says of its text.
    init(file: String, _ error: JSONError) {
        self =
            switch error {
            case .duplicateKey(let key, _): .duplicateKey(file: file, key: key)
            default: .invalidJSON(file: file, error)
            }
    }
}
