import Dispatch
import Foundation
import Synchronization

/// Runs probes one after the other, each with a time limit.
///
/// A probe that hangs, as a driver or a network file system can, keeps its thread and is left behind; the process can
/// end nevertheless. Threads are plain ones: a task that blocks would take one of the few that tasks share.
struct ProbeRun {
    /// How each probe ended so far.
    private(set) var outcomes: [ProbeFacts] = []

    /// Runs a probe.
    ///
    /// - Returns: what it found; nil when it failed or took longer than the limit.
    mutating func callAsFunction<Value: Sendable>(
        _ name: String, of subject: String? = nil, limit: Duration, _ body: @escaping @Sendable () throws -> Value
    ) async -> Value? {
        let clock = ContinuousClock()
        let start = clock.now
        let result = await Self.result(limit, body)
        let elapsed = result == nil ? limit : clock.now - start
        var facts = ProbeFacts(name: name, of: subject, outcome: .finished, seconds: elapsed / .seconds(1))
        switch result {
        case .success: break
        case .failure(let error): (facts.outcome, facts.reason) = (.failed, "\(error)")
        case nil: facts.outcome = .timedOut
        }
        outcomes.append(facts)
        return try? result?.get()
    }

    /// What a body returns or throws; nil when the limit is over first.
    private static func result<Value: Sendable>(
        _ limit: Duration, _ body: @escaping @Sendable () throws -> Value
    ) async -> Result<Value, any Error>? {
        let finished = DispatchSemaphore(value: 0)
        let box = ResultBox<Value>()
        return await withCheckedContinuation { continuation in
            Thread.detachNewThread {
                let result = Result { try body() }
                box.result.withLock { $0 = result }
                finished.signal()
            }
            Thread.detachNewThread {
                _ = finished.wait(timeout: .now() + limit / .seconds(1))
                continuation.resume(returning: box.result.withLock { $0 })
            }
        }
    }
}

/// Where a probe leaves its result.
private final class ResultBox<Value: Sendable>: Sendable {
    let result = Mutex<Result<Value, any Error>?>(nil)
}

/// Waits on a plain thread for a task.
enum Blocking {
    /// Runs a task and waits for it.
    ///
    /// Only for threads of `ProbeRun`: one that tasks share must not wait for another task.
    static func value<Value: Sendable>(_ body: @escaping @Sendable () async throws -> Value) throws -> Value {
        let finished = DispatchSemaphore(value: 0)
        let box = ResultBox<Value>()
        Task.detached {
            do {
                let value = try await body()
                box.result.withLock { $0 = .success(value) }
            } catch {
                box.result.withLock { $0 = .failure(error) }
            }
            finished.signal()
        }
        finished.wait()
        guard let result = box.result.withLock({ $0 }) else { throw CancellationError() }
        return try result.get()
    }
}
