import Synchronization

/// One question to the engine.
public final class Request: Sendable {
    /// What to continue.
    public let prompt: Prompt

    /// How to choose tokens and when to stop.
    public let sampling: SamplingParameters

    private let cancellation = Atomic<Bool>(false)

    /// Makes a request; it is submitted once.
    public init(_ prompt: Prompt, sampling: SamplingParameters) {
        self.prompt = prompt
        self.sampling = sampling
    }

    /// Asks the engine to stop at the next token.
    ///
    /// The stream then delivers what was produced and ends with `.finished` and the reason `cancelled`. May be
    /// called from any thread, a signal handler included; calling it twice changes nothing.
    public func cancel() { cancellation.store(true, ordering: .relaxed) }

    /// Whether `cancel` was called.
    public var isCancelled: Bool { cancellation.load(ordering: .relaxed) }
}
