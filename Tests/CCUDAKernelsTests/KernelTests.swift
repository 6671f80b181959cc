import CCUDAKernels
import KernelChecks
import SIMTKernels
import Testing

@Suite("CUDA kernels on the shim", .serialized)
struct KernelTests {
    @Test("every kernel agrees with float64 arithmetic, under every schedule")
    func checks() {
        for index in 0..<kc_check_count() {
            #expect(line(of: { kc_check_run(index, kc_simulated_machine(), $0, $1) }) == nil)
        }
        for kernel in allKernels() {
            #expect(kc_launch_count(kernel.name) > 0, "no check launches \(String(cString: kernel.name))")
        }
    }

    @Test("the shim names divergent barriers, missing waits and the like")
    func shim() {
        #expect(line(of: { kc_check_shim($0, $1) }) == nil)
    }

    @Test("the table's signatures are those that the compiler sees")
    func signatures() throws {
        let kernels = allKernels()
        #expect(kernels.count == Int(simt_kernel_count()))
        for kernel in kernels {
            let name = String(cString: kernel.name)
            let compiled = try #require(simt_kernel_named(kernel.name), "\(name) is not compiled for the host").pointee
            let listed = withUnsafePointer(to: kernel) { kernel in
                (0..<ck_parameter_count(kernel)).map { ck_parameter_size(kernel, $0) }
            }
            #expect(listed == (0..<Int(compiled.param_count)).map { compiled.param_sizes[$0] }, "\(name)")
            #expect(kernel.max_threads == compiled.max_threads, "\(name)")
        }
    }

    @Test("every kernel stands in the source that the table names")
    func sources() {
        var count = 0
        let start = ck_sources(&count)
        let sources = UnsafeBufferPointer(start: start, count: count)
        let names = Set(sources.map { String(cString: $0.name) })
        #expect(names.count == count)
        for kernel in allKernels() {
            #expect(names.contains(String(cString: kernel.source) + ".cu"))
        }
        for source in sources {
            let bytes = UnsafeRawBufferPointer(start: source.text, count: source.length)
            let text = String(decoding: bytes, as: UTF8.self)
            #expect(text.hasPrefix("// "), "\(String(cString: source.name)) opens without saying what it is")
            #expect(String(cString: source.name).hasSuffix(".cuh") == (source.is_header != 0))
        }
    }

    /// The line that a call failed with.
    private func line(of call: (UnsafeMutablePointer<CChar>?, Int) -> CInt) -> String? {
        withUnsafeTemporaryAllocation(of: CChar.self, capacity: 1024) { text in
            text.initialize(repeating: 0)
            guard call(text.baseAddress, text.count) != 0, let start = text.baseAddress else { return nil }
            return String(cString: start)
        }
    }

    private func allKernels() -> [ck_kernel] {
        var count = 0
        let start = ck_kernels(&count)
        return Array(UnsafeBufferPointer(start: start, count: count))
    }
}
