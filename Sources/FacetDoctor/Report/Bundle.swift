import FacetJSON
import Foundation

/// One file for a bug report: facts without what identifies a person or a machine, and the rows that follow from them.
///
/// Every text of the facts passes the redaction, whichever field it is in, so a field that is added later cannot be
/// forgotten; the rows are made from the redacted facts.
public struct Bundle: Sendable, Encodable {
    /// The name and version of the JSON form.
    public static let schemaName = "facet-doctor-bundle/1"

    /// Always `schemaName`.
    public let schema = Bundle.schemaName

    /// The redacted facts.
    public let facts: Facts

    /// The rows of the report.
    public let findings: [Finding]

    /// Redacts facts.
    public init(_ facts: Facts, _ redaction: Redaction) throws {
        var kept = facts
        kept.model?.location = nil
        for index in (kept.gpu?.cards ?? []).indices {
            for process in (kept.gpu?.cards?[index].processes ?? []).indices {
                kept.gpu?.cards?[index].processes?[process].name = nil
            }
        }
        let document = try JSONValue(parsing: Array(FactsFile.text(kept).utf8))
        self.facts = try FactsFile.decode(redaction.redacted(document))
        findings = DoctorReport(self.facts).findings
    }

    private enum CodingKeys: CodingKey {
        case schema, facts, findings
    }

    /// The file's text.
    public var text: String {
        get throws { String(decoding: try FactsFile.encoder.encode(self), as: UTF8.self) + "\n" }
    }

    /// What is in it, in a sentence: sections with the number of their values.
    public var summary: String {
        get throws {
            let document = try JSONValue(parsing: Array(FactsFile.text(facts).utf8))
            let sections = document.object?.members.map { "\($0.key) (\(Self.valueCount($0.value)))" } ?? []
            return "facts: \(sections.joined(separator: ", ")) values; \(findings.count) rows"
        }
    }

    private static func valueCount(_ value: JSONValue) -> Int {
        switch value {
        case .array(let elements): elements.reduce(0) { $0 + valueCount($1) }
        case .object(let object): object.members.reduce(0) { $0 + valueCount($1.value) }
        default: 1
        }
    }
}
