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

    /// Begins to encode a picture into a free feature slot; one picture at a time.
    ///
    /// At most `limits.maxImages` pictures are begun or encoded and not released at a time.
    /// - Parameters:
    ///   - image: names the features from now on.
    ///   - pixels: `[3, side, side]`, normalized.
    func beginEncoding(_ image: ImageID, pixels: [Float]) throws(EngineError)

    /// Goes on with the picture that was begun, no further than steps enqueued now can bear to wait behind.
    ///
    /// - Parameter waits: whether to wait until some more of it has run: right when there is nothing else to do.
    /// - Returns: the share that has run, 0 to 1; at 1 the features are there, and the next picture may be begun.
    /// - Throws: `.nonFinite` with the first layer that gave NaN or infinity; the picture is given up and everything
    ///   else goes on. After any other error nothing is in progress any more, batches included.
    func advanceEncoding(waits: Bool) throws(EngineError) -> Double

    /// Gives up the picture that was begun.
    func abandonEncoding()

    /// Gives up a picture's features.
    func release(_ image: ImageID)

    /// Batches that may be in progress at a time: stages on different devices work on different batches.
    var pipelineDepth: Int { get }

    /// Begins a step; at most `pipelineDepth` are in progress at a time.
    ///
    /// After an error here or in `collect`, nothing is in progress any more, the picture that was begun included.
    func enqueue(_ batch: ForwardBatch) throws(EngineError)

    /// Waits for the oldest step in progress.
    ///
    /// - Returns: one row of logits for each of the batch's `sampledRows`, or where the batch says that they suffice,
    ///   the best of each; valid until the next `enqueue`.
    func collect() throws(EngineError) -> Logits

    /// Runs a batch that was just collected again, for whole rows of logits; valid until the next call.
    func repeatForAllLogits(_ batch: ForwardBatch) throws(EngineError) -> Logits

    /// What each device was expected to hold, and what it holds; empty where nobody knows.
    func deviceReports() -> [DeviceReport]

    /// Runs a batch that was just collected again to name the first point whose values are NaN or infinite.
    ///
    /// - Returns: the point, such as `hidden.7`; nil when it cannot be told.
    func locateNonFinite(_ batch: ForwardBatch) -> String?
}

extension Runner {
    /// Encodes a picture from beginning to end.
    public func encode(_ image: ImageID, pixels: [Float]) throws(EngineError) {
        try beginEncoding(image, pixels: pixels)
        while try advanceEncoding(waits: true) < 1 {}
    }

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
