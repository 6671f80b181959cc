import FacetJSON
import Foundation

/// Facts as JSON, with keys in snake case.
public enum FactsFile {
    /// What is wrong with a file.
    public struct FormError: Error, Sendable, Hashable, CustomStringConvertible {
        /// What and where.
        public let description: String
    }

    /// Reads facts, alone or inside a bundle.
    ///
    /// - Parameter input: what errors call the file.
    /// - Throws: `FormError` with the first member that is not as documented, or a number that no machine has: sums and
    ///   products of those that pass cannot overflow.
    public static func facts(parsing bytes: [UInt8], input: String) throws -> Facts {
        let document: JSONValue
        do { document = try JSONValue(parsing: bytes) } catch {
            throw FormError(description: "\(input) is not JSON: \(error); give a file that --bundle wrote.")
        }
        guard document.object != nil else {
            throw FormError(description: "\(input) holds \(document.kind); give a file that --bundle wrote.")
        }
        if let number = hugeNumber(in: document) {
            throw FormError(description: "\(input) holds the number \(number); give a file that --bundle wrote.")
        }
        do {
            return try decode(document["facts"] ?? document)
        } catch let error as DecodingError {
            throw FormError(description: "\(input): \(text(error)); give a file that --bundle wrote.")
        }
    }

    /// A number beyond 2^60, an exbibyte.
    private static func hugeNumber(in value: JSONValue) -> String? {
        switch value {
        case .array(let elements): return elements.lazy.compactMap(hugeNumber).first
        case .object(let object): return object.members.lazy.compactMap { hugeNumber(in: $0.value) }.first
        case .number(let number):
            return number.double.map { abs($0) <= 0x1p60 } ?? false ? nil : String(number.text.prefix(40))
        default: return nil
        }
    }

    /// Facts as JSON text, keys sorted.
    public static func text(_ facts: Facts) throws -> String {
        String(decoding: try encoder.encode(facts), as: UTF8.self) + "\n"
    }

    static func decode(_ value: JSONValue) throws -> Facts {
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .convertFromSnakeCase
        return try decoder.decode(Facts.self, from: Data(value.text.utf8))
    }

    static var encoder: JSONEncoder {
        let encoder = JSONEncoder()
        encoder.keyEncodingStrategy = .convertToSnakeCase
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        return encoder
    }

    private static func text(_ error: DecodingError) -> String {
        let (context, what): (DecodingError.Context, String) =
            switch error {
            case .typeMismatch(let type, let context): (context, "is no \(type)")
            case .valueNotFound(let type, let context): (context, "has no \(type)")
            case .keyNotFound(let key, let context): (context, "lacks \(key.stringValue)")
            case .dataCorrupted(let context): (context, "has a value that is not allowed")
            @unknown default: (DecodingError.Context(codingPath: [], debugDescription: ""), "cannot be read")
            }
        let path = context.codingPath.map { $0.intValue.map { "[\($0)]" } ?? $0.stringValue }
        return "\(path.isEmpty ? "the document" : path.joined(separator: ".")) \(what)"
    }
}
