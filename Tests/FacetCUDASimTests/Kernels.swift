import FacetCUDA

/// The engine's kernels with those that test a card's instructions.
enum Kernels {
    /// Sources, headers and options of the compiler.
    static let sources = EngineKernels.sources

    /// Every kernel with its parameters.
    static let entries = entries(for: ComputeCapability(9, 0))

    /// Those that a card of this capability has.
    static func entries(for capability: ComputeCapability) -> [KernelEntry] {
        EngineKernels.entries(for: capability, conformance: true)
    }
}
