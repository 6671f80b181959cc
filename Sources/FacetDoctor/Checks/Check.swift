/// One question about a machine: a pure function from facts to rows of the report.
public struct Check: Sendable {
    /// What it looks at; programs may rely on it.
    public let name: String

    /// What it is about.
    public let group: CheckGroup

    private let judge: @Sendable (Facts, Check) -> [Finding]

    /// Makes a check; `judge` gives no row when there is nothing to say.
    init(_ group: CheckGroup, _ name: String, _ judge: @escaping @Sendable (Facts, Check) -> [Finding]) {
        self.group = group
        self.name = name
        self.judge = judge
    }

    /// The rows of the report.
    public func findings(_ facts: Facts) -> [Finding] { judge(facts, self) }

    /// Every check, in the order of the report.
    public static let all: [Check] =
        host + build + model + selfTest + driver + visibility + card + precision + mig + health + link + peer
        + collective

    /// All rows for a machine, probes that did not finish first.
    public static func findings(_ facts: Facts) -> [Finding] {
        facts.probes.compactMap(finding) + all.flatMap { $0.findings(facts) }
    }

    /// A row for a probe that hung or failed; nil for one that finished.
    private static func finding(_ probe: ProbeFacts) -> Finding? {
        let group = ProbeName(rawValue: probe.name)?.group ?? .host
        let needed = "an answer"
        let subject = probe.subject.map { "\(probe.name), \($0)" } ?? probe.name
        switch probe.outcome {
        case .finished: return nil
        case .failed:
            return .fail(
                group, "probe", of: subject, probe.reason ?? "failed", needed: needed,
                remedy: "what it would have found is missing below; report this with --bundle")
        case .timedOut:
            return .fail(
                group, "probe", of: subject, "no answer after \(FactText.number(probe.seconds)) s", needed: needed,
                remedy: ProbeName(rawValue: probe.name)?.remedyAgainstHanging ?? "try again")
        }
    }

    // MARK: Rows

    func ok(of subject: String? = nil, _ found: String, needed: String? = nil) -> Finding {
        .ok(group, name, of: subject, found, needed: needed)
    }

    func note(of subject: String? = nil, _ found: String, needed: String? = nil, remedy: String? = nil) -> Finding {
        .note(group, name, of: subject, found, needed: needed, remedy: remedy)
    }

    func warn(of subject: String? = nil, _ found: String, needed: String, remedy: String) -> Finding {
        .warn(group, name, of: subject, found, needed: needed, remedy: remedy)
    }

    func fail(of subject: String? = nil, _ found: String, needed: String, remedy: String) -> Finding {
        .fail(group, name, of: subject, found, needed: needed, remedy: remedy)
    }
}

/// The probes, by the names that reports give them.
enum ProbeName: String, CaseIterable {
    case host
    case build
    case model
    case operations
    case picture
    case driver
    case library
    case cards
    case peers
    case sums
    case plan

    /// The group in which a report mentions it.
    var group: CheckGroup {
        switch self {
        case .host: .host
        case .build: .build
        case .model, .plan: .model
        case .operations, .picture: .selfTest
        case .driver, .library: .driver
        case .cards: .card
        case .peers: .peer
        case .sums: .collective
        }
    }

    /// What to do when it hangs.
    var remedyAgainstHanging: String {
        switch self {
        case .model: "the folder's disk or server does not answer; check its mount"
        case .driver, .library, .cards: "the driver hangs; restart the machine, and look for Xid lines in dmesg"
        case .peers, .sums: "copies among the cards hang; switch off the IOMMU or ACS in the BIOS, or use one card"
        case .operations, .picture: "the machine is very busy or much too slow; try again when it is idle"
        case .host, .build, .plan: "the machine is very busy; try again when it is idle"
        }
    }
}
