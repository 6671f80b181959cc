#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// Runs an actor's jobs one after another on a thread of its own.
///
/// A forward pass blocks for milliseconds to minutes: on the shared pool it would starve every other task. The
/// thread sleeps while there is no job. (The pattern is GRDB's `DispatchQueueActor`, with a real thread because
/// device contexts belong to threads.)
///
/// `@unchecked`: the jobs and the flag are touched under the mutex only.
package final class DedicatedExecutor: SerialExecutor, @unchecked Sendable {
    private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
    private let wakeUp = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)
    private var jobs: [UnownedJob] = []
    private var isStopping = false

    /// Starts the thread.
    ///
    /// - Throws: `.noThread` when the system gives none.
    package init() throws(EngineError) {
        pthread_mutex_init(mutex, nil)
        pthread_cond_init(wakeUp, nil)
        try start()
    }

    deinit {
        pthread_cond_destroy(wakeUp)
        pthread_mutex_destroy(mutex)
        wakeUp.deallocate()
        mutex.deallocate()
    }

    private func start() throws(EngineError) {
        #if canImport(Musl)
            var thread: pthread_t?
        #else
            var thread = pthread_t()
        #endif
        // The thread keeps the executor alive until it is told to stop.
        let context = Unmanaged.passRetained(self)
        let status = pthread_create(
            &thread, nil,
            { context in
                guard let context else { return nil }
                Unmanaged<DedicatedExecutor>.fromOpaque(context).takeRetainedValue().run()
                return nil
            }, context.toOpaque())
        guard status == 0 else {
            context.release()
            throw .noThread(code: Int(status))
        }
        #if canImport(Musl)
            if let thread { pthread_detach(thread) }
        #else
            pthread_detach(thread)
        #endif
    }

    /// Adds a job behind those that wait.
    package func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        locked { jobs.append(job) }
        pthread_cond_signal(wakeUp)
    }

    package func asUnownedSerialExecutor() -> UnownedSerialExecutor { UnownedSerialExecutor(ordinary: self) }

    /// Ends the thread once the jobs enqueued so far have run.
    package func stop() {
        locked { isStopping = true }
        pthread_cond_signal(wakeUp)
    }

    private func run() {
        while let job = nextJob() { job.runSynchronously(on: asUnownedSerialExecutor()) }
    }

    /// Waits for a job; nil when there is none and none will come.
    private func nextJob() -> UnownedJob? {
        locked {
            while jobs.isEmpty && !isStopping { pthread_cond_wait(wakeUp, mutex) }
            return jobs.isEmpty ? nil : jobs.removeFirst()
        }
    }

    private func locked<Value>(_ body: () -> Value) -> Value {
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        return body()
    }
}
