import FacetTensor

/// Repeats operations as graphs: one launch for all of them, and nothing for the processor to do in between.
///
/// The first time that a key comes its operations run one by one, which chooses kernels and sets what is set once; the
/// second time they are recorded. Where a driver does not record them, they go on one by one.
final class GraphReplayer: Replayer {
    private enum Memory {
        case seen
        case graph(CUDAGraphExecutable, lastUse: Int)
        case refused
    }

    /// Graphs that are kept: batch sizes times powers of two of the context, as far as they are in use.
    private static let graphLimit = 64

    private let tensors: TensorStream
    private var memories: [AnyHashable: Memory] = [:]
    private var useCount = 0

    init(_ tensors: TensorStream) { self.tensors = tensors }

    func run(_ key: some Hashable & Sendable, _ body: () throws(TensorError) -> Void) throws(TensorError) {
        useCount += 1
        switch memories[key] {
        case .graph(let graph, _):
            memories[key] = .graph(graph, lastUse: useCount)
            try launch(graph)
        case .seen:
            guard let graph = try record(body) else {
                memories[key] = .refused
                return try body()
            }
            makeRoom()
            memories[key] = .graph(graph, lastUse: useCount)
            try launch(graph)
        case .refused: try body()
        case nil:
            try body()
            memories[key] = .seen
        }
    }

    /// How many graphs there are.
    var graphCount: Int {
        memories.values.count { if case .graph = $0 { true } else { false } }
    }

    private func launch(_ graph: CUDAGraphExecutable) throws(TensorError) {
        try tensors.run { () throws(CUDAError) in try graph.launch(on: tensors.stream) }
    }

    /// Records operations; nil where the driver cannot.
    private func record(_ body: () throws(TensorError) -> Void) throws(TensorError) -> CUDAGraphExecutable? {
        var failure: TensorError?
        do throws(CUDAError) {
            let graph = try tensors.stream.capture { () throws(CUDAError) in
                do throws(TensorError) { try body() } catch { failure = error }
            }
            if failure == nil { return try graph.instantiate() }
        } catch {
            // What a lost card says counts, not that it could not record.
            if let loss = tensors.context.lossReason { throw loss.asTensorError(tensors.device) }
        }
        // An error of the operations themselves comes again when they are enqueued one by one.
        return nil
    }

    /// Lets go of the graph that has not been used for the longest time, once there are too many.
    private func makeRoom() {
        guard graphCount >= Self.graphLimit else { return }
        let oldest = memories.min { use($0.value) < use($1.value) }
        if let oldest { memories[oldest.key] = .seen }
    }

    private func use(_ memory: Memory) -> Int {
        if case .graph(_, let lastUse) = memory { lastUse } else { .max }
    }
}
