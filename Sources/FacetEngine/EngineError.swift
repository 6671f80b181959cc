public import FacetCheckpoint
public import FacetImage
public import FacetModel
public import FacetTensor
public import FacetTokenizer

/// What can go wrong between a request and its answer.
public enum EngineError: Error, Sendable, Hashable {
    // Requests.
    /// A sampling parameter makes no sense.
    case invalidSampling(parameter: String, expected: String, got: String)
    /// The conversation holds nothing to answer.
    case emptyConversation
    /// More than one picture; the model takes one per conversation.
    case tooManyImages(count: Int)
    /// A message announces a picture that was not given, or the other way round.
    case imageMismatch(announced: Int, given: Int)
    /// Prompt and answer need more positions than the model has.
    case promptTooLong(promptTokens: Int, newTokens: Int, limit: Int)
    /// Prompt and answer need more rows than the cache has.
    case cacheTooSmall(promptRows: Int, newTokens: Int, limit: Int)
    /// The engine keeps no picture features at all.
    case noImageSlot
    /// The prompt holds an id that the model's vocabulary does not have.
    case unknownToken(id: Int32, vocabularySize: Int)

    // Service.
    /// The queue is full.
    case busy(waiting: Int)
    /// The engine no longer takes requests.
    case shutDown
    /// An option makes no sense.
    case invalidOption(option: String, expected: String, got: String)
    /// The system gave no thread.
    case noThread(code: Int)

    // Results.
    /// Logits are NaN or infinite; `layer` names the first point of the model where they are.
    case nonFinite(layer: String)

    // Files that do not fit together.
    /// The tokenizer has more ids than the model has rows.
    case vocabularyMismatch(tokenizerCount: Int, modelCount: Int)
    /// A special token's id differs between the tokenizer and the configuration.
    case specialTokenMismatch(token: String, tokenizerID: Int32, configurationID: Int32)
    /// The picture's side differs between the tokenizer and the configuration.
    case imageSizeMismatch(tokenizerSize: Int, configurationSize: Int)

    // What the layers below report.
    case checkpoint(CheckpointError)
    case tokenizer(TokenizerError)
    case image(ImageError)
    case model(ModelError)
    case tensor(TensorError)
}

extension EngineError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .invalidSampling, .emptyConversation, .tooManyImages, .imageMismatch, .promptTooLong, .cacheTooSmall,
            .noImageSlot, .unknownToken:
            requestDescription
        case .busy(let waiting):
            "The engine is busy: \(waiting) requests wait already; try again later."
        case .shutDown: "The engine has been shut down and takes no more requests."
        case .invalidOption(let option, let expected, let got): "\(option) must be \(expected), but is \(got)."
        case .noThread(let code): "The system gave no thread (error \(code)); raise its limit on threads."
        case .nonFinite(let layer):
            "The model computed NaN or infinite values, first at \(layer); try --dtype float32, "
                + "and check the checkpoint's files if that does not help."
        case .vocabularyMismatch(let tokenizerCount, let modelCount):
            "The tokenizer has \(tokenizerCount) ids, but the model has only \(modelCount); "
                + "the folder's files do not belong together."
        case .specialTokenMismatch(let token, let tokenizerID, let configurationID):
            "\(token) is \(tokenizerID) in the tokenizer, but \(configurationID) in config.json; "
                + "the folder's files do not belong together."
        case .imageSizeMismatch(let tokenizerSize, let configurationSize):
            "image_size is \(tokenizerSize) in tokenizer_config.json, but \(configurationSize) in config.json; "
                + "the folder's files do not belong together."
        case .checkpoint(let error): error.description
        case .tokenizer(let error): error.description
        case .image(let error): error.description
        case .model(let error): error.description
        case .tensor(let error): error.description
        }
    }

    private var requestDescription: String {
        switch self {
        case .invalidSampling(let parameter, let expected, let got): "\(parameter) must be \(expected), but is \(got)."
        case .emptyConversation: "There is nothing to answer; give a question or a picture."
        case .tooManyImages(let count):
            "The conversation has \(count) pictures, but the model takes one; remove \(count - 1)."
        case .imageMismatch(let announced, let given):
            "The messages announce \(announced) pictures, but \(given) were given; give each announced picture once."
        case .promptTooLong(let promptTokens, let newTokens, let limit):
            "The prompt's \(promptTokens) tokens and \(newTokens) new ones exceed the model's \(limit) positions by "
                + "\(promptTokens + newTokens - limit); \(Self.remedy(promptTokens, newTokens, limit))."
        case .cacheTooSmall(let promptRows, let newTokens, let limit):
            "The prompt's \(promptRows) rows (a picture's included) and \(newTokens) new tokens exceed the cache's "
                + "\(limit) rows by \(promptRows + newTokens - limit); \(Self.remedy(promptRows, newTokens, limit)), "
                + "or raise the context length."
        case .noImageSlot: "The engine was set up without room for pictures; raise the number of pictures to keep."
        case .unknownToken(let id, let vocabularySize):
            "The prompt holds token id \(id), but the model's vocabulary has \(vocabularySize) ids; "
                + "use the model's own tokenizer."
        default: preconditionFailure("no case about a request")
        }
    }

    /// What to shorten, and by how much.
    private static func remedy(_ prompt: Int, _ newTokens: Int, _ limit: Int) -> String {
        let excess = prompt + newTokens - limit
        guard prompt < limit else { return "shorten the prompt by at least \(prompt + 1 - limit) tokens" }
        return "ask for at most \(limit - prompt) new tokens, or shorten the prompt by \(excess) tokens"
    }
}
