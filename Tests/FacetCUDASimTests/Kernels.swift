import CCUDAKernels
import FacetCUDA

/// The engine's kernels, as the package carries them.
enum Kernels {
    /// Sources, headers and options of the compiler.
    static let sources: KernelSources = {
        var count = 0
        let all = ck_sources(&count)
        var sources: [KernelSource] = []
        var headers: [KernelSource] = []
        for source in UnsafeBufferPointer(start: all, count: count) {
            let text = UnsafeRawBufferPointer(start: source.text, count: source.length)
            let file = KernelSource(name: String(cString: source.name), text: String(decoding: text, as: UTF8.self))
            if source.is_header != 0 { headers.append(file) } else { sources.append(file) }
        }
        return KernelSources(sources, headers: headers, options: ["--std=c++17"])
    }()

    /// The kernels that a card can run: tensor cores multiply bfloat16 from Ampere on.
    static func entries(for capability: ComputeCapability) -> [KernelEntry] {
        let absent = ["attention_vision.cu", "attention_prefill.cu", "attention_decode.cu", "product.cu"]
        return entries.filter { entry in
            let needsAmpere = absent.contains(entry.source) && entry.name.contains("bf16")
            return capability.hasBFloat16 || !needsAmpere && entry.name != "conform_mma_bf16"
        }
    }

    /// Every kernel with its parameters.
    static let entries: [KernelEntry] = {
        var count = 0
        let all = ck_kernels(&count)
        return UnsafeBufferPointer(start: all, count: count).map { kernel in
            var kernel = kernel
            let parameters = (0..<ck_parameter_count(&kernel)).map { Int(ck_parameter_size(&kernel, $0)) }
            return KernelEntry(
                name: String(cString: kernel.name), source: String(cString: kernel.source) + ".cu",
                parameterByteCounts: parameters)
        }
    }()
}
