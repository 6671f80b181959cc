import CImageCodecs

/// The file formats that are read, told apart by their first bytes and never by a name.
public enum ImageFormat: String, Sendable, Hashable, CaseIterable {
    case jpeg = "JPEG"
    case png = "PNG"
    case webp = "WebP"
    case gif = "GIF"

    /// The format that the first bytes of a file announce; nil when it is none of these.
    public init?(sniffing bytes: [UInt8]) {
        let format = bytes.withUnsafeBufferPointer { ic_sniff($0.baseAddress, $0.count) }
        self.init(format)
    }

    /// The name of the format in the C target; nil for "unknown".
    init?(_ format: ic_format) {
        switch format {
        case IC_FORMAT_JPEG: self = .jpeg
        case IC_FORMAT_PNG: self = .png
        case IC_FORMAT_WEBP: self = .webp
        case IC_FORMAT_GIF: self = .gif
        default: return nil
        }
    }

    /// The media type of the format, such as `image/png`.
    public var mediaType: String { "image/" + rawValue.lowercased() }

    /// All formats as a list for a sentence.
    static var list: String { "PNG, JPEG, WebP or GIF" }
}

extension ImageFormat: CustomStringConvertible {
    public var description: String { rawValue }
}
