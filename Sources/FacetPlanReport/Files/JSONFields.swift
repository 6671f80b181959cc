import FacetJSON
import FacetPlacement

/// A JSON object whose members are taken one by one, so that what is left over can be named.
struct JSONFields {
    private let object: JSONObject
    private let input: String
    private let place: String
    private var taken: Set<String> = []

    /// Begins reading an object.
    ///
    /// - Parameters:
    ///   - place: where the object stands in the file, such as `cards[1]`; empty for the document.
    ///   - input: what errors call the file.
    init(_ value: JSONValue, place: String, input: String) throws(PlacementInputError) {
        guard let object = value.object else {
            throw .malformed(
                input: input, entry: place.isEmpty ? value.kind : "\(place): \(value.kind)", expected: "an object")
        }
        self.object = object
        self.input = input
        self.place = place
    }

    /// The value of the first of these keys that is there; `null` counts as absent.
    mutating func value(_ keys: String...) -> JSONValue? {
        taken.formUnion(keys)
        for key in keys {
            if let value = object[key], !value.isNull { return value }
        }
        return nil
    }

    /// A text.
    mutating func text(_ key: String) throws(PlacementInputError) -> String? {
        guard let value = value(key) else { return nil }
        guard let text = value.string else { throw malformed(key, value, "a text") }
        return text
    }

    /// A size: a number of bytes, or a text such as `24GiB`.
    mutating func byteCount(_ key: String) throws(PlacementInputError) -> Int? {
        guard let value = value(key) else { return nil }
        if let text = value.string { return try ByteSize.parse(text, input: input, entry: "\(named(key)): \(text)") }
        guard let count = value.integer, (0...ByteSize.limit).contains(count) else {
            throw malformed(key, value, "a whole number of bytes up to 2^50, or a text such as \"24GiB\"")
        }
        return count
    }

    /// A number in a range.
    mutating func number(_ key: String, in range: ClosedRange<Double>) throws(PlacementInputError) -> Double? {
        guard let value = value(key) else { return nil }
        guard let number = value.double, range.contains(number) else {
            throw malformed(key, value, "a number from \(range.lowerBound) to \(range.upperBound)")
        }
        return number
    }

    /// The elements of an array.
    mutating func array(_ keys: String...) throws(PlacementInputError) -> [JSONValue]? {
        taken.formUnion(keys)
        for key in keys {
            guard let value = object[key], !value.isNull else { continue }
            guard let array = value.array else { throw malformed(key, value, "an array") }
            return array
        }
        return nil
    }

    /// Refuses members that nobody has asked for.
    func finish() throws(PlacementInputError) {
        guard let member = object.members.first(where: { !taken.contains($0.key) }) else { return }
        let known = taken.sorted()
        throw .unknown(
            input: input, name: named(member.key), expected: known.joined(separator: ", "),
            nearest: EditDistance.nearest(to: member.key, in: known))
    }

    /// The error of a member that is not as expected.
    func malformed(_ key: String, _ value: JSONValue, _ expected: String) -> PlacementInputError {
        .malformed(
            input: input, entry: "\(named(key)): \(String(value.text.prefix(80)))", expected: expected)
    }

    private func named(_ key: String) -> String { place.isEmpty ? key : "\(place).\(key)" }
}

extension JSONValue {
    /// Reads a document.
    ///
    /// - Throws: `.unreadable` with the first offence.
    init(reading bytes: [UInt8], input: String) throws(PlacementInputError) {
        do throws(JSONError) {
            try self.init(parsing: bytes)
        } catch {
            throw .unreadable(input: input, reason: "it is not JSON, \(error)")
        }
    }
}
