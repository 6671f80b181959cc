public import FacetModel
public import FacetTensor

/// Runs the real model: weights, cache, scratch memory and picture features on one backend.
///
/// All memory is taken when it is made; nothing allocates tensors afterwards.
public final class ModelRunner: Runner {
    public let limits: ModelLimits

    private let model: GLM4V
    private let backend: any Backend
    private let workspace: Workspace
    private let cache: KVCache
    private let features: FeatureStore
    private let logits: Logits

    /// Takes the memory that a model needs within limits.
    ///
    /// - Parameters:
    ///   - model: its weights are bound to `backend`.
    ///   - limits: every batch keeps to them.
    /// - Throws: `.model` with what does not fit into memory.
    public init(_ model: GLM4V, limits: ModelLimits, backend: any Backend) throws(EngineError) {
        self.model = model
        self.limits = limits
        self.backend = backend
        let (configuration, dtype) = (model.configuration, model.dtype)
        do {
            workspace = try Workspace(configuration, limits: limits, dtype: dtype, backend: backend)
            cache = try KVCache(configuration, limits: limits, dtype: dtype, backend: backend)
            features = try FeatureStore(configuration, limits: limits, dtype: dtype, backend: backend)
        } catch { throw .model(error) }
        logits = Logits(capacity: limits.maxSampledRows, vocabularySize: configuration.vocabularySize)
    }

    public var vocabularySize: Int { model.configuration.vocabularySize }

    public var imageRowCount: Int { model.configuration.imageRowCount }

    public func prepare(
        _ image: ImageID, pixels: [Float], progress: @escaping (Double) -> Void
    ) throws(EngineError) {
        let place: Tensor
        do { place = try features.reserve(image) } catch { throw .model(error) }
        do {
            try encode(pixels, into: place, progress)
        } catch {
            features.release(image)
            throw error
        }
    }

    private func encode(
        _ pixels: [Float], into place: Tensor, _ progress: @escaping (Double) -> Void
    ) throws(EngineError) {
        // Patch embedding, layers, convolution, projector, begin and end rows.
        let pointCount = Double(model.configuration.vision.layerCount + 4)
        var passed = 0.0
        try encode(pixels, into: place) { (_, _) throws(TensorError) in
            passed += 1
            progress(min(passed / pointCount, 1))
        }
        let isBroken = try Self.wrapping { () throws(TensorError) in try backend.containsNonFinite(place) }
        guard isBroken else { return }
        let finder = NonFiniteFinder(backend)
        try encode(pixels, into: place, probe: finder.probe)
        throw .nonFinite(layer: finder.firstPoint ?? "vision.output")
    }

    private func encode(_ pixels: [Float], into place: Tensor, probe: @escaping Probe) throws(EngineError) {
        // The pixels' place is scratch memory: it is filled anew for every run.
        try Self.wrapping { () throws(TensorError) in
            try pixels.withUnsafeBufferPointer { (pixels) throws(TensorError) in
                try backend.upload(UnsafeRawBufferPointer(pixels), into: workspace.pixels)
            }
        }
        do {
            try model.encode(pixels: workspace.pixels, into: place, workspace: workspace, probe: probe)
        } catch { throw .model(error) }
    }

    public func release(_ image: ImageID) { features.release(image) }

    public func forward(_ batch: ForwardBatch) throws(EngineError) -> Logits {
        do { try run(batch, probe: nil) } catch { throw .model(error) }
        let count = batch.sampledRows.count
        try logits.fill(rowCount: count) { (rows) throws(EngineError) in
            guard count > 0 else { return }
            try Self.wrapping { () throws(TensorError) in
                try backend.download(workspace.logits(rows: count), into: UnsafeMutableRawBufferPointer(rows))
            }
        }
        return logits
    }

    public func locateNonFinite(_ batch: ForwardBatch) -> String? {
        let finder = NonFiniteFinder(backend)
        // A second failure here would hide the first: what was found until then is the answer.
        try? run(batch, probe: finder.probe)
        return finder.firstPoint
    }

    private static func wrapping<Value>(_ work: () throws(TensorError) -> Value) throws(EngineError) -> Value {
        do { return try work() } catch { throw .tensor(error) }
    }

    private func run(_ batch: ForwardBatch, probe: Probe?) throws(ModelError) {
        try model.forward(
            ForwardPass(batch, workspace: workspace, cache: cache, features: features, probe: probe))
    }
}
