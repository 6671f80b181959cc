/// The outcome of one check against reference data: one line of `facet verify`, one expectation of a golden test.
///
/// A check of exact values (token ids, text) fills `expected` and `got`; a check of a tensor fills `tensor`, `worst`,
/// `index` and `tolerance`. Both may be filled when that helps the reader.
package struct CaseResult: Sendable, Hashable, Codable {
    /// The kind of reference data, such as `"encode"`, `"chat"`, `"image"` or `"checkpoint"`.
    package var suite: String
    /// The case inside its suite, such as a folder or file name, or a number with an excerpt of the input.
    package var name: String
    /// The tensor that was compared, as the reference names it.
    package var tensor: String?
    /// The largest difference found, in the unit of `tolerance`.
    package var worst: Double?
    /// Where the worst difference (or the first unequal element) stands, outermost dimension first.
    package var index: [Int]?
    /// The largest difference that still passes.
    package var tolerance: Double?
    /// What the reference says, shortened to the neighborhood of the first difference.
    package var expected: String?
    /// What the engine gave at the same place.
    package var got: String?
    /// Whether the engine agrees with the reference.
    package var passed: Bool

    /// Makes a result; everything but suite, name and verdict may be left out.
    package init(
        suite: String, name: String, tensor: String? = nil, worst: Double? = nil, index: [Int]? = nil,
        tolerance: Double? = nil, expected: String? = nil, got: String? = nil, passed: Bool
    ) {
        self.suite = suite
        self.name = name
        self.tensor = tensor
        self.worst = worst
        self.index = index
        self.tolerance = tolerance
        self.expected = expected
        self.got = got
        self.passed = passed
    }
}

extension CaseResult: CustomStringConvertible {
    /// One line: verdict, suite, case, then whatever was measured.
    package var description: String {
        var parts = ["\(passed ? "pass" : "FAIL") \(suite)/\(name)"]
        if let tensor { parts.append(tensor) }
        if let worst { parts.append("worst \(worst)") }
        if let index { parts.append("at \(index)") }
        if let tolerance { parts.append("tolerance \(tolerance)") }
        if let expected { parts.append("expected \(expected)") }
        if let got { parts.append("got \(got)") }
        return parts.joined(separator: " ")
    }
}
