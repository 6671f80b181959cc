/// The bicubic filter along one axis: which inputs each output sees, and with what weight.
///
/// The weights are those of Pillow 10.4 (`precompute_coeffs` and `normalize_coeffs_8bpc` in `libImaging/Resample.c`):
/// a = -0.5, support 2 widened by the scale when shrinking, normalized to a sum of 1 in double precision, then rounded
/// half away from zero to integers of 1/2²². They are computed when asked for: a table for an axis of tens of millions
/// of inputs would take a gigabyte.
struct ResampleAxis {
    /// Bits of a weight's fraction.
    static let precision: Int32 = 22

    let inputCount: Int
    let outputCount: Int
    private let scale: Double
    private let filterScale: Double

    init(from inputCount: Int, to outputCount: Int) {
        precondition(inputCount > 0 && outputCount > 0, "an axis has at least one pixel on both sides")
        self.inputCount = inputCount
        self.outputCount = outputCount
        scale = Double(inputCount) / Double(outputCount)
        filterScale = max(scale, 1)
    }

    /// Whether every output is its input.
    var isIdentity: Bool { inputCount == outputCount }

    /// The inputs that output `x` is made of; both ends grow with `x`.
    func window(_ x: Int) -> Range<Int> {
        let center = (Double(x) + 0.5) * scale
        let support = 2 * filterScale
        let lower = max(Int(center - support + 0.5), 0)
        let upper = min(Int(center + support + 0.5), inputCount)
        return lower..<upper
    }

    /// Appends the fixed-point weights of output `x`, one for each input of its window.
    func appendWeights(_ x: Int, to weights: inout [Int32]) {
        let window = window(x)
        let center = (Double(x) + 0.5) * scale
        let inverse = 1 / filterScale
        var sum = 0.0
        for i in 0..<window.count {
            sum += Self.bicubic((Double(i + window.lowerBound) - center + 0.5) * inverse)
        }
        for i in 0..<window.count {
            var weight = Self.bicubic((Double(i + window.lowerBound) - center + 0.5) * inverse)
            if sum != 0 { weight /= sum }
            let fixed = weight * Double(1 << Self.precision)
            weights.append(Int32(fixed < 0 ? fixed - 0.5 : fixed + 0.5))
        }
    }

    /// Keys' cubic convolution kernel with a = -0.5.
    private static func bicubic(_ value: Double) -> Double {
        let a = -0.5
        let x = abs(value)
        if x < 1 { return ((a + 2) * x - (a + 3)) * x * x + 1 }
        if x < 2 { return (((x - 5) * x + 8) * x - 4) * a }
        return 0
    }
}
