extension ForwardBatch {
    /// Checks that the batch agrees with itself, with the configuration and with the limits.
    ///
    /// Kernels index memory with these numbers unchecked, so nothing false may pass.
    func validate(_ configuration: GLM4VConfiguration, _ limits: ModelLimits) throws(ModelError) {
        try validateCounts(limits)
        try validateRows(configuration, limits)
        try validateSequences(configuration, limits)
        try validateSpans(configuration)
        try validateSampledRows(limits)
    }

    private func validateCounts(_ limits: ModelLimits) throws(ModelError) {
        try check(rowCount > 0, "it has no rows")
        try check(rowCount <= limits.maxRows, "it has \(rowCount) rows, the limit is \(limits.maxRows)")
        try check(positions.count == rowCount, "\(rowCount) rows have \(positions.count) positions")
        try check(slots.count == rowCount, "\(rowCount) rows have \(slots.count) slots")
        let limit = limits.maxSequences
        try check(sequenceCount <= limit, "it has \(sequenceCount) sequences, the limit is \(limit)")
        try check(offsets.count == sequenceCount + 1, "\(sequenceCount) sequences have \(offsets.count) offsets")
        try check(pages.count == sequenceCount, "\(sequenceCount) sequences have \(pages.count) page lists")
        let ends = (offsets.first ?? -1, offsets.last ?? -1)
        try check(ends == (0, Int32(rowCount)), "offsets run from \(ends.0) to \(ends.1) over \(rowCount) rows")
    }

    private func validateRows(_ configuration: GLM4VConfiguration, _ limits: ModelLimits) throws(ModelError) {
        for row in 0..<rowCount {
            let (token, position, slot) = (Int(tokenIDs[row]), Int(positions[row]), Int(slots[row]))
            let isToken = (0..<configuration.vocabularySize).contains(token) || tokenIDs[row] == Self.imageRow
            try check(isToken, "row \(row) has token id \(token) of a vocabulary of \(configuration.vocabularySize)")
            let hasPosition = (0..<configuration.positionLimit).contains(position)
            try check(hasPosition, "row \(row) has position \(position), the limit is \(configuration.positionLimit)")
            try check((0..<limits.slotCount).contains(slot), "row \(row) has slot \(slot) of \(limits.slotCount)")
        }
    }

    private func validateSequences(_ configuration: GLM4VConfiguration, _ limits: ModelLimits) throws(ModelError) {
        let mostPages = limits.pagesPerSequence(configuration)
        for sequence in 0..<sequenceCount {
            let rows = Int(offsets[sequence + 1]) - Int(offsets[sequence])
            let context = Int(contextLengths[sequence])
            try check(rows > 0, "sequence \(sequence) has \(rows) rows")
            try check(context >= rows, "sequence \(sequence) has \(rows) rows but only \(context) tokens")
            let pages = pages[sequence]
            try check(pages.count <= mostPages, "sequence \(sequence) has \(pages.count) pages, not \(mostPages)")
            let room = pages.count * limits.pageSize
            try check(context <= room, "sequence \(sequence) has \(context) tokens in pages for \(room)")
            for page in pages {
                let exists = (0..<limits.pageCount).contains(Int(page))
                try check(exists, "sequence \(sequence) has page \(page) of \(limits.pageCount)")
            }
        }
    }

    /// Spans must cover exactly the rows that are not tokens.
    private func validateSpans(_ configuration: GLM4VConfiguration) throws(ModelError) {
        var isCovered = [Bool](repeating: false, count: rowCount)
        for span in imageSpans {
            let fits = span.rows.lowerBound >= 0 && span.rows.upperBound <= rowCount
            try check(fits, "a picture takes rows \(span.rows) of \(rowCount)")
            let features = span.featureRows
            let exist = features.lowerBound >= 0 && features.upperBound <= configuration.imageRowCount
            try check(exist, "a picture gives rows \(features) of \(configuration.imageRowCount)")
            for row in span.rows {
                try check(!isCovered[row], "two pictures take row \(row)")
                isCovered[row] = true
            }
        }
        for row in 0..<rowCount {
            let isImage = tokenIDs[row] == Self.imageRow
            try check(
                isImage == isCovered[row], "row \(row) is \(isImage ? "no picture's" : "a token's and a picture's")")
        }
    }

    private func validateSampledRows(_ limits: ModelLimits) throws(ModelError) {
        let count = sampledRows.count
        try check(count <= limits.maxSampledRows, "\(count) rows are sampled, the limit is \(limits.maxSampledRows)")
        var previous: Int32 = -1
        for row in sampledRows {
            try check(row > previous && row < rowCount, "sampled row \(row) follows \(previous) in \(rowCount) rows")
            previous = row
        }
    }

    private func check(_ condition: Bool, _ reason: @autoclosure () -> String) throws(ModelError) {
        if !condition { throw .invalidBatch(reason: reason()) }
    }
}
