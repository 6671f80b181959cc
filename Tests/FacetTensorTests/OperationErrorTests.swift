import FacetTensor
import Testing

/// Bad operands throw the error that names them; none reaches the C side.
@Suite("Errors of operations")
struct OperationErrorTests {
    private let backend: CPUBackend

    init() throws { backend = try CPUBackend(threadCount: 1) }

    private func floats(_ shape: Shape, _ dtype: DType = .float32) throws -> Tensor {
        try backend.allocate(shape, dtype, label: "test")
    }

    /// Expects a typed error whose operation and argument are the given ones.
    private func expectError(
        _ operation: String, _ argument: String, sourceLocation: SourceLocation = #_sourceLocation,
        _ body: () throws -> Void
    ) {
        let error = #expect(throws: TensorError.self, sourceLocation: sourceLocation) { try body() }
        let named: (String, String)? =
            switch error {
            case .shapeMismatch(let operation, let argument, _, _): (operation, argument)
            case .unsupportedDType(let operation, let argument, _, _): (operation, argument)
            case .wrongDevice(let operation, let argument, _, _): (operation, argument)
            case .indexOutOfRange(let operation, let argument, _, _): (operation, argument)
            case .outOfMemory, .pinningRefused, .notRepresentable, .deviceFailed, .unsupportedInstructionSet, nil: nil
            }
        #expect(named?.0 == operation, sourceLocation: sourceLocation)
        #expect(named?.1 == argument, sourceLocation: sourceLocation)
    }

    @Test("linear names the operand of the wrong shape or dtype")
    func linear() throws {
        let layer = try backend.bind(weight: floats([4, 8]), bias: nil)
        expectError("linear", "x") {
            try backend.linear(floats([2, 7]), layer, epilogue: .store, into: floats([2, 4]))
        }
        expectError("linear", "y") {
            try backend.linear(floats([2, 8]), layer, epilogue: .store, into: floats([3, 4]))
        }
        expectError("linear", "y") {
            try backend.linear(floats([2, 8]), layer, epilogue: .store, into: floats([2, 4], .bfloat16))
        }
        expectError("linear", "x") {
            try backend.linear(floats([2, 8], .float16), layer, epilogue: .store, into: floats([2, 4]))
        }
        expectError("bind(weight:bias:)", "bias") { _ = try backend.bind(weight: floats([4, 8]), bias: floats([5])) }
        expectError("bind(weight:bias:)", "weight") { _ = try backend.bind(weight: floats([4]), bias: nil) }
        expectError("bind(weight:bias:)", "weight") { _ = try backend.bind(weight: floats([4, 8], .int32), bias: nil) }
        expectError("bind(parameter:)", "parameter") { _ = try backend.bind(parameter: floats([4], .int32)) }
    }

    @Test("norms name the operand")
    func norms() throws {
        let weight = try floats([8]), x = try floats([2, 8])
        expectError("rmsNorm", "weight") {
            try backend.rmsNorm(x, RMSNormWeights(weight: floats([7]), epsilon: 1e-6), into: x)
        }
        expectError("rmsNorm", "y") {
            try backend.rmsNorm(x, RMSNormWeights(weight: weight, epsilon: 1e-6), into: floats([2, 8], .bfloat16))
        }
        expectError("layerNorm", "bias") {
            let norm = LayerNormWeights(weight: weight, bias: try floats([9]), epsilon: 1e-6)
            try backend.layerNorm(x, norm, epilogue: .store, into: x)
        }
        expectError("rmsNorm", "x") {
            let ids = try floats([2, 8], .int32)
            try backend.rmsNorm(ids, RMSNormWeights(weight: weight, epsilon: 1e-6), into: ids)
        }
    }

    @Test("elementwise operations name the operand")
    func elementwise() throws {
        expectError("gatedSiLU", "gateUp") { try backend.gatedSiLU(floats([2, 7]), into: floats([2, 4])) }
        expectError("gatedSiLU", "up") {
            try backend.gatedSiLU(gate: floats([2, 4]), up: floats([2, 4], .bfloat16), into: floats([2, 4]))
        }
        expectError("add", "x") { try backend.add(floats([4]), to: floats([5])) }
        expectError("add", "y") { try backend.add(floats([4]), to: floats([4], .float16)) }
        expectError("scale", "x") { try backend.scale(floats([4], .int32), by: 2) }
        expectError("copy", "x") { try backend.copy(floats([4]), into: floats([5])) }
        expectError("copy", "x") { try backend.copy(floats([4], .int32), into: floats([4])) }
        expectError("containsNonFinite", "x") { _ = try backend.containsNonFinite(floats([4], .uint8)) }
    }

