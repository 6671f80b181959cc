public import FacetModel

/// What the engine needs of a model: encode a picture, run a batch.
///
/// Tests put a fake in its place. A runner is confined to the engine's thread and is not `Sendable`; the engine takes it as `sending`.
public protocol Runner: AnyObject {
    /// Sizes that every batch keeps to.
    var limits: ModelLimits { get }

    /// Numbers of a row of logits.
    var vocabularySize: Int { get }

    /// Rows that a picture takes in the cache.
    var imageRowCount: Int { get }

    /// Encodes a picture into a free feature slot.
    ///
    /// At most `limits.maxImages` pictures are prepared and not released at a time.
    /// - Parameters:
    ///   - image: names the features from now on.
    ///   - pixels: `[3, side, side]`, normalized.
    ///   - progress: called now and then with the finished share, 0 to 1.
    func prepare(_ image: ImageID, pixels: [Float], progress: @escaping (Double) -> Void) throws(EngineError)

    /// Gives up a picture's features.
    func release(_ image: ImageID)

    /// Runs one step.
    ///
    /// - Returns: one row of logits for each of the batch's `sampledRows`; valid until the next call.
    func forward(_ batch: ForwardBatch) throws(EngineError) -> Logits

    /// Runs the last batch again to name the first point whose values are NaN or infinite.
    ///
    /// - Returns: the point, such as `hidden.7`; nil when it cannot be told.
    func locateNonFinite(_ batch: ForwardBatch) -> String?
}
