import FacetCheckpoint
import FacetQuantization
import FacetTensor

/// Writes what becomes of one tensor, a block of rows at a time.
struct TensorConversion {
    private let step: ConversionStep

    /// Bytes of the original that are converted at a time.
    private static let blockByteCount = 8 << 20

    init(_ step: ConversionStep) { self.step = step }

    /// - Parameter progress: called with the bytes of the tensor that are done.
    func write(
        to writer: inout SafetensorsWriter, progress: (Int) throws(ModelError) -> Void
    ) throws(ModelError) -> QuantizationLoss {
        let tensor = step.tensor
        switch step.change {
        case .none:
            try forEachBlock(ofMultiple: 1) { (bytes, done) throws(ModelError) in
                do throws(CheckpointError) { try writer.write(bytes) } catch { throw .checkpoint(error) }
                try progress(done)
            }
            return QuantizationLoss()
        case .convert(let dtype): return try convert(tensor, to: dtype, &writer, progress)
        case .quantize(let scheme): return try quantize(tensor, scheme, &writer, progress)
        }
    }

    private func convert(
        _ tensor: CheckpointTensor, to dtype: DType, _ writer: inout SafetensorsWriter,
        _ progress: (Int) throws(ModelError) -> Void
    ) throws(ModelError) -> QuantizationLoss {
        guard let from = tensor.dtype.tensorDType, from.isFloatingPoint else {
            throw .unsupportedWeightDType(tensor: tensor.name, file: tensor.file.name, got: tensor.dtype.rawValue)
        }
        var loss = QuantizationLoss()
        try forEachBlock(ofMultiple: from.byteCount) { (bytes, done) throws(ModelError) in
            var target = [UInt8](repeating: 0, count: bytes.count / from.byteCount * dtype.byteCount)
            let part = target.withUnsafeMutableBytes { FloatConversion.convert(bytes, from, to: dtype, $0) }
            guard let part else {
                let reason = "it holds a number that is not finite, or is too large for \(dtype)"
                throw .checkpoint(.unusableWeights(tensor: tensor.name, file: tensor.file.name, reason))
            }
            loss.add(part)
            try write(target, &writer)
            try progress(done)
        }
        return loss
    }

    private func quantize(
        _ tensor: CheckpointTensor, _ scheme: QuantizationScheme, _ writer: inout SafetensorsWriter,
        _ progress: (Int) throws(ModelError) -> Void
    ) throws(ModelError) -> QuantizationLoss {
        guard let dtype = tensor.dtype.tensorDType, dtype.isFloatingPoint else {
            throw .unsupportedWeightDType(tensor: tensor.name, file: tensor.file.name, got: tensor.dtype.rawValue)
        }
        let quantizer = MatrixQuantizer(scheme, inputs: tensor.shape[1])
        let rowBytes = tensor.shape[1] * dtype.byteCount
        // Scales follow the codes in the file: 1/64 of the original or less.
        var allScales: [UInt8] = []
        allScales.reserveCapacity(tensor.shape[0] * quantizer.scaleRowByteCount)
        var loss = QuantizationLoss()
        try forEachBlock(ofMultiple: rowBytes) { (bytes, done) throws(ModelError) in
            let rows = bytes.count / rowBytes
            var codes = [UInt8](repeating: 0, count: rows * quantizer.codeRowByteCount)
            var scales = [UInt8](repeating: 0, count: rows * quantizer.scaleRowByteCount)
            loss.add(try quantize(bytes, dtype, rows, quantizer, &codes, &scales))
            allScales += scales
            try write(codes, &writer)
            try progress(done)
        }
        try write(allScales, &writer)
        if scheme.format == .int4 {
            let shape = tensor.shape.dimensions.map { Int64($0).littleEndian }
            try write(shape.withUnsafeBytes { Array($0) }, &writer)
        }
        return loss
    }

    private func quantize(
        _ bytes: UnsafeRawBufferPointer, _ dtype: DType, _ rows: Int, _ quantizer: MatrixQuantizer,
        _ codes: inout [UInt8], _ scales: inout [UInt8]
    ) throws(ModelError) -> QuantizationLoss {
        let result = codes.withUnsafeMutableBytes { codes in
            scales.withUnsafeMutableBytes { scales in
                Result { () throws(QuantizationError) in
                    try quantizer.quantize(bytes, dtype, rows: rows, codes: codes, scales: scales)
                }
            }
        }
        do { return try result.get() } catch {
            throw .checkpoint(
                .unusableWeights(tensor: step.tensor.name, file: step.tensor.file.name, "\(error)"))
        }
    }

    private func write(_ bytes: [UInt8], _ writer: inout SafetensorsWriter) throws(ModelError) {
        do throws(CheckpointError) {
            try bytes.withUnsafeBufferPointer { (buffer) throws(CheckpointError) in
                try writer.write(UnsafeRawBufferPointer(buffer))
            }
        } catch { throw .checkpoint(error) }
    }

    /// Calls `body` with the tensor's bytes in blocks of whole multiples, and how many are done after each.
    private func forEachBlock(
        ofMultiple unit: Int, _ body: (UnsafeRawBufferPointer, Int) throws(ModelError) -> Void
    ) throws(ModelError) {
        try step.tensor.withUnsafeBytes { (bytes) throws(ModelError) in
            let length = max(1, Self.blockByteCount / unit) * unit
            for start in stride(from: 0, to: bytes.count, by: length) {
                let end = min(start + length, bytes.count)
                try body(UnsafeRawBufferPointer(rebasing: bytes[start..<end]), end)
            }
        }
    }
}
