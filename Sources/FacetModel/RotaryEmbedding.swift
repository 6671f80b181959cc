package import FacetTensor

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// The rotary embedding's angles: `position · base^(-2j / rotated)` for pair `j` of a head.
///
/// As in the published code, frequency and angle are computed and rounded in float32; the rounding of the angle
/// matters at high positions. The checkpoint's own frequencies are not used: they are rounded to its dtype and
/// always belong to ratio 1.
package enum RotaryEmbedding {
    /// The base at ratio 1.
    private static let base: Float = 10_000

    /// Frequency of each pair, float32.
    package static func frequencies(_ configuration: GLM4VConfiguration) -> [Float] {
        let rotated = configuration.rotatedDimension
        let base = Self.base * Float(configuration.ropeRatio)
        return stride(from: 0, to: rotated, by: 2).map { index in
            1 / powf(base, Float(index) / Float(rotated))
        }
    }

    /// Cosines and sines of all positions, on the device of `backend`.
    package static func table(
        _ configuration: GLM4VConfiguration, on backend: any Backend
    ) throws(TensorError) -> RotaryTable {
        let frequencies = frequencies(configuration)
        let shape: Shape = [configuration.positionLimit, frequencies.count]
        let cosines = try backend.allocate(shape, .float32, label: "rotary cosines")
        let sines = try backend.allocate(shape, .float32, label: "rotary sines")
        var cosineRows = [Float](repeating: 0, count: frequencies.count)
        var sineRows = cosineRows
        for position in 0..<configuration.positionLimit {
            for (pair, frequency) in frequencies.enumerated() {
                let angle = Float(position) * frequency
                cosineRows[pair] = Float(cos(Double(angle)))
                sineRows[pair] = Float(sin(Double(angle)))
            }
            try backend.upload(cosineRows, into: cosines.rows(position..<position + 1))
            try backend.upload(sineRows, into: sines.rows(position..<position + 1))
        }
        return RotaryTable(cosines: cosines, sines: sines, rotatedDimension: configuration.rotatedDimension)
    }
}

extension Backend {
    /// Copies an array's elements into the start of a tensor.
    func upload<Element: BitwiseCopyable>(_ elements: [Element], into tensor: Tensor) throws(TensorError) {
        var failure: TensorError?
        elements.withUnsafeBytes { bytes in
            do throws(TensorError) { try upload(bytes, into: tensor) } catch { failure = error }
        }
        if let failure { throw failure }
    }
}
