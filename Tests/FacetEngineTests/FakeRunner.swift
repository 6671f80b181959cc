import Dispatch
import FacetEngine
import FacetModel
import FacetTensor
import FacetTestSupport
import Synchronization

/// What a fake runner was asked to do; the test reads it while the runner belongs to the engine.
final class RunnerRecord: Sendable {
    enum Work: Hashable {
        case encoding
        case batch
    }

    struct State {
        var batches: [ForwardBatch] = []
        var prepared: [ImageID] = []
        var abandoned: [ImageID] = []
        /// What was done, in order.
        var log: [Work] = []
        var released: [ImageID] = []
        var problems: [String] = []
        /// Steps that gave the best logits only, and those that were repeated for all of them.
        var pickedStepCount = 0
        var repeatedStepCount = 0
    }

    let state = Mutex(State())

    var rowCounts: [Int] { state.withLock { $0.batches.map(\.rowCount) } }
    var computedRowCount: Int { rowCounts.reduce(0, +) }
    var stepCount: Int { rowCounts.count }
    var preparedCount: Int { state.withLock { $0.prepared.count } }
    var problems: [String] { state.withLock { $0.problems } }
}

/// Stops the engine's thread inside a step until the test lets it go on.
final class Gate: Sendable {
    private let entered = DispatchSemaphore(value: 0)
    private let opened = DispatchSemaphore(value: 0)

    /// Called by the runner.
    func pass() {
        entered.signal()
        opened.wait()
    }

    /// Waits, off the shared pool, until a step is inside.
    func waitUntilEntered() async {
        await withCheckedContinuation { continuation in
            DispatchQueue.global().async {
                self.entered.wait()
                continuation.resume()
            }
        }
    }

    func open(_ steps: Int = 1) { for _ in 0..<steps { opened.signal() } }
}

/// A model without mathematics: logits are a hash of everything that attention would see.
///
/// It keeps a cache of pages as the real one does. A row that is written to a wrong slot, has a wrong position or
/// is missing changes every later token, so equal tokens prove equal paging.
final class FakeRunner: Runner {
    let limits: ModelLimits
    let vocabularySize: Int
    let imageRowCount = 6

    private let record: RunnerRecord
    private var cache: [UInt64]
    private var features: [ImageID: UInt64] = [:]
    private let logits: Logits
    private var inFlight: [ForwardBatch] = []

    /// Batches that may be in progress at a time.
    let pipelineDepth: Int

    /// Holds up every step.
    var gate: Gate?
    /// The best token after the row at this position, in place of the hash.
    var script: [Int32: Int32] = [:]
    /// Logits of rows at this position are NaN.
    var nonFinitePosition: Int32?
    /// Thrown by the next forward.
    var forwardError: EngineError?
    /// Thrown at the end of every encoding.
    var prepareError: EngineError?
    /// Gives the best logits of each segment where they suffice, as a device that picks them does.
    var picksBest = false
    /// Logits are whole numbers, so that many are equal.
    var hasTies = false
    /// Calls that a picture takes.
    var encodingSteps = 2

    private var encoding: (image: ImageID, pixels: [Float], steps: Int)?

    init(
        _ limits: ModelLimits, vocabularySize: Int = 272, pipelineDepth: Int = 1, record: RunnerRecord
    ) {
        self.pipelineDepth = pipelineDepth
        self.limits = limits
        self.vocabularySize = vocabularySize
        self.record = record
        cache = [UInt64](repeating: 0, count: limits.pageCount * limits.pageSize)
        logits = Logits(capacity: limits.maxSampledRows, vocabularySize: vocabularySize)
    }

    func beginEncoding(_ image: ImageID, pixels: [Float]) throws(EngineError) {
        record.state.withLock { $0.prepared.append(image) }
        if encoding != nil { note("two pictures at a time") }
        if features.count >= limits.maxImages { note("more pictures than slots") }
        encoding = (image, pixels, 0)
    }

    func advanceEncoding(waits: Bool) throws(EngineError) -> Double {
        record.state.withLock { $0.log.append(.encoding) }
        guard let current = encoding else {
            note("no picture is on its way")
            return 1
        }
        encoding?.steps += 1
        guard current.steps + 1 == encodingSteps else { return Double(current.steps + 1) / Double(encodingSteps) }
        encoding = nil
        if let prepareError {
            if case .nonFinite = prepareError {} else { inFlight = [] }
            throw prepareError
        }
        features[current.image] = current.pixels.reduce(1) { mix($0, UInt64($1.bitPattern)) }
        return 1
    }

    func abandonEncoding() {
        if let image = encoding?.image { record.state.withLock { $0.abandoned.append(image) } }
        encoding = nil
    }

    func release(_ image: ImageID) {
        record.state.withLock { $0.released.append(image) }
        if features.removeValue(forKey: image) == nil { note("released an unknown picture") }
    }

    func enqueue(_ batch: ForwardBatch) throws(EngineError) {
        if inFlight.count >= pipelineDepth { note("\(inFlight.count) batches in progress") }
        inFlight.append(batch)
    }

