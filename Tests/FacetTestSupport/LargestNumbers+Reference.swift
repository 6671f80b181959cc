public import FacetTensor

extension LargestNumbers {
    /// What a device must leave of rows, by plain sorting: values, then the bits of the indices.
    public func picked(from rows: [Float]) -> [Float] {
        var values: [Float] = []
        var indices: [Float] = []
        for row in 0..<rowCount {
            for start in stride(from: 0, to: width, by: Self.segmentLength) {
                let sorted = (start..<min(start + Self.segmentLength, width))
                    .map { index -> (value: Float, index: Int) in
                        let value = rows[row * width + index]
                        return (value.isFinite ? value : .infinity, index)
                    }
                    .sorted { ($1.value, $0.index) < ($0.value, $1.index) }
                for place in 0..<count {
                    values.append(place < sorted.count ? sorted[place].value : -.infinity)
                    let index = place < sorted.count ? Int32(sorted[place].index) : -1
                    indices.append(Float(bitPattern: UInt32(bitPattern: index)))
                }
            }
        }
        return values + indices
    }
}
