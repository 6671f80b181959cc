import FacetCUDA
import Testing

@Suite("Kernels, launches and graphs")
struct KernelTests {
    private let machine: FakeMachine
    private let context: CUDAContext
    private let stream: CUDAStream
    private let ring: HostRing
    private let arena: DeviceArena

    init() throws {
        machine = try FakeMachine()
        context = try machine.context()
        stream = try CUDAStream(context)
        ring = try HostRing(context, slotCount: 2, slotByteCount: 4096)
        arena = try DeviceArena(context, byteCount: 1 << 20)
    }

    private func image(_ names: String...) throws -> KernelImage {
        let text = names.map { $0 + "\n" }.joined()
        return try KernelImage(context, [0x7F] + Array("ELF\(text)".utf8) + [0], name: "test.cubin")
    }

    private func words(_ buffer: DeviceBuffer) throws -> [UInt32] {
        try bytes(buffer, ring, stream).withUnsafeBytes { Array($0.bindMemory(to: UInt32.self)) }
    }

    @Test("a kernel gets its parameters as C lays them out")
    func launch() throws {
        let image = try image("fill", "scale")
        #expect(try image.kernelCount() == 2)
        let fill = try image.kernel("fill", on: context, parameterByteCounts: [8, 4, 4])
        let scale = try image.kernel("scale", on: context, parameterByteCounts: [8, 4, 4, 1])
        #expect(scale.threadLimit == 256 && scale.staticSharedByteCount == 1024 && scale.registerCount == 32)
        #expect(try scale.residentBlockCount(threads: 256, sharedByteCount: 0) == 8)
        let y = try arena.allocate(400, label: "y")
        let shape = LaunchShape(grid: 1, block: 128)
        try stream.launch(fill, shape, y.address, Float(3).bitPattern, UInt32(100))
        try stream.launch(scale, shape, y.address, Float(2), UInt32(50), UInt8(1))
        let values = try words(y).map(Float.init(bitPattern:))
        #expect(values == Array(repeating: -6, count: 50) + Array(repeating: 3, count: 50))
    }

    @Test("an image that is no code, and a kernel that it does not hold, are refused")
    func missing() throws {
        #expect(throws: CUDAError.self) { try KernelImage(context, [1, 2, 3, 4, 5], name: "text") }
        let image = try image("fill")
        #expect(throws: CUDAError.kernelMissing(kernel: "scale", image: "test.cubin")) {
            try image.kernel("scale", on: context)
        }
    }

    @Test("parameters of other sizes than the code's are refused when the kernel is looked up")
    func parameterSizes() throws {
        let image = try image("fill")
        #expect(throws: CUDAError.parameterMismatch(kernel: "fill", expected: [8, 4, 4], got: [8, 8, 4])) {
            try image.kernel("fill", on: context, parameterByteCounts: [8, 8, 4])
        }
    }

    @Test("a launch beyond a kernel's limits is refused before it is made")
    func limits() throws {
        let scale = try image("scale").kernel("scale", on: context)
        let y = try arena.allocate(16, label: "y")
        func launch(_ shape: LaunchShape) throws {
            try stream.launch(scale, shape, y.address, Float(1), UInt32(1), UInt8(0))
        }
        #expect(throws: CUDAError.invalidLaunch(kernel: "scale", what: "threads of a block", limit: 256, got: 512)) {
            try launch(LaunchShape(grid: 1, block: Dimensions(256, 2)))
        }
        #expect(throws: CUDAError.invalidLaunch(kernel: "scale", what: "grid x", limit: 0x7FFF_FFFF, got: 0)) {
            try launch(LaunchShape(grid: 0, block: 32))
        }
        #expect(throws: CUDAError.invalidLaunch(kernel: "scale", what: "grid y", limit: 65_535, got: 70_000)) {
            try launch(LaunchShape(grid: Dimensions(1, 70_000), block: 32))
        }
        #expect(
            throws: CUDAError.invalidLaunch(
                kernel: "scale", what: "dynamic shared memory", limit: 100_352, got: 100_353)
        ) { try launch(LaunchShape(grid: 1, block: 32, sharedByteCount: 100_353)) }
        #expect(try machine.callCount("cuLaunchKernelEx") == 0)
        #expect(try machine.callCount("cuFuncSetAttribute") == 0)
        try launch(LaunchShape(grid: 1, block: 32, sharedByteCount: 100_352, startsEarly: true))
        try launch(LaunchShape(grid: 1, block: 32, sharedByteCount: 60_000))
        #expect(try machine.callCount("cuFuncSetAttribute") == 1)
        let other = try CUDAStream(CUDAContext(context.driver, index: 1))
        #expect(throws: CUDAError.self) {
            try other.launch(scale, LaunchShape(grid: 1, block: 32), y.address, Float(1), UInt32(1), UInt8(0))
        }
    }

    @Test("a launch that fails loses the context")
    func failedLaunch() throws {
        let fill = try image("fill").kernel("fill", on: context)
        try machine.fail("cuLaunchKernelEx", 719)
        let y = try arena.allocate(16, label: "y")
        let error = #expect(throws: CUDAError.self) {
            try stream.launch(fill, LaunchShape(grid: 1, block: 32), y.address, UInt32(1), UInt32(4))
        }
        guard case .contextLost(context.device, "cuLaunchKernelEx", "CUDA_ERROR_LAUNCH_FAILED", _) = error else {
            Issue.record("\(String(describing: error))")
            return
        }
    }

    @Test("captured work runs when its graph is launched, again and again, with the parameters of its last update")
    func graphs() throws {
        let fill = try image("fill").kernel("fill", on: context)
        let y = try arena.allocate(16, label: "y")
        try stream.fill(y.address, byteCount: 16)
        func capture(_ value: UInt32, times: Int = 1) throws -> CUDAGraph {
            try stream.capture { () throws(CUDAError) in
                for _ in 0..<times {
                    try stream.launch(fill, LaunchShape(grid: 1, block: 32), y.address, value, UInt32(4))
                }
            }
        }
        let graph = try capture(7)
        #expect(try !stream.isCapturing() && graph.nodeCount() == 1)
        #expect(try words(y) == [0, 0, 0, 0])
        let executable = try graph.instantiate()
        try executable.upload(on: stream)
        try executable.launch(on: stream)
        #expect(try words(y) == [7, 7, 7, 7])
        try stream.fill(y.address, byteCount: 16)
        try executable.launch(on: stream)
        #expect(try words(y) == [7, 7, 7, 7])
        #expect(try executable.update(from: try capture(9)))
        try executable.launch(on: stream)
        #expect(try words(y) == [9, 9, 9, 9])
        #expect(try !executable.update(from: try capture(1, times: 2)))
    }

    @Test("capturing ends when the closure throws")
    func failedCapture() throws {
        #expect(throws: CUDAError.noSuchDevice(index: 1, count: 0)) {
            try stream.capture { () throws(CUDAError) in throw CUDAError.noSuchDevice(index: 1, count: 0) }
        }
        #expect(try !stream.isCapturing())
        try stream.synchronize()
    }
}
