package import FacetModel

/// The rows that a prompt becomes in the cache: tokens, and the rows of a picture in between.
///
///     tokenIDs   12  7  -1 -1 -1 -1  9  4       -1: row of the picture
///     positions   0  1   2  3  3  4  5  6       the patches share one position
package struct PromptRows: Sendable, Hashable {
    /// Token id of each row, `ForwardBatch.imageRow` for a row of the picture.
    package let tokenIDs: [Int32]

    /// Position id of each row.
    package let positions: [Int32]

    /// Which rows are the picture's; nil for text alone.
    package let imageRows: Range<Int>?

    /// The picture's content; nil for text alone.
    package let imageHash: ImageHash?

    /// Describes an expanded prompt.
    ///
    /// - Precondition: every row has a position, there is at least one, and a picture has rows and content.
    package init(tokenIDs: [Int32], positions: [Int32], imageRows: Range<Int>? = nil, imageHash: ImageHash? = nil) {
        precondition(!tokenIDs.isEmpty && tokenIDs.count == positions.count, "a prompt needs rows with positions")
        precondition((imageRows == nil) == (imageHash == nil), "picture rows come with the picture's content")
        self.tokenIDs = tokenIDs
        self.positions = positions
        self.imageRows = imageRows
        self.imageHash = imageHash
    }

    /// Number of rows.
    package var count: Int { tokenIDs.count }

    /// Position of the first token after the prompt.
    package var nextPosition: Int32 { (positions.last ?? -1) + 1 }
}

/// One request as the scheduler sees it: which rows are cached, which are known and still to be computed.
///
///     rows     | prompt .................. | generated ...... |
///              0            cachedCount →  rows.count         knownCount
///
/// The *cache index* of a row is its place in this line; its *position* is kept apart, because the rows of a
/// picture share one.
package struct SequenceState: Sendable {
    /// The request.
    package let id: RequestID

    /// The prompt.
    package let rows: PromptRows

    /// Tokens to generate at most.
    package let maxNewTokens: Int

    /// Ids that end the answer.
    package let stopIDs: [Int32]

    /// Ids generated so far, without the stop id.
    package private(set) var generated: [Int32] = []

    /// Rows whose keys and values are in the cache.
    package private(set) var cachedCount = 0

    /// Rows behind the cached ones that batches in progress compute.
    package private(set) var inFlightCount = 0

    /// Whether the cache is kept when the request ends with its last batch in progress; nil while it goes on.
    package var endsKeepingCache: Bool?

    /// Where the picture's features are, once admitted and as long as they are needed.
    package var image: ImageID?

    /// Describes a request before any work.
    package init(id: RequestID, rows: PromptRows, maxNewTokens: Int, stopIDs: [Int32]) {
        self.id = id
        self.rows = rows
        self.maxNewTokens = maxNewTokens
        self.stopIDs = stopIDs
    }

    /// Rows that exist: the prompt's and the generated ones.
    package var knownCount: Int { rows.count + generated.count }

    /// Known rows that are neither in the cache nor in progress.
    package var pendingCount: Int { knownCount - cachedCount - inFlightCount }

    /// Where the next row to compute stands.
    package var nextIndex: Int { cachedCount + inFlightCount }

    /// Whether the prompt is computed and single tokens follow.
    package var isDecoding: Bool { !generated.isEmpty }

    /// Rows that the cache must have room for before work starts, so that nothing fails midway.
    package var rowBudget: Int { rows.count + maxNewTokens }

    /// Whether rows of the picture are still to be computed.
    package var needsImage: Bool { cachedCount < (rows.imageRows?.upperBound ?? 0) }

    /// Token id and position of a known row.
    package func row(_ index: Int) -> (tokenID: Int32, position: Int32) {
        if index < rows.count { return (rows.tokenIDs[index], rows.positions[index]) }
        let step = index - rows.count
        return (generated[step], rows.nextPosition + Int32(step))
    }

    /// Starts behind rows that another sequence left in the cache.
    package mutating func adopt(rowCount: Int) {
        precondition(cachedCount == 0 && rowCount < rows.count, "at least one prompt row must be computed")
        cachedCount = rowCount
    }

    /// Notes that a batch computes the next `count` rows.
    package mutating func begin(_ count: Int) {
        precondition(count <= pendingCount, "request \(id) computes rows that it does not have")
        inFlightCount += count
    }

    /// Notes that the oldest `count` rows in progress are in the cache.
    package mutating func advance(_ count: Int) {
        precondition(count <= inFlightCount, "request \(id) has rows in the cache that nobody computed")
        inFlightCount -= count
        cachedCount += count
    }

    /// Notes that the rows in progress will not be computed.
    package mutating func abandon() { inFlightCount = 0 }

    /// Takes a sampled id.
    ///
    /// - Returns: why the answer ends with it, or nil when it goes on.
    package mutating func append(_ tokenID: Int32) -> FinishReason? {
        if stopIDs.contains(tokenID) { return .stop }
        generated.append(tokenID)
        return generated.count >= maxNewTokens ? .length : nil
    }
}

/// What a finished request left in the cache for the next turn of its conversation.
package struct RetainedSequence: Sendable {
    /// The owner of the pages.
    package let id: RequestID

    /// Token id of each cached row.
    package let tokenIDs: [Int32]

    /// How many of the rows are the prompt's; the rest is the answer's.
    package let promptRowCount: Int

    /// First row of the picture, and its content.
    package let image: (firstRow: Int, hash: ImageHash)?

    /// Keeps the cached rows of a sequence.
    package init(_ sequence: SequenceState) {
        id = sequence.id
        promptRowCount = min(sequence.cachedCount, sequence.rows.count)
        tokenIDs = (0..<sequence.cachedCount).map { sequence.row($0).tokenID }
        if let rows = sequence.rows.imageRows, let hash = sequence.rows.imageHash {
            image = (rows.lowerBound, hash)
        } else {
            image = nil
        }
    }

    /// How many leading rows of a prompt these rows are: equal ids, and the same picture.
    package func commonPrefix(with rows: PromptRows) -> Int {
        var count = 0
        while count < min(tokenIDs.count, rows.count) && tokenIDs[count] == rows.tokenIDs[count] { count += 1 }
        // Picture rows all carry the same id: whose picture it is, the hash tells.
        if let imageRows = rows.imageRows, count > imageRows.lowerBound, image?.hash != rows.imageHash {
            return imageRows.lowerBound
        }
        return count
    }
}
