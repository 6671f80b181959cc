import FacetCUDA
import FacetTensor
import Testing

@Suite("Cards, contexts, streams and events")
struct DeviceTests {
    @Test("a card's facts are what the driver says")
    func facts() throws {
        let machine = try FakeMachine(cards: 4, memory: 8 << 20)
        let driver = try machine.driver()
        #expect(driver.version == CUDAVersion(12, 4) && driver.deviceCount == 4 && driver.path == machine.path)
        let devices = try driver.devices()
        let card = devices[1]
        #expect(card.device == DeviceID(.cuda, 1) && card.device.description == "cuda:1")
        #expect(card.name == "Stand-in 1" && card.pciID == "0000:42:00.0")
        #expect(card.uuid.description == "GPU-20212223-2425-2627-2829-2a2b2c2d2e2f")
        #expect(CardUUID("GPU-20212223-2425-2627-2829-2a2b2c2d2e2f") == card.uuid)
        #expect(CardUUID("MIG-20212223-2425-2627-2829-2a2b2c2d2e2f") == card.uuid)
        #expect(CardUUID("GPU-2021") == nil && CardUUID("20212223242526272829-2a2b2c2d2e2f") == nil)
        #expect(card.capability == ComputeCapability(8, 9) && card.capability.hasFloat8)
        #expect(card.memoryByteCount == 8 << 20 && card.multiprocessorCount == 4 && card.sharedMemoryLimit == 101_376)
        #expect(!devices[3].capability.hasBFloat16 && devices[3].capability < card.capability)
        #expect(throws: CUDAError.noSuchDevice(index: 4, count: 4)) { try CUDAContext(driver, index: 4) }
    }

    @Test("a call that is refused throws its name, its code's name and the driver's sentence; the device works on")
    func refusedCall() throws {
        let machine = try FakeMachine()
        let context = try machine.context(1)
        try machine.fail("cuMemGetInfo_v2", 1)
        #expect(
            throws: CUDAError.callFailed(
                device: DeviceID(.cuda, 1), call: "cuMemGetInfo", result: "CUDA_ERROR_INVALID_VALUE",
                reason: "a planted fault")
        ) { try context.memory() }
        #expect(context.lossReason == nil)
        #expect(try context.memory().total == 64 << 20)
        try machine.fail("cuDevicePrimaryCtxRetain", 46)
        #expect(throws: CUDAError.self) { try CUDAContext(context.driver, index: 0) }
    }

    @Test("a code that the driver cannot name keeps its number")
    func unknownCode() throws {
        let machine = try FakeMachine()
        let context = try machine.context()
        try machine.fail("cuMemGetInfo_v2", 12_345)
        let error = #expect(throws: CUDAError.self) { try context.memory() }
        #expect(try #require(error).description.contains("error 12345"))
    }

    @Test("a sticky error loses the context: each later call throws the first error and does not reach the driver")
    func stickyError() throws {
        let machine = try FakeMachine()
        let driver = try machine.driver()
        let context = try CUDAContext(driver, index: 0)
        let other = try CUDAContext(driver, index: 1)
        let stream = try CUDAStream(context)
        let event = try stream.record()
        try machine.fail("cuStreamSynchronize", 700)
        let lost = CUDAError.contextLost(
            device: DeviceID(.cuda, 0), call: "cuStreamSynchronize", result: "CUDA_ERROR_ILLEGAL_ADDRESS",
            reason: "an illegal memory access was encountered")
        #expect(throws: lost) { try stream.synchronize() }
        let calls = try machine.callCount("cuMemGetInfo_v2")
        #expect(throws: lost) { try context.memory() }
        #expect(throws: lost) { try event.waitOnHost() }
        #expect(try machine.callCount("cuMemGetInfo_v2") == calls)
        #expect(context.lossReason == lost && event.hasPassed)
        #expect(throws: TensorError.deviceFailed(device: DeviceID(.cuda, 0), reason: lost.description)) {
            try event.synchronize()
        }
        #expect(lost.description.hasPrefix("cuda:0 stopped working: cuStreamSynchronize reported"))
        #expect(try other.memory().total > 0)
    }

    @Test("an event passes when its stream comes to it, and keeps its time", arguments: [false, true])
    func events(isLazy: Bool) throws {
        let machine = try FakeMachine(isLazy: isLazy)
        let context = try machine.context()
        let stream = try CUDAStream(context, priority: .high)
        let first = try stream.record()
        let ran = Flag()
        try stream.enqueueHost { ran.raise() }
        let second = try stream.record()
        let untimed = try stream.record(keepsTime: false)
        #expect(try second.isDone() == !isLazy && stream.isIdle() == !isLazy && ran.isUp == !isLazy)
        try second.synchronize()
        #expect(ran.isUp && second.hasPassed)
        #expect(try #require(second.elapsed(since: first)) >= .zero)
        try untimed.waitOnHost()
        #expect(untimed.elapsed(since: first) == nil)
    }

    @Test("a stream waits for another card's event", arguments: [false, true])
    func waits(isLazy: Bool) throws {
        let machine = try FakeMachine(isLazy: isLazy)
        let driver = try machine.driver()
        let a = try CUDAStream(CUDAContext(driver, index: 0))
        let b = try CUDAStream(CUDAContext(driver, index: 1))
        let order = Order()
        try a.enqueueHost { order.append(1) }
        try b.wait(for: try a.record())
        try b.enqueueHost { order.append(2) }
        try a.enqueueHost { order.append(3) }
        try b.synchronize()
        try a.synchronize()
        #expect(order.values.firstIndex(of: 1)! < order.values.firstIndex(of: 2)!)
        #expect(order.values.count == 3)
    }

    @Test("everything that was made is let go of")
    func leaks() throws {
        let machine = try FakeMachine()
        do {
            let driver = try machine.driver()
            let context = try CUDAContext(driver, index: 0)
            let stream = try CUDAStream(context)
            let ring = try HostRing(context, slotCount: 2, slotByteCount: 64)
            let arena = try DeviceArena(context, byteCount: 4096)
            let buffer = try arena.allocate(100, label: "x")
            _ = try bytes(buffer, ring, stream)
            let graph = try stream.capture { () throws(CUDAError) in try stream.fill(buffer.address, byteCount: 4) }
            try graph.instantiate().launch(on: stream)
            #expect(try machine.aliveCount() > 5)
        }
        #expect(try machine.aliveCount() == 0)
    }
}

/// A flag that a thread of the driver may raise.
///
/// `@unchecked`: raised before an event, read after it.
final class Flag: @unchecked Sendable {
    private(set) var isUp = false
    func raise() { isUp = true }
}

/// Numbers in the order in which streams come to them.
///
/// `@unchecked`: appended by one stream at a time, read after all.
final class Order: @unchecked Sendable {
    private(set) var values: [Int] = []
    func append(_ value: Int) { values.append(value) }
}
