/// A matrix of pseudorandom numbers, described so that every device makes the same ones, bit for bit.
///
/// Element `i`, in row-major order, is `center + width · number(offset + i)` in one rounding, rounded to the element
/// type once more, ties to even. It is for weights of models that are measured without a checkpoint: their numbers need
/// not be good ones, but must be made where they are used faster than they could be brought there.
public struct NoiseTensor: Sendable, Hashable {
    /// What the elements are.
    public enum Elements: Sendable, Hashable {
        /// Floating-point numbers.
        case numbers(DType)
        /// Codes of quantized weights, row by row as `QuantizedMatrix` holds them.
        case codes(QuantizedFormat)
    }

    /// Lengths of the dimensions, in elements: two codes of int4 share a byte, and count as two.
    public let shape: Shape

    /// What the elements are.
    public let elements: Elements

    /// The middle of the numbers.
    public let center: Float

    /// How far they go from the middle.
    public let width: Float

    /// Which sequence of numbers.
    public let seed: UInt64

    /// Where in the sequence the first element is; not negative.
    public let offset: Int

    /// Numbers after which the sequence begins again: a prime, so that rows of no width repeat the same noise.
    public static let period = 1_048_573

    /// Describes numbers from `center - width` to `center + width`.
    ///
    /// - Precondition: `offset` is not negative; numbers are of a floating-point type.
    public init(_ shape: Shape, numbers dtype: DType, center: Float, width: Float, seed: UInt64, offset: Int) {
        precondition(offset >= 0, "an offset of \(offset)")
        precondition(dtype.isFloatingPoint, "random numbers of \(dtype)")
        self.shape = shape
        elements = .numbers(dtype)
        self.center = center
        self.width = width
        self.seed = seed
        self.offset = offset % Self.period
    }

    /// Describes codes from one end of a format to the other, evenly: a scale of `w / largestCode` makes weights from
    /// `-w` to `w` of them.
    ///
    /// - Precondition: `offset` is not negative.
    public init(_ shape: Shape, codes format: QuantizedFormat, seed: UInt64, offset: Int) {
        precondition(offset >= 0, "an offset of \(offset)")
        self.shape = shape
        elements = .codes(format)
        // Codes of int4 are stored plus 8.
        center = format == .int4 ? 8 : 0
        width = Self.largestCode(format)
        self.seed = seed
        self.offset = offset % Self.period
    }

    /// The largest number that a code of a format stands for, of those that have a negative.
    public static func largestCode(_ format: QuantizedFormat) -> Float {
        switch format {
        case .int8: 127
        case .float8: 448
        case .int4: 7
        }
    }

    /// Rows that lie one after the other: a vector is one row.
    public var rowCount: Int { shape.rank > 1 ? shape.rowCount : 1 }

    /// Elements of a row.
    public var columnCount: Int { shape.rank > 1 ? shape.rowElementCount : shape.elementCount }

    /// Type of the tensor that holds them.
    public var dtype: DType {
        switch elements {
        case .numbers(let dtype): dtype
        case .codes(let format): format.codeDType
        }
    }

    /// Bytes of a row, as `bind` takes it from the host.
    public var rowByteCount: Int {
        switch elements {
        case .numbers(let dtype): columnCount * dtype.byteCount
        case .codes(let format): format.rowByteCount(inputs: columnCount)
        }
    }

    /// One of the numbers from -1 to 1 of a sequence: the upper 24 bits of SplitMix64, whose state is a count.
    ///
    /// - Parameter position: from 0 to below `period`.
    public static func number(seed: UInt64, at position: Int) -> Float {
        var mixed = seed &+ UInt64(position + 1) &* 0x9E37_79B9_7F4A_7C15
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        mixed ^= mixed >> 31
        return Float(mixed >> 40) / Float(1 << 23) - 1
    }
}
