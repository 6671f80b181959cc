/// Names a picture that has been handed to a runner, for as long as sequences refer to it.
public struct ImageID: Sendable, Hashable {
    /// Number chosen by whoever handed the picture in.
    public let rawValue: Int

    /// Names a picture.
    public init(_ rawValue: Int) { self.rawValue = rawValue }
}

/// Rows of a batch that are rows of a picture instead of embedded tokens.
public struct ImageSpan: Sendable, Hashable {
    /// The picture.
    public let image: ImageID

    /// Which rows of the batch.
    public let rows: Range<Int>

    /// Which rows of the picture's features (begin row, patches, end row); as many as `rows`.
    ///
    /// A prefill chunk may hold only part of a picture.
    public let featureRows: Range<Int>

    /// Describes a span.
    ///
    /// - Precondition: both ranges have the same length.
    public init(image: ImageID, rows: Range<Int>, featureRows: Range<Int>) {
        precondition(rows.count == featureRows.count, "a span maps row to row")
        self.image = image
        self.rows = rows
        self.featureRows = featureRows
    }
}

/// One step's work for the model: the only value that crosses from scheduling to mathematics.
///
/// Sequences of any length are packed one after another, without padding; a step may mix prefill chunks
/// and single decode rows. The scheduler fills it without seeing a tensor, the model reads it without
/// seeing a request.
///
///     rows          | seq 0: prefill chunk      | seq 1: decode | seq 2: decode |
///     offsets       0                           n               n+1             n+2
///     tokenIDs      [12, 7, -1, -1, -1, 9, ...,  31,             4             ]     -1: image row
///     positions     [0, 1,  2,  3,  3,  4, ...,  57,             80            ]
///     slots         where each row's key and value are written: page · pageSize + offset
public struct ForwardBatch: Sendable, Hashable {
    /// What `tokenIDs` holds for a row that comes from a picture.
    public static let imageRow: Int32 = -1

    /// Token id of each row, or `imageRow`.
    public var tokenIDs: [Int32] = []

    /// Position id of each row (rotary embedding); rows of a picture's patches share one.
    public var positions: [Int32] = []

    /// Cache slot of each row.
    public var slots: [Int32] = []

    /// Start row of each sequence and the end of the last: `[sequences + 1]`.
    public var offsets: [Int32] = [0]

    /// Tokens of each sequence in the cache after this step, its new rows included: `[sequences]`.
    public var contextLengths: [Int32] = []

    /// Pages of each sequence in order: at least `contextLength / pageSize`, rounded up.
    public var pages: [[Int32]] = []

    /// Rows that take picture features.
    public var imageSpans: [ImageSpan] = []

    /// Rows whose logits are wanted, ascending; at most the last row of each sequence in normal use.
    public var sampledRows: [Int32] = []

    /// How many of the best logits of each sampled row suffice; nil when all are wanted.
    ///
    /// The model computes all of them: it is for who brings them to the host.
    public var sufficientLogits: Int?

    /// Makes an empty batch.
    public init() {}

    /// Number of rows.
    public var rowCount: Int { tokenIDs.count }

    /// Number of sequences.
    public var sequenceCount: Int { contextLengths.count }
}
