import CImageCodecs

/// What one picture may cost; every limit is checked before the memory that it bounds is allocated.
public struct ImageLimits: Sendable, Hashable {
    /// Most bytes of a file: 32 MiB unless told.
    public var byteCount: Int

    /// Most pixels that a header may announce: 64 megapixels (64 · 10⁶) unless told.
    public var pixelCount: Int

    /// Most pixels on one side: 65,535 unless told.
    ///
    /// Only PNG can state more. A picture one pixel wide and millions high would pass the limit on pixels, yet cost
    /// minutes to resize.
    public var sideLength: Int

    /// Most scans of a JPEG: 64 unless told.
    ///
    /// Encoders write about ten; each scan is a pass over every coefficient.
    public var scanCount: Int

    /// Most bytes of the decoder's own memory, beside the pixels: 512 MiB unless told, at most 2 GiB.
    ///
    /// A progressive JPEG of 64 megapixels without subsampling needs 384 MB for its coefficients.
    public var decoderByteCount: Int

    /// Most bytes of one PNG chunk that has to be held at once: 8 MiB unless told.
    public var chunkByteCount: Int

    /// Makes limits; each may be left at its default.
    public init(
        byteCount: Int = 32 << 20, pixelCount: Int = 64_000_000, sideLength: Int = 65_535,
        scanCount: Int = 64, decoderByteCount: Int = 512 << 20, chunkByteCount: Int = 8 << 20
    ) {
        self.byteCount = byteCount
        self.pixelCount = pixelCount
        self.sideLength = sideLength
        self.scanCount = scanCount
        self.decoderByteCount = decoderByteCount
        self.chunkByteCount = chunkByteCount
    }

    /// The same limits for the C target; negative ones count as zero.
    var codecLimits: ic_limits {
        ic_limits(
            max_file_bytes: UInt64(clamping: byteCount),
            max_pixels: UInt64(clamping: pixelCount),
            max_side: UInt32(clamping: sideLength),
            max_scans: UInt32(clamping: scanCount),
            max_decoder_bytes: UInt64(clamping: decoderByteCount),
            max_chunk_bytes: UInt64(clamping: chunkByteCount)
        )
    }
}
