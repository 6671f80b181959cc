import FacetTensor

/// How far a tensor may be from its reference, and in which measure.
enum Tolerance: Sendable, Hashable {
    /// Largest absolute difference of an element.
    case absolute(Double)
    /// Norm of the difference over the norm of the reference (Frobenius).
    case relative(Double)

    /// The number alone.
    var limit: Double {
        switch self {
        case .absolute(let limit), .relative(let limit): limit
        }
    }
}

/// The one table of tolerances for reference tensors of a model.
///
/// float32 differs by the order of summation only, which grows with depth: the limits are some five times what a
/// correct evaluation in another order shows. bfloat16 rounds every activation to 8 bits; random weights amplify
/// this from layer to layer, so that only the relative norm says something.
struct ModelTolerances: Sendable {
    /// Type of the activations.
    let dtype: DType

    /// What the picture's rows are divided by after the projector.
    let scalingFactor: Double

    /// The tolerance of a tensor by its name in the reference file.
    func tolerance(of name: String) -> Tolerance {
        let isVision = name.hasPrefix("vision.")
        if dtype == .float32 {
            // `vision.linear_proj` is `vision.output` before the division: the same closeness is that much wider there.
            // (A float64 evaluation of the tiny checkpoint is 5.9e-4 away from the reference at this point.)
            if name == "vision.linear_proj" { return .absolute(5e-4 * max(1, scalingFactor)) }
            return .absolute(isVision ? 5e-4 : 2e-3)
        }
        return .relative(isVision ? 0.10 : 0.20)
    }

    /// How many of the first greedy tokens are judged; nil for all of them.
    ///
    /// With random weights bfloat16 leaves the best token of later steps to chance.
    var judgedTokenCount: Int? { dtype == .float32 ? nil : 1 }

    /// How far below the best logit the reference's token may be to count as chosen too, in units of the row's
    /// root mean square: in bfloat16 two tokens within the tolerance of the logits are a tie.
    var tieWidth: Double { dtype == .float32 ? 0 : tolerance(of: "logits").limit }

    /// Pixels straight from a lossless file are exact up to the last bit of float32.
    static let losslessPixels = Tolerance.absolute(1e-5)

    /// Six levels of a byte, the most that decoders of lossy files differ, in units of the normalized pixels.
    static let lossyPixels = Tolerance.absolute(0.1)
}

/// A tensor beside its reference.
struct TensorComparison {
    /// The difference in the tolerance's measure.
    let worst: Double
    /// Where the largest absolute difference stands in the reference.
    let index: [Int]
    /// Whether the difference is within the tolerance.
    let passed: Bool

    /// Compares element by element; a NaN on either side is infinitely far from anything.
    ///
    /// - Parameters:
    ///   - got: as many elements as the reference, in its order.
    ///   - shape: the reference's dimensions, to name the worst element.
    init(_ got: [Float], reference: [Float], shape: [Int], tolerance: Tolerance) {
        precondition(got.count == reference.count, "compared tensors have as many elements")
        var (worst, at) = (0.0, 0)
        var (differenceSquares, referenceSquares) = (0.0, 0.0)
        for index in got.indices {
            let expected = Double(reference[index])
            var difference = abs(Double(got[index]) - expected)
            // A number that JSON can hold and no tolerance reaches.
            if !difference.isFinite { difference = Double(Float.greatestFiniteMagnitude) }
            if difference > worst { (worst, at) = (difference, index) }
            differenceSquares += difference * difference
            referenceSquares += expected.isFinite ? expected * expected : 0
        }
        switch tolerance {
        case .absolute: self.worst = worst
        case .relative:
            let smallest = Double(Float.leastNormalMagnitude)
            self.worst = (differenceSquares / max(referenceSquares, smallest)).squareRoot()
        }
        index = Self.coordinates(of: at, in: shape)
        passed = self.worst <= tolerance.limit
    }

    private static func coordinates(of index: Int, in shape: [Int]) -> [Int] {
        var rest = index
        var coordinates: [Int] = []
        for length in shape.reversed() where length > 0 {
            coordinates.append(rest % length)
            rest /= length
        }
        return coordinates.reversed()
    }
}
