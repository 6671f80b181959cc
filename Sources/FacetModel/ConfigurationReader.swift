import FacetCheckpoint
import FacetJSON

/// Reads the fields of one JSON object of a configuration file, with their full names in every error.
///
/// A field that is `null` counts as missing, as in the published configuration class.
struct ConfigurationReader {
    /// The file's name for errors.
    let file: String

    private let object: JSONObject
    private let prefix: String

    init(parsing bytes: [UInt8], file: String) throws(ModelError) {
        let value: JSONValue
        do { value = try JSONValue(parsing: bytes) } catch {
            throw .unreadableConfiguration(file: file, reason: error.description)
        }
        guard let object = value.object else {
            throw .unreadableConfiguration(file: file, reason: "it holds \(value.kind) instead of an object")
        }
        self.init(object, file: file, prefix: "")
    }

    private init(_ object: JSONObject, file: String, prefix: String) {
        self.object = object
        self.file = file
        self.prefix = prefix
    }

    /// The value of a field; nil when it is missing or null.
    func value(_ key: String) -> JSONValue? {
        guard let value = object[key], !value.isNull else { return nil }
        return value
    }

    /// The reader of a nested object; nil when it is missing.
    func nested(_ key: String) throws(ModelError) -> ConfigurationReader? {
        guard let value = value(key) else { return nil }
        guard let object = value.object else { throw invalid(key, "an object", value) }
        return ConfigurationReader(object, file: file, prefix: prefix + key + ".")
    }

    /// The names of all fields, in order.
    var keys: [String] { object.members.map(\.key) }

    /// A field's name with the objects that it is in.
    func fullName(_ key: String) -> String { prefix + key }

    /// A whole number within bounds.
    func integer(_ key: String, default fallback: Int? = nil, in range: ClosedRange<Int>) throws(ModelError) -> Int {
        let expected = "an integer from \(range.lowerBound) to \(range.upperBound)"
        guard let value = value(key) else {
            guard let fallback else { throw missing(key, expected) }
            return fallback
        }
        guard let number = value.integer, range.contains(number) else { throw invalid(key, expected, value) }
        return number
    }

    /// A number within bounds, written in any JSON form.
    func number(
        _ key: String, default fallback: Double? = nil, in range: ClosedRange<Double>
    ) throws(ModelError) -> Double {
        let expected = "a number from \(range.lowerBound) to \(range.upperBound)"
        guard let value = value(key) else {
            guard let fallback else { throw missing(key, expected) }
            return fallback
        }
        guard let number = value.double, range.contains(number) else { throw invalid(key, expected, value) }
        return number
    }

    /// A truth value.
    func bool(_ key: String, default fallback: Bool? = nil) throws(ModelError) -> Bool {
        guard let value = value(key) else {
            guard let fallback else { throw missing(key, "true or false") }
            return fallback
        }
        guard let bool = value.bool else { throw invalid(key, "true or false", value) }
        return bool
    }

    /// Refuses any truth value but the implemented one.
    func require(_ key: String, _ expected: Bool, default fallback: Bool? = nil) throws(ModelError) {
        let got = try bool(key, default: fallback)
        if got != expected { throw unsupported(key, expected: "\(expected)", got: "\(got)") }
    }

    /// A string.
    func string(_ key: String) throws(ModelError) -> String? {
        guard let value = value(key) else { return nil }
        guard let string = value.string else { throw invalid(key, "a string", value) }
        return string
    }

    /// Token ids, written as one number or a list; empty when the field is missing.
    func tokenIDs(_ key: String, below limit: Int) throws(ModelError) -> [Int32] {
        guard let value = value(key) else { return [] }
        var ids: [Int32] = []
        for element in value.array ?? [value] {
            guard let id = element.integer, (0..<limit).contains(id) else {
                throw invalid(key, "a token id or a list of ids below \(limit)", value)
            }
            ids.append(Int32(id))
        }
        return ids
    }

    /// The error of a field that must be there.
    func missing(_ key: String, _ expected: String) -> ModelError {
        .missingField(field: prefix + key, file: file, expected: expected)
    }

    /// The error of a field whose value makes no sense.
    func invalid(_ key: String, _ expected: String, _ got: JSONValue) -> ModelError {
        invalid(key, expected, String(got.text.prefix(60)))
    }

    /// The error of a field whose value makes no sense, already in words.
    func invalid(_ key: String, _ expected: String, _ got: String) -> ModelError {
        .invalidField(field: prefix + key, file: file, expected: expected, got: got)
    }

    /// The error of a field that asks for something not implemented.
    func unsupported(_ key: String, expected: String, got: String) -> ModelError {
        .unsupportedField(field: prefix + key, file: file, expected: expected, got: got)
    }
}
