import FacetTensor

/// Chooses the scale of one group of weights, and their codes.
///
/// int8 and float8 map the largest magnitude to the largest code. With 16 levels that wastes half of the precision on
/// one weight, so int4 searches: among scales that clip more and more of the group it takes the one with the smallest
/// squared error, then solves for the scale that is best for the codes found (least squares), and repeats as long as
/// that helps. Every candidate is rounded to the type that scales are stored in before it is judged.
struct GroupQuantizer {
    let scheme: QuantizationScheme

    /// Codes that the largest magnitude of an int4 group may be mapped to; above 7 it is clipped.
    private static let int4Reaches: [Float] = [
        6.5, 7, 7.25, 7.5, 7.75, 8, 8.25, 8.5, 8.75, 9, 9.5, 10, 10.5, 11, 11.5, 12, 13, 14, 16,
    ]

    private typealias Lanes = SIMD8<Float>

    /// Writes the codes of a group, one to a byte, and returns its scale.
    ///
    /// - Parameters:
    ///   - weights: finite; followed by zeros up to `paddedCount`, a multiple of 8.
    ///   - codes: room for `paddedCount` codes.
    func quantize(
        _ weights: UnsafePointer<Float>, paddedCount: Int, codes: UnsafeMutablePointer<UInt8>
    ) -> Float {
        let largest = Self.largestMagnitude(weights, paddedCount)
        // Zeros may have any scale; weights too small for a scale of a normal float become zeros.
        guard largest > 0x1p-100 else {
            let zero: UInt8 = scheme.format == .int4 ? 8 : 0
            for index in 0..<paddedCount { codes[index] = zero }
            return 1
        }
        switch scheme.format {
        case .int8:
            let scale = stored(largest / 127)
            Self.round(weights, paddedCount, scale, low: -127, high: 127) { codes[$0] = UInt8(bitPattern: Int8($1)) }
            return scale
        case .float8:
            let scale = stored(largest / Float8.largest)
            for index in 0..<paddedCount { codes[index] = Float8.code(nearest: weights[index] / scale) }
            return scale
        case .int4:
            let scale = bestInt4Scale(weights, paddedCount, largest)
            Self.round(weights, paddedCount, scale, low: -8, high: 7) { codes[$0] = UInt8($1 + 8) }
            return scale
        }
    }

    /// A scale as it will be read back.
    private func stored(_ scale: Float) -> Float {
        scheme.scaleDType == .float32 ? scale : Float(bitPattern: UInt32(Numbers.bfloat16(scale)) << 16)
    }

    // MARK: int4

    private func bestInt4Scale(_ weights: UnsafePointer<Float>, _ count: Int, _ largest: Float) -> Float {
        // A power of two that keeps squares within float32, whatever the size of the weights.
        let unit = Float(sign: .plus, exponent: -largest.exponent, significand: 1)
        var best = (scale: Float(1), error: Float.infinity)
        var bestFit: Float = 0
        func consider(_ candidate: Float) -> Bool {
            let scale = stored(candidate)
            guard scale > 0 else { return false }
            let (error, fit) = Self.int4Error(weights, count, scale * unit, unit)
            guard error < best.error else { return false }
            best = (scale, error)
            bestFit = fit / unit
            return true
        }
        for reach in Self.int4Reaches { _ = consider(largest / reach) }
        for _ in 0..<3 where !consider(bestFit) { break }
        return best.scale
    }

    /// The squared error of a scale for the weights times `unit`, and the scale that is best for its codes.
    private static func int4Error(
        _ weights: UnsafePointer<Float>, _ count: Int, _ scale: Float, _ unit: Float
    ) -> (error: Float, fit: Float) {
        let inverse = Lanes(repeating: 1 / scale), factor = Lanes(repeating: scale)
        let low = Lanes(repeating: -8), high = Lanes(repeating: 7), magic = Lanes(repeating: 12_582_912)
        var error = Lanes.zero, product = Lanes.zero, square = Lanes.zero
        for start in stride(from: 0, to: count, by: Lanes.scalarCount) {
            let w = UnsafeRawPointer(weights + start).loadUnaligned(as: Lanes.self) * unit
            // Adding and subtracting 1.5 · 2²³ rounds to the nearest integer.
            let q = ((w * inverse).clamped(lowerBound: low, upperBound: high) + magic) - magic
            let difference = w - q * factor
            error += difference * difference
            product += w * q
            square += q * q
        }
        let squares = square.sum()
        return (error.sum(), squares > 0 ? product.sum() / squares : scale)
    }

    // MARK: Shared

    private static func largestMagnitude(_ weights: UnsafePointer<Float>, _ count: Int) -> Float {
        var low = Lanes.zero, high = Lanes.zero
        for start in stride(from: 0, to: count, by: Lanes.scalarCount) {
            let w = UnsafeRawPointer(weights + start).loadUnaligned(as: Lanes.self)
            low = pointwiseMin(low, w)
            high = pointwiseMax(high, w)
        }
        return max(-low.min(), high.max())
    }

    private static func round(
        _ weights: UnsafePointer<Float>, _ count: Int, _ scale: Float, low: Float, high: Float,
        store: (Int, Int) -> Void
    ) {
        let inverse = 1 / scale
        for index in 0..<count {
            let limited = min(max(weights[index] * inverse, low), high)
            store(index, Int((limited + 12_582_912) - 12_582_912))
        }
    }
}
