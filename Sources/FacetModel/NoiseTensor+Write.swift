import FacetQuantization
package import FacetTensor

/// Random numbers made by the host. What a card makes of the same description has the same bytes.
extension NoiseTensor {
    /// Writes the elements, row by row, as `bind` takes them.
    ///
    /// - Parameters:
    ///   - numbers: the whole sequence of the seed (`number(seed:at:)`).
    ///   - bytes: `rowCount · rowByteCount` bytes.
    package func write(_ numbers: [Float], into bytes: UnsafeMutableRawBufferPointer) {
        precondition(bytes.count == rowCount * rowByteCount, "no room")
        let count = min(shape.elementCount, Self.period)
        // Each number once: element i of the tensor is element i mod count of these.
        let values = (0..<count).map { index in
            center.addingProduct(width, numbers[(index + offset) % Self.period])
        }
        switch elements {
        case .numbers(.float32): Self.repeatBytes(of: values, into: bytes)
        case .numbers(let dtype): Self.repeatBytes(of: Self.halves(values, dtype), into: bytes)
        case .codes(.int8): Self.repeatBytes(of: values.map { Int8($0.rounded(.toNearestOrEven)) }, into: bytes)
        case .codes(.float8): Self.repeatBytes(of: values.map(Float8.code(nearest:)), into: bytes)
        case .codes(.int4): pack(values.map { UInt8($0.rounded(.toNearestOrEven)) }, into: bytes)
        }
    }

    /// Numbers rounded to a type of 16 bits.
    private static func halves(_ values: [Float], _ dtype: DType) -> [UInt16] {
        var halves = [UInt16](repeating: 0, count: values.count)
        values.withUnsafeBytes { values in
            halves.withUnsafeMutableBytes { halves in
                _ = FloatConversion.convert(values, .float32, to: dtype, halves)
            }
        }
        return halves
    }

    /// Puts two codes into each byte, the low half first; rows are filled up with zeros.
    private func pack(_ codes: [UInt8], into bytes: UnsafeMutableRawBufferPointer) {
        guard !codes.isEmpty else { return }
        codes.withUnsafeBufferPointer { codes in
            var next = 0
            func take() -> UInt8 {
                let code = codes[next]
                next = next + 1 == codes.count ? 0 : next + 1
                return code
            }
            for row in 0..<rowCount {
                for index in 0..<rowByteCount {
                    let low = 2 * index < columnCount ? take() : 0
                    let high = 2 * index + 1 < columnCount ? take() : 0
                    bytes[row * rowByteCount + index] = low | high << 4
                }
            }
        }
    }

    /// Fills `target` with copies of an array, one after another.
    private static func repeatBytes(of elements: [some BitwiseCopyable], into target: UnsafeMutableRawBufferPointer) {
        elements.withUnsafeBytes { source in
            guard !source.isEmpty else { return }
            for start in stride(from: 0, to: target.count, by: source.count) {
                let count = min(source.count, target.count - start)
                UnsafeMutableRawBufferPointer(rebasing: target[start..<start + count])
                    .copyMemory(from: UnsafeRawBufferPointer(rebasing: source[..<count]))
            }
        }
    }
}
