import Dispatch
import FacetCheckpoint
import FacetPlacement

/// How weights that are mapped from files are kept in memory.
public enum WeightResidency: String, Sendable, Hashable, CaseIterable {
    /// Laid out anew in memory of their own while loading, for the fastest products; the files' pages are let go.
    case packed
    /// Left to the kernel: right when all weights fit into memory.
    case mapped
    /// Read one unit ahead and dropped one unit behind: a model larger than memory runs, at the speed of the disk.
    case streamed

    /// `.packed` when there is room for the weights and a tenth more, `.streamed` when they do not fit at all.
    ///
    /// - Parameters:
    ///   - weightByteCount: bytes of all weights.
    ///   - memoryByteCount: bytes that weights may take.
    public static func automatic(weightByteCount: Int, memoryByteCount: Int) -> WeightResidency {
        if weightByteCount > memoryByteCount { return .streamed }
        // Layouts round up, and the pages of the file that is being read are there beside them.
        return weightByteCount + weightByteCount / 10 + 256 << 20 > memoryByteCount ? .mapped : .packed
    }
}

/// Reads weights ahead of the computation and drops them behind it, unit by unit.
///
/// The kernel is advised on a queue of its own, since starting to read can wait for the disk.
package final class WeightStream: Sendable {
    private let source: any WeightSource
    private let names: [UnitName: [String]]
    private let next: [UnitName: UnitName]
    private let previous: [UnitName: UnitName]
    private let last: UnitName
    private let queue = DispatchQueue(label: "facet.weights", qos: .userInitiated)

    /// Prepares to follow the model's units through `source`.
    package init(_ source: any WeightSource, _ inventory: ModelInventory, _ configuration: GLM4VConfiguration) {
        self.source = source
        names = inventory.namesByUnit(in: source)
        let vision = UnitName.visionUnits(of: configuration)
        let decoder = UnitName.decoderUnits(of: configuration)
        // Pictures are followed by a prompt; each decoder step by another one. The token embedding is never read
        // ahead: a step touches a few of its rows only.
        let layers = decoder.dropFirst()
        var next = Dictionary(uniqueKeysWithValues: zip(vision + layers, (vision + layers).dropFirst()))
        next[.tokenEmbedding] = layers.first
        next[.outputLayer] = layers.first
        self.next = next
        previous = Dictionary(
            uniqueKeysWithValues: zip(vision.dropFirst() + decoder.dropFirst(), vision.dropLast() + decoder.dropLast()))
        last = .outputLayer
    }

    /// Says that the computation has reached a unit.
    func enter(_ unit: UnitName) {
        advise(.dontNeed, previous[unit])
        // With one layer the next unit is the present one.
        if next[unit] != unit { advise(.willNeed, next[unit]) }
    }

    /// Says that a picture is done: nothing of the vision side is read until the next one.
    func finishPicture() { advise(.dontNeed, .projector) }

    /// Says that a step is done.
    func finish() { advise(.dontNeed, last) }

    private func advise(_ advice: MemoryAdvice, _ unit: UnitName?) {
        guard let unit, let names = names[unit] else { return }
        let source = source
        queue.async { source.advise(advice, tensors: names) }
    }
}
