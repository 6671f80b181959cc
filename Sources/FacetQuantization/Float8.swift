/// The 8-bit floating-point format e4m3fn: 4 bits of exponent with bias 7, 3 bits of fraction, no infinity.
///
/// See Micikevicius et al. 2022, "FP8 formats for deep learning", table 1.
public enum Float8 {
    /// The largest number.
    public static let largest: Float = 448

    /// The code of the nearest number, ties to even; numbers beyond the largest become the largest.
    public static func code(nearest x: Float) -> UInt8 {
        let sign = UInt8(truncatingIfNeeded: x.bitPattern >> 24) & 0x80
        let magnitude = x.magnitude
        guard magnitude == magnitude else { return sign | 0x7F }
        if magnitude < 0x1p-6 {
            // Adding 1.5 · 2²³ leaves the nearest integer in the low bits; 8 is the code of the smallest normal number.
            return sign | UInt8(truncatingIfNeeded: (magnitude * 512 + 12_582_912).bitPattern & 15)
        }
        let bits = min(magnitude, largest).bitPattern
        let rounded = (bits + 0x7FFFF + (bits >> 20 & 1)) >> 20
        return sign | UInt8(truncatingIfNeeded: rounded - (120 << 3))
    }

    /// The number of a code; NaN for 0x7F and 0xFF.
    public static func value(of code: UInt8) -> Float {
        let magnitude = UInt32(code & 0x7F)
        if magnitude == 0x7F { return .nan }
        let value = magnitude < 8 ? Float(magnitude) * 0x1p-9 : Float(bitPattern: (magnitude << 20) + (120 << 23))
        return code & 0x80 == 0 ? value : -value
    }
}
