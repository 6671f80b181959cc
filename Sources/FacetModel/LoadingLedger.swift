import FacetTensor

/// What the threads that load a model have done so far, and what went wrong.
///
/// After an error, units that come later in the order of the plan are not begun; those before it are, so that which
/// error is reported does not depend on which thread was faster.
///
/// `@unchecked`: what several threads touch is touched under the lock only.
final class LoadingLedger: @unchecked Sendable {
    /// A unit whose copies have been enqueued.
    struct BoundUnit: Sendable {
        /// Passes when the unit is on its device.
        let event: any DeviceEvent
        /// Whether the source's pages are needed until then, and not afterwards.
        let keepsPages: Bool
    }

    private let monitor = Monitor()
    private var bound: [LoadingPlan.Step: BoundUnit] = [:]
    private var failures: [Int: (step: LoadingPlan.Step?, error: ModelError)] = [:]
    private var networks: [Int: Network] = [:]
    private var isCancelled = false

    // MARK: For the threads

    /// Whether a unit is still wanted.
    func mayBegin(_ step: LoadingPlan.Step) -> Bool {
        monitor.withLock {
            !isCancelled && failures.values.allSatisfy { failure in failure.step.map { step < $0 } ?? true }
        }
    }

    func bind(_ step: LoadingPlan.Step, _ unit: BoundUnit) { change { bound[step] = unit } }

    /// Ends a device's thread with what it has bound.
    func finish(_ device: Int, _ network: Network) { change { networks[device] = network } }

    /// Ends a device's thread with what went wrong, at a step or, without one, outside of all.
    func fail(_ device: Int, at step: LoadingPlan.Step?, _ error: ModelError) {
        change { failures[device] = (step, error) }
    }

    // MARK: For who waits

    /// Waits until a unit is bound.
    ///
    /// - Throws: why its device does not come to it.
    func wait(for step: LoadingPlan.Step) throws(ModelError) -> BoundUnit {
        let result: Result<BoundUnit, ModelError> = monitor.withLock {
            while true {
                if let unit = bound[step] { return .success(unit) }
                if let failure = failures[step.device] { return .failure(failure.error) }
                monitor.wait()
            }
        }
        return try result.get()
    }

    /// Lets no thread begin another unit.
    func cancel() { change { isCancelled = true } }

    /// What each device's thread has bound, in the order of the devices, once all have ended without an error.
    var finished: [Network] { monitor.withLock { networks.sorted { $0.key < $1.key }.map(\.value) } }

    private func change(_ body: () -> Void) {
        monitor.withLock {
            body()
            monitor.notify()
        }
    }
}
