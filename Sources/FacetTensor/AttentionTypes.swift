/// Head counts of a decoder layer's attention.
public struct AttentionShape: Sendable, Hashable {
    /// Query heads.
    public let heads: Int

    /// Key/value heads; divides `heads`.
    public let groups: Int

    /// Elements of one head.
    public let headDimension: Int

    /// Describes the heads of one layer.
    ///
    /// - Precondition: `groups` divides `heads`.
    public init(heads: Int, groups: Int, headDimension: Int) {
        precondition(groups > 0 && heads % groups == 0, "\(groups) groups do not divide \(heads) heads")
        self.heads = heads
        self.groups = groups
        self.headDimension = headDimension
    }

    /// Columns of the queries.
    public var queryWidth: Int { heads * headDimension }

    /// Columns of the keys, and of the values.
    public var keyWidth: Int { groups * headDimension }

    /// Columns of the fused projection.
    public var projectionWidth: Int { queryWidth + 2 * keyWidth }
}

/// Cosines and sines of every position, in float32.
public struct RotaryTable: Sendable {
    /// `[positions, rotatedDimension / 2]`, float32.
    public let cosines: Tensor

    /// `[positions, rotatedDimension / 2]`, float32.
    public let sines: Tensor

    /// How many leading elements of a head are rotated.
    public let rotatedDimension: Int

    /// Describes a table that lives on the device that uses it.
    public init(cosines: Tensor, sines: Tensor, rotatedDimension: Int) {
        self.cosines = cosines
        self.sines = sines
        self.rotatedDimension = rotatedDimension
    }

    /// Number of positions.
    public var positionCount: Int { cosines.rowCount }
}

/// One layer's keys and values in pages.
///
///     keys  [pages, pageSize, groups, headDimension]      slot = page · pageSize + offset
///
/// A slot's key is `groups · headDimension` contiguous elements, already rotated.
///
/// A quantized cache is uint8, `[pages, pageSize, groups, headDimension + 4]`: a head's elements as signed bytes, and
/// behind them the float32 scale that they are to be multiplied by, the largest magnitude of the head over 127.
public struct KVLayerCache: Sendable {
    /// Bytes of the scale behind each head of a quantized cache.
    public static let scaleByteCount = 4

    /// `[pages, pageSize, groups, headDimension]`, activation dtype; or quantized.
    public let keys: Tensor

    /// Same shape and dtype as `keys`.
    public let values: Tensor

    /// Describes the pages of one layer.
    public init(keys: Tensor, values: Tensor) {
        self.keys = keys
        self.values = values
    }

    /// Tokens that one page holds.
    public var pageSize: Int { keys.shape[1] }

    /// Whether keys and values are bytes with a scale per head.
    public var isQuantized: Bool { keys.dtype == .uint8 }
}

/// Which rows of a packed batch, and which pages, belong to which sequence.
///
///     rows      | sequence 0 | sequence 1 | sequence 2 |
///     offsets   0            3            4            9        [sequences + 1]
///
/// Every number is held twice: on the device for kernels, on the host for launch geometry.
public struct SequenceLayout: Sendable {
    /// Start row of each sequence and the end of the last, `[sequences + 1]`.
    public let offsets: [Int32]

    /// Tokens of each sequence in the cache once the batch is written, new rows included, `[sequences]`.
    public let contextLengths: [Int32]

    /// Pages that the page table has room for, per sequence.
    public let pagesPerSequence: Int

    /// `offsets` on the device: int32 `[sequences + 1]`.
    public let deviceOffsets: Tensor

    /// `contextLengths` on the device: int32 `[sequences]`.
    public let deviceContextLengths: Tensor

    /// Page ids, int32 `[sequences, pagesPerSequence]`, on the device; unused entries are 0.
    public let devicePageTable: Tensor

    /// Describes a batch whose numbers are already on the device.
    public init(
        offsets: [Int32], contextLengths: [Int32], pagesPerSequence: Int, deviceOffsets: Tensor,
        deviceContextLengths: Tensor, devicePageTable: Tensor
    ) {
        self.offsets = offsets
        self.contextLengths = contextLengths
        self.pagesPerSequence = pagesPerSequence
        self.deviceOffsets = deviceOffsets
        self.deviceContextLengths = deviceContextLengths
        self.devicePageTable = devicePageTable
    }

    /// Number of sequences.
    public var sequenceCount: Int { contextLengths.count }
}
