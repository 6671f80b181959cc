import FacetDoctor
import FacetTestSupport
import Foundation
import Testing

/// Facts may come from somebody else's file: whatever stands there, they are judged or refused.
@Suite("Facts that no machine has")
struct FactsMutationTests {
    /// Values that stand in for each value of a document, one at a time.
    private static var strangers: [Any] {
        [-1, 0, 1 << 60, -(1 << 60), 0.5, "", "\u{1B}[2J\u{7}", String(repeating: "9", count: 400), NSNull(), [Any]()]
    }

    /// Every document that differs from `value` in one leaf.
    private func mutations(_ value: Any) -> [Any] {
        if let object = value as? [String: Any] {
            return object.keys.sorted().flatMap { key -> [Any] in
                mutations(object[key] ?? NSNull()).map { changed in object.merging([key: changed]) { $1 } }
            }
        }
        if let array = value as? [Any] {
            // Elements after the second are of the same kinds as the first two.
            return array.indices.prefix(2).flatMap { index -> [Any] in
                mutations(array[index]).map { changed in
                    var copy = array
                    copy[index] = changed
                    return copy
                }
            }
        }
        return Self.strangers
    }

    @Test(
        "every leaf of a document may be anything",
        arguments: ["busy", "memory-errors", "mig", "no-driver"])
    func leaves(_ name: String) throws {
        let bytes = try Data(contentsOf: FixtureFolder.path("doctor/\(name).json"))
        var judged = 0
        for document in mutations(try JSONSerialization.jsonObject(with: bytes)) {
            let changed = [UInt8](try JSONSerialization.data(withJSONObject: document))
            guard let facts = try? FactsFile.facts(parsing: changed, input: name) else { continue }
            let text = DoctorReport(facts).text(width: 80, isColored: false)
            #expect(!text.contains("\u{1B}") && !text.contains("\u{7}"))
            judged += 1
        }
        #expect(judged > 100)
    }

    @Test("numbers beyond an exbibyte are refused", arguments: ["1e300", "-1e19", "9223372036854775807"])
    func hugeNumbers(_ number: String) {
        let text = "{\"probes\": [], \"host\": {\"total_bytes\": \(number)}}"
        let error = #expect(throws: FactsFile.FormError.self) {
            try FactsFile.facts(parsing: [UInt8](text.utf8), input: "facts.json")
        }
        #expect(error?.description.contains(number) == true)
    }
}
