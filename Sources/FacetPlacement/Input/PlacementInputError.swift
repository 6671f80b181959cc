/// Why text that a person wrote about devices, memory and places cannot be followed.
///
/// Apart from the planner's own errors: these are mistakes of spelling, those are refusals of a well-put question.
public enum PlacementInputError: Error, Sendable, Hashable {
    /// A file is not what it should be as a whole.
    case unreadable(input: String, reason: String)
    /// An entry does not follow the form that its option has.
    case malformed(input: String, entry: String, expected: String)
    /// A name stands for nothing that is known; `nearest` is what it resembles most, if it resembles anything.
    case unknown(input: String, name: String, expected: String, nearest: String?)
    /// A name fits several things.
    case ambiguous(input: String, name: String, candidates: [String])
    /// The same thing is said twice.
    case duplicate(input: String, entry: String, first: String)
    /// Something that has to be there is not.
    case missing(input: String, what: String, remedy: String)
    /// A number is beyond what makes sense.
    case outOfRange(input: String, entry: String, expected: String)
    /// The parts of one unit would stand on several devices.
    case cutInside(input: String, unit: String, places: [String], remedy: String)
}

extension PlacementInputError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .unreadable(let input, let reason): "\(input) cannot be used: \(reason)."
        case .malformed(let input, let entry, let expected):
            "\(input): \(Self.quoted(entry)) is not understood; expected \(expected)."
        case .unknown(let input, let name, let expected, let nearest):
            "\(input): \(Self.quoted(name)) is unknown; expected \(expected)"
                + (nearest.map { "; the nearest is '\($0)'." } ?? ".")
        case .ambiguous(let input, let name, let candidates):
            "\(input): \(Self.quoted(name)) could be \(candidates.joined(separator: " or ")); write more of it."
        case .duplicate(let input, let entry, let first):
            "\(input): \(Self.quoted(entry)) says again what \(Self.quoted(first)) has said; leave one of them out."
        case .missing(let input, let what, let remedy): "\(input): \(what) is missing; \(remedy)."
        case .outOfRange(let input, let entry, let expected):
            "\(input): \(Self.quoted(entry)) is out of range; expected \(expected)."
        case .cutInside(let input, let unit, let places, let remedy):
            "\(input): \(unit) is cut: its parts are on \(places.joined(separator: " and ")), but it is computed as a "
                + "whole; \(remedy)."
        }
    }

    /// A text in quotes, short enough and without line breaks, however hostile it is.
    private static func quoted(_ text: String) -> String {
        let shown = text.unicodeScalars.prefix(61).map { $0.value < 0x20 || $0.value == 0x7F ? "\u{FFFD}" : $0 }
        var result = String(String.UnicodeScalarView(shown.prefix(60)))
        if shown.count > 60 { result += "…" }
        return "'\(result)'"
    }
}
