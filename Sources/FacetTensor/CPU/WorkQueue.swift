#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// A thread that carries out work in the order in which it arrives.
///
/// After an error the rest of the work passes without effect, until `drain` takes the error.
///
/// `@unchecked`: what several threads touch is touched under the lock only; `failure` belongs to the queue's thread.
package final class WorkQueue: @unchecked Sendable {
    /// What the thread carries out; the first error makes what follows pass without effect.
    package typealias Work = @Sendable () throws(TensorError) -> Void

    private enum Item: Sendable {
        case work(Work)
        case event(QueueEvent)
        case wait(any DeviceEvent)
        case drain(QueueEvent)
    }

    private let monitor = Monitor()
    private var items: [Item] = []
    private var isStopping = false
    private var failure: TensorError?

    /// Starts the thread; it lives until `stop`.
    ///
    /// - Throws: `.outOfMemory` when the system gives no thread.
    package init(device: DeviceID) throws(TensorError) {
        #if canImport(Musl)
            var thread: pthread_t?
        #else
            var thread = pthread_t()
        #endif
        // The thread keeps the queue alive until it is told to stop.
        let context = Unmanaged.passRetained(self)
        let status = pthread_create(
            &thread, nil,
            { context in
                guard let context else { return nil }
                Unmanaged<WorkQueue>.fromOpaque(context).takeRetainedValue().run()
                return nil
            }, context.toOpaque())
        guard status == 0 else {
            context.release()
            throw .outOfMemory(label: "the device's thread", byteCount: 0, device: device)
        }
        #if canImport(Musl)
            if let thread { pthread_detach(thread) }
        #else
            pthread_detach(thread)
        #endif
    }

    /// Adds work.
    package func enqueue(_ work: @escaping Work) { append(.work(work)) }

    /// Marks the present end of the queue.
    package func record() -> QueueEvent {
        let event = QueueEvent()
        append(.event(event))
        return event
    }

    /// Lets what follows wait for an event; its failure becomes this queue's.
    func wait(for event: any DeviceEvent) { append(.wait(event)) }

    /// Waits until everything has passed.
    ///
    /// - Throws: the first error since the last time; the queue works again afterwards.
    func drain() throws(TensorError) {
        let event = QueueEvent()
        append(.drain(event))
        try event.synchronize()
    }

    /// Ends the thread once everything enqueued so far has passed.
    package func stop() {
        monitor.withLock {
            isStopping = true
            monitor.notify()
        }
    }

    private func append(_ item: Item) {
        monitor.withLock {
            items.append(item)
            if items.count == 1 { monitor.notify() }
        }
    }

    private func run() {
        while var batch = nextItems() {
            // Taken out one by one: what an item keeps alive is let go before the next one runs.
            batch.reverse()
            while let item = batch.popLast() { carryOut(item) }
        }
    }

    /// Waits for items; nil when there are none and none will come.
    private func nextItems() -> [Item]? {
        monitor.withLock {
            while items.isEmpty && !isStopping { monitor.wait() }
            guard !items.isEmpty else { return nil }
            defer { items = [] }
            return items
        }
    }

    private func carryOut(_ item: Item) {
        switch item {
        case .work(let work):
            guard failure == nil else { return }
            do throws(TensorError) { try work() } catch { failure = error }
        case .event(let event): event.pass(failure)
        case .wait(let event):
            do throws(TensorError) { try event.synchronize() } catch { failure = failure ?? error }
        case .drain(let event):
            event.pass(failure)
            failure = nil
        }
    }
}

/// A point in a work queue.
///
/// `@unchecked`: everything is touched under the lock only.
package final class QueueEvent: DeviceEvent, @unchecked Sendable {
    private let monitor = Monitor()
    private var time: ContinuousClock.Instant?
    private var failure: TensorError?

    /// Notes that the queue has come here, and what had gone wrong before.
    func pass(_ failure: TensorError?) {
        monitor.withLock {
            time = .now
            self.failure = failure
            monitor.notify()
        }
    }

    package var hasPassed: Bool { passingTime != nil }

    package func synchronize() throws(TensorError) {
        let failure = monitor.withLock {
            while time == nil { monitor.wait() }
            return self.failure
        }
        if let failure { throw failure }
    }

    package func elapsed(since earlier: any DeviceEvent) -> Duration? {
        guard let earlier = (earlier as? QueueEvent)?.passingTime, let passingTime else { return nil }
        return passingTime - earlier
    }

    private var passingTime: ContinuousClock.Instant? { monitor.withLock { time } }
}
