import FacetCUDA
import FacetTensor
import Foundation

extension CUDAMachine.Options {
    /// How the cards of a run are started.
    ///
    /// `FACET_DIRECT_COPIES=off` lets everything go through the host's memory: a link that loses a card when it is tried
    /// leaves nothing else to start with. `FACET_FP8_ARITHMETIC=off` keeps rows as they are where weights are fp8.
    /// - Parameter dtype: type of the activations; nil while cards are measured.
    init(
        dtype: DType?, _ environment: [String: String] = ProcessInfo.processInfo.environment
    ) {
        self.init()
        weightDType = dtype
        usesFloat8Arithmetic = environment["FACET_FP8_ARITHMETIC"] != "off"
        allowsDirectCopies = environment["FACET_DIRECT_COPIES"] != "off"
    }
}
