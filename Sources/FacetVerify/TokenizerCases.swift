import FacetJSON
package import FacetTokenizer
package import Foundation

/// The reference cases of a folder that holds a `tokenizer.model`: encoding, conversations, decoding.
///
/// The tokenizer is the one beside the cases. Everything must match exactly.
package struct TokenizerCases: Sendable {
    /// The files of cases that are run when they are there.
    package static let fileNames = ["encode_cases.json", "chat_cases.json", "decode_cases.json"]

    private let tokenizer: Tokenizer
    private let files: [(name: String, root: JSONValue)]

    /// Reads the tokenizer and the files of cases of a folder.
    ///
    /// - Throws: `TokenizerError` for the tokenizer, `VerifyError` for the cases.
    package init(directory: URL) throws {
        tokenizer = try Tokenizer(directory: directory)
        var files: [(String, JSONValue)] = []
        for name in Self.fileNames {
            let path = directory.appendingPathComponent(name)
            guard FileManager.default.fileExists(atPath: path.path) else { continue }
            files.append((name, try Self.read(path)))
        }
        guard !files.isEmpty else { throw VerifyError.nothingFound(path: directory.path) }
        self.files = files
    }

    /// Reads one file of known ids for a tokenizer that lies elsewhere.
    ///
    /// The file has `ordinary` (text and ids), `chat` (conversations and ids) and `special_tokens`.
    /// - Throws: `VerifyError`.
    package init(knownIDs path: URL, tokenizer: Tokenizer) throws {
        self.tokenizer = tokenizer
        files = [(path.lastPathComponent, try Self.read(path))]
    }

    /// Runs every case.
    package func run() -> [CaseResult] {
        files.flatMap { name, root in
            headerResults(root, name)
                + results(root["ordinary"], suite: "encode", encodeResult)
                + results(root["chat"], suite: "chat", chatResult)
                + caseResults(root, name)
        }
    }

    private static func read(_ path: URL) throws -> JSONValue {
        let data: Data
        do { data = try Data(contentsOf: path) } catch {
            throw VerifyError.unreadable(path: path.path, reason: error.localizedDescription)
        }
        let root = try JSONValue(userText: [UInt8](data), source: path.path)
        let lists = ["cases", "ordinary", "chat"].compactMap { root[$0]?.array }
        guard lists.contains(where: { !$0.isEmpty }) else {
            throw VerifyError.malformed(path: path.path, reason: "expected a list of cases that is not empty")
        }
        return root
    }

    private func caseResults(_ root: JSONValue, _ name: String) -> [CaseResult] {
        switch name {
        case "encode_cases.json": results(root["cases"], suite: "encode", encodeResult)
        case "chat_cases.json": results(root["cases"], suite: "chat", chatResult)
        default: results(root["cases"], suite: "decode", decodeResult)
        }
    }

    private func results(
        _ list: JSONValue?, suite: String, _ check: (JSONValue, String) -> [CaseResult]
    ) -> [CaseResult] {
        (list?.array ?? []).enumerated().flatMap { check($1, "\($0)") }
    }
}

// MARK: - One case each

extension TokenizerCases {
    /// Checks what a file says about its vocabulary, so that cases of another one are not blamed on the encoder.
    private func headerResults(_ root: JSONValue, _ file: String) -> [CaseResult] {
        var results: [CaseResult] = []
        if let count = root["rank_count"]?.integer {
            results.append(result("vocabulary", "\(file) rank_count", "\(count)", "\(tokenizer.vocabulary.rankCount)"))
        }
        if let pattern = root["pattern"]?.string {
            results.append(result("vocabulary", "\(file) pattern", pattern, Tokenizer.splitPattern))
        }
        for token in root["special_tokens"]?.object?.members ?? [] {
            let got = tokenizer.specialTokens.id(named: token.key).map { "\($0)" } ?? "none"
            results.append(result("vocabulary", "\(file) \(token.key)", token.value.summary, got))
        }
        return results
    }

    private func encodeResult(_ json: JSONValue, _ name: String) -> [CaseResult] {
        guard let text = json["text"]?.string, let ids = tokenIDs(json["ids"]) else {
            return [malformed("encode", name, "expected text and ids")]
        }
        return [compare("encode", "\(name) \(excerpt(text))", ids, tokenizer.encode(text))]
    }

