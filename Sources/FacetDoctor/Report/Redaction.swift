import FacetJSON

/// Takes out of texts what identifies a person or a machine.
public struct Redaction: Sendable, Hashable {
    /// Texts that are replaced wherever they occur, the longest first.
    private let replacements: [Replacement]

    private struct Replacement: Sendable, Hashable {
        let text: String
        let substitute: String
        /// Whether letters beside it make it another word: names of people can be syllables.
        let isWord: Bool
    }

    /// Names what is to disappear.
    ///
    /// - Parameters:
    ///   - folders: folders by what stands for them afterwards, such as `MODEL`.
    ///   - names: names of users and hosts, likewise. Those of fewer than two letters, and those that name nobody or are
    ///     words of the facts themselves (`root`, `ubuntu`, `nvidia`), are left.
    public init(folders: [(path: String, substitute: String)], names: [(name: String, substitute: String)]) {
        let paths = folders.filter { $0.path.count > 1 }.map { folder in
            let path = folder.path.hasSuffix("/") ? String(folder.path.dropLast()) : folder.path
            return Replacement(text: path, substitute: folder.substitute, isWord: false)
        }
        let words = names.filter { $0.name.count > 1 && !Self.ordinaryWords.contains($0.name) }.map { name in
            Replacement(text: name.name, substitute: name.substitute, isWord: true)
        }
        replacements = (paths + words).sorted { $0.text.utf8.count > $1.text.utf8.count }
    }

    /// Names of accounts and machines that are the same everywhere, and values that the facts may have: a redacted
    /// driver `nvidia`, say, would be judged as another one.
    private static let ordinaryWords: Set<String> = {
        let names = [
            "admin", "cpu", "cuda", "debian", "ec2-user", "facet", "gpu", "guest", "host", "localhost", "nobody",
            "nouveau", "nvidia", "root", "runner", "ubuntu", "user", "vfio-pci",
        ]
        let values =
            CardFacts.ComputeMode.allCases.map(\.rawValue) + PeerFacts.Check.allCases.map(\.rawValue)
            + ProbeFacts.Outcome.allCases.map(\.rawValue) + ProbeName.allCases.map(\.rawValue)
        return Set(names + values)
    }()

    /// A document with every text redacted; keys stay.
    func redacted(_ value: JSONValue) -> JSONValue {
        switch value {
        case .string(let text): return .string(redacted(text))
        case .array(let elements): return .array(elements.map(redacted))
        case .object(let members):
            var object = JSONObject()
            for member in members.members { _ = object.append(member.key, redacted(member.value)) }
            return .object(object)
        default: return value
        }
    }

    /// A text without names, tokens and folders of people.
    public func redacted(_ text: String) -> String {
        let named = replacements.reduce(text) { Self.replacing($1, in: $0) }
        return Self.words(of: named).map { Self.redactedWord($0) }.joined()
    }

    private static func replacing(_ replacement: Replacement, in text: String) -> String {
        var result = ""
        var rest = text[...]
        while let range = rest.firstRange(of: replacement.text) {
            let before = rest[..<range.lowerBound].last ?? result.last
            let after = range.upperBound < rest.endIndex ? rest[range.upperBound] : nil
            let isPart =
                replacement.isWord && [before, after].contains { $0.map { $0.isLetter || $0.isNumber } ?? false }
            result += rest[..<range.lowerBound] + (isPart ? rest[range] : replacement.substitute[...])
            rest = rest[range.upperBound...]
        }
        return result + rest
    }

    /// The text cut into words and what stands between them.
    private static func words(of text: String) -> [Substring] {
        var parts: [Substring] = []
        var start = text.startIndex
        for index in text.indices where separators.contains(text[index]) {
            parts += [text[start..<index], text[index...index]]
            start = text.index(after: index)
        }
        return parts + [text[start...]]
    }

    private static let separators: Set<Character> = [" ", "'", "\"", "`", ",", ";", ":", "(", ")", "\n", "\t", "="]

    /// A path of a person as its last component; a token as nothing.
    private static func redactedWord(_ word: Substring) -> String {
        let isToken = ["hf_", "sk-", "ghp_", "github_pat_"].contains { word.hasPrefix($0) && word.count > $0.count + 7 }
        if isToken { return "TOKEN" }
        guard word.hasPrefix("/") || word.hasPrefix("~"), word.dropFirst().contains("/") else { return String(word) }
        if systemFolders.contains(where: { word.hasPrefix($0) }) { return String(word) }
        return "…/" + (word.split(separator: "/").last ?? "")
    }

    /// Where nothing is a person's.
    private static let systemFolders = ["/dev/", "/proc/", "/sys/", "/usr/lib", "/lib/", "/lib64/", "/etc/"]
}
