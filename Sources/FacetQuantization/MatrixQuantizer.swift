import Dispatch
public import FacetTensor

/// Quantizes rows of a matrix, on all processors.
///
/// Rows do not depend on each other, so a matrix may come in any number of blocks of rows, and results do not depend
/// on the number of threads.
public struct MatrixQuantizer: Sendable {
    /// What rows are quantized to.
    public let scheme: QuantizationScheme

    /// Elements of a row.
    public let inputs: Int

    /// Prepares for rows of one length.
    public init(_ scheme: QuantizationScheme, inputs: Int) {
        precondition(inputs > 0, "rows of \(inputs) elements")
        self.scheme = scheme
        self.inputs = inputs
    }

    /// Bytes that the codes of a row take.
    public var codeRowByteCount: Int { scheme.format.rowByteCount(inputs: inputs) }

    /// Bytes that the scales of a row take.
    public var scaleRowByteCount: Int { scheme.groupCount(inputs: inputs) * scheme.scaleDType.byteCount }

    /// Quantizes `rows` rows.
    ///
    /// - Parameters:
    ///   - source: the rows, dense, perhaps misaligned.
    ///   - dtype: their floating-point type.
    ///   - codes: `rows · codeRowByteCount` bytes; written.
    ///   - scales: `rows · scaleRowByteCount` bytes; written.
    /// - Returns: how far the result is from the rows.
    /// - Throws: `.notFinite` with the first row that holds such a number.
    public func quantize(
        _ source: UnsafeRawBufferPointer, _ dtype: DType, rows: Int, codes: UnsafeMutableRawBufferPointer,
        scales: UnsafeMutableRawBufferPointer
    ) throws(QuantizationError) -> QuantizationLoss {
        precondition(source.count == rows * inputs * dtype.byteCount, "rows of another length")
        precondition(codes.count == rows * codeRowByteCount && scales.count == rows * scaleRowByteCount, "no room")
        guard rows > 0, let from = source.baseAddress, let codes = codes.baseAddress, let scales = scales.baseAddress
        else { return QuantizationLoss() }
        let place = Place(source: from, dtype: dtype, codes: codes, scales: scales)
        let rowsPerTask = max(1, min(rows, (1 << 16) / inputs))
        let tasks = (rows + rowsPerTask - 1) / rowsPerTask
        let results = Results(count: tasks)
        DispatchQueue.concurrentPerform(iterations: tasks) { task in
            let range = task * rowsPerTask..<min(rows, (task + 1) * rowsPerTask)
            results.set(task, quantizeRows(range, place))
        }
        var loss = QuantizationLoss()
        for result in results.all { loss.add(try result.get()) }
        return loss
    }

    /// Where rows come from and go to.
    ///
    /// `@unchecked`: tasks touch rows of their own only, while the caller waits.
    private struct Place: @unchecked Sendable {
        let source: UnsafeRawPointer
        let dtype: DType
        let codes: UnsafeMutableRawPointer
        let scales: UnsafeMutableRawPointer
    }

    private func quantizeRows(_ rows: Range<Int>, _ place: Place) -> Result<QuantizationLoss, QuantizationError> {
        let padded = (inputs + 7) / 8 * 8
        let numbers = UnsafeMutablePointer<Float>.allocate(capacity: padded)
        let bytes = UnsafeMutablePointer<UInt8>.allocate(capacity: padded)
        defer {
            numbers.deallocate()
            bytes.deallocate()
        }
        numbers.initialize(repeating: 0, count: padded)
        bytes.initialize(repeating: 0, count: padded)
        let group = GroupQuantizer(scheme: scheme)
        let size = scheme.groupSize(inputs: inputs)
        var loss = QuantizationLoss()
        for row in rows {
            let from = place.source + row * inputs * place.dtype.byteCount
            Numbers.widen(from, place.dtype, count: inputs, into: numbers)
            for i in 0..<inputs where !numbers[i].isFinite { return .failure(.notFinite(row: row)) }
            for (index, start) in stride(from: 0, to: inputs, by: size).enumerated() {
                let count = min(size, inputs - start), rounded = (count + 7) / 8 * 8
                let scale = group.quantize(numbers + start, paddedCount: rounded, codes: bytes + start)
                store(scale, place.scales + row * scaleRowByteCount, index)
                loss.add(difference(numbers + start, bytes + start, count, scale))
            }
            write(bytes, to: place.codes + row * codeRowByteCount)
        }
        return .success(loss)
    }

    private func store(_ scale: Float, _ row: UnsafeMutableRawPointer, _ index: Int) {
        if scheme.scaleDType == .float32 {
            row.storeBytes(of: scale, toByteOffset: 4 * index, as: Float.self)
        } else {
            row.storeBytes(of: Numbers.bfloat16(scale), toByteOffset: 2 * index, as: UInt16.self)
        }
    }

    /// Puts the codes of a row, one to a byte, into their stored form.
    private func write(_ bytes: UnsafeMutablePointer<UInt8>, to row: UnsafeMutableRawPointer) {
        guard scheme.format == .int4 else { return row.copyMemory(from: bytes, byteCount: inputs) }
        for index in 0..<codeRowByteCount {
            let low = 2 * index < inputs ? bytes[2 * index] : 0
            let high = 2 * index + 1 < inputs ? bytes[2 * index + 1] : 0
            row.storeBytes(of: low | high << 4, toByteOffset: index, as: UInt8.self)
        }
    }

    private func difference(
        _ weights: UnsafePointer<Float>, _ codes: UnsafePointer<UInt8>, _ count: Int, _ scale: Float
    ) -> QuantizationLoss {
        var error = 0.0, square = 0.0
        for i in 0..<count {
            let code: Float =
                switch scheme.format {
                case .int8: Float(Int8(bitPattern: codes[i]))
                case .int4: Float(codes[i]) - 8
                case .float8: Float8.value(of: codes[i])
                }
            let distance = Double(weights[i] - code * scale)
            error += distance * distance
            square += Double(weights[i]) * Double(weights[i])
        }
        var loss = QuantizationLoss()
        loss.add(squaredError: error, squaredWeight: square)
        return loss
    }
}

/// One result per task.
///
/// `@unchecked`: every task writes its own place, and they are read after all have ended.
private final class Results: @unchecked Sendable {
    private let places: UnsafeMutableBufferPointer<Result<QuantizationLoss, QuantizationError>>

    init(count: Int) {
        places = .allocate(capacity: count)
        places.initialize(repeating: .success(QuantizationLoss()))
    }

    deinit { places.deinitialize().deallocate() }

    func set(_ task: Int, _ result: Result<QuantizationLoss, QuantizationError>) { places[task] = result }

    var all: [Result<QuantizationLoss, QuantizationError>] { Array(places) }
}