    private func chatResult(_ json: JSONValue, _ name: String) -> [CaseResult] {
        guard let messages = json["messages"]?.array, let ids = tokenIDs(json["ids"]) else {
            return [malformed("chat", name, "expected messages and ids")]
        }
        do throws(TokenizerError) {
            var conversation: [ChatMessage] = []
            for message in messages { conversation.append(try chatMessage(message)) }
            let prompt = try ChatTemplate(tokenizer).prompt(
                for: conversation, addingGenerationPrompt: json["add_generation_prompt"]?.bool ?? true)
            let label = "\(name) \(excerpt(conversation.last?.content ?? ""))"
            return [compare("chat", label, ids, prompt.tokenIDs)] + [imageResult(label, conversation, prompt)]
        } catch {
            return [result("chat", name, "\(ids)", "error: \(error)")]
        }
    }

    /// The placeholder's place must hold the placeholder, and be there exactly when a message has an image.
    private func imageResult(_ name: String, _ conversation: [ChatMessage], _ prompt: ChatPrompt) -> CaseResult {
        let hasImage = conversation.contains { $0.hasImage }
        let expected = hasImage ? tokenizer.specialTokens.imagePlaceholder : []
        let got = prompt.imagePlaceholder.map { Array(prompt.tokenIDs[$0]) } ?? []
        return result("chat", name + " image", "\(expected)", "\(got)")
    }

    private func chatMessage(_ json: JSONValue) throws(TokenizerError) -> ChatMessage {
        let hasImage: Bool
        switch json["image"] {
        case nil, .null, .bool(false): hasImage = false
        default: hasImage = true
        }
        let tools: String? = json["tools"]?.array == nil ? nil : json["tools"]?.indented()
        return ChatMessage(
            role: try ChatRole(name: json["role"]?.string ?? ""), content: json["content"]?.string ?? "",
            metadata: json["metadata"]?.string ?? "", hasImage: hasImage, tools: tools)
    }

    private func decodeResult(_ json: JSONValue, _ name: String) -> [CaseResult] {
        let renderings: [(key: String, rendering: SpecialTokenRendering)] = [
            ("text", .skipped), ("text_skip_special", .skipped), ("text_with_special", .shown),
        ]
        guard let ids = tokenIDs(json["ids"]), renderings.contains(where: { json[$0.key] != nil }) else {
            return [malformed("decode", name, "expected ids and a text")]
        }
        return renderings.compactMap { key, rendering in
            json[key]?.string.map {
                result("decode", "\(name) \(key)", $0, tokenizer.decode(ids, specialTokens: rendering))
            }
        }
    }
}

// MARK: - Comparing

extension TokenizerCases {
    private func compare(_ suite: String, _ name: String, _ expected: [TokenID], _ got: [TokenID]) -> CaseResult {
        if expected == got { return CaseResult(suite: suite, name: name, passed: true) }
        let at = zip(expected, got).enumerated().first { $1.0 != $1.1 }?.offset ?? min(expected.count, got.count)
        return CaseResult(
            suite: suite, name: name, index: [at], expected: around(expected, at), got: around(got, at), passed: false)
    }

    private func around(_ ids: [TokenID], _ at: Int) -> String {
        "\(Array(ids[max(0, min(at, ids.count) - 3)..<min(ids.count, at + 5)])) of \(ids.count) ids"
    }

    private func result(_ suite: String, _ name: String, _ expected: String, _ got: String) -> CaseResult {
        // Scalars, not characters: canonically equivalent text is not the same text here.
        if expected.unicodeScalars.elementsEqual(got.unicodeScalars) {
            return CaseResult(suite: suite, name: name, passed: true)
        }
        return CaseResult(
            suite: suite, name: name, expected: expected.debugDescription, got: got.debugDescription, passed: false)
    }

    private func malformed(_ suite: String, _ name: String, _ reason: String) -> CaseResult {
        CaseResult(suite: suite, name: name, expected: reason, got: "another form", passed: false)
    }

    private func tokenIDs(_ json: JSONValue?) -> [TokenID]? {
        guard let elements = json?.array else { return nil }
        let ids = elements.compactMap { $0.integer.flatMap(TokenID.init(exactly:)) }
        return ids.count == elements.count ? ids : nil
    }

    private func excerpt(_ text: String) -> String {
        String(text.prefix(24)).debugDescription
    }
}
