import FacetTensor
import FacetTestSupport

/// Passes every call on and adds up what is allocated.
final class CountingBackend: ForwardingBackend {
    private var byteCount = 0
    private(set) var allocationCount = 0

    /// Bytes allocated since the last call.
    func takeCount() -> Int {
        defer { byteCount = 0 }
        return byteCount
    }

    override func allocate(_ shape: Shape, _ dtype: DType, label: String) throws(TensorError) -> Tensor {
        byteCount += shape.elementCount * dtype.byteCount
        allocationCount += 1
        return try super.allocate(shape, dtype, label: label)
    }
}
