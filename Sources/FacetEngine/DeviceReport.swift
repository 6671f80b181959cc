public import FacetModel
public import FacetTensor

/// What a device was expected to hold, and what it holds.
public struct DeviceReport: Sendable {
    /// The device.
    public let device: DeviceID

    /// What the placement asks of it, term by term.
    public let demand: DeviceDemand

    /// Bytes that were expected to be counted there.
    public let predictedByteCount: Int

    /// What was counted; nil where nobody counts.
    public let use: MemoryUse?

    /// How its streamed units came to it; nil when all are resident.
    public let streaming: StreamTiming?

    /// How far the measured peak lies above (or, negative, below) the prediction, as a fraction of it.
    public var excess: Double? {
        guard let use, predictedByteCount > 0 else { return nil }
        return Double(use.peakByteCount - predictedByteCount) / Double(predictedByteCount)
    }
}
