import FacetTensor

/// How a card multiplies many rows by weights of 8-bit floating point.
///
/// Few rows always take them as storage: memory bounds those.
public enum Float8Use: Sendable, Hashable {
    /// Rows become 8-bit floating point too, and cuBLASLt multiplies; where it has no kernel, one of this package does
    /// if the card has the instruction.
    case library
    /// Rows become 8-bit floating point too, and kernels of this package multiply.
    case kernels
    /// Codes become the type of the rows.
    case storage(Reason)

    /// Why weights are only stored so.
    public enum Reason: Sendable, Hashable {
        /// The card is older than 8.9.
        case capability
        /// Switched off.
        case switchedOff
        /// The card multiplies codes fast by cuBLASLt only, and that is not there or has no kernel for them.
        case library
    }

    /// What is best for a card.
    init(_ info: CUDADevice, _ library: CUBLASLt?, isWanted: Bool) {
        if !info.capability.hasFloat8 {
            self = .storage(.capability)
        } else if !isWanted {
            self = .storage(.switchedOff)
        } else if let library, library.computes(.codes(rows: 128, inputs: 256, outputs: 256)) {
            self = .library
        } else if info.capability.hasWarpFloat8 {
            self = .kernels
        } else {
            self = .storage(.library)
        }
    }
}

extension ProductForm {
    /// The sums of products of codes, to be scaled afterwards.
    static func codes(rows: Int, inputs: Int, outputs: Int) -> ProductForm {
        ProductForm(rows: rows, inputs: inputs, outputs: outputs, operandType: .float8E4M3, resultType: .float32)
    }
}
