import FacetJSON

/// What this package reads of `tokenizer_config.json`: the special tokens and the image size.
struct TokenizerConfiguration {
    /// Ids and texts under `added_tokens_decoder`; nil when the key is absent.
    let addedTokens: [(id: Int, name: String)]?
    /// Side length of the square image the preprocessing makes, in pixels; nil when the key is absent.
    let imageSize: Int?

    /// Parses the file's text.
    ///
    /// - Throws: `.invalidJSON`, `.invalidConfiguration`.
    init(_ bytes: [UInt8]) throws(TokenizerError) {
        let root = try JSONValue(userText: bytes, source: "tokenizer_config.json")
        guard root.object != nil else {
            throw .invalidConfiguration(key: "the file", expected: "an object", got: root.summary)
        }
        imageSize = try Self.imageSize(root["image_size"])
        addedTokens = try Self.addedTokens(root["added_tokens_decoder"])
        if let side = root["padding_side"], side != .string("left") {
            throw .invalidConfiguration(key: "padding_side", expected: "\"left\"", got: side.summary)
        }
    }

    private static func imageSize(_ value: JSONValue?) throws(TokenizerError) -> Int? {
        guard let value, value != .null else { return nil }
        guard let size = value.integer, size > 0 else {
            throw .invalidConfiguration(key: "image_size", expected: "a positive number of pixels", got: value.summary)
        }
        return size
    }

    private static func addedTokens(_ value: JSONValue?) throws(TokenizerError) -> [(id: Int, name: String)]? {
        guard let value, value != .null else { return nil }
        guard let members = value.object?.members else {
            throw .invalidConfiguration(key: "added_tokens_decoder", expected: "an object", got: value.summary)
        }
        var tokens: [(id: Int, name: String)] = []
        for member in members {
            let key = "added_tokens_decoder[\"\(member.key.prefix(24))\"]"
            guard let id = Int(member.key), id >= 0, id <= Int(TokenID.max), "\(id)" == member.key else {
                throw .invalidConfiguration(
                    key: key, expected: "a token id as key", got: "\"\(member.key.prefix(24))\"")
            }
            guard let name = member.value["content"]?.string, !name.isEmpty else {
                let got = member.value["content"]?.summary ?? "nothing"
                throw .invalidConfiguration(key: key + ".content", expected: "the token's text", got: got)
            }
            tokens.append((id, name))
        }
        return tokens
    }
}
