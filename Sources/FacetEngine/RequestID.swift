/// Names one request within an engine: in logs, in the scheduler, as the owner of cache pages.
package struct RequestID: Sendable, Hashable, Comparable {
    /// Number in the order of arrival.
    package let rawValue: Int

    /// Names a request.
    package init(_ rawValue: Int) { self.rawValue = rawValue }

    package static func < (left: RequestID, right: RequestID) -> Bool { left.rawValue < right.rawValue }
}

extension RequestID: CustomStringConvertible {
    package var description: String { "#\(rawValue)" }
}
