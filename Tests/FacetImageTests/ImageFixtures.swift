import FacetImage
import FacetTestSupport
import Foundation

/// `Tests/Fixtures/images`: one small picture per kind, with Pillow's pixels; see its generator in `Tools/fixtures`.
struct ImageFixtures: Decodable {
    struct Picture: Decodable, Sendable, CustomStringConvertible {
        let file: String
        let width: Int
        let height: Int

        var description: String { file }
        var format: String { file.split(separator: ".").last.map(String.init) ?? "" }

        func bytes() throws -> [UInt8] { try ImageFixtures.bytes(file) }
        func expected() throws -> [UInt8] { try ImageFixtures.bytes(file + ".rgb") }
    }

    struct Resize: Decodable, Sendable, CustomStringConvertible {
        let source: [Int]
        let size: [Int]
        let crc32: UInt32

        var description: String { "\(source) to \(size)" }
    }

    let cases: [Picture]
    let resize: [Resize]

    static func load() throws -> ImageFixtures {
        try JSONDecoder().decode(ImageFixtures.self, from: Data(try bytes("manifest.json")))
    }

    static func bytes(_ name: String) throws -> [UInt8] {
        [UInt8](try Data(contentsOf: FixtureFolder.path("images").appendingPathComponent(name)))
    }
}

/// The checksum of zlib, PNG and the fixtures' generator.
func crc32(_ bytes: some Sequence<UInt8>) -> UInt32 {
    let table = (0..<256).map { byte -> UInt32 in
        var remainder = UInt32(byte)
        for _ in 0..<8 {
            let isOdd = remainder & 1 == 1
            remainder >>= 1
            if isOdd { remainder ^= 0xEDB8_8320 }
        }
        return remainder
    }
    var checksum = UInt32.max
    for byte in bytes {
        let place = Int(UInt8(truncatingIfNeeded: checksum) ^ byte)
        checksum = table[place] ^ (checksum >> 8)
    }
    return ~checksum
}

/// The generator's `noise`: bytes that look random, made again from their index.
func noise(_ count: Int) -> [UInt8] {
    (0..<count).map { index in
        var x = UInt32(truncatingIfNeeded: index) &* 2_654_435_761
        x ^= x >> 15
        return UInt8(truncatingIfNeeded: (x &* 2_246_822_519) >> 24)
    }
}

/// CPU time of the calling thread: wall clocks say little on a busy machine.
func threadSeconds() -> Double {
    var time = timespec()
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
    return Double(time.tv_sec) + Double(time.tv_nsec) * 1e-9
}

/// A PNG written chunk by chunk, so that any of them can be wrong.
struct PNGBytes {
    private(set) var bytes: [UInt8] = [0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A]

    init(width: UInt32, height: UInt32, depth: UInt8 = 8, color: UInt8 = 2) {
        append("IHDR", bigEndian(width) + bigEndian(height) + [depth, color, 0, 0, 0])
    }

    mutating func append(_ name: String, _ body: [UInt8]) {
        bytes += bigEndian(UInt32(body.count)) + Array(name.utf8) + body + bigEndian(crc32(Array(name.utf8) + body))
    }

    private func bigEndian(_ value: UInt32) -> [UInt8] {
        (0..<4).map { UInt8(truncatingIfNeeded: value >> (24 - 8 * $0)) }
    }
}