    func collect() throws(EngineError) -> Logits {
        let batch = inFlight.removeFirst()
        record.state.withLock {
            $0.batches.append(batch)
            $0.log.append(.batch)
        }
        gate?.pass()
        if let error = forwardError {
            forwardError = nil
            inFlight = []
            encoding = nil
            throw error
        }
        check(batch)
        write(batch)
        fillLogits(batch)
        return logits
    }

    private func fillLogits(_ batch: ForwardBatch) {
        if picksBest, let count = batch.sufficientLogits, fillBest(batch, count) {
            return record.state.withLock { $0.pickedStepCount += 1 }
        }
        logits.fill(rowCount: batch.sampledRows.count) { all in
            for (index, row) in batch.sampledRows.enumerated() {
                let start = index * vocabularySize
                fill(UnsafeMutableBufferPointer(rebasing: all[start..<start + vocabularySize]), batch, Int(row))
            }
        }
    }

    func repeatForAllLogits(_ batch: ForwardBatch) throws(EngineError) -> Logits {
        var batch = batch
        batch.sufficientLogits = nil
        record.state.withLock { $0.repeatedStepCount += 1 }
        fillLogits(batch)
        return logits
    }

    private func fillBest(_ batch: ForwardBatch, _ count: Int) -> Bool {
        logits.fillBest(rowCount: batch.sampledRows.count, count: count) { (picks, bytes) in
            var rows = [Float](repeating: 0, count: picks.rowCount * picks.width)
            rows.withUnsafeMutableBufferPointer { all in
                for (index, row) in batch.sampledRows.enumerated() {
                    let start = index * picks.width
                    fill(UnsafeMutableBufferPointer(rebasing: all[start..<start + picks.width]), batch, Int(row))
                }
            }
            picks.picked(from: rows).withUnsafeBytes { bytes.copyMemory(from: $0) }
            return true
        }
    }

    func locateNonFinite(_ batch: ForwardBatch) -> String? { "hidden.2" }

    private func write(_ batch: ForwardBatch) {
        for row in 0..<batch.rowCount where batch.tokenIDs[row] >= 0 {
            let value = mix(UInt64(batch.tokenIDs[row]), UInt64(batch.positions[row]))
            cache[Int(batch.slots[row])] = value
        }
        for span in batch.imageSpans {
            guard let feature = features[span.image] else { return note("a picture that is not encoded") }
            for (row, featureRow) in zip(span.rows, span.featureRows) {
                let value = mix(mix(feature, UInt64(featureRow)), UInt64(batch.positions[row]))
                cache[Int(batch.slots[row])] = value
            }
        }
    }

    private func fill(_ logits: UnsafeMutableBufferPointer<Float>, _ batch: ForwardBatch, _ row: Int) {
        let position = batch.positions[row]
        guard let sequence = batch.offsets.lastIndex(where: { $0 <= Int32(row) }) else { return }
        // The sampled row is the sequence's last: it sees the whole context.
        var state: UInt64 = 7
        for index in 0..<Int(batch.contextLengths[sequence]) {
            let page = Int(batch.pages[sequence][index / limits.pageSize])
            state = mix(state, cache[page * limits.pageSize + index % limits.pageSize])
        }
        for id in logits.indices {
            state = mix(state, UInt64(id))
            logits[id] = Float(state >> 40) / Float(1 << 24) * 8 - 4
            if hasTies { logits[id].round() }
        }
        if let id = script[position] { logits[Int(id)] = 100 }
        if position == nonFinitePosition { logits[3] = .nan }
    }

    /// What the model would refuse.
    private func check(_ batch: ForwardBatch) {
        let rows = batch.rowCount
        if rows == 0 || rows > limits.maxRows { note("\(rows) rows") }
        if batch.sequenceCount > limits.maxSequences { note("\(batch.sequenceCount) sequences") }
        if batch.positions.count != rows || batch.slots.count != rows { note("columns of unequal length") }
        if Set(batch.slots).count != rows { note("two rows in one slot") }
        if Int(batch.offsets.last ?? -1) != rows { note("offsets do not end at the rows") }
        for (sequence, context) in batch.contextLengths.enumerated() {
            let pages = batch.pages[sequence]
            if pages.count * limits.pageSize < Int(context) { note("too few pages") }
            if !pages.allSatisfy({ (0..<limits.pageCount).contains(Int($0)) }) { note("a page that does not exist") }
        }
        let imageRows = batch.imageSpans.reduce(0) { $0 + $1.rows.count }
        if imageRows != batch.tokenIDs.count(where: { $0 == ForwardBatch.imageRow }) { note("uncovered picture rows") }
    }

    private func note(_ problem: String) { record.state.withLock { $0.problems.append(problem) } }
}

/// Mixes two numbers into one that looks random.
func mix(_ a: UInt64, _ b: UInt64) -> UInt64 {
    var z = a &* 0x9E37_79B9_7F4A_7C15 &+ b &+ 0x1234_5678_9ABC_DEF1
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
}
