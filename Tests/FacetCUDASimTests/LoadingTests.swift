import FacetCUDA
import FacetCheckpoint
import FacetModel
import FacetPlacement
import FacetTensor
import FacetTestSupport
import Foundation
import Synchronization
import Testing

@Suite("Loading onto cards")
struct LoadingTests {
    /// A checkpoint that notes what is read and what is advised, in order.
    private final class Recorded: WeightSource {
        enum Entry: Equatable {
            case read(String)
            case willNeed(String)
            case dontNeed(String)
        }

        private let base: Checkpoint
        private let entries = Mutex<[Entry]>([])

        init(_ base: Checkpoint) { self.base = base }

        var log: [Entry] { entries.withLock { $0 } }
        var location: String { base.location }
        var tensorNames: [String] { base.tensorNames }
        var byteCount: Int { base.byteCount }

        func stored(_ name: String) -> StoredTensor? { base.stored(name) }

        func tensor(named name: String) throws(CheckpointError) -> Tensor {
            entries.withLock { $0.append(.read(name)) }
            return try base.tensor(named: name)
        }

        func advise(_ advice: MemoryAdvice, tensors names: [String]) {
            entries.withLock { log in
                for name in names { log.append(advice == .willNeed ? .willNeed(name) : .dontNeed(name)) }
            }
            base.advise(advice, tensors: names)
        }
    }

    @Test("a layer's file pages go as soon as it is on its card, and the next layer's are asked for before")
    func pages() throws {
        let folder = FixtureFolder.path("glm4v-tiny")
        let configuration = try GLM4VConfiguration(
            parsing: FileContents.bytes(of: folder.appendingPathComponent("config.json").path, limit: 1 << 20))
        let source = Recorded(try Checkpoint(folder: folder.path))
        try SimulatedMachine.run(SimulatedCards.machine(memoryMiB: [120, 90])) { machine in
            let cards = try SimulatedCards.open(machine, cards: [0, 1], budgets: [48 << 20, 32 << 20])
            var placement = Placement.single(configuration)
            for index in placement.decoder.indices where index > 3 { placement.decoder[index].device = 1 }
            _ = try GLM4V(
                source: source, configuration: configuration, dtype: .bfloat16, devices: cards.backends,
                placement: placement)
        }
        let log = source.log
        func place(_ entry: Recorded.Entry) throws -> Int { try #require(log.firstIndex(of: entry), "\(entry)") }
        for layer in 0..<3 {
            let name = "transformer.encoder.layers.\(layer).mlp.dense_h_to_4h.weight"
            let next = "transformer.encoder.layers.\(layer + 1).mlp.dense_h_to_4h.weight"
            #expect(try place(.willNeed(next)) < place(.read(next)))
            #expect(try place(.willNeed(next)) < place(.read(name)))
            #expect(try place(.read(name)) < place(.dontNeed(name)))
            #expect(try place(.dontNeed(name)) < place(.read(next)))
        }
    }
}
