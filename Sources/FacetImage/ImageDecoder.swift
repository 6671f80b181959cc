import CImageCodecs

/// What the header of a picture says, read without decoding a pixel.
public struct ImageHeader: Sendable, Hashable {
    /// The file format.
    public let format: ImageFormat
    /// Pixels in a row.
    public let width: Int
    /// Rows.
    public let height: Int
    /// Samples per pixel as stored: 1 gray or palette, 2 gray and alpha, 3 color, 4 color and alpha or CMYK.
    public let channelCount: Int
    /// Bits of one sample as stored.
    public let bitsPerSample: Int
}

/// Image bytes to RGB pixels, the same as Pillow 10.4's `Image.open(file).convert("RGB")`.
///
/// Alpha and transparent colors are dropped, not blended; gamma, color profiles and Exif orientation are ignored;
/// 16-bit color keeps its high byte, 16-bit gray is clipped at 255; of an animation the first frame is taken. A file
/// that ends before its last pixel is an error. Blocking work without shared state: call it from any thread, but not
/// from the cooperative pool.
public struct ImageDecoder: Sendable {
    /// What one picture may cost.
    public let limits: ImageLimits

    /// Makes a decoder with the given limits.
    public init(limits: ImageLimits = ImageLimits()) { self.limits = limits }

    /// Reads and checks the header only.
    ///
    /// - Parameter name: stands for the picture in errors.
    /// - Throws: every case about a picture's bytes and cost but `.tooManyScans`, which only decoding finds.
    public func header(of bytes: [UInt8], named name: String = "The image") throws(ImageError) -> ImageHeader {
        let header = try bytes.withUnsafeBufferPointer { bytes throws(ImageError) in try readHeader(bytes, name) }
        return try ImageHeader(header, name)
    }

    /// Decodes a whole file that is in memory.
    ///
    /// - Parameter name: stands for the picture in errors.
    /// - Throws: every case about a picture's bytes and cost; nothing larger than a few kilobytes is allocated before
    ///   the header has passed the limits.
    public func decode(_ bytes: [UInt8], named name: String = "The image") throws(ImageError) -> Bitmap {
        try bytes.withUnsafeBufferPointer { bytes throws(ImageError) in
            let header = try readHeader(bytes, name)
            return try decodePixels(bytes, header, name)
        }
    }

    private func readHeader(_ bytes: UnsafeBufferPointer<UInt8>, _ name: String) throws(ImageError) -> ic_header {
        guard !bytes.isEmpty else { throw .emptyImage(image: name) }
        var header = ic_header()
        var limits = limits.codecLimits
        let outcome = CodecOutcome { message in
            ic_read_header(bytes.baseAddress, bytes.count, &limits, &header, message)
        }
        try outcome.check(name, bytes, header, self.limits)
        return header
    }

    private func decodePixels(
        _ bytes: UnsafeBufferPointer<UInt8>, _ header: ic_header, _ name: String
    ) throws(ImageError) -> Bitmap {
        let (width, height) = (Int(header.width), Int(header.height))
        guard let byteCount = Bitmap.byteCount(width: width, height: height) else {
            throw .tooManyPixels(image: name, width: width, height: height, limit: self.limits.pixelCount)
        }
        var header = header
        var limits = limits.codecLimits
        var outcome = CodecOutcome.success
        let pixels = [UInt8](unsafeUninitializedCapacity: byteCount) { buffer, initializedCount in
            outcome = CodecOutcome { message in
                ic_decode_rgb(
                    bytes.baseAddress, bytes.count, &limits, &header, buffer.baseAddress, byteCount, message)
            }
            // After a failure nothing of the buffer is looked at.
            initializedCount = outcome.isSuccess ? byteCount : 0
        }
        try outcome.check(name, bytes, header, self.limits)
        return try Bitmap(width: width, height: height, pixels: pixels)
    }
}

extension ImageHeader {
    fileprivate init(_ header: ic_header, _ name: String) throws(ImageError) {
        guard let format = ImageFormat(header.format) else {
            throw .unknownFormat(image: name, looksLikeText: false)
        }
        self.init(
            format: format, width: Int(header.width), height: Int(header.height),
            channelCount: Int(header.channels), bitsPerSample: Int(header.bits_per_sample))
    }
}

/// Status and message of one call into the C target.
private struct CodecOutcome {
    static let success = CodecOutcome(status: IC_OK, message: "")

    let status: ic_status
    let message: String

    var isSuccess: Bool { status == IC_OK }

    private init(status: ic_status, message: String) {
        self.status = status
        self.message = message
    }

    init(_ call: (UnsafeMutablePointer<CChar>) -> ic_status) {
        let capacity = Int(IC_MESSAGE_CAPACITY)
        self = withUnsafeTemporaryAllocation(of: CChar.self, capacity: capacity) { message in
            message.initialize(repeating: 0)
            guard let start = message.baseAddress else { preconditionFailure("a message buffer has an address") }
            let status = call(start)
            return CodecOutcome(status: status, message: status == IC_OK ? "" : String(cString: start))
        }
    }

    /// Throws the error that the status stands for.
    func check(
        _ name: String, _ bytes: UnsafeBufferPointer<UInt8>, _ header: ic_header, _ limits: ImageLimits
    ) throws(ImageError) {
        if isSuccess { return }
        switch status {
        case IC_FILE_TOO_LARGE:
            throw .fileTooLarge(image: name, byteCount: bytes.count, limit: limits.byteCount)
        case IC_TOO_MANY_PIXELS:
            throw .tooManyPixels(
                image: name, width: Int(header.width), height: Int(header.height), limit: limits.pixelCount)
        case IC_SIDE_TOO_LONG:
            throw .sideTooLong(
                image: name, width: Int(header.width), height: Int(header.height), limit: limits.sideLength)
        case IC_TOO_MANY_SCANS: throw .tooManyScans(image: name, limit: limits.scanCount)
        case IC_OUT_OF_MEMORY: throw .decoderMemory(image: name, limit: limits.decoderByteCount)
        default: break
        }
        guard let format = ImageFormat(header.format) else {
            throw .unknownFormat(image: name, looksLikeText: Self.looksLikeText(bytes))
        }
        switch status {
        case IC_TRUNCATED: throw .truncated(image: name, format: format, reason: message)
        case IC_UNSUPPORTED: throw .unsupported(image: name, format: format, reason: message)
        default: throw .malformed(image: name, format: format, reason: message)
        }
    }

    /// Whether the first bytes are UTF-8 without control characters other than white space.
    private static func looksLikeText(_ bytes: UnsafeBufferPointer<UInt8>) -> Bool {
        let start = bytes.prefix(256)
        // A character may be cut by the end of the excerpt: up to three bytes are forgiven.
        return (0...3).contains { cut in
            String(validating: start.dropLast(cut), as: UTF8.self).map { text in
                !text.isEmpty && text.unicodeScalars.allSatisfy { $0.value >= 32 || (9...13).contains($0.value) }
            } ?? false
        }
    }
}
