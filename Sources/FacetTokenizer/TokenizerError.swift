public import FacetJSON

/// Everything that can be wrong with a vocabulary, its configuration, a text or a conversation.
///
/// Lines are counted from 1, bytes and messages from 0.
public enum TokenizerError: Error, Hashable, Sendable {
    /// A file of the model folder could not be read.
    case unreadableFile(path: String, reason: String)
    /// The file is larger than any vocabulary or configuration of this format.
    case fileTooLarge(path: String, byteCount: Int, limit: Int)

    /// The vocabulary holds no line at all.
    case emptyVocabulary
    /// More tokens than ids are made for.
    case tooManyTokens(count: Int, limit: Int)
    /// A line has no space between token and rank.
    case missingRank(line: Int)
    /// The part before the space is not canonical base64.
    case invalidBase64(line: Int)
    /// A token of no bytes.
    case emptyToken(line: Int)
    /// The part after the space is not a plain decimal number.
    case invalidRank(line: Int, text: String)
    /// A rank that can only stand there if an earlier one is missing.
    case rankGap(line: Int, rank: Int, rankCount: Int)
    /// A rank that an earlier line has already given away.
    case duplicateRank(line: Int, rank: Int)
    /// The same bytes as an earlier token.
    case duplicateToken(line: Int, rank: Int, earlierRank: Int)
    /// A single byte that no token stands for: some text could not be encoded.
    case missingByte(UInt8)

    /// Text that should be JSON is not.
    case invalidJSON(source: String, JSONError)
    /// A key of `tokenizer_config.json` has a value that this package does not implement.
    case invalidConfiguration(key: String, expected: String, got: String)
    /// A special token has an id other than its place after the ranks.
    case specialTokenID(token: String, expected: Int, got: Int)
    /// The configuration does not name a special token that the chat template needs.
    case missingSpecialToken(String)

    /// Bytes given as text are not UTF-8 from `offset` on.
    case invalidUTF8(offset: Int)

    /// A role other than the four of the chat template.
    case unknownRole(String)
    /// A second image in one conversation; the model knows one.
    case secondImage(message: Int)
    /// A tool description that the chat template cannot render.
    case invalidTool(message: Int, reason: String)
}

extension TokenizerError: CustomStringConvertible {
    /// One sentence that says what is wrong, where, and what to do about it.
    public var description: String {
        switch self {
        case .unreadableFile(let path, let reason):
            "cannot read \(path): \(reason); check that the model folder is complete"
        case .fileTooLarge(let path, let byteCount, let limit):
            "\(path) has \(byteCount) bytes, more than the \(limit) this format ever needs; it is not a tokenizer file"
        case .unknownRole(let role):
            "unknown role \(quoted(role)): expected system, user, assistant or observation"
        case .secondImage(let message):
            "message \(message) brings a second image, but the model takes one image per conversation; remove one"
        case .invalidTool(let message, let reason):
            "the tools of message \(message) cannot be rendered: \(reason)"
        case .invalidUTF8(let offset):
            "the text is not UTF-8: invalid byte at offset \(offset); convert it to UTF-8 first"
        default:
            vocabularyDescription ?? configurationDescription
        }
    }

    private var vocabularyDescription: String? {
        let what: String
        switch self {
        case .emptyVocabulary: what = "is empty: expected lines of a base64 token and its rank"
        case .tooManyTokens(let count, let limit): what = "has \(count) tokens, more than the limit of \(limit)"
        case .missingRank(let line): what = "line \(line) has no rank: expected a base64 token, a space and a number"
        case .invalidBase64(let line): what = "line \(line) does not begin with valid base64"
        case .emptyToken(let line): what = "line \(line) holds an empty token"
        case .invalidRank(let line, let text):
            what = "line \(line) has rank \(quoted(text)): expected a decimal number without sign or leading zeros"
        case .rankGap(let line, let rank, let rankCount):
            what = "line \(line) has rank \(rank), but \(rankCount) tokens must have ranks 0 to \(rankCount - 1)"
        case .duplicateRank(let line, let rank): what = "line \(line) repeats rank \(rank)"
        case .duplicateToken(let line, let rank, let earlierRank):
            what = "line \(line) gives rank \(rank) to the bytes that already have rank \(earlierRank)"
        case .missingByte(let byte): what = "has no token for the single byte \(byte): every byte needs one"
        default: return nil
        }
        return "tokenizer.model \(what); fetch the file again"
    }

    private var configurationDescription: String {
        switch self {
        case .invalidJSON(let source, let error):
            "\(source) is not valid JSON: \(error)"
        case .invalidConfiguration(let key, let expected, let got):
            "tokenizer_config.json: \(key) is \(got), expected \(expected)"
        case .specialTokenID(let token, let expected, let got):
            "tokenizer_config.json gives \(quoted(token)) the id \(got), expected \(expected): "
                + "special tokens follow the ranks of tokenizer.model without a gap; the two files may not belong together"
        case .missingSpecialToken(let token):
            "tokenizer_config.json does not list \(quoted(token)) in added_tokens_decoder, and the chat template needs it"
        default:
            "the tokenizer failed"
        }
    }

    private func quoted(_ text: String) -> String {
        "\"\(text.prefix(60))\""
    }
}
