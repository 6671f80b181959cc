import FacetComparison
import FacetTensor
import FacetTerminal
import Foundation

/// One operation's speed beside the limit that bounds it; rates in GFLOP/s and GB/s.
struct OperationResult: Encodable {
    let name: String
    let size: String
    let bound: OperationCase.Bound
    let milliseconds: Double
    let fastestMilliseconds: Double
    let slowestMilliseconds: Double
    let runs: Int
    let rate: Double
    let limit: Double
    let fraction: Double

    /// Unit of the rate and of the limit.
    var unit: String { bound == .arithmetic ? "GFLOP/s" : "GB/s" }

    /// - Parameter runs: with limits of what bounds the operation, in FLOP/s or bytes/s.
    init(_ operation: OperationCase, _ runs: MeasurementBesideLimit) {
        let time = Measurement(seconds: runs.seconds.sorted())
        name = operation.name
        size = operation.size
        bound = operation.bound
        milliseconds = time.median * 1e3
        fastestMilliseconds = time.fastest * 1e3
        slowestMilliseconds = time.slowest * 1e3
        self.runs = runs.seconds.count
        let work = operation.bound == .arithmetic ? operation.flop : operation.byteCount
        rate = work / time.median / 1e9
        limit = (runs.medianLimit ?? 0) / 1e9
        fraction = work / (runs.medianAmountAtLimit ?? 0)
    }
}

/// What `facet bench ops` prints.
struct OperationReport: Encodable {
    let processor: String
    let threads: Int
    let instructionSet: String
    let dtype: String
    let weights: String
    let operations: [OperationResult]
    var comparison: SpeedComparison?

    /// The operations as figures that others can be compared with; an operation's precision is its activations'.
    var figures: [SpeedFigure] {
        operations.map { result in
            SpeedFigure(
                program: "facet", version: facetVersion, work: MeasuredWork(name: result.name, size: result.size),
                precision: dtype, threads: threads, unit: result.unit, median: result.rate,
                fastest: result.rate * result.milliseconds / result.fastestMilliseconds,
                slowest: result.rate * result.milliseconds / result.slowestMilliseconds, limit: result.limit)
        }
    }

    /// The report as a table.
    var text: String {
        var table = TextTable([
            ("operation", .left), ("size", .left), ("ms", .right), ("spread", .left), ("rate", .right),
            ("limit", .right), ("fraction", .right),
        ])
        for result in operations {
            let spread = String(format: "%.2f … %.2f", result.fastestMilliseconds, result.slowestMilliseconds)
            table.append([
                result.name, result.size, String(format: "%.2f", result.milliseconds), spread,
                String(format: "%.1f %@", result.rate, result.unit), String(format: "%.1f", result.limit),
                String(format: "%.0f %%", 100 * result.fraction),
            ])
        }
        return "\(processor); \(threads) threads, \(instructionSet), activations \(dtype), weights \(weights)\n\n"
            + table.text
    }
}
