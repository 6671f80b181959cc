import CCUDA

/// Work that was recorded instead of run, to be run as a whole again and again.
///
/// `@unchecked`: the handle never changes; whoever captures is the backend's one thread.
public final class CUDAGraph: @unchecked Sendable {
    fileprivate let context: CUDAContext
    fileprivate let handle: CUgraph

    fileprivate init(_ context: CUDAContext, _ handle: CUgraph) {
        self.context = context
        self.handle = handle
    }

    deinit { context.release { $0.pointee.graphDestroy(handle) } }

    /// Kernels, copies and the rest, each counted once.
    public func nodeCount() throws(CUDAError) -> Int {
        var count = 0
        try context.call("cuGraphGetNodes") { $0.pointee.graphGetNodes(handle, nil, &count) }
        return count
    }

    /// Makes it ready to run.
    public func instantiate() throws(CUDAError) -> CUDAGraphExecutable {
        var executable: CUgraphExec?
        try context.call("cuGraphInstantiate") { $0.pointee.graphInstantiate(&executable, handle, 0) }
        guard let executable else {
            throw .callFailed(
                device: context.device, call: "cuGraphInstantiate", result: "no graph", reason: "the driver is faulty")
        }
        return CUDAGraphExecutable(context, executable)
    }
}

/// A graph that is ready to run; at most one run of it is in progress at a time.
///
/// `@unchecked`: the handle never changes; whoever launches is the backend's one thread.
public final class CUDAGraphExecutable: @unchecked Sendable {
    private let context: CUDAContext
    private let handle: CUgraphExec

    fileprivate init(_ context: CUDAContext, _ handle: CUgraphExec) {
        self.context = context
        self.handle = handle
    }

    deinit { context.release { $0.pointee.graphExecDestroy(handle) } }

    /// Moves the graph to the card before its first run, which is then as fast as the others.
    public func upload(on stream: CUDAStream) throws(CUDAError) {
        try context.call("cuGraphUpload") { $0.pointee.graphUpload(handle, stream.handle) }
    }

    /// Enqueues a run.
    public func launch(on stream: CUDAStream) throws(CUDAError) {
        try context.call("cuGraphLaunch") { $0.pointee.graphLaunch(handle, stream.handle) }
    }

    /// Takes over the parameters of another graph of the same form.
    ///
    /// - Returns: false when the form differs; then the other graph has to be instantiated.
    public func update(from graph: CUDAGraph) throws(CUDAError) -> Bool {
        var answer = CUgraphExecUpdateResultInfo()
        let result = try context.query("cuGraphExecUpdate") {
            $0.pointee.graphExecUpdate(handle, graph.handle, &answer)
        }
        if result == CUDA_ERROR_GRAPH_EXEC_UPDATE_FAILURE { return false }
        try context.check(result, "cuGraphExecUpdate")
        return true
    }
}

extension CUDAStream {
    /// Records what the closure enqueues, here and on streams that wait for events of this one, without running it.
    ///
    /// The closure must not wait on the host, and streams that it forks to must be joined again.
    /// - Throws: what the closure throws; capturing ends then too.
    public func capture(_ body: () throws(CUDAError) -> Void) throws(CUDAError) -> CUDAGraph {
        try context.call("cuStreamBeginCapture") {
            $0.pointee.streamBeginCapture(handle, CU_STREAM_CAPTURE_MODE_THREAD_LOCAL)
        }
        var failure: CUDAError?
        do throws(CUDAError) { try body() } catch { failure = error }
        var graph: CUgraph?
        let ended = try context.query("cuStreamEndCapture") { $0.pointee.streamEndCapture(handle, &graph) }
        let captured = graph.map { CUDAGraph(context, $0) }
        if let failure { throw failure }
        try context.check(ended, "cuStreamEndCapture")
        guard let captured else {
            throw .callFailed(
                device: context.device, call: "cuStreamEndCapture", result: "no graph", reason: "the driver is faulty")
        }
        return captured
    }

    /// Whether the stream records instead of running.
    public func isCapturing() throws(CUDAError) -> Bool {
        var status = CU_STREAM_CAPTURE_STATUS_NONE
        try context.call("cuStreamIsCapturing") { $0.pointee.streamIsCapturing(handle, &status) }
        return status != CU_STREAM_CAPTURE_STATUS_NONE
    }
}
