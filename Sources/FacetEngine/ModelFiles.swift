package import FacetCheckpoint

/// A file that is in memory for as long as the process runs, such as one inside the executable.
///
/// `@unchecked`: the bytes never change.
public struct EmbeddedFile: @unchecked Sendable {
    /// Name within the model's folder.
    public let name: String

    /// The whole content.
    public let bytes: UnsafeRawBufferPointer

    /// Names bytes that stay valid and unchanged for the life of the process; weights should be aligned to 64 bytes.
    public init(name: String, bytes: UnsafeRawBufferPointer) {
        self.name = name
        self.bytes = bytes
    }
}

/// Where a model's files are: in a folder, or in memory.
public struct ModelFiles: Sendable {
    private enum Place {
        case folder(String)
        case memory([EmbeddedFile])
    }

    /// The folder, or the name given to files in memory.
    public let location: String

    private let place: Place

    /// Files in a folder.
    public init(folder: String) {
        location = folder
        place = .folder(folder)
    }

    /// Files in memory; `name` stands for the folder in errors.
    public init(embedded files: [EmbeddedFile], name: String) {
        location = name
        place = .memory(files)
    }

    /// The weights: headers checked, no weight byte read.
    ///
    /// - Throws: `.checkpoint`.
    package func checkpoint() throws(EngineError) -> Checkpoint {
        do throws(CheckpointError) {
            switch place {
            case .folder(let path): return try Checkpoint(folder: path)
            case .memory(let files):
                var weights: [SafetensorsFile] = []
                for file in files where file.name.hasSuffix(".safetensors") {
                    weights.append(try SafetensorsFile(bytes: file.bytes, name: path(file.name)))
                }
                guard !weights.isEmpty else { throw CheckpointError.noWeights(folder: location) }
                return try Checkpoint(weights, location: location)
            }
        } catch { throw .checkpoint(error) }
    }

    /// The content of a small file that must be there.
    ///
    /// - Throws: `.checkpoint`.
    package func bytes(of name: String, limit: Int = 16 << 20) throws(EngineError) -> [UInt8] {
        switch place {
        case .folder:
            do { return try FileContents.bytes(of: path(name), limit: limit) } catch { throw .checkpoint(error) }
        case .memory(let files):
            guard let file = files.first(where: { $0.name == name }) else {
                throw .checkpoint(.missingFile(file: path(name)))
            }
            return [UInt8](file.bytes)
        }
    }

    /// The content of a small file; nil when it is not there.
    ///
    /// - Throws: `.checkpoint` when it is there and cannot be read.
    package func optionalBytes(of name: String, limit: Int = 16 << 20) throws(EngineError) -> [UInt8]? {
        do {
            return try bytes(of: name, limit: limit)
        } catch .checkpoint(.missingFile) {
            return nil
        }
    }

    private func path(_ name: String) -> String { location + "/" + name }
}
