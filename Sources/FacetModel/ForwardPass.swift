import FacetPlacement
import FacetTensor

/// What one forward may use: the checked batch with its integers on the devices, and all memory it works in.
public struct ForwardPass {
    /// The work.
    public let batch: ForwardBatch

    let memory: ModelMemory
    let probe: Probe?
    let splices: [Splice]
    private let integers: [DeviceIntegers?]  // one per device, nil where no unit needs them

    /// Rows of a picture and where they go.
    struct Splice {
        let features: Tensor
        let rows: Range<Int>
    }

    /// Checks a batch and hands its integers to the devices of the decoder.
    ///
    /// - Parameter probe: sees the tensors at every named point; slows the forward down.
    /// - Throws: `.invalidBatch`, `.unknownImage`, `.tensor`.
    public init(_ batch: ForwardBatch, memory: ModelMemory, probe: Probe? = nil) throws(ModelError) {
        try batch.validate(memory.configuration, memory.limits)
        self.batch = batch
        self.memory = memory
        self.probe = probe
        var splices: [Splice] = []
        for span in batch.imageSpans {
            guard let rows = memory.features[span.image] else { throw .unknownImage(span.image) }
            splices.append(Splice(features: rows.rows(span.featureRows), rows: span.rows))
        }
        self.splices = splices
        let needed = Set(memory.placement.decoder.dropLast().map(\.device))
        integers = try mappingTensorError { () throws(TensorError) in
            var integers: [DeviceIntegers?] = []
            for device in memory.devices.indices {
                integers.append(
                    needed.contains(device)
                        ? try DeviceIntegers(
                            batch, memory.workspace(on: device),
                            pageLimit: memory.limits.pagesPerSequence(memory.configuration)) : nil)
            }
            return integers
        }
    }

    /// Keys and values.
    var cache: KVCache { memory.cache }

    /// Whether only the sampled rows go on from the last layer: where nobody looks at all of them.
    var endsWithSampledRows: Bool { probe == nil && batch.sampledRows.count < batch.rowCount }

    /// The batch's integers on a device of the decoder.
    func integers(at place: Place) -> DeviceIntegers {
        guard let integers = integers[place.device] else {
            preconditionFailure("device \(place.device) has no unit of the decoder")
        }
        return integers
    }

    /// Names the operations of some decoder layers on a device, where they come again with the next token.
    ///
    /// They do while every sequence has one new row; nil otherwise.
    func replayKey(_ layers: Range<Int>, at place: Place) -> ReplayKey? {
        guard probe == nil, batch.rowCount == batch.contextLengths.count, batch.rowCount > 0 else { return nil }
        return ReplayKey(
            layers: layers, rows: batch.rowCount, sampledRows: batch.sampledRows.count,
            pagesPerSequence: integers(at: place).layout.pagesPerSequence)
    }

    /// What a decoder layer may use on its device.
    func step(at place: Place, _ rotary: [RotaryTable?]) -> DecoderStep {
        guard let table = rotary[place.device] else {
            preconditionFailure("device \(place.device) has no decoder layer")
        }
        return DecoderStep(
            backend: place.backend, workspace: place.workspace, integers: integers(at: place), rotary: table)
    }
}

/// What the operations of decoder layers depend on while every sequence has one new row.
struct ReplayKey: Hashable, Sendable {
    let layers: Range<Int>
    let rows: Int
    let sampledRows: Int
    let pagesPerSequence: Int
}

/// What a decoder layer may use on its device during one forward.
struct DecoderStep {
    let backend: any Backend
    let workspace: Workspace
    let integers: DeviceIntegers
    let rotary: RotaryTable
}

/// A batch's integers on one device.
struct DeviceIntegers {
    let tokenIDs: Tensor  // [rows], int32
    let positions: Tensor  // [rows], int32
    let slots: Tensor  // [rows], int32
    let sampledRows: Tensor  // [sampled], int32
    let layout: SequenceLayout

    /// - Parameter pageLimit: the most pages of a sequence.
    init(_ batch: ForwardBatch, _ workspace: Workspace, pageLimit: Int) throws(TensorError) {
        var integers = BatchIntegers(workspace.tensor(\.decoder.integers))
        let width = Self.tableWidth(pages: batch.pages.map(\.count).max() ?? 0, limit: pageLimit)
        tokenIDs = integers.append(batch.tokenIDs)
        positions = integers.append(batch.positions)
        slots = integers.append(batch.slots)
        sampledRows = integers.append(batch.sampledRows)
        layout = SequenceLayout(
            offsets: batch.offsets, contextLengths: batch.contextLengths, pagesPerSequence: width,
            deviceOffsets: integers.append(batch.offsets),
            deviceContextLengths: integers.append(batch.contextLengths),
            devicePageTable: integers.append(table: batch.pages, width: width))
        try workspace.reclaim()
        try integers.upload(workspace.backend)
    }

    /// The table's columns: a power of two, so that a growing sequence changes them seldom.
    private static func tableWidth(pages: Int, limit: Int) -> Int {
        var width = 1
        while width < pages { width *= 2 }
        return max(pages, min(width, limit))
    }
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
