import FacetCheckpoint
import FacetTensor
import Foundation

/// The float32 tensors of a reference file.
struct ReferenceTensors {
    /// One tensor.
    struct Entry {
        /// Lengths of the dimensions, outermost first.
        let shape: [Int]
        /// The elements, row-major.
        let values: [Float]

        /// The elements below index `index` of the outermost dimension.
        func slice(_ index: Int) -> Entry {
            let inner = Array(shape.dropFirst())
            let count = inner.reduce(1, *)
            return Entry(shape: inner, values: Array(values[index * count..<(index + 1) * count]))
        }
    }

    private let checkpoint: Checkpoint

    /// Opens a safetensors file.
    init(_ file: URL) throws(CheckpointError) {
        checkpoint = try Checkpoint([SafetensorsFile(path: file.path)], location: file.path)
    }

    /// Names in the order of the file.
    var names: [String] { checkpoint.tensors.map(\.name) }

    /// A tensor; nil when the file has none of this name.
    ///
    /// - Throws: `VerifyError.malformed` unless it is float32.
    func entry(_ name: String) throws -> Entry? {
        guard let stored = checkpoint[name] else { return nil }
        guard stored.dtype == .float32 else {
            throw VerifyError.malformed(path: stored.file.name, reason: "'\(name)' is \(stored.dtype), not F32")
        }
        let values = stored.withUnsafeBytes { bytes in
            (0..<bytes.count / 4).map { bytes.loadUnaligned(fromByteOffset: 4 * $0, as: Float.self) }
        }
        return Entry(shape: stored.shape.dimensions, values: values)
    }
}
