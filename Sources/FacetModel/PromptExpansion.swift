/// A prompt as rows of the model: tokens, and a picture's rows in place of its three placeholder tokens.
///
///     ids        a  b  begin  pad  end  c  d               begin at index 2
///     rows       a  b  [begin | P patch rows | end]  c  d
///     positions  0  1   2       3 … 3          4     5  6
///
/// The whole picture costs one position, and its begin and end rows come from the vision side, as in the
/// published model; the tokens around it keep the positions that they have without expansion.
public struct PromptExpansion: Sendable, Hashable {
    /// Token id of each row, or `ForwardBatch.imageRow`.
    public let tokenIDs: [Int32]

    /// Position id of each row.
    public let positions: [Int32]

    /// The rows of the picture, begin and end rows included; nil without one.
    public let imageRows: Range<Int>?

    /// Position of the first token after the prompt: the number of unexpanded ids.
    public let nextPosition: Int

    /// Number of rows, which is the number of cache slots.
    public var rowCount: Int { tokenIDs.count }

    /// Expands the ids of a prompt.
    ///
    /// - Parameters:
    ///   - ids: unexpanded ids; a picture stands as begin, placeholder, end.
    ///   - imageCount: pictures that were handed in with the prompt.
    /// - Throws: `.tooManyImages`, `.imageTokens`.
    public init(_ ids: [Int32], imageCount: Int, configuration: GLM4VConfiguration) throws(ModelError) {
        let (begin, end) = (configuration.beginOfImageID, configuration.endOfImageID)
        let begins = ids.indices.filter { ids[$0] == begin }
        let ends = ids.indices.filter { ids[$0] == end }
        let count = max(imageCount, begins.count)
        guard count <= 1 else { throw .tooManyImages(count: count) }
        guard begins.count == imageCount else {
            throw .imageTokens(
                reason: imageCount == 0
                    ? "it has the place of a picture, but there is no picture"
                    : "there is a picture, but the prompt has no place for it")
        }
        guard ends == begins.map({ $0 + 2 }) else {
            throw .imageTokens(
                reason: "begin and end of a picture must enclose one token, but begin is at \(begins), end at \(ends)")
        }
        nextPosition = ids.count
        guard let start = begins.first else {
            tokenIDs = ids
            positions = ids.indices.map(Int32.init)
            imageRows = nil
            return
        }
        let patchCount = configuration.patchRowCount
        let pictureRows = [Int32](repeating: ForwardBatch.imageRow, count: configuration.imageRowCount)
        tokenIDs = ids[..<start] + pictureRows + ids[(start + 3)...]
        let patchPositions = [Int32](repeating: Int32(start + 1), count: patchCount)
        positions = (0...start).map(Int32.init) + patchPositions + (start + 2..<ids.count).map(Int32.init)
        imageRows = start..<start + pictureRows.count
    }
}
