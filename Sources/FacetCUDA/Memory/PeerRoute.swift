/// How bytes get from one card to another.
public enum PeerRoute: Sendable, Hashable {
    /// Straight, checked in both directions.
    case direct
    /// Through pinned host memory.
    case staged(reason: PeerRefusal)
}

/// Why two cards do not talk to each other directly.
public enum PeerRefusal: Sendable, Hashable {
    /// The driver says that they cannot.
    case notSupported
    /// The driver says that they can, but does not open the link.
    case notOpened(result: String)
    /// What arrived is not what was sent, which happens where the host's IO memory management comes between.
    case corrupts(wordIndex: Int)
    /// The copy did not end in time.
    case hangs
    /// The user wants it so.
    case switchedOff
}

extension PeerRoute: CustomStringConvertible {
    public var description: String {
        switch self {
        case .direct: "direct"
        case .staged(let reason): "through host memory (\(reason))"
        }
    }
}

extension PeerRefusal: CustomStringConvertible {
    public var description: String {
        switch self {
        case .notSupported: "the driver offers no direct access"
        case .notOpened(let result): "the driver refuses direct access: \(result)"
        case .corrupts(let index): "a direct copy arrives changed, first in word \(index)"
        case .hangs: "a direct copy does not end"
        case .switchedOff: "direct access is switched off"
        }
    }
}
