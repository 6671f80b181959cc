public import FacetCheckpoint
public import FacetTensor

/// What a source says about one tensor without reading it.
public struct StoredTensor: Sendable, Hashable {
    /// Lengths of the dimensions, outermost first.
    public let shape: Shape

    /// The element type in the source's own words, such as `BF16`.
    public let dtypeName: String

    /// The element type, when tensors have it.
    public let dtype: DType?

    /// Bytes of all elements.
    public let byteCount: Int

    /// The file that holds it, or the source's name.
    public let file: String

    /// Describes a stored tensor.
    public init(shape: Shape, dtypeName: String, dtype: DType?, byteCount: Int, file: String) {
        self.shape = shape
        self.dtypeName = dtypeName
        self.dtype = dtype
        self.byteCount = byteCount
        self.file = file
    }
}

/// Where a model's tensors come from: a checkpoint, or random numbers for measurements.
public protocol WeightSource: Sendable {
    /// The source's name in errors, such as its folder.
    var location: String { get }

    /// Names of all tensors.
    var tensorNames: [String] { get }

    /// Bytes of all tensors.
    var byteCount: Int { get }

    /// What is known of a tensor without reading it; nil when there is none of this name.
    func stored(_ name: String) -> StoredTensor?

    /// The tensor of a name in host memory, without a copy where possible.
    func tensor(named name: String) throws(CheckpointError) -> Tensor

    /// The tensor of a name for `bind` of a backend: on its device where the source makes it there, else in host memory.
    func tensor(named name: String, for backend: any Backend) throws(CheckpointError) -> Tensor

    /// Passes on how some tensors will be used; a source whose bytes cannot be read again ignores it.
    func advise(_ advice: MemoryAdvice, tensors names: [String])
}

extension WeightSource {
    /// The tensor in host memory.
    public func tensor(named name: String, for backend: any Backend) throws(CheckpointError) -> Tensor {
        try tensor(named: name)
    }
}

extension Checkpoint: WeightSource {
    /// Names of all tensors, file by file.
    public var tensorNames: [String] { tensors.map(\.name) }

    /// What the headers say of a tensor.
    public func stored(_ name: String) -> StoredTensor? {
        guard let tensor = self[name] else { return nil }
        return StoredTensor(
            shape: tensor.shape, dtypeName: tensor.dtype.rawValue, dtype: tensor.dtype.tensorDType,
            byteCount: tensor.byteCount, file: tensor.file.name)
    }
}
