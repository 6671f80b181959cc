#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// What a model's folder holds, by file name.
enum FolderListing {
    /// The names in a folder, sorted, without `.` and `..`.
    ///
    /// - Throws: `.missingFolder`, `.notAFolder`, `.unreadable`.
    static func names(in folder: String) throws(CheckpointError) -> [String] {
        guard let stream = opendir(folder) else {
            switch errno {
            case ENOENT: throw .missingFolder(path: folder)
            case ENOTDIR: throw .notAFolder(path: folder)
            default: throw .unreadable(file: folder, operation: "open", reason: SystemError.text(errno))
            }
        }
        defer { closedir(stream) }
        var names: [String] = []
        while let item = readdir(stream) {
            // `d_name` is declared with its full length, but the record may be shorter: no copy of the field.
            let place = UnsafeRawPointer(item) + (MemoryLayout<dirent>.offset(of: \.d_name) ?? 0)
            let name = String(cString: place.assumingMemoryBound(to: CChar.self))
            if name != "." && name != ".." { names.append(name) }
        }
        return names.sorted()
    }

    /// The path of a file in a folder, however the folder's path ends.
    static func path(_ folder: String, _ name: String) -> String {
        folder.hasSuffix("/") ? folder + name : folder + "/" + name
    }

    /// The error that best explains why a folder with these names has no weights that can be read.
    static func missingWeights(_ names: [String], _ folder: String) -> CheckpointError {
        if names.isEmpty { return .emptyFolder(path: folder) }
        if let shard = names.first(where: { $0.hasSuffix(".safetensors") }) {
            return .missingIndex(folder: folder, example: shard)
        }
        let pyTorchEndings = [".bin", ".pt", ".pth"]
        if let file = names.first(where: { name in pyTorchEndings.contains { name.hasSuffix($0) } }) {
            return .onlyPyTorchWeights(folder: folder, example: file)
        }
        return .noWeights(folder: folder)
    }
}