    @Test("gathers name the operand, and the index that is out of range")
    func gathers() throws {
        let table = try floats([3, 4])
        #expect(throws: TensorError.indexOutOfRange(operation: "gatherRows", argument: "indices", index: 3, limit: 3)) {
            try backend.gatherRows(table, backend.tensor(indices: [0, 3]), into: floats([2, 4]))
        }
        expectError("gatherRows", "indices") { try backend.gatherRows(table, floats([2]), into: floats([2, 4])) }
        expectError("gatherRows", "y") {
            try backend.gatherRows(table, backend.tensor(indices: [0]), into: floats([1, 5]))
        }
        expectError("patchify", "pixels") {
            try backend.patchify(floats([1, 3, 10, 10]), patch: 4, into: floats([4, 48]))
        }
        expectError("patchify", "y") { try backend.patchify(floats([1, 3, 8, 8]), patch: 4, into: floats([4, 47])) }
        expectError("gatherNeighborhoods", "grid") {
            try backend.gatherNeighborhoods(floats([9, 2]), side: 3, into: floats([1, 8]))
        }
    }

    @Test("attention names the operand, position, slot, page or context")
    func attention() throws {
        expectError("bidirectionalAttention", "qkv") {
            try backend.bidirectionalAttention(floats([5, 12]), sequenceLength: 3, heads: 2, into: floats([5, 4]))
        }
        expectError("bidirectionalAttention", "y") {
            try backend.bidirectionalAttention(floats([6, 12]), sequenceLength: 3, heads: 2, into: floats([6, 5]))
        }
        let shape = AttentionShape(heads: 2, groups: 1, headDimension: 4)
        let cache = KVLayerCache(keys: try floats([3, 2, 1, 4]), values: try floats([3, 2, 1, 4]))
        let rotary = RotaryTable(cosines: try floats([5, 1]), sines: try floats([5, 1]), rotatedDimension: 2)
        func append(_ position: Int32, _ slot: Int32, _ cache: KVLayerCache) throws {
            try backend.rotateAndAppend(
                floats([1, 16]), shape: shape, rotary: rotary, positions: backend.tensor(indices: [position]),
                slots: backend.tensor(indices: [slot]), cache: cache, into: floats([1, 8]))
        }
        try append(4, 5, cache)
        expectError("rotateAndAppend", "positions") { try append(5, 0, cache) }
        expectError("rotateAndAppend", "slots") { try append(0, 6, cache) }
        expectError("rotateAndAppend", "slots") { try append(0, -1, cache) }
        expectError("rotateAndAppend", "cache.keys") {
            try append(0, 0, KVLayerCache(keys: floats([3, 2, 2, 4]), values: floats([3, 2, 2, 4])))
        }

        func attend(offsets: [Int32], context: Int32, page: Int32) throws {
            let layout = SequenceLayout(
                offsets: offsets, contextLengths: [context], pagesPerSequence: 2,
                deviceOffsets: try backend.tensor(indices: offsets),
                deviceContextLengths: try backend.tensor(indices: [context]),
                devicePageTable: try backend.tensor(indices: [page, 0]))
            try backend.pagedAttention(
                floats([1, 8]), shape: shape, cache: cache, layout: layout, into: floats([1, 8]))
        }
        try attend(offsets: [0, 1], context: 4, page: 2)
        expectError("pagedAttention", "contextLengths[0]") { try attend(offsets: [0, 1], context: 5, page: 2) }
        expectError("pagedAttention", "contextLengths[0]") { try attend(offsets: [0, 1], context: 0, page: 2) }
        expectError("pagedAttention", "pages") { try attend(offsets: [0, 1], context: 4, page: 3) }
        expectError("pagedAttention", "offsets") { try attend(offsets: [0, 2], context: 4, page: 2) }
    }

    @Test("a tensor of another device is refused")
    func devices() throws {
        let other = try CPUBackend(device: DeviceID(.cpu, 1), threadCount: 1)
        let foreign = try other.allocate([2, 4], .float32, label: "foreign"), here = try floats([2, 4])
        expectError("scale", "x") { try backend.scale(foreign, by: 2) }
        expectError("gatedSiLU", "up") { try backend.gatedSiLU(gate: here, up: foreign, into: here) }
        expectError("download", "tensor") {
            var bytes = [UInt8](repeating: 0, count: 32)
            try bytes.withUnsafeMutableBytes { target in try backend.download(foreign, into: target)
            }
        }
        // The hop of a plan is the exception.
        let numbers = try other.tensor([1, 2, 3, 4, 5, 6, 7, 8], [2, 4])
        try backend.copy(numbers, into: here)
        #expect(try backend.values(here) == other.values(numbers))
    }

    @Test("upload and download insist on the tensor's size")
    func transfers() throws {
        let tensor = try floats([2])
        let bytes = [UInt8](repeating: 1, count: 12)
        expectError("upload", "tensor") {
            try bytes.withUnsafeBytes { source in try backend.upload(source, into: tensor) }
        }
        try bytes.prefix(4).withUnsafeBytes { source in try backend.upload(source, into: tensor) }
        #expect(try backend.bytes(tensor) == [1, 1, 1, 1, 0, 0, 0, 0])
        var small = [UInt8](repeating: 0, count: 7)
        expectError("download", "tensor") {
            try small.withUnsafeMutableBytes { target in try backend.download(tensor, into: target)
            }
        }
    }

    @Test("every error reads as one sentence")
    func descriptions() {
        let errors: [TensorError] = [
            .shapeMismatch(operation: "add", argument: "x", expected: "[2]", got: [3]),
            .unsupportedDType(operation: "add", argument: "x", expected: "float32", got: .int32),
            .wrongDevice(operation: "add", argument: "x", expected: .cpu, got: DeviceID(.cpu, 1)),
            .outOfMemory(label: "cache", byteCount: 1, device: .cpu),
            .pinningRefused(label: "layer", byteCount: 1, device: .cpu, reason: "no room"),
            .indexOutOfRange(operation: "gatherRows", argument: "indices", index: 9, limit: 3),
            .unsupportedInstructionSet(requested: .avx512bf16, best: .avx2),
        ]
        for error in errors {
            #expect(error.description.hasSuffix("."))
            #expect(!error.description.contains("\n"))
        }
    }
}
