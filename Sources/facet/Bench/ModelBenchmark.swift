import FacetEngine
import FacetModel
import FacetTensor

/// Runs rounds on a runner and keeps their times.
struct ModelBenchmark {
    let runner: ModelRunner
    let configuration: GLM4VConfiguration
    private(set) var imageSeconds: [Double] = []
    private(set) var prefillSeconds: [Double] = []

    /// Single tokens.
    private(set) var tokens: MeasurementBesideLimit
    private(set) var togetherSeconds: [Double] = []

    /// Seconds of each step of the tokens that are generated together.
    private(set) var togetherStepSeconds: [Double] = []

    /// Seconds of single layers of the vision tower.
    private(set) var visionLayerSeconds: [Double] = []

    /// A picture's time while another answer goes on, and the tokens of that answer meanwhile.
    private(set) var beside: [(imageSeconds: Double, tokenCount: Int)] = []

    /// Whether the layers of the tower are timed, which needs a device that runs in place.
    private let timesLayers: Bool

    /// - Parameter reading: how fast memory is read, which is measured beside each token; nil for none.
    init(runner: ModelRunner, configuration: GLM4VConfiguration, timesLayers: Bool, reading: ReadProbe?) {
        self.runner = runner
        self.configuration = configuration
        self.timesLayers = timesLayers
        tokens = MeasurementBesideLimit(sample: reading.map { probe in { probe.sample() } })
    }

    /// Encodes a gray picture, prefills ids that repeat, and decodes greedily.
    mutating func runRound(promptTokens: Int, newTokens: Int, withImage: Bool) throws {
        let clock = ContinuousClock()
        if withImage {
            try encodePicture()
        }
        prefillSeconds.append(
            try clock.measure {
                for start in stride(from: 0, to: promptTokens, by: runner.limits.maxRows) {
                    let end = min(start + runner.limits.maxRows, promptTokens)
                    _ = try runner.forward(batch(start..<end, isLast: end == promptTokens))
                }
            }.seconds)
        try tokens.run(newTokens) { [self] index in
            let position = promptTokens + index
            _ = try runner.forward(batch(position..<position + 1, isLast: true))
        }
    }

    /// Encodes a gray picture; on a device that works in place each stage can be timed.
    private mutating func encodePicture() throws {
        var stages: [Double] = []
        let clock = ContinuousClock()
        let time = try clock.measure {
            try runner.beginEncoding(Self.image, pixels: grayPixels)
            var share = 0.0
            while share < 1 {
                stages.append(try clock.measure { share = try runner.advanceEncoding(waits: true) }.seconds)
            }
        }
        runner.release(Self.image)
        imageSeconds.append(time.seconds)
        // The first stage is the patch embedding, then come the layers.
        if timesLayers { visionLayerSeconds += stages.dropFirst().prefix(configuration.vision.layerCount) }
    }

    /// Encodes a gray picture while the token at one position is computed over and over.
    mutating func runBeside(position: Int) throws {
        var tokenCount = 0
        let time = try ContinuousClock().measure {
            try runner.beginEncoding(Self.image, pixels: grayPixels)
            while try runner.advanceEncoding(waits: false) < 1 {
                _ = try runner.forward(batch(position..<position + 1, isLast: true))
                tokenCount += 1
            }
        }
        runner.release(Self.image)
        beside.append((time.seconds, tokenCount))
    }

    private static let image = ImageID(0)

    private var grayPixels: [Float] {
        let side = configuration.imageSize
        return [Float](repeating: 0.1, count: configuration.vision.channelCount * side * side)
    }

    /// Answers several requests at the same time: their prompts in chunks, then their tokens, as many batches in
    /// progress as the devices allow.
    mutating func runTogether(_ count: Int, promptTokens: Int, newTokens: Int) throws {
        let depth = min(runner.pipelineDepth, count)
        let groups = (0..<depth).map { Array(stride(from: $0, to: count, by: depth)) }
        var inProgress = 0
        func enqueue(_ batch: ForwardBatch) throws {
            if inProgress == runner.pipelineDepth {
                _ = try runner.collect()
                inProgress -= 1
            }
            try runner.enqueue(batch)
            inProgress += 1
        }
        func drain() throws {
            for _ in 0..<inProgress { _ = try runner.collect() }
            inProgress = 0
        }
        let clock = ContinuousClock()
        let promptTime = try clock.measure {
            for sequence in 0..<count {
                for start in stride(from: 0, to: promptTokens, by: runner.limits.maxRows) {
                    let end = min(start + runner.limits.maxRows, promptTokens)
                    try enqueue(batch(start..<end, of: [sequence], isLast: end == promptTokens))
                }
            }
            try drain()
        }
        let tokenTime = try clock.measure {
            for position in promptTokens..<promptTokens + newTokens {
                for group in groups { try enqueue(batch(position..<position + 1, of: group, isLast: true)) }
            }
            try drain()
        }
        togetherSeconds.append((promptTime + tokenTime).seconds)
        togetherStepSeconds.append(tokenTime.seconds / Double(newTokens))
    }

    /// Rows at consecutive positions of the first sequence.
    private func batch(_ positions: Range<Int>, isLast: Bool) -> ForwardBatch {
        batch(positions, of: [0], isLast: isLast)
    }

    /// Rows at consecutive positions of some sequences, whose pages follow each other in order.
    private func batch(_ positions: Range<Int>, of sequences: [Int], isLast: Bool) -> ForwardBatch {
        let pageSize = runner.limits.pageSize
        let pagesEach = runner.limits.pageCount / runner.limits.maxSequences
        let pageCount = (positions.upperBound + pageSize - 1) / pageSize
        var batch = ForwardBatch()
        for sequence in sequences {
            let firstSlot = Int32(sequence * pagesEach * pageSize)
            batch.tokenIDs += positions.map { Int32($0 * 31 % configuration.vocabularySize) }
            batch.positions += positions.map { Int32($0) }
            batch.slots += positions.map { firstSlot + Int32($0) }
            batch.offsets.append(Int32(batch.rowCount))
            batch.contextLengths.append(Int32(positions.upperBound))
            batch.pages.append((0..<pageCount).map { Int32(sequence * pagesEach + $0) })
            if isLast { batch.sampledRows.append(Int32(batch.rowCount - 1)) }
        }
        return batch
    }
}
