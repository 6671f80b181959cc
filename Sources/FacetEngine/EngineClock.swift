/// Where the engine takes the time from: injected, so that tests need not wait.
public struct EngineClock: Sendable {
    /// Time since some fixed moment; never goes back.
    public let now: @Sendable () -> Duration

    /// Makes a clock of a function.
    public init(now: @escaping @Sendable () -> Duration) { self.now = now }

    /// The machine's steady clock.
    public static var continuous: EngineClock {
        let start = ContinuousClock.now
        return EngineClock { ContinuousClock.now - start }
    }
}
