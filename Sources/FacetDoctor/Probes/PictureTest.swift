public import FacetEngine
import FacetImage
public import FacetTensor
import FacetTokenizer

/// A drawn picture through a whole model, from the decoder of its bytes to the words of the answer.
public struct PictureTest: Sendable {
    /// What is asked about the picture.
    public static let question = "Describe the picture."
    /// What the answer must hold: the picture is a red circle on white.
    public static let expected = "red circle"

    private let files: ModelFiles
    private let device: String
    private let dtype: DType?
    private let makeBackend: @Sendable () throws -> any Backend

    /// Names the model, which must know colored shapes, and the device.
    ///
    /// - Parameters:
    ///   - label: the device in the report, such as `cpu avx2`.
    ///   - dtype: what it computes in; nil for the type of the model's weights.
    public init(
        _ files: ModelFiles, on makeBackend: @escaping @Sendable () throws -> any Backend, label: String,
        dtype: DType? = nil
    ) {
        self.files = files
        self.dtype = dtype
        self.makeBackend = makeBackend
        device = label
    }

    /// The model's answer; blocks, so only for a thread that may.
    public func run() -> SelfTestFacts.Picture {
        do {
            let answer = try Blocking.value { () async throws -> String in try await self.answer() }
            return SelfTestFacts.Picture(
                device: device, question: Self.question, expected: Self.expected, answer: answer)
        } catch {
            return SelfTestFacts.Picture(
                device: device, question: Self.question, expected: Self.expected, answer: nil, problem: "\(error)")
        }
    }

    private func answer() async throws -> String {
        var options = EngineOptions()
        options.dtype = dtype
        let model = try ModelLoader(files, options: options).load(onto: [try makeBackend()], placement: nil)
        let picture = ImageSource.bytes(DrawnPicture.redCircle(), name: "the drawn picture")
        let prompt = try model.prompts.prompt(
            for: [ChatMessage(role: .user, content: Self.question, hasImage: true)], images: [picture],
            maxTokens: 48)
        var sampling = SamplingParameters(model.defaults)
        sampling.temperature = 0
        sampling.maxTokens = 48
        var answer = ""
        for try await event in model.engine.submit(Request(prompt, sampling: sampling)) {
            if case .finished(let completion) = event { answer = completion.text }
        }
        return answer
    }
}

/// A picture that is drawn here and stored as an uncompressed PNG.
enum DrawnPicture {
    /// A red circle on white, 224 pixels square.
    static func redCircle() -> [UInt8] {
        let side = 224
        let (center, radius) = (112, 52)
        var rows: [UInt8] = []
        for y in 0..<side {
            rows.append(0)  // no filter
            for x in 0..<side {
                let (dx, dy) = (x - center, y - center)
                rows += dx * dx + dy * dy <= radius * radius ? [220, 32, 36] : [255, 255, 255]
            }
        }
        let header = bigEndian(UInt32(side)) + bigEndian(UInt32(side)) + [8, 2, 0, 0, 0]
        let signature: [UInt8] = [0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A]
        return signature + chunk("IHDR", header) + chunk("IDAT", stored(rows)) + chunk("IEND", [])
    }

    /// A zlib stream of blocks that are not compressed (RFC 1950, 1951).
    private static func stored(_ bytes: [UInt8]) -> [UInt8] {
        var stream: [UInt8] = [0x78, 0x01]
        var start = 0
        while start < bytes.count {
            let part = bytes[start..<min(start + 0xFFFF, bytes.count)]
            start += part.count
            let length = UInt16(part.count)
            stream.append(start == bytes.count ? 1 : 0)
            for number in [length, ~length] { stream += [UInt8(number & 0xFF), UInt8(number >> 8)] }
            stream += part
        }
        var (low, high): (UInt32, UInt32) = (1, 0)
        for byte in bytes {
            low = (low + UInt32(byte)) % 65521
            high = (high + low) % 65521
        }
        return stream + bigEndian(high << 16 | low)
    }

    private static func chunk(_ name: String, _ content: [UInt8]) -> [UInt8] {
        let named = Array(name.utf8) + content
        return bigEndian(UInt32(content.count)) + named + bigEndian(checksum(named))
    }

    /// CRC-32 as PNG counts it, bit by bit.
    private static func checksum(_ bytes: [UInt8]) -> UInt32 {
        var remainder = UInt32.max
        for byte in bytes {
            remainder ^= UInt32(byte)
            for _ in 0..<8 { remainder = remainder >> 1 ^ (remainder & 1 == 1 ? 0xEDB8_8320 : 0) }
        }
        return ~remainder
    }

    private static func bigEndian(_ number: UInt32) -> [UInt8] {
        [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: number >> $0) }
    }
}
