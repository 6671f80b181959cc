import FacetTensor

/// How a weight matrix lies in a card's memory, by the kernels' names.
enum WeightKind: String, CaseIterable {
    case float32 = "f32"
    case float16 = "f16"
    case bfloat16 = "bf16"
    case int8
    case float8 = "fp8"
    case int4

    /// Number of the kind in the parameters of `product_plain`.
    var kernelCode: Int32 {
        switch self {
        case .float32: 0
        case .float16: 1
        case .bfloat16: 2
        case .int8: 3
        case .float8: 4
        case .int4: 5
        }
    }

    /// The kind of bound weights.
    init(_ layer: LinearWeights) {
        if let matrix = layer.quantized {
            switch matrix.format {
            case .int8: self = .int8
            case .float8: self = .float8
            case .int4: self = .int4
            }
        } else {
            switch layer.weight.dtype {
            case .float32: self = .float32
            case .float16: self = .float16
            case .bfloat16: self = .bfloat16
            case .int32, .uint8, .int8, .float8E4M3:
                preconditionFailure("\(layer.weight.dtype) codes without their scales")
            }
        }
    }
}

/// A weight matrix as kernels take it (`weights.cuh`).
struct WeightArguments {
    let codes: DeviceAddress
    let rowByteCount: Int32
    let scales: DeviceAddress
    let scaleType: Int32
    let scaleStride: Int32
    let group: Int32

    init(_ layer: LinearWeights) {
        codes = layer.weight.deviceAddress
        rowByteCount = Int32(layer.weight.shape.rowElementCount * layer.weight.dtype.byteCount)
        if let matrix = layer.quantized {
            scales = matrix.scales.deviceAddress
            scaleType = matrix.scales.dtype.kernelCode
            scaleStride = Int32(matrix.scaleStride)
            group = Int32(matrix.groupSize)
        } else {
            scales = .null
            scaleType = 0
            scaleStride = 0
            group = Int32(layer.inputs)
        }
    }
}
