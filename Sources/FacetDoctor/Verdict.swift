/// How good what was found is; ordered, the worst last.
public enum Verdict: String, Sendable, Hashable, CaseIterable, Codable, Comparable {
    /// As it should be.
    case ok
    /// Worth knowing, nothing to do about it.
    case note
    /// Works, but slower or less safely than it could, or not for everything.
    case warn
    /// What the check is about does not work.
    case fail

    public static func < (left: Verdict, right: Verdict) -> Bool { left.rank < right.rank }

    private var rank: Int {
        switch self {
        case .ok: 0
        case .note: 1
        case .warn: 2
        case .fail: 3
        }
    }

    /// The exit status of a report whose worst verdict this is.
    public var exitStatus: Int32 {
        switch self {
        case .ok, .note: 0
        case .warn: 1
        case .fail: 2
        }
    }
}
