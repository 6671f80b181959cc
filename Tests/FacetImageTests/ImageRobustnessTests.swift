import FacetImage
import Testing

@Suite("Image robustness")
struct ImageRobustnessTests {
    /// Small, so that a mutated size costs little.
    private let decoder = ImageDecoder(limits: ImageLimits(pixelCount: 1 << 18))

    @Test("a file cut at any byte is an error, or still has every pixel")
    func truncation() throws {
        for picture in try ImageFixtures.load().cases {
            let bytes = try picture.bytes()
            let whole = try decoder.decode(bytes)
            for count in 0..<bytes.count {
                let result = Result { () throws(ImageError) in try decoder.decode(Array(bytes[..<count])) }
                guard case .success(let bitmap) = result else { continue }
                #expect(bitmap == whole, "\(picture) cut after \(count) of \(bytes.count) bytes")
                // Pillow, too, needs the end marker of a JPEG and the whole container of a WebP.
                #expect(picture.format == "png" || picture.format == "gif", "\(picture) cut after \(count) bytes")
            }
        }
    }

    @Test("random damage gives a picture of the announced size or an error, never a crash")
    func mutation() throws {
        var random = SplitMix64(state: 0x5EED)
        var decodedCount = 0
        var refusedCount = 0
        for picture in try ImageFixtures.load().cases {
            let bytes = try picture.bytes()
            for _ in 0..<200 {
                var mutated = bytes
                for _ in 0..<Int.random(in: 1...4, using: &random) { mutate(&mutated, &random) }
                switch Result(catching: { () throws(ImageError) in try decoder.decode(mutated) }) {
                case .success(let bitmap):
                    decodedCount += 1
                    #expect(bitmap.width * bitmap.height <= 1 << 18)
                    #expect(bitmap.pixels.count == bitmap.width * bitmap.height * 3)
                case .failure(let error):
                    refusedCount += 1
                    #expect(!error.description.isEmpty)
                }
            }
        }
        // Both outcomes occur, so the damage is neither always nor never noticed.
        #expect(decodedCount > 500)
        #expect(refusedCount > 2000)
    }

    private func mutate(_ bytes: inout [UInt8], _ random: inout SplitMix64) {
        guard !bytes.isEmpty else { return }
        let place = Int.random(in: bytes.indices, using: &random)
        switch Int.random(in: 0..<5, using: &random) {
        case 0: bytes[place] ^= 1 << UInt8.random(in: 0..<8, using: &random)
        case 1: bytes[place] = .random(in: 0...255, using: &random)
        case 2: bytes[place] = [0, 0xFF, 0x7F, 0x80].randomElement(using: &random) ?? 0
        case 3: bytes.remove(at: place)
        default: bytes.insert(contentsOf: bytes[place..<min(place + 8, bytes.count)], at: place)
        }
    }
}

/// Steele, Lea and Flood's generator: the same damage on every run.
private struct SplitMix64: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }
}
