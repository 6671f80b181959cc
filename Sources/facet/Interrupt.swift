import Dispatch
import Foundation
import Synchronization

/// Turns Control-C into a polite request; a second one ends the process at once.
///
/// `@unchecked`: the source is made, resumed and cancelled once; its handler shares nothing but a lock.
final class Interrupt: @unchecked Sendable {
    private let source: any DispatchSourceSignal

    /// Calls `body` on the first Control-C from now on.
    init(_ body: @escaping @Sendable () -> Void) {
        signal(SIGINT, SIG_IGN)
        let hasFired = Mutex(false)
        let source = DispatchSource.makeSignalSource(signal: SIGINT, queue: .global())
        source.setEventHandler {
            let isSecond = hasFired.withLock { fired in
                defer { fired = true }
                return fired
            }
            if isSecond { _exit(130) }
            body()
        }
        // Another thread registers the source, on a busy machine later than the first token: until then Control-C would be
        // ignored. Nobody should wait for ever for one that does not come.
        let isRegistered = DispatchSemaphore(value: 0)
        source.setRegistrationHandler { isRegistered.signal() }
        source.resume()
        _ = isRegistered.wait(timeout: .now() + .seconds(1))
        self.source = source
    }

    deinit {
        source.cancel()
        signal(SIGINT, SIG_DFL)
    }
}
