import FacetCUDA
import FacetTensor
import Testing

@Suite("A simulated card's memory, and the way to it")
struct MemoryTests {
    @Test("an arena takes its budget from the card, with what the context and other programs hold, and gives it back")
    func arena() throws {
        try SimulatedMachine.run(SimulatedMachine(cards: 1, memoryMiB: 64)) { machine in
            let context = try machine.context()
            let free = try context.memory().free
            #expect(free == 63 << 20)
            do {
                let arena = try DeviceArena(context, byteCount: 16 << 20)
                #expect(try context.memory().free == free - 16 << 20)
                #expect(
                    throws: CUDAError.outOfMemory(
                        device: context.device, label: "the memory budget", byteCount: 48 << 20,
                        freeByteCount: 47 << 20)
                ) { try DeviceArena(context, byteCount: 48 << 20) }
                withExtendedLifetime(arena) {}
            }
            #expect(try context.memory().free == free)
        }
    }

    @Test("an allocation that the driver refuses although memory is free is an error that names the budget")
    func refused() throws {
        try SimulatedMachine.run(SimulatedMachine(cards: 1)) { machine in
            let context = try machine.context()
            try machine.fail("cuMemAlloc_v2", "CUDA_ERROR_OUT_OF_MEMORY")
            let error = #expect(throws: CUDAError.self) { try DeviceArena(context, byteCount: 1 << 20) }
            #expect(try #require(error).description.contains("'the memory budget' (\(63 << 20) are free)"))
            _ = try DeviceArena(context, byteCount: 1 << 20)
        }
    }

    @Test(
        "bytes go to a card and back through a ring that is smaller than they are, in any order of operations",
        arguments: SimulatedMachine.Order.several)
    func ring(order: SimulatedMachine.Order) throws {
        try SimulatedMachine.run(SimulatedMachine(cards: 1, order)) { machine in
            let context = try machine.context()
            let stream = try CUDAStream(context)
            let ring = try HostRing(context, slotCount: 3, slotByteCount: 1000)
            let arena = try DeviceArena(context, byteCount: 1 << 20)
            for count in [0, 1, 999, 1000, 1001, 12_345] {
                let buffer = try arena.allocate(count, label: "x")
                var sent = patternBytes(count, seed: count)
                try sent.withUnsafeBytes { try ring.upload($0, to: buffer.address, on: stream) }
                let expected = sent
                sent = Array(repeating: 0, count: count)  // the ring has its own copy
                #expect(try bytes(buffer, ring, stream) == expected)
            }
        }
    }

    @Test(
        "two streams share a ring: uploads on one, downloads on the other, without waiting in between",
        arguments: SimulatedMachine.Order.several)
    func sharedRing(order: SimulatedMachine.Order) throws {
        try SimulatedMachine.run(SimulatedMachine(cards: 1, order)) { machine in
            let context = try machine.context()
            let (up, down) = (try CUDAStream(context), try CUDAStream(context, priority: .high))
            let ring = try HostRing(context, slotCount: 2, slotByteCount: 512)
            let arena = try DeviceArena(context, byteCount: 1 << 20)
            let buffers = try (0..<6).map { _ in try arena.allocate(1500, label: "x") }
            let targets = buffers.map { _ in UnsafeMutableRawBufferPointer.allocate(byteCount: 1500, alignment: 1) }
            defer { for target in targets { target.deallocate() } }
            for (index, buffer) in buffers.enumerated() {
                try patternBytes(1500, seed: index).withUnsafeBytes {
                    try ring.upload($0, to: buffer.address, on: up)
                }
                try down.wait(for: try up.record(keepsTime: false))
                try ring.enqueueDownload(buffer.address, into: targets[index], on: down)
            }
            try down.synchronize()
            for (index, target) in targets.enumerated() { #expect(Array(target) == patternBytes(1500, seed: index)) }
        }
    }

    @Test("a download is there when the event after it has passed", arguments: SimulatedMachine.Order.several)
    func enqueuedDownload(order: SimulatedMachine.Order) throws {
        try SimulatedMachine.run(SimulatedMachine(cards: 1, order)) { machine in
            let context = try machine.context()
            let stream = try CUDAStream(context)
            let ring = try HostRing(context, slotCount: 2, slotByteCount: 4096)
            let buffer = try DeviceArena(context, byteCount: 4096).allocate(100, label: "x")
            try stream.fill(buffer.address, byteCount: 100, with: 7)
            let target = UnsafeMutableRawBufferPointer.allocate(byteCount: 100, alignment: 1)
            defer { target.deallocate() }
            target.initializeMemory(as: UInt8.self, repeating: 0)
            try machine.delay("run:copy", milliseconds: 5)
            try ring.enqueueDownload(buffer.address, into: target, on: stream)
            try stream.record().waitOnHost()
            #expect(target.allSatisfy { $0 == 7 })
        }
    }

    @Test("pinned memory that the system refuses leaves nothing behind")
    func refusedPinning() throws {
        try SimulatedMachine.run(SimulatedMachine(cards: 1)) { machine in
            let context = try machine.context()
            try machine.fail("cuMemHostAlloc", "CUDA_ERROR_OUT_OF_MEMORY")
            let error = #expect(throws: CUDAError.self) { try HostRing(context) }
            #expect(try #require(error).description.contains("cuMemHostAlloc failed: CUDA_ERROR_OUT_OF_MEMORY"))
        }
    }

    @Test("a download that is given up does not write into memory that may be somebody else's by then")
    func givenUp() throws {
        try SimulatedMachine.run(SimulatedMachine(cards: 1)) { machine in
            let context = try machine.context()
            let stream = try CUDAStream(context)
            let ring = try HostRing(context, slotCount: 4, slotByteCount: 1000)
            let buffer = try DeviceArena(context, byteCount: 4096).allocate(3000, label: "x")
            let target = UnsafeMutableRawBufferPointer.allocate(byteCount: 3000, alignment: 1)
            defer { target.deallocate() }
            try stream.fill(buffer.address, byteCount: 3000, with: 7)
            // The first copy runs late, and a call behind it fails: the wait, or the third part.
            for call in ["cuStreamSynchronize", "cuLaunchHostFunc"] {
                target.initializeMemory(as: UInt8.self, repeating: 1)
                try machine.delay("run:copy", milliseconds: 30)
                try machine.fail(call, "CUDA_ERROR_INVALID_VALUE", number: call == "cuLaunchHostFunc" ? 3 : 1)
                #expect(throws: CUDAError.self) { try ring.download(buffer.address, into: target, on: stream) }
                try stream.synchronize()
                #expect(target.allSatisfy { $0 == 1 }, "\(call)")
            }
        }
    }

    @Test("a copy past an allocation loses the card, and no other")
    func overrun() throws {
        let machine = try SimulatedMachine(cards: 2)
        let driver = try machine.driver()
        let contexts = try (0..<2).map { try CUDAContext(driver, index: $0) }
        let arenas = try contexts.map { try DeviceArena($0, byteCount: 4096) }
        let streams = try contexts.map { try CUDAStream($0) }
        let error = #expect(throws: CUDAError.self) {
            try streams[0].copy(arenas[0].base, to: arenas[0].base + 4000, byteCount: 1000)
            try streams[0].synchronize()
        }
        guard case .contextLost(contexts[0].device, _, "CUDA_ERROR_ILLEGAL_ADDRESS", _) = error else {
            Issue.record("\(String(describing: error))")
            return
        }
        #expect(contexts[0].lossReason == error && contexts[1].lossReason == nil)
        #expect(throws: try #require(error)) { try streams[0].fill(arenas[0].base, byteCount: 1) }
        try streams[1].fill(arenas[1].base, byteCount: 4096)
        try streams[1].synchronize()
        withExtendedLifetime(arenas) {}
    }

    @Test("memory of a card without a link is out of reach")
    func foreign() throws {
        let machine = try SimulatedMachine(cards: 2, links: #"{ "peer": "none" }"#)
        let driver = try machine.driver()
        let contexts = try (0..<2).map { try CUDAContext(driver, index: $0) }
        let arenas = try contexts.map { try DeviceArena($0, byteCount: 4096) }
        let stream = try CUDAStream(contexts[0])
        let error = #expect(throws: CUDAError.self) {
            try stream.fill(arenas[1].base, byteCount: 16)
            try stream.synchronize()
        }
        guard case .contextLost = error else {
            Issue.record("\(String(describing: error))")
            return
        }
        #expect(try machine.leakCount() > 0)
        withExtendedLifetime(arenas) {}
    }
}
