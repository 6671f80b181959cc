import FacetEngine
import FacetTensor

/// Products, attention and a picture on one card, and its connection while data moves.
struct CardTest: Sendable {
    /// What a card gave.
    struct Result: Sendable {
        var selfTest = SelfTestFacts()
        /// Its connection to the host under load; nil where that could not be read.
        var link: LinkFacts?
    }

    private static let copyByteCount = 32 << 20
    /// Some tens of milliseconds: a link at rest needs a few to come to its full rate.
    private static let copyCount = 16

    private let probe: any GPUProbe
    private let card: VisibleCard
    private let pictureModel: ModelFiles?

    /// - Parameter pictureModel: nil leaves the picture out.
    init(_ probe: any GPUProbe, _ card: VisibleCard, _ pictureModel: ModelFiles?) {
        self.probe = probe
        self.card = card
        self.pictureModel = pictureModel
    }

    /// What the card gave, or why nothing is to be had from it now.
    ///
    /// - Throws: when the card does not start.
    func run() throws -> Result {
        var result = Result()
        let dtype: DType
        do {
            let ready = try probe.start([card.uuid])
            dtype = ready.dtype
            result.selfTest.operations = SelfTest(ready.backends[0], label: card.label, dtype: dtype).run()
            result.link = try? linkUnderLoad(ready.backends[0])
        } catch let unavailable as CardUnavailable {
            result.selfTest.untested = [.init(device: card.label, reason: unavailable.description)]
            return result
        }
        if let pictureModel {
            let start: @Sendable () throws -> any Backend = { try probe.start([card.uuid]).backends[0] }
            let test = PictureTest(pictureModel, on: start, label: card.label, dtype: dtype)
            result.selfTest.pictures = [test.run()]
        }
        return result
    }

    /// The connection while the card reads the host's memory.
    private func linkUnderLoad(_ backend: any Backend) throws -> LinkFacts? {
        let count = Self.copyByteCount
        guard let source = try backend.allocatePinned(count, label: "load of a link") else { return nil }
        let target = try backend.allocate([count / 4], .float32, label: "load of a link")
        let queue = try backend.makeCopyQueue()
        let bytes = UnsafeRawBufferPointer(start: source.base, count: count)
        for _ in 0..<Self.copyCount { try queue.upload(bytes, keeping: source, into: target) }
        let end = queue.record()
        var link = try probe.link(card.uuid)
        // Copies that ended meanwhile were no load.
        if !end.hasPassed { link?.isUnderLoad = true }
        try queue.synchronize()
        return link
    }
}

extension SelfTestFacts {
    /// Adds what another device gave.
    mutating func add(_ other: SelfTestFacts) {
        operations = (operations ?? []) + (other.operations ?? [])
        pictures = (pictures ?? []) + (other.pictures ?? [])
        untested = (untested ?? []) + (other.untested ?? [])
    }
}
