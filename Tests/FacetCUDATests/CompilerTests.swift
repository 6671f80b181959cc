import FacetCUDA
import Testing

/// NVIDIA's own compiler, where it is installed; it needs no card.
@Suite("The real compiler", .enabled(if: (try? NVRTC()) != nil, "NVRTC is not installed"))
struct CompilerTests {
    @Test("makes code for the architecture that is asked for, also from where the loader does not look")
    func compiles() throws {
        let compiler = try NVRTC()
        #expect(compiler.version >= CUDAVersion(12, 0) && compiler.architectures.contains(80))
        let result = try compiler.compile(
            "#include \"dev.cuh\"\nextern \"C\" __global__ void twice(float *x) { x[threadIdx.x] *= TWO; }",
            name: "twice.cu", headers: [("dev.cuh", "#define TWO 2.0f\n")],
            for: GPUArchitecture(ComputeCapability(8, 0)), options: ["--std=c++17"])
        #expect(result.cubin.starts(with: [0x7F] + Array("ELF".utf8)) && result.log.isEmpty)
    }

    @Test("says what is wrong with a source, and where")
    func rejects() throws {
        let error = #expect(throws: CUDAError.self) {
            try NVRTC().compile("int x = ;", name: "wrong.cu", for: GPUArchitecture(ComputeCapability(8, 0)))
        }
        let text = try #require(error).description
        #expect(text.hasPrefix("wrong.cu does not compile for sm_80: NVRTC_ERROR_COMPILATION"))
        #expect(text.contains("wrong.cu(1): error"))
    }
}
