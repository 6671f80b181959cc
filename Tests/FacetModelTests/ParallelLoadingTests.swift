import FacetCheckpoint
import FacetModel
import FacetPlacement
import FacetTensor
import FacetTestSupport
import Foundation
import Testing

@Suite("Loading onto several devices at the same time")
struct ParallelLoadingTests {
    /// A source that tells before it is read.
    private final class WatchedSource: WeightSource {
        private let base: any WeightSource
        private let willRead: @Sendable (String) -> Void

        init(_ base: any WeightSource, willRead: @escaping @Sendable (String) -> Void) {
            self.base = base
            self.willRead = willRead
        }

        var location: String { base.location }
        var tensorNames: [String] { base.tensorNames }
        var byteCount: Int { base.byteCount }

        func stored(_ name: String) -> StoredTensor? { base.stored(name) }

        func tensor(named name: String) throws(CheckpointError) -> Tensor {
            willRead(name)
            return try base.tensor(named: name)
        }

        func advise(_ advice: MemoryAdvice, tensors names: [String]) { base.advise(advice, tensors: names) }
    }

    /// Where several threads wait for each other.
    ///
    /// `@unchecked`: touched under the lock only.
    private final class MeetingPoint: @unchecked Sendable {
        private let condition = NSCondition()
        private let count: Int
        private var present: Set<Int> = []

        init(count: Int) { self.count = count }

        /// Waits, minutes at most, until everybody has come.
        func arrive(_ member: Int) {
            condition.withLock {
                present.insert(member)
                condition.broadcast()
                let end = Date(timeIntervalSinceNow: 300)
                while present.count < count, condition.wait(until: end) {}
            }
        }

        var isComplete: Bool { condition.withLock { present.count == count } }
    }

    private static func devices(_ budgets: [Int]) throws -> [CPUDevice] {
        try budgets.enumerated().map { try CPUDevice(index: $0, budgetByteCount: $1) }
    }

    /// Both chains in even shares.
    private static func spread(_ scenario: Scenario, over count: Int) -> Placement {
        var placement = Placement.single(scenario.configuration)
        for index in placement.vision.indices {
            placement.vision[index].device = index * count / placement.vision.count
        }
        for index in placement.decoder.indices {
            placement.decoder[index].device = index * count / placement.decoder.count
        }
        return placement
    }

    private static func load(
        _ scenario: Scenario, _ devices: [CPUDevice], _ placement: Placement, source: (any WeightSource)? = nil,
        progress: (Int) throws(ModelError) -> Void = { (_) throws(ModelError) in }
    ) throws(ModelError) {
        _ = try GLM4V(
            source: source ?? scenario.source, configuration: scenario.configuration, dtype: .bfloat16,
            devices: devices, placement: placement, progress: progress)
    }

    @Test("every device is being loaded before one has its second tensor", arguments: [2, 4])
    func meeting(count: Int) throws {
        let scenario = try Scenario()
        let placement = Self.spread(scenario, over: count)
        let devices = Dictionary(
            uniqueKeysWithValues: try ModelInventory(scenario.configuration).declarations.map {
                ($0.name, placement[$0.unit].device)
            })
        let point = MeetingPoint(count: count)
        let source = WatchedSource(scenario.source) { name in
            if let device = devices[name] { point.arrive(device) }
        }
        try Self.load(
            scenario, Self.devices(Array(repeating: 64 << 20, count: count)), placement, source: source)
        #expect(point.isComplete)
    }

    @Test("progress is the same every time, ends with all bytes, and comes on the calling thread")
    func progress() throws {
        let scenario = try Scenario()
        let devices = try Self.devices(Array(repeating: 64 << 20, count: 4))
        let placement = Self.spread(scenario, over: 4)
        let thread = Thread.current
        var runs: [[Int]] = []
        for _ in 0..<5 {
            var reports: [Int] = []
            try Self.load(scenario, devices, placement) { (finished) throws(ModelError) in
                #expect(Thread.current === thread)
                reports.append(finished)
            }
            runs.append(reports)
        }
        #expect(Set(runs).count == 1 && runs[0] == runs[0].sorted())
        #expect(runs[0].count == scenario.visionUnitCount + scenario.decoderUnitCount)
        let sizes = try ModelInventory(scenario.configuration).weightSizes(in: scenario.source)
        #expect(runs[0].last == sizes.values.reduce(0) { $0 + $1.byteCount })
    }

    @Test("of several devices that are too small, the same one is named every time, and nothing is left on any")
    func severalErrors() throws {
        let scenario = try Scenario()
        let placement = Self.spread(scenario, over: 4)
        for budgets in [[300, 200, 100, 150], [40, 500, 500, 500], [600, 600, 600, 30]] {
            var errors: [ModelError] = []
            for _ in 0..<8 {
                let devices = try Self.devices(budgets.map { $0 << 10 })
                let error = #expect(throws: ModelError.self) { try Self.load(scenario, devices, placement) }
                errors.append(try #require(error))
                for device in devices { #expect(device.memoryUse?.usedByteCount == 0, "\(device.device)") }
            }
            #expect(Set(errors.map(\.description)).count == 1, "\(errors)")
            guard case .tensor(.outOfMemory(let label, _, _)) = errors[0] else {
                Issue.record("\(errors[0])")
                continue
            }
            #expect(label.hasPrefix("transformer."))
        }
    }

    @Test("a tensor that cannot be read on one device's thread is the error, whatever the others do")
    func unreadable() throws {
        let scenario = try Scenario()
        let placement = Self.spread(scenario, over: 3)
        let devices = try Self.devices([64 << 20, 64 << 20, 64 << 20])
        let names = try ModelInventory(scenario.configuration).declarations.filter { placement[$0.unit].device == 1 }
            .map(\.name)
        for name in [names[0], names[names.count / 2], try #require(names.last)] {
            let source = BrokenSource(scenario.source, without: name)
            let error = #expect(throws: ModelError.self) {
                try Self.load(scenario, devices, placement, source: source)
            }
            #expect(error == .checkpoint(.missingTensor(tensor: name, checkpoint: source.location)))
            for device in devices { #expect(device.memoryUse?.usedByteCount == 0, "\(device.device)") }
        }
    }

    /// A source that lists a tensor and cannot read it.
    private struct BrokenSource: WeightSource {
        private let base: any WeightSource
        private let missing: String

        init(_ base: any WeightSource, without missing: String) { (self.base, self.missing) = (base, missing) }

        var location: String { base.location }
        var tensorNames: [String] { base.tensorNames }
        var byteCount: Int { base.byteCount }

        func stored(_ name: String) -> StoredTensor? { base.stored(name) }

        func tensor(named name: String) throws(CheckpointError) -> Tensor {
            guard name != missing else { throw .missingTensor(tensor: name, checkpoint: location) }
            return try base.tensor(named: name)
        }

        func advise(_ advice: MemoryAdvice, tensors names: [String]) { base.advise(advice, tensors: names) }
    }
}
