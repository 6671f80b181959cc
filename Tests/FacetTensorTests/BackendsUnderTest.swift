// The conformance suites run every case on every path that this processor has and compare with plain
// float64 loops.
//
// To add an operation: write its loop in `Reference.swift`, a suite that takes `BackendUnderTest.all` as
// argument, a row in `ThreadCountTests`, and its error cases in `OperationErrorTests`.
import FacetTensor
import Testing

/// One path of the CPU backend.
struct BackendUnderTest: Sendable, CustomTestStringConvertible {
    let instructionSet: InstructionSet

    var testDescription: String { instructionSet.rawValue }

    /// Every instruction set that this processor has.
    static let all = InstructionSet.allCases.filter(\.isSupported).map { BackendUnderTest(instructionSet: $0) }

    /// A backend with three threads: an odd number, and more than this test needs.
    func make(threads: Int = 3) throws -> CPUBackend {
        try CPUBackend(threadCount: threads, instructionSet: instructionSet)
    }
}

/// How far a result may be from float64, per element.
///
/// `absolute` covers float32 sums (a few units in the last place of the sum of magnitudes). The relative part is
/// that of the stored result: a few units of float32's 24 bits, or half a unit of bfloat16's 8.
struct Tolerance {
    let absolute: Double
    let relative: Double

    init(absolute: Double, storedAs dtype: DType) {
        self.absolute = absolute
        relative = dtype == .bfloat16 ? 0x1.01p-8 : 4e-7
    }
}

/// Expects two rows of numbers to agree; reports the worst element.
func expectClose(
    _ got: [Double], _ expected: [Double], _ tolerance: Tolerance, _ comment: @autoclosure () -> String = "",
    sourceLocation: SourceLocation = #_sourceLocation
) {
    guard got.count == expected.count else {
        Issue.record("\(got.count) elements instead of \(expected.count)", sourceLocation: sourceLocation)
        return
    }
    var worst = 0.0, index = 0
    for i in got.indices {
        let allowed = tolerance.absolute + tolerance.relative * abs(expected[i])
        let excess = got[i] == expected[i] ? 0 : abs(got[i] - expected[i]) / allowed
        // Written so that a NaN counts as worst.
        if !(excess <= worst) { (worst, index) = (excess.isNaN ? .infinity : excess, i) }
    }
    guard worst > 1 else { return }
    Issue.record(
        "\(comment()): element \(index) is \(got[index]), expected \(expected[index]), \(worst) times the tolerance",
        sourceLocation: sourceLocation)
}
