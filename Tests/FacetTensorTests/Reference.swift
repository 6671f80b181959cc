// The operations as plain loops in float64: what the backends are checked against.
import FacetTensor

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// Plain loops over row-major arrays.
enum Reference {
    /// `x · weightᵀ + bias` for some rows of the weight, `[rows, columns]`.
    static func linear(_ x: [Double], rows: Int, weight: [[Double]], bias: [Double]) -> [Double] {
        var y: [Double] = []
        for row in 0..<rows {
            for (column, weight) in weight.enumerated() {
                var sum = bias[column]
                for k in weight.indices { sum += x[row * weight.count + k] * weight[k] }
                y.append(sum)
            }
        }
        return y
    }

    /// The exact GELU.
    static func gelu(_ x: Double) -> Double { 0.5 * x * erfc(-x / 2.0.squareRoot()) }

    /// `x / (1 + e^-x)`.
    static func silu(_ x: Double) -> Double { x / (1 + exp(-x)) }

    /// RMSNorm of each row.
    static func rmsNorm(_ x: [Double], width: Int, weight: [Double], epsilon: Double) -> [Double] {
        var y = x
        for start in stride(from: 0, to: x.count, by: width) {
            let squares = x[start..<start + width].reduce(0) { $0 + $1 * $1 }
            let factor = 1 / (squares / Double(width) + epsilon).squareRoot()
            for i in 0..<width { y[start + i] = weight[i] * x[start + i] * factor }
        }
        return y
    }

    /// LayerNorm of each row, population variance.
    static func layerNorm(_ x: [Double], width: Int, weight: [Double], bias: [Double], epsilon: Double) -> [Double] {
        var y = x
        for start in stride(from: 0, to: x.count, by: width) {
            let row = x[start..<start + width]
            let mean = row.reduce(0, +) / Double(width)
            let variance = row.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(width)
            for i in 0..<width {
                y[start + i] = (x[start + i] - mean) / (variance + epsilon).squareRoot() * weight[i] + bias[i]
            }
        }
        return y
    }

    /// Attention of one query over keys and values, each `[count][dimension]`.
    static func attend(_ query: ArraySlice<Double>, keys: [ArraySlice<Double>], values: [ArraySlice<Double>])
        -> [Double]
    {
        let scale = 1 / Double(query.count).squareRoot()
        let scores = keys.map { key in zip(query, key).reduce(0) { $0 + $1.0 * $1.1 } * scale }
        let largest = scores.max() ?? 0
        let weights = scores.map { exp($0 - largest) }
        let total = weights.reduce(0, +)
        var y = [Double](repeating: 0, count: query.count)
        for (weight, value) in zip(weights, values) {
            for (i, v) in value.enumerated() { y[i] += weight / total * v }
        }
        return y
    }
}
