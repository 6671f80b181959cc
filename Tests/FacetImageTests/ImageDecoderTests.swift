import FacetImage
import Foundation
import Testing

@Suite("Image decoder")
struct ImageDecoderTests {
    private let decoder = ImageDecoder()

    @Test("every kind of picture has Pillow's pixels")
    func matchesPillow() throws {
        let pictures = try ImageFixtures.load().cases
        #expect(pictures.count > 60)
        for picture in pictures {
            let bitmap = try decoder.decode(picture.bytes(), named: picture.file)
            #expect(bitmap.width == picture.width && bitmap.height == picture.height, "\(picture)")
            let expected = try picture.expected()
            try #require(bitmap.pixels.count == expected.count, "\(picture)")
            let differences = zip(bitmap.pixels, expected).map { abs(Int($0) - Int($1)) }
            let worst = try #require(differences.max())
            if picture.format == "jpg" {
                // Inverse transforms and chroma upsampling differ between library versions.
                #expect(worst <= 6, "\(picture): worst difference \(worst)")
                #expect(differences.count { $0 > 2 } * 100 <= differences.count, "\(picture)")
            } else {
                #expect(
                    worst == 0, "\(picture): worst difference \(worst) at \(differences.firstIndex(of: worst) ?? -1)")
            }
        }
    }

    @Test("the header gives format, size and samples without decoding")
    func headers() throws {
        let expected: [String: (ImageFormat, Int, Int, Int, Int)] = [
            "rgba-16.png": (.png, 19, 13, 4, 16), "palette-2.png": (.png, 19, 13, 1, 2),
            "gray-alpha-8.png": (.png, 19, 13, 2, 8), "cmyk.jpg": (.jpeg, 19, 13, 4, 8),
            "gray.jpg": (.jpeg, 19, 13, 1, 8), "lossy-alpha.webp": (.webp, 19, 13, 4, 8),
            "animated-offset.webp": (.webp, 25, 21, 3, 8), "overhanging.gif": (.gif, 19, 13, 1, 8),
        ]
        for (file, (format, width, height, channelCount, bitsPerSample)) in expected {
            let bytes = try ImageFixtures.bytes(file)
            let header = try decoder.header(of: bytes)
            #expect(header.format == format && header.width == width && header.height == height, "\(file)")
            #expect(header.channelCount == channelCount && header.bitsPerSample == bitsPerSample, "\(file)")
            #expect(ImageFormat(sniffing: bytes) == format)
        }
    }

    @Test("the file's name does not matter, its first bytes do")
    func unknownFormats() throws {
        #expect(throws: ImageError.emptyImage(image: "x")) { try decoder.decode([], named: "x") }
        for text in ["<svg xmlns='http://www.w3.org/2000/svg'/>", "Grüße\n", String(repeating: "é", count: 300)] {
            #expect(throws: ImageError.unknownFormat(image: "x", looksLikeText: true)) {
                try decoder.decode(Array(text.utf8), named: "x")
            }
        }
        for bytes: [UInt8] in [
            [0], [0xFF, 0xD8], [0x42, 0x4D, 0, 0, 1, 2], Array("RIFF\u{0}\u{0}\u{0}\u{0}WAVE".utf8),
        ] {
            #expect(throws: ImageError.unknownFormat(image: "x", looksLikeText: false)) {
                try decoder.decode(bytes, named: "x")
            }
        }
    }

    @Test("one byte too many, one pixel too many and one scan too many are refused")
    func limitsAreExact() throws {
        let png = try ImageFixtures.bytes("rgb-8.png")
        let progressive = try ImageFixtures.bytes("progressive.jpg")
        #expect(try ImageDecoder(limits: ImageLimits(byteCount: png.count)).decode(png).width == 19)
        #expect(throws: ImageError.fileTooLarge(image: "x", byteCount: png.count, limit: png.count - 1)) {
            try ImageDecoder(limits: ImageLimits(byteCount: png.count - 1)).decode(png, named: "x")
        }
        #expect(try ImageDecoder(limits: ImageLimits(pixelCount: 19 * 13)).decode(png).height == 13)
        #expect(throws: ImageError.tooManyPixels(image: "x", width: 19, height: 13, limit: 246)) {
            try ImageDecoder(limits: ImageLimits(pixelCount: 246)).decode(png, named: "x")
        }
        #expect(try ImageDecoder(limits: ImageLimits(sideLength: 19)).decode(png).width == 19)
        #expect(throws: ImageError.sideTooLong(image: "x", width: 19, height: 13, limit: 18)) {
            try ImageDecoder(limits: ImageLimits(sideLength: 18)).decode(png, named: "x")
        }
        #expect(try ImageDecoder(limits: ImageLimits(scanCount: 10)).decode(progressive).width == 19)
        #expect(throws: ImageError.tooManyScans(image: "x", limit: 5)) {
            try ImageDecoder(limits: ImageLimits(scanCount: 5)).decode(progressive, named: "x")
        }
    }

    @Test("decoding the same bytes from many tasks at once gives the same pixels")
    func concurrentUse() async throws {
        for file in ["progressive.jpg", "rgba-8-interlaced.png", "lossy.webp", "interlaced.gif"] {
            let bytes = try ImageFixtures.bytes(file)
            let expected = try decoder.decode(bytes)
            try await withThrowingTaskGroup(of: Bitmap.self) { group in
                for _ in 0..<8 { group.addTask { try ImageDecoder().decode(bytes) } }
                for try await bitmap in group { #expect(bitmap == expected, "\(file)") }
            }
        }
    }

    @Test("every error is one line with a remedy")
    func errorsAreOneLine() {
        let errors: [ImageError] = [
            .missingFile(path: "a.png"), .isFolder(path: "a"), .unreadable(image: "a", reason: "no"),
            .remoteURL("http://a"), .malformedDataURL(reason: "no"), .emptyImage(image: "a"),
            .fileTooLarge(image: "a", byteCount: nil, limit: 1), .fileTooLarge(image: "a", byteCount: 2, limit: 1),
            .unknownFormat(image: "a", looksLikeText: true), .malformed(image: "a", format: .gif, reason: "no"),
            .truncated(image: "a", format: .png, reason: "no"), .unsupported(image: "a", format: .jpeg, reason: "no"),
            .tooManyPixels(image: "a", width: 2, height: 2, limit: 1), .tooManyScans(image: "a", limit: 1),
            .sideTooLong(image: "a", width: 1, height: 9, limit: 8),
            .decoderMemory(image: "a", limit: 1), .wrongPixelCount(width: 0, height: 1, got: 3),
            .wrongSize(width: 0, height: 1),
        ]
        for error in errors {
            #expect(error.description.hasSuffix(".") && !error.description.contains("\n"))
            #expect(error.description.count > 30)
        }
    }
}
