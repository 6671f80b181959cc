import FacetTensor

/// What one forward may use: the checked batch with its integers on the device, and all memory it works in.
public struct ForwardPass {
    /// The work.
    public let batch: ForwardBatch

    let workspace: Workspace
    let cache: KVCache
    let probe: Probe?
    let splices: [Splice]
    let tokenIDs: Tensor  // [rows], int32
    let positions: Tensor  // [rows], int32
    let slots: Tensor  // [rows], int32
    let sampledRows: Tensor  // [sampled], int32
    let layout: SequenceLayout

    /// Rows of a picture and where they go.
    struct Splice {
        let features: Tensor
        let rows: Range<Int>
    }

    /// Checks a batch and hands its integers to the device.
    ///
    /// - Parameter probe: sees the tensors at every named point; slows the forward down.
    /// - Throws: `.invalidBatch`, `.unknownImage`, `.tensor`.
    public init(
        _ batch: ForwardBatch, workspace: Workspace, cache: KVCache, features: FeatureStore, probe: Probe? = nil
    ) throws(ModelError) {
        try batch.validate(workspace.configuration, workspace.limits)
        self.batch = batch
        self.workspace = workspace
        self.cache = cache
        self.probe = probe
        var splices: [Splice] = []
        for span in batch.imageSpans {
            guard let rows = features[span.image] else { throw .unknownImage(span.image) }
            splices.append(Splice(features: rows.rows(span.featureRows), rows: span.rows))
        }
        self.splices = splices
        var integers = BatchIntegers(workspace.tensor(\.decoder.integers))
        let width = batch.pages.map(\.count).max() ?? 0
        tokenIDs = integers.append(batch.tokenIDs)
        positions = integers.append(batch.positions)
        slots = integers.append(batch.slots)
        sampledRows = integers.append(batch.sampledRows)
        layout = SequenceLayout(
            offsets: batch.offsets, contextLengths: batch.contextLengths, pagesPerSequence: width,
            deviceOffsets: integers.append(batch.offsets),
            deviceContextLengths: integers.append(batch.contextLengths),
            devicePageTable: integers.append(table: batch.pages, width: width))
        let packed = integers
        try mappingTensorError { () throws(TensorError) in try packed.upload(workspace.backend) }
    }

    /// The backend that runs the forward.
    var backend: any Backend { workspace.backend }
}

/// Packs the arrays of a batch into one int32 buffer, so that a step costs one upload.
struct BatchIntegers {
    private let buffer: Tensor
    private var elements: [Int32] = []

    init(_ buffer: Tensor) { self.buffer = buffer }

    /// Elements that the largest batch needs.
    static func capacity(_ configuration: GLM4VConfiguration, _ limits: ModelLimits) -> Int {
        let perRow = 3 * limits.maxRows + limits.maxSampledRows
        let perSequence = 2 + limits.pagesPerSequence(configuration)
        return perRow + limits.maxSequences * perSequence + 1
    }

    /// Adds an array; returns where it will be on the device.
    mutating func append(_ values: [Int32]) -> Tensor {
        let start = elements.count
        elements += values
        return buffer.rows(start..<start + values.count)
    }

    /// Adds rows of unequal length, filled up with zeros to `width`.
    mutating func append(table: [[Int32]], width: Int) -> Tensor {
        let padded = table.flatMap { $0 + [Int32](repeating: 0, count: width - $0.count) }
        return append(padded).reshaped([table.count, width])
    }

    func upload(_ backend: any Backend) throws(TensorError) { try backend.upload(elements, into: buffer) }
}
