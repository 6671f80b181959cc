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

    /// Batches that may be in progress at a time: stages on different devices work on different batches.
    var pipelineDepth: Int { get }

    /// Begins a step; at most `pipelineDepth` are in progress at a time.
    ///
    /// After an error here or in `collect`, no batch is in progress any more.
    func enqueue(_ batch: ForwardBatch) throws(EngineError)

    /// Waits for the oldest step in progress.
    ///
    /// - Returns: one row of logits for each of the batch's `sampledRows`; valid until the next `enqueue`.
    func collect() throws(EngineError) -> Logits

    /// What each device was expected to hold, and what it holds; empty where nobody knows.
    func deviceReports() -> [DeviceReport]

    /// Runs a batch that was just collected again to name the first point whose values are NaN or infinite.
    ///
    /// - Returns: the point, such as `hidden.7`; nil when it cannot be told.
    func locateNonFinite(_ batch: ForwardBatch) -> String?
}

extension Runner {
    /// Runs one step from beginning to end.
    ///
    /// - Returns: as `collect`.
    public func forward(_ batch: ForwardBatch) throws(EngineError) -> Logits {
        try enqueue(batch)
        return try collect()
    }

    /// Nobody knows.
    public func deviceReports() -> [DeviceReport] { [] }
}
