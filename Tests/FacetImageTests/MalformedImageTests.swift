import FacetImage
import Foundation
import Testing

@Suite("Malformed images")
struct MalformedImageTests {
    private let decoder = ImageDecoder()

    private func error(_ bytes: [UInt8], _ limits: ImageLimits = ImageLimits()) -> ImageError? {
        do throws(ImageError) {
            _ = try ImageDecoder(limits: limits).decode(bytes, named: "x")
            return nil
        } catch {
            return error
        }
    }

    private func isMalformed(_ bytes: [UInt8], _ format: ImageFormat) -> Bool {
        if case .malformed(_, format, _) = error(bytes) { true } else { false }
    }

    private func isTruncated(_ bytes: [UInt8], _ format: ImageFormat) -> Bool {
        if case .truncated(_, format, _) = error(bytes) { true } else { false }
    }

    // MARK: PNG

    @Test("a PNG with a wrong checksum in a critical chunk is damaged")
    func pngChecksum() throws {
        var bytes = try ImageFixtures.bytes("rgb-8.png")
        bytes[29] ^= 1  // of IHDR
        #expect(isMalformed(bytes, .png))
    }

    @Test("a PNG without a palette where one is needed, and one with an impossible bit depth, are damaged")
    func pngHeader() {
        var png = PNGBytes(width: 4, height: 4, depth: 8, color: 3)
        png.append("IDAT", [])
        #expect(isMalformed(png.bytes, .png))
        #expect(isMalformed(PNGBytes(width: 4, height: 4, depth: 4, color: 2).bytes, .png))
        #expect(isMalformed(PNGBytes(width: 4, height: 4, depth: 8, color: 5).bytes, .png))
        #expect(isMalformed(PNGBytes(width: 0, height: 4).bytes, .png))
        #expect(isMalformed(PNGBytes(width: 4, height: 0).bytes, .png))
        #expect(isMalformed(PNGBytes(width: .max, height: 1).bytes, .png))
    }

    @Test("a PNG whose pixel data is no zlib stream, or ends early, is damaged or incomplete")
    func pngPixels() {
        var png = PNGBytes(width: 4, height: 4)
        png.append("IDAT", [1, 2, 3, 4, 5, 6])
        #expect(isMalformed(png.bytes, .png))
        // A whole zlib stream of no bytes at all.
        var empty = PNGBytes(width: 4, height: 4)
        empty.append("IDAT", [0x78, 0x9C, 0x03, 0, 0, 0, 0, 1])
        empty.append("IEND", [])
        #expect(error(empty.bytes) != nil)
    }

    // MARK: JPEG

    @Test("a JPEG of 12 bits, of two components and with arithmetic of an unknown kind is named as unsupported")
    func jpegKinds() throws {
        let bytes = try ImageFixtures.bytes("rgb-444.jpg")
        let frame = try #require(bytes.indices.first { bytes[$0...].starts(with: [0xFF, 0xC0]) })
        var deep = bytes
        deep[frame + 4] = 12
        var lossless = bytes
        lossless[frame + 1] = 0xC3
        for changed in [deep, lossless] {
            guard case .unsupported(_, .jpeg, _) = error(changed) else {
                Issue.record("not refused as unsupported: \(String(describing: error(changed)))")
                continue
            }
        }
        let two: [UInt8] =
            [0xFF, 0xD8, 0xFF, 0xC0, 0, 14, 8, 0, 8, 0, 8, 2, 1, 0x11, 0, 2, 0x11, 0]
            + [0xFF, 0xDA, 0, 10, 2, 1, 0, 2, 0, 0, 63, 0, 0xFF, 0xD9]
        guard case .unsupported(_, .jpeg, _) = error(two) else {
            Issue.record("not refused as unsupported: \(String(describing: error(two)))")
            return
        }
    }

    @Test("a JPEG without a frame, without tables or without its end is an error")
    func jpegStructure() throws {
        #expect(isMalformed([0xFF, 0xD8, 0xFF, 0xD9], .jpeg))
        #expect(isTruncated([0xFF, 0xD8, 0xFF], .jpeg))
        let bytes = try ImageFixtures.bytes("rgb-420.jpg")
        #expect(isTruncated(bytes.dropLast(2), .jpeg))  // as Pillow has it
        let table = try #require(bytes.indices.first { bytes[$0...].starts(with: [0xFF, 0xDB]) })
        var without = bytes
        without[table + 1] = 0xFE  // a comment instead of quantization steps
        #expect(isMalformed(without, .jpeg))
    }

    // MARK: WebP

    @Test("a WebP whose container, frame header or data is wrong is damaged")
    func webp() throws {
        let bytes = try ImageFixtures.bytes("lossless.webp")
        var noFrame = bytes
        noFrame.replaceSubrange(12..<16, with: Array("JUNK".utf8))
        #expect(isMalformed(noFrame, .webp))
        var badSignature = bytes
        badSignature[20] = 0
        #expect(isMalformed(badSignature, .webp))
        #expect(isTruncated(bytes.dropLast(10), .webp))
        var offCanvas = try ImageFixtures.bytes("animated-offset.webp")
        offCanvas[24] = 3  // canvas width 4
        #expect(isMalformed(offCanvas, .webp))
    }

