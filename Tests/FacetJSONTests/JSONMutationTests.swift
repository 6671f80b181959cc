import FacetJSON
import Testing

/// Bytes from outside, damaged at random: the reader answers or throws, and what it accepts it can write again.
@Suite("JSON under damage")
struct JSONMutationTests {
    /// A small generator with the same numbers on every machine (Steele et al., SplitMix64).
    private struct Random: RandomNumberGenerator {
        var state: UInt64

        mutating func next() -> UInt64 {
            state &+= 0x9E37_79B9_7F4A_7C15
            var z = (state ^ (state >> 30)) &* 0xBF58_476D_1CE4_E5B9
            z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
            return z ^ (z >> 31)
        }
    }

    private static let pieces = ["a", "é", "你", "\u{1F600}", "\"", "\\", "\n", "\u{1}", "0", "/", "\u{7F}"]

    private func document(_ random: inout Random, depth: Int = 0) -> String {
        switch Int.random(in: 0..<(depth < 4 ? 7 : 5), using: &random) {
        case 0: return "null"
        case 1: return Bool.random(using: &random) ? "true" : "false"
        case 2: return "\(Int64.random(in: .min ... .max, using: &random))"
        case 3: return "\(Double(Int32.random(in: .min ... .max, using: &random)) / 7)e-3"
        case 4: return text(&random)
        case 5:
            return "["
                + (0..<Int.random(in: 0..<4, using: &random)).map { _ in document(&random, depth: depth + 1) }
                .joined(separator: " , ") + "]"
        default:
            let members = (0..<Int.random(in: 0..<12, using: &random)).map { index in
                JSONValue.quoted("\(index)") + ": " + document(&random, depth: depth + 1)
            }
            return "{" + members.joined(separator: ",\n") + "}"
        }
    }

    private func text(_ random: inout Random) -> String {
        let count = Int.random(in: 0..<6, using: &random)
        return JSONValue.quoted(
            (0..<count).map { _ in Self.pieces.randomElement(using: &random) ?? "" }.joined())
    }

    @Test("what is written reads back equal")
    func roundTrip() throws {
        var random = Random(state: 1)
        for _ in 0..<2_000 {
            let value = try JSONValue(parsing: Array(document(&random).utf8))
            #expect(try JSONValue(parsing: Array(value.text.utf8)) == value)
        }
    }

    @Test("every beginning of a document is refused")
    func truncation() throws {
        let bytes = Array(#"{"a": [1.5e3, "x\u00e9\ud83d\ude00", {"b": null}], "c": true}"#.utf8)
        _ = try JSONValue(parsing: bytes)
        for count in 0..<bytes.count {
            #expect(throws: JSONError.self) { try JSONValue(parsing: Array(bytes[..<count])) }
        }
    }

    @Test("changed bytes are answered or refused, and answers can be written again")
    func mutation() throws {
        var random = Random(state: 2)
        var accepted = 0
        for _ in 0..<20_000 {
            var bytes = Array(document(&random).utf8)
            for _ in 0..<Int.random(in: 1...3, using: &random) where !bytes.isEmpty {
                let place = Int.random(in: 0..<bytes.count, using: &random)
                bytes[place] = Bool.random(using: &random) ? UInt8.random(in: 0...255, using: &random) : 0x22
            }
            guard let value = try? JSONValue(parsing: bytes) else { continue }
            accepted += 1
            #expect(try JSONValue(parsing: Array(value.text.utf8)) == value)
        }
        #expect(accepted > 100)
    }
}
