import CCUDAKernels

/// The engine's kernels as the program carries them: their sources, and what each takes.
public enum EngineKernels {
    /// Every source, with the headers and the options that it is compiled with.
    public static let sources: KernelSources = {
        var count = 0
        let list = ck_sources(&count)
        var sources: [KernelSource] = []
        var headers: [KernelSource] = []
        for file in UnsafeBufferPointer(start: list, count: count) {
            let bytes = UnsafeRawBufferPointer(start: file.text, count: file.length)
            let source = KernelSource(name: String(cString: file.name), text: String(decoding: bytes, as: UTF8.self))
            if file.is_header != 0 { headers.append(source) } else { sources.append(source) }
        }
        return KernelSources(sources, headers: headers, options: ["--std=c++17"])
    }()

    /// The kernels that a card can run: tensor cores multiply bfloat16 from Ampere on only, and not all fp8.
    ///
    /// - Parameter conformance: whether those that test a card's instructions are wanted too.
    public static func entries(for capability: ComputeCapability, conformance: Bool = false) -> [KernelEntry] {
        var count = 0
        guard let list = ck_kernels(&count) else { return [] }
        return (0..<count).map { entry(list + $0) }.filter { entry in
            (conformance || entry.source != "conformance.cu")
                && (capability.hasBFloat16 || !multipliesBFloat16(entry))
                && (capability.hasFloat8 || !takesFloat8Arithmetic(entry))
                && (capability.hasWarpFloat8 || !multipliesFloat8(entry))
        }
    }

    /// Sizes of attention heads whose scores never leave a card's registers, in the 16-bit type that it computes in.
    public static func fusedHeadSizes(for capability: ComputeCapability) -> [Int] {
        let type = capability.hasBFloat16 ? "bf16" : "f16"
        let prefixes = ["bidirectional_attention_\(type)_d", "paged_attention_\(type)_d"]
        let sizes = entries(for: capability).flatMap { entry in
            prefixes.compactMap { entry.name.hasPrefix($0) ? Int(entry.name.dropFirst($0.count)) : nil }
        }
        return Set(sizes).sorted()
    }

    private static func entry(_ kernel: UnsafePointer<ck_kernel>) -> KernelEntry {
        let sizes = (0..<ck_parameter_count(kernel)).map { Int(ck_parameter_size(kernel, $0)) }
        return KernelEntry(
            name: String(cString: kernel.pointee.name), source: String(cString: kernel.pointee.source) + ".cu",
            parameterByteCounts: sizes)
    }

    private static func multipliesBFloat16(_ entry: KernelEntry) -> Bool {
        tensorCoreSources.contains(entry.source) && entry.name.contains("bf16") || entry.name == "conform_mma_bf16"
    }

    private static func takesFloat8Arithmetic(_ entry: KernelEntry) -> Bool {
        entry.source == "product_fp8.cu" || entry.name == "conform_narrow_fp8" || multipliesFloat8(entry)
    }

    private static func multipliesFloat8(_ entry: KernelEntry) -> Bool {
        entry.name.hasPrefix("product_codes_") || entry.name == "conform_mma_fp8"
    }

    private static let tensorCoreSources: Set<String> = [
        "attention_vision.cu", "attention_prefill.cu", "attention_decode.cu", "product.cu",
    ]
}