    // MARK: GIF

    @Test("a GIF without a frame, with an empty frame, with a wrong record or too few pixels is an error")
    func gif() throws {
        let bytes = try ImageFixtures.bytes("no-palette.gif")
        #expect(isMalformed(Array(bytes[..<13]) + [0x3B], .gif))
        #expect(isTruncated(Array(bytes[..<13]), .gif))
        var empty = bytes
        empty.replaceSubrange(18..<20, with: [0, 0])
        #expect(isMalformed(empty, .gif))
        var wrongRecord = bytes
        wrongRecord[13] = 0x55
        #expect(isMalformed(wrongRecord, .gif))
        var badCodeSize = bytes
        badCodeSize[23] = 12
        #expect(isMalformed(badCodeSize, .gif))
        var tall = bytes
        tall[20] = 200  // more rows than there is data for
        #expect(error(tall) != nil)
    }

    // MARK: Bombs

    @Test("headers that announce huge pictures are refused at once")
    func hugeHeaders() throws {
        var png = PNGBytes(width: 20_000, height: 20_000)
        png.append("IDAT", [0x78, 0x9C])
        let jpeg: [UInt8] =
            [0xFF, 0xD8, 0xFF, 0xC0, 0, 17, 8, 0xFF, 0xFF, 0xFF, 0xFF, 3, 1, 0x11, 0, 2, 0x11, 0, 3, 0x11, 0]
            + [0xFF, 0xDA, 0, 12, 3, 1, 0, 2, 0, 3, 0, 0, 63, 0, 0xFF, 0xD9]
        // VP8L: a signature, then 14 bits each of width - 1 and height - 1.
        let webp =
            Array("RIFF".utf8) + [22, 0, 0, 0] + Array("WEBPVP8L".utf8) + [10, 0, 0, 0, 0x2F, 0xFE, 0xBF, 0xFF, 0x0F]
            + [0, 0, 0, 0, 0]
        var gif = try ImageFixtures.bytes("plain.gif")
        gif.replaceSubrange(6..<10, with: [0xFF, 0xFF, 0xFF, 0xFF])
        let bombs: [([UInt8], Int)] = [(png.bytes, 20_000), (jpeg, 65_535), (webp, 16_383), (gif, 65_535)]
        for (bytes, side) in bombs {
            let start = threadSeconds()
            let expected = ImageError.tooManyPixels(image: "x", width: side, height: side, limit: 64_000_000)
            #expect(error(bytes) == expected)
            #expect(threadSeconds() - start < 0.05)
        }
    }

    @Test("a picture one pixel wide and millions high is refused: resizing it would take minutes")
    func longSides() {
        for (width, height) in [(1, 65_536), (64_000_000, 1)] {
            var png = PNGBytes(width: UInt32(width), height: UInt32(height))
            png.append("IDAT", [0x78, 0x9C])
            let expected = ImageError.sideTooLong(image: "x", width: width, height: height, limit: 65_535)
            #expect(error(png.bytes) == expected)
        }
    }

    @Test("a progressive JPEG too large for the decoder's memory is refused before the memory is used")
    func coefficientMemory() throws {
        var jpeg = try ImageFixtures.bytes("progressive.jpg")
        let frame = try #require(jpeg.indices.first { jpeg[$0...].starts(with: [0xFF, 0xC2]) })
        jpeg.replaceSubrange(frame + 5..<frame + 9, with: [0x1F, 0x40, 0x1F, 0x40])  // 8000 x 8000
        let start = threadSeconds()
        let limits = ImageLimits(decoderByteCount: 64 << 20)
        #expect(error(jpeg, limits) == .decoderMemory(image: "x", limit: 64 << 20))
        #expect(threadSeconds() - start < 0.2)
    }

    @Test("a JPEG with 1,500 scans is stopped at the limit")
    func manyScans() throws {
        let bytes = try ImageFixtures.bytes("progressive.jpg")
        let scan = try #require(bytes.indices.last { bytes[$0...].starts(with: [0xFF, 0xDA]) })
        let repeated = bytes[scan..<bytes.endIndex - 2]
        let bomb = bytes[..<scan] + repeatElement(repeated, count: 1500).joined() + [0xFF, 0xD9]
        let start = threadSeconds()
        #expect(error(Array(bomb)) == .tooManyScans(image: "x", limit: 64))
        #expect(threadSeconds() - start < 0.5)
    }

    @Test("a PNG with thousands of text chunks and a huge one costs nothing")
    func manyChunks() throws {
        let picture = try ImageFixtures.bytes("rgb-8.png")
        var text = PNGBytes(width: 1, height: 1)
        for _ in 0..<5000 { text.append("tEXt", Array("a\u{0}b".utf8)) }
        text.append("zTXt", Array("a\u{0}\u{0}".utf8) + [UInt8](repeating: 7, count: 1 << 20))
        let chunks = text.bytes[33...]  // after signature and IHDR
        let bytes = picture[..<33] + chunks + picture[33...]
        #expect(try decoder.decode(Array(bytes)).pixels == ImageFixtures.bytes("rgb-8.png.rgb"))
    }
}
