import FacetTensor
import Testing

@Suite("Logical CPU devices")
struct CPUDeviceTests {
    private func fill(_ tensor: Tensor, _ values: [Float], _ device: CPUDevice) throws {
        try values.withUnsafeBytes { try device.upload($0, into: tensor) }
    }

    private func values(_ tensor: Tensor, _ device: CPUDevice) throws -> [Float] {
        var values = [Float](repeating: 0, count: tensor.shape.elementCount)
        try values.withUnsafeMutableBytes { try device.download(tensor, into: $0) }
        return values
    }

    @Test("a budget is enforced to the byte, and memory comes back with its last owner")
    func budget() throws {
        let device = try CPUDevice(index: 3, budgetByteCount: 100)
        do {
            let first = try device.allocate([15], .float32, label: "first")
            #expect(first.device == DeviceID(.cpu, 3))
            #expect(throws: TensorError.outOfMemory(label: "second", byteCount: 44, device: device.device)) {
                try device.allocate([11], .float32, label: "second")
            }
            let second = try device.allocate([10], .float32, label: "second")
            let use = try #require(device.memoryUse)
            #expect(use.usedByteCount == 100 && use.peakByteCount == 100 && use.budgetByteCount == 100)
            withExtendedLifetime((first, second)) {}
        }
        #expect(device.memoryUse?.usedByteCount == 0)
        #expect(device.memoryUse?.peakByteCount == 100)
    }

    @Test("weights count where there is a budget, and are used from where they are where there is none")
    func weights() throws {
        let host = try CPUBackend(threadCount: 1)
        let weight = try host.allocate([2, 4], .float32, label: "weight")
        let bias = try host.allocate([2], .float32, label: "bias")
        let tight = try CPUDevice(index: 0, budgetByteCount: 40)
        let bound = try tight.bind(weight: weight, bias: bias)
        try tight.synchronize()
        #expect(tight.memoryUse?.usedByteCount == 40 && tight.memoryUse?.countsWeights == true)
        #expect(bound.weight.storage !== weight.storage)
        #expect(throws: TensorError.self) { try tight.bind(parameter: bias) }
        let free = try CPUDevice(index: 1)
        let viewed = try free.bind(weight: weight, bias: nil)
        #expect(free.memoryUse?.usedByteCount == 0 && free.memoryUse?.countsWeights == false)
        #expect(viewed.weight.device == free.device)
    }

    @Test("operands on another device are refused at once, except those of a copy")
    func wrongDevice() throws {
        let a = try CPUDevice(index: 0), b = try CPUDevice(index: 1)
        let x = try a.allocate([2], .float32, label: "x"), y = try b.allocate([2], .float32, label: "y")
        #expect(throws: TensorError.self) { try b.add(x, to: y) }
        #expect(throws: TensorError.self) { try b.scale(x, by: 2) }
        try fill(x, [1, 2], a)
        try b.wait(for: a.record())
        try b.copy(x, into: y)
        #expect(try values(y, b) == [1, 2])
    }

    @Test("a queue that waits for another sees what the other wrote before, however slow it is", arguments: 0..<20)
    func events(round: Int) throws {
        let a = try CPUDevice(index: 0), b = try CPUDevice(index: 1)
        let x = try a.allocate([64, 1024], .float32, label: "x"), y = try b.allocate([64, 1024], .float32, label: "y")
        try fill(x, [Float](repeating: 1, count: 64 * 1024), a)
        for _ in 0..<10 { try a.scale(x, by: 2) }
        try b.wait(for: a.record())
        try b.copy(x, into: y)
        // The writer waits until it has been read.
        try a.wait(for: b.record())
        try a.scale(x, by: 0)
        #expect(try values(y, b) == [Float](repeating: 1024, count: 64 * 1024))
        #expect(try values(x, a).allSatisfy { $0 == 0 })
    }

    @Test("an event knows when it passed")
    func elapsed() throws {
        let device = try CPUDevice(index: 0)
        let x = try device.allocate([1 << 16], .float32, label: "x")
        let start = try device.record()
        try device.scale(x, by: 2)
        let end = try device.record()
        try end.synchronize()
        #expect(try #require(end.elapsed(since: start)) >= .zero)
    }

    @Test("an error in the queue is thrown once, at the next wait, and what followed it has no effect")
    func queuedError() throws {
        let device = try CPUDevice(index: 0)
        let table = try device.allocate([2, 4], .float32, label: "table")
        let indices = try device.allocate([1], .int32, label: "indices")
        let y = try device.allocate([1, 4], .float32, label: "y")
        try [Int32(7)].withUnsafeBytes { try device.upload($0, into: indices) }
        try fill(y, [1, 1, 1, 1], device)
        try device.gatherRows(table, indices, into: y)
        try device.scale(y, by: 5)
        let expected = TensorError.indexOutOfRange(operation: "gatherRows", argument: "indices", index: 7, limit: 2)
        #expect(throws: expected) { try device.synchronize() }
        #expect(try values(y, device) == [1, 1, 1, 1])
        try device.scale(y, by: 5)
        #expect(try values(y, device) == [5, 5, 5, 5])
    }

    @Test("an error spreads to the queues that wait for it")
    func spreadingError() throws {
        let a = try CPUDevice(index: 0), b = try CPUDevice(index: 1)
        let y = try b.allocate([2], .float32, label: "y")
        let failure = TensorError.deviceFailed(device: a.device, reason: "test")
        a.raise(failure)
        try b.wait(for: a.record())
        try b.scale(y, by: 2)
        let end = try b.record()
        #expect(throws: failure) { try end.synchronize() }
        #expect(throws: failure) { try b.synchronize() }
        #expect(throws: failure) { try a.synchronize() }
        try a.synchronize()
        try b.synchronize()
    }

    @Test("a copy queue works beside the device and is ordered by events")
    func copyQueue() throws {
        let device = try CPUDevice(index: 0)
        let copies = try device.makeCopyQueue()
        let source = try Storage(allocating: 16, label: "source")
        let bytes = try CPUBackend(threadCount: 1)
        let host = Tensor(source, shape: [4], dtype: .float32)
        try [Float](arrayLiteral: 1, 2, 3, 4).withUnsafeBytes { try bytes.upload($0, into: host) }
        let target = try device.allocate([4], .float32, label: "target")
        let view = UnsafeRawBufferPointer(start: host.address, count: 16)
        try copies.upload(view, keeping: source, into: target)
        try device.wait(for: copies.record())
        try device.scale(target, by: 3)
        #expect(try values(target, device) == [3, 6, 9, 12])
        let small = try device.allocate([3], .float32, label: "small")
        #expect(throws: TensorError.self) { try copies.upload(view, keeping: source, into: small) }
        try copies.synchronize()
    }

    @Test("every operation gives what the plain backend gives, bit for bit")
    func sameResults() throws {
        let device = try CPUDevice(index: 1, threadCount: 2), plain = try CPUBackend(device: DeviceID(.cpu, 1))
        func run(_ backend: any Backend) throws -> [Float] {
            let x = try backend.allocate([5, 8], .float32, label: "x")
            let y = try backend.allocate([5, 4], .float32, label: "y")
            let host = try CPUBackend(threadCount: 1)
            let weight = try host.allocate([4, 8], .float32, label: "weight")
            let numbers = (0..<40).map { Float($0 % 7) - 2.5 }
            try numbers.withUnsafeBytes { try backend.upload($0, into: x) }
            try numbers.prefix(32).withUnsafeBytes { try host.upload($0, into: weight) }
            try backend.linear(x, backend.bind(weight: weight, bias: nil), epilogue: .gelu, into: y)
            #expect(try !backend.containsNonFinite(y))
            var result = [Float](repeating: 0, count: 20)
            try result.withUnsafeMutableBytes { try backend.download(y, into: $0) }
            return result
        }
        #expect(try run(device) == run(plain))
    }
}
