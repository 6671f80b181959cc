/// The rows of all checks and what they come to: what `facet doctor` prints.
public struct DoctorReport: Sendable, Hashable, Encodable {
    /// The name and version of the JSON form; `docs/doctor.md` documents it.
    public static let schemaName = "facet-doctor/1"

    /// Always `schemaName`.
    public let schema = DoctorReport.schemaName

    /// The program's version.
    public let version: String?

    /// The worst verdict of all rows.
    public let verdict: Verdict

    /// How many rows have each verdict.
    public let counts: [String: Int]

    /// The rows, group by group.
    public let findings: [Finding]

    /// How each probe ended.
    public let probes: [ProbeFacts]

    /// Judges a machine.
    public init(_ facts: Facts) {
        let order = CheckGroup.allCases
        let rows = Check.findings(facts)
        findings = order.flatMap { group in rows.filter { $0.group == group } }
        verdict = rows.map(\.verdict).max() ?? .ok
        counts = Dictionary(
            uniqueKeysWithValues: Verdict.allCases.map { verdict in
                (verdict.rawValue, rows.count { $0.verdict == verdict })
            })
        probes = facts.probes
        version = facts.build?.version
    }

    private enum CodingKeys: CodingKey {
        case schema, version, verdict, counts, findings, probes
    }
}
