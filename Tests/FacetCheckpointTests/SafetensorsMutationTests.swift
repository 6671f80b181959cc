import FacetCheckpoint
import Testing

@Suite("Mutated safetensors files") struct SafetensorsMutationTests {
    /// SplitMix64: the same numbers on every machine.
    private struct Random: RandomNumberGenerator {
        var state: UInt64

        mutating func next() -> UInt64 {
            state &+= 0x9E37_79B9_7F4A_7C15
            var z = state
            z = (z ^ z >> 30) &* 0xBF58_476D_1CE4_E5B9
            z = (z ^ z >> 27) &* 0x94D0_49BB_1331_11EB
            return z ^ z >> 31
        }
    }

    /// Bytes that mean something in a header, so that many mutants stay JSON.
    private static let telling = Array("{}[]:,\"\\0123456789-.eEuaF".utf8)

    private func mutate(_ bytes: inout [UInt8], _ random: inout Random) {
        guard let place = bytes.indices.randomElement(using: &random) else { return }
        let byte = Self.telling.randomElement(using: &random) ?? 0
        switch Int.random(in: 0..<7, using: &random) {
        case 0: bytes[place] = UInt8.random(in: .min ... .max, using: &random)
        case 1, 2: bytes[place] = byte
        case 3: bytes.insert(byte, at: place)
        case 4: bytes.remove(at: place)
        case 5: bytes.removeLast(min(bytes.count, Int.random(in: 1...9, using: &random)))
        default:
            let end = min(bytes.count, place + Int.random(in: 1...12, using: &random))
            bytes.insert(contentsOf: bytes[place..<end], at: bytes.indices.randomElement(using: &random) ?? 0)
        }
    }

    @Test("are refused or describe bytes that they have", arguments: UInt64(0)..<8)
    func mutations(_ seed: UInt64) {
        var random = Random(state: seed)
        var refusedCount = 0
        let headerByteCount = SafetensorsSample.valid.count - 8 - 34
        for _ in 0..<4000 {
            var bytes = SafetensorsSample.valid
            for _ in 0..<Int.random(in: 1...4, using: &random) { mutate(&bytes, &random) }
            // Half of them with a true length, so that the JSON is reached.
            if Bool.random(using: &random), bytes.count > 8 + 34 {
                let length = headerByteCount + bytes.count - SafetensorsSample.valid.count
                bytes.replaceSubrange(0..<8, with: SafetensorsSample.length(UInt64(length)))
            }
            do throws(CheckpointError) {
                check(try SafetensorsSample.open(bytes), byteCount: bytes.count)
            } catch {
                refusedCount += 1
                #expect(error.description.contains(SafetensorsSample.name))
            }
        }
        #expect(refusedCount > 3000, "most mutations break the file")
        #expect(refusedCount < 4000, "mutations of data bytes do not")
    }

    private func check(_ file: SafetensorsFile, byteCount: Int) {
        for entry in file.entries {
            let inside = entry.byteRange.lowerBound >= 8 && entry.byteRange.upperBound <= byteCount
            let elementCount = entry.shape.reduce(1, *)
            #expect(inside && elementCount * entry.dtype.byteCount == entry.byteRange.count)
        }
    }
}
