import FacetCUDA
import FacetTensor
import Testing

@Suite("A card's memory, and the way to it")
struct MemoryTests {
    @Test("an arena takes its budget at once, gives it away in units of 256 bytes, and counts what was asked for")
    func arena() throws {
        let machine = try FakeMachine(memory: 1 << 20)
        let context = try machine.context()
        let arena = try DeviceArena(context, byteCount: 1000)
        #expect(try context.memory().free == (1 << 20) - 768)
        #expect(arena.use.budgetByteCount == 768 && arena.use.usedByteCount == 0 && arena.use.countsWeights)
        #expect(DeviceArena.roundedByteCount(0) == 256 && DeviceArena.roundedByteCount(257) == 512)
        do {
            let a = try arena.allocate(1, label: "a")
            let b = try arena.allocate(300, label: "b")
            #expect(a.address.value % 256 == 0 && b.address.value == a.address.value + 256)
            #expect(arena.use.usedByteCount == 301)
            let full = CUDAError.outOfMemory(
                device: context.device, label: "c", byteCount: 1, freeByteCount: 0)
            #expect(throws: full) { try arena.allocate(1, label: "c") }
            #expect(full.description.contains("cuda:0 has no 1 bytes for 'c'"))
        }
        #expect(arena.use.usedByteCount == 0 && arena.use.peakByteCount == 301)
        #expect(try arena.allocate(768, label: "all").byteCount == 768)
        #expect(throws: CUDAError.self) { try DeviceArena(context, byteCount: 255) }
    }

    @Test("parts never overlap, and all of the arena comes back, in any order")
    func manyParts() throws {
        let machine = try FakeMachine(memory: 1 << 20)
        let arena = try DeviceArena(machine.context(), byteCount: 64 << 10)
        var generator = SplitMix(state: 42)
        var parts: [DeviceBuffer] = []
        for _ in 0..<2000 {
            if generator.next() % 3 == 0, !parts.isEmpty {
                parts.remove(at: Int(generator.next() % UInt64(parts.count)))
            } else if let part = try? arena.allocate(Int(generator.next() % 3000), label: "part") {
                parts.append(part)
            }
            let ranges = parts.map { $0.address.value..<$0.address.value + UInt64(max($0.byteCount, 1)) }
                .sorted { $0.lowerBound < $1.lowerBound }
            #expect(zip(ranges, ranges.dropFirst()).allSatisfy { $0.upperBound <= $1.lowerBound })
            let used = parts.reduce(0) { $0 + $1.byteCount }
            try #require(arena.use.usedByteCount == used)
        }
        parts = []
        #expect(arena.use.usedByteCount == 0)
        #expect(try arena.allocate(64 << 10, label: "all").byteCount == 64 << 10)
    }

    @Test("a ring belongs to one card")
    func ringOfAnotherCard() throws {
        let machine = try FakeMachine()
        let driver = try machine.driver()
        let ring = try HostRing(CUDAContext(driver, index: 0), slotCount: 1, slotByteCount: 16)
        let stream = try CUDAStream(CUDAContext(driver, index: 1))
        #expect(throws: CUDAError.self) {
            try patternBytes(4).withUnsafeBytes { try ring.upload($0, to: DeviceAddress(256), on: stream) }
        }
        #expect(throws: CUDAError.self) { try HostRing(stream.context, slotCount: 0) }
    }

    @Test("a copy within a card, and one that leaves its memory")
    func copies() throws {
        let machine = try FakeMachine()
        let context = try machine.context()
        let stream = try CUDAStream(context)
        let ring = try HostRing(context, slotCount: 1, slotByteCount: 4096)
        let arena = try DeviceArena(context, byteCount: 4096)
        let a = try arena.allocate(1000, label: "a")
        let b = try arena.allocate(1000, label: "b")
        let sent = patternBytes(1000)
        try sent.withUnsafeBytes { try ring.upload($0, to: a.address, on: stream) }
        try stream.copy(a.address, to: b.address, byteCount: 1000)
        #expect(try bytes(b, ring, stream) == sent)
        let error = #expect(throws: CUDAError.self) {
            try stream.copy(a.address, to: DeviceAddress(64), byteCount: 1000)
        }
        guard case .contextLost = error else {
            Issue.record("\(String(describing: error))")
            return
        }
    }
}

/// A small generator, the same on every machine.
struct SplitMix {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ z >> 30) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ z >> 27) &* 0x94D0_49BB_1331_11EB
        return z ^ z >> 31
    }
}
