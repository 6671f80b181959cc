public import FacetPlacement
public import FacetTensor

/// All scratch memory of a model on one device, allocated once.
///
/// Tensors taken from it are views; what they hold is valid until the next forward or picture.
public final class Workspace {
    /// The backend that owns the memory.
    public let backend: any Backend

    /// What the memory was sized by.
    public let limits: ModelLimits

    /// Which buffers there are.
    package let layout: WorkspaceLayout

    /// The configuration that the buffers fit.
    let configuration: GLM4VConfiguration

    private let arena: Tensor
    private var borrowers: [any DeviceEvent] = []

    /// Allocates the memory for all units.
    ///
    /// - Parameter dtype: type of the activations, one that the backend computes in.
    /// - Throws: `.unsupportedActivationDType`, `.tensor(.outOfMemory)`.
    public convenience init(
        _ configuration: GLM4VConfiguration, limits: ModelLimits, dtype: DType, backend: any Backend
    ) throws(ModelError) {
        try self.init(
            configuration, limits: limits, dtype: dtype, backend: backend,
            units: Set(UnitName.allUnits(of: configuration)))
    }

    /// Allocates the memory that some units need.
    ///
    /// - Throws: `.unsupportedActivationDType`, `.tensor(.outOfMemory)`.
    public init(
        _ configuration: GLM4VConfiguration, limits: ModelLimits, dtype: DType, backend: any Backend,
        units: Set<UnitName>
    ) throws(ModelError) {
        guard backend.activationDTypes.contains(dtype) else { throw .unsupportedActivationDType(dtype) }
        let layout = WorkspaceLayout(configuration, limits, dtype, units: units)
        arena = try mappingTensorError { () throws(TensorError) in
            try backend.allocate([layout.byteCount], .uint8, label: "workspace")
        }
        self.backend = backend
        self.limits = limits
        self.layout = layout
        self.configuration = configuration
    }

    /// Where a picture's normalized pixels go before `GLM4V.encode`: `[1, channels, side, side]`, float32.
    public var pixels: Tensor { tensor(\.vision.pixels) }

    /// The first rows of the last forward's logits: `[rows, vocabulary]`, float32.
    public func logits(rows: Int) -> Tensor { tensor(\.decoder.logits, rows: rows) }

    /// Whether a tensor is a view of this memory.
    func holds(_ tensor: Tensor) -> Bool { tensor.storage === arena.storage }

    /// Notes that another device reads from here until an event.
    func lend(until event: any DeviceEvent) { borrowers.append(event) }

    /// Lets the device wait until nobody else reads from here any more; to be called before anything is overwritten.
    func reclaim() throws(TensorError) {
        for event in borrowers { try backend.wait(for: event) }
        borrowers = []
    }

    /// Forgets who reads from here, once nobody does.
    func forgetBorrowers() { borrowers = [] }

    /// A buffer at its full size.
    package func tensor(_ buffer: KeyPath<WorkspaceLayout, ScratchBuffer>) -> Tensor {
        let buffer = layout[keyPath: buffer]
        return Tensor(
            arena.storage, byteOffset: arena.byteOffset + buffer.byteOffset, shape: buffer.shape, dtype: buffer.dtype)
    }

    /// The first rows of a buffer.
    package func tensor(_ buffer: KeyPath<WorkspaceLayout, ScratchBuffer>, rows: Int) -> Tensor {
        tensor(buffer).rows(0..<rows)
    }
}
