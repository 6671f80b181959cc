/// What a check is about; a report lists the groups in this order.
public enum CheckGroup: String, Sendable, Hashable, CaseIterable, Codable {
    case host
    case build
    case model
    case selfTest = "self-test"
    case driver
    case visibility
    case card
    case precision
    case mig = "MIG"
    case health
    case link
    case peer
    case collective
}

/// One row of the report.
public struct Finding: Sendable, Hashable, Codable {
    /// What it is about.
    public var group: CheckGroup

    /// What was looked at, such as `driver version`; programs may rely on it.
    public var check: String

    /// Which of several it is, such as `card 1`; nil when there is only one.
    public var subject: String?

    /// What was found.
    public var found: String

    /// What would be good; nil when there is nothing to compare with.
    public var needed: String?

    /// How good it is.
    public var verdict: Verdict

    /// What to do; there whenever the verdict is `warn` or `fail`.
    public var remedy: String?

    private init(
        _ group: CheckGroup, _ check: String, _ subject: String?, found: String, needed: String?, _ verdict: Verdict,
        remedy: String?
    ) {
        self.group = group
        self.check = check
        self.subject = subject
        self.found = found
        self.needed = needed
        self.verdict = verdict
        self.remedy = remedy
    }

    /// All is well.
    public static func ok(
        _ group: CheckGroup, _ check: String, of subject: String? = nil, _ found: String, needed: String? = nil
    ) -> Finding {
        Finding(group, check, subject, found: found, needed: needed, .ok, remedy: nil)
    }

    /// Something to know, perhaps with what could be done about it.
    public static func note(
        _ group: CheckGroup, _ check: String, of subject: String? = nil, _ found: String, needed: String? = nil,
        remedy: String? = nil
    ) -> Finding {
        Finding(group, check, subject, found: found, needed: needed, .note, remedy: remedy)
    }

    /// Something to improve.
    public static func warn(
        _ group: CheckGroup, _ check: String, of subject: String? = nil, _ found: String, needed: String,
        remedy: String
    ) -> Finding {
        Finding(group, check, subject, found: found, needed: needed, .warn, remedy: remedy)
    }

    /// Something that does not work.
    public static func fail(
        _ group: CheckGroup, _ check: String, of subject: String? = nil, _ found: String, needed: String,
        remedy: String
    ) -> Finding {
        Finding(group, check, subject, found: found, needed: needed, .fail, remedy: remedy)
    }
}
