import FacetCUDA
import FacetCheckpoint
import FacetModel
import FacetPlacement
import FacetTensor
import FacetTestSupport
import Foundation
import Synchronization
import Testing

@Suite("Loading onto cards", .serialized)
struct LoadingTests {
    /// A checkpoint that notes what is read and what is advised, in order, and can hold a read up.
    private final class Recorded: WeightSource {
        enum Entry: Equatable {
            case read(String)
            case willNeed(String)
            case dontNeed(String)
        }

        private let base: Checkpoint
        private let entries = Mutex<[Entry]>([])
        private let willRead: @Sendable (Recorded, String) -> Void

        init(_ base: Checkpoint, willRead: @escaping @Sendable (Recorded, String) -> Void = { _, _ in }) {
            self.base = base
            self.willRead = willRead
        }

        var log: [Entry] { entries.withLock { $0 } }

        /// Whether something happened already.
        func holds(_ entry: Entry) -> Bool { entries.withLock { $0.contains(entry) } }

        var location: String { base.location }
        var tensorNames: [String] { base.tensorNames }
        var byteCount: Int { base.byteCount }

        func stored(_ name: String) -> StoredTensor? { base.stored(name) }

        func tensor(named name: String) throws(CheckpointError) -> Tensor {
            willRead(self, name)
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

    /// The tiny checkpoint, its recipe and a placement of its units in even shares.
    private struct Work {
        let checkpoint: Checkpoint
        let configuration: GLM4VConfiguration
        let placement: Placement

        init(over count: Int) throws {
            let folder = FixtureFolder.path("glm4v-tiny")
            configuration = try GLM4VConfiguration(
                parsing: FileContents.bytes(of: folder.appendingPathComponent("config.json").path, limit: 1 << 20))
            checkpoint = try Checkpoint(folder: folder.path)
            var placement = Placement.single(configuration)
            for index in placement.vision.indices {
                placement.vision[index].device = index * count / placement.vision.count
            }
            for index in placement.decoder.indices {
                placement.decoder[index].device = index * count / placement.decoder.count
            }
            self.placement = placement
        }

        /// The tensors of a device in the order in which they are loaded.
        func names(on device: Int) throws -> [String] {
            try ModelInventory(configuration).declarations.filter { placement[$0.unit].device == device }.map(\.name)
        }

        func load(_ source: (any WeightSource)? = nil, onto devices: [any Backend]) throws(ModelError) {
            _ = try GLM4V(
                source: source ?? checkpoint, configuration: configuration, dtype: .bfloat16, devices: devices,
                placement: placement)
        }
    }

    private static let memories = [120, 90, 64, 200]
    private static let generations = ["9.0", "8.6", "8.9", "7.5"]

    private static func machine(_ count: Int) throws -> SimulatedMachine {
        try SimulatedCards.machine(memoryMiB: Array(memories[..<count]), capabilities: generations)
    }

    private static func open(
        _ machine: SimulatedMachine, _ count: Int, budgets: [Int]? = nil
    ) throws -> [CUDABackend] {
        try SimulatedCards.open(
            machine, cards: Array(0..<count), budgets: budgets ?? memories[..<count].map { ($0 - 50) << 20 }
        ).backends
    }

    @Test("a layer's file pages go as soon as it is on its card, and the card's next layer's are asked for before")
    func pages() throws {
        let work = try Work(over: 2)
        let source = Recorded(work.checkpoint)
        try SimulatedMachine.run(Self.machine(2)) { machine in
            try work.load(source, onto: Self.open(machine, 2))
        }
        let log = source.log
        func place(_ entry: Recorded.Entry) throws -> Int { try #require(log.firstIndex(of: entry), "\(entry)") }
        func device(_ layer: Int) -> Int { work.placement.decoder[layer + 1].device }
        var pairs = 0
        for layer in 0..<work.configuration.layerCount - 1 where device(layer) == device(layer + 1) {
            let name = "transformer.encoder.layers.\(layer).mlp.dense_h_to_4h.weight"
            let next = "transformer.encoder.layers.\(layer + 1).mlp.dense_h_to_4h.weight"
            #expect(try place(.willNeed(next)) < place(.read(name)))
            #expect(try place(.read(name)) < place(.dontNeed(name)))
            #expect(try place(.dontNeed(name)) < place(.read(next)))
            pairs += 1
        }
        #expect(pairs > 0)
    }

    @Test("a card whose weights come slowly holds up no other card", arguments: [2, 4], [true, false])
    func slowCard(count: Int, holdsFile: Bool) throws {
        let work = try Work(over: count)
        let slow = try work.names(on: 0)
        let others = try (1..<count).map { try #require(work.names(on: $0).last) }
        // The slow card's second tensor waits until the last of every other card has been handed over; or its link is slow.
        let source = Recorded(work.checkpoint) { source, name in
            guard holdsFile, name == slow[1] else { return }
            let end = Date(timeIntervalSinceNow: 300)
            while others.contains(where: { !source.holds(.dontNeed($0)) }), Date() < end { usleep(1000) }
            #expect(Date() < end)
        }
        try SimulatedMachine.run(Self.machine(count)) { machine in
            let cards = try Self.open(machine, count)
            if !holdsFile { try machine.delay("run:copy", device: 0, milliseconds: 20, count: 1000) }
            try machine.setTrace(true)
            try work.load(source, onto: cards)
            let trace = try machine.trace()
            // Each of these tensors is one copy; tables of the positions follow when all weights are there.
            func lastWeight(_ device: Int) throws -> Int {
                let copies = trace.indices.filter {
                    trace[$0].hasPrefix("call: cuMemcpyHtoDAsync_v2 device \(device):")
                }
                let weightCount = try work.names(on: device).count
                try #require(copies.count >= weightCount)
                return copies[weightCount - 1]
            }
            for device in 1..<count { #expect(try lastWeight(device) < lastWeight(0), "cuda:\(device)") }
        }
    }

    @Test("memory that ends on one card while others load names card and tensor, every time, and leaves nothing")
    func memoryEnds() throws {
        let work = try Work(over: 4)
        for (short, kibibytes) in [(1, 300), (3, 40), (0, 600), (2, 150)] {
            var errors: [String] = []
            for _ in 0..<3 {
                try SimulatedMachine.run(Self.machine(4)) { machine in
                    let cards = try Self.open(machine, 4, budgets: Array(repeating: 8 << 20, count: 4))
                    let rest = kibibytes << 10
                    let others = try cards[short].allocate([(8 << 20) - rest], .uint8, label: "somebody else's")
                    let error = #expect(throws: ModelError.self) { try work.load(onto: cards) }
                    guard case .tensor(.outOfMemory(let label, _, let device)) = error else {
                        Issue.record("\(String(describing: error))")
                        return
                    }
                    #expect(label.hasPrefix("transformer.") && device == DeviceID(.cuda, short))
                    errors.append("\(try #require(error))")
                    for card in cards {
                        let kept = card === cards[short] ? others.byteCount : 0
                        #expect(card.memoryUse?.usedByteCount == kept, "\(card.device)")
                    }
                }
            }
            #expect(Set(errors).count == 1, "\(errors)")
        }
    }

    @Test("a call that one card refuses while others load ends loading with that card; the next try works")
    func refusedCall() throws {
        let work = try Work(over: 4)
        for (call, number) in [("cuMemcpyHtoDAsync_v2", 1), ("cuMemcpyHtoDAsync_v2", 9), ("cuEventRecord", 5)] {
            try SimulatedMachine.run(Self.machine(4)) { machine in
                let cards = try Self.open(machine, 4)
                try machine.fail(call, device: 2, "CUDA_ERROR_INVALID_VALUE", number: number)
                let error = #expect(throws: ModelError.self, "\(call) \(number)") { try work.load(onto: cards) }
                #expect("\(try #require(error))".contains("cuda:2"), "\(call) \(number)")
                for card in cards { #expect(card.memoryUse?.usedByteCount == 0, "\(card.device)") }
                try work.load(onto: cards)
            }
        }
    }

    @Test("a card that is lost while others load ends loading with the reason", arguments: [1, 4, 11])
    func lostCard(number: Int) throws {
        let work = try Work(over: 4)
        let machine = try Self.machine(4)
        let cards = try Self.open(machine, 4)
        try machine.lose(3, in: "run:copy", number: number)
        let error = #expect(throws: ModelError.self) { try work.load(onto: cards) }
        #expect("\(try #require(error))".contains("cuda:3"))
        for card in cards { #expect(card.memoryUse?.usedByteCount == 0, "\(card.device)") }
        #expect(try machine.findings() == [])
    }
}
