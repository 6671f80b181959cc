/// Everything that can be wrong with a picture, from its address to its pixels.
///
/// `image` says which picture in the user's words: a path, "standard input", "the data: URL".
public enum ImageError: Error, Sendable, Hashable {
    // Where the picture comes from.
    case missingFile(path: String)
    case isFolder(path: String)
    case unreadable(image: String, reason: String)
    case remoteURL(String)
    case malformedDataURL(reason: String)
    case emptyImage(image: String)

    // What its bytes say.
    case fileTooLarge(image: String, byteCount: Int?, limit: Int)
    case unknownFormat(image: String, looksLikeText: Bool)
    case malformed(image: String, format: ImageFormat, reason: String)
    case truncated(image: String, format: ImageFormat, reason: String)
    case unsupported(image: String, format: ImageFormat, reason: String)

    // What it would cost.
    case tooManyPixels(image: String, width: Int, height: Int, limit: Int)
    case sideTooLong(image: String, width: Int, height: Int, limit: Int)
    case tooManyScans(image: String, limit: Int)
    case decoderMemory(image: String, limit: Int)

    // What a caller asks of pixels.
    case wrongPixelCount(width: Int, height: Int, got: Int)
    case wrongSize(width: Int, height: Int)
}

extension ImageError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .missingFile(let path): "There is no image file \(path); check the path."
        case .isFolder(let path): "\(path) is a folder, not an image; name a file in it."
        case .unreadable(let image, let reason):
            "\(image) cannot be read: \(reason); check the path and its permissions."
        case .remoteURL(let url):
            "\(url) is a remote address, which is not followed; download the picture and give the file, "
                + "or give a data: URL."
        case .malformedDataURL(let reason):
            "The data: URL is malformed: \(reason); expected data:image/png;base64,… or percent-encoded bytes."
        case .emptyImage(let image): "\(image) is empty (0 bytes); give a \(ImageFormat.list) picture."
        default: contentDescription
        }
    }

    private var contentDescription: String {
        switch self {
        case .fileTooLarge(let image, let byteCount, let limit):
            "\(image) has \(byteCount.map(String.init) ?? "more") bytes, the limit is \(limit); "
                + "make the picture smaller."
        case .unknownFormat(let image, let looksLikeText):
            "\(image) is not a picture that can be read\(looksLikeText ? " (it looks like text)" : ""); "
                + "give a \(ImageFormat.list) file."
        case .malformed(let image, let format, let reason):
            "\(image) is a damaged \(format) (\(reason)); save it again or use another file."
        case .truncated(let image, let format, let reason):
            "\(image) is an incomplete \(format) (\(reason)); download or copy it again."
        case .unsupported(let image, let format, let reason):
            "\(image) is of a kind of \(format) that is not read (\(reason)); save it as 8-bit RGB."
        case .tooManyPixels(let image, let width, let height, let limit):
            "\(image) is \(width) x \(height) pixels, the limit is \(limit) pixels in all; make it smaller."
        case .sideTooLong(let image, let width, let height, let limit):
            "\(image) is \(width) x \(height) pixels, the limit is \(limit) pixels on a side; crop it."
        case .tooManyScans(let image, let limit):
            "\(image) is a JPEG with more than \(limit) scans, which no camera or editor writes; save it again."
        case .decoderMemory(let image, let limit):
            "\(image) needs more memory to decode than the \(limit) bytes allowed; make it smaller or save it anew."
        case .wrongPixelCount(let width, let height, let got):
            "A picture of \(width) x \(height) pixels needs three bytes for each and positive sides; got \(got) bytes."
        case .wrongSize(let width, let height):
            "A picture cannot be resized to \(width) x \(height) pixels; both sides must be from 1 to "
                + "\(BicubicResize.maximumSide)."
        default: preconditionFailure("no case about an image's content")
        }
    }
}
