import FacetModel
import FacetTensor

/// A model with memory of its own, driven straight: packed prefill, then one row per sequence and step.
///
/// It takes the reference's token at every step, whatever its own logits say, so that every step can be compared.
final class ModelSession {
    /// One sequence of a run.
    struct Sequence {
        /// The expanded prompt.
        let prompt: PromptExpansion
        /// The picture in it.
        let image: ImageID?
        /// Tokens to feed after the prompt, one per step.
        let nextTokens: [Int32]
    }

    /// What a run left behind.
    struct Record {
        /// For each sequence, the logits of the prompt's last row and of every token fed.
        var stepLogits: [[[Float]]]
        /// Logits of all prompt rows of all sequences, if they were wanted.
        var promptLogits: [Float] = []
    }

    private let model: GLM4V
    private let memory: ModelMemory

    init(_ model: GLM4V, limits: ModelLimits) throws(ModelError) {
        self.model = model
        memory = try ModelMemory(for: model, limits: limits)
    }

    private var cache: KVCache { memory.cache }

    /// Encodes a picture, replacing what was there under the same name.
    func encode(_ pixels: [Float], as image: ImageID, probe: Probe?) throws {
        try model.encode(pixels, as: image, memory: memory, probe: probe)
    }

    /// Forgets a picture.
    func release(_ image: ImageID) { memory.features.release(image) }

    /// Runs sequences together from empty caches.
    ///
    /// - Parameter keepingPromptLogits: whether to compute the logits of every prompt row.
    func run(_ sequences: [Sequence], keepingPromptLogits: Bool = false, probe: Probe? = nil) throws -> Record {
        var record = Record(stepLogits: sequences.map { _ in [] })
        let pages = pageLists(sequences)
        var done = sequences.map { _ in 0 }
        while let chunk = nextChunk(sequences, done) {
            try prefill(sequences, chunk, &done, pages, keepingPromptLogits, probe, &record)
        }
        for step in 0..<(sequences.map(\.nextTokens.count).max() ?? 0) {
            try decode(sequences, step, pages, &record)
        }
        return record
    }

    // MARK: Prefill

    /// How many rows of each sequence come next; nil when all prompts are done.
    private func nextChunk(_ sequences: [Sequence], _ done: [Int]) -> [Int]? {
        var room = memory.limits.maxRows
        let counts = zip(sequences, done).map { sequence, done in
            let count = min(room, sequence.prompt.rowCount - done)
            room -= count
            return count
        }
        return counts.contains { $0 > 0 } ? counts : nil
    }

    private func prefill(
        _ sequences: [Sequence], _ chunk: [Int], _ done: inout [Int], _ pages: [[Int32]], _ keepsAll: Bool,
        _ probe: Probe?, _ record: inout Record
    ) throws {
        var batch = ForwardBatch()
        var finished: [Int] = []
        for (index, sequence) in sequences.enumerated() where chunk[index] > 0 {
            let rows = done[index]..<done[index] + chunk[index]
            let start = batch.rowCount
            batch.append(
                tokenIDs: sequence.prompt.tokenIDs[rows], positions: sequence.prompt.positions[rows], context: rows,
                pages: pages[index], pageSize: cache.pageSize)
            if let image = sequence.image, let imageRows = sequence.prompt.imageRows {
                batch.addSpan(of: image, imageRows: imageRows, rows: rows, start: start)
            }
            done[index] = rows.upperBound
            if rows.upperBound == sequence.prompt.rowCount {
                finished.append(index)
                if !keepsAll { batch.sampledRows.append(Int32(batch.rowCount - 1)) }
            }
        }
        if keepsAll { batch.sampledRows = (0..<batch.rowCount).map(Int32.init) }
        let logits = try forward(batch, probe)
        if keepsAll { record.promptLogits += logits.flatMap { $0 } }
        // Rows of finished sequences are sampled in order, and they are the last ones of their sequences.
        let last = keepsAll ? finished.map { _ in logits.count - 1 } : Array(finished.indices)
        for (index, row) in zip(finished, last) { record.stepLogits[index].append(logits[row]) }
    }

    // MARK: Decode

