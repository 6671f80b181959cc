/// A picture of 8-bit RGB pixels, rows from the top, without padding.
public struct Bitmap: Sendable, Hashable {
    /// Pixels in a row; at least 1.
    public let width: Int

    /// Rows; at least 1.
    public let height: Int

    /// `[height, width, 3]`: red, green and blue of each pixel.
    public let pixels: [UInt8]

    /// Makes a picture of pixels that are in memory already.
    ///
    /// - Throws: `.wrongPixelCount` when a side is not positive or `pixels` is not `height · width · 3` bytes.
    public init(width: Int, height: Int, pixels: [UInt8]) throws(ImageError) {
        guard Self.byteCount(width: width, height: height) == pixels.count else {
            throw .wrongPixelCount(width: width, height: height, got: pixels.count)
        }
        self.width = width
        self.height = height
        self.pixels = pixels
    }

    /// Bytes of a picture's pixels; nil when a side is not positive or the product does not fit an `Int`.
    static func byteCount(width: Int, height: Int) -> Int? {
        guard width > 0, height > 0 else { return nil }
        let (pixelCount, overflow) = width.multipliedReportingOverflow(by: height)
        let (byteCount, byteOverflow) = pixelCount.multipliedReportingOverflow(by: 3)
        return overflow || byteOverflow ? nil : byteCount
    }
}