    private func decode(
        _ sequences: [Sequence], _ step: Int, _ pages: [[Int32]], _ record: inout Record
    ) throws {
        var batch = ForwardBatch()
        var fed: [Int] = []
        for (index, sequence) in sequences.enumerated() where step < sequence.nextTokens.count {
            let context = sequence.prompt.rowCount + step
            batch.append(
                tokenIDs: [sequence.nextTokens[step]], positions: [Int32(sequence.prompt.nextPosition + step)],
                context: context..<context + 1, pages: pages[index], pageSize: cache.pageSize)
            batch.sampledRows.append(Int32(batch.rowCount - 1))
            fed.append(index)
        }
        let logits = try forward(batch, nil)
        for (row, index) in fed.enumerated() { record.stepLogits[index].append(logits[row]) }
    }

    private func forward(_ batch: ForwardBatch, _ probe: Probe?) throws -> [[Float]] {
        try model.forward(ForwardPass(batch, memory: memory, probe: probe))
        let count = batch.sampledRows.count
        guard count > 0 else { return [] }
        let values = try memory.outputDevice.floats(of: memory.logits(rows: count))
        let width = model.configuration.vocabularySize
        return (0..<count).map { Array(values[$0 * width..<($0 + 1) * width]) }
    }

    // MARK: Pages

    /// Pages for each sequence, dealt out from the last to the first in turns: a page table that is not followed
    /// cannot go unnoticed.
    private func pageLists(_ sequences: [Sequence]) -> [[Int32]] {
        var next = Int32(cache.pageCount)
        var lists = sequences.map { _ in [Int32]() }
        var isGrowing = true
        while isGrowing {
            isGrowing = false
            for (index, sequence) in sequences.enumerated() {
                let tokens = sequence.prompt.rowCount + sequence.nextTokens.count
                guard lists[index].count * cache.pageSize < tokens else { continue }
                next -= 1
                lists[index].append(next)
                isGrowing = true
            }
        }
        return lists
    }
}

extension ForwardBatch {
    /// Adds the next rows of a sequence.
    ///
    /// - Parameter context: which tokens of the sequence they are.
    fileprivate mutating func append(
        tokenIDs: some Collection<Int32>, positions: some Collection<Int32>, context: Range<Int>, pages: [Int32],
        pageSize: Int
    ) {
        self.tokenIDs += tokenIDs
        self.positions += positions
        slots += context.map { pages[$0 / pageSize] * Int32(pageSize) + Int32($0 % pageSize) }
        offsets.append(Int32(rowCount))
        contextLengths.append(Int32(context.upperBound))
        self.pages.append(Array(pages.prefix((context.upperBound + pageSize - 1) / pageSize)))
    }

    /// Adds the part of a picture that lies in a chunk.
    ///
    /// - Parameters:
    ///   - imageRows: rows of the picture in its prompt.
    ///   - rows: rows of the prompt in this batch.
    ///   - start: where these begin in the batch.
    fileprivate mutating func addSpan(of image: ImageID, imageRows: Range<Int>, rows: Range<Int>, start: Int) {
        let part = imageRows.clamped(to: rows)
        guard !part.isEmpty else { return }
        let offset = start - rows.lowerBound
        imageSpans.append(
            ImageSpan(
                image: image, rows: part.lowerBound + offset..<part.upperBound + offset,
                featureRows: part.lowerBound - imageRows.lowerBound..<part.upperBound - imageRows.lowerBound))
    }
}

extension Backend {
    /// The elements of a floating-point tensor as float32.
    func floats(of tensor: Tensor) throws(TensorError) -> [Float] {
        var bytes = [UInt8](repeating: 0, count: tensor.byteCount)
        var failure: TensorError?
        bytes.withUnsafeMutableBytes { buffer in
            do throws(TensorError) { try download(tensor, into: buffer) } catch { failure = error }
        }
        if let failure { throw failure }
        return bytes.withUnsafeBytes { buffer in
            switch tensor.dtype {
            case .bfloat16:
                buffer.bindMemory(to: UInt16.self).map { Float(bitPattern: UInt32($0) << 16) }
            case .float16: buffer.bindMemory(to: UInt16.self).map { Float(halfBits: $0) }
            default: Array(buffer.bindMemory(to: Float.self))
            }
        }
    }
}

extension Float {
    /// The number that half-precision bits mean.
    fileprivate init(halfBits bits: UInt16) {
        let (exponent, fraction) = (Int(bits >> 10 & 31), Float(bits & 1023))
        let magnitude: Float =
            switch exponent {
            case 0: fraction * 0x1p-24
            case 31: fraction == 0 ? .infinity : .nan
            default: Float(sign: .plus, exponent: exponent - 15, significand: 1 + fraction / 1024)
            }
        self = bits & 0x8000 == 0 ? magnitude : -magnitude
    }
}
